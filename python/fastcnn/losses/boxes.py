"""Losses by how far predicted boxes overlap with true ones."""

from __future__ import annotations

import math
from typing import Any

from fastcnn import ops
from fastcnn._checks import one_of
from fastcnn.errors import ShapeError
from fastcnn.losses._tensors import pair

KINDS = ("iou", "giou", "diou", "ciou")


def generalized_box_iou_loss(y_true: Any, y_pred: Any, eps: float = 1e-7) -> Any:
    """One less the generalized IoU of each box and its prediction: boxes that are apart attract.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., 4)
        Boxes (x1, y1, x2, y2).
    eps : float, default 1e-7
        Added to the divisors.

    Returns
    -------
    array or Value, shape (...)
        From 0 to 2.

    References
    ----------
    H. Rezatofighi et al.: Generalized Intersection over Union: A Metric and a Loss for Bounding Box
    Regression. CVPR 2019.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.generalized_box_iou_loss([[0, 0, 1, 1]], [[3, 0, 4, 1]])
    array([1.5], dtype=float32)
    """
    return box_loss("giou", y_true, y_pred, eps)


def distance_box_iou_loss(y_true: Any, y_pred: Any, eps: float = 1e-7) -> Any:
    """One less the IoU, and the squared distance of the centres over that of the hull's corners.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., 4)
        Boxes (x1, y1, x2, y2).
    eps : float, default 1e-7
        Added to the divisors.

    Returns
    -------
    array or Value, shape (...)

    References
    ----------
    Z. Zheng et al.: Distance-IoU Loss: Faster and Better Learning for Bounding Box Regression. AAAI
    2020.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.distance_box_iou_loss([[0, 0, 2, 2]], [[2, 0, 4, 2]]).round(3)
    array([1.2], dtype=float32)
    """
    return box_loss("diou", y_true, y_pred, eps)


def complete_box_iou_loss(y_true: Any, y_pred: Any, eps: float = 1e-7) -> Any:
    """`distance_box_iou_loss` with a penalty for unlike proportions.

    The weight of the penalty counts as a constant where gradients are computed, as in the paper.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., 4)
        Boxes (x1, y1, x2, y2), of heights other than 0.
    eps : float, default 1e-7
        Added to the divisors.

    Returns
    -------
    array or Value, shape (...)

    References
    ----------
    Z. Zheng et al.: Distance-IoU Loss: Faster and Better Learning for Bounding Box Regression. AAAI
    2020.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.complete_box_iou_loss([[0, 0, 2, 2]], [[0, 0, 2, 4]]).round(3)
    array([0.553], dtype=float32)
    """
    return box_loss("ciou", y_true, y_pred, eps)


def box_loss(kind: str, y_true: Any, y_pred: Any, eps: float = 1e-7) -> Any:
    """One less the overlap of each box and its prediction, of one of `KINDS`."""
    one_of("box_loss", "kind", kind, KINDS)
    a, b = pair(f"{kind} loss", y_true, y_pred)
    if not a.shape or a.shape[-1] != 4:
        raise ShapeError(f"{kind} loss: expected boxes of shape (..., 4), got {tuple(a.shape)}")
    low_a, high_a, low_b, high_b = a[..., :2], a[..., 2:], b[..., :2], b[..., 2:]
    size_a, size_b = high_a - low_a, high_b - low_b
    common = ops.maximum(ops.minimum(high_a, high_b) - ops.maximum(low_a, low_b), 0.0)
    hull = ops.maximum(high_a, high_b) - ops.minimum(low_a, low_b)
    intersection = _product(common)
    union = _product(size_a) + _product(size_b) - intersection
    iou = intersection / (union + eps)
    loss = 1.0 - iou
    if kind == "iou":
        return loss
    if kind == "giou":
        area = _product(hull)
        return loss + (area - union) / (area + eps)
    apart = (low_a + high_a - low_b - high_b) * 0.5
    loss = loss + ops.sum(ops.square(apart), axis=-1) / (ops.sum(ops.square(hull), axis=-1) + eps)
    if kind == "diou":
        return loss
    unlike = ops.square(_angle(size_a) - _angle(size_b)) * (4.0 / math.pi**2)
    weight = ops.stop_gradient(unlike / (1.0 - iou + unlike + eps))
    return loss + weight * unlike


def _product(sizes: Any) -> Any:
    return sizes[..., 0] * sizes[..., 1]


def _angle(sizes: Any) -> Any:
    return ops.arctan(sizes[..., 0] / sizes[..., 1])
