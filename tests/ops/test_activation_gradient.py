"""Gradients of element-wise functions: every row on every case, slopes at jumps, in-place use."""

from typing import Any

import numpy as np
import pytest

from fastcnn import _C
from tests.cases import gradients as cases
from tests.cases.elementwise import ACTIVATION_KINDS, UNARY_KINDS
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import gradients as reference

ROUNDINGS = 16  # of each term: its products, and what simd/math.inl leaves of exponentials


def check(kernel: str, v: np.ndarray, dy: np.ndarray, attrs: dict[str, Any]) -> None:
    op = kernel.rsplit("_f32_", 1)[0]
    (dx,) = run_kernel(kernel, Case(op, (v.shape, dy.shape), attrs), [v, dy])
    slope, magnitude = getattr(reference, op.removesuffix("_gradient"))(v, **attrs)
    bound = ROUNDINGS * UNIT_ROUNDOFF * magnitude * np.abs(dy) + 2.0**-140
    assert_within(dx, np.where(slope == 0, 0.0, slope * dy.astype(np.float64)), bound)


@pytest.mark.parametrize(("kernel", "case"), each_kernel([*cases.ACTIVATION, *cases.UNARY]))
def test_gradient(kernel: str, case: Case) -> None:
    check(kernel, *case.inputs(), case.attrs)


@pytest.mark.parametrize("kernel", kernel_rows("activation_gradient"))
@pytest.mark.parametrize("kind", ACTIVATION_KINDS)
def test_slopes_far_from_zero_and_where_they_jump(kernel: str, kind: str) -> None:
    v = np.array([-50, -6, -3, -1, -0.0, 0, 1, 3, 6, 50, 1e-30, -1e-30] * 3, np.float32)
    check(kernel, v, np.linspace(-2, 2, v.size, dtype=np.float32), {"activation": kind})


@pytest.mark.parametrize("kernel", kernel_rows("unary_gradient"))
@pytest.mark.parametrize("kind", UNARY_KINDS)
def test_unary_slopes_far_from_zero(kernel: str, kind: str) -> None:
    v = np.array([-40, -20, -8, -3, -1, 0, 1, 3, 8, 14, 20, 40] * 3, np.float32)
    if kind in ("log", "sqrt", "rsqrt", "reciprocal", "arccosh"):
        v = np.abs(v) + np.float32(1.5)
    elif kind in ("arcsin", "arccos", "arctanh"):
        v = v / 50
    check(kernel, v, np.linspace(-2, 2, v.size, dtype=np.float32), {"kind": kind})


@pytest.mark.parametrize("kernel", kernel_rows("activation_gradient"))
@pytest.mark.parametrize("kind", ["relu", "relu6", "hard_sigmoid"])
def test_a_slope_of_zero_ends_nan_and_infinity(kernel: str, kind: str) -> None:
    v = np.full(19, -1.0, np.float32)
    dy = np.array([np.nan, np.inf, -np.inf, 1.0] * 5, np.float32)[:19]
    case = Case("activation_gradient", (v.shape, dy.shape), {"activation": kind})
    (dx,) = run_kernel(kernel, case, [v, dy])
    np.testing.assert_array_equal(dx, np.zeros(19))


def test_the_result_may_lie_over_the_first_operand() -> None:
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 3, 101)).astype(np.float32)
    graph = _C.Graph()
    a, b = graph.input(x.shape), graph.input(dy.shape)
    (y,) = graph.add("activation", [a], {"activation": "tanh"})
    (dx,) = graph.add("activation_gradient", [y, b], {"activation": "tanh"})
    (out,) = graph.add("unary", [dx], {"kind": "negative"})
    graph.set_outputs([out])
    plan = _C.compile(graph, optimize=False)
    (result,) = plan.run([x, dy])
    np.testing.assert_allclose(result, -dy * (1 - np.tanh(x) ** 2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", cases.BENCHMARK)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)
