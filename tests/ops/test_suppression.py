"""Suppression beyond the plain kind: by distance IoU, within classes, as a matrix, by fusion."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.cases.boxes import KINDS, make_boxes, make_scores
from tests.harness import Case, kernel_rows, run_kernel
from tests.reference import boxes as reference


@pytest.mark.parametrize("kernel", kernel_rows("nms"))
@pytest.mark.parametrize("n", [0, 1, 50, 250])
@pytest.mark.parametrize("kind", KINDS)
def test_nms_by_distance_iou_is_the_plain_loop(kernel: str, n: int, kind: str) -> None:
    boxes, classes = make_boxes(n, kind), np.arange(n) % 3
    for ties, threshold in ((False, 0.0), (True, 0.3), (False, 0.7)):
        scores = make_scores(n, ties)
        attrs = {"iou_threshold": threshold, "kind": "diou"}
        case = Case("nms", (boxes.shape, scores.shape, classes.shape), attrs)
        indices, count = run_kernel(kernel, case, [boxes, scores, classes])
        expected = reference.nms(boxes, scores, classes, **attrs)  # type: ignore[arg-type]
        assert indices[: count[0]].tolist() == expected


@pytest.mark.parametrize("kernel", kernel_rows("nms"))
def test_nms_by_distance_iou_with_nan_and_degenerate_boxes(kernel: str) -> None:
    rng = np.random.default_rng(0)
    boxes, scores = make_boxes(300, "scattered"), make_scores(300, ties=True)
    boxes[rng.random(300) < 0.1] = np.nan
    boxes[rng.random(300) < 0.1, 2] = np.inf
    boxes[rng.random(300) < 0.1, 3] = -3e38
    boxes[:2] = [-3e38, -3e38, 3e38, 3e38]
    scores[rng.random(300) < 0.1] = np.nan
    case = Case("nms", (boxes.shape, scores.shape), {"kind": "diou"})
    indices, count = run_kernel(kernel, case, [boxes, scores])
    assert indices[: count[0]].tolist() == reference.nms(boxes, scores, kind="diou")


def test_distance_iou_keeps_what_stands_behind() -> None:
    # Overlap 0.6, centres a quarter of the width apart: less 0.024.
    boxes, scores = [[0, 0, 10, 10], [2.5, 0, 12.5, 10]], [0.9, 0.8]
    assert fc.ops.nms(boxes, scores, 0.59).tolist() == [0]
    assert fc.ops.nms(boxes, scores, 0.59, kind="diou").tolist() == [0, 1]
    assert fc.ops.batched_nms(boxes, scores, [1, 1], 0.59, kind="diou").tolist() == [0, 1]
    with pytest.raises(ConfigError, match="kind: expected one of"):
        fc.ops.nms(boxes, scores, kind="giou")


@pytest.mark.parametrize("method", ["linear", "gaussian"])
@pytest.mark.parametrize("n", [0, 1, 7, 300])
def test_soft_nms_within_classes(method: str, n: int) -> None:
    boxes, scores = make_boxes(n, "crowds"), make_scores(n, ties=True)
    classes = np.random.default_rng(n).integers(0, 5, n) * 2**61
    kept, new = fc.ops.soft_nms(boxes, scores, idxs=classes, method=method)
    expected = {}
    for c in np.unique(classes):
        own = np.flatnonzero(classes == c)
        indices, values = fc.ops.soft_nms(boxes[own], scores[own], method=method)
        expected |= dict(zip(own[indices].tolist(), values.tolist(), strict=True))
    assert dict(zip(kept.tolist(), new.tolist(), strict=True)) == expected
    order = sorted(expected, key=lambda i: (-expected[i], i))
    assert kept.tolist() == order and kept.dtype == np.int64
    few, _ = fc.ops.soft_nms(boxes, scores, idxs=classes, method=method, max_output=4)
    assert few.tolist() == order[:4]


def matrix_nms(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, method: str, sigma: float
) -> np.ndarray:
    """The new scores by the paper's formula, pair by pair; NaN is 0."""

    def f(x: float) -> float:
        return float(np.exp(-sigma * x * x)) if method == "gaussian" else 1 - x

    iou = reference.box_iou(boxes.astype(np.float32), boxes.astype(np.float32)).astype(np.float64)
    iou[np.isnan(iou)] = 0
    score = np.where(np.isnan(scores), 0, scores)
    n = len(boxes)

    def better(i: int) -> list[int]:
        return [
            j
            for j in range(n)
            if classes[j] == classes[i] and (-score[j], j) < (-score[i], i) and score[j] > 0
        ]

    own = [f(max((iou[k, j] for k in better(j)), default=0.0)) for j in range(n)]
    decay = [
        min([1.0, *(f(iou[j, i]) / own[j] for j in better(i) if own[j] > 0)]) for i in range(n)
    ]
    return score * np.array(decay)


@pytest.mark.parametrize("method", ["linear", "gaussian"])
@pytest.mark.parametrize("kind", KINDS)
def test_matrix_nms(method: str, kind: str) -> None:
    boxes, scores = make_boxes(60, kind), make_scores(60, ties=True)
    scores[5], boxes[7, 1] = np.nan, np.nan
    classes = np.arange(60) % 2
    expected = matrix_nms(boxes, scores, classes, method, 2.0)
    kept, new = fc.ops.matrix_nms(boxes, scores, classes, method=method, score_threshold=0.0)
    np.testing.assert_allclose(new, expected[kept], rtol=1e-5)
    left = np.setdiff1d(np.arange(60), kept)
    np.testing.assert_allclose(expected[left], 0, atol=1e-6)
    assert [(-s, i) for s, i in zip(new, kept, strict=True)] == sorted(
        (-s, i) for s, i in zip(new, kept, strict=True)
    )
    few, _ = fc.ops.matrix_nms(
        boxes, scores, classes, method=method, score_threshold=0.0, max_output=3
    )
    assert few.tolist() == kept[:3].tolist()


def test_matrix_nms_of_many_is_that_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes, scores = make_boxes(300, "crowds"), make_scores(300, ties=True)
    whole = fc.ops.matrix_nms(boxes, scores)
    monkeypatch.setattr("fastcnn.ops.suppression._BLOCK", 7)
    for a, b in zip(fc.ops.matrix_nms(boxes, scores), whole, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [len(x) for x in fc.ops.matrix_nms(np.zeros((0, 4)), np.zeros(0))] == [0, 0]


def ensemble_boxes() -> ModuleType:
    """The authors' module for fusion, without the package's others, which need numba."""
    spec = importlib.util.find_spec("ensemble_boxes")
    if spec is None or spec.origin is None:
        pytest.skip("needs the package ensemble-boxes")
    path = Path(spec.origin).with_name("ensemble_boxes_wbf.py")
    spec = importlib.util.spec_from_file_location("ensemble_boxes_wbf", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("conf_type", ["avg", "max"])
@pytest.mark.parametrize("models", [1, 3])
@pytest.mark.parametrize("threshold", [0.3, 0.55])
def test_fusion_is_the_authors(conf_type: str, models: int, threshold: float) -> None:
    theirs = ensemble_boxes().weighted_boxes_fusion
    rng = np.random.default_rng(models)
    boxes = [
        np.concatenate([make_boxes(30, kind, seed) for kind in ("crowds", "scattered")]) / 1000
        for seed in range(models)
    ]
    boxes = [np.clip(b, 0, 1) for b in boxes]
    scores = [rng.random(60, np.float32) for _ in range(models)]
    labels = [rng.integers(0, 3, 60) for _ in range(models)]
    weights = rng.uniform(0.5, 2, models).tolist()
    expected = theirs(
        [b.tolist() for b in boxes], [s.tolist() for s in scores], [c.tolist() for c in labels],
        weights=weights, iou_thr=threshold, skip_box_thr=0.1, conf_type=conf_type,
    )  # fmt: skip
    found = fc.ops.weighted_boxes_fusion(
        boxes, scores, labels, weights, threshold, score_threshold=0.1, conf_type=conf_type
    )
    assert len(found[0]) == len(expected[0])
    assert 10 < len(found[0]) < 40 * models
    np.testing.assert_array_equal(found[2], expected[2])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)


def test_fusion_of_what_is_no_box() -> None:
    boxes = [[0, 0, 2, 2], [0, 0, 2, 3], [3, 3, 3, 5], [np.nan, 0, 1, 1], [0, 0, np.inf, 1]]
    scores = [0.5, np.nan, 0.9, 0.9, 0.9]
    b, s, c = fc.ops.weighted_boxes_fusion([boxes], [scores], [[4] * 5])
    assert (b.tolist(), s.tolist(), c.tolist()) == ([[0, 0, 2, 2]], [0.5], [4])
    b, s, c = fc.ops.weighted_boxes_fusion([np.zeros((0, 4))], [[]], [[]])
    assert (b.shape, s.shape, c.shape) == ((0, 4), (0,), (0,))


ONE = np.array([[0, 0, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fc.ops.matrix_nms(ONE, [1, 2]), ShapeError, r"scores must have shape \(1,\)"),
        (lambda: fc.ops.matrix_nms(ONE[:, :3], [1]), ShapeError, r"shape \(n, 4\), got \(1, 3\)"),
        (lambda: fc.ops.matrix_nms(ONE, [1], [0.5]), DTypeError, "idxs: expected integers"),
        (lambda: fc.ops.matrix_nms(ONE, [1], [1, 2]), ShapeError, r"idxs must have shape \(1,\)"),
        (lambda: fc.ops.matrix_nms(ONE, [1], method="cubic"), ConfigError, "method: .*'cubic'"),
        (lambda: fc.ops.matrix_nms(ONE, [1], max_output=-1), ConfigError, "max_output: .*-1"),
        (lambda: fc.ops.soft_nms(ONE, [1], idxs=[1, 2]), ShapeError, "idxs must have"),
        (
            lambda: fc.ops.weighted_boxes_fusion([ONE], [[1]], [[1], [1]]),
            ConfigError, r"as many boxes, scores, labels and weights .* \[1, 1, 2, 1\]",
        ),
        (
            lambda: fc.ops.weighted_boxes_fusion([ONE], [[1]], [[1]], [0]),
            ConfigError, "weights: expected positive numbers",
        ),
        (lambda: fc.ops.weighted_boxes_fusion([], [], []), ConfigError, "at least one array"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
