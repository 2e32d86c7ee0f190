"""Files: weights and pictures.

The functions are imported on first use, so that ``import fastcnn`` stays fast and optional
packages are asked for only where they are needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastcnn.io.atomic import atomic_write
    from fastcnn.io.conversion import convert
    from fastcnn.io.darknet import load_darknet
    from fastcnn.io.dlib_files import load_dlib
    from fastcnn.io.images import image_size, load_image, save_image
    from fastcnn.io.inspection import inspect
    from fastcnn.io.keras import load_keras
    from fastcnn.io.masks import load_mask, save_mask
    from fastcnn.io.onnx import load_onnx
    from fastcnn.io.onnx_export import export_onnx
    from fastcnn.io.openface import load_openface
    from fastcnn.io.resize import center_crop, resize_image
    from fastcnn.io.safetensors_files import (
        load_safetensors,
        load_safetensors_metadata,
        save_safetensors,
    )
    from fastcnn.io.tensorflow.graphdef import load_graphdef
    from fastcnn.io.tensorflow.tfjs import load_tfjs
    from fastcnn.io.torch_files import load_torch
    from fastcnn.io.weights import load_weights_file

__all__ = [
    "atomic_write",
    "center_crop",
    "convert",
    "export_onnx",
    "image_size",
    "inspect",
    "load_darknet",
    "load_dlib",
    "load_graphdef",
    "load_image",
    "load_keras",
    "load_mask",
    "load_onnx",
    "load_openface",
    "load_safetensors",
    "load_safetensors_metadata",
    "load_tfjs",
    "load_torch",
    "load_weights_file",
    "resize_image",
    "save_image",
    "save_mask",
    "save_safetensors",
]

_MODULES = {
    "atomic_write": "atomic",
    "center_crop": "resize",
    "convert": "conversion",
    "inspect": "inspection",
    "load_darknet": "darknet",
    "load_dlib": "dlib_files",
    "load_graphdef": "tensorflow.graphdef",
    "export_onnx": "onnx_export",
    "image_size": "images",
    "load_image": "images",
    "load_keras": "keras",
    "load_mask": "masks",
    "load_onnx": "onnx",
    "load_openface": "openface",
    "load_safetensors": "safetensors_files",
    "load_safetensors_metadata": "safetensors_files",
    "load_tfjs": "tensorflow.tfjs",
    "load_torch": "torch_files",
    "load_weights_file": "weights",
    "resize_image": "resize",
    "save_image": "images",
    "save_mask": "masks",
    "save_safetensors": "safetensors_files",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
