"""Mixtures of neighbours along an axis, and the weights that resizing mixes them with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import ConfigError
from fastcnn.ops._dispatch import apply_op
from fastcnn.ops._shape import normalize_axis, shape_of

__all__ = ["resample"]

Taps = tuple[NDArray[np.int64], NDArray[np.float32]]


def resample(x: Any, indices: Any, weights: Any, axis: int) -> Any:
    """Make every element along an axis a mixture of a few: any resizing filter is one per axis.

    Element i of the result is the sum over k of ``weights[i, k]`` times element ``indices[i, k]``.

    Parameters
    ----------
    x : array, float32
    indices : array of integers, shape (m, taps)
        One outside the axis adds nothing.
    weights : array, float32, shape (m, taps)
    axis : int

    Returns
    -------
    array, float32
        Of x's shape, m elements long along the axis.

    Raises
    ------
    ShapeError
        If there is not a weight for each index.
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.resample([1.0, 2.0, 9.0], [[0, 1], [1, 2]], [[0.5, 0.5], [0.0, 1.0]], axis=0)
    array([1.5, 9. ], dtype=float32)
    """
    axis = normalize_axis("resample", axis, len(shape_of(x)))
    if not hasattr(indices, "__fastcnn_apply__"):
        indices = np.asarray(indices)
    return apply_op("resample", [x, indices, weights], ["float32", "int64", "float32"], axis=axis)


def positions(
    coordinate: str,
    size: int,
    outputs: int,
    scale: float,
    region: tuple[float, float] = (0.0, 1.0),
) -> NDArray[np.float64]:
    """Find where each of `outputs` elements lies in an axis of `size`, with ONNX's words.

    `scale` is how many outputs there are for an element; `region` is what tf_crop_and_resize cuts
    out, as shares of the axis.
    """
    i = np.arange(outputs, dtype=np.float64)
    length = scale * size  # of the result, before it was made whole
    match coordinate:
        case "half_pixel":
            return (i + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (i + 0.5) / scale - 0.5 if outputs > 1 else np.full(1, -0.5)
        case "half_pixel_symmetric":
            return size / 2 * (1 - outputs / length) + (i + 0.5) / scale - 0.5
        case "align_corners":
            return i * ((size - 1) / (length - 1)) if length != 1 else np.zeros(outputs)
        case "asymmetric":
            return i / scale
        case "tf_crop_and_resize":
            first, last = (edge * (size - 1) for edge in region)
            if length == 1:
                return np.full(outputs, (first + last) / 2)
            return first + i * ((last - first) / (length - 1))
    raise ConfigError(f"resize: coordinate: expected a word of ONNX's Resize, got {coordinate!r}")


def filter_taps(
    at: NDArray[np.float64],
    size: int,
    interpolation: str,
    *,
    scale: float = 1.0,
    cubic: float = -0.75,
    exclude_outside: bool = False,
) -> Taps:
    """Find what elements at positions `at` mix of an axis of `size` elements, for `resample`.

    Parameters
    ----------
    at : array
    size : int
    interpolation : {"bilinear", "bicubic"}
    scale : float
        Less than 1: the filter is so much wider, against aliasing.
    cubic : float
        The slope that bicubic filters have at 1.
    exclude_outside : bool
        Whether what lies outside has no weight; it is the nearest element otherwise.
    """
    reach = {"bilinear": 1, "bicubic": 2}[interpolation]
    first = math.floor(-reach / scale) + 1
    base = np.ceil(at) - 1
    near = base[:, None] + np.arange(first, 2 - first)
    distance = np.abs(near - at[:, None]) * scale
    if reach == 1:
        weights = np.clip(1 - distance, 0, 1)
    else:
        d = distance
        inner = ((cubic + 2) * d - (cubic + 3)) * d * d + 1
        outer = ((cubic * d - 5 * cubic) * d + 8 * cubic) * d - 4 * cubic
        weights = np.where(d <= 1, inner, np.where(d < 2, outer, 0.0))
    if exclude_outside:
        weights = np.where((near >= 0) & (near < size), weights, 0.0)
    weights = weights / weights.sum(axis=1, keepdims=True)
    index = np.clip(near, 0, size - 1).astype(np.int64)
    # What has no weight is not looked at: a NaN there is none of the result's.
    largest = np.take_along_axis(index, np.abs(weights).argmax(axis=1)[:, None], axis=1)
    return np.where(weights == 0, largest, index), weights.astype(np.float32)


def resized(
    x: Any, size: tuple[int, int], interpolation: str, coordinate: str, antialias: bool
) -> Any:
    """`fastcnn.ops.resize` where filters of any width are asked for."""
    for axis, outputs in zip((1, 2), size, strict=True):
        length = shape_of(x)[axis]
        scale = outputs / length
        taps = filter_taps(
            positions(coordinate, length, outputs, scale),
            length,
            interpolation,
            scale=min(1.0, scale) if antialias else 1.0,
            cubic=-0.5 if antialias else -0.75,
            exclude_outside=antialias,
        )
        x = resample(x, *taps, axis)
    return x
