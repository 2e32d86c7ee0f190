"""How windows are described: sizes and padding, in Keras' words or in torch's numbers."""

from __future__ import annotations

from typing import Any

from fastcnn.errors import ConfigError

SizeLike = int | tuple[int, int]
PaddingLike = str | int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]


def padding_attrs(padding: PaddingLike) -> dict[str, Any]:
    """The attribute that says `padding` to the core: ``padding`` for a word, ``pads`` for numbers."""
    if isinstance(padding, str):
        return {"padding": padding.lower()}
    try:
        if not hasattr(padding, "__len__"):
            top = bottom = left = right = int(padding)  # type: ignore[arg-type]
        else:
            vertical, horizontal = padding
            top, bottom = vertical if hasattr(vertical, "__len__") else (vertical, vertical)
            left, right = horizontal if hasattr(horizontal, "__len__") else (horizontal, horizontal)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            "padding: expected 'valid', 'same', an int, (vertical, horizontal) or "
            f"((top, bottom), (left, right)), got {padding!r}"
        ) from error
    return {"pads": (top, bottom, left, right)}
