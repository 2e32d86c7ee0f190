"""Comparisons, choice by a condition, labels as vectors, other dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.errors import DTypeError
from fastcnn.ops._dispatch import apply_op

__all__ = [
    "cast",
    "equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "not_equal",
    "one_hot",
    "power",
    "where",
]


def equal(x1: Any, x2: Any) -> Any:
    """1 where ``x1 == x2``, else 0; broadcast as in `add`. NaN equals nothing.

    Parameters
    ----------
    x1, x2 : array, float32

    Returns
    -------
    array, float32, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.equal([1.0, 2.0, 3.0], 2.0)
    array([0., 1., 0.], dtype=float32)
    """
    return apply_op("equal", [x1, x2])


def not_equal(x1: Any, x2: Any) -> Any:
    """1 where ``x1 != x2``, else 0; broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32

    Returns
    -------
    array, float32, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.not_equal([1.0, 2.0, np.nan], 2.0)
    array([1., 0., 1.], dtype=float32)
    """
    return apply_op("not_equal", [x1, x2])


def greater(x1: Any, x2: Any) -> Any:
    """1 where ``x1 > x2``, else 0; broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32

    Returns
    -------
    array, float32, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.greater([1.0, 2.0, 3.0], 2.0)
    array([0., 0., 1.], dtype=float32)
    """
    return apply_op("greater", [x1, x2])


def greater_equal(x1: Any, x2: Any) -> Any:
    """1 where ``x1 >= x2``, else 0; broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32

    Returns
    -------
    array, float32, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.greater_equal([1.0, 2.0, 3.0], 2.0)
    array([0., 1., 1.], dtype=float32)
    """
    return apply_op("greater_equal", [x1, x2])


def less(x1: Any, x2: Any) -> Any:
    """1 where ``x1 < x2``, else 0; broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32

    Returns
    -------
    array, float32, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.less([1.0, 2.0, 3.0], 2.0)
    array([1., 0., 0.], dtype=float32)
    """
    return apply_op("less", [x1, x2])


def less_equal(x1: Any, x2: Any) -> Any:
    """1 where ``x1 <= x2``, else 0; broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32

    Returns
    -------
    array, float32, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.less_equal([1.0, 2.0, 3.0], 2.0)
    array([1., 1., 0.], dtype=float32)
    """
    return apply_op("less_equal", [x1, x2])


def power(x1: Any, x2: Any) -> Any:
    """``x1 ** x2``, broadcast as in `add`; NaN for a negative number to a broken power.

    Parameters
    ----------
    x1, x2 : array, float32

    Returns
    -------
    array, float32, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.power([1.0, 2.0, 3.0], 2.0)
    array([1., 4., 9.], dtype=float32)
    """
    return apply_op("pow", [x1, x2])


def where(condition: Any, x1: Any, x2: Any) -> Any:
    """`x1` where the condition is not 0, elsewhere `x2`; all three broadcast together.

    Parameters
    ----------
    condition : array, bool, uint8 or float32
    x1, x2 : array, float32
        In a model, also of integers.

    Returns
    -------
    array of their dtype, of the broadcast shape

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.array([-1.0, 2.0])
    >>> fc.ops.where(x > 0, x, 0.0)
    array([0., 2.], dtype=float32)
    """
    symbolic = [str(x.dtype) for x in (x1, x2) if hasattr(x, "__fastcnn_apply__")]
    dtype = next((name for name in symbolic if name != "float32"), "float32")
    return apply_op("where", [condition, x1, x2], dtypes=[None, dtype, dtype])


def one_hot(x: Any, num_classes: int) -> Any:
    """Labels as vectors that are 1 at the label and 0 elsewhere.

    Parameters
    ----------
    x : array of int64, int32 or uint8
    num_classes : int

    Returns
    -------
    array, float32, of shape ``x.shape + (num_classes,)``
        Zeros where a label is not from 0 to num_classes - 1.

    Raises
    ------
    DTypeError
        If the labels are not integers.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.one_hot(np.array([2, 0, 5]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    return apply_op("one_hot", [x], dtypes=None, depth=num_classes)


def cast(x: Any, dtype: Any) -> Any:
    """The same numbers as another dtype.

    Parameters
    ----------
    x : array
    dtype : str or numpy.dtype
        float32, float64, int64, int32, uint8, int8 or bool. To integers, numbers are cut towards
        zero; what lies outside becomes the nearest number of the dtype, and NaN becomes 0.

    Returns
    -------
    array of `dtype`, of x's shape

    Raises
    ------
    DTypeError
        If it is another dtype.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.cast(np.array([1.7, -1.7, 300.0]), "uint8")
    array([  1,   0, 255], dtype=uint8)
    """
    known = ("float32", "float64", "int64", "int32", "uint8", "int8", "bool")
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    if name not in known:
        raise DTypeError(f"cast: expected one of {', '.join(known)}, got {dtype!r}")
    return apply_op("cast", [x], dtypes=None, dtype=name)
