"""Objects in pictures: what detectors' outputs mean, and boxes, scores and classes made of them.

Examples
--------
>>> import fastcnn as fc
>>> model = fc.applications.TinyYOLOv2(classes=3, input_shape=(64, 64, 3))
>>> model.heads[0].classes, model.output_shape
(3, (None, 2, 2, 40))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastcnn.detection.anchors import anchor_kmeans
    from fastcnn.detection.augmentation import Augmentation
    from fastcnn.detection.callbacks import MeanAveragePrecision, detect_examples
    from fastcnn.detection.coco import load_coco
    from fastcnn.detection.dataset import DetectionDataset
    from fastcnn.detection.detector import Detections, Detector
    from fastcnn.detection.evaluation import (
        ClassPrecision,
        COCOResult,
        VOCResult,
        evaluate_coco,
        evaluate_voc,
    )
    from fastcnn.detection.examples import Example, Examples
    from fastcnn.detection.heads import Head, decode, heads_from_anchors
    from fastcnn.detection.losses import YOLOLoss
    from fastcnn.detection.placement import Placement, letterbox, stretch
    from fastcnn.detection.suppression import suppress
    from fastcnn.detection.targets import TargetEncoder
    from fastcnn.detection.voc import load_voc
    from fastcnn.detection.yolo import load_yolo

__all__ = [
    "Augmentation",
    "COCOResult",
    "ClassPrecision",
    "DetectionDataset",
    "Detections",
    "Detector",
    "Example",
    "Examples",
    "Head",
    "MeanAveragePrecision",
    "Placement",
    "TargetEncoder",
    "VOCResult",
    "YOLOLoss",
    "anchor_kmeans",
    "decode",
    "detect_examples",
    "evaluate_coco",
    "evaluate_voc",
    "heads_from_anchors",
    "letterbox",
    "load_coco",
    "load_voc",
    "load_yolo",
    "stretch",
    "suppress",
]

_MODULES = {
    "Augmentation": "augmentation",
    "COCOResult": "evaluation",
    "ClassPrecision": "evaluation",
    "DetectionDataset": "dataset",
    "Detections": "detector",
    "Detector": "detector",
    "Example": "examples",
    "Examples": "examples",
    "Head": "heads",
    "MeanAveragePrecision": "callbacks",
    "Placement": "placement",
    "TargetEncoder": "targets",
    "VOCResult": "evaluation",
    "YOLOLoss": "losses",
    "anchor_kmeans": "anchors",
    "decode": "heads",
    "detect_examples": "callbacks",
    "evaluate_coco": "evaluation",
    "evaluate_voc": "evaluation",
    "heads_from_anchors": "heads",
    "letterbox": "placement",
    "load_coco": "coco",
    "load_voc": "voc",
    "load_yolo": "yolo",
    "stretch": "placement",
    "suppress": "suppression",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
