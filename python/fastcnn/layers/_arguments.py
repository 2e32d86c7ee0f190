"""Checks of layers' arguments, all with the same words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn.errors import ConfigError


def positive_int(layer: str, name: str, value: Any, at_least: int = 1) -> int:
    """Return `value` if it is an integer of at least that size."""
    if (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, (int, np.integer))
        or value < at_least
    ):
        raise ConfigError(f"{layer}: {name}: expected an integer >= {at_least}, got {value!r}")
    return int(value)


def number(layer: str, name: str, value: Any) -> float:
    """Return `value` as a float if it is a number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise ConfigError(f"{layer}: {name}: expected a number, got {value!r}")
    return float(value)


def integers(layer: str, name: str, value: Any) -> tuple[int, ...]:
    """Return a sequence of integers, negative ones too, as a tuple."""
    if isinstance(value, (list, tuple, range)) and all(
        isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in value
    ):
        return tuple(int(v) for v in value)
    raise ConfigError(f"{layer}: {name}: expected a sequence of integers, got {value!r}")


def pair(layer: str, name: str, value: Any, at_least: int = 1) -> tuple[int, int]:
    """Return (value, value) for an integer, and a pair of integers as it is.

    Examples
    --------
    >>> pair("Conv2D", "strides", 2)
    (2, 2)
    """
    values = value if isinstance(value, (list, tuple)) else (value, value)
    if len(values) != 2:
        raise ConfigError(f"{layer}: {name}: expected an integer or a pair, got {value!r}")
    first, second = (positive_int(layer, name, v, at_least) for v in values)
    return first, second


def margins(layer: str, name: str, value: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Bring an integer, (height, width) or ((top, bottom), (left, right)) to the last form.

    Examples
    --------
    >>> margins("ZeroPadding2D", "padding", (1, (2, 3)))
    ((1, 1), (2, 3))
    """
    values = value if isinstance(value, (list, tuple)) else (value, value)
    if len(values) != 2:
        raise ConfigError(
            f"{layer}: {name}: expected an integer, (height, width) or "
            f"((top, bottom), (left, right)), got {value!r}"
        )
    vertical, horizontal = (pair(layer, name, v, at_least=0) for v in values)
    return vertical, horizontal


def padding_mode(layer: str, value: Any) -> Any:
    """Return "valid" or "same" in lower case, or padding in numbers in its normal form."""
    if isinstance(value, str):
        if value.lower() in ("valid", "same"):
            return value.lower()
        raise ConfigError(f'{layer}: padding: expected "valid", "same" or numbers, got {value!r}')
    return margins(layer, "padding", value)


def one_of(layer: str, name: str, value: Any, choices: Sequence[str]) -> str:
    """Return `value` if it is one of the choices."""
    if value not in choices:
        raise ConfigError(
            f"{layer}: {name}: expected one of {', '.join(map(repr, choices))}, got {value!r}"
        )
    return str(value)
