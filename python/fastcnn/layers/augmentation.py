"""Layers that change pictures at random while training, and leave them alone otherwise.

Every picture of a batch is changed in a way of its own, which is a function of the seed of the
training and of the number of the step: training that is resumed goes on with the same changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _random, ops
from fastcnn.errors import ConfigError
from fastcnn.layers._arguments import number, one_of, positive_int
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer
from fastcnn.layers.preprocessing import CenterCrop
from fastcnn.tracing import Value

Random = np.random.Generator
Range = tuple[float, float]

_FILL_MODES = ("constant", "reflect", "wrap", "nearest")
_SMALLEST_ZOOM = -0.99  # at -1 nothing of the picture would be seen


class _RandomLayer(Layer):
    """What changes pictures at random: in training, and one by one."""

    def __init__(
        self, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        cls = type(self).__name__
        self.seed = None if seed is None else positive_int(cls, "seed", seed, at_least=0)
        self.data_format = "channels_last"
        self.input_spec = InputSpec(min_ndim=3, max_ndim=4)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the layer."""
        if not training:
            return inputs
        if inputs.ndim == 3:  # one picture
            return ops.squeeze(self.change(ops.expand_dims(inputs, 0)), 0)
        return self.change(inputs)

    def change(self, pictures: Any) -> Any:
        """Change pictures of shape (n, height, width, channels)."""
        raise TypeError(f"{type(self).__name__} defines no change(self, pictures)")

    def draw(self, x: Any, shape: tuple[int, ...], make: Callable[[Random], NDArray[Any]]) -> Any:
        """Draw the numbers that say how each picture is changed."""
        if isinstance(x, Value):
            return x.trace.draw(shape, make, self.seed)
        first, count = _random.next_draw()  # called op by op
        entropy = [first, count] if self.seed is None else [self.seed, count]
        return make(_random.generator(entropy)).astype(np.float32)

    def draw_factors(self, pictures: Any, low: float, high: float) -> Any:
        """Draw one number for each picture, evenly between two."""
        shape = (pictures.shape[0], 1, 1, 1)
        return self.draw(pictures, shape, lambda random: random.uniform(low, high, shape))


class _Moving(_RandomLayer):
    """What moves the pixels of a picture: each comes from where a matrix says.

    Row (a, b, c, d, e, f, 0, 0) takes the pixel at column x and row y of the result from column
    ``a x + b y + c`` and row ``d x + e y + f`` of the picture.
    """

    def __init__(
        self, fill_mode: str, interpolation: str, fill_value: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        cls = type(self).__name__
        self.fill_mode = one_of(cls, "fill_mode", fill_mode, _FILL_MODES)
        self.interpolation = one_of(cls, "interpolation", interpolation, ("nearest", "bilinear"))
        self.fill_value = number(cls, "fill_value", fill_value)

    def matrices(self, random: Random, count: int, height: int, width: int) -> NDArray[Any]:
        """Draw (count, 8) numbers."""
        raise TypeError(f"{type(self).__name__} defines no matrices")

    def change(self, pictures: Any) -> Any:
        """Change pictures of shape (n, height, width, channels)."""
        n, h, w, _ = pictures.shape
        rows = self.draw(pictures, (n, 8), lambda random: self.matrices(random, n, h, w))
        return ops.affine_transform(
            pictures,
            rows,
            interpolation=self.interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
        )


class RandomFlip(_Moving):
    """Mirrors each picture, or not, with equal probability.

    Parameters
    ----------
    mode : {"horizontal_and_vertical", "horizontal", "vertical"}
        Left and right, up and down, or both, each by a decision of its own.
    seed : int, optional
        The changes depend on it, and on the number of the step, only.
    data_format : str, optional
        ``"channels_last"``.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> flip = fc.layers.RandomFlip("horizontal", seed=1)
    >>> flip(np.arange(3.0).reshape(1, 1, 3, 1)).ravel()  # not while training: unchanged
    array([0., 1., 2.], dtype=float32)
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__("nearest", "nearest", 0.0, seed=seed, data_format=data_format, **kwargs)
        modes = ("horizontal_and_vertical", "horizontal", "vertical")
        self.mode = one_of("RandomFlip", "mode", mode, modes)

    def matrices(self, random: Random, count: int, height: int, width: int) -> NDArray[Any]:
        """Draw (count, 8) numbers."""
        across, down = random.integers(0, 2, (2, count)) * [
            ["horizontal" in self.mode],
            ["vertical" in self.mode],
        ]
        none = np.zeros(count)
        x, y = across * (width - 1), down * (height - 1)
        return _rows(1 - 2 * across, none, x, none, 1 - 2 * down, y)


class RandomRotation(_Moving):
    """Turns each picture about its middle.

    Parameters
    ----------
    factor : float or (float, float)
        How far, in full turns from -1 to 1: from -factor to factor, or between two; positive is
        counter-clockwise.
    fill_mode : {"reflect", "constant", "wrap", "nearest"}
        What lies beyond the border: the mirrored picture, `fill_value`, the picture again, or its
        outermost pixels.
    interpolation : {"bilinear", "nearest"}
    seed : int, optional
        The changes depend on it, and on the number of the step, only.
    fill_value : float, default 0.0
    data_format : str, optional
        ``"channels_last"``.

    Examples
    --------
    >>> import fastcnn as fc
    >>> turn = fc.layers.RandomRotation(0.1)  # up to 36 degrees either way
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.factor = _range("RandomRotation", "factor", factor)

    def matrices(self, random: Random, count: int, height: int, width: int) -> NDArray[Any]:
        """Draw (count, 8) numbers."""
        angle = 2 * np.pi * random.uniform(*self.factor, count)
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        return _rows(cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


class RandomZoom(_Moving):
    """Enlarges or shrinks each picture about its middle.

    Parameters
    ----------
    height_factor : float or (float, float)
        From -factor to factor, or between two, up to 1: 0.2 shows 20 % more (smaller), -0.2 shows
        20 % less (larger).
    width_factor : float or (float, float), optional
        As the height, so that the proportions stay, unless given.
    fill_mode, interpolation, seed, fill_value, data_format
        As of `RandomRotation`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> zoom = fc.layers.RandomZoom((-0.3, 0.0))  # only larger
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.height_factor = _range(
            "RandomZoom", "height_factor", height_factor, low=_SMALLEST_ZOOM
        )
        self.width_factor = (
            None
            if width_factor is None
            else _range("RandomZoom", "width_factor", width_factor, low=_SMALLEST_ZOOM)
        )

    def matrices(self, random: Random, count: int, height: int, width: int) -> NDArray[Any]:
        """Draw (count, 8) numbers."""
        down = across = 1 + random.uniform(*self.height_factor, count)
        if self.width_factor is not None:
            across = 1 + random.uniform(*self.width_factor, count)
        none = np.zeros(count)
        x, y = (1 - across) * (width - 1) / 2, (1 - down) * (height - 1) / 2
        return _rows(across, none, x, none, down, y)


class RandomTranslation(_Moving):
    """Moves each picture.

    Parameters
    ----------
    height_factor, width_factor : float or (float, float)
        How far down and to the right, as a share of the picture: from -factor to factor, or between
        two.
    fill_mode, interpolation, seed, fill_value, data_format
        As of `RandomRotation`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> move = fc.layers.RandomTranslation(0.1, 0.1)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.height_factor = _range("RandomTranslation", "height_factor", height_factor)
        self.width_factor = _range("RandomTranslation", "width_factor", width_factor)

    def matrices(self, random: Random, count: int, height: int, width: int) -> NDArray[Any]:
        """Draw (count, 8) numbers."""
        down = height * random.uniform(*self.height_factor, count)
        right = width * random.uniform(*self.width_factor, count)
        one, none = np.ones(count), np.zeros(count)
        return _rows(one, none, -right, none, one, -down)


class RandomCrop(_Moving):
    """Cuts a part out of each picture, at a place of its own; outside of training, the middle.

    Pictures that are smaller are enlarged to the middle part of that shape, as by `CenterCrop`.

    Parameters
    ----------
    height, width : int
    seed, data_format
        As of `RandomRotation`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.RandomCrop(24, 24)(np.zeros((2, 32, 28, 3))).shape
    (2, 24, 24, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__("nearest", "nearest", 0.0, seed=seed, data_format=data_format, **kwargs)
        self.height = positive_int("RandomCrop", "height", height)
        self.width = positive_int("RandomCrop", "width", width)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Tell the shape of the result from that of the input, None where it is not known."""
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the layer."""
        h, w = inputs.shape[-3:-1]
        if training and h >= self.height and w >= self.width:
            return super().call(inputs, training)
        middle = CenterCrop(self.height, self.width)
        if inputs.ndim == 3:
            return ops.squeeze(middle.call(ops.expand_dims(inputs, 0)), 0)
        return middle.call(inputs)

    def matrices(self, random: Random, count: int, height: int, width: int) -> NDArray[Any]:
        """Draw (count, 8) numbers."""
        top = random.integers(0, height - self.height, count, endpoint=True)
        left = random.integers(0, width - self.width, count, endpoint=True)
        one, none = np.ones(count), np.zeros(count)
        return _rows(one, none, left, none, one, top)

    def change(self, pictures: Any) -> Any:
        """Change pictures of shape (n, height, width, channels)."""
        n, _, _, c = pictures.shape
        moved = super().change(pictures)
        return ops.slice(moved, (0, 0, 0, 0), (n, self.height, self.width, c))


class RandomContrast(_RandomLayer):
    """Makes each picture's differences from its mean larger or smaller, in every channel.

    Parameters
    ----------
    factor : float or (float, float)
        By how much, from ``1 - factor`` to ``1 + factor`` times; or ``1 - lower`` to ``1 + upper``.
    value_range : (float, float), default (0, 255)
        What results are cut to.
    seed : int, optional
        The changes depend on it, and on the number of the step, only.

    Examples
    --------
    >>> import fastcnn as fc
    >>> contrast = fc.layers.RandomContrast(0.2)
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        given = factor if isinstance(factor, (list, tuple)) else (factor, factor)
        bounds = [number("RandomContrast", "factor", f) for f in given]
        if len(bounds) != 2 or not all(f >= 0 for f in bounds) or bounds[0] > 1:
            raise ConfigError(
                f"RandomContrast: factor: expected a number from 0 to 1, or two, got {factor!r}"
            )
        self.factor = bounds[0], bounds[1]
        self.value_range = _values("RandomContrast", value_range)

    def change(self, pictures: Any) -> Any:
        """Change pictures of shape (n, height, width, channels)."""
        lower, upper = self.factor
        factors = self.draw_factors(pictures, 1 - lower, 1 + upper)
        mean = ops.mean(pictures, axis=(1, 2), keepdims=True)
        changed = ops.add(ops.multiply(ops.subtract(pictures, mean), factors), mean)
        return ops.clip(changed, *self.value_range)


class RandomBrightness(_RandomLayer):
    """Makes each picture lighter or darker.

    Parameters
    ----------
    factor : float or (float, float)
        What is added, as a share of the range of values: from -factor to factor, or between two, of
        -1 to 1.
    value_range : (float, float), default (0, 255)
        The range of values; results are cut to it.
    seed : int, optional
        The changes depend on it, and on the number of the step, only.

    Examples
    --------
    >>> import fastcnn as fc
    >>> lighter = fc.layers.RandomBrightness((0.0, 0.2), value_range=(0, 1))
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.factor = _range("RandomBrightness", "factor", factor)
        self.value_range = _values("RandomBrightness", value_range)

    def change(self, pictures: Any) -> Any:
        """Change pictures of shape (n, height, width, channels)."""
        darkest, lightest = self.value_range
        span = lightest - darkest
        added = self.draw_factors(pictures, self.factor[0] * span, self.factor[1] * span)
        return ops.clip(ops.add(pictures, added), darkest, lightest)


def _rows(*columns: Any) -> NDArray[Any]:
    rows = np.zeros((len(columns[0]), 8))
    rows[:, : len(columns)] = np.stack(columns, axis=1)
    return rows


def _range(layer: str, name: str, given: Any, low: float = -1.0, high: float = 1.0) -> Range:
    """Bring a factor to the form (lower, upper)."""
    if isinstance(given, (list, tuple)):
        values = [number(layer, name, value) for value in given]
    else:
        bound = abs(number(layer, name, given))
        values = [max(-bound, low), bound]
    if len(values) != 2 or not all(low <= value <= high for value in values):
        raise ConfigError(
            f"{layer}: {name}: expected a number from {low:g} to {high:g}, or two, got {given!r}"
        )
    return min(values), max(values)


def _values(layer: str, given: Any) -> Range:
    values = given if isinstance(given, (list, tuple)) else ()
    numbers = [number(layer, "value_range", value) for value in values]
    if len(numbers) != 2 or not -np.inf < numbers[0] < numbers[1] < np.inf:
        raise ConfigError(f"{layer}: value_range: expected a pair that increases, got {given!r}")
    return numbers[0], numbers[1]
