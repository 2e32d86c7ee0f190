"""The boxes room: every row exactly as the definition says, whatever the boxes."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.cases.boxes import KINDS, make_boxes, make_scores
from tests.harness import UNIT_ROUNDOFF, Case, compile_op, kernel_rows, run_kernel
from tests.reference import boxes as reference

NMS_ROWS = kernel_rows("nms")
THRESHOLDS = (0.0, 0.05, 0.3, 0.5, 0.7, 0.95, 1.0)


def run_nms(kernel: str, *operands: np.ndarray, **attrs: object) -> list[int]:
    case = Case("nms", tuple(o.shape for o in operands), attrs)
    indices, count = run_kernel(kernel, case, operands)
    assert (indices[count[0] :] == -1).all()
    return indices[: count[0]].tolist()


# ---- overlap ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", kernel_rows("box_iou"))
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (5, 17), (33, 64), (7, 101)])
@pytest.mark.parametrize("kind", KINDS)
def test_box_iou_has_the_bits_of_the_formula(
    kernel: str, shape: tuple[int, int], kind: str
) -> None:
    a, b = make_boxes(shape[0], kind), make_boxes(shape[1], kind, seed=1)
    (y,) = run_kernel(kernel, Case("box_iou", (a.shape, b.shape)), [a, b])
    np.testing.assert_array_equal(y, reference.box_iou(a, b))


@pytest.mark.parametrize("kernel", kernel_rows("box_iou"))
@pytest.mark.parametrize("kind", ["giou", "diou", "ciou"])
@pytest.mark.parametrize("boxes", ["scattered", "all_sizes", "crowds"])
def test_box_iou_with_penalties(kernel: str, kind: str, boxes: str) -> None:
    a, b = make_boxes(33, boxes), make_boxes(70, boxes, seed=1)
    (y,) = run_kernel(kernel, Case("box_iou", (a.shape, b.shape), {"kind": kind}), [a, b])
    expected = reference.box_iou(a.astype(np.float64), b.astype(np.float64), kind=kind)
    # Corners of a few hundred from sides of a twentieth: differences lose that much.
    scale = np.abs(a).max() / (a[:, 2:] - a[:, :2]).min()
    np.testing.assert_allclose(y, expected, rtol=0, atol=32 * UNIT_ROUNDOFF * scale)


@pytest.mark.parametrize("kind", ["iou", "giou", "diou", "ciou"])
def test_box_iou_has_the_same_bits_at_every_isa(kind: str) -> None:
    a, b = make_boxes(40, "grid"), make_boxes(55, "all_sizes")
    a[3, 1], b[7, 2] = np.nan, np.inf
    case = Case("box_iou", (a.shape, b.shape), {"kind": kind})
    results = [run_kernel(k, case, [a, b])[0] for k in kernel_rows("box_iou")]
    for y in results[1:]:
        np.testing.assert_array_equal(y, results[0])


@pytest.mark.parametrize("kernel", kernel_rows("box_iou"))
def test_boxes_without_area_and_nan(kernel: str) -> None:
    a = np.array([[1, 1, 1, 5], [4, 4, 2, 2], [0, 0, 9, 9], [np.nan, 0, 1, 1]], np.float32)
    for kind in ("iou", "giou", "diou", "ciou"):
        case = Case("box_iou", (a.shape, a.shape), {"kind": kind, "eps": 0.0})
        (y,) = run_kernel(kernel, case, [a, a])
        assert np.isnan(y[3]).all()
        assert np.isnan(y[:, 3]).all()
        assert np.isfinite(y[:3, :3]).all()
        if kind == "iou":
            np.testing.assert_array_equal(y[:3, :3], np.diag([0, 0, 1]))


@pytest.mark.parametrize("kernel", kernel_rows("box_iou"))
@pytest.mark.parametrize(("side", "iou"), [(1.1e-19, 1), (1.3e19, 1), (1e-30, 0), (1.4e19, 0)])
def test_box_iou_at_the_ends_of_its_range(kernel: str, side: float, iou: float) -> None:
    a = np.array([[0, 0, side, side]], np.float32)
    (y,) = run_kernel(kernel, Case("box_iou", (a.shape, a.shape), {"kind": "iou"}), [a, a])
    assert y.tolist() == [[iou]]
    kept = fc.ops.nms(np.repeat(a, 2, axis=0), [1, 0.5])
    assert kept.tolist() == ([0] if iou else [0, 1])


@pytest.mark.parametrize("kernel", kernel_rows("box_iou"))
def test_boxes_beyond_the_range_overlap_nothing(kernel: str) -> None:
    a = np.array([[0, 0, 2e19, 2e19], [0, 0, np.inf, np.inf], [0, 0, 1, 1]], np.float32)
    (y,) = run_kernel(kernel, Case("box_iou", (a.shape, a.shape), {"kind": "iou"}), [a, a])
    assert np.isnan(y[:2, :2]).all()
    np.testing.assert_array_equal(y[2], [0, 0, 1])
    assert fc.ops.nms(np.repeat(a, 2, axis=0), [1, 1, 1, 1, 1, 1], 0.0).tolist() == [0, 1, 2, 3, 4]


# ---- suppression --------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", NMS_ROWS)
@pytest.mark.parametrize("n", [0, 1, 2, 47, 49, 193, 500])
@pytest.mark.parametrize("kind", KINDS)
def test_nms_is_the_plain_loop(kernel: str, n: int, kind: str) -> None:
    boxes = make_boxes(n, kind)
    for ties, threshold in itertools.product((False, True), THRESHOLDS):
        scores = make_scores(n, ties)
        expected = reference.nms(boxes, scores, iou_threshold=threshold)
        assert run_nms(kernel, boxes, scores, iou_threshold=threshold) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_nms_agrees_at_every_isa_on_many_boxes(kind: str, threshold: float) -> None:
    boxes, scores = make_boxes(4000, kind), make_scores(4000, ties=True)
    first, *others = (run_nms(k, boxes, scores, iou_threshold=threshold) for k in NMS_ROWS)
    for kept in others:
        assert kept == first


@pytest.mark.parametrize("kernel", NMS_ROWS)
@pytest.mark.parametrize("n", [0, 3, 60, 700])
def test_nms_within_classes(kernel: str, n: int) -> None:
    boxes, scores = make_boxes(n, "crowds"), make_scores(n, ties=True)
    rng = np.random.default_rng(n)
    wide = np.array([-(2**63), 2**63 - 1, 0, 5], np.int64)  # ids of any size
    for classes in (rng.integers(-2, 4, n), rng.integers(0, max(1, n), n), rng.choice(wide, n)):
        for attrs in ({}, {"score_threshold": 0.3, "max_output": 25}):
            expected = reference.nms(boxes, scores, classes, **attrs)
            assert run_nms(kernel, boxes, scores, classes, **attrs) == expected


@pytest.mark.parametrize("kernel", NMS_ROWS)
@pytest.mark.parametrize("n", [40, 400])
def test_nms_with_nan_infinities_and_degenerate_boxes(kernel: str, n: int) -> None:
    rng = np.random.default_rng(n)
    boxes, scores = make_boxes(n, "scattered"), make_scores(n, ties=False)
    boxes[rng.random(n) < 0.1] = np.nan
    boxes[rng.random(n) < 0.1, 2] = np.inf
    boxes[rng.random(n) < 0.1, 3] = -3e38
    boxes[:2] = [-3e38, -3e38, 3e38, 3e38]
    scores[rng.random(n) < 0.1] = np.nan
    scores[rng.random(n) < 0.1] = -np.inf
    for attrs in ({}, {"score_threshold": 0.25}, {"max_output": 7}, {"max_output": 0}):
        assert run_nms(kernel, boxes, scores, **attrs) == reference.nms(boxes, scores, **attrs)


@pytest.mark.parametrize("kernel", NMS_ROWS)
@pytest.mark.parametrize("scale", [1e-22, 1e-17, 1e-3, 1e17])
def test_nms_of_boxes_of_any_magnitude(kernel: str, scale: float) -> None:
    boxes, scores = make_boxes(300, "crowds") * np.float32(scale), make_scores(300, ties=False)
    assert run_nms(kernel, boxes, scores) == reference.nms(boxes, scores)


@pytest.mark.parametrize("kernel", NMS_ROWS)
@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
def test_nms_compares_with_the_threshold_as_given(kernel: str, threshold: float) -> None:
    # Overlaps of exactly float32(tenths): whether they exceed 0.1 and so on is float64's to say.
    tenth = round(threshold * 10)
    boxes = np.array([[0, 0, 10, 1], [0, 0, tenth, 1]], np.float32)
    scores = np.array([1, 0.5], np.float32)
    kept = run_nms(kernel, boxes, scores, iou_threshold=threshold)
    assert len(kept) == (1 if float(np.float32(tenth) / np.float32(10)) > threshold else 2)


COORDINATES = st.integers(0, 6) | st.floats(0, 6, width=32)


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(0, 40), st.just(4)), elements=COORDINATES),
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
)
@settings(max_examples=25, deadline=None)
def test_nms_of_arbitrary_boxes(boxes: np.ndarray, seed: int, threshold: float) -> None:
    # Repeated, so that the grids are at work too.
    boxes = np.tile(boxes, (7, 1))
    scores = make_scores(len(boxes), ties=True, seed=seed)
    expected = reference.nms(boxes, scores, iou_threshold=threshold)
    for kernel in NMS_ROWS:
        assert run_nms(kernel, boxes, scores, iou_threshold=threshold) == expected


def test_nms_has_the_same_result_at_any_thread_count() -> None:
    boxes, scores = make_boxes(6000, "all_sizes"), make_scores(6000, ties=True)
    classes = np.random.default_rng(0).integers(0, 9, 6000)
    plan = compile_op("nms", [boxes, scores, classes], {})
    before = _C.num_threads()
    try:
        results = []
        for n in (1, 2, 5):
            _C.set_num_threads(n)
            results.append(plan.run([boxes, scores, classes]))
    finally:
        _C.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result[0], results[0][0])


# ---- soft suppression ---------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", kernel_rows("soft_nms"))
@pytest.mark.parametrize("method", ["linear", "gaussian"])
@pytest.mark.parametrize(
    ("n", "kind"), [(0, "grid"), (1, "grid"), (60, "scattered"), (200, "crowds")]
)
def test_soft_nms(kernel: str, method: str, n: int, kind: str) -> None:
    boxes, scores = make_boxes(n, kind), make_scores(n, ties=False)
    case = Case("soft_nms", (boxes.shape, scores.shape), {"method": method})
    indices, values, count = run_kernel(kernel, case, [boxes, scores])
    expected, decayed = reference.soft_nms(boxes, scores, method=method)
    assert indices[: count[0]].tolist() == expected
    np.testing.assert_allclose(values[: count[0]], decayed, rtol=n * 8 * UNIT_ROUNDOFF)
    assert (indices[count[0] :] == -1).all()
    assert (values[count[0] :] == 0).all()


@pytest.mark.parametrize("method", ["linear", "gaussian"])
@pytest.mark.parametrize("kind", KINDS)
def test_soft_nms_has_the_same_bits_at_every_isa(method: str, kind: str) -> None:
    boxes, scores = make_boxes(400, kind), make_scores(400, ties=True)
    boxes[5], boxes[6, 2], scores[7] = np.nan, np.inf, np.nan
    case = Case("soft_nms", (boxes.shape, scores.shape), {"method": method, "sigma": 0.1})
    first, *others = (run_kernel(k, case, [boxes, scores]) for k in kernel_rows("soft_nms"))
    for result in others:
        for a, b in zip(first, result, strict=True):
            assert a.tobytes() == b.tobytes()


# ---- the Python face ----------------------------------------------------------------------------


def test_functions_of_torchvisions_names() -> None:
    boxes, scores = make_boxes(80, "crowds"), make_scores(80, ties=False)
    classes = np.arange(80) % 3
    assert fc.ops.nms(boxes, scores, 0.4).tolist() == reference.nms(
        boxes, scores, iou_threshold=0.4
    )
    assert fc.ops.batched_nms(boxes, scores, classes, 0.4).tolist() == reference.nms(
        boxes, scores, classes, iou_threshold=0.4
    )
    kept, values = fc.ops.soft_nms(boxes, scores, max_output=5)
    assert len(kept) == len(values) == 5
    for name, kind in [("generalized", "giou"), ("distance", "diou"), ("complete", "ciou")]:
        np.testing.assert_allclose(
            getattr(fc.ops, f"{name}_box_iou")(boxes, boxes),
            reference.box_iou(boxes.astype(np.float64), boxes.astype(np.float64), kind=kind),
            atol=1e-4,
        )
    assert fc.ops.nms(np.zeros((0, 4)), np.zeros(0)).shape == (0,)


def test_conversions() -> None:
    xyxy = np.array([[1, 2, 5, 10], [0, 0, 3, 1]], np.float32)
    xywh = fc.ops.box_convert(xyxy, "xyxy", "xywh")
    np.testing.assert_array_equal(xywh, [[1, 2, 4, 8], [0, 0, 3, 1]])
    cxcywh = fc.ops.box_convert(xywh, "xywh", "cxcywh")
    np.testing.assert_array_equal(cxcywh, [[3, 6, 4, 8], [1.5, 0.5, 3, 1]])
    np.testing.assert_array_equal(fc.ops.box_convert(cxcywh, "cxcywh", "xyxy"), xyxy)
    shares = fc.ops.box_convert(xyxy, "xyxy", "rel_cxcywh", (20, 10))
    np.testing.assert_allclose(shares, [[0.3, 0.3, 0.4, 0.4], [0.15, 0.025, 0.3, 0.05]])
    np.testing.assert_allclose(fc.ops.box_convert(shares, "rel_cxcywh", "xywh", (20, 10)), xywh)
    np.testing.assert_allclose(
        fc.ops.box_convert(shares, "rel_cxcywh", "rel_xyxy"), xyxy / [10, 20, 10, 20], rtol=1e-6
    )
    odd = make_boxes(50, "all_sizes")
    np.testing.assert_array_equal(fc.ops.box_convert(odd, "cxcywh", "cxcywh"), odd)
    np.testing.assert_array_equal(fc.ops.box_area(xyxy), [32, 3])
    np.testing.assert_array_equal(
        fc.ops.clip_boxes_to_image([[-1, -2, 9, 9]], (4, 6)), [[0, 0, 6, 4]]
    )
    assert fc.ops.remove_small_boxes(xyxy, 2).tolist() == [0]


def test_errors_say_what_was_expected_and_what_came() -> None:
    boxes, scores = make_boxes(5, "grid"), make_scores(5, ties=False)
    with pytest.raises(ShapeError, match=r"nms: boxes must have shape \(n, 4\), got \(5, 3\)"):
        fc.ops.nms(boxes[:, :3], scores)
    with pytest.raises(ShapeError, match=r"scores must be float32\(5,\) .* got float32\(4,\)"):
        fc.ops.nms(boxes, scores[:4])
    with pytest.raises(ConfigError, match=r"iou_threshold: expected a number .* got 1\.5"):
        fc.ops.nms(boxes, scores, 1.5)
    with pytest.raises(ConfigError, match=r"iou_threshold: expected a number .* got nan"):
        fc.ops.nms(boxes, scores, float("nan"))
    with pytest.raises(ConfigError, match="max_output: expected at least 0, got -1"):
        fc.ops.nms(boxes, scores, max_output=-1)
    with pytest.raises(DTypeError, match="idxs: expected integers, got dtype float32"):
        fc.ops.batched_nms(boxes, scores, scores)
    with pytest.raises(ConfigError, match="sigma: expected a finite number above 0"):
        fc.ops.soft_nms(boxes, scores, sigma=0)
    with pytest.raises(ConfigError, match="in_fmt: expected one of"):
        fc.ops.box_convert(boxes, "yxyx", "xyxy")
    with pytest.raises(ConfigError, match="rel_xyxy to xyxy needs the picture's size"):
        fc.ops.box_convert(boxes, "rel_xyxy", "xyxy")
    with pytest.raises(ConfigError, match=r"size: expected \(height, width\), each >= 1"):
        fc.ops.box_convert(boxes, "rel_xyxy", "xyxy", (0, 5))
