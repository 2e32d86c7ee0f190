"""Pictures one by one, under the names of Keras."""

from __future__ import annotations

import os
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.io._files import StrPath
from fastcnn.io.images import load_image
from fastcnn.layers._arguments import one_of
from fastcnn.ops._dispatch import as_array

_MODES: dict[str, Literal["L", "RGB", "RGBA"]] = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_RESAMPLING = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def load_img(
    path: StrPath | BytesIO,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Read a picture as one of Pillow's.

    `fastcnn.io.load_image` reads it as an array, and `fastcnn.io.resize_image` resizes that.

    Parameters
    ----------
    path : str, os.PathLike or io.BytesIO
    color_mode : {"rgb", "grayscale", "rgba"}, default "rgb"
    target_size : (int, int), optional
        ``(height, width)``; as it is unless given.
    interpolation : {"nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"}
    keep_aspect_ratio : bool, default False
        Cut off borders instead of stretching.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    MissingFileError, FileAccessError, FileFormatError
        It is not there, or cannot be read.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.io.save_image("red.png", np.full((4, 6, 3), (255, 0, 0), np.uint8))
    >>> fc.utils.img_to_array(load_img("red.png", target_size=(2, 2)))[0, 0]
    array([255.,   0.,   0.], dtype=float32)
    """
    one_of("load_img", "color_mode", color_mode, tuple(_MODES))
    one_of("load_img", "interpolation", interpolation, _RESAMPLING)
    pillow = import_optional("PIL.Image", extra="images")
    picture = pillow.fromarray(
        _without_grey_axis(load_image(path if isinstance(path, BytesIO) else os.fspath(path),
                                      _MODES[color_mode]))
    )  # fmt: skip
    if target_size is None:
        return picture
    height, width = target_size
    resample = getattr(pillow.Resampling, interpolation.upper())
    box = None
    if keep_aspect_ratio:
        w, h = picture.size
        inner_w, inner_h = min(w, h * width // height), min(h, w * height // width)
        left, top = (w - inner_w) // 2, (h - inner_h) // 2
        box = (left, top, left + inner_w, top + inner_h)
    return picture.resize((width, height), resample, box)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> NDArray[Any]:
    """Make an array of shape (height, width, channels) of a picture of Pillow's.

    Parameters
    ----------
    img : PIL.Image.Image or array
    data_format : str, optional
        ``"channels_last"``.
    dtype : optional
        float32 unless given.

    Examples
    --------
    >>> img_to_array(np.zeros((4, 6), np.uint8)).shape
    (4, 6, 1)
    """
    _check_data_format("img_to_array", data_format)
    array = np.array(img, dtype or np.float32)
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim != 3:
        raise ShapeError(f"img_to_array: expected a picture, got shape {array.shape}")
    return array


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """Make a picture of Pillow's of an array.

    Parameters
    ----------
    x : array
        Of shape (height, width, 1 | 3 | 4).
    data_format : str, optional
        ``"channels_last"``.
    scale : bool, default True
        Stretch the values so that the smallest becomes 0 and the largest 255.
    dtype : optional
        What `x` is computed in; float32 unless given.

    Examples
    --------
    >>> array_to_img(np.zeros((4, 6, 3))).size
    (6, 4)
    """
    _check_data_format("array_to_img", data_format)
    array = as_array(x, None).astype(dtype or np.float32)
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ShapeError(
            f"array_to_img: expected shape (height, width, 1 | 3 | 4), got {array.shape}"
        )
    if scale:
        array = array - array.min()
        largest = array.max()
        array = array * (255 / largest) if largest else array
    levels = np.clip(array, 0, 255).astype(np.uint8)
    return import_optional("PIL.Image", extra="images").fromarray(_without_grey_axis(levels))


def save_img(
    path: StrPath,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
) -> None:
    """Write an array as a picture, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Its suffix names the format.
    x, data_format, scale
        As of `array_to_img`.
    file_format : str, optional
        Only None.
    """
    if file_format is not None:
        raise ConfigError("save_img: expected file_format None; the suffix names the format")
    from fastcnn.io.images import save_image

    save_image(path, np.array(array_to_img(x, data_format, scale)))


def _without_grey_axis(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return levels[:, :, 0] if levels.shape[2] == 1 else levels


def _check_data_format(who: str, data_format: str | None) -> None:
    if data_format not in (None, "channels_last"):
        raise ConfigError(f'{who}: data_format: expected "channels_last", got {data_format!r}')
