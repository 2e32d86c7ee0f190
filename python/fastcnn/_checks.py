"""Checks of arguments, all with the same words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn.errors import ConfigError


def number(
    owner: str, name: str, value: Any, at_least: float = -math.inf, at_most: float = math.inf
) -> float:
    """Return `value` as a float if it is a number within the bounds.

    Examples
    --------
    >>> number("Huber", "delta", 1)
    1.0
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise ConfigError(f"{owner}: {name}: expected a number, got {value!r}")
    if (at_least, at_most) != (-math.inf, math.inf) and not at_least <= value <= at_most:
        bounds = f">= {at_least:g}" if at_most == math.inf else f"in [{at_least:g}, {at_most:g}]"
        raise ConfigError(f"{owner}: {name}: expected a number {bounds}, got {value!r}")
    return float(value)


def positive_int(owner: str, name: str, value: Any, at_least: int = 1) -> int:
    """Return `value` if it is an integer of at least that size."""
    if (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, (int, np.integer))
        or value < at_least
    ):
        raise ConfigError(f"{owner}: {name}: expected an integer >= {at_least}, got {value!r}")
    return int(value)


def one_of(owner: str, name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Return `value` if it is one of the choices."""
    if not any(value is choice or value == choice for choice in choices):
        raise ConfigError(
            f"{owner}: {name}: expected one of {', '.join(map(repr, choices))}, got {value!r}"
        )
    return value
