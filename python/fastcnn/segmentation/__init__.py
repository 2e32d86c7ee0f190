"""Segmentation: a class for every pixel.

Data sets of pictures and masks, weights of classes, a report of how well each class is found,
pictures of any size tile by tile, and backgrounds taken away. The networks are
`fastcnn.applications.UNet` and U2-Net; losses are in `fastcnn.losses`, drawing in
`fastcnn.visualize`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastcnn.segmentation.background import find_foreground, remove_background
    from fastcnn.segmentation.classes import (
        SegmentationReport,
        class_weights,
        evaluate,
        report,
    )
    from fastcnn.segmentation.datasets import MaskDataset, mask_dataset_from_directories
    from fastcnn.segmentation.tiles import iter_tiled, predict_tiled

__all__ = [
    "MaskDataset",
    "SegmentationReport",
    "class_weights",
    "evaluate",
    "find_foreground",
    "iter_tiled",
    "mask_dataset_from_directories",
    "predict_tiled",
    "remove_background",
    "report",
]

_MODULES = {
    "MaskDataset": "datasets",
    "SegmentationReport": "classes",
    "class_weights": "classes",
    "evaluate": "classes",
    "find_foreground": "background",
    "iter_tiled": "tiles",
    "mask_dataset_from_directories": "datasets",
    "predict_tiled": "tiles",
    "remove_background": "background",
    "report": "classes",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
