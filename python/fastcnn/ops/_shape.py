"""Shapes and axes of operands, be they arrays or symbolic."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn.errors import ConfigError
from fastcnn.ops._dispatch import as_array


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, a nested list, a variable or a symbolic operand."""
    return tuple(x.shape) if hasattr(x, "shape") else as_array(x, None).shape


def as_ints(function: str, name: str, values: Any) -> tuple[int, ...]:
    """`values` as a tuple of int; a single number is a tuple of one."""
    try:
        return tuple(map(operator.index, values if isinstance(values, Sequence) else (values,)))
    except TypeError:
        pass
    try:
        return tuple(map(operator.index, np.ravel(values).tolist()))
    except (TypeError, ValueError):
        raise ConfigError(f"{function}: {name}: expected integers, got {values!r}") from None


def normalize_axis(function: str, axis: Any, rank: int) -> int:
    """`axis` counted from the front."""
    given = as_ints(function, "axis", axis)
    if len(given) != 1 or not -rank <= given[0] < rank:
        raise ConfigError(f"{function}: axis {axis!r} does not exist among {rank} axes")
    return given[0] % rank


def as_number(function: str, name: str, value: Any) -> float:
    """`value` as a float."""
    try:
        if not isinstance(value, (str, bytes)):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ConfigError(f"{function}: {name}: expected a number, got {value!r}")


def as_list(function: str, name: str, values: Any) -> list[Any]:
    """`values` as a list that has something in it."""
    try:
        items = list(values)
    except TypeError:
        items = []
    if not items:
        raise ConfigError(f"{function}: {name}: expected at least one array, got {values!r}")
    return items
