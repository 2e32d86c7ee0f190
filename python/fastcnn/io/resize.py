"""Resizing and cropping pictures in arrays."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, DTypeError, ShapeError

Method = Literal["nearest", "bilinear", "bicubic", "lanczos", "area"]
Picture = NDArray[Any]

_FILTERS = {
    "nearest": "NEAREST",
    "bilinear": "BILINEAR",
    "bicubic": "BICUBIC",
    "lanczos": "LANCZOS",
    "area": "BOX",
}


def resize_image(
    image: Picture,
    size: tuple[int, int],
    method: Method = "bilinear",
    *,
    antialias: bool = True,
) -> Picture:
    """Resize a picture.

    Pixels are areas: the outer edges of the picture stay the outer edges ("half-pixel centres",
    what Keras, Pillow and torch's ``align_corners=False`` do).

    Parameters
    ----------
    image : numpy.ndarray
        uint8, or floats, of shape (H, W) or (H, W, C).
    size : tuple of int
        The new ``(height, width)``.
    method : {"bilinear", "bicubic", "lanczos", "area", "nearest"}
        "nearest" makes no new values: for masks.
    antialias : bool, default True
        When shrinking, let every pixel of the picture count. ``False`` reads only the neighbours
        of each new pixel's centre, as ``tf.image.resize`` does by default; it exists for
        "bilinear". For "nearest" it makes no difference.

    Returns
    -------
    numpy.ndarray
        Of the new size: uint8 for uint8, rounded; float32 for floats.

    Raises
    ------
    ShapeError, DTypeError
        `image` is not a picture.
    ConfigError
        `size` is not positive, or `method` is unknown or needs antialiasing.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> resize_image(np.eye(4, dtype=np.float32), (2, 2), "area").tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    image = _check_picture(image)
    height, width = _check_size(size)
    if method not in _FILTERS:
        raise ConfigError(f"expected a method of {', '.join(_FILTERS)}, got {method!r}")
    if not antialias and method == "bilinear":
        return _bilinear_by_neighbours(image, height, width)
    if not antialias and method != "nearest":
        raise ConfigError(f"expected method 'bilinear' without antialias, got {method!r}")
    pillow = import_optional("PIL.Image", extra="images")
    resample = getattr(pillow.Resampling, _FILTERS[method])

    def resize(part: Picture) -> Picture:
        return np.array(pillow.fromarray(part).resize((width, height), resample))

    if image.ndim == 2 or (image.dtype == np.uint8 and image.shape[2] == 3):
        return resize(image)
    # Pillow takes other numbers of channels only as named ones, and weighs colours by an alpha.
    channels = [resize(np.ascontiguousarray(channel)) for channel in np.moveaxis(image, 2, 0)]
    return np.stack(channels, axis=2)


def center_crop(image: Picture, size: tuple[int, int]) -> Picture:
    """Cut the middle out of a picture.

    Parameters
    ----------
    image : numpy.ndarray
        Any dtype, shape (H, W) or (H, W, C).
    size : tuple of int
        The ``(height, width)`` to keep; of an odd remainder the smaller part lies above and left.

    Returns
    -------
    numpy.ndarray
        A view of `image`.

    Raises
    ------
    ShapeError
        `image` is not a picture, or is smaller than `size`.
    ConfigError
        `size` is not positive.

    Examples
    --------
    >>> center_crop(np.arange(25).reshape(5, 5), (1, 3)).tolist()
    [[11, 12, 13]]
    """
    height, width = _check_size(size)
    if image.ndim not in (2, 3) or image.shape[0] < height or image.shape[1] < width:
        raise ShapeError(
            f"expected shape (H, W) or (H, W, C) of at least {height} x {width}, got {image.shape}"
        )
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def _check_picture(image: Picture) -> Picture:
    if not isinstance(image, np.ndarray):
        raise DTypeError(f"expected a NumPy array, got {type(image).__name__}")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ShapeError(f"expected shape (H, W) or (H, W, C), nowhere 0, got {image.shape}")
    if image.dtype == np.uint8:
        return image
    if np.issubdtype(image.dtype, np.floating):
        return image.astype(np.float32, copy=False)
    raise DTypeError(f"expected uint8 or floats, got {image.dtype}")


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    height, width = size
    if height < 1 or width < 1:
        raise ConfigError(f"expected a positive (height, width), got {size}")
    return height, width


def _bilinear_by_neighbours(image: Picture, height: int, width: int) -> Picture:
    values = image.astype(np.float32)
    for axis, new in ((0, height), (1, width)):
        old = values.shape[axis]
        centre = (np.arange(new) + 0.5) * (old / new) - 0.5
        below = np.floor(centre)
        shape = [-1 if axis == i else 1 for i in range(values.ndim)]
        share = (centre - below).astype(np.float32).reshape(shape)
        lower, upper = (
            np.take(values, np.clip(below + step, 0, old - 1).astype(np.intp), axis)
            for step in (0, 1)
        )
        values = lower + (upper - lower) * share
    return np.rint(values).astype(np.uint8) if image.dtype == np.uint8 else values
