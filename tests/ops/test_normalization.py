"""The batch_norm and norm rooms: every row on every case, hard data, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import normalization as cases
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
from tests.reference import elementwise, normalization as reference

EPS = 2 * UNIT_ROUNDOFF


def with_variance(case: Case) -> list[np.ndarray]:
    inputs = case.inputs()
    inputs[-1] = np.abs(inputs[-1])
    return inputs


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.BATCH_NORM))
def test_batch_norm(kernel: str, case: Case) -> None:
    inputs = with_variance(case)
    (y,) = run_kernel(kernel, case, inputs)
    expected = reference.batch_norm(*inputs, **case.attrs)
    beta = inputs[-3] if case.attrs.get("center", True) else np.float32(0)
    assert_within(y, expected, 2 * EPS * (np.abs(expected - beta) + np.abs(expected)))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.SCALE_SHIFT))
def test_scale_shift(kernel: str, case: Case) -> None:
    x, scale, shift = case.inputs()
    (y,) = run_kernel(kernel, case, [x, scale, shift])
    exact = x.astype(np.float64) * scale + shift
    # No activation here is steeper than hard_swish's 1.5 at its right end.
    assert_within(y, elementwise.activation(exact, **case.attrs), 3 * EPS * (np.abs(exact) + 1))


@pytest.mark.parametrize(("scale", "center"), [(True, True), (False, True), (True, False)])
def test_scale_and_shift_are_what_batch_norm_does(scale: bool, center: bool) -> None:
    rng = np.random.default_rng(0)
    x, gamma, beta, mean = rng.standard_normal((4, 21)).astype(np.float32)
    var = rng.random(21).astype(np.float32)
    operands = [gamma] * scale + [beta] * center + [mean, var]
    attrs = {"scale": scale, "center": center, "epsilon": 1e-5}
    case = Case("batch_norm_scale_shift", tuple(o.shape for o in operands), attrs)
    expected = reference.batch_norm(x, *operands, **attrs)
    for kernel in kernel_rows("batch_norm_scale_shift"):
        a, b = run_kernel(kernel, case, operands)
        np.testing.assert_allclose(x.astype(np.float64) * a + b, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kernel", "case"), each_kernel([*cases.GROUP_NORM, *cases.LAYER_NORM]))
def test_norms_of_the_data(kernel: str, case: Case) -> None:
    inputs = case.inputs()
    (y,) = run_kernel(kernel, case, inputs)
    expected = getattr(reference, case.op)(*inputs, **case.attrs)
    assert_within(y, expected, 8 * EPS * (1 + np.abs(expected)))


@pytest.mark.parametrize("op", ["instance_norm", "layer_norm", "group_norm"])
def test_a_mean_far_above_the_deviation_costs_no_digits(op: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 30, 30, 24))
    x = (10_000 + x).astype(np.float32)
    attrs = {"scale": False, "center": False, "epsilon": 0.0}
    if op == "group_norm":
        attrs["groups"] = 4
    for kernel in kernel_rows(op):
        (y,) = run_kernel(kernel, Case(op, (x.shape,), attrs), [x])
        expected = getattr(reference, op)(x, **attrs)
        assert_within(y, expected, 16 * EPS * (1 + np.abs(expected)))


@pytest.mark.parametrize("op", ["instance_norm", "layer_norm"])
def test_a_constant_becomes_beta(op: str) -> None:
    x = np.full((2, 9, 9, 5), 3.1, np.float32)
    gamma, beta = np.arange(10, dtype=np.float32).reshape(2, 5)
    for kernel in kernel_rows(op):
        (y,) = run_kernel(kernel, Case(op, (x.shape, (5,), (5,)), {}), [x, gamma, beta])
        np.testing.assert_allclose(y, np.broadcast_to(beta, x.shape), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.L2_NORMALIZE))
def test_l2_normalize(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    expected = reference.l2_normalize(x, **case.attrs)
    assert_within(y, expected, 4 * EPS * np.abs(expected))


@pytest.mark.parametrize("kernel", kernel_rows("l2_normalize"))
@pytest.mark.parametrize("axis", [-1, 0])
def test_zeros_stay_zeros_and_nan_stays(kernel: str, axis: int) -> None:
    x = np.zeros((20, 20), np.float32)
    (y,) = run_kernel(kernel, Case("l2_normalize", (x.shape,), {"axis": axis}), [x])
    np.testing.assert_array_equal(y, x)
    x[3, 3] = np.nan
    (y,) = run_kernel(kernel, Case("l2_normalize", (x.shape,), {"axis": axis}), [x])
    assert np.isnan(y).sum() == 20


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.LRN))
def test_lrn(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    expected = reference.lrn(x, **case.attrs)
    assert_within(y, expected, 12 * EPS * np.abs(expected))


@pytest.mark.parametrize("case", cases.BENCHMARK[:8])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_functions_by_name() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 5, 6)).astype(np.float32)
    gamma, beta, mean = rng.standard_normal((3, 6)).astype(np.float32)
    var = rng.random(6).astype(np.float32)
    ops = fc.ops
    no = {"scale": False, "center": False}
    for y, expected in [
        (
            ops.batch_normalization(x, mean, var, offset=beta, scale=gamma),
            reference.batch_norm(x, gamma, beta, mean, var),
        ),
        (
            ops.batch_normalization(x, mean, var, 3, epsilon=0.1),
            reference.batch_norm(x, mean, var, epsilon=0.1, **no),
        ),
        (
            ops.group_normalization(x, 2, gamma, beta),
            reference.group_norm(x, gamma, beta, groups=2),
        ),
        (ops.group_normalization(x, -1), reference.instance_norm(x, **no)),
        (
            ops.instance_normalization(x, beta=beta, epsilon=1e-5),
            reference.instance_norm(x, beta, scale=False, epsilon=1e-5),
        ),
        (
            ops.layer_normalization(x, gamma),
            reference.layer_norm(x, gamma, center=False),
        ),
        (ops.layer_normalization(x, axis=(-2, -1)), reference.layer_norm(x, axis=(2, 3), **no)),
        (ops.l2_normalize(x, axis=(1, 2)), reference.l2_normalize(x, axis=(1, 2))),
        (
            ops.local_response_normalization(x, 3, 0.5, 0.75, k=2.0),
            reference.lrn(x, 3, 0.5, 0.75, 2.0),
        ),
    ]:
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_errors_say_what_was_expected_and_what_came() -> None:
    x = np.zeros((2, 3, 6), np.float32)
    ops = fc.ops
    with pytest.raises(ShapeError, match=r"the last axis' 6 channels, got shape \(5,\)"):
        ops.batch_normalization(x, np.zeros(5), np.ones(5))
    with pytest.raises(ConfigError, match="axis: expected the last"):
        ops.batch_normalization(x, np.zeros(3), np.ones(3), axis=1)
    with pytest.raises(ConfigError, match="expected a divisor of the 6 channels, got 4"):
        ops.group_normalization(x, 4)
    with pytest.raises(ConfigError, match="epsilon: expected a number >= 0"):
        ops.instance_normalization(x, epsilon=-1.0)
    with pytest.raises(ConfigError, match="expected the last axes"):
        ops.layer_normalization(x, axis=1)
    with pytest.raises(ShapeError, match=r"must have shape \(3, 6\), got \(6,\)"):
        ops.layer_normalization(x, np.ones(6), axis=(1, 2))
    with pytest.raises(ConfigError, match="expected neighbouring axes"):
        ops.l2_normalize(x, axis=(0, 2))
    with pytest.raises(ConfigError, match="size: expected an odd number"):
        ops.local_response_normalization(x, 4)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.LRN_GRADIENT))
def test_lrn_gradient(kernel: str, case: Case) -> None:
    x, dy = case.inputs()
    (dx,) = run_kernel(kernel, case, [x, dy])
    expected, magnitude = reference.lrn_gradient(x, dy, **case.attrs)
    assert_within(dx, expected, dot_bound(magnitude, case.attrs.get("size", 5)) * 4)
