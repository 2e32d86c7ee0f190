"""The background taken away: U2-Net finds what a picture is of.

X. Qin, Z. Zhang, C. Huang, M. Dehghan, O. R. Zaiane, M. Jagersand: U2-Net: Going Deeper with Nested
U-Structure for Salient Object Detection. Pattern Recognition 106, 2020.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree
from fastcnn._checks import number
from fastcnn.applications.imagenet import preprocess_input
from fastcnn.applications.pretrained import find
from fastcnn.errors import DTypeError, ShapeError
from fastcnn.io.onnx import load_onnx
from fastcnn.io.resize import resize_image
from fastcnn.model import Model

__all__ = ["find_foreground", "remove_background"]

_SIZE = 320  # the side of the pictures that U2-Net was trained with

# Below this the network has seen nothing that stands out.
_FAINTEST = 0.1


@functools.lru_cache(maxsize=1)
def u2netp() -> Model:
    """Load the small U2-Net's published weights, once."""
    return load_onnx(find("u2netp"))


def find_foreground(image: Any, model: Model | None = None) -> NDArray[np.float32]:
    """Tell of each pixel how much it belongs to what the picture is of.

    Parameters
    ----------
    image : array, uint8, shape (h, w, 3)
    model : Model, optional
        A U2-Net, from (1, 320, 320, 3) to maps of one channel from 0 to 1, of which the first
        counts; the small one of the pretrained weights "u2netp" unless given.

    Returns
    -------
    numpy.ndarray
        float32 of shape (h, w), 0 to 1. The largest value is 1, unless nothing stands out.

    Raises
    ------
    DTypeError, ShapeError
        `image` is no such picture.
    MissingWeightsError
        The weights are not on this machine; the message tells how to get them.

    Examples
    --------
    >>> import fastcnn as fc
    >>> alpha = fc.segmentation.find_foreground(fc.io.load_image("cat.jpg"))  # doctest: +SKIP
    """
    picture = np.asarray(image)
    if picture.dtype != np.uint8:
        raise DTypeError(f"find_foreground: expected a picture of uint8, got {picture.dtype}")
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ShapeError(f"find_foreground: expected a picture (h, w, 3), got {picture.shape}")
    network = u2netp() if model is None else model
    small = resize_image(picture, (_SIZE, _SIZE), "lanczos")
    # As in training: the brightest level is white.
    bright = small * np.float32(255 / max(int(small.max()), 1))
    maps = _tree.flatten(network(preprocess_input(bright, "torch")[None]))
    alpha = np.asarray(maps[0][0, :, :, 0], np.float32)
    low, high = float(alpha.min()), float(alpha.max())
    if high > max(_FAINTEST, low):
        alpha = (alpha - low) / (high - low)
    # Bicubic keeps edges as narrow as the network found them. A guided filter (He and Sun, 2015)
    # was tried: following the picture's edges, it left halos.
    return np.clip(resize_image(alpha, picture.shape[:2], "bicubic"), 0, 1)


def remove_background(
    image: Any,
    model: Model | None = None,
    *,
    background: Any = None,
    threshold: float | None = None,
) -> NDArray[np.uint8]:
    """Cut out what a picture is of.

    Parameters
    ----------
    image : array, uint8, shape (h, w, 3)
    model
        As of `find_foreground`.
    background : (int, int, int), optional
        A colour to put behind, 0 to 255; transparent unless given.
    threshold : float, optional
        Cut hard, where the map reaches this; edges are soft unless given.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (h, w, 4), whose last channel is the opacity; (h, w, 3) with a background.

    Raises
    ------
    DTypeError, ShapeError, ConfigError, MissingWeightsError
        As `find_foreground`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> cut = fc.segmentation.remove_background(fc.io.load_image("cat.jpg"))  # doctest: +SKIP
    >>> fc.io.save_image("cat.png", cut)  # doctest: +SKIP
    """
    alpha = find_foreground(image, model)
    if threshold is not None:
        threshold = number("remove_background", "threshold", threshold, 0, 1)
        alpha = (alpha >= threshold).astype(np.float32)
    picture = np.asarray(image)
    if background is None:
        return np.dstack([picture, np.rint(alpha * 255).astype(np.uint8)])
    colour = np.asarray(background, np.float32)
    if colour.shape != (3,) or not ((colour >= 0) & (colour <= 255)).all():
        raise ShapeError(
            "remove_background: background: expected three levels from 0 to 255, got "
            f"{background!r}"
        )
    return np.rint(colour + alpha[..., None] * (picture - colour)).astype(np.uint8)
