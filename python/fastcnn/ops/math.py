"""Arithmetic with broadcasting, functions of one operand, and reductions, with Keras' names."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from fastcnn.errors import ConfigError
from fastcnn.ops._dispatch import apply_op

__all__ = [
    "abs",
    "absolute",
    "add",
    "argmax",
    "clip",
    "divide",
    "exp",
    "fmod",
    "log",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "prod",
    "reciprocal",
    "rsqrt",
    "sqrt",
    "square",
    "subtract",
    "sum",
]

AxisLike = int | Sequence[int] | None


# ---- two operands ---------------------------------------------------------------------------


def add(x1: Any, x2: Any) -> Any:
    """``x1 + x2``, broadcast as NumPy does.

    Parameters
    ----------
    x1, x2 : array, float32
        Shapes that are equal or 1 axis by axis, counted from the last.

    Returns
    -------
    array, float32

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.add(np.ones((2, 3)), [0, 1, 2])
    array([[1., 2., 3.],
           [1., 2., 3.]], dtype=float32)
    """
    return apply_op("add", [x1, x2])


def subtract(x1: Any, x2: Any) -> Any:
    """``x1 - x2``, broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32
        Shapes that are equal or 1 axis by axis, counted from the last.

    Returns
    -------
    array, float32, of the broadcast shape

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.subtract([5.0, 6.0], 1.0)
    array([4., 5.], dtype=float32)
    """
    return apply_op("sub", [x1, x2])


def multiply(x1: Any, x2: Any) -> Any:
    """``x1 * x2``, broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32
        Shapes that are equal or 1 axis by axis, counted from the last.

    Returns
    -------
    array, float32, of the broadcast shape

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.multiply(np.ones((2, 3)), [0, 1, 2])
    array([[0., 1., 2.],
           [0., 1., 2.]], dtype=float32)
    """
    return apply_op("mul", [x1, x2])


def divide(x1: Any, x2: Any) -> Any:
    """``x1 / x2``, broadcast as in `add`; division by zero gives inf or NaN.

    Parameters
    ----------
    x1, x2 : array, float32
        Shapes that are equal or 1 axis by axis, counted from the last.

    Returns
    -------
    array, float32, of the broadcast shape

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.divide([1.0, 3.0], 2.0)
    array([0.5, 1.5], dtype=float32)
    """
    return apply_op("div", [x1, x2])


def maximum(x1: Any, x2: Any) -> Any:
    """The larger of two values, broadcast as in `add`; NaN where either is NaN.

    Parameters
    ----------
    x1, x2 : array, float32
        Shapes that are equal or 1 axis by axis, counted from the last.

    Returns
    -------
    array, float32, of the broadcast shape

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.maximum([1.0, 5.0, np.nan], 2.0)
    array([ 2.,  5., nan], dtype=float32)
    """
    return apply_op("maximum", [x1, x2])


def minimum(x1: Any, x2: Any) -> Any:
    """The smaller of two values, broadcast as in `add`; NaN where either is NaN.

    Parameters
    ----------
    x1, x2 : array, float32
        Shapes that are equal or 1 axis by axis, counted from the last.

    Returns
    -------
    array, float32, of the broadcast shape

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.minimum([1.0, 5.0, np.nan], 2.0)
    array([ 1.,  2., nan], dtype=float32)
    """
    return apply_op("minimum", [x1, x2])


def mod(x1: Any, x2: Any) -> Any:
    """What the division ``x1 / x2`` leaves, with the sign of `x2`; broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32
        Shapes that are equal or 1 axis by axis, counted from the last.

    Returns
    -------
    array, float32, of the broadcast shape
        NaN where `x2` is 0 or `x1` infinite.

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.mod([5.0, -5.0], 3.0)
    array([2., 1.], dtype=float32)
    """
    return apply_op("mod", [x1, x2])


def fmod(x1: Any, x2: Any) -> Any:
    """What the division ``x1 / x2`` leaves, with the sign of `x1`; broadcast as in `add`.

    Parameters
    ----------
    x1, x2 : array, float32
        Shapes that are equal or 1 axis by axis, counted from the last.

    Returns
    -------
    array, float32, of the broadcast shape
        NaN where `x2` is 0 or `x1` infinite.

    Raises
    ------
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.fmod([5.0, -5.0], 3.0)
    array([ 2., -2.], dtype=float32)
    """
    return apply_op("fmod", [x1, x2])


# ---- one operand ----------------------------------------------------------------------------


def exp(x: Any) -> Any:
    """``e ** x``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.exp(np.array([0.0, 1.0])).round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    return apply_op("unary", [x], kind="exp")


def log(x: Any) -> Any:
    """Natural logarithm: -inf at 0, NaN below.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.log(np.array([1.0, 10.0, 0.0])).round(4)
    array([0.    , 2.3026,   -inf], dtype=float32)
    """
    return apply_op("unary", [x], kind="log")


def sqrt(x: Any) -> Any:
    """Square root: NaN below 0.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.sqrt(np.array([4.0, 2.0])).round(4)
    array([2.    , 1.4142], dtype=float32)
    """
    return apply_op("unary", [x], kind="sqrt")


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.rsqrt(np.array([4.0, 0.25]))
    array([0.5, 2. ], dtype=float32)
    """
    return apply_op("unary", [x], kind="rsqrt")


def square(x: Any) -> Any:
    """``x * x``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.square(np.array([-3.0, 0.5]))
    array([9.  , 0.25], dtype=float32)
    """
    return apply_op("unary", [x], kind="square")


def absolute(x: Any) -> Any:
    """``|x|``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.absolute(np.array([-3.0, 0.5]))
    array([3. , 0.5], dtype=float32)
    """
    return apply_op("unary", [x], kind="abs")


abs = absolute


def negative(x: Any) -> Any:
    """``-x``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.negative(np.array([-3.0, 0.5]))
    array([ 3. , -0.5], dtype=float32)
    """
    return apply_op("unary", [x], kind="negative")


def reciprocal(x: Any) -> Any:
    """``1 / x``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.reciprocal(np.array([4.0, 0.5]))
    array([0.25, 2.  ], dtype=float32)
    """
    return apply_op("unary", [x], kind="reciprocal")


def clip(x: Any, x_min: float | None, x_max: float | None) -> Any:
    """``min(max(x, x_min), x_max)``.

    Parameters
    ----------
    x : array, float32
    x_min, x_max : float or None
        None: no bound on that side.

    Returns
    -------
    array, float32, of x's shape
        NaN where `x` is NaN.

    Raises
    ------
    ConfigError
        If ``x_min > x_max``.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.clip(np.array([-2.0, 0.5, 7.0]), 0, 1)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return apply_op("unary", [x], kind="clip", min=x_min, max=x_max)


# ---- reductions -----------------------------------------------------------------------------


def _reduce(op: str, x: Any, axis: AxisLike, keepdims: bool) -> Any:
    if axis is not None:
        try:
            axis = tuple(map(operator.index, axis if isinstance(axis, Sequence) else (axis,)))
        except TypeError:
            raise ConfigError(f"{op}: axis: expected integers or None, got {axis!r}") from None
    return apply_op(op, [x], axis=axis, keepdims=keepdims)


def sum(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Any:
    """Sum over axes.

    The order of additions depends on the shape alone, and partial sums are short: the error does
    not grow with the count, and any number of threads gives the same bits.

    Parameters
    ----------
    x : array, float32
    axis : int, sequence of int, or None
        What to sum over; None: everything.
    keepdims : bool, default False
        Whether these axes stay, with size 1.

    Returns
    -------
    array, float32
        0 over nothing.

    Raises
    ------
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.sum(np.ones((2, 3, 4)), axis=(0, 2))
    array([8., 8., 8.], dtype=float32)
    """
    return _reduce("reduce_sum", x, axis, keepdims)


def mean(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Any:
    """Mean over axes; the sum has the order and the accuracy of `sum`.

    Parameters
    ----------
    x : array, float32
    axis : int, sequence of int, or None
        What to reduce; None: everything.
    keepdims : bool, default False
        Whether these axes stay, with size 1.

    Returns
    -------
    array, float32
        NaN over nothing.

    Raises
    ------
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.mean(np.array([[1.0, 2.0], [5.0, 6.0]]), axis=0)
    array([3., 4.], dtype=float32)
    """
    return _reduce("reduce_mean", x, axis, keepdims)


def prod(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Any:
    """Product over axes.

    Parameters
    ----------
    x : array, float32
    axis : int, sequence of int, or None
        What to reduce; None: everything.
    keepdims : bool, default False
        Whether these axes stay, with size 1.

    Returns
    -------
    array, float32
        1 over nothing.

    Raises
    ------
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.prod(np.array([[1.0, 2.0], [5.0, 6.0]]), axis=1)
    array([ 2., 30.], dtype=float32)
    """
    return _reduce("reduce_prod", x, axis, keepdims)


def max(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Any:
    """Largest value over axes.

    Parameters
    ----------
    x : array, float32
    axis : int, sequence of int, or None
        What to reduce; None: everything.
    keepdims : bool, default False
        Whether these axes stay, with size 1.

    Returns
    -------
    array, float32
        NaN where there is one.

    Raises
    ------
    ConfigError
        If `x` has no such axis.
    ShapeError
        If there is nothing to compare.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.max(np.array([[1.0, 2.0], [5.0, np.nan]]), axis=0)
    array([ 5., nan], dtype=float32)
    """
    return _reduce("reduce_max", x, axis, keepdims)


def min(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Any:
    """Smallest value over axes.

    Parameters
    ----------
    x : array, float32
    axis : int, sequence of int, or None
        What to reduce; None: everything.
    keepdims : bool, default False
        Whether these axes stay, with size 1.

    Returns
    -------
    array, float32
        NaN where there is one.

    Raises
    ------
    ConfigError
        If `x` has no such axis.
    ShapeError
        If there is nothing to compare.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.min(np.array([[1.0, 2.0], [5.0, np.nan]]), axis=0)
    array([ 1., nan], dtype=float32)
    """
    return _reduce("reduce_min", x, axis, keepdims)


def argmax(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Any:
    """Index of the largest value: of the first among equals, or of the first NaN.

    Parameters
    ----------
    x : array, float32
    axis : int, sequence of int, or None
        What to search; over several axes (None: all) the index counts through them in row-major
        order.
    keepdims : bool, default False
        Whether these axes stay, with size 1.

    Returns
    -------
    array, int64

    Raises
    ------
    ShapeError
        If there is nothing to search.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.argmax(np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]), axis=-1)
    array([1, 0])
    """
    return _reduce("argmax", x, axis, keepdims)
