"""Boxes as detectors give them and as nobody should: crowds, all sizes, tiny grids with ties."""

from __future__ import annotations

import numpy as np

KINDS = ("scattered", "all_sizes", "crowds", "far", "grid")


def make_boxes(n: int, kind: str, seed: int = 0) -> np.ndarray:
    """float32, shape (n, 4), of one of `KINDS`."""
    rng = np.random.default_rng([seed, n, KINDS.index(kind)])
    if kind == "scattered":
        corner, size = rng.uniform(0, 300, (n, 2)), rng.uniform(10, 100, (n, 2))
    elif kind == "all_sizes":
        corner, size = rng.uniform(0, 1000, (n, 2)), np.exp(rng.uniform(-3, 7, (n, 2)))
    elif kind == "crowds":
        which = rng.integers(0, max(1, n // 30), n)
        corner = rng.uniform(0, 500, (n, 2))[which] + rng.normal(0, 3, (n, 2))
        size = rng.uniform(20, 200, (n, 2))[which] * rng.uniform(0.85, 1.15, (n, 2))
    elif kind == "far":  # one cluster, and outliers that make any extent meaningless
        corner, size = rng.uniform(-20, 20, (n, 2)), rng.uniform(1, 9, (n, 2))
        corner[::17] *= 1e7
        size[::17] *= 1e4
    else:  # duplicates, touching borders, boxes without area or turned inside out
        corner, size = rng.integers(0, 8, (n, 2)), rng.integers(-1, 5, (n, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


def make_scores(n: int, ties: bool, seed: int = 0) -> np.ndarray:
    """float32, shape (n,); with ties: of only five values."""
    rng = np.random.default_rng([seed, n, ties])
    return (rng.integers(0, 5, n) / 4 if ties else rng.random(n)).astype(np.float32)
