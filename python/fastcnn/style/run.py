"""One picture being made: what a call of `StyleTransfer` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import number
from fastcnn.errors import ConfigError, NumericsError
from fastcnn.io.resize import resize_image
from fastcnn.optimizers import LBFGS, Adam, Optimizer, schedules
from fastcnn.style import colors, pictures
from fastcnn.style.descent import Descent
from fastcnn.style.objective import Costs, Objective
from fastcnn.style.state import Place, fingerprint

if TYPE_CHECKING:
    from fastcnn.style.transfer import StyleTransfer

# How far Adam moves each level of 0 to 255 in a step, about: at first, and at the end as a share of
# that, so that the picture comes to rest. And L-BFGS in its first step, on average.
_ADAM_RATE, _ADAM_END = 8.0, 0.05
_LBFGS_FIRST = 1.0

# Networks pad with zeros, and borders painted beside them come out dark and dotted: pictures are
# mirrored beyond their borders by this share of the longer side, at most so many pixels, and cut
# again.
_MARGIN, _MOST_MARGIN = 1 / 32, 24


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


class Run:
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
    return min(round(max(size) * _MARGIN), _MOST_MARGIN, min(size) - 1)


def _shares(given: Any, count: int) -> list[float]:
    """How much each style counts."""
    if given is None:
        return [1.0 / count] * count
    shares = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(shares) != count:
        raise ConfigError(
            f"style_weights: expected a number for each of {count} styles, got {given!r}"
        )
    return [number("StyleTransfer", "style_weights", share, at_least=0.0) for share in shares]
