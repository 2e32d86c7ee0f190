"""Shapes and axes of operands, be they arrays or symbolic."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn.errors import ConfigError


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, a nested list, a variable or a symbolic operand."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def as_ints(function: str, name: str, values: Any) -> tuple[int, ...]:
    """`values` as a tuple of int; a single number is a tuple of one."""
    try:
        return tuple(map(operator.index, values if isinstance(values, Sequence) else (values,)))
    except TypeError:
        pass
    try:
        return tuple(map(operator.index, np.ravel(values).tolist()))
    except TypeError:
        raise ConfigError(f"{function}: {name}: expected integers, got {values!r}") from None


def normalize_axis(function: str, axis: Any, rank: int) -> int:
    """`axis` counted from the front."""
    index: int = as_ints(function, "axis", axis)[0]
    if not -rank <= index < rank:
        raise ConfigError(f"{function}: axis {index} does not exist among {rank} axes")
    return index % rank
