"""Convolution and transposed convolution of pictures."""

from __future__ import annotations

from typing import Any

from fastcnn.ops._dispatch import apply_op
from fastcnn.ops._window import PaddingLike, SizeLike, padding_attrs

__all__ = ["conv2d", "conv2d_transpose"]


def conv2d(
    x: Any,
    w: Any,
    bias: Any = None,
    strides: SizeLike = 1,
    padding: PaddingLike = "same",
    dilation: SizeLike = 1,
    groups: int = 1,
    activation: str | None = None,
    *,
    alpha: float | None = None,
    residual: Any = None,
) -> Any:
    """Two-dimensional convolution (cross-correlation), with what often follows it.

    ``y = activation(conv(x, w) + bias + residual)``

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    w : array, float32, shape (kh, kw, c / groups, filters)
    bias : array, float32, shape (filters,), optional
    strides : int or (int, int)
    padding : {"same", "valid"}, int, (int, int) or ((int, int), (int, int))
        ``"same"`` gives ceil(size / stride) outputs; numbers are pixels of zeros as in torch: for
        all sides, (height, width), or ((top, bottom), (left, right)).
    dilation : int or (int, int)
        Distance between the pixels of one window.
    groups : int
        Input and output channels are split into so many groups that do not see each other.
    activation : str, optional
        "linear", "relu", "relu6", "leaky_relu", "elu", "sigmoid", "hard_sigmoid", "tanh", "silu" or
        "hard_swish".
    alpha : float, optional
        Slope of leaky_relu (0.2) or scale of elu (1).
    residual : array, float32, shape of the result, optional
        Added before the activation.

    Returns
    -------
    array, float32, shape (n, oh, ow, filters)

    Raises
    ------
    ShapeError
        If a shape does not fit, or the window is larger than the padded picture.
    ConfigError
        If an option is not among those above, or groups does not divide the channels.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> w = np.ones((3, 3, 1, 1))
    >>> fc.ops.conv2d(x, w, padding="valid")[0, :, :, 0]
    array([[45., 54.],
           [81., 90.]], dtype=float32)
    """
    return apply_op(
        "conv2d",
        [x, w, bias, residual],
        strides=strides,
        dilation=dilation,
        groups=groups,
        activation=activation,
        alpha=alpha,
        has_bias=bias is not None,
        has_residual=residual is not None,
        **padding_attrs(padding),
    )


def conv2d_transpose(
    x: Any,
    w: Any,
    bias: Any = None,
    strides: SizeLike = 1,
    padding: PaddingLike = "valid",
    output_padding: SizeLike | None = None,
    dilation: SizeLike = 1,
    groups: int = 1,
    activation: str | None = None,
    *,
    alpha: float | None = None,
    residual: Any = None,
) -> Any:
    """Transposed convolution: the data gradient of `conv2d`, used to enlarge pictures.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    w : array, float32, shape (kh, kw, filters / groups, c)
        Keras' layout; also the kernel of the conv2d whose data gradient this is.
    bias : array, float32, shape (filters,), optional
    strides : int or (int, int)
    padding : {"valid", "same"}, int, (int, int) or ((int, int), (int, int))
        ``"valid"`` gives (size - 1) stride + max(kernel, stride) pixels, ``"same"`` size * stride
        (Keras); numbers are the pixels cut off on each side as in torch.
    output_padding : int or (int, int), optional
        With numbers (default 0): so many pixels more at the bottom and right, torch's rule. With
        words, Keras' rule: (size - 1) stride + kernel + output_padding for ``"valid"``,
        (size - 1) stride + kernel % 2 + output_padding for ``"same"``.
    dilation, groups, activation, alpha, residual
        As in `conv2d`.

    Returns
    -------
    array, float32, shape (n, oh, ow, filters)

    Raises
    ------
    ShapeError
        If a shape does not fit, or the padding leaves nothing.
    ConfigError
        If an option is not among those above, or groups does not divide the channels.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    >>> w = np.array([1.0, 10.0]).reshape(1, 2, 1, 1)
    >>> fc.ops.conv2d_transpose(x, w, strides=(1, 2))[0, :, :, 0]
    array([[ 1., 10.,  2., 20.],
           [ 3., 30.,  4., 40.]], dtype=float32)
    """
    return apply_op(
        "conv2d_transpose",
        [x, w, bias, residual],
        strides=strides,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
        activation=activation,
        alpha=alpha,
        has_bias=bias is not None,
        has_residual=residual is not None,
        **padding_attrs(padding),
    )
