"""What is done to pictures before the first convolution, as layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn import ops
from fastcnn.errors import ConfigError, ShapeError, UnsupportedError
from fastcnn.layers._arguments import integers, one_of, positive_int
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer
from fastcnn.ops._dispatch import as_array


class Rescaling(Layer):
    """``inputs * scale + offset``.

    Parameters
    ----------
    scale : float or array
    offset : float or array, default 0.0

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.Rescaling(1 / 255)(np.array([[0, 255]], np.uint8))
    array([[0., 1.]], dtype=float32)
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = _number_or_array("Rescaling", "scale", scale)
        self.offset = _number_or_array("Rescaling", "offset", offset)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        scaled = ops.multiply(inputs, self.scale)
        return ops.add(scaled, self.offset) if np.any(self.offset) else scaled


def _number_or_array(layer: str, name: str, value: Any) -> Any:
    try:
        array = np.array(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{layer}: {name}: expected a number or an array: {error}") from error
    return float(value) if array.ndim == 0 else array


class Normalization(Layer):
    """``(inputs - mean) / sqrt(variance)`` with statistics given, or taken from data by `adapt`.

    Parameters
    ----------
    axis : int, sequence of int or None, default -1
        Axes along which each position has statistics of its own; None: one for everything.
    mean, variance : float or array, optional
        Both or neither.
    invert : bool, default False
        Undo it: ``inputs * sqrt(variance) + mean``.
    """

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        axes = () if axis is None else (axis,) if isinstance(axis, int) else axis
        self.axis = integers("Normalization", "axis", axes)
        if (mean is None) != (variance is None):
            raise ConfigError("Normalization: expected both mean and variance, or neither")
        if np.shape(mean) != np.shape(variance):
            raise ShapeError(
                "Normalization: expected mean and variance of one shape, got "
                f"{np.shape(mean)} and {np.shape(variance)}"
            )
        given = mean is not None
        self.input_mean = as_array(mean).copy() if given else None
        self.input_variance = as_array(variance).copy() if given else None
        self.invert = bool(invert)
        self.mean: Any = None
        self.variance: Any = None

    def build(self, input_shape: Any) -> None:
        """Make mean and variance, as weights when they are not given."""
        kept = {axis % len(input_shape) for axis in self.axis}
        shape = [n if axis in kept else 1 for axis, n in enumerate(input_shape)]
        if None in shape:
            raise ShapeError(
                f'layer "{self.name}": expected known sizes along axis={self.axis}, got shape '
                f"{tuple(input_shape)}"
            )
        if self.input_mean is None:
            sizes = tuple(n for axis, n in enumerate(shape) if axis in kept)
            self.mean = self.add_weight(sizes, "zeros", trainable=False, name="mean")
            self.variance = self.add_weight(sizes, "ones", trainable=False, name="variance")
        else:
            assert self.input_variance is not None
            self.mean = np.broadcast_to(self.input_mean, shape)
            self.variance = np.broadcast_to(self.input_variance, shape)
        self._shape = tuple(shape)

    def adapt(self, data: Any) -> None:
        """Take mean and variance from an array of data, the first axis being the batch."""
        array = as_array(data)
        if self.input_mean is not None:
            raise ConfigError(f'layer "{self.name}": mean and variance were given')
        if not self.built:
            self.build((None, *array.shape[1:]))
        kept = {axis % array.ndim for axis in self.axis}
        reduced = tuple(axis for axis in range(array.ndim) if axis not in kept)
        self.mean.assign(array.mean(reduced, dtype=np.float64))
        self.variance.assign(array.var(reduced, dtype=np.float64))

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        mean = ops.reshape(self.mean, self._shape)
        deviation = ops.sqrt(ops.reshape(self.variance, self._shape))
        deviation = ops.maximum(deviation, 1e-7)
        if self.invert:
            return ops.add(ops.multiply(inputs, deviation), mean)
        return ops.divide(ops.subtract(inputs, mean), deviation)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "mean": self.input_mean, "variance": self.input_variance}


class Resizing(Layer):
    """Pictures at a given size.

    Parameters
    ----------
    height, width : int
    interpolation : {"bilinear", "nearest"}, default "bilinear"
        Without antialiasing, pixel centres at half coordinates.
    crop_to_aspect_ratio, pad_to_aspect_ratio, antialias : bool, default False
        Only False.
    data_format : str, optional
        ``"channels_last"``.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = positive_int("Resizing", "height", height)
        self.width = positive_int("Resizing", "width", width)
        self.interpolation = one_of(
            "Resizing", "interpolation", interpolation, ("bilinear", "nearest")
        )
        if crop_to_aspect_ratio or pad_to_aspect_ratio or antialias:
            raise UnsupportedError(
                "Resizing: crop_to_aspect_ratio, pad_to_aspect_ratio and antialias are not "
                "available; fastcnn.io.resize_image resizes with antialiasing"
            )
        self.crop_to_aspect_ratio = self.pad_to_aspect_ratio = self.antialias = False
        self.data_format = "channels_last"
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.resize(inputs, (self.height, self.width), interpolation=self.interpolation)


class CenterCrop(Layer):
    """The middle of pictures; of a picture that is too small, the largest middle, resized.

    Parameters
    ----------
    height, width : int
    data_format : str, optional
        ``"channels_last"``.
    """

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = positive_int("CenterCrop", "height", height)
        self.width = positive_int("CenterCrop", "width", width)
        self.data_format = "channels_last"
        self.input_spec = InputSpec(ndim=4)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Tell the shape of the result from that of the input, None where it is not known."""
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        n, h, w, c = inputs.shape
        fits = h >= self.height and w >= self.width
        height, width = self.height, self.width
        if not fits:  # the largest part of the wanted shape
            height = max(min(h, w * self.height // self.width), 1)
            width = max(min(w, h * self.width // self.height), 1)
        begin = (0, (h - height) // 2, (w - width) // 2, 0)
        part = ops.slice(inputs, begin, (n, height, width, c))
        return part if fits else ops.resize(part, (self.height, self.width))
