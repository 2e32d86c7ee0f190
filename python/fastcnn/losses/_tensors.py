"""Targets and predictions as losses and metrics take them: arrays, or values of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn import ops
from fastcnn.errors import ShapeError
from fastcnn.ops._dispatch import as_array

EPSILON = 1e-7  # Keras': what probabilities and divisors are kept from 0 by


def as_tensor(x: Any) -> Any:
    """`x` as something that has a shape and a dtype: values as they are, the rest as arrays."""
    return x if hasattr(x, "__fastcnn_apply__") else as_array(x, None)


def as_float(x: Any) -> Any:
    """`x` as float32."""
    if not hasattr(x, "__fastcnn_apply__"):
        return as_array(x)
    return x if x.dtype == "float32" else ops.cast(x, "float32")


def as_labels(x: Any) -> Any:
    """`x` as integers: class numbers, which may be given as floats."""
    x = as_tensor(x)
    if isinstance(x, np.ndarray):
        return x if x.dtype.name in ("int64", "int32", "uint8") else x.astype(np.int64)
    return x if x.dtype in ("int64", "int32", "uint8") else ops.cast(x, "int64")


def squeeze_last(x: Any) -> Any:
    """Drop a last axis of one element."""
    return ops.reshape(x, tuple(x.shape[:-1]))


def expand_last(x: Any, count: int = 1) -> Any:
    """Add last axes of one element."""
    return ops.reshape(x, (*x.shape, *(1,) * count)) if count > 0 else x


def match_ranks(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Bring (n,) and (n, 1) together, and drop a last axis of one that only one of them has."""
    for wide, narrow, swapped in ((y_pred, y_true, False), (y_true, y_pred, True)):
        if len(wide.shape) == len(narrow.shape) + 1 and wide.shape[-1] == 1:
            if len(narrow.shape) == 1:
                narrow = expand_last(narrow)
            else:
                wide = squeeze_last(wide)
            return (wide, narrow) if swapped else (narrow, wide)
    return y_true, y_pred


def pair(owner: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Targets and predictions as float32, of one shape.

    Raises
    ------
    ShapeError
        They differ in more than a last axis of one element. They are never broadcast: (n,) against
        (n, 3) is a mistake, not a wish.
    """
    y_true, y_pred = match_ranks(as_float(y_true), as_float(y_pred))
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise ShapeError(
            f"{owner}: expected y_true and y_pred of one shape, got {tuple(y_true.shape)} and "
            f"{tuple(y_pred.shape)}"
        )
    return y_true, y_pred


def class_rows(owner: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Class numbers (...) and predictions (..., classes), from labels (...) or (..., 1).

    Raises
    ------
    ShapeError
        There is not one label for each row of predictions.
    """
    y_true, y_pred = as_labels(y_true), as_float(y_pred)
    shape = tuple(y_pred.shape)
    given = tuple(y_true.shape)
    if shape and given == (*shape[:-1], 1):
        y_true = squeeze_last(y_true)
    elif not shape or given != shape[:-1]:
        hint = ""
        if given == shape:
            hint = "; for a number for each class there is categorical_crossentropy"
        raise ShapeError(
            f"{owner}: expected y_true of shape {shape[:-1]} or {(*shape[:-1], 1)} for y_pred of "
            f"shape {shape}, got {given}{hint}"
        )
    return y_true, y_pred


def axes_from(start: int, rank: int) -> Sequence[int]:
    """List the axes from one on."""
    return tuple(range(start, rank))


def size_of(shape: Sequence[int]) -> int:
    """Count the elements of a shape."""
    return int(np.prod(tuple(shape), dtype=np.int64))
