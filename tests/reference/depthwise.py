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


def _windows(
    x_shape: tuple[int, ...], size: tuple[int, int], out: tuple[int, int], attrs: dict[str, Any]
) -> tuple[Any, list[tuple[int, int, slice, slice]]]:
    """Padding of x, and for each tap the rows and columns of the padded x that it meets."""
    strides, dilation = _pair(attrs.get("strides", 1)), _pair(attrs.get("dilation", 1))
    extent = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    pads = resolve_padding(attrs, x_shape[1:3], extent, strides)
    taps = []
    for a in range(size[0]):
        for b in range(size[1]):
            top, left = a * dilation[0], b * dilation[1]
            rows = slice(top, top + (out[0] - 1) * strides[0] + 1, strides[0])
            columns = slice(left, left + (out[1] - 1) * strides[1] + 1, strides[1])
            taps.append((a, b, rows, columns))
    return ((0, 0), *pads, (0, 0)), taps


def weight_gradient(x: np.ndarray, dy: np.ndarray, **attrs: Any) -> np.ndarray:
    """Each tap's products of pixels and gradients summed up, in float64."""
    size = _pair(attrs.pop("kernel_size", 1))
    pads, taps = _windows(x.shape, size, dy.shape[1:3], attrs)
    x = np.pad(x.astype(np.float64), pads)
    dy = dy.reshape(*dy.shape[:3], x.shape[3], dy.shape[3] // x.shape[3]).astype(np.float64)
    dw = np.zeros((*size, *dy.shape[3:]))
    for a, b, rows, columns in taps:
        dw[a, b] = np.einsum("nijc,nijcm->cm", x[:, rows, columns], dy)
    return dw


def data_gradient(dy: np.ndarray, w: np.ndarray, **attrs: Any) -> np.ndarray:
    """Each tap's gradients spread over the pixels it met, in float64."""
    height, width = attrs.pop("size")
    shape = (dy.shape[0], height, width, w.shape[2])
    pads, taps = _windows(shape, w.shape[:2], dy.shape[1:3], attrs)
    dy = dy.reshape(*dy.shape[:3], *w.shape[2:]).astype(np.float64)
    dx = np.pad(np.zeros(shape), pads)
    for a, b, rows, columns in taps:
        dx[:, rows, columns] += (dy * w[a, b].astype(np.float64)).sum(-1)
    (top, _), (left, _) = pads[1:3]
    return dx[:, top : top + height, left : left + width]
