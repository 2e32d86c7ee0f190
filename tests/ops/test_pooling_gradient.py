"""Gradients of pooling: every row on every case, ties, NaN, and by finite differences."""

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ShapeError
from tests.cases import pooling as cases
from tests.gradients.harness import assert_gradients_match
from tests.harness import (
    Case,
    assert_within,
    dot_bound,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import pooling as reference


def check_max(kernel: str, case: Case, x: np.ndarray, dy: np.ndarray) -> None:
    y = reference.max_pool2d(x, **case.attrs).astype(np.float32)
    (dx,) = run_kernel(kernel, case, [x, y, dy])
    magnitude = reference.max_pool2d_gradient(x, np.abs(dy), **case.attrs)
    expected = reference.max_pool2d_gradient(x, dy, **case.attrs)
    assert_within(dx, expected, dot_bound(magnitude, 9))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.MAX_GRADIENT))
@pytest.mark.parametrize("ties", [False, True])
def test_max_pool2d_gradient(kernel: str, case: Case, ties: bool) -> None:
    x, _, dy = case.inputs()
    check_max(kernel, case, np.round(x) if ties else x, dy)


@pytest.mark.parametrize("kernel", kernel_rows("max_pool2d_gradient"))
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_of_several_nan_the_first_gets_the_gradient(kernel: str, strides: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 7, 7, 19)).astype(np.float32)
    x[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    x[0, :, :, 3] = -np.inf
    attrs = {"pool_size": 3, "strides": strides, "padding": "same"}
    shape = cases.output_shape(Case("max_pool2d", (x.shape,), attrs))
    dy = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    check_max(kernel, Case("max_pool2d_gradient", (x.shape, shape, shape), attrs), x, dy)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.AVERAGE_GRADIENT))
def test_average(kernel: str, case: Case) -> None:
    (dy,) = case.inputs()
    (dx,) = run_kernel(kernel, case, [dy])
    compute = getattr(reference, case.op)
    magnitude = compute(np.abs(dy), **case.attrs)
    assert_within(dx, compute(dy, **case.attrs), dot_bound(magnitude, 9))


@pytest.mark.parametrize("case", [*cases.GRADIENT_BENCHMARK, cases.MAX_GRADIENT[7]])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize(
    "case",
    [
        Case("max_pool2d", ((2, 7, 6, 3),), {"pool_size": 3, "strides": 2, "padding": "same"}),
        Case("avg_pool2d", ((2, 7, 6, 3),), {"pool_size": (2, 3), "strides": 2}),
        Case("avg_pool2d", ((2, 6, 6, 3),), {"pool_size": 2, "pads": (1, 1, 1, 1)}),
        Case("adaptive_avg_pool2d", ((2, 7, 6, 3),), {"output_size": (2, 4)}),
    ],
    ids=lambda case: case.op,
)
def test_rules_against_finite_differences(case: Case) -> None:
    compute = getattr(reference, case.op)
    rng = np.random.default_rng(0)
    x = rng.permutation(np.prod(case.shapes[0])).reshape(case.shapes[0]).astype(np.float32) / 64
    assert_gradients_match(case.op, [x], case.attrs, lambda x: compute(x, **case.attrs))


def test_errors_say_what_was_expected_and_what_came() -> None:
    graph = _C.Graph()
    x, dy = graph.input((1, 4, 4, 2)), graph.input((1, 3, 2, 2))
    with pytest.raises(ShapeError, match=r"dy must have shape \(1, 2, 2, 2\), got shape \(1, 3"):
        graph.add("max_pool2d_gradient", [x, dy, dy], {"pool_size": 2})
