"""Convolutional networks from NumPy: hand-written CPU kernels under a Keras-named Python layer."""

from fastcnn import ops
from fastcnn.config import (
    get_float32_precision,
    get_num_threads,
    set_float32_precision,
    set_num_threads,
    show_config,
)

__all__ = [
    "get_float32_precision",
    "get_num_threads",
    "ops",
    "set_float32_precision",
    "set_num_threads",
    "show_config",
]
