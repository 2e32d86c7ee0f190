"""Weights of classes and reports, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.segmentation import class_weights, evaluate, report

rng = np.random.default_rng(0)


def test_median_frequency_balancing() -> None:
    """Eigen & Fergus: pixels of the class over all pixels of the pictures that have it."""
    masks = [np.array([[0, 0, 0, 1]]), np.array([[0, 0, 9, 2]]), np.array([[0, 0, 0, 0]])]
    frequency = {0: 9 / 11, 1: 1 / 4, 2: 1 / 3}
    weights = class_weights(masks, 4, ignore_class=9)
    assert weights == pytest.approx({c: (1 / 3) / f for c, f in frequency.items()} | {3: 0})
    root = class_weights(masks, 4, ignore_class=9, power=0.5)
    assert root == pytest.approx({c: w**0.5 for c, w in weights.items()})


def test_inverse_frequency_is_one_on_average() -> None:
    masks = rng.choice(4, (5, 8, 8), p=[0.7, 0.2, 0.1, 0.0])
    weights = class_weights(masks, 4, method="inverse_frequency")
    assert np.mean([weights[c] for c in masks.ravel()]) == pytest.approx(1)
    assert weights[3] == 0
    with pytest.raises(ConfigError, match="from 0 to 1, got 0 to 2"):
        class_weights(masks, 2)


def test_report_counts() -> None:
    true, seen = rng.integers(0, 3, (2, 400))
    true[true == 2] = 1  # a class that does not occur, but is seen
    matrix = np.zeros((4, 4))
    np.add.at(matrix, (true, seen), 1)
    found = report(matrix, ["a", "b", "c", "d"])
    for c in range(3):
        both, either = ((true == c) & (seen == c)).sum(), ((true == c) | (seen == c)).sum()
        assert found.iou[c] == pytest.approx(both / either)
    assert found.pixel_accuracy == pytest.approx((true == seen).mean())
    assert found.mean_iou == pytest.approx(np.mean(found.iou[:3]))
    assert found.mean_accuracy == pytest.approx(np.mean(found.recall[:2]))
    assert np.isnan(found.recall[2]) and np.isnan(found.iou[3])
    assert found.to_dict()["iou"][3] is None
    metric = fc.metrics.MeanIoU(4)
    assert found.mean_iou == pytest.approx(metric(true, seen))
    assert "mean IoU" in str(found) and len(str(found).splitlines()) == 6
    with pytest.raises(ShapeError, match="2 x 2"):
        report(matrix, ["a", "b"])


def test_evaluate_leaves_void_out() -> None:
    x = fc.Input((4, 6, 3))
    model = fc.Model(x, fc.layers.Rescaling(1.0)(x))  # the brightest channel is the class
    true = rng.integers(0, 3, (3, 4, 6)).astype(np.uint8)
    pictures = np.eye(3, dtype=np.float32)[true]
    masks = true.copy()
    masks[0, :, 0] = 9
    masks[0, 0, 1] = (masks[0, 0, 1] + 1) % 3
    found = evaluate(model, [(pictures[:2], masks[:2]), (pictures[2:], masks[2:])], ignore_class=9)
    assert sum(found.pixels) == 72 - 4
    assert found.pixel_accuracy == pytest.approx(67 / 68)
    assert evaluate(model, [(pictures, masks)], ignore_class=9, flip=True) == found
    with pytest.raises(ShapeError, match="scores for each pixel"):
        evaluate(model, [(pictures, masks[:, :2])])
    with pytest.raises(ShapeError, match="at least one"):
        evaluate(model, [])
