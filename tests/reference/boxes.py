"""Overlap of boxes and suppression by their definitions; overlap in float64 and in float32."""

from __future__ import annotations

import numpy as np


def _area(b: np.ndarray) -> np.ndarray:
    zero = b.dtype.type(0)
    return np.maximum(b[..., 2] - b[..., 0], zero) * np.maximum(b[..., 3] - b[..., 1], zero)


def box_iou(
    boxes1: np.ndarray, boxes2: np.ndarray, *, kind: str = "iou", eps: float = 1e-7
) -> np.ndarray:
    """In the dtype of the boxes, each operation rounded in the contract's order."""
    a, b = boxes1[:, None], boxes2[None]
    low, high = np.minimum(a, b), np.maximum(a, b)
    with np.errstate(all="ignore"):
        inter = _area(np.concatenate([high[..., :2], low[..., 2:]], axis=-1))
        union = (_area(a) + _area(b)) - inter
        iou = np.where(union == 0, 0, inter / union)
        if kind == "iou":
            return iou
        box_hull = np.concatenate([low[..., :2], high[..., 2:]], axis=-1)
        if kind == "giou":
            hull = _area(box_hull)
            return iou - np.where(hull == 0, 0, (hull - union) / hull)
        size = np.maximum(box_hull[..., 2:] - box_hull[..., :2], 0)
        apart = (a[..., :2] + a[..., 2:]) / 2 - (b[..., :2] + b[..., 2:]) / 2
        diou = iou - (apart**2).sum(-1) / ((size**2).sum(-1) + eps)
        if kind == "diou":
            return diou
        sides = [np.maximum(x[..., 2:] - x[..., :2], 0) for x in (a, b)]
        angle = [np.arctan2(x[..., 0], x[..., 1]) for x in sides]
        v = 4 / np.pi**2 * (angle[0] - angle[1]) ** 2
        return diou - v * v / (1 - iou + v + eps)


def nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray | None = None,
    *,
    iou_threshold: float = 0.5,
    score_threshold: float | None = None,
    max_output: int | None = None,
    kind: str = "iou",
) -> list[int]:
    """The plain greedy loop over every pair, with float32 overlaps."""
    passing = scores == scores if score_threshold is None else scores > score_threshold
    order = [i for i in np.argsort(-scores, kind="stable") if passing[i]]
    kept: list[int] = []
    for i in order:
        if max_output is not None and len(kept) >= max_output:
            break
        rivals = kept if classes is None else [k for k in kept if classes[k] == classes[i]]
        # float32 overlaps against the threshold in float64
        overlap = box_iou(boxes[rivals], boxes[i : i + 1], kind=kind, eps=np.float32(1e-7))
        overlap = overlap.astype(np.float64)
        if not (overlap > iou_threshold).any():
            kept.append(int(i))
    return kept


def soft_nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    score_threshold: float = 0.001,
    method: str = "gaussian",
) -> tuple[list[int], list[float]]:
    """In float64: the order of nearly equal scores may differ from a float32 kernel's."""
    left = {i: float(s) for i, s in enumerate(scores) if s > score_threshold}
    overlap = box_iou(boxes.astype(np.float64), boxes.astype(np.float64))
    indices, values = [], []
    while left:
        top = max(left, key=lambda i: (left[i], -i))
        indices.append(top)
        values.append(left.pop(top))
        for i in left:
            iou = overlap[top, i]
            if method == "gaussian":
                left[i] *= float(np.exp(-(iou**2) / sigma))
            elif iou > iou_threshold:
                left[i] *= 1 - iou
        left = {i: s for i, s in left.items() if s > score_threshold}
    return indices, values
