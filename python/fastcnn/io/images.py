"""Picture files to arrays and back. Pillow does the work."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, DTypeError, FastcnnError, FileFormatError, ShapeError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.io.atomic import atomic_write

if TYPE_CHECKING:
    from PIL import Image as PillowImage

ImageSource = str | os.PathLike[str] | bytes | BinaryIO
Decoded = TypeVar("Decoded")

# A file of a few kilobytes may declare a picture of many gigabytes.
MAX_PIXELS = 2**27

# Pillow also knows formats that start other programs (EPS runs Ghostscript) or are rarely tested
# against hostile files; these are the ones that pictures come in.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP", "TIFF")

# By what names files are taken for pictures, where folders are searched.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

_ORIENTATION = 0x0112  # EXIF's number of how the camera was held

_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


def load_image(
    source: ImageSource, mode: Literal["L", "RGB", "RGBA"] = "RGB", *, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Read a picture, upright and in 8 bits per channel, whatever it is stored as.

    The orientation that a camera noted is applied. Palettes, grey and CMYK are converted; of 16
    bits the upper 8 are kept; alpha is dropped, not blended (as Keras does). Of an animation the
    first frame is read.

    Parameters
    ----------
    source : str, os.PathLike, bytes or binary file
        A PNG, JPEG, BMP, GIF, PPM, WebP or TIFF picture. A file object is left open.
    mode : {"RGB", "L", "RGBA"}, default "RGB"
        The channels wanted; "L" is grey.
    max_pixels : int, default 2**27
        Refuse a picture that declares more than this, before decoding it.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (H, W, 3), (H, W, 1) or (H, W, 4), writable and contiguous.

    Raises
    ------
    MissingFileError, FileAccessError
        The file is not there, or cannot be read.
    FileFormatError
        The picture is damaged, truncated, too large or of another format.
    ConfigError
        `mode` is unknown.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "grey.png")
    >>> save_image(path, np.full((4, 6), 128, np.uint8))
    >>> load_image(path).shape
    (4, 6, 3)
    """
    if mode not in _CHANNELS:
        raise ConfigError(f"expected mode 'L', 'RGB' or 'RGBA', got {mode!r}")

    def convert(image: PillowImage.Image) -> NDArray[np.uint8]:
        converted = _convert(image, mode)
        return np.array(converted, np.uint8).reshape(
            converted.height, converted.width, _CHANNELS[mode]
        )

    return decode_image(source, convert, max_pixels)


def decode_image(
    source: ImageSource, convert: Callable[[PillowImage.Image], Decoded], max_pixels: int
) -> Decoded:
    """Give what a function makes of a picture, which is upright, and not too large.

    Raises
    ------
    FastcnnError
        As `load_image`; what the function raises of others is taken for damage of the file.
    """
    if isinstance(source, (str, os.PathLike)):
        with naming(source), open_binary(source) as file:
            return _decode(file, convert, max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        with naming("picture in memory"):
            return _decode(BytesIO(source), convert, max_pixels)
    if not hasattr(source, "read"):
        raise DTypeError(f"expected a path, bytes or a binary file, got {type(source).__name__}")
    with naming(str(getattr(source, "name", "picture"))):
        return _decode(source, convert, max_pixels)


def image_size(path: StrPath) -> tuple[int, int]:
    """Read a picture's size as `load_image` would give it, without decoding the picture.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    (int, int)
        Height and width.

    Raises
    ------
    MissingFileError, FileAccessError, FileFormatError, MissingDependencyError
        As of `load_image`.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "grey.png")
    >>> save_image(path, np.full((4, 6), 128, np.uint8))
    >>> image_size(path)
    (4, 6)
    """
    pillow = import_optional("PIL.Image", extra="images")
    with naming(path), open_binary(path) as file:
        try:
            with pillow.open(file, formats=_FORMATS) as image:
                width, height = image.size
                turned = image.getexif().get(_ORIENTATION, 1) >= 5  # by a quarter
        except Exception as error:  # whatever its readers stumble over, as in _decode
            raise _no_picture(error) from error
    return (width, height) if turned else (height, width)


def _decode(
    file: BinaryIO, convert: Callable[[PillowImage.Image], Decoded], max_pixels: int
) -> Decoded:
    pillow = import_optional("PIL.Image", extra="images")
    turn_upright = import_optional("PIL.ImageOps", extra="images").exif_transpose
    try:
        with pillow.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise FileFormatError(
                    f"expected a picture of at most {max_pixels} pixels, got {width} x {height}"
                )
            return convert(turn_upright(image))
    except FastcnnError:
        raise
    except Exception as error:
        # On damaged files Pillow lets through whatever its decoders stumble over (struct.error,
        # SyntaxError, IndexError ...); no list of them is documented.
        raise _no_picture(error) from error


def _no_picture(error: Exception) -> FileFormatError:
    unidentified = import_optional("PIL", extra="images").UnidentifiedImageError
    # Pillow's words for these show the object that was read.
    said = "it begins like none of these" if isinstance(error, unidentified) else error
    return FileFormatError(f"expected a picture ({', '.join(_FORMATS)}): {said}")


def _convert(image: PillowImage.Image, mode: str) -> PillowImage.Image:
    if image.mode.startswith("I"):  # 16-bit grey, in any byte order; Pillow would clip it to 255
        levels = np.array(image.convert("I"))
        if levels.min() < 0 or levels.max() > 0xFFFF:
            raise FileFormatError("expected at most 16 bits for each channel, got 32")
        pillow = import_optional("PIL.Image", extra="images")
        image = pillow.fromarray((levels >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise FileFormatError("expected integer levels, got floats, whose range is not known")
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the direct way to RGB warns
    return image.convert(mode)


def save_image(path: StrPath, image: NDArray[np.uint8], *, quality: int = 95) -> None:
    """Write a picture, whole or not at all, in the format that the suffix names.

    Parameters
    ----------
    path : str or os.PathLike
        The file to create or replace: ``.png``, ``.jpg``, ``.webp``, ``.bmp``, ``.tif`` ...
    image : numpy.ndarray
        uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
    quality : int, default 95
        Of JPEG and WebP, 1 to 100.

    Raises
    ------
    DTypeError, ShapeError
        The array is not such a picture.
    ConfigError
        The suffix is unknown, or its format cannot hold these channels.
    FileAccessError
        The file cannot be written.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "red.png")
    >>> save_image(path, np.full((2, 2, 3), (255, 0, 0), np.uint8))
    >>> load_image(path)[0, 0].tolist()
    [255, 0, 0]
    """
    pillow = import_optional("PIL.Image", extra="images")
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise DTypeError(f"expected an array of uint8, got {getattr(image, 'dtype', type(image))}")
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in image.shape:
        raise ShapeError(f"expected shape (H, W) or (H, W, 1 | 3 | 4), got {image.shape}")
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    format_name = pillow.registered_extensions().get(suffix)
    if format_name not in _FORMATS:
        raise ConfigError(f"{path}: expected a suffix of {', '.join(_FORMATS)}, got {suffix!r}")
    picture = pillow.fromarray(image[..., 0] if image.ndim == 3 and channels == 1 else image)
    encoded = BytesIO()
    try:
        picture.save(encoded, format=format_name, quality=quality)
    except (OSError, ValueError) as error:  # OSError: "cannot write mode RGBA as JPEG"
        raise ConfigError(f"{path}: {error}") from error
    with atomic_write(path) as partial:
        partial.write_bytes(encoded.getbuffer())
