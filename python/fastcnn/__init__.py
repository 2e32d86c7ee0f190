"""Convolutional networks from NumPy: hand-written CPU kernels under a Keras-named Python layer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastcnn import activations, constraints, initializers, layers, ops, regularizers, saving
from fastcnn._random import set_random_seed
from fastcnn.autotune import TimingCache
from fastcnn.config import (
    get_autotune,
    get_float32_precision,
    get_num_threads,
    set_autotune,
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
    from fastcnn import applications, data, io, optimizers, utils
    from fastcnn.quantization import quantize

__all__ = [
    "Input",
    "KerasTensor",
    "Model",
    "Sequential",
    "TimingCache",
    "Variable",
    "activations",
    "applications",
    "constraints",
    "data",
    "get_autotune",
    "get_float32_precision",
    "get_num_threads",
    "initializers",
    "io",
    "layers",
    "load_model",
    "ops",
    "optimizers",
    "quantize",
    "regularizers",
    "saving",
    "set_autotune",
    "set_float32_precision",
    "set_num_threads",
    "set_random_seed",
    "show_config",
    "utils",
]

_LAZY = ("applications", "data", "io", "optimizers", "utils")  # imported when first used


def __getattr__(name: str) -> Any:
    if name == "quantize":
        from fastcnn.quantization import quantize

        return quantize
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, "quantize"})
