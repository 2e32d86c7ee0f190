"""Neural style transfer: the content of one picture in the style of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import number, one_of, positive_int
from fastcnn.callbacks.progbar import Progbar
from fastcnn.errors import ConfigError, NumericsError
from fastcnn.io._files import StrPath
from fastcnn.io.images import save_image
from fastcnn.io.resize import resize_image
from fastcnn.model import Model
from fastcnn.optimizers import LBFGS, Adam, Optimizer, schedules
from fastcnn.style import colors, pictures
from fastcnn.style.descent import Descent
from fastcnn.style.network import feature_network, layer_name, smallest_side
from fastcnn.style.objective import Costs, Objective
from fastcnn.style.state import Place, StateFile, fingerprint

__all__ = ["CONTENT_LAYERS", "STYLE_LAYERS", "Progress", "StyleTransfer", "transfer"]

# What looked best with HED's weights; the paper has the same for all.
CONTENT_LAYERS = {"block4_conv2": 1.0}
STYLE_LAYERS = {
    "block1_conv1": 0.1,
    "block2_conv1": 0.2,
    "block3_conv1": 0.4,
    "block4_conv1": 0.3,
}

# How far Adam moves each level of 0 to 255 in a step, about: at first, and at the end as a share of
# that, so that the picture comes to rest. And L-BFGS in its first step, on average.
_ADAM_RATE, _ADAM_END = 8.0, 0.05
_LBFGS_FIRST = 1.0

# Networks pad with zeros, and borders painted beside them come out dark and dotted: pictures are
# mirrored beyond their borders by this share of the longer side, and cut again.
_MARGIN = 1 / 32

_OWNER = "StyleTransfer"

Callback = Callable[["Progress"], Any]


@dataclass(frozen=True)
class Progress:
    """What a callback of `transfer` is told after each iteration.

    Attributes
    ----------
    iteration, iterations : int
        How many are done, of how many, at all scales together.
    size : (int, int)
        Height and width of the picture at this scale.
    costs : Costs
        Before the iteration.
    """

    iteration: int
    iterations: int
    size: tuple[int, int]
    costs: Costs
    _picture: Callable[[], NDArray[np.uint8]] = field(repr=False, compare=False)

    def picture(self) -> NDArray[np.uint8]:
        """Give the picture as it is now: uint8 of shape (h, w, 3)."""
        return self._picture()


class StyleTransfer:
    """How pictures are painted anew; called with a content and a style, it paints one.

    The picture is what is trained. A network sees it beside content and style; costs compare what
    it sees, and the gradient with respect to the picture changes it. With Adam an iteration is one
    plan: network, costs, gradient and update. The same seed gives the same bits on any number of
    threads.

    Parameters
    ----------
    size : int or None, default 512
        The longer side of the result, in pixels; the content's own if None.
    iterations : int or sequence of int, default 100
        At each scale, or a number for every one of them from coarse to fine.
    scales : int, default 2
        At how many sizes the picture is made, each twice the one before: coarse strokes come first,
        and cheaply.
    alpha, beta : float, default 1.0 and 2.0
        How much content and style count.
    total_variation_weight : float, default 5e-4
        How much rough pixels cost.
    content_layers, style_layers : str, sequence of str, or mapping of str to float
        Layers of the network (``"block4_conv2"`` or ``"conv4_2"``) and how much each counts; all
        the same, and 1 together, unless given. `CONTENT_LAYERS` and `STYLE_LAYERS`.
    normalize : bool, default True
        Measure the cost of each layer by that of a picture in which it sees nothing, so that the
        same `alpha` and `beta` serve all networks and layers. The paper scales the network's
        weights instead. False: costs are those of `content_cost` and `layer_style_cost`.
    style_scale : float, default 1.0
        The longer side of the styles as they are looked at, over that of the content: smaller ones
        give smaller strokes.
    preserve_colors : {None, "luminance", "histogram"}
        Keep the colours of the content: only brightness takes part, or the styles first get its
        colours.
    initial : {"content", "style", "noise", "blend"} or picture, default "content"
        Where the picture begins; "blend" is noise and content.
    noise_ratio : float, default 0.5
        The share of noise in a blend.
    network : {"vgg16", "vgg19"} or Model, default "vgg16"
        A model gives a dictionary of features of RGB pictures of 0 to 255, as `feature_network`'s.
    weights, pooling
        As for `feature_network`.
    optimizer : {"adam", "lbfgs"} or Optimizer, default "adam"
        Adam keeps levels within 0 to 255 on the way; L-BFGS, which the paper uses, does not, and
        its costs fall faster. Of an optimizer only the configuration is used.
    seed : int, default 0
        Of the noise.
    recompute : {"auto", None, "activations", "segments"}, default "auto"
        Whether what the network saw is computed again instead of kept; "auto": where a step would
        need more than 4 GiB, and would need a fifth less then.

    Raises
    ------
    ConfigError
        An argument has no meaning.
    MissingWeightsError, FileFormatError
        The network's weights are not there, or the file is another network's.

    References
    ----------
    L. Gatys, A. Ecker, M. Bethge: Image Style Transfer Using Convolutional Neural Networks. CVPR
    2016. Scales and masks: L. Gatys et al.: Controlling Perceptual Factors in Neural Style
    Transfer. CVPR 2017. Colours: L. Gatys et al.: Preserving Color in Neural Artistic Style
    Transfer. 2016.

    Examples
    --------
    A network with random weights, so that this runs anywhere:

    >>> import numpy as np, fastcnn as fc
    >>> paint = fc.style.StyleTransfer(
    ...     size=32, scales=1, iterations=2, weights=None,
    ...     content_layers="conv1_2", style_layers=["conv1_1", "conv2_1"],
    ... )
    >>> content, style = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), np.uint8)
    >>> paint(content, style, verbose=0).shape
    (24, 32, 3)
    """

    def __init__(
        self,
        *,
        size: int | None = 512,
        iterations: int | Sequence[int] = 100,
        scales: int = 2,
        alpha: float = 1.0,
        beta: float = 2.0,
        total_variation_weight: float = 5e-4,
        content_layers: Any = CONTENT_LAYERS,
        style_layers: Any = STYLE_LAYERS,
        normalize: bool = True,
        style_scale: float = 1.0,
        preserve_colors: str | None = None,
        initial: Any = "content",
        noise_ratio: float = 0.5,
        network: str | Model = "vgg16",
        weights: StrPath | None = "hed",
        pooling: str = "avg",
        optimizer: str | Optimizer = "adam",
        seed: int = 0,
        recompute: str | None = "auto",
    ) -> None:
        self.size = None if size is None else positive_int(_OWNER, "size", size)
        self.scales = positive_int(_OWNER, "scales", scales)
        self.iterations = _counts(iterations, self.scales)
        self.alpha = number(_OWNER, "alpha", alpha, at_least=0.0)
        self.beta = number(_OWNER, "beta", beta, at_least=0.0)
        self.total_variation_weight = number(
            _OWNER, "total_variation_weight", total_variation_weight, at_least=0.0
        )
        name = None if isinstance(network, Model) else network
        self.content_layers = _layer_weights("content_layers", content_layers, name)
        self.style_layers = _layer_weights("style_layers", style_layers, name)
        self.normalize = bool(normalize)
        self.style_scale = number(_OWNER, "style_scale", style_scale, 0.01, 100.0)
        self.preserve_colors = one_of(
            _OWNER, "preserve_colors", preserve_colors, (None, "luminance", "histogram")
        )
        self.initial = initial
        self.noise_ratio = number(_OWNER, "noise_ratio", noise_ratio, 0.0, 1.0)
        if not isinstance(optimizer, Optimizer):
            one_of(_OWNER, "optimizer", optimizer, ("lbfgs", "adam"))
        self.optimizer = optimizer
        self.seed = positive_int(_OWNER, "seed", seed, at_least=0)
        self.recompute = one_of(
            _OWNER, "recompute", recompute, ("auto", None, "activations", "segments")
        )
        every = [*self.content_layers, *self.style_layers]
        self._least = 2 if isinstance(network, Model) else smallest_side(every)
        self._facts = {"network": name, "weights": str(weights), "pooling": pooling}
        self.network = (
            network
            if isinstance(network, Model)
            else feature_network(every, network, weights, pooling)
        )

    def __call__(
        self,
        content: Any,
        style: Any,
        *,
        style_weights: Sequence[float] | None = None,
        masks: Sequence[Any] | None = None,
        callback: Callback | None = None,
        preview: StrPath | None = None,
        preview_every: int = 50,
        state: StrPath | None = None,
        state_every: int = 25,
        verbose: Any = "auto",
    ) -> NDArray[np.uint8]:
        """Paint a content in a style, or in a mixture of several.

        Parameters
        ----------
        content : path, bytes, file or array
            The picture whose things are kept. Arrays are uint8, shape (h, w, 3) or (h, w).
        style : the same, or a list of them
            Whose colours, strokes and textures are taken.
        style_weights : sequence of float, optional
            How much each of several styles counts; the same, and 1 together, unless given.
        masks : sequence of path, array or None, optional
            For each style the part of the content it is for: white there, black elsewhere.
        callback : callable, optional
            Is given a `Progress` after each iteration; if it returns True the picture is done.
        preview : path, optional
            Where to write the picture every `preview_every` iterations, whole files only.
        state : path, optional
            Where to write every `state_every` iterations what is needed to go on: called anew with
            the same arguments, an interrupted run goes on from there to the same bits. The file is
            removed when the picture is done.
        verbose : {"auto", 0, 1, 2}
            Nothing, a progress bar, or a line at the end.

        Returns
        -------
        numpy.ndarray
            uint8 of shape (h, w, 3).

        Raises
        ------
        ConfigError, ShapeError, DTypeError
            An argument has no meaning, or a picture is too small for the network's layers.
        MissingFileError, FileAccessError, FileFormatError
            A file cannot be read or written, or the state is another run's.
        NumericsError
            The costs became infinite or NaN: the learning rate or the weights are too large.
        """
        positive_int(_OWNER, "preview_every", preview_every)
        positive_int(_OWNER, "state_every", state_every)
        run = _Run(self, content, style, style_weights, masks)
        file = StateFile(state, run.fingerprint())
        bar = Progbar(
            sum(self.iterations),
            verbose=1 if verbose == "auto" else int(verbose),
            stateful_metrics=("cost", "content", "style"),
            unit_name="iteration",
        )
        for progress, place in run.walk(file.load()):
            total, content_cost, style_cost, _ = progress.costs
            shown = [("cost", total), ("content", content_cost), ("style", style_cost)]
            bar.update(progress.iteration, shown)
            if progress.iteration % state_every == 0:
                file.save(place())
            if preview is not None and progress.iteration % preview_every == 0:
                save_image(preview, progress.picture())
            if callback is not None and callback(progress) is True:
                break
        file.remove()
        return run.levels()


def transfer(content: Any, style: Any, **options: Any) -> NDArray[np.uint8]:
    """Paint the content of one picture in the style of another.

    Parameters
    ----------
    content, style
        Files or arrays; of styles, one or a list.
    **options
        Those of `StyleTransfer`, and of its call.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (h, w, 3).

    Raises
    ------
    FastcnnError
        As `StyleTransfer` and its call.

    Examples
    --------
    >>> import fastcnn as fc
    >>> picture = fc.style.transfer("louvre.jpg", "monet.jpg", size=512)  # doctest: +SKIP
    >>> fc.io.save_image("painted.png", picture)  # doctest: +SKIP
    """
    of_call = StyleTransfer.__call__.__kwdefaults__ or {}
    unknown = set(options) - set(of_call) - set(StyleTransfer.__init__.__kwdefaults__ or {})
    if unknown:
        raise ConfigError(f"transfer: there is no option {', '.join(sorted(unknown))}")
    of_call = {name: options.pop(name) for name in of_call if name in options}
    return StyleTransfer(**options)(content, style, **of_call)


class _Run:
    """One picture being made."""

    def __init__(
        self, options: StyleTransfer, content: Any, style: Any, style_weights: Any, masks: Any
    ) -> None:
        self._options = options
        self._photo = pictures.read_picture("content", content)
        given = list(style) if isinstance(style, (list, tuple)) else [style]
        if not given:
            raise ConfigError("style: expected at least one picture, got none")
        styles = [pictures.read_picture(f"style {i}", s) for i, s in enumerate(given, start=1)]
        self._shares = _shares(style_weights, len(styles))
        self._masks = pictures.read_masks(masks, len(styles))
        self._sizes = pictures.sizes_of(self._photo, options.size, options.scales, options._least)
        for place, picture in enumerate(styles, start=1):
            pictures.check_style(
                f"style {place}", picture, self._sizes[0], options.style_scale, options._least
            )
        self._seen = self._photo  # the content as the network sees it
        if options.preserve_colors == "luminance":
            self._seen = colors.match_luminance(self._photo, self._photo)
            styles = [colors.match_luminance(s, self._photo) for s in styles]
        elif options.preserve_colors == "histogram":
            styles = [colors.match_colors(s, self._photo) for s in styles]
        self._styles = styles
        self._picture: NDArray[np.float32] | None = None  # as it is, continued beyond its borders
        self._size = self._sizes[0]  # its height and width within them

    def fingerprint(self) -> str:
        """Tell this run apart from those that make other pictures."""
        given = self._options
        optimizer = given.optimizer
        facts = {
            **given._facts,
            "sizes": self._sizes,
            "iterations": given.iterations,
            "costs": [given.alpha, given.beta, given.total_variation_weight],
            "layers": [given.content_layers, given.style_layers, given.normalize],
            "styles": [self._shares, given.style_scale, given.preserve_colors],
            "initial": [given.initial if isinstance(given.initial, str) else "picture"],
            "noise": [given.noise_ratio, given.seed],
            "optimizer": optimizer if isinstance(optimizer, str) else optimizer.get_config(),
        }
        masks = [mask for mask in self._masks if mask is not None]
        return fingerprint(facts, [self._photo, *self._styles, *masks])

    def levels(self) -> NDArray[np.uint8]:
        """Give the picture as it is now."""
        assert self._picture is not None
        levels = pictures.as_levels(self._inside(self._picture))
        if self._options.preserve_colors != "luminance":
            return levels
        size = (levels.shape[0], levels.shape[1])
        return colors.replace_luminance(resize_image(self._photo, size, "lanczos"), levels)

    def walk(self, place: Place | None) -> Iterator[tuple[Progress, Callable[[], Place]]]:
        """Make the picture, from a place on; after each iteration tell what there is."""
        options = self._options
        every = sum(options.iterations)
        for scale, size in enumerate(self._sizes):
            done = 0
            if place is not None and scale < place.scale:
                continue
            content = pictures.mirrored(pictures.resized(self._seen, size), _margin(size))
            descent = Descent(
                self._objective(content, size),
                self._start(content, size),
                self._optimizer(content.size, options.iterations[scale]),
                options.recompute,
            )
            if place is not None and scale == place.scale:
                descent.load_state(place.arrays, place.iteration)
                done = place.iteration
            before = sum(options.iterations[:scale])
            for iteration in range(done + 1, options.iterations[scale] + 1):
                costs = descent.step()
                if not np.isfinite(costs.total):
                    raise NumericsError(
                        f"style transfer: the costs of iteration {before + iteration} are "
                        f"{costs.total}: use a smaller learning rate, alpha or beta"
                    )
                self._picture, self._size = descent.picture.view(), size
                progress = Progress(before + iteration, every, size, costs, self.levels)
                yield (
                    progress,
                    lambda: Place(scale, iteration, descent.save_state()),  # noqa: B023
                )
            self._picture, self._size = descent.picture.numpy(), size

    def _inside(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut off what lies beyond the borders."""
        height, width = self._size
        margin = _margin(self._size)
        return picture[:, margin : margin + height, margin : margin + width]

    def _start(self, content: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Where a scale begins: with what the one before has made."""
        options = self._options
        if self._picture is None:
            return pictures.first_picture(
                options.initial,
                content,
                self._styles[0],
                options.noise_ratio,
                options.seed,
                _margin(size),
            )
        finer = resize_image(self._inside(self._picture)[0], size, "bicubic")
        return pictures.mirrored(pictures.as_batch(finer), _margin(size))

    def _objective(self, content: NDArray[np.float32], size: tuple[int, int]) -> Objective:
        options = self._options
        styles = [
            pictures.resized(s, pictures.style_size(s, size, options.style_scale))
            for s in self._styles
        ]
        return Objective(
            options.network,
            content,
            styles,
            options.content_layers,
            options.style_layers,
            options.alpha,
            options.beta,
            options.total_variation_weight,
            self._shares,
            [pictures.mask_of_size(mask, size, _margin(size)) for mask in self._masks],
            options.normalize,
        )

    def _optimizer(self, numbers: int, iterations: int) -> Optimizer:
        """Make the optimizer of a scale; what it learnt of a coarser one is of no use."""
        given = self._options.optimizer
        if isinstance(given, Optimizer):
            made: Optimizer = type(given).from_config(given.get_config())
            return made
        if given == "adam":
            return Adam(schedules.CosineDecay(_ADAM_RATE, iterations, alpha=_ADAM_END))
        return LBFGS(first_step=_LBFGS_FIRST * numbers)


def _margin(size: tuple[int, int]) -> int:
    """How many pixels a picture of a size is continued by on each side."""
    return min(round(max(size) * _MARGIN), min(size) - 1)


def _counts(iterations: Any, scales: int) -> list[int]:
    """The number of iterations at each scale."""
    counts = list(iterations) if isinstance(iterations, (list, tuple)) else [iterations] * scales
    if len(counts) != scales:
        raise ConfigError(
            f"{_OWNER}: iterations: expected a number, or one for each of {scales} scales, got "
            f"{iterations!r}"
        )
    return [positive_int(_OWNER, "iterations", count) for count in counts]


def _layer_weights(what: str, given: Any, network: str | None) -> dict[str, float]:
    """How much each layer counts, by its name in the network."""
    if isinstance(given, Mapping):
        weights = {name: number(_OWNER, what, w, at_least=0.0) for name, w in given.items()}
    else:
        names = [given] if isinstance(given, str) else list(given)
        weights = {name: 1.0 / len(names) for name in names}
    if not weights:
        raise ConfigError(f"{_OWNER}: {what}: expected at least one layer, got none")
    if network is None:
        return weights
    return {layer_name(name, network): weight for name, weight in weights.items()}


def _shares(given: Any, count: int) -> list[float]:
    """How much each style counts."""
    if given is None:
        return [1.0 / count] * count
    shares = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(shares) != count:
        raise ConfigError(
            f"style_weights: expected a number for each of {count} styles, got {given!r}"
        )
    return [number(_OWNER, "style_weights", share, at_least=0.0) for share in shares]
