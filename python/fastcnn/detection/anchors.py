"""Typical shapes of boxes, found in those that a detector shall be trained with.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2016, section 2, "Dimension Clusters".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks
from fastcnn.data._order import Purpose, check_seed, generator
from fastcnn.detection.targets import shape_iou
from fastcnn.errors import ConfigError, ShapeError


def anchor_kmeans(
    boxes: Any, k: int, seed: int | None = 0, max_iterations: int = 300
) -> tuple[NDArray[np.float64], float]:
    """Find k typical sizes: k-means with the distance 1 - IoU, so that small boxes count as much.

    Parameters
    ----------
    boxes : array, shape (n, 4) or (n, 2)
        (x1, y1, x2, y2), or (width, height); in pixels of the network's input, since anchors are.
    k : int
        How many; at most as many as there are different sizes.
    seed : int, optional
        Of the first centres, drawn as in k-means++.
    max_iterations : int, default 300

    Returns
    -------
    anchors : numpy.ndarray, float64, shape (k, 2)
        (width, height), the smallest area first.
    iou : float
        The mean, over all boxes, of the IoU with the best anchor: how well they fit.

    Raises
    ------
    ShapeError
        Boxes are of another shape.
    ConfigError
        There are too few, or some have no area.

    Examples
    --------
    >>> sizes = [[10, 20], [12, 20], [11, 21], [60, 40], [64, 44]]
    >>> anchors, iou = anchor_kmeans(sizes, 2)
    >>> anchors.tolist(), round(iou, 2)
    ([[11.0, 20.0], [62.0, 42.0]], 0.92)
    """
    who = "anchor_kmeans"
    k = _checks.positive_int(who, "k", k)
    _checks.positive_int(who, "max_iterations", max_iterations)
    sizes = np.asarray(boxes, np.float64)
    if sizes.ndim != 2 or sizes.shape[1] not in (2, 4):
        raise ShapeError(f"{who}: expected boxes (n, 4) or sizes (n, 2), got {sizes.shape}")
    if sizes.shape[1] == 4:
        sizes = sizes[:, 2:] - sizes[:, :2]
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ConfigError(f"{who}: expected boxes with an area, got some without")
    different = len(np.unique(sizes, axis=0))
    if different < k:
        raise ConfigError(f"{who}: expected at least {k} different sizes, got {different}")
    centres = _first_centres(sizes, k, generator(check_seed(who, seed), Purpose.SAMPLE))
    nearest = np.full(len(sizes), -1)
    for _ in range(max_iterations):
        found = shape_iou(sizes, centres).argmax(1)
        if (found == nearest).all():
            break
        nearest = found
        for i in range(k):
            if (nearest == i).any():  # the median: a few odd shapes do not move it
                centres[i] = np.median(sizes[nearest == i], axis=0)
    centres = centres[np.argsort(centres.prod(1), kind="stable")]
    return centres, float(shape_iou(sizes, centres).max(1).mean())


def _first_centres(
    sizes: NDArray[np.float64], k: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Draw boxes, each with a probability that grows with its distance from those drawn before."""
    chosen = [int(random.integers(len(sizes)))]
    while len(chosen) < k:
        distance = 1 - shape_iou(sizes, sizes[chosen]).max(1)
        weights = np.maximum(distance, 0) ** 2
        chosen.append(int(random.choice(len(sizes), p=weights / weights.sum())))
    centres: NDArray[np.float64] = sizes[chosen].copy()
    return centres
