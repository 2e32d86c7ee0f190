"""Convolution by its definition, and transposed convolution as what spreads each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.pooling import _pair, resolve_padding


def conv2d(x: np.ndarray, w: np.ndarray, **attrs: Any) -> np.ndarray:
    """The sums alone, in float64, without bias, residual and activation."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    strides, dilation = _pair(attrs.get("strides", 1)), _pair(attrs.get("dilation", 1))
    groups = attrs.get("groups", 1)
    extent = tuple((k - 1) * d + 1 for k, d in zip(w.shape[:2], dilation, strict=True))
    pads = resolve_padding(attrs, x.shape[1:3], extent, strides)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    oh, ow = ((n - e) // s + 1 for n, e, s in zip(padded.shape[1:3], extent, strides, strict=True))
    channels, filters = x.shape[3] // groups, w.shape[3] // groups
    y = np.zeros((x.shape[0], oh, ow, w.shape[3]))
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            top, left = a * dilation[0], b * dilation[1]
            pixels = padded[
                :,
                top : top + (oh - 1) * strides[0] + 1 : strides[0],
                left : left + (ow - 1) * strides[1] + 1 : strides[1],
            ]
            for g in range(groups):
                inputs = slice(g * channels, (g + 1) * channels)
                outputs = slice(g * filters, (g + 1) * filters)
                y[..., outputs] += pixels[..., inputs] @ w[a, b, :, outputs]
    return y


def _transpose_axis(
    n: int, k: int, s: int, d: int, padding: str | tuple[int, int], extra: int | None
) -> tuple[int, int]:
    """(pixels cut off before, size of the result) along one axis."""
    e = (k - 1) * d + 1
    full = (n - 1) * s + e
    if padding == "valid":
        return 0, (n - 1) * s + max(e, s) if extra is None else full + extra
    if padding == "same":
        size = n * s if extra is None else (n - 1) * s + e % 2 + extra
        return max(0, full - size) // 2, size
    before, after = padding
    return before, full - before - after + (extra or 0)


def conv2d_transpose(x: np.ndarray, w: np.ndarray, **attrs: Any) -> np.ndarray:
    """The sums alone, in float64, without bias, residual and activation."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    strides, dilation = _pair(attrs.get("strides", 1)), _pair(attrs.get("dilation", 1))
    groups = attrs.get("groups", 1)
    extra = attrs.get("output_padding")
    extras = (None, None) if extra is None else _pair(extra)
    top, bottom, left, right = attrs.get("pads", (0, 0, 0, 0))
    word = None if "pads" in attrs else attrs.get("padding", "valid")
    cuts_and_sizes = [
        _transpose_axis(
            x.shape[1 + i], w.shape[i], strides[i], dilation[i], word or pads, extras[i]
        )
        for i, pads in ((0, (top, bottom)), (1, (left, right)))
    ]
    (cut_h, oh), (cut_w, ow) = cuts_and_sizes
    filters, channels = w.shape[2], x.shape[3] // groups
    n, h, width = x.shape[:3]
    # Long enough for everything that is spread and everything that is asked for.
    full = np.zeros(
        (
            n,
            max(cut_h + oh, (h - 1) * strides[0] + (w.shape[0] - 1) * dilation[0] + 1),
            max(cut_w + ow, (width - 1) * strides[1] + (w.shape[1] - 1) * dilation[1] + 1),
            filters * groups,
        )
    )
    for a in range(w.shape[0]):
        for b in range(w.shape[1]):
            rows = slice(a * dilation[0], a * dilation[0] + (h - 1) * strides[0] + 1, strides[0])
            cols = slice(
                b * dilation[1], b * dilation[1] + (width - 1) * strides[1] + 1, strides[1]
            )
            for g in range(groups):
                inputs = slice(g * channels, (g + 1) * channels)
                outputs = slice(g * filters, (g + 1) * filters)
                full[:, rows, cols, outputs] += x[..., inputs] @ w[a, b, :, inputs].T
    return full[:, cut_h : cut_h + oh, cut_w : cut_w + ow]


def conv2d_weight_gradient(x: np.ndarray, dy: np.ndarray, **attrs: Any) -> np.ndarray:
    """Each tap's products of pixels and gradients summed up, in float64."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    strides, dilation = _pair(attrs.get("strides", 1)), _pair(attrs.get("dilation", 1))
    size, groups = _pair(attrs.get("kernel_size", 1)), attrs.get("groups", 1)
    extent = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    pads = resolve_padding(attrs, x.shape[1:3], extent, strides)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    oh, ow = dy.shape[1:3]
    channels, filters = x.shape[3] // groups, dy.shape[3] // groups
    dw = np.zeros((*size, channels, dy.shape[3]))
    for a in range(size[0]):
        for b in range(size[1]):
            top, left = a * dilation[0], b * dilation[1]
            pixels = padded[
                :,
                top : top + (oh - 1) * strides[0] + 1 : strides[0],
                left : left + (ow - 1) * strides[1] + 1 : strides[1],
            ]
            for g in range(groups):
                inputs = slice(g * channels, (g + 1) * channels)
                outputs = slice(g * filters, (g + 1) * filters)
                dw[a, b, :, outputs] = np.tensordot(
                    pixels[..., inputs], dy[..., outputs], axes=((0, 1, 2), (0, 1, 2))
                )
    return dw
