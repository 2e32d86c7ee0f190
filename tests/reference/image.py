"""Resizing and blocks of pixels by their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np


def positions(out: int, n: int, coordinate: str) -> np.ndarray:
    """Where the outputs of one axis lie among `n` pixels; pixel i covers [i - 0.5, i + 0.5]."""
    i = np.arange(out, dtype=np.float64)
    if coordinate == "half_pixel":
        return (i + 0.5) * n / out - 0.5
    if coordinate == "align_corners":
        return i * (n - 1) / (out - 1) if out > 1 else i
    return i * n / out


def bilinear(
    x: np.ndarray, *, size: tuple[int, int], coordinate: str = "half_pixel", **_: Any
) -> np.ndarray:
    y = x.astype(np.float64)
    for axis in (1, 2):
        n = y.shape[axis]
        at = np.clip(positions(size[axis - 1], n, coordinate), 0, None)
        first = np.minimum(np.floor(at).astype(int), n - 1)
        share = (at - first).reshape([-1 if a == axis else 1 for a in range(4)])
        second = np.minimum(first + 1, n - 1)
        y = (1 - share) * y.take(first, axis) + share * y.take(second, axis)
    return y


def nearest(
    x: np.ndarray, *, size: tuple[int, int], coordinate: str = "half_pixel", **_: Any
) -> np.ndarray:
    """Exact for the small sizes of the tests, where float32 positions hit the same pixels."""
    y = x
    for axis in (1, 2):
        n, out = y.shape[axis], size[axis - 1]
        i = np.arange(out)
        if coordinate == "half_pixel":
            index = (2 * i + 1) * n // (2 * out)
        elif coordinate == "align_corners":
            index = (2 * i * (n - 1) + max(out - 1, 1)) // (2 * max(out - 1, 1))
        else:
            index = i * n // out
        y = y.take(index, axis)
    return y


def space_to_depth(x: np.ndarray, *, block_size: int, mode: str = "DCR") -> np.ndarray:
    n, h, w, c = x.shape
    b = block_size
    x = x.reshape(n, h // b, b, w // b, b, c)  # n, i, r, j, s, c
    x = x.transpose((0, 1, 3, 2, 4, 5) if mode == "DCR" else (0, 1, 3, 5, 2, 4))
    return x.reshape(n, h // b, w // b, b * b * c)


def depth_to_space(x: np.ndarray, *, block_size: int, mode: str = "DCR") -> np.ndarray:
    n, h, w, c = x.shape
    b = block_size
    c //= b * b
    if mode == "DCR":
        x = x.reshape(n, h, w, b, b, c).transpose(0, 1, 3, 2, 4, 5)
    else:
        x = x.reshape(n, h, w, c, b, b).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(n, h * b, w * b, c)
