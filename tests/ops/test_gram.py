"""The gram room: every row on every case, symmetric to the bit, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import distance as cases
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
from tests.reference import distance as reference


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.GRAM))
def test_gram_matrix(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    pixels = int(np.prod(x.shape[1:-1]))
    limit = dot_bound(reference.gram_matrix(np.abs(x), **case.attrs), pixels)
    assert_within(y, reference.gram_matrix(x, **case.attrs), limit)
    np.testing.assert_array_equal(y, y.transpose(0, 2, 1))


@pytest.mark.parametrize("kernel", kernel_rows("gram_matrix"))
def test_nan_and_infinity_reach_their_rows_and_columns_only(kernel: str) -> None:
    x = np.ones((1, 300, 70), np.float32)
    x[0, 7, 3], x[0, 200, 66] = np.nan, np.inf
    (y,) = run_kernel(kernel, Case("gram_matrix", (x.shape,)), [x])
    expected = np.full((70, 70), 300.0)
    expected[66], expected[:, 66] = np.inf, np.inf
    expected[3], expected[:, 3] = np.nan, np.nan
    np.testing.assert_array_equal(y[0], expected)


@pytest.mark.parametrize("shape", [(1, 9000, 64), (1, 3000, 100), (2, 700, 300), (1, 500, 520)])
def test_same_bits_at_any_thread_count(shape: tuple[int, ...]) -> None:
    same_bits_at_any_thread_count(Case("gram_matrix", (shape,)))


def test_python_face() -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype(np.float32)
    flat = x.reshape(2, 30, 4)
    np.testing.assert_array_equal(fc.ops.gram_matrix(x), fc.ops.gram_matrix(flat))
    np.testing.assert_allclose(
        fc.ops.gram_matrix(x, scale=1 / 30), reference.gram_matrix(x, scale=1 / 30), atol=1e-6
    )
    with pytest.raises(ShapeError, match="at least 3 dimensions"):
        fc.ops.gram_matrix(x[0, 0])
    with pytest.raises(ConfigError, match="scale: expected a finite number"):
        fc.ops.gram_matrix(x, scale=float("inf"))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 7, 33)])
def test_its_gradient_against_finite_differences(shape: tuple[int, ...]) -> None:
    (x,) = Case("gram_matrix", (shape,)).inputs()
    assert_gradients_match(
        "gram_matrix", [x], {"scale": 0.3}, lambda x: reference.gram_matrix(x, scale=0.3)
    )
