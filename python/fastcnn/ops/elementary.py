"""Functions of one operand that are no activation: rounding, signs, angles; what is finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.ops._dispatch import apply_op
from fastcnn.ops.math import absolute
from fastcnn.ops.selection import equal, not_equal

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "floor",
    "isinf",
    "isnan",
    "round",
    "sign",
    "sin",
    "sinh",
    "tan",
]


def arccos(x: Any) -> Any:
    """The angle in [0, pi] of a cosine; NaN outside [-1, 1].

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.arccos([1.0, 0.0]).round(4)
    array([0.    , 1.5708], dtype=float32)
    """
    return apply_op("unary", [x], kind="arccos")


def arccosh(x: Any) -> Any:
    """The inverse of `cosh`; NaN below 1.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.arccosh([1.0, 2.0]).round(4)
    array([0.   , 1.317], dtype=float32)
    """
    return apply_op("unary", [x], kind="arccosh")


def arcsin(x: Any) -> Any:
    """The angle in [-pi / 2, pi / 2] of a sine; NaN outside [-1, 1].

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.arcsin([0.0, 1.0]).round(4)
    array([0.    , 1.5708], dtype=float32)
    """
    return apply_op("unary", [x], kind="arcsin")


def arcsinh(x: Any) -> Any:
    """The inverse of `sinh`.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.arcsinh([0.0, 1.0]).round(4)
    array([0.    , 0.8814], dtype=float32)
    """
    return apply_op("unary", [x], kind="arcsinh")


def arctan(x: Any) -> Any:
    """The angle in [-pi / 2, pi / 2] of a tangent.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.arctan([0.0, 1.0]).round(4)
    array([0.    , 0.7854], dtype=float32)
    """
    return apply_op("unary", [x], kind="arctan")


def arctanh(x: Any) -> Any:
    """The inverse of `tanh`; NaN outside [-1, 1].

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.arctanh([0.0, 0.5]).round(4)
    array([0.    , 0.5493], dtype=float32)
    """
    return apply_op("unary", [x], kind="arctanh")


def ceil(x: Any) -> Any:
    """The next whole number that is not less.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.ceil([1.5, -1.5])
    array([ 2., -1.], dtype=float32)
    """
    return apply_op("unary", [x], kind="ceil")


def cos(x: Any) -> Any:
    """Cosine of an angle in radians.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.cos([0.0, 1.0]).round(4)
    array([1.    , 0.5403], dtype=float32)
    """
    return apply_op("unary", [x], kind="cos")


def cosh(x: Any) -> Any:
    """Hyperbolic cosine.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.cosh([0.0, 1.0]).round(4)
    array([1.    , 1.5431], dtype=float32)
    """
    return apply_op("unary", [x], kind="cosh")


def erf(x: Any) -> Any:
    """The error function: the share of a normal distribution within ``x sqrt(2)`` deviations.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.erf([0.0, 1.0]).round(4)
    array([0.    , 0.8427], dtype=float32)
    """
    return apply_op("unary", [x], kind="erf")


def floor(x: Any) -> Any:
    """The next whole number that is not greater.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.floor([1.5, -1.5])
    array([ 1., -2.], dtype=float32)
    """
    return apply_op("unary", [x], kind="floor")


def isinf(x: Any) -> Any:
    """1 where a number is infinite, else 0.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.isinf([np.inf, 1.0, -np.inf])
    array([1., 0., 1.], dtype=float32)
    """
    return equal(absolute(x), np.inf)


def isnan(x: Any) -> Any:
    """1 where there is no number, else 0.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.isnan([np.nan, 1.0])
    array([1., 0.], dtype=float32)
    """
    return not_equal(x, x)


def round(x: Any) -> Any:
    """The nearest whole number; of two, the even one.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.round([0.5, 1.5, -1.2])
    array([ 0.,  2., -1.], dtype=float32)
    """
    return apply_op("unary", [x], kind="round")


def sign(x: Any) -> Any:
    """-1, 0 or 1, as the number is negative, zero or positive; NaN of NaN.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.sign([-3.0, 0.0, 0.5])
    array([-1.,  0.,  1.], dtype=float32)
    """
    return apply_op("unary", [x], kind="sign")


def sin(x: Any) -> Any:
    """Sine of an angle in radians.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.sin([0.0, 1.0]).round(4)
    array([0.    , 0.8415], dtype=float32)
    """
    return apply_op("unary", [x], kind="sin")


def sinh(x: Any) -> Any:
    """Hyperbolic sine.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.sinh([0.0, 1.0]).round(4)
    array([0.    , 1.1752], dtype=float32)
    """
    return apply_op("unary", [x], kind="sinh")


def tan(x: Any) -> Any:
    """Tangent of an angle in radians.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.tan([0.0, 1.0]).round(4)
    array([0.    , 1.5574], dtype=float32)
    """
    return apply_op("unary", [x], kind="tan")
