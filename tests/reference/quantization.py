"""Codes of 8 bits in exact integers and float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.convolution import conv2d
from tests.reference.depthwise import depthwise_sum


def quantize(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Codes of numbers; what lies between two codes to within rounding may be either."""
    with np.errstate(invalid="ignore"):
        codes = np.round(np.asarray(x, np.float64) / scale + zero_point)
    return np.where(np.isnan(codes), 0, np.clip(codes, 0, 255)).astype(np.uint8)


def quantize_weights(w: np.ndarray, channel_axes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric codes of the channels of a kernel, and their scales."""
    axes = tuple(range(w.ndim - channel_axes))
    largest = np.abs(w).max(axis=axes, initial=0).astype(np.float32)
    scale = np.where(largest > 0, largest / np.float32(127), np.float32(1))
    codes = np.clip(np.round(w.astype(np.float64) / scale), -127, 127).astype(np.int8)
    return codes, scale.reshape(-1)


def conv2d_int8_sums(x: np.ndarray, w: np.ndarray, zero_point: int, **window: Any) -> np.ndarray:
    """The sums of integers, exact in float64."""
    return conv2d(x.astype(np.float64) - zero_point, w.astype(np.float64), **window)


def depthwise_conv2d_int8_sums(
    x: np.ndarray, w: np.ndarray, zero_point: int, **window: Any
) -> np.ndarray:
    """The sums of integers, exact in float64."""
    return depthwise_sum(x.astype(np.float64) - zero_point, w.astype(np.float64), **window)
