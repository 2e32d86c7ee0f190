"""Checks of layers' arguments, all with the same words."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn._checks import number as number, one_of as one_of, positive_int as positive_int
from fastcnn.errors import ConfigError


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
