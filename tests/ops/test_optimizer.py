"""Optimizer steps: every row on every case, between guard pages and over their operands."""

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import optimizer as cases
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import optimizer as reference

ROUNDINGS = 12


@pytest.mark.parametrize(("kernel", "case"), each_kernel([*cases.STEPS, *cases.AVERAGES]))
def test_step(kernel: str, case: Case) -> None:
    inputs = case.inputs()
    results = run_kernel(kernel, case, inputs)
    expected = getattr(reference, case.op)(*(a.astype(np.float64) for a in inputs), **case.attrs)
    assert len(results) == len(expected)
    for actual, (value, magnitude) in zip(results, expected, strict=True):
        assert_within(actual, value, ROUNDINGS * UNIT_ROUNDOFF * magnitude + 2.0**-140)


@pytest.mark.parametrize("op", ["sgd_update", "rmsprop_update", "adam_update"])
def test_nan_in_a_gradient_reaches_all_results(op: str) -> None:
    case = next(c for c in cases.STEPS if c.op == op and len(c.shapes) >= 5)
    inputs = case.inputs()
    gradient = [a for a in inputs if a.ndim][-1]
    gradient[5] = np.nan
    for kernel in kernel_rows(op):
        for result in run_kernel(kernel, case, inputs):
            np.testing.assert_array_equal(np.isnan(result), np.arange(result.size) == 5)


@pytest.mark.parametrize("kernel", kernel_rows("rmsprop_update"))
def test_a_variance_that_rounding_makes_negative_is_zero(kernel: str) -> None:
    g = np.linspace(-3, 3, 50, dtype=np.float32)
    case = Case("rmsprop_update", (g.shape,) * 4 + ((),), {"centered": True, "epsilon": 1e-12})
    state = [np.zeros_like(g), g * g * np.float32(0.999), g, g, np.array(1e-9, np.float32)]
    for result in run_kernel(kernel, case, state):
        assert np.isfinite(result).all()


@pytest.mark.parametrize("case", [*cases.STEPS[-2:], *cases.BENCHMARK[:1]])
def test_results_may_lie_over_operands(case: Case) -> None:
    """In a plan that assigns them, and so has no need of memory of its own."""
    inputs = case.inputs()
    expected = getattr(reference, case.op)(*(a.astype(np.float64) for a in inputs), **case.attrs)
    graph = _C.Graph()
    variables = [_C.Variable(a) for a in inputs[: len(expected)]]
    given = [graph.input(a.shape) for a in inputs[len(expected) :]]
    results = graph.add(case.op, [*map(graph.variable, variables), *given], case.attrs)
    for variable, result in zip(variables, results, strict=True):
        graph.assign(variable, result)
    graph.set_outputs([])
    plan = _C.compile(graph)
    assert plan.arena_bytes == 0
    plan.run(inputs[len(expected) :])
    for variable, (value, magnitude) in zip(variables, expected, strict=True):
        assert_within(variable.numpy(), value, ROUNDINGS * UNIT_ROUNDOFF * magnitude)


@pytest.mark.parametrize("case", cases.BENCHMARK[1:])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    small = [tuple(n // 4 if n > 4 else n for n in s) for s in case.shapes]
    same_bits_at_any_thread_count(Case(case.op, tuple(small), case.attrs))


def test_errors_say_what_was_expected_and_what_came() -> None:
    graph = _C.Graph()
    w, other, rate = graph.input((3,)), graph.input((4,)), graph.input(())
    with pytest.raises(ShapeError, match=r"operand 1 must have the weight's shape \(3,\)"):
        graph.add("sgd_update", [w, other, rate], {})
    with pytest.raises(ShapeError, match=r"operand 2 must be a number of shape \(\)"):
        graph.add("sgd_update", [w, w, w], {})
    with pytest.raises(ConfigError, match="momentum: expected a number from 0 to 1"):
        graph.add("sgd_update", [w, w, w, rate], {"momentum": 2.0})
    with pytest.raises(ShapeError, match="operands of one shape"):
        graph.add("moving_average", [w, other], {})
