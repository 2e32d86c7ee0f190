"""Boxes of detectors: their overlap, suppression of duplicates, conversions.

A box is (x1, y1, x2, y2) unless a function says otherwise; names and meanings follow torchvision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.errors import ConfigError, DTypeError, ShapeError, UnsupportedError
from fastcnn.ops._dispatch import apply_op, as_array
from fastcnn.ops._shape import as_ints, as_number

__all__ = [
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "complete_box_iou",
    "distance_box_iou",
    "generalized_box_iou",
    "nms",
    "remove_small_boxes",
    "soft_nms",
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


def _or_none(op: str, score_threshold: Any) -> float | None:
    if score_threshold is None:
        return None
    return as_number(op, "score_threshold", score_threshold)


def _cut(op: str, results: Any) -> Any:
    """The first `count` entries of an op's results, whose last one is the count."""
    *arrays, count = results
    if not isinstance(count, np.ndarray):
        raise UnsupportedError(
            f"{op}: the length of the result depends on the data, so it cannot be part of a model; "
            "apply it to what the model predicts"
        )
    return [a[: int(count[0])].copy() for a in arrays]


def nms(
    boxes: Any,
    scores: Any,
    iou_threshold: float = 0.5,
    *,
    score_threshold: float | None = None,
    max_output: int | None = None,
) -> Any:
    """Greedy non-maximum suppression: keep a box unless a kept one overlaps it more.

    Boxes are taken by decreasing score, equal scores by increasing index. The result is exactly
    that of comparing every pair, and the same on every machine.

    Parameters
    ----------
    boxes : array, float32, shape (n, 4)
    scores : array, float32, shape (n,)
        A box whose score is NaN is never kept.
    iou_threshold : float
        A box is dropped when its IoU with a kept box is greater.
    score_threshold : float, optional
        Only boxes of a greater score are looked at.
    max_output : int, optional
        Stop after so many boxes.

    Returns
    -------
    array, int64, shape (k,)
        Indices of the boxes kept, by decreasing score.

    Raises
    ------
    ShapeError
        If `boxes` is not of shape (n, 4) or `scores` not of shape (n,).
    ConfigError
        If `iou_threshold` is not in [0, 1], or `max_output` is negative.

    Examples
    --------
    >>> import fastcnn as fc
    >>> boxes = [[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]]
    >>> fc.ops.nms(boxes, [0.5, 0.9, 0.1])
    array([1, 2])
    """
    results = apply_op(
        "nms",
        [boxes, scores],
        iou_threshold=as_number("nms", "iou_threshold", iou_threshold),
        score_threshold=None
        if score_threshold is None
        else as_number("nms", "score_threshold", score_threshold),
        max_output=max_output,
    )
    return _cut("nms", results)[0]


def batched_nms(
    boxes: Any,
    scores: Any,
    idxs: Any,
    iou_threshold: float = 0.5,
    *,
    score_threshold: float | None = None,
    max_output: int | None = None,
) -> Any:
    """Non-maximum suppression within each class.

    Parameters
    ----------
    boxes, scores, iou_threshold, score_threshold
        As in `nms`.
    idxs : array of integers, shape (n,)
        The class of each box; boxes of different classes do not suppress each other.
    max_output : int, optional
        Keep so many boxes of all classes together: those of the highest scores.

    Returns
    -------
    array, int64, shape (k,)
        Indices of the boxes kept, by decreasing score.

    Raises
    ------
    ShapeError, ConfigError
        As in `nms`.
    DTypeError
        If `idxs` does not hold integers.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.batched_nms([[0, 0, 2, 2], [0, 0, 2, 2]], [0.9, 0.8], [0, 1])
    array([0, 1])
    """
    if not hasattr(idxs, "__fastcnn_apply__"):
        idxs = as_array(idxs, None)
        if idxs.dtype.kind == "f" and idxs.size:
            raise DTypeError(f"batched_nms: idxs: expected integers, got dtype {idxs.dtype}")
    results = apply_op(
        "nms",
        [boxes, scores, idxs],
        ["float32", "float32", "int64"],
        iou_threshold=as_number("batched_nms", "iou_threshold", iou_threshold),
        score_threshold=None
        if score_threshold is None
        else as_number("batched_nms", "score_threshold", score_threshold),
        max_output=max_output,
    )
    return _cut("batched_nms", results)[0]


def soft_nms(
    boxes: Any,
    scores: Any,
    iou_threshold: float = 0.3,
    *,
    sigma: float = 0.5,
    score_threshold: float = 0.001,
    method: str = "gaussian",
    max_output: int | None = None,
) -> Any:
    """Soft non-maximum suppression: overlapping boxes lose score instead of being dropped.

    Parameters
    ----------
    boxes, scores
        As in `nms`.
    iou_threshold : float
        ``"linear"`` only: boxes that overlap more lose score.
    sigma : float
        ``"gaussian"`` only: the larger, the gentler.
    score_threshold : float
        A box is dropped as soon as its score is not greater.
    method : {"gaussian", "linear"}
        Multiply scores by exp(-iou^2 / sigma), or by 1 - iou.
    max_output : int, optional
        Stop after so many boxes.

    Returns
    -------
    indices : array, int64, shape (k,)
        The boxes kept, by decreasing new score.
    scores : array, float32, shape (k,)
        Their new scores.

    Raises
    ------
    ShapeError, ConfigError
        As in `nms`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.soft_nms([[0, 0, 2, 2], [4, 4, 6, 6]], [0.5, 0.9])[0]
    array([1, 0])
    """
    results = apply_op(
        "soft_nms",
        [boxes, scores],
        iou_threshold=as_number("soft_nms", "iou_threshold", iou_threshold),
        sigma=as_number("soft_nms", "sigma", sigma),
        score_threshold=as_number("soft_nms", "score_threshold", score_threshold),
        method=method,
        max_output=max_output,
    )
    return tuple(_cut("soft_nms", results))


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


_FORMATS = ("xyxy", "xywh", "cxcywh")


def box_convert(boxes: Any, in_fmt: str, out_fmt: str) -> np.ndarray:
    """Convert boxes from one format to another.

    Parameters
    ----------
    boxes : array, shape (..., 4)
    in_fmt, out_fmt : {"xyxy", "xywh", "cxcywh"}
        Two corners; corner and size; centre and size.

    Returns
    -------
    array, float32, shape (..., 4)

    Raises
    ------
    ConfigError
        If a format is none of these.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.box_convert([0, 0, 2, 4], "xyxy", "cxcywh")
    array([1., 2., 2., 4.], dtype=float32)
    """
    b = _boxes("box_convert", boxes)
    for name, fmt in (("in_fmt", in_fmt), ("out_fmt", out_fmt)):
        if not isinstance(fmt, str) or fmt not in _FORMATS:
            raise ConfigError(f"box_convert: {name}: expected one of {_FORMATS}, got {fmt!r}")
    if in_fmt == out_fmt:
        return np.array(b)  # as it was, to the bit
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
    converted: np.ndarray = np.concatenate([low, high], axis=-1)
    return converted


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

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.clip_boxes_to_image([[-1, 2, 9, 5]], (4, 8))
    array([[0., 2., 8., 4.]], dtype=float32)
    """
    b = _boxes("clip_boxes_to_image", boxes)
    sizes = as_ints("clip_boxes_to_image", "size", size)
    if len(sizes) != 2:
        raise ConfigError(f"clip_boxes_to_image: size: expected (height, width), got {size!r}")
    h, w = sizes
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
