"""Pictures on their way in: files and arrays, sizes, masks, and where the picture begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.io.images import load_image
from fastcnn.io.resize import resize_image

Levels = NDArray[np.uint8]
Picture = NDArray[np.float32]

INITIAL = ("content", "style", "noise", "blend")

# Of the noise that a picture may begin with, around the middle of the levels.
_NOISE_DEVIATION = 40.0
_MIDDLE = 127.5


def read_picture(what: str, source: Any, mode: Any = "RGB") -> Levels:
    """Read a picture from a file, or check an array, and give it with the channels of `mode`."""
    channels = 1 if mode == "L" else 3
    if isinstance(source, (str, os.PathLike, bytes)) or hasattr(source, "read"):
        return load_image(source, mode)
    array = np.asarray(source)
    if array.dtype != np.uint8:
        raise DTypeError(
            f"{what}: expected a file or an array of uint8 from 0 to 255, got dtype {array.dtype}"
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, channels) or 0 in array.shape:
        raise ShapeError(
            f"{what}: expected shape (h, w) or (h, w, {channels}), nowhere 0, got {array.shape}"
        )
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], channels)))


def sizes_of(picture: Levels, size: int | None, scales: int, least: int) -> list[tuple[int, int]]:
    """List the heights and widths from coarse to fine, each about twice the one before.

    Parameters
    ----------
    picture : array
        Whose proportions they have.
    size : int or None
        The longer side of the last; that of the picture unless given.
    scales : int
        How many.
    least : int
        The smallest height and width that the network can look at.

    Raises
    ------
    ConfigError
        A picture would be smaller than that.

    Examples
    --------
    >>> sizes_of(np.zeros((300, 400, 3), np.uint8), 512, 2, 16)
    [(192, 256), (384, 512)]
    """
    height, width = picture.shape[:2]
    longer = max(height, width)
    found = []
    for scale in reversed(range(scales)):
        factor = (size or longer) / longer / 2**scale
        found.append((max(round(height * factor), 1), max(round(width * factor), 1)))
    if min(found[0]) < least:
        raise ConfigError(
            f"the content of {height} x {width} would be looked at in {found[0][0]} x "
            f"{found[0][1]}, the network's layers need at least {least} x {least}: give a larger "
            "size, fewer scales, or a picture that is less of a strip"
        )
    return found


def resized(picture: Levels, size: tuple[int, int]) -> Picture:
    """Give a picture as the network takes it, at another size."""
    return as_batch(resize_image(picture, size, "lanczos"))


def as_batch(picture: NDArray[Any]) -> Picture:
    """Give a picture of (h, w, c) as float32 of (1, h, w, c)."""
    return np.ascontiguousarray(picture[None], np.float32)


def mirrored(picture: Picture, margin: int) -> Picture:
    """Continue a picture of (1, h, w, c) beyond its borders."""
    sides = (margin, margin)
    found: Picture = np.pad(picture, ((0, 0), sides, sides, (0, 0)), "reflect")
    return found


def as_levels(picture: NDArray[Any]) -> Levels:
    """Give a picture of (1, h, w, 3) as what can be shown."""
    levels: Levels = np.rint(picture[0].clip(0, 255)).astype(np.uint8)
    return levels


def style_size(style: Levels, size: tuple[int, int], style_scale: float) -> tuple[int, int]:
    """Tell how large a style is looked at: its longer side is that of the content, scaled."""
    factor = max(size) * style_scale / max(style.shape[:2])
    height, width = (max(round(side * factor), 1) for side in style.shape[:2])
    return height, width


def check_style(
    what: str, style: Levels, size: tuple[int, int], style_scale: float, least: int
) -> None:
    """Refuse a style that would be looked at in less than the network's layers need."""
    height, width = style_size(style, size, style_scale)
    if min(height, width) < least:
        raise ConfigError(
            f"{what} of {style.shape[0]} x {style.shape[1]} would be looked at in {height} x "
            f"{width}, the network's layers need at least {least} x {least}: give a larger size or "
            "style_scale, fewer scales, or a picture that is less of a strip"
        )


def first_picture(
    initial: Any,
    content: Picture,
    style: Levels,
    noise_ratio: float,
    seed: int,
    margin: int,
) -> Picture:
    """Make the picture to begin with.

    Parameters
    ----------
    initial : {"content", "style", "noise", "blend"}, or a picture
        "blend" is noise and content.
    content : array, float32, shape (1, h, w, 3)
    style : array
        The first one, of any size.
    noise_ratio : float
        The share of noise in a blend.
    seed : int
        Of the noise.
    margin : int
        By how many pixels the content is continued beyond its borders.
    """
    size = (content.shape[1] - 2 * margin, content.shape[2] - 2 * margin)
    if not isinstance(initial, str) or initial not in INITIAL:
        if isinstance(initial, str) and not os.path.splitext(initial)[1]:
            raise ConfigError(
                f"initial: expected one of {', '.join(INITIAL)}, or a picture, got {initial!r}"
            )
        return mirrored(resized(read_picture("initial", initial), size), margin)
    if initial == "content":
        return np.array(content)
    if initial == "style":
        return mirrored(resized(style, size), margin)
    share = 1.0 if initial == "noise" else noise_ratio
    noise = np.random.default_rng(seed).standard_normal(content.shape, np.float32)
    noise = (noise * _NOISE_DEVIATION + _MIDDLE).clip(0, 255)
    return np.asarray(noise * share + content * (1.0 - share), np.float32)


def read_masks(masks: Any, count: int) -> list[Levels | None]:
    """Read a mask for each style; None for those that have none."""
    if masks is None:
        return [None] * count
    if not isinstance(masks, Sequence) or isinstance(masks, (str, bytes)) or len(masks) != count:
        raise ConfigError(f"masks: expected one for each of {count} styles, or None for it")
    found: list[Levels | None] = []
    for place, mask in enumerate(masks, start=1):
        levels = None if mask is None else read_picture(f"mask {place}", mask, "L")
        if levels is not None and not levels.any():
            raise ConfigError(f"mask {place}: it is black everywhere, so its style has no place")
        found.append(levels)
    return found


def mask_of_size(mask: Levels | None, size: tuple[int, int], margin: int) -> Picture | None:
    """Give a mask as weights of 0 to 1 for pictures of a size, mirrored beyond their borders."""
    if mask is None:
        return None
    weights = as_batch(resize_image(mask, size, "bilinear")) / np.float32(255)
    return mirrored(weights, margin)
