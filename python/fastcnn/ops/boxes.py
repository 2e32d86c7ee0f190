"""Boxes of detectors: their overlap, areas, conversions.

A box is (x1, y1, x2, y2) unless a function says otherwise; names and meanings follow torchvision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.errors import ConfigError, ShapeError
from fastcnn.ops._dispatch import apply_op, as_array
from fastcnn.ops._shape import as_ints, as_number

__all__ = [
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "complete_box_iou",
    "distance_box_iou",
    "generalized_box_iou",
    "remove_small_boxes",
]


def box_iou(boxes1: Any, boxes2: Any) -> Any:
    """Intersection over union of every pair of boxes.

    Parameters
    ----------
    boxes1 : array, float32, shape (n, 4)
    boxes2 : array, float32, shape (m, 4)

    Returns
    -------
    array, float32, shape (n, m)
        0 for a box without area, also with itself; NaN where a coordinate is NaN.

    Raises
    ------
    ShapeError
        If an operand is not of shape (n, 4).

    Notes
    -----
    Areas are computed in float32: they must be from 1.2e-38 to 1.7e38, which squares of sides from
    1.1e-19 to 1.3e19 have. A smaller area loses digits and, smaller still, counts as none. Two
    boxes whose areas add up to more than 3.4e38, or one of which is infinite, have an IoU of 0 or
    NaN. What the other kinds of IoU compute of the hull must be in that range, too.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.box_iou([[0, 0, 2, 2]], [[0, 0, 2, 4], [5, 5, 6, 6]])
    array([[0.5, 0. ]], dtype=float32)
    """
    return apply_op("box_iou", [boxes1, boxes2], kind="iou")


def generalized_box_iou(boxes1: Any, boxes2: Any) -> Any:
    """Generalized IoU: less the share of the hull of both boxes that neither covers.

    Parameters
    ----------
    boxes1, boxes2
        As in `box_iou`.

    Returns
    -------
    array, float32, shape (n, m)
        In [-1, 1].

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.generalized_box_iou([[0, 0, 1, 1]], [[3, 0, 4, 1]])
    array([[-0.5]], dtype=float32)
    """
    return apply_op("box_iou", [boxes1, boxes2], kind="giou")


def distance_box_iou(boxes1: Any, boxes2: Any, eps: float = 1e-7) -> Any:
    """Distance IoU: less the squared distance of the centres over the squared hull's diagonal.

    Parameters
    ----------
    boxes1, boxes2
        As in `box_iou`.
    eps : float
        Added to the denominator.

    Returns
    -------
    array, float32, shape (n, m)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.distance_box_iou([[0, 0, 2, 2]], [[2, 0, 4, 2]]).round(3)
    array([[-0.2]], dtype=float32)
    """
    return apply_op(
        "box_iou", [boxes1, boxes2], kind="diou", eps=as_number("distance_box_iou", "eps", eps)
    )


def complete_box_iou(boxes1: Any, boxes2: Any, eps: float = 1e-7) -> Any:
    """Complete IoU: distance IoU less a penalty for unlike proportions.

    Parameters
    ----------
    boxes1, boxes2
        As in `box_iou`.
    eps : float
        Added to the denominators.

    Returns
    -------
    array, float32, shape (n, m)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.complete_box_iou([[0, 0, 2, 2]], [[0, 0, 2, 2]]).round(3)
    array([[1.]], dtype=float32)
    """
    return apply_op(
        "box_iou", [boxes1, boxes2], kind="ciou", eps=as_number("complete_box_iou", "eps", eps)
    )


def _boxes(name: str, boxes: Any) -> np.ndarray:
    array = as_array(boxes)
    if array.ndim == 0 or array.shape[-1] != 4:
        raise ShapeError(f"{name}: boxes must have shape (..., 4), got {array.shape}")
    return array


def box_area(boxes: Any) -> np.ndarray:
    """Areas of boxes; 0 where a box ends before it starts.

    Parameters
    ----------
    boxes : array, shape (..., 4)

    Returns
    -------
    array, float32, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.box_area([[0, 0, 2, 3], [1, 1, 0, 0]])
    array([6., 0.], dtype=float32)
    """
    b = _boxes("box_area", boxes)
    area: np.ndarray = np.maximum(b[..., 2] - b[..., 0], 0) * np.maximum(b[..., 3] - b[..., 1], 0)
    return area


_FORMATS = ("xyxy", "xywh", "cxcywh", "rel_xyxy", "rel_xywh", "rel_cxcywh")


def box_convert(
    boxes: Any, in_fmt: str, out_fmt: str, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Convert boxes from one format to another.

    Parameters
    ----------
    boxes : array, shape (..., 4)
    in_fmt, out_fmt : {"xyxy", "xywh", "cxcywh", "rel_xyxy", "rel_xywh", "rel_cxcywh"}
        Two corners; corner and size; centre and size; with ``rel_`` in shares of the picture's
        width and height, as Keras calls it, else in pixels.
    size : (int, int), optional
        Height and width of the picture, where one format is relative and the other is not.

    Returns
    -------
    array, float32, shape (..., 4)

    Raises
    ------
    ConfigError
        If a format is none of these, or `size` is needed and is no positive size.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.box_convert([0, 0, 2, 4], "xyxy", "cxcywh")
    array([1., 2., 2., 4.], dtype=float32)
    >>> fc.ops.box_convert([0.5, 0.5, 0.25, 1], "rel_cxcywh", "xyxy", size=(100, 80))
    array([ 30.,   0.,  50., 100.], dtype=float32)
    """
    b = _boxes("box_convert", boxes)
    for name, fmt in (("in_fmt", in_fmt), ("out_fmt", out_fmt)):
        if not isinstance(fmt, str) or fmt not in _FORMATS:
            raise ConfigError(f"box_convert: {name}: expected one of {_FORMATS}, got {fmt!r}")
    if in_fmt == out_fmt:
        return np.array(b)  # as it was, to the bit
    in_relative, out_relative = in_fmt.startswith("rel_"), out_fmt.startswith("rel_")
    if in_relative != out_relative:
        if size is None:
            raise ConfigError(f"box_convert: {in_fmt} to {out_fmt} needs the picture's size")
        h, w = _picture_size("box_convert", size, 1)
        sides = np.array([w, h, w, h], np.float32)
        b = b * sides if in_relative else b / sides
    return _rearranged(b, in_fmt.removeprefix("rel_"), out_fmt.removeprefix("rel_"))


def _rearranged(b: np.ndarray, in_fmt: str, out_fmt: str) -> np.ndarray:
    if in_fmt == out_fmt:
        return b
    a, c = b[..., :2], b[..., 2:]
    if in_fmt == "xywh":
        low, high = a, a + c
    elif in_fmt == "cxcywh":
        low, high = a - c / 2, a + c / 2
    else:
        low, high = a, c
    if out_fmt == "xywh":
        low, high = low, high - low
    elif out_fmt == "cxcywh":
        low, high = (low + high) / 2, high - low
    return np.concatenate([low, high], axis=-1)


def _picture_size(function: str, size: Any, at_least: int) -> tuple[int, int]:
    sizes = as_ints(function, "size", size)
    if len(sizes) != 2 or min(sizes) < at_least:
        raise ConfigError(
            f"{function}: size: expected (height, width), each >= {at_least}, got {size!r}"
        )
    return sizes[0], sizes[1]


def clip_boxes_to_image(boxes: Any, size: tuple[int, int]) -> np.ndarray:
    """Move what lies outside a picture onto its border.

    Parameters
    ----------
    boxes : array, shape (..., 4)
    size : (int, int)
        Height and width of the picture.

    Returns
    -------
    array, float32, shape (..., 4)

    Raises
    ------
    ConfigError
        If `size` is no size.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.clip_boxes_to_image([[-1, 2, 9, 5]], (4, 8))
    array([[0., 2., 8., 4.]], dtype=float32)
    """
    b = _boxes("clip_boxes_to_image", boxes)
    h, w = _picture_size("clip_boxes_to_image", size, 0)
    clipped: np.ndarray = np.clip(b, 0, np.array([w, h, w, h], dtype=np.float32))
    return clipped


def remove_small_boxes(boxes: Any, min_size: float) -> np.ndarray:
    """Find the boxes whose sides are both at least `min_size`.

    Parameters
    ----------
    boxes : array, shape (n, 4)
    min_size : float

    Returns
    -------
    array, int64, shape (k,)
        Their indices.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.remove_small_boxes([[0, 0, 1, 9], [0, 0, 5, 9]], 2)
    array([1])
    """
    b = _boxes("remove_small_boxes", boxes)
    if b.ndim != 2:
        raise ShapeError(f"remove_small_boxes: boxes must have shape (n, 4), got {b.shape}")
    min_size = as_number("remove_small_boxes", "min_size", min_size)
    large = (b[:, 2] - b[:, 0] >= min_size) & (b[:, 3] - b[:, 1] >= min_size)
    return np.flatnonzero(large).astype(np.int64)
