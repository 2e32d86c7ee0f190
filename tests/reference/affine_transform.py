"""Pictures through matrices in float64, and how far a place found in float32 may be off."""

from __future__ import annotations

import numpy as np

LARGEST = 2**22


def _inside(t: np.ndarray, n: int, mode: str) -> np.ndarray:
    """The pixel that stands for each whole number t; n for the fill value."""
    if mode == "constant":
        return np.where((t < 0) | (t >= n), n, t)
    if mode == "nearest":
        return np.clip(t, 0, n - 1)
    if mode == "wrap":
        return t % n
    t = t % (2 * n)
    return np.where(t < n, t, 2 * n - 1 - t)


def places(shape: tuple[int, ...], matrices: np.ndarray) -> tuple[np.ndarray, ...]:
    """Columns and rows, (n, h, w) each, and the rounding errors of each in units of roundoff."""
    _, h, w, _ = shape
    m = matrices.astype(np.float64)[:, :, None, None]
    j, i = np.arange(w)[None, None, :], np.arange(h)[None, :, None]
    k = m[:, 6] * j + m[:, 7] * i + 1
    k_size = np.abs(m[:, 6] * j) + np.abs(m[:, 7] * i) + 1
    found, errors = [], []
    with np.errstate(divide="ignore", invalid="ignore"):
        for a, b, c in ((m[:, 0], m[:, 1], m[:, 2]), (m[:, 3], m[:, 4], m[:, 5])):
            place = (a * j + b * i + c) / k
            size = np.abs(a * j) + np.abs(b * i) + np.abs(c)
            found.append(place)
            errors.append((2 * size + 2 * np.abs(place) * k_size) / np.abs(k) + np.abs(place))
    return (*found, *errors)


def affine_transform(
    x: np.ndarray,
    matrices: np.ndarray,
    *,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> np.ndarray:
    n, h, w, c = x.shape
    u, v, _, _ = places(x.shape, matrices)
    known = (np.abs(u) <= LARGEST) & (np.abs(v) <= LARGEST)
    u, v = np.where(known, u, 0), np.where(known, v, 0)
    wide = np.full((n, h + 1, w + 1, c), fill_value)  # with the fill value beyond each side
    wide[:, :h, :w] = x
    pictures = np.arange(n)[:, None, None]

    def at(column: np.ndarray, row: np.ndarray) -> np.ndarray:
        s = _inside(column.astype(np.int64), w, fill_mode)
        t = _inside(row.astype(np.int64), h, fill_mode)
        found: np.ndarray = wide[pictures, t, s]
        return found

    if interpolation == "nearest":
        y = at(np.floor(u + 0.5), np.floor(v + 0.5))
    else:
        s, t = np.floor(u), np.floor(v)
        right, down = (u - s)[..., None], (v - t)[..., None]
        top = (1 - right) * at(s, t) + right * at(s + 1, t)
        bottom = (1 - right) * at(s, t + 1) + right * at(s + 1, t + 1)
        y = (1 - down) * top + down * bottom
    return np.where(known[..., None], y, fill_value)
