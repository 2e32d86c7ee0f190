"""Masks: pictures whose pixels are numbers of classes. Pillow does the work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, DTypeError, FileFormatError, ShapeError
from fastcnn.io._files import StrPath
from fastcnn.io.atomic import atomic_write
from fastcnn.io.images import MAX_PIXELS, ImageSource, decode_image

if TYPE_CHECKING:
    from PIL import Image as PillowImage

Colours = Sequence[Sequence[int]] | NDArray[Any]


def load_mask(
    source: ImageSource, palette: Colours | None = None, *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read a mask: the number of a class for each pixel.

    Parameters
    ----------
    source : str, os.PathLike, bytes or binary file
        A picture with a palette, whose colours do not matter; in grey of 1, 8 or 16 bits, whose
        levels are the numbers (1 bit: 0 and 1); or, with `palette`, in colour.
    palette : array of shape (classes, 3), optional
        The colour of each class, for masks in colour: `fastcnn.visualize.palette` has some.
    max_pixels : int, default 2**27
        Refuse a picture that declares more than this, before decoding it.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (H, W).

    Raises
    ------
    MissingFileError, FileAccessError
        The file is not there, or cannot be read.
    FileFormatError
        It is damaged, no mask, or has a colour that is not in the palette, or numbers beyond 255.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.io.save_mask("mask.png", np.array([[0, 1], [2, 2]]))
    >>> fc.io.load_mask("mask.png").tolist()
    [[0, 1], [2, 2]]
    """
    colours = None if palette is None else checked_palette("load_mask", palette)

    def convert(image: PillowImage.Image) -> NDArray[np.uint8]:
        if image.mode in ("P", "L", "1"):
            return np.array(image, np.uint8)
        if image.mode.startswith("I"):
            levels = np.array(image.convert("I"))
            if levels.min() < 0 or levels.max() > 255:
                raise FileFormatError(
                    f"expected numbers of classes up to 255, got {levels.min()} to {levels.max()}"
                )
            return levels.astype(np.uint8)
        if colours is None:
            raise FileFormatError(
                "expected a mask with a palette or in grey, whose levels are the numbers of the "
                f"classes, got a picture of mode {image.mode}; for one in colour, give the colours "
                "of the classes, palette=..."
            )
        return _numbers(np.array(image.convert("RGB")), colours)

    return decode_image(source, convert, max_pixels)


def _numbers(picture: NDArray[np.uint8], colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The class of each pixel of a picture in the classes' colours."""

    def joined(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
        r, g, b = np.moveaxis(rgb.astype(np.int32), -1, 0)
        return np.asarray(r << 16 | g << 8 | b)

    known = joined(colours)
    order = np.argsort(known, kind="stable")  # of two classes of one colour the first
    seen = joined(picture)
    place = np.minimum(np.searchsorted(known[order], seen), len(known) - 1)
    found = order[place]
    strange = known[found] != seen
    if strange.any():
        rgb = tuple(int(level) for level in picture[strange][0])
        raise FileFormatError(
            f"expected colours of the palette's {len(known)} classes, got {rgb} in "
            f"{int(strange.sum())} of {strange.size} pixels with others"
        )
    return found.astype(np.uint8)


def save_mask(path: StrPath, mask: NDArray[Any], palette: Colours | None = None) -> None:
    """Write a mask as a PNG with a palette: numbers that look like colours.

    Parameters
    ----------
    path : str or os.PathLike
        The ``.png`` to create or replace, whole or not at all.
    mask : numpy.ndarray
        Numbers of classes, integers from 0 to 255, of shape (H, W).
    palette : array of shape (classes, 3), optional
        The colours, 0 to 255; those of Pascal VOC unless given. Further classes are black.

    Raises
    ------
    DTypeError, ShapeError, ConfigError
        `mask`, `palette` or the suffix are no such thing.
    FileAccessError
        The file cannot be written.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.io.save_mask("mask.png", np.zeros((4, 6), np.uint8), [[0, 0, 0], [255, 0, 0]])
    """
    pillow = import_optional("PIL.Image", extra="images")
    mask = np.asarray(mask)
    if mask.dtype.kind not in "iub":
        raise DTypeError(f"save_mask: expected integers, the numbers of classes, got {mask.dtype}")
    if mask.ndim != 2 or 0 in mask.shape:
        raise ShapeError(f"save_mask: expected a mask (H, W), got shape {mask.shape}")
    if mask.min() < 0 or mask.max() > 255:
        raise ConfigError(
            f"save_mask: expected numbers from 0 to 255, got {mask.min()} to {mask.max()}"
        )
    if os.path.splitext(os.fspath(path))[1].lower() != ".png":
        raise ConfigError(f"{os.fspath(path)}: masks are written as .png, which keeps numbers")
    colours = voc_palette() if palette is None else checked_palette("save_mask", palette)
    picture = pillow.fromarray(np.ascontiguousarray(mask, np.uint8))
    picture.putpalette(colours.tobytes())
    encoded = BytesIO()
    picture.save(encoded, format="PNG")
    with atomic_write(path) as partial:
        partial.write_bytes(encoded.getbuffer())


def checked_palette(who: str, palette: Any) -> NDArray[np.uint8]:
    """Give colours as uint8 of shape (classes, 3), or refuse them."""
    colours = np.asarray(palette)
    if (
        colours.ndim != 2
        or colours.shape[1] != 3
        or not 1 <= len(colours) <= 256
        or colours.dtype.kind not in "iu"
        or colours.min() < 0
        or colours.max() > 255
    ):
        raise ConfigError(
            f"{who}: palette: expected 1 to 256 colours (red, green, blue) from 0 to 255, got "
            f"shape {colours.shape} of {colours.dtype}"
        )
    return colours.astype(np.uint8)


def voc_palette(count: int = 256) -> NDArray[np.uint8]:
    """Give the colours of Pascal VOC: the bits of the number, three by three, from above.

    Examples
    --------
    >>> voc_palette(3).tolist()
    [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    numbers = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((numbers >> (3 * bit + channel) & 1) << (7 - bit)).astype(
                np.uint8
            )
    return colours
