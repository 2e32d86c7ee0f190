"""Neural style transfer: the content of one picture in the style of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import number, one_of, positive_int
from fastcnn.callbacks.progbar import Progbar, verbosity
from fastcnn.errors import ConfigError
from fastcnn.io._files import StrPath
from fastcnn.io.images import save_image
from fastcnn.model import Model
from fastcnn.optimizers import Optimizer
from fastcnn.style.network import feature_network, layer_name, smallest_side
from fastcnn.style.run import Progress, Run
from fastcnn.style.state import StateFile

__all__ = ["CONTENT_LAYERS", "STYLE_LAYERS", "StyleTransfer", "transfer"]

# What looked best with HED's weights; the paper has the same for all.
CONTENT_LAYERS = {"block4_conv2": 1.0}
STYLE_LAYERS = {
    "block1_conv1": 0.1,
    "block2_conv1": 0.2,
    "block3_conv1": 0.4,
    "block4_conv1": 0.3,
}

_OWNER = "StyleTransfer"

Callback = Callable[[Progress], Any]


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
        run = Run(self, content, style, style_weights, masks)
        file = StateFile(state, run.fingerprint())
        bar = Progbar(
            sum(self.iterations),
            verbose=verbosity(_OWNER, verbose),
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
