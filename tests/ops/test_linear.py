"""The dense room: every row on every case, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ShapeError
from tests.cases import linear as cases
from tests.harness import (
    Case,
    assert_within,
    dot_bound,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference.epilogue import finish


def swapped(x: np.ndarray, swap: bool) -> np.ndarray:
    return np.swapaxes(x, -1, -2) if swap else x


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.DENSE))
def test_dense(kernel: str, case: Case) -> None:
    x, w = (a.astype(np.float64) for a in case.inputs())
    (y,) = run_kernel(kernel, case, case.inputs())
    assert_within(y, x @ w, dot_bound(np.abs(x) @ np.abs(w), w.shape[0], kernel))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.MATMUL))
def test_matmul(kernel: str, case: Case) -> None:
    a, b = (m.astype(np.float64) for m in case.inputs())
    a, b = swapped(a, case.attrs["transpose_a"]), swapped(b, case.attrs["transpose_b"])
    (y,) = run_kernel(kernel, case, case.inputs())
    assert_within(y, a @ b, dot_bound(np.abs(a) @ np.abs(b), a.shape[-1], kernel))


@pytest.mark.parametrize("kernel", kernel_rows("dense"))
@pytest.mark.parametrize("rows", [1, 5, 33])
def test_epilogue(kernel: str, rows: int) -> None:
    rng = np.random.default_rng(2)
    shapes = ((rows, 130), (130, 133), (133,), (rows, 133))
    operands = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    x, w, *extra = operands
    (y,) = run_kernel(kernel, Case("dense", shapes, {"activation": "silu"}), operands)
    expected = finish(x.astype(float) @ w, extra, activation="silu")
    limit = 1.1 * dot_bound(np.abs(x).astype(float) @ np.abs(w), 130, kernel)
    assert_within(y, expected, limit + 1e-5 * (1 + np.abs(expected)))


@pytest.mark.parametrize("case", [cases.DENSE[-1], cases.MATMUL[5], *cases.BENCHMARK])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_errors_say_what_was_expected_and_what_came() -> None:
    with pytest.raises(ShapeError, match=r"expected a kernel of shape \(4, units\)"):
        fc.ops.dense(np.zeros((2, 4)), np.zeros((5, 3)))
    with pytest.raises(
        ShapeError, match=r"inner dimensions of \(2, 4\) \(transposed\) and \(4, 3\)"
    ):
        fc.ops.matmul(np.zeros((2, 4)), np.zeros((4, 3)), transpose_a=True)
    with pytest.raises(ShapeError, match="stacks of the same number"):
        fc.ops.matmul(np.zeros((2, 3, 4)), np.zeros((3, 4, 3)))
