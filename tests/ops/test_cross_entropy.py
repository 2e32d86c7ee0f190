"""Classification losses and their gradients: every row on every case, labels of all kinds."""

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.cases import cross_entropy as cases
from tests.gradients.harness import assert_gradients_match
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    dot_bound,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import losses as reference, normalization


def gradient_case(case: Case) -> Case:
    rows = case.shapes[0][:-1]
    return Case("softmax_cross_entropy_gradient", (*case.shapes, rows, rows, rows), case.attrs)


def check_softmax(kernel: str, case: Case, logits: np.ndarray, labels: np.ndarray) -> None:
    if "_gradient_" in kernel:
        lse = reference.softmax_cross_entropy(logits, labels)[1].astype(np.float32)
        dloss = np.random.default_rng(1).standard_normal(lse.shape).astype(np.float32)
        (dx,) = run_kernel(kernel, gradient_case(case), [logits, labels, lse, dloss])
        expected = reference.softmax_cross_entropy_gradient(logits, labels, dloss, **case.attrs)
        total = np.abs(labels).sum(axis=-1) if labels.dtype == np.float32 else np.ones(lse.shape)
        scale = (20 + np.abs(np.nan_to_num(lse, posinf=0, neginf=0))) * (
            np.abs(dloss) * (total + 1)
        )
        assert_within(dx, expected, 4 * UNIT_ROUNDOFF * scale[..., None])
        return
    loss, lse = run_kernel(kernel, case, [logits, labels])
    expected, expected_lse = reference.softmax_cross_entropy(logits, labels, **case.attrs)
    largest = np.abs(np.where(np.isfinite(logits), logits, 0)).max(axis=-1, initial=0.0)
    terms = np.nan_to_num(np.abs(reference.shares_of(labels, logits.shape[-1])).sum(axis=-1))
    bound = 8 * UNIT_ROUNDOFF * (4 * largest + 16)
    assert_within(loss, expected, bound * (terms + 1))
    assert_within(lse, expected_lse, bound)


KERNELS = [
    pytest.param(kernel, case, id=f"{kernel}-{case.id}")
    for case in cases.SOFTMAX
    for kernel in [*kernel_rows(case.op), *kernel_rows(case.op + "_gradient")]
]
ROWS = [k for op in ("", "_gradient") for k in kernel_rows(f"softmax_cross_entropy{op}")]


@pytest.mark.parametrize(("kernel", "case"), KERNELS)
def test_softmax_cross_entropy(kernel: str, case: Case) -> None:
    check_softmax(kernel, case, *case.inputs())


@pytest.mark.parametrize("kernel", ROWS)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_labels_that_are_ignored_or_out_of_range(kernel: str, dtype: str) -> None:
    case = cases.LabelCase("softmax_cross_entropy", ((6, 19),), {"ignore_class": 100}, dtype)
    logits, labels = case.inputs()
    labels[[0, 3]] = 100
    labels[[2, 3, 4]] = 19, 100, 255 if dtype == "uint8" else -1
    logits[3] = np.nan  # ignored all the same
    check_softmax(kernel, case, logits, labels)


@pytest.mark.parametrize("kernel", ROWS)
@pytest.mark.parametrize("classes", [5, 40])
def test_infinities_and_nan_among_the_logits(kernel: str, classes: int) -> None:
    for labels in ("int64", "float32"):
        case = cases.LabelCase("softmax_cross_entropy", ((5, classes),), {}, labels)
        logits, target = case.inputs()
        target[...] = 0
        if labels == "float32":
            target[:, 0] = 1
        logits[0, 1:] = -np.inf  # certain
        logits[1, 2] = -np.inf
        logits[2, 2] = np.inf
        logits[3, 3] = np.nan
        logits[4] = 1e30
        check_softmax(kernel, case, logits, target)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.SIGMOID))
def test_sigmoid_cross_entropy(kernel: str, case: Case) -> None:
    x, t = case.inputs()
    x *= np.float32(8)
    (loss,) = run_kernel(kernel, case, [x, t])
    bound = 4 * UNIT_ROUNDOFF * (1 + np.abs(x) * (1 + np.abs(t)))
    assert_within(loss, reference.sigmoid_cross_entropy(x, t), bound)
    dloss = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    case = Case(f"{case.op}_gradient", (x.shape,) * 3)
    (dx,) = run_kernel(kernel.replace("_f32_", "_gradient_f32_"), case, [x, t, dloss])
    bound = 8 * UNIT_ROUNDOFF * (1 + np.abs(t)) * np.abs(dloss)
    assert_within(dx, reference.sigmoid_cross_entropy_gradient(x, t, dloss), bound)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.SOFTMAX_GRADIENT))
def test_softmax_gradient(kernel: str, case: Case) -> None:
    logits, dy = case.inputs()
    axis = case.attrs["axis"]
    forward = getattr(normalization, case.op.removesuffix("_gradient"))
    y = forward(logits, axis).astype(np.float32)
    (dx,) = run_kernel(kernel, case, [y, dy])
    p = np.exp(y) if "log" in case.op else y
    sums = (np.abs(dy) * (1 if "log" in case.op else p)).sum(axis=axis, keepdims=True)
    size = 1 if "log" in case.op else p
    bound = dot_bound(size * np.abs(dy) + p * sums, 64)
    assert_within(dx, getattr(reference, case.op)(y, dy, axis), bound)


@pytest.mark.parametrize("case", cases.BENCHMARK)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize("labels", ["int64", "float32"])
def test_rules_against_finite_differences(labels: str) -> None:
    attrs = {} if labels == "float32" else {"ignore_class": 2}
    case = cases.LabelCase("softmax_cross_entropy", ((6, 5),), attrs, labels)
    assert_gradients_match(
        case.op,
        case.inputs(),
        attrs,
        lambda x, t: (
            reference.softmax_cross_entropy(
                x, t.astype(np.float32) if labels == "float32" else t, **attrs
            )[0],
            None,
        ),
        wrt=[0],
    )
    pair = Case("sigmoid_cross_entropy", ((3, 7), (3, 7)))
    assert_gradients_match(pair.op, pair.inputs(), {}, reference.sigmoid_cross_entropy)
    for op in ("softmax", "log_softmax"):
        for axis in (0, 1):
            assert_gradients_match(
                op,
                case.inputs()[:1],
                {"axis": axis},
                lambda x, op=op, axis=axis: getattr(normalization, op)(x, axis),
            )


def test_errors_say_what_was_expected_and_what_came() -> None:
    graph = _C.Graph()
    x, labels = graph.input((2, 3)), graph.input((2, 1), "int64")
    with pytest.raises(ShapeError, match=r"expected labels of shape \(2,\), got shape \(2, 1\)"):
        graph.add("softmax_cross_entropy", [x, labels], {})
    with pytest.raises(DTypeError, match="expected labels of dtype int64, int32, uint8"):
        graph.add("softmax_cross_entropy", [x, graph.input((2,), "bool")], {})
    with pytest.raises(ConfigError, match="ignore_class: expected labels that are integers"):
        graph.add("softmax_cross_entropy", [x, x], {"ignore_class": 1})
