"""Distances, nearest rows and Gram matrices in float64."""

from __future__ import annotations

import numpy as np


def cdist(x: np.ndarray, y: np.ndarray, *, metric: str = "euclidean") -> np.ndarray:
    x, y = x.astype(np.float64), y.astype(np.float64)
    if metric == "inner_product":
        return x @ y.T
    if metric == "cosine":
        norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)[None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return 1 - np.where(norms == 0, 0, x @ y.T / norms)
    difference = x[:, None] - y[None]
    if metric == "manhattan":
        return np.abs(difference).sum(-1)
    square = (difference**2).sum(-1)
    return square if metric == "sqeuclidean" else np.sqrt(square)


def gram_matrix(x: np.ndarray, *, scale: float = 1.0) -> np.ndarray:
    flat = x.astype(np.float64).reshape(x.shape[0], int(np.prod(x.shape[1:-1])), x.shape[-1])
    return flat.transpose(0, 2, 1) @ flat * scale
