"""Arithmetic of integers that stay integers, and logic."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.errors import DTypeError
from fastcnn.ops._dispatch import apply_op, as_array

__all__ = ["integer_binary", "logical_and", "logical_not", "logical_or", "logical_xor"]

_INTEGERS = ("int64", "int32", "uint8", "int8", "bool")


def integer_binary(x1: Any, x2: Any, kind: str) -> Any:
    """Combine integers, element by element; `add` and its kin compute in float32.

    Parameters
    ----------
    x1, x2 : array of int64, int32, uint8, int8 or bool
        Broadcast as in `add`. Where the dtypes differ, both become int64.
    kind : str
        ``"add"``, ``"sub"``, ``"mul"``, ``"div"`` (cut towards 0), ``"mod"`` (the sign of x2's),
        ``"fmod"`` (the sign of x1's), ``"pow"``, ``"maximum"``, ``"minimum"``, ``"and"``,
        ``"or"``, ``"xor"`` (bit by bit), ``"equal"``, ``"not_equal"``, ``"greater"``,
        ``"greater_equal"``, ``"less"`` or ``"less_equal"``.

    Returns
    -------
    array of the operands' dtype; of bool from comparisons
        What does not fit wraps around; division by 0 gives 0.

    Raises
    ------
    DTypeError
        If an operand holds no integers, or two of bool are to be added.
    ShapeError
        If the shapes cannot be broadcast together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.integer_binary(np.array([7, -7]), 2, "div")
    array([ 3, -3])
    """
    operands = [_whole(x1), _whole(x2)]
    names = {str(x.dtype) for x in operands}
    if len(names) > 1:
        operands = [apply_op("cast", [x], None, dtype="int64") for x in operands]
        names = {"int64"}
    return apply_op("integer_binary", operands, names.pop(), kind=kind)


def _whole(x: Any) -> Any:
    if not hasattr(x, "dtype"):
        x = np.asarray(as_array(x, None), np.int64)
    if str(x.dtype) not in _INTEGERS:
        raise DTypeError(f"integer_binary: expected integers, got dtype {x.dtype}")
    return x


def logical_and(x1: Any, x2: Any) -> Any:
    """Whether both are true, element by element.

    Parameters
    ----------
    x1, x2 : array
        Anything but 0 is true. Broadcast as in `add`.

    Returns
    -------
    array, bool, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.logical_and([1, 1, 0], [1, 0, 0])
    array([ True, False, False])
    """
    return _logic(x1, x2, "and")


def logical_or(x1: Any, x2: Any) -> Any:
    """Whether one or both are true, element by element.

    Parameters
    ----------
    x1, x2 : array
        Anything but 0 is true. Broadcast as in `add`.

    Returns
    -------
    array, bool, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.logical_or([1, 1, 0], [1, 0, 0])
    array([ True,  True, False])
    """
    return _logic(x1, x2, "or")


def logical_xor(x1: Any, x2: Any) -> Any:
    """Whether just one is true, element by element.

    Parameters
    ----------
    x1, x2 : array
        Anything but 0 is true. Broadcast as in `add`.

    Returns
    -------
    array, bool, of the broadcast shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.logical_xor([1, 1, 0], [1, 0, 0])
    array([False,  True, False])
    """
    return _logic(x1, x2, "xor")


def logical_not(x: Any) -> Any:
    """Whether something is not true, element by element.

    Parameters
    ----------
    x : array
        Anything but 0 is true.

    Returns
    -------
    array, bool, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.logical_not([1, 0, 2])
    array([False,  True, False])
    """
    return _logic(x, True, "xor")


def _logic(x1: Any, x2: Any, kind: str) -> Any:
    operands = [
        x if str(getattr(x, "dtype", "")) == "bool" else apply_op("cast", [x], None, dtype="bool")
        for x in (x1, x2)
    ]
    return apply_op("integer_binary", operands, "bool", kind=kind)
