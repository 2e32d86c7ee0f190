"""Pooling over windows of pictures."""

from __future__ import annotations

from typing import Any

from fastcnn.ops._dispatch import apply_op
from fastcnn.ops._window import PaddingLike, SizeLike, padding_attrs

__all__ = ["adaptive_avg_pool2d", "avg_pool2d", "max_pool2d", "max_unpool2d"]


def max_pool2d(
    x: Any,
    pool_size: SizeLike = 2,
    strides: SizeLike | None = None,
    padding: PaddingLike = "valid",
    *,
    dilation: SizeLike = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Maximum over windows of pictures.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    pool_size : int or (int, int)
        Height and width of the window in pixels.
    strides : int or (int, int), optional
        Distance between windows; the window's size by default.
    padding : {"valid", "same"}, int, (int, int) or ((int, int), (int, int))
        ``"same"`` gives ceil(size / stride) outputs; numbers are pixels of padding as in torch:
        for all sides, (height, width), or ((top, bottom), (left, right)). Padding never wins.
    dilation : int or (int, int)
        Distance between the pixels of one window.
    ceil_mode : bool
        Whether a last, partial window counts (torch's rule).
    return_indices : bool
        Whether to tell where the maxima are, for `max_unpool2d`.

    Returns
    -------
    array, float32, shape (n, oh, ow, c)
        NaN wherever the window holds a NaN.
    indices : array, int64, shape (n, oh, ow, c)
        With `return_indices` only: row times width plus column of the first maximum.

    Raises
    ------
    ShapeError
        If `x` is not of rank 4, or the window is larger than the padded picture.
    ConfigError
        If a size, stride or padding is no positive (padding: non-negative) integer.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> fc.ops.max_pool2d(x)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """
    options = {
        "pool_size": pool_size,
        "strides": strides,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
        **padding_attrs(padding),
    }
    y = apply_op("max_pool2d", [x], **options)
    return (y, apply_op("max_pool2d_indices", [x], **options)) if return_indices else y


def max_unpool2d(x: Any, indices: Any, output_size: SizeLike) -> Any:
    """Put numbers where maxima were, with zeros around: the way back of `max_pool2d`.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    indices : array, int64, shape (n, h, w, c)
        As `max_pool2d` gives them with ``return_indices=True``. Of several with one index the last
        counts; one outside the picture is left out.
    output_size : int or (int, int)
        oh and ow: of what was pooled.

    Returns
    -------
    array, float32, shape (n, oh, ow, c)

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> y, indices = fc.ops.max_pool2d(x, return_indices=True)
    >>> fc.ops.max_unpool2d(y, indices, 4)[0, :, :, 0]
    array([[ 0.,  0.,  0.,  0.],
           [ 0.,  5.,  0.,  7.],
           [ 0.,  0.,  0.,  0.],
           [ 0., 13.,  0., 15.]], dtype=float32)
    """
    return apply_op("max_unpool2d", [x, indices], ["float32", "int64"], output_size=output_size)


def avg_pool2d(
    x: Any,
    pool_size: SizeLike = 2,
    strides: SizeLike | None = None,
    padding: PaddingLike = "valid",
    *,
    dilation: SizeLike = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Any:
    """Average over windows of pictures.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    pool_size, strides, padding, dilation, ceil_mode
        As in `max_pool2d`.
    count_include_pad : bool
        Whether padding counts in the denominator. Keras: never (the default here); torch's own
        default is True.

    Returns
    -------
    array, float32, shape (n, oh, ow, c)

    Raises
    ------
    ShapeError, ConfigError
        As in `max_pool2d`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> fc.ops.avg_pool2d(x, 3, strides=2, padding="same")[0, :, :, 0]
    array([[ 5. ,  6.5],
           [11. , 12.5]], dtype=float32)
    """
    return apply_op(
        "avg_pool2d",
        [x],
        pool_size=pool_size,
        strides=strides,
        dilation=dilation,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        **padding_attrs(padding),
    )


def adaptive_avg_pool2d(x: Any, output_size: SizeLike) -> Any:
    """Average pooling to a given size, whatever the picture's.

    Output i averages the pixels floor(i h / oh) .. ceil((i + 1) h / oh) - 1 (torch's rule).

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    output_size : int or (int, int)
        oh and ow.

    Returns
    -------
    array, float32, shape (n, oh, ow, c)

    Raises
    ------
    ShapeError
        If `x` is not of rank 4 or its pictures are empty.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> fc.ops.adaptive_avg_pool2d(x, 2)[0, :, :, 0]
    array([[2., 3.],
           [5., 6.]], dtype=float32)
    """
    return apply_op("adaptive_avg_pool2d", [x], output_size=output_size)
