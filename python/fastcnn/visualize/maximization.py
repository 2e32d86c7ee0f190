"""Pictures made to excite a class or a unit as much as possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn._checks import number, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers._arguments import pair
from fastcnn.layers.layer import Layer
from fastcnn.ops._dispatch import as_array
from fastcnn.optimizers import Adam
from fastcnn.variable import Variable
from fastcnn.visualize._inside import Array, WatchedTrace, inside
from fastcnn.visualize._targets import Target, Unit, class_numbers, scores

# Directions in which the colours of photos vary, with their deviations (Olah et al. 2017).
_COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]], np.float32)
_COLOURS /= np.linalg.norm(_COLOURS, axis=0).max()

_CONTRAST = 0.25  # of the first, grey-like direction, at which the picture begins to saturate


def maximize_activation(
    model: Layer,
    target: Target,
    *,
    size: int | tuple[int, int] | None = None,
    bounds: tuple[Any, Any] = (0.0, 255.0),
    steps: int = 256,
    learning_rate: float = 0.05,
    jitter: int = 8,
    total_variation: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Array:
    """Make a picture that excites a class or a unit, from noise, by climbing the gradient.

    After Erhan et al. 2009 and Simonyan et al. 2014, section 2. What is changed are the
    coefficients of the picture's Fourier series, low frequencies faster, in decorrelated colours
    (Olah, Mordvintsev & Schubert 2017, "Feature visualization"); at every step the picture is moved
    by a few pixels. Both keep it from becoming noise, and the penalties may help.

    Parameters
    ----------
    model : Model
        Its pictures are RGB, or have other numbers of channels.
    target : int, sequence of int, Unit or callable
        As for `saliency`; several classes, or several channels of a `Unit`, give as many pictures.
    size : int or (int, int), optional
        Height and width; the model's own unless given.
    bounds : (number or array, number or array), default (0, 255)
        What black and white are, to the model; of each channel if they are arrays of c numbers.
    steps : int, default 256
    learning_rate : float, default 0.05
        Of Adam.
    jitter : int, default 8
        By how many pixels the picture is moved at most.
    total_variation, l2 : float, default 0
        Factors of penalties: the mean squared difference of neighbours, and the mean squared
        distance from grey; of levels from 0 to 1.
    seed : int, default 0
    progress : callable, optional
        Is told how many steps are done, and of how many.

    Returns
    -------
    array, float32, shape (n, h, w, c)
        Pictures as the model takes them, within the bounds.

    Raises
    ------
    ConfigError
        There is no such class, layer or channel; no target is given.
    ShapeError
        The model leaves the picture's size open and none is given.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.GlobalAveragePooling2D()])
    >>> red = fc.visualize.maximize_activation(model, 0, steps=30, learning_rate=1.0)
    >>> red.shape, bool(red[..., 0].mean() > 200)
    ((1, 8, 8, 3), True)
    """
    if target is None:
        raise ConfigError("maximize_activation: target: expected a class, a Unit or a function")
    count = _count(target)
    classes = class_numbers("maximize_activation", target, count)
    total = positive_int("maximize_activation", "steps", steps)
    reach = positive_int("maximize_activation", "jitter", jitter, at_least=0)
    variation = number("maximize_activation", "total_variation", total_variation, at_least=0)
    distance = number("maximize_activation", "l2", l2, at_least=0)
    series = _Series((count, *_shape(model, size)), bounds, seed)
    low, high = series.low, series.high

    def describe(trace: WatchedTrace, x: Any, output: Any, classes: Any = None) -> Any:
        score = ops.sum(scores(trace, output, target, classes))
        level = (x - low) * (1 / (high - low))
        score = score - variation * _variation(level)
        score = score - distance * ops.sum(ops.mean(ops.square(level - 0.5), axis=(1, 2, 3)))
        return trace.gradient(score, [x])[0]

    run = inside(model, describe)
    optimizer = Adam(learning_rate)
    rng = np.random.default_rng(seed)
    for step in range(total):
        moved = tuple(rng.integers(-reach, reach + 1, 2))
        picture = series.picture()
        above = run(np.roll(picture, moved, (1, 2)), *classes)
        gradient = series.backward(np.roll(above, (-moved[0], -moved[1]), (1, 2)))
        optimizer.apply([-gradient], [series.coefficients])
        if progress is not None:
            progress(step + 1, total)
    return series.picture()


def _count(target: Any) -> int:
    """Tell how many pictures a target asks for."""
    wanted: Any = target.channel if isinstance(target, Unit) else target
    return 1 if callable(wanted) else max(1, int(np.size(wanted)))


def _shape(model: Layer, size: Any) -> tuple[int, int, int]:
    """Give height, width and channels of the picture."""
    own = getattr(model, "input_shape", None)
    if not isinstance(own, tuple) or len(own) != 4 or own[3] is None:
        raise ShapeError(
            f"maximize_activation: expected a model of one picture, its input is {own}"
        )
    if size is None and None in own[1:3]:
        raise ShapeError("maximize_activation: size: the model takes any, one must be given")
    height, width = own[1:3] if size is None else pair("maximize_activation", "size", size)
    return height, width, own[3]


def _variation(x: Any) -> Any:
    """Give the mean squared difference of neighbours, of each picture, added up."""
    n, height, width, channels = x.shape
    down = (n, height - 1, width, channels)
    right = (n, height, width - 1, channels)
    below = ops.slice(x, (0, 1, 0, 0), down) - ops.slice(x, (0, 0, 0, 0), down)
    beside = ops.slice(x, (0, 0, 1, 0), right) - ops.slice(x, (0, 0, 0, 0), right)
    total = ops.sum(ops.square(below)) + ops.sum(ops.square(beside))
    return total * (1 / (height * width * channels))


class _Series:
    """Pictures as Fourier series in decorrelated colours, kept within bounds by a sigmoid."""

    def __init__(self, shape: tuple[int, ...], bounds: tuple[Any, Any], seed: int) -> None:
        _, height, width, channels = shape
        self._size = height, width
        self.low, self.high = (as_array(bound) for bound in bounds)
        if not all(bound.shape in ((), (channels,)) for bound in (self.low, self.high)):
            raise ShapeError(f"maximize_activation: bounds: expected numbers, or {channels} each")
        if not (self.low < self.high).all():
            raise ConfigError(f"maximize_activation: bounds: expected low < high, got {bounds}")
        self._colours = _COLOURS if channels == 3 else np.eye(channels, dtype=np.float32)
        rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
        frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
        self._weights = (_CONTRAST / frequency)[None, :, :, None].astype(np.float32)
        half = (shape[0], height, width // 2 + 1, channels, 2)
        start = 0.01 * np.random.default_rng([seed, 1]).standard_normal(half)
        self.coefficients = Variable(start.astype(np.float32), name="coefficients")

    def picture(self) -> Array:
        """Give the pictures."""
        pairs: NDArray[np.complex64] = self.coefficients.numpy().view(np.complex64)[..., 0]
        waves = np.fft.irfft2(pairs * self._weights, self._size, axes=(1, 2), norm="ortho")
        logits = waves.astype(np.float32) @ self._colours.T
        self._level = 1 / (1 + np.exp(-logits))
        picture: Array = self.low + (self.high - self.low) * self._level
        return picture

    def backward(self, above: Array) -> Array:
        """Give the gradient of the coefficients from that of the last pictures."""
        logits = above * (self.high - self.low) * self._level * (1 - self._level)
        waves = np.fft.rfft2(logits @ self._colours, axes=(1, 2), norm="ortho") * self._weights
        return np.stack([waves.real, waves.imag], axis=-1).astype(np.float32)
