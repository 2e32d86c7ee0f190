"""Reductions, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_FUNCTIONS = {
    "reduce_sum": np.sum,
    "reduce_mean": lambda x, **axes: x.sum(**axes) / np.ones(x.shape).sum(**axes),
    "reduce_max": np.max,
    "reduce_min": np.min,
    "reduce_prod": np.prod,
}


def _axes(x: np.ndarray, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))


def reduce(op: str, x: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(
            _FUNCTIONS[op](x.astype(np.float64), axis=_axes(x, axis), keepdims=keepdims)
        )


def argmax(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """The reduced axes moved to the end, in order, and searched as one."""
    axes = tuple(sorted(_axes(x, axis)))
    kept = [a for a in range(x.ndim) if a not in axes]
    cells = math.prod(x.shape[a] for a in axes)
    moved = x.transpose(*kept, *axes).reshape(*(x.shape[a] for a in kept), cells)
    shape = [1 if a in axes else x.shape[a] for a in range(x.ndim)]
    found = moved.argmax(axis=-1)
    return found.reshape(shape) if keepdims else found
