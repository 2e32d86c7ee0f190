"""Convolutions; kernels are (height, width, input channels, filters)."""

from __future__ import annotations

from typing import Any, ClassVar

from fastcnn import activations, initializers, ops
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers._arguments import padding_mode, pair, positive_int
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer


class _Convolution(Layer):
    """What all convolutions have: a window, an activation, a bias."""

    _weight_options: ClassVar = {"kernel": "kernel", "bias": "bias"}

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        cls = type(self).__name__
        self.kernel_size = pair(cls, "kernel_size", kernel_size)
        self.strides = pair(cls, "strides", strides)
        self.padding = padding_mode(cls, padding)
        self.data_format = "channels_last"
        self.dilation_rate = pair(cls, "dilation_rate", dilation_rate)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.bias_initializer = initializers.get(bias_initializer)
        self.input_spec = InputSpec(ndim=4)
        self.bias: Any = None

    def _channels(self, input_shape: Any) -> int:
        channels = input_shape[-1]
        if channels is None:
            raise ShapeError(
                f'layer "{self.name}": expected an input whose number of channels is known, got '
                f"shape {tuple(input_shape)}"
            )
        self.input_spec = InputSpec(ndim=4, axes={-1: channels})
        return int(channels)

    def _add_bias(self, size: int) -> None:
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(size,), initializer=self.bias_initializer, name="bias"
            )


class Conv2D(_Convolution):
    """Convolution of pictures.

    Parameters
    ----------
    filters : int
        Channels of the result.
    kernel_size : int or (int, int)
        Height and width of the window.
    strides : int or (int, int), default (1, 1)
    padding : {"valid", "same"} or numbers, default "valid"
        Numbers are pixels as in torch: for all sides, (height, width), or
        ((top, bottom), (left, right)).
    data_format : str, optional
        ``"channels_last"``.
    dilation_rate : int or (int, int), default (1, 1)
    groups : int, default 1
        Input and filters are divided into so many parts that do not mix.
    activation : str, callable or None, optional
    use_bias : bool, default True
    kernel_initializer, bias_initializer : str or callable
        ``"glorot_uniform"`` and ``"zeros"`` unless given.
    kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint : str, callable or None
        See `fastcnn.regularizers` and `fastcnn.constraints`; other layers name theirs after their
        initializers.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.Conv2D(8, 3, strides=2, padding="same")(np.zeros((1, 9, 9, 3))).shape
    (1, 5, 5, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, bias_initializer,
            data_format=data_format, **kwargs,
        )  # fmt: skip
        self.filters = positive_int("Conv2D", "filters", filters)
        self.groups = positive_int("Conv2D", "groups", groups)
        if self.filters % self.groups:
            raise ConfigError(
                f"Conv2D: expected filters divisible by groups, got {filters} and {groups}"
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel: Any = None

    def build(self, input_shape: Any) -> None:
        """Make kernel (height, width, channels / groups, filters) and bias (filters)."""
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ShapeError(
                f'layer "{self.name}": expected channels divisible by groups={self.groups}, got '
                f"shape {tuple(input_shape)}"
            )
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self._add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return self.activation(
            ops.conv2d(
                inputs,
                self.kernel,
                self.bias,
                strides=self.strides,
                padding=self.padding,
                dilation=self.dilation_rate,
                groups=self.groups,
            )
        )


class DepthwiseConv2D(_Convolution):
    """Convolution of each channel by filters of its own.

    Parameters
    ----------
    kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, \
bias_initializer
        As for `Conv2D`.
    depth_multiplier : int, default 1
        Filters for each channel.
    depthwise_initializer : str or callable, default "glorot_uniform"

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.DepthwiseConv2D(3, depth_multiplier=2)(np.zeros((1, 9, 9, 4))).shape
    (1, 7, 7, 8)
    """

    _weight_options: ClassVar = {"kernel": "depthwise", "bias": "bias"}

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, bias_initializer,
            data_format=data_format, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = positive_int(
            "DepthwiseConv2D", "depth_multiplier", depth_multiplier
        )
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.kernel: Any = None

    def build(self, input_shape: Any) -> None:
        """Make kernel (height, width, channels, multiplier) and bias (channels * multiplier)."""
        channels = self._channels(input_shape)
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            name="kernel",
        )
        self._add_bias(channels * self.depth_multiplier)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return self.activation(
            ops.depthwise_conv2d(
                inputs,
                self.kernel,
                self.bias,
                strides=self.strides,
                padding=self.padding,
                dilation=self.dilation_rate,
            )
        )


class SeparableConv2D(_Convolution):
    """A depthwise convolution followed by a convolution with windows of one pixel.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, \
bias_initializer
        As for `Conv2D`.
    depth_multiplier : int, default 1
        Filters for each channel in the depthwise part.
    depthwise_initializer, pointwise_initializer : str or callable, default "glorot_uniform"
    """

    _weight_options: ClassVar = {
        "depthwise_kernel": "depthwise",
        "pointwise_kernel": "pointwise",
        "bias": "bias",
    }

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, bias_initializer,
            data_format=data_format, **kwargs,
        )  # fmt: skip
        self.filters = positive_int("SeparableConv2D", "filters", filters)
        self.depth_multiplier = positive_int(
            "SeparableConv2D", "depth_multiplier", depth_multiplier
        )
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_kernel: Any = None
        self.pointwise_kernel: Any = None

    def build(self, input_shape: Any) -> None:
        """Make depthwise_kernel, pointwise_kernel and bias."""
        channels = self._channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            name="depthwise_kernel",
        )
        self.pointwise_kernel = self.add_weight(
            shape=(1, 1, channels * self.depth_multiplier, self.filters),
            initializer=self.pointwise_initializer,
            name="pointwise_kernel",
        )
        self._add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return self.activation(
            ops.separable_conv2d(
                inputs,
                self.depthwise_kernel,
                self.pointwise_kernel,
                self.bias,
                strides=self.strides,
                padding=self.padding,
                dilation=self.dilation_rate,
            )
        )


class Conv2DTranspose(_Convolution):
    """Transposed convolution: the gradient of `Conv2D` with respect to its input.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, \
kernel_initializer, bias_initializer
        As for `Conv2D`; the kernel is (height, width, filters, input channels).
    output_padding : int or (int, int), optional
        Pixels by which the result is larger than the smallest that fits.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(np.zeros((1, 5, 5, 3))).shape
    (1, 10, 10, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: Any = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, bias_initializer,
            data_format=data_format, **kwargs,
        )  # fmt: skip
        self.filters = positive_int("Conv2DTranspose", "filters", filters)
        self.output_padding = (
            None
            if output_padding is None
            else pair("Conv2DTranspose", "output_padding", output_padding, at_least=0)
        )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel: Any = None

    def build(self, input_shape: Any) -> None:
        """Make kernel (height, width, filters, channels) and bias (filters)."""
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, self.filters, self._channels(input_shape)),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self._add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return self.activation(
            ops.conv2d_transpose(
                inputs,
                self.kernel,
                self.bias,
                strides=self.strides,
                padding=self.padding,
                output_padding=self.output_padding,
                dilation=self.dilation_rate,
            )
        )


__all__ = [
    "Conv2D",
    "Conv2DTranspose",
    "DepthwiseConv2D",
    "SeparableConv2D",
]
