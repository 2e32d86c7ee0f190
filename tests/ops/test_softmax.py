"""The softmax room: every row on every case, infinities and NaN, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError
from tests.cases import normalization as cases
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import normalization as reference

OPS = ("softmax", "log_softmax")


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.SOFTMAX))
@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_softmax(kernel: str, case: Case, spread: float) -> None:
    (x,) = case.inputs()
    x *= np.float32(spread)
    (y,) = run_kernel(kernel, case, [x])
    expected = getattr(reference, case.op)(x, **case.attrs)
    # Differences from the maximum are rounded: an error of the logarithm, relative for the result.
    distance = 4 * np.abs(x).max(initial=0.0) + 16
    scale = 1.0 if case.op == "log_softmax" else expected
    assert_within(y, expected, UNIT_ROUNDOFF * distance * scale + 2.0**-140)


@pytest.mark.parametrize("kernel", [k for op in OPS for k in kernel_rows(op)])
@pytest.mark.parametrize("n", [3, 16, 50])
@pytest.mark.parametrize("axis", [0, 1])
def test_infinities_and_nan(kernel: str, n: int, axis: int) -> None:
    op = kernel.rsplit("_f32_", 1)[0]
    rows = np.random.default_rng(0).standard_normal((6, n)).astype(np.float32)
    rows[0, 1:] = -np.inf  # all the weight on the first
    rows[1, ::2] = -np.inf
    rows[2] = -np.inf
    rows[3, -1] = np.inf
    rows[4, n // 2] = np.nan
    x = rows if axis == 1 else np.ascontiguousarray(rows.T)
    (y,) = run_kernel(kernel, Case(op, (x.shape,), {"axis": axis}), [x])
    y = y if axis == 1 else y.T
    assert np.isnan(y[2:5]).all()
    assert not np.isnan(y[[0, 1, 5]]).any()
    probability = y if op == "softmax" else np.exp(y)
    np.testing.assert_array_equal(probability[0], [1.0] + [0.0] * (n - 1))
    assert (probability[1, ::2] == 0).all()


@pytest.mark.parametrize("kernel", [k for op in OPS for k in kernel_rows(op)])
@pytest.mark.parametrize("offset", [3e38, -3e38, 1e5])
def test_no_overflow(kernel: str, offset: float) -> None:
    op = kernel.rsplit("_f32_", 1)[0]
    x = np.full((2, 40), offset, np.float32)
    (y,) = run_kernel(kernel, Case(op, (x.shape,), {}), [x])
    expected = 1 / 40 if op == "softmax" else -np.log(40)
    np.testing.assert_allclose(y, expected, rtol=1e-6)


@pytest.mark.parametrize("case", cases.BENCHMARK[8:])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_functions_by_name() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    for axis in (-1, 0, 1):
        for name in OPS:
            np.testing.assert_allclose(
                getattr(fc.ops, name)(x, axis=axis), getattr(reference, name)(x, axis), rtol=1e-5
            )
    with pytest.raises(
        ConfigError, match=r"softmax: axis 3 is outside an array of shape \(2, 3, 4\)"
    ):
        fc.ops.softmax(x, axis=3)
