"""Pooling over whole pictures."""

from __future__ import annotations

from typing import Any

from fastcnn.errors import ShapeError
from fastcnn.ops import math
from fastcnn.ops._shape import shape_of

__all__ = ["global_avg_pool2d", "global_max_pool2d"]


def _require_pictures(function: str, x: Any) -> None:
    shape = shape_of(x)
    if len(shape) != 4:
        raise ShapeError(f"{function}: x must have 4 dimensions, got shape {shape}")


def global_avg_pool2d(x: Any, keepdims: bool = False) -> Any:
    """Average of each channel over the whole picture.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    keepdims : bool, default False
        Whether the result is (n, 1, 1, c).

    Returns
    -------
    array, float32, shape (n, c)
        NaN if the pictures are empty.

    Raises
    ------
    ShapeError
        If `x` is not of rank 4.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.global_avg_pool2d(np.arange(4.0).reshape(1, 2, 2, 1))
    array([[1.5]], dtype=float32)
    """
    _require_pictures("global_avg_pool2d", x)
    return math.mean(x, axis=(1, 2), keepdims=keepdims)


def global_max_pool2d(x: Any, keepdims: bool = False) -> Any:
    """Maximum of each channel over the whole picture.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    keepdims : bool, default False
        Whether the result is (n, 1, 1, c).

    Returns
    -------
    array, float32, shape (n, c)
        NaN where a channel holds a NaN.

    Raises
    ------
    ShapeError
        If `x` is not of rank 4, or its pictures are empty.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.global_max_pool2d(np.arange(4.0).reshape(1, 2, 2, 1))
    array([[3.]], dtype=float32)
    """
    _require_pictures("global_max_pool2d", x)
    return math.max(x, axis=(1, 2), keepdims=keepdims)
