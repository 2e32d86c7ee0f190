"""Pictures as the functions of this package take them: files, or arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import DTypeError, ShapeError
from fastcnn.io.images import load_image

Picture = str | os.PathLike[str] | bytes | NDArray[Any]
Several = list[Any] | tuple[Any, ...]
Pictures = Picture | Several


def is_one(images: Pictures) -> bool:
    """Tell a picture from several: a list, a tuple, or an array (n, h, w, 3)."""
    return not isinstance(images, (list, tuple)) and np.ndim(images) != 4  # type: ignore[arg-type]


def as_several(images: Pictures) -> Sequence[Picture]:
    """One picture or several, as several."""
    return [images] if is_one(images) else images  # type: ignore[list-item, return-value]


def name_of(image: Picture, index: int) -> str:
    """What messages call a picture: its file, or its number."""
    return os.fspath(image) if isinstance(image, (str, os.PathLike)) else f"picture {index}"


def as_pictures(owner: str, images: Pictures) -> Iterator[NDArray[Any]]:
    """Read pictures one by one, as arrays (h, w, 3) of uint8 or floats from 0 to 255."""
    for index, image in enumerate(as_several(images)):
        if isinstance(image, (str, bytes, os.PathLike)):
            yield load_image(image)
        else:
            yield _check(f"{owner}: {name_of(image, index)}", image)


def _check(owner: str, image: Any) -> NDArray[Any]:
    """RGB of an array, or the reason why it is no picture."""
    picture = np.asarray(image)
    if picture.dtype != np.uint8 and picture.dtype.kind != "f":
        raise DTypeError(
            f"{owner}: expected a path, or an array of uint8 or floats, got "
            f"{type(image).__name__ if picture.dtype.kind in 'OU' else picture.dtype}"
        )
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or 0 in picture.shape:
        raise ShapeError(
            f"{owner}: expected shape (h, w, 3), (h, w, 1) or (h, w), nowhere 0, got "
            f"{np.shape(image)}"
        )
    if picture.dtype.kind == "f" and not (np.isfinite(picture).all() and picture.max() > 1):
        raise DTypeError(
            f"{owner}: expected RGB values from 0 to 255, got floats from {picture.min():g} to "
            f"{picture.max():g}"
        )
    return np.broadcast_to(picture, (*picture.shape[:2], 3))
