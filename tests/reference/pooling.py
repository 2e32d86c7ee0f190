"""Pooling by its definition: a list of windows' pixels, then max or mean of them."""

from __future__ import annotations

from typing import Any

import numpy as np


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def resolve_padding(
    attrs: dict[str, Any], size: tuple[int, int], window: tuple[int, int], strides: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """((top, bottom), (left, right)) of an op's padding attributes."""
    if "pads" in attrs:
        top, bottom, left, right = attrs["pads"]
        return (top, bottom), (left, right)
    if attrs.get("padding", "valid") == "valid":
        return (0, 0), (0, 0)
    both = []
    for n, k, s in zip(size, window, strides, strict=True):
        total = max(0, (-(-n // s) - 1) * s + k - n)
        both.append((total // 2, total - total // 2))
    return both[0], both[1]


def _axis_windows(
    n: int, k: int, s: int, d: int, pad: tuple[int, int], ceil_mode: bool
) -> list[tuple[list[int], int]]:
    """For each output: its window's input indices, and how many positions padding makes of them."""
    extent = (k - 1) * d + 1
    room = n + pad[0] + pad[1] - extent
    count = room // s + 1
    if ceil_mode and room % s and count * s < n + pad[0]:
        count += 1
    windows = []
    for o in range(count):
        positions = [o * s - pad[0] + i * d for i in range(k)]
        inside = [p for p in positions if 0 <= p < n]
        windows.append((inside, sum(p < n + pad[1] for p in positions)))
    return windows


def _windows(x: np.ndarray, attrs: dict[str, Any]) -> Any:
    size = _pair(attrs.get("pool_size", 2))
    strides = _pair(attrs.get("strides", size))
    dilation = _pair(attrs.get("dilation", 1))
    extent = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    pads = resolve_padding(attrs, x.shape[1:3], extent, strides)
    ceil_mode = attrs.get("ceil_mode", False)
    return [
        _axis_windows(x.shape[1 + i], size[i], strides[i], dilation[i], pads[i], ceil_mode)
        for i in (0, 1)
    ]


def max_pool2d(x: np.ndarray, **attrs: Any) -> np.ndarray:
    rows, cols = _windows(x, attrs)
    y = np.full((x.shape[0], len(rows), len(cols), x.shape[3]), -np.inf)
    for i, (h, _) in enumerate(rows):
        for j, (w, _) in enumerate(cols):
            if h and w:
                y[:, i, j] = x[:, h][:, :, w].astype(np.float64).max(axis=(1, 2))
    return y


def avg_pool2d(x: np.ndarray, *, count_include_pad: bool = False, **attrs: Any) -> np.ndarray:
    rows, cols = _windows(x, attrs)
    y = np.zeros((x.shape[0], len(rows), len(cols), x.shape[3]))
    for i, (h, padded_h) in enumerate(rows):
        for j, (w, padded_w) in enumerate(cols):
            count = padded_h * padded_w if count_include_pad else len(h) * len(w)
            if h and w:
                y[:, i, j] = x[:, h][:, :, w].astype(np.float64).sum(axis=(1, 2)) / count
    return y


def adaptive_avg_pool2d(x: np.ndarray, *, output_size: Any) -> np.ndarray:
    oh, ow = _pair(output_size)
    h, w = x.shape[1:3]
    y = np.empty((x.shape[0], oh, ow, x.shape[3]))
    for i in range(oh):
        for j in range(ow):
            rows = slice(i * h // oh, -(-(i + 1) * h // oh))
            cols = slice(j * w // ow, -(-(j + 1) * w // ow))
            y[:, i, j] = x[:, rows, cols].astype(np.float64).mean(axis=(1, 2))
    return y


def max_pool2d_gradient(x: np.ndarray, dy: np.ndarray, **attrs: Any) -> np.ndarray:
    """Each window's dy at its first maximum, or first NaN."""
    rows, cols = _windows(x, attrs)
    dx = np.zeros(x.shape)
    for i, (h, _) in enumerate(rows):
        for j, (w, _) in enumerate(cols):
            if not h or not w:
                continue
            cells = x[:, h][:, :, w].reshape(x.shape[0], len(h) * len(w), x.shape[3])
            first = cells.argmax(axis=1)  # NumPy's argmax finds the first NaN, too
            n, c = np.indices(first.shape)
            at = np.array(h)[first // len(w)], np.array(w)[first % len(w)]
            np.add.at(dx, (n, *at, c), dy[:, i, j])
    return dx


def avg_pool2d_gradient(
    dy: np.ndarray, *, input_size: tuple[int, int], count_include_pad: bool = False, **attrs: Any
) -> np.ndarray:
    dx = np.zeros((dy.shape[0], *input_size, dy.shape[3]))
    rows, cols = _windows(dx, attrs)
    for i, (h, padded_h) in enumerate(rows):
        for j, (w, padded_w) in enumerate(cols):
            count = padded_h * padded_w if count_include_pad else len(h) * len(w)
            for p in h:
                for q in w:
                    dx[:, p, q] += dy[:, i, j].astype(np.float64) / count
    return dx


def adaptive_avg_pool2d_gradient(
    dy: np.ndarray, *, input_size: tuple[int, int], output_size: Any
) -> np.ndarray:
    oh, ow = _pair(output_size)
    h, w = input_size
    dx = np.zeros((dy.shape[0], h, w, dy.shape[3]))
    for i in range(oh):
        for j in range(ow):
            cell = dx[:, i * h // oh : -(-(i + 1) * h // oh), j * w // ow : -(-(j + 1) * w // ow)]
            cell += dy[:, i : i + 1, j : j + 1].astype(np.float64) / (cell.shape[1] * cell.shape[2])
    return dx
