"""How windows are described: sizes and padding, in Keras' words or in torch's numbers."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from fastcnn.errors import ConfigError

SizeLike = int | tuple[int, int]
PaddingLike = str | int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]


def _both(value: Any) -> tuple[Any, Any]:
    first, second = value if isinstance(value, Sequence) else (value, value)
    return first, second


def padding_attrs(padding: PaddingLike) -> dict[str, Any]:
    """The attribute that says `padding` to the core: ``padding`` (a word) or ``pads`` (numbers)."""
    if isinstance(padding, str):
        return {"padding": padding.lower()}
    try:
        vertical, horizontal = _both(padding)
        pads = *map(operator.index, _both(vertical)), *map(operator.index, _both(horizontal))
    except (TypeError, ValueError):
        pads = (-1,)
    if not all(0 <= n < 2**31 for n in pads):
        raise ConfigError(
            "padding: expected 'valid', 'same', an int >= 0, (vertical, horizontal) or "
            f"((top, bottom), (left, right)), got {padding!r}"
        )
    return {"pads": pads}
