"""The reduce room: every row on every case, NaN and ties, long sums, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import reductions as cases
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
from tests.reference import reductions as reference


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.REDUCE))
def test_reduce(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    exact = case.op in ("reduce_max", "reduce_min")
    bound = 0.0 if exact else dot_bound(reference.reduce(case.op, np.abs(x), **case.attrs), 64)
    assert_within(y, reference.reduce(case.op, x, **case.attrs), bound)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.ARGMAX))
@pytest.mark.parametrize("ties", [False, True])
def test_argmax(kernel: str, case: Case, ties: bool) -> None:
    (x,) = case.inputs()
    if ties:
        x = np.round(x * 2)
    (y,) = run_kernel(kernel, case, [x])
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, reference.argmax(x, **case.attrs))


@pytest.mark.parametrize("op", ["reduce_max", "reduce_min", "argmax"])
@pytest.mark.parametrize("shape", [(7, 5), (40, 37), (2000, 3), (3, 2000)])
@pytest.mark.parametrize("axis", [0, 1])
def test_nan_wins(op: str, shape: tuple[int, int], axis: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    x[rng.integers(0, shape[0], 4), rng.integers(0, shape[1], 4)] = np.nan
    x[0, 0] = np.inf
    for kernel in kernel_rows(op):
        (y,) = run_kernel(kernel, Case(op, (shape,), {"axis": axis}), [x])
        numpy = {"reduce_max": np.max, "reduce_min": np.min, "argmax": np.argmax}[op]
        np.testing.assert_array_equal(y, numpy(x, axis=axis))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_extrema_of_infinities(value: float) -> None:
    x = np.full((19, 21), value, np.float32)
    for op in ("reduce_max", "reduce_min", "reduce_sum"):
        for kernel in kernel_rows(op):
            for attrs in ({}, {"axis": 0}, {"axis": 1}):
                (y,) = run_kernel(kernel, Case(op, (x.shape,), attrs), [x])
                np.testing.assert_array_equal(y, np.full_like(y, value))
    for kernel in kernel_rows("argmax"):
        (y,) = run_kernel(kernel, Case("argmax", (x.shape,), {"axis": 0}), [x])
        np.testing.assert_array_equal(y, 0)


@pytest.mark.parametrize("shape", [(1 << 22,), (1 << 20, 4)])
def test_a_long_sum_has_the_error_of_a_short_one(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    for kernel in kernel_rows("reduce_sum"):
        (y,) = run_kernel(kernel, Case("reduce_sum", (shape,), {"axis": 0}), [x])
        expected = x.astype(np.float64).sum(axis=0)
        # A chain of so many additions would err by hundreds of units.
        assert_within(y, expected, 4 * UNIT_ROUNDOFF * expected)


@pytest.mark.parametrize("case", [*cases.BENCHMARK, Case("reduce_max", ((2500, 70),), {"axis": 0})])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_functions_by_name() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    for name in ("sum", "mean", "prod", "max", "min"):
        for axis in (None, 1, -1, (1, 2), [0, 3]):
            np.testing.assert_allclose(
                getattr(fc.ops, name)(x, axis=axis, keepdims=True),
                reference.reduce("reduce_" + name, x, axis, True),
                rtol=1e-5,
                atol=1e-6,
            )
    np.testing.assert_array_equal(fc.ops.argmax(x, axis=-1), x.argmax(-1))
    assert fc.ops.argmax(x) == x.argmax()
    np.testing.assert_array_equal(fc.ops.sum(x, axis=()), x)
    np.testing.assert_allclose(fc.ops.global_avg_pool2d(x), x.mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        fc.ops.global_max_pool2d(x, keepdims=True), x.max((1, 2), keepdims=True)
    )


def test_errors_say_what_was_expected_and_what_came() -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ConfigError, match=r"axis 2 is outside an array of shape \(2, 3\)"):
        fc.ops.sum(x, axis=2)
    with pytest.raises(ConfigError, match="axis -1 is named twice"):
        fc.ops.sum(x, axis=(1, -1))
    with pytest.raises(ConfigError, match=r"axis: expected integers or None, got 0\.5"):
        fc.ops.mean(x, axis=0.5)
    with pytest.raises(ShapeError, match=r"over axis 0 of an array of shape \(0, 3\)"):
        fc.ops.max(x[:0], axis=0)
    with pytest.raises(ShapeError, match="global_avg_pool2d: x must have 4 dimensions"):
        fc.ops.global_avg_pool2d(x)
