"""Convolutional networks from NumPy: hand-written CPU kernels under a Keras-named Python layer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastcnn import (
    _C,
    activations,
    constraints,
    cuda,
    initializers,
    layers,
    ops,
    random,
    regularizers,
    saving,
)
from fastcnn._random import set_random_seed
from fastcnn.autotune import TimingCache
from fastcnn.config import (
    get_autotune,
    get_device,
    get_float32_precision,
    get_num_threads,
    set_autotune,
    set_device,
    set_float32_precision,
    set_num_threads,
    show_config,
)
from fastcnn.layers import Input
from fastcnn.model import Model
from fastcnn.saving import load_model
from fastcnn.sequential import Sequential
from fastcnn.symbolic import KerasTensor
from fastcnn.variable import Variable

if TYPE_CHECKING:
    from fastcnn import (
        applications,
        callbacks,
        data,
        detection,
        faces,
        io,
        losses,
        metrics,
        optimizers,
        segmentation,
        style,
        utils,
        visualize,
    )
    from fastcnn.quantization import quantize
    from fastcnn.training.gradients import value_and_grad

__all__ = [
    "Input",
    "KerasTensor",
    "Model",
    "Sequential",
    "TimingCache",
    "Variable",
    "activations",
    "applications",
    "callbacks",
    "constraints",
    "cuda",
    "data",
    "detection",
    "faces",
    "get_autotune",
    "get_device",
    "get_float32_precision",
    "get_num_threads",
    "initializers",
    "io",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "ops",
    "optimizers",
    "quantize",
    "random",
    "regularizers",
    "saving",
    "segmentation",
    "set_autotune",
    "set_device",
    "set_float32_precision",
    "set_num_threads",
    "set_random_seed",
    "show_config",
    "style",
    "utils",
    "value_and_grad",
    "visualize",
]

__version__ = _C.build_info()["version"]

# Imported when first used: modules, and functions with their modules.
_LAZY = (
    "applications",
    "callbacks",
    "data",
    "detection",
    "faces",
    "io",
    "losses",
    "metrics",
    "optimizers",
    "segmentation",
    "style",
    "utils",
    "visualize",
)
_LAZY_FUNCTIONS = {
    "quantize": "fastcnn.quantization",
    "value_and_grad": "fastcnn.training.gradients",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY_FUNCTIONS:
        return getattr(importlib.import_module(_LAZY_FUNCTIONS[name]), name)
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_LAZY_FUNCTIONS})
