"""Depthwise convolution by its definition, and the activations of an epilogue."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.pooling import _pair, resolve_padding


def activate(y: np.ndarray, name: str = "linear", alpha: float | None = None) -> np.ndarray:
    """The activations that may end a product, by their Keras names."""
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-y))
        elu = np.where(y < 0, (1.0 if alpha is None else alpha) * np.expm1(np.minimum(y, 0)), y)
    return {
        "linear": y,
        "relu": np.maximum(y, 0),
        "relu6": np.clip(y, 0, 6),
        "leaky_relu": np.where(y < 0, (0.2 if alpha is None else alpha) * y, y),
        "elu": elu,
        "sigmoid": sigmoid,
        "hard_sigmoid": np.clip(y / 6 + 0.5, 0, 1),
        "tanh": np.tanh(y),
        "silu": y * sigmoid,
        "hard_swish": y * np.clip(y / 6 + 0.5, 0, 1),
    }[name]


def depthwise_sum(x: np.ndarray, w: np.ndarray, **attrs: Any) -> np.ndarray:
    """The sums before bias, residual and activation."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    kh, kw, c, m = w.shape
    strides, dilation = _pair(attrs.get("strides", 1)), _pair(attrs.get("dilation", 1))
    extent = ((kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1)
    pads = resolve_padding(attrs, x.shape[1:3], extent, strides)
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    oh = (x.shape[1] - extent[0]) // strides[0] + 1
    ow = (x.shape[2] - extent[1]) // strides[1] + 1
    y = np.zeros((x.shape[0], oh, ow, c, m))
    for a in range(kh):
        for b in range(kw):
            top, left = a * dilation[0], b * dilation[1]
            bottom, right = top + (oh - 1) * strides[0] + 1, left + (ow - 1) * strides[1] + 1
            pixels = x[:, top : bottom : strides[0], left : right : strides[1]]
            y += pixels[..., None] * w[a, b]
    return y.reshape(*y.shape[:3], c * m)
