"""The binary room: every row on every case, NaN, in-place use, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ShapeError
from tests.cases import elementwise as cases
from tests.harness import (
    Case,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.ops.test_activation import ULP, assert_ulp
from tests.reference import elementwise as reference


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.BINARY))
def test_binary(kernel: str, case: Case) -> None:
    a, b = case.inputs()
    (y,) = run_kernel(kernel, case, [a, b])
    expected = reference.binary(case.op, a, b, **case.attrs)
    assert_ulp(y, expected, ULP.get(case.attrs.get("activation", "linear"), 1.0))


@pytest.mark.parametrize("op", ["maximum", "minimum"])
@pytest.mark.parametrize("shape", [(40,), (1,)])
def test_extrema_are_nan_where_either_operand_is(op: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 40)).astype(np.float32)
    a[::3] = np.nan
    b = b[: shape[0]].copy()
    b[::4] = np.nan
    for kernel in kernel_rows(op):
        (y,) = run_kernel(kernel, Case(op, (a.shape, b.shape)), [a, b])
        np.testing.assert_array_equal(y, getattr(np, op)(a, b))


@pytest.mark.parametrize("kernel", kernel_rows("div"))
def test_division_by_zero_follows_ieee_754(kernel: str) -> None:
    a = np.array([1, -1, 0, np.inf] * 5, np.float32)
    b = np.array([0.0, 0.0, 0.0, np.inf] * 5, np.float32)
    (y,) = run_kernel(kernel, Case("div", (a.shape, b.shape)), [a, b])
    np.testing.assert_array_equal(y, [np.inf, -np.inf, np.nan, np.nan] * 5)


@pytest.mark.parametrize("isa", ["ref", "avx2", "avx512"])
@pytest.mark.parametrize("shape_b", [(2, 9, 9, 21), (21,), (2, 1, 1, 21), (2, 9, 9, 1), ()])
def test_a_result_may_overwrite_the_first_operand(
    isa: str, shape_b: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if f"sub_f32_{isa}" not in kernel_rows("sub"):
        pytest.skip("not on this machine")
    monkeypatch.setenv("FASTCNN_MAX_ISA", isa)
    rng = np.random.default_rng(0)
    a = rng.standard_normal((2, 9, 9, 21)).astype(np.float32)
    b = rng.standard_normal(shape_b).astype(np.float32)
    graph = _C.Graph()
    x, y = graph.input(a.shape), graph.input(b.shape)
    for op in ("sub", "mul", "maximum"):  # the later ones write over what the earlier gave
        (x,) = graph.add(op, [x, y], {"activation": "tanh"})
    graph.set_outputs([x])
    (result,) = _C.compile(graph, optimize=False).run([a, b])
    expected = a
    for op in ("sub", "mul", "maximum"):
        expected = reference.binary(op, expected, b, activation="tanh").astype(np.float32)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", [*cases.BENCHMARK[:4], cases.BINARY[4]])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_functions_by_name() -> None:
    a = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    b = [4.0, 2.0, 8.0]
    for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
        np.testing.assert_array_equal(getattr(fc.ops, name)(a, b), getattr(np, name)(a, b))


def test_errors_say_what_was_expected_and_what_came() -> None:
    with pytest.raises(ShapeError, match=r"mul: shapes \(2, 3\) and \(2,\) cannot be broadcast"):
        fc.ops.multiply(np.zeros((2, 3)), np.zeros(2))
