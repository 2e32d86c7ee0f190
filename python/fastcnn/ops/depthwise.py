"""Depthwise and separable convolution of pictures."""

from __future__ import annotations

from typing import Any

from fastcnn.ops._dispatch import apply_op
from fastcnn.ops._window import PaddingLike, SizeLike, padding_attrs

__all__ = ["depthwise_conv2d", "separable_conv2d"]


def depthwise_conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    strides: SizeLike = 1,
    padding: PaddingLike = "same",
    *,
    dilation: SizeLike = 1,
    activation: str | None = None,
    residual: Any = None,
) -> Any:
    """Convolution of every channel with filters of its own.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    kernel : array, float32, shape (kh, kw, c, m)
        m filters a channel; filter j of channel i gives channel i * m + j of the result.
    bias : array, float32, shape (c * m,), optional
    strides : int or (int, int)
    padding : {"same", "valid"}, int, (int, int) or ((int, int), (int, int))
        As in `max_pool2d`; padding pixels are zero.
    dilation : int or (int, int)
        Distance between the pixels that neighbouring taps read.
    activation : str, optional
        A Keras name, as ``"relu6"``, applied to the sum.
    residual : array, float32, of the result's shape, optional
        Added before the activation.

    Returns
    -------
    array, float32, shape (n, oh, ow, c * m)

    Raises
    ------
    ShapeError
        If `kernel` is for another number of channels, or the window is larger than the padded
        picture.
    ConfigError
        If a stride, dilation or padding is no positive (padding: non-negative) integer.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.ones((1, 3, 3, 2))
    >>> kernel = np.ones((3, 3, 2, 1)) * [[[[1.0], [2.0]]]]
    >>> fc.ops.depthwise_conv2d(x, kernel)[0, 1]
    array([[ 6., 12.],
           [ 9., 18.],
           [ 6., 12.]], dtype=float32)
    """
    return apply_op(
        "depthwise_conv2d",
        [x, kernel, bias, residual],
        strides=strides,
        dilation=dilation,
        activation=activation,
        has_residual=None if residual is None else True,
        **padding_attrs(padding),
    )


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    bias: Any = None,
    strides: SizeLike = 1,
    padding: PaddingLike = "same",
    *,
    dilation: SizeLike = 1,
    activation: str | None = None,
) -> Any:
    """A depthwise convolution, then a convolution with windows of one pixel.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    depthwise_kernel : array, float32, shape (kh, kw, c, m)
    pointwise_kernel : array, float32, shape (1, 1, c * m, filters)
    bias : array, float32, shape (filters,), optional
    strides, padding, dilation
        Of the depthwise part, as in `depthwise_conv2d`.
    activation : str, optional
        Of the result; there is none between the two parts.

    Returns
    -------
    array, float32, shape (n, oh, ow, filters)

    Raises
    ------
    ShapeError, ConfigError
        As in `depthwise_conv2d`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.ones((1, 3, 3, 2))
    >>> fc.ops.separable_conv2d(x, np.ones((3, 3, 2, 1)), np.ones((1, 1, 2, 4)), padding="valid")
    array([[[[18., 18., 18., 18.]]]], dtype=float32)
    """
    y = depthwise_conv2d(x, depthwise_kernel, None, strides, padding, dilation=dilation)
    return apply_op("conv2d", [y, pointwise_kernel, bias], activation=activation)
