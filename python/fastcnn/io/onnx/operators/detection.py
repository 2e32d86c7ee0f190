"""What detectors need: RoiAlign, and NonMaxSuppression after the model has run."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn import ops
from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.values import Value


def roi_align(node: Node) -> Value:
    """Translate RoiAlign."""
    x, boxes, pictures = (node.input(i) for i in range(3))
    mode = node.attribute("mode", "avg")
    if mode not in ("avg", "max"):
        raise FileFormatError(f"mode: unknown {mode!r}")
    moved = "half_pixel" if node.opset >= 16 else "output_half_pixel"
    y = node.op(
        "roi_align", x.channels_last(), boxes.plain(),
        (node.attribute("output_height", 1), node.attribute("output_width", 1)),
        node.attribute("spatial_scale", 1.0), node.attribute("sampling_ratio", 0),
        node.attribute("coordinate_transformation_mode", moved) == "half_pixel",
        box_indices=pictures.plain(), mode=mode,
    )  # fmt: skip
    return node.pictures(y)


def non_max_suppression(node: Node) -> Value:
    """Translate NonMaxSuppression of boxes and scores that are known."""
    boxes, scores = node.constant(0), node.constant(1)
    if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.ndim != 3:
        raise FileFormatError(f"expected boxes and scores, got {boxes.shape} and {scores.shape}")
    if (scores.shape[0], scores.shape[2]) != boxes.shape[:2]:
        raise FileFormatError(f"scores {scores.shape} do not fit boxes {boxes.shape}")
    most, overlap, least = (node.numbers(i) for i in (2, 3, 4))
    limit = int(most[0]) if most else 0
    corners = _corners(boxes.astype(np.float32), bool(node.attribute("center_point_box", 0)))
    chosen: list[Any] = []
    for picture, its_scores in enumerate(scores.astype(np.float32)):
        for kind, of_class in enumerate(its_scores):
            kept = ops.nms(
                corners[picture], of_class, float(overlap[0]) if overlap else 0.0,
                score_threshold=float(least[0]) if least else None, max_output=max(0, limit),
            )  # fmt: skip
            chosen += [(picture, kind, index) for index in kept]
    return node.value(np.array(chosen, np.int64).reshape(-1, 3))


def _corners(boxes: Any, centered: bool) -> Any:
    """(x1, y1, x2, y2), each the smaller first."""
    if centered:
        half = boxes[..., 2:] / 2
        return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)
    ordered = np.sort(boxes.reshape(*boxes.shape[:-1], 2, 2), axis=-2)  # y, x of two corners
    return np.ascontiguousarray(ordered[..., ::-1].reshape(boxes.shape))
