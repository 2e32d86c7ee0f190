"""The functions of `fastcnn.ops` that leave out duplicates, under one roof."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks, ops

METHODS = ("hard", "soft", "soft_linear", "diou", "matrix", "wbf", "none")

Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def suppress(
    boxes: Any,
    scores: Any,
    labels: Any,
    method: str = "hard",
    iou_threshold: float = 0.45,
    score_threshold: float = 0.0,
    max_detections: int = 300,
) -> Found:
    """Leave out boxes that say what a better box of their class says.

    Parameters
    ----------
    boxes : array, float32, shape (n, 4)
    scores : array, float32, shape (n,)
    labels : array of integers, shape (n,)
    method : {"hard", "soft", "soft_linear", "diou", "matrix", "wbf", "none"}
        `fastcnn.ops.batched_nms`; `soft_nms`, gaussian or linear; `batched_nms` by distance IoU;
        `matrix_nms`; `weighted_boxes_fusion`; only the limits.
    iou_threshold, score_threshold : float
        What they take as such.
    max_detections : int
        How many are kept.

    Returns
    -------
    boxes : array, float32, shape (k, 4)
    scores : array, float32, shape (k,)
        Decreasing; new ones where the method makes some.
    labels : array, int64, shape (k,)

    Raises
    ------
    ConfigError, ShapeError, DTypeError
        An argument is out of its range.

    Examples
    --------
    >>> boxes = [[0, 0, 4, 4], [0, 0, 4, 5], [0, 0, 4, 4]]
    >>> suppress(boxes, [0.5, 0.9, 0.8], [0, 0, 1])[2].tolist()
    [0, 1]
    """
    _checks.one_of("suppress", "method", method, METHODS)
    boxes, scores = np.asarray(boxes, np.float32), np.asarray(scores, np.float32)
    labels = np.asarray(labels)
    limits: dict[str, Any] = {"score_threshold": score_threshold, "max_output": max_detections}
    if method == "wbf":
        found = ops.weighted_boxes_fusion(
            [boxes], [scores], [labels], iou_threshold=iou_threshold,
            score_threshold=score_threshold,
        )  # fmt: skip
        b, s, c = (part[:max_detections] for part in found)
        return b, s, c
    if method in ("hard", "diou", "none"):
        if method == "none":  # each box is a class of its own
            kept = ops.batched_nms(boxes, scores, np.arange(len(boxes)), **limits)
        else:
            kind = "diou" if method == "diou" else "iou"
            kept = ops.batched_nms(boxes, scores, labels, iou_threshold, kind=kind, **limits)
        new = scores[kept]
    elif method == "matrix":
        kept, new = ops.matrix_nms(boxes, scores, labels, **limits)
    else:
        decay = "linear" if method == "soft_linear" else "gaussian"
        kept, new = ops.soft_nms(
            boxes, scores, iou_threshold, idxs=labels, method=decay, **limits
        )  # fmt: skip
    return boxes[kept], new, labels[kept].astype(np.int64)
