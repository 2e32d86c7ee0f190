"""Batch normalisation in training and its gradient: every row on every case, large means."""

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import batch_norm_training as cases
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
from tests.plan.builder import Net, assert_same_as_described, ops_of
from tests.reference import normalization as reference
from tests.reference.elementwise import activation as activate

ROUNDINGS = 64  # of a value made of a few factors, each a sum with the error of as many additions


def check_training(kernel: str, case: Case, inputs: list[np.ndarray]) -> None:
    results = run_kernel(kernel, case, inputs)
    kind = case.attrs.get("activation", "linear")
    y, mean, variance, rstd = reference.batch_norm_training(*inputs, **case.attrs)
    x = inputs[0].astype(np.float64)
    magnitude = np.abs(y) + 1
    for operand in inputs[1:]:
        magnitude = magnitude + np.abs(operand) * (1 + np.abs(x - mean) * rstd)
    bound = ROUNDINGS * UNIT_ROUNDOFF
    assert_within(results[0], activate(y, kind), 2 * bound * magnitude)
    apart = np.abs(x - mean).mean(axis=tuple(range(x.ndim - 1)))
    assert_within(results[1], mean, UNIT_ROUNDOFF * np.abs(mean) + bound * apart)
    assert_within(results[2], variance, bound * variance)
    assert_within(results[3], rstd, bound * rstd)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.TRAINING))
def test_batch_norm_training(kernel: str, case: Case) -> None:
    check_training(kernel, case, case.inputs())


@pytest.mark.parametrize("kernel", kernel_rows("batch_norm_training"))
@pytest.mark.parametrize("shape", [(3000, 5), (40, 50, 33)])
def test_a_large_mean_costs_no_digits(kernel: str, shape: tuple[int, ...]) -> None:
    case = Case("batch_norm_training", (shape, shape[-1:], shape[-1:]), {})
    inputs = case.inputs()
    inputs[0] += np.float32(1e4)
    check_training(kernel, case, inputs)


@pytest.mark.parametrize("kernel", kernel_rows("batch_norm_training"))
def test_a_constant_channel_becomes_beta_and_nothing_has_no_mean(kernel: str) -> None:
    x = np.full((5, 3, 7), 3e8, np.float32)
    gamma, beta = np.full(7, 2.0, np.float32), np.arange(7, dtype=np.float32)
    case = Case("batch_norm_training", (x.shape, (7,), (7,)), {})
    y, mean, variance, *_ = run_kernel(kernel, case, [x, gamma, beta])
    np.testing.assert_array_equal(y, np.broadcast_to(beta, x.shape))
    np.testing.assert_array_equal(mean, np.full(7, 3e8, np.float32))
    np.testing.assert_array_equal(variance, 0)
    case = Case("batch_norm_training", ((0, 3, 7), (7,), (7,)), {})
    _, mean, variance, *_ = run_kernel(kernel, case, [x[:0], gamma, beta])
    assert np.isnan(mean).all()
    assert np.isnan(variance).all()


def check_gradient(kernel: str, case: Case, inputs: list[np.ndarray]) -> None:
    training, kind = case.attrs.get("training", True), case.attrs.get("activation", "linear")
    x, dy, *vectors = inputs[: 4 + case.attrs.get("scale", True)]
    axes = tuple(range(x.ndim - 1))
    mean, rstd = vectors[-2:]
    mean[...] = x.astype(np.float64).mean(axis=axes)
    rstd[...] = 1 / np.sqrt(x.astype(np.float64).var(axis=axes) + 1e-3)
    if not training:
        mean += np.float32(0.5)
    gamma = vectors[0] if len(vectors) == 3 else np.ones_like(mean)
    dz = dy
    if kind != "linear":
        if case.attrs.get("from_x"):
            y = (x.astype(np.float64) - mean) * rstd * gamma + inputs[-1]
            assert (np.abs(y) > 1e-6).all()
        else:
            inputs[-1] *= np.float32(4)
            y = inputs[-1]
        dz = np.where(y <= 0, np.float32(0.2 if kind == "leaky_relu" else 0), 1) * dy
        dz = np.where((y >= 6) & (kind == "relu6"), 0, dz)
    results = run_kernel(kernel, case, inputs)
    expected = reference.batch_norm_gradient(x, dz, gamma, rstd, None if training else mean)
    h = np.abs(x - mean.astype(np.float64)) * rstd
    n = max(1, x.size // x.shape[-1])
    sum_dz, sum_h = np.abs(dz).sum(axis=axes), (np.abs(dz) * (h + 1e-3)).sum(axis=axes)
    magnitude = np.abs(gamma) * rstd * (np.abs(dz) + sum_dz / n + h * sum_h / n)
    assert_within(results[0], expected[0], ROUNDINGS * UNIT_ROUNDOFF * magnitude + 1e-12)
    assert_within(results[1], expected[1], dot_bound(sum_h, 200) + 1e-12)
    assert_within(results[2], expected[2], dot_bound(sum_dz, 200))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.GRADIENT))
def test_batch_norm_gradient(kernel: str, case: Case) -> None:
    check_gradient(kernel, case, case.inputs())


@pytest.mark.parametrize("kernel", kernel_rows("batch_norm_gradient"))
def test_a_large_mean_costs_the_gradient_no_digits(kernel: str) -> None:
    case = Case("batch_norm_gradient", ((70, 50, 21),) * 2 + ((21,),) * 3, {})
    inputs = case.inputs()
    inputs[0] += np.float32(1e4)
    check_gradient(kernel, case, inputs)


@pytest.mark.parametrize("kernel", kernel_rows("batch_norm_gradient"))
@pytest.mark.parametrize("activation", ["relu", "relu6", "leaky_relu"])
@pytest.mark.parametrize("shape", [(300, 33), (20, 25, 80)])
def test_a_slope_found_from_x_is_that_of_the_result(
    kernel: str, activation: str, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    kinks = np.where(rng.random(shape[-1]) < 0.5, np.float32(0), np.float32(6))
    gamma = rng.uniform(0.5, 2, shape[-1]).astype(np.float32)
    # A few values of x about a common one, and beta such that these become kinks, but for
    # roundings.
    x = 3 + rng.integers(-3, 4, shape).astype(np.float32) * np.float32(2**-22)
    x.reshape(-1, shape[-1])[::2] += rng.standard_normal(shape[-1]).astype(np.float32)
    forward = kernel.replace("gradient", "training")
    vector = shape[-1:]
    case = Case("batch_norm_training", (shape, vector, vector), {"activation": activation})
    _, mean, _, rstd, _ = run_kernel(forward, case, [x, gamma, kinks])
    beta = (kinks - (3 - mean.astype(np.float64)) * rstd * gamma).astype(np.float32)
    y, _, _, _, shift = run_kernel(forward, case, [x, gamma, beta])
    operands = [x, rng.standard_normal(shape).astype(np.float32), gamma, mean, rstd]
    results = [
        run_kernel(
            kernel,
            Case("batch_norm_gradient", tuple(o.shape for o in (*operands, last)), attrs),
            [*operands, last],
        )
        for last, attrs in (
            (y, {"activation": activation}),
            (shift, {"activation": activation, "from_x": True}),
        )
    ]
    for from_y, from_x in zip(*results, strict=True):
        np.testing.assert_array_equal(from_x, from_y)


@pytest.mark.parametrize("kernel", kernel_rows("batch_norm_gradient"))
def test_sums_over_nothing_are_zero(kernel: str) -> None:
    case = Case("batch_norm_gradient", ((0, 5),) * 2 + ((5,),) * 3, {})
    for result in run_kernel(kernel, case, case.inputs()):
        assert (result == 0).all()


@pytest.mark.parametrize("case", [cases.BENCHMARK[1], cases.BENCHMARK[6]])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_a_residual_and_an_activation_are_fused_while_others_read_the_statistics() -> None:
    net = Net()
    x, r = net.input(2, 5, 6, 8), net.input(2, 5, 6, 8)
    y, mean, variance, *_ = net.graph.add(
        "batch_norm_training", [x, net.variable(8), net.variable(8)], {}
    )
    moved = net.add("add", mean, variance)  # before the tail, in the order of the graph
    out = net.add("activation", net.add("add", r, y), activation="relu")
    assert ops_of(assert_same_as_described(net, out, moved)) == ["batch_norm_training", "add"]


def test_a_residual_computed_later_stays_an_addition() -> None:
    net = Net()
    x = net.input(2, 5, 6, 8)
    y, mean, *_ = net.graph.add("batch_norm_training", [x, net.variable(8), net.variable(8)], {})
    later = net.add("mul", x, mean)
    out = net.add("add", y, later, activation="relu")
    assert ops_of(assert_same_as_described(net, out)) == ["batch_norm_training", "mul", "add"]


def test_errors_say_what_was_expected_and_what_came() -> None:
    graph = _C.Graph()
    x, v = graph.input((2, 3)), graph.input((3,))
    with pytest.raises(ShapeError, match="the residual must have x's shape"):
        graph.add("batch_norm_training", [x, v, v, v], {})
    with pytest.raises(ConfigError, match="activation: expected linear, relu, relu6 or leaky_relu"):
        graph.add("batch_norm_gradient", [x, x, v, v, v, x], {"activation": "silu"})
