"""Elements picked by their index, and the largest of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.ops._dispatch import apply_op
from fastcnn.ops.manipulation import reshape

__all__ = ["take", "take_along_axis", "topk"]


def _indices(indices: Any) -> Any:
    """Integers as they are, whole numbers of other kinds as int64."""
    if str(getattr(indices, "dtype", "")) in ("int64", "int32") and hasattr(indices, "shape"):
        return indices
    return apply_op("cast", [indices], None, dtype="int64")


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Pick elements along an axis by their index.

    Parameters
    ----------
    x : array, any dtype
    indices : array of integers
        Negative ones count from the end.
    axis : int, optional
        None: the index counts through all elements, in row-major order.

    Returns
    -------
    array of x's dtype
        Of x's shape, with that of `indices` in the place of the axis; 0 where an index lies
        outside of it.

    Raises
    ------
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.take(np.array([[1.0, 2.0], [3.0, 4.0]]), [1, 0, -1], axis=1)
    array([[2., 1., 2.],
           [4., 3., 4.]])
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return apply_op("take", [x, _indices(indices)], [None, "int64"], axis=axis)


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    """Pick one element along an axis for each index.

    Parameters
    ----------
    x : array, any dtype
    indices : array of integers
        Of x's shape, but for the axis. Negative ones count from the end.
    axis : int

    Returns
    -------
    array of x's dtype, of the indices' shape
        0 where an index lies outside of the axis.

    Raises
    ------
    ShapeError
        If the shapes differ elsewhere.
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.take_along_axis(np.array([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]], axis=1)
    array([[2.],
           [3.]])
    """
    return apply_op("take_along_axis", [x, _indices(indices)], [None, "int64"], axis=axis)


def topk(x: Any, k: int, axis: int = -1, *, largest: bool = True) -> Any:
    """Find the k largest elements along an axis, the largest first.

    Parameters
    ----------
    x : array of numbers
    k : int
        At most as many as the axis has.
    axis : int
    largest : bool
        False: the smallest, the smallest first.

    Returns
    -------
    values : array of x's dtype
    indices : array, int64
        Of equal elements the first comes first; NaN counts as larger than any number.

    Raises
    ------
    ConfigError
        If `x` has no such axis, or fewer elements along it.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.topk(np.array([1.0, 5.0, 3.0, 5.0]), 3)[1]
    array([1, 3, 2])
    """
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return apply_op("topk", [x], None, k=k, axis=axis, largest=largest)
