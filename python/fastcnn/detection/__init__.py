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
    from fastcnn.detection.detector import Detections, Detector
    from fastcnn.detection.heads import Head, decode, heads_from_anchors
    from fastcnn.detection.placement import Placement, letterbox, stretch
    from fastcnn.detection.suppression import suppress

__all__ = [
    "Detections",
    "Detector",
    "Head",
    "Placement",
    "decode",
    "heads_from_anchors",
    "letterbox",
    "stretch",
    "suppress",
]

_MODULES = {
    "Detections": "detector",
    "Detector": "detector",
    "Head": "heads",
    "Placement": "placement",
    "decode": "heads",
    "heads_from_anchors": "heads",
    "letterbox": "placement",
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
