"""Picked elements, the largest of them, boxes of pictures and filters, by their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def _front(index: int, size: int) -> int | None:
    index = index + size if index < 0 else index
    return index if 0 <= index < size else None


def take(x: np.ndarray, indices: np.ndarray, axis: int) -> np.ndarray:
    axis %= x.ndim
    moved = np.moveaxis(x, axis, 0)
    y = np.zeros((*indices.shape, *moved.shape[1:]), x.dtype)
    for place in np.ndindex(indices.shape):
        at = _front(int(indices[place]), x.shape[axis])
        if at is not None:
            y[place] = moved[at]
    return np.moveaxis(y, range(indices.ndim), range(axis, axis + indices.ndim))


def take_gradient(dy: np.ndarray, indices: np.ndarray, axis: int, size: int) -> np.ndarray:
    moved = np.moveaxis(dy, range(axis, axis + indices.ndim), range(indices.ndim))
    dx = np.zeros((size, *moved.shape[indices.ndim :]))
    for place in np.ndindex(indices.shape):
        at = _front(int(indices[place]), size)
        if at is not None:
            dx[at] += moved[place]
    return np.moveaxis(dx, 0, axis)


def take_along_axis(x: np.ndarray, indices: np.ndarray, axis: int) -> np.ndarray:
    axis %= x.ndim
    y = np.zeros(indices.shape, x.dtype)
    for place in np.ndindex(indices.shape):
        at = _front(int(indices[place]), x.shape[axis])
        if at is not None:
            y[place] = x[(*place[:axis], at, *place[axis + 1 :])]
    return y


def take_along_axis_gradient(
    dy: np.ndarray, indices: np.ndarray, axis: int, size: int
) -> np.ndarray:
    dx = np.zeros((*dy.shape[:axis], size, *dy.shape[axis + 1 :]))
    for place in np.ndindex(indices.shape):
        at = _front(int(indices[place]), size)
        if at is not None:
            dx[(*place[:axis], at, *place[axis + 1 :])] += dy[place]
    return dx


def topk(x: np.ndarray, k: int, axis: int, largest: bool) -> tuple[np.ndarray, np.ndarray]:
    # NaN counts as larger than any number; a stable sort leaves equals in their order.
    rank = np.where(np.isnan(x), np.inf, np.clip(x.astype(np.float64), -1e300, 1e300))
    order = np.argsort(-rank if largest else rank, axis=axis, kind="stable")
    order = np.take(order, range(k), axis=axis)
    return np.take_along_axis(x, order, axis=axis), order


def max_unpool2d(x: np.ndarray, indices: np.ndarray, output_size: tuple[int, int]) -> np.ndarray:
    n, _, _, c = x.shape
    y = np.zeros((n, output_size[0] * output_size[1], c), x.dtype)
    for place in np.ndindex(x.shape):
        if 0 <= indices[place] < y.shape[1]:
            y[place[0], indices[place], place[3]] = x[place]
    return y.reshape(n, *output_size, c)


def max_unpool2d_gradient(dy: np.ndarray, indices: np.ndarray) -> np.ndarray:
    dx = np.zeros(indices.shape, dy.dtype)
    flat = dy.reshape(dy.shape[0], -1, dy.shape[3])
    for place in np.ndindex(indices.shape):
        if 0 <= indices[place] < flat.shape[1]:
            dx[place] = flat[place[0], indices[place], place[3]]
    return dx


def roi_weights(
    box: np.ndarray, picture: tuple[int, int], output_size: tuple[int, int], *,
    spatial_scale: float = 1.0, sampling_ratio: int = 0, aligned: bool = False,
) -> list[list[list[list[tuple[int, int, float]]]]]:  # fmt: skip
    """For each output: its samples, each the pixels (row, column, weight) that it mixes."""
    offset = 0.5 if aligned else 0.0
    x1, y1, x2, y2 = (np.float32(v) * np.float32(spatial_scale) - np.float32(offset) for v in box)
    axes = []
    for low, high, outputs, size in (
        (y1, y2, output_size[0], picture[0]),
        (x1, x2, output_size[1], picture[1]),
    ):
        extent = high - low
        if not aligned:
            extent = max(extent, np.float32(1))
        bin_ = extent / np.float32(outputs)
        count = sampling_ratio or int(min(max(math.ceil(bin_), 0), 256))
        step = bin_ / np.float32(max(1, count))
        samples = []
        for out in range(outputs):
            taps = []
            for k in range(count):
                at = low + np.float32(out) * bin_ + (np.float32(k) + np.float32(0.5)) * step
                if not -1 <= at <= size:
                    taps.append([])
                    continue
                at = max(at, np.float32(0))
                first = int(at)
                if first >= size - 1:
                    taps.append([(size - 1, 1.0), (size - 1, 0.0)])
                else:
                    share = float(at - np.float32(first))
                    taps.append([(first, 1 - share), (first + 1, share)])
            samples.append(taps)
        axes.append(samples)
    return [
        [
            [
                [(r, c, a * b) for r, a in row for c, b in column]
                for row in axes[0][i]
                for column in axes[1][j]
            ]
            for j in range(output_size[1])
        ]
        for i in range(output_size[0])
    ]


def _boxes(boxes: np.ndarray, which: np.ndarray, pictures: int) -> list[int]:
    return [k for k, box in enumerate(boxes) if np.isfinite(box).all() and 0 <= which[k] < pictures]


def roi_align(
    x: np.ndarray, boxes: np.ndarray, which: np.ndarray, output_size: tuple[int, int],
    mode: str = "avg", **options: Any,
) -> np.ndarray:  # fmt: skip
    y = np.zeros((len(boxes), *output_size, x.shape[3]))
    for k in _boxes(boxes, which, len(x)):
        weights = roi_weights(boxes[k], x.shape[1:3], output_size, **options)
        for i, j in np.ndindex(output_size):
            samples = weights[i][j]
            if not samples:
                continue
            picture = x[which[k]].astype(np.float64)
            if mode == "avg":
                total = sum(w * picture[r, c] for taps in samples for r, c, w in taps)
                y[k, i, j] = total / len(samples)
            else:
                shares = [w * picture[r, c] for taps in samples for r, c, w in taps]
                shares += [np.zeros(x.shape[3]) for taps in samples if not taps]
                y[k, i, j] = np.max(shares, axis=0)
    return y


def roi_align_gradient(
    dy: np.ndarray, boxes: np.ndarray, which: np.ndarray, input_size: tuple[int, int],
    pictures: int, **options: Any,
) -> np.ndarray:  # fmt: skip
    dx = np.zeros((pictures, *input_size, dy.shape[3]))
    for k in _boxes(boxes, which, pictures):
        weights = roi_weights(boxes[k], input_size, dy.shape[1:3], **options)
        for i, j in np.ndindex(dy.shape[1:3]):
            for taps in weights[i][j]:
                for r, c, w in taps:
                    dx[which[k], r, c] += w * dy[k, i, j] / len(weights[i][j])
    return dx


def resample_matrix(indices: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    matrix = np.zeros((len(indices), size))
    for i, k in np.ndindex(indices.shape):
        if 0 <= indices[i, k] < size:
            matrix[i, indices[i, k]] += np.float64(weights[i, k])
    return matrix
