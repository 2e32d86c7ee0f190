"""Gradients of normalisations, and what passes make of them."""

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import UnsupportedError
from tests.gradients.harness import assert_gradients_match
from tests.plan.builder import Net, assert_same_as_described, ops_of, random_inputs
from tests.reference import normalization as reference


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_batch_norm_training(scale: bool, center: bool, residual: bool) -> None:
    x = normal(4, 3, 5, 7)
    operands = [x, *(normal(7, seed=i + 1) for i in range(scale + center))]
    operands += [normal(4, 3, 5, 7, seed=9)] * residual
    attrs = {"scale": scale, "center": center, "epsilon": 0.01}
    assert_gradients_match(
        "batch_norm_training",
        operands,
        attrs,
        lambda *o: (reference.batch_norm_training(*o, **attrs)[0], *[None] * 4),
    )


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("only_x", [False, True])
def test_batch_norm_with_given_statistics(scale: bool, center: bool, only_x: bool) -> None:
    operands = [normal(4, 5, 7), *(normal(7, seed=i + 1) for i in range(scale + center + 1))]
    operands.append(np.abs(normal(7, seed=8)) + 0.5)
    attrs = {"scale": scale, "center": center, "epsilon": 0.01}
    assert_gradients_match(
        "batch_norm",
        operands,
        attrs,
        lambda *o: reference.batch_norm(*o, **attrs),
        wrt=[0] if only_x else None,
    )


def test_scale_shift() -> None:
    operands = [normal(4, 5, 7), normal(7, seed=1), normal(7, seed=2)]
    assert_gradients_match("scale_shift", operands, {}, lambda x, a, b: x * a + b)


def test_statistics_have_no_gradient_of_their_own() -> None:
    graph = _C.Graph()
    x, v = graph.input((4, 3)), graph.input((3,))
    _, mean, *_ = graph.add("batch_norm_training", [x, v, v], {})
    (loss,) = graph.add("reduce_sum", [mean], {})
    with pytest.raises(UnsupportedError, match="the statistics of a batch have no gradient"):
        graph.gradient(loss, [x])


@pytest.mark.parametrize("activation", ["relu", "relu6", "leaky_relu"])
def test_the_gradient_of_an_activation_is_fused_into_that_of_batch_norm(activation: str) -> None:
    net = Net()
    x = net.input(2, 5, 6, 8)
    gamma, beta = net.variable(8), net.variable(8)
    y = net.graph.add("batch_norm_training", [x, gamma, beta], {"activation": activation})[0]
    loss = net.add("reduce_sum", net.add("unary", y, kind="square"))
    plan = assert_same_as_described(net, loss, *net.graph.gradient(loss, [x, gamma, beta]))
    assert "activation_gradient" not in ops_of(plan)
    assert "activation" not in ops_of(plan)
    (step,) = (s for s in plan.steps() if s["op"] == "batch_norm_gradient")
    assert step["inputs"][-1] == (8,)  # the shift, and not the result


def test_it_stays_where_a_residual_reads_it_too() -> None:
    net = Net()
    x, r = net.input(2, 5, 6, 8), net.input(2, 5, 6, 8)
    y = net.graph.add("batch_norm_training", [x, net.variable(8), net.variable(8)], {})[0]
    z = net.add("add", y, r, activation="relu")
    loss = net.add("reduce_sum", net.add("unary", z, kind="square"))
    plan = assert_same_as_described(net, loss, *net.graph.gradient(loss, [x, r]))
    assert ops_of(plan).count("activation_gradient") == 1
    assert "add" not in ops_of(plan)


@pytest.mark.parametrize("activation", [None, "relu"])
def test_the_gradient_of_a_bias_before_it_is_not_computed(activation: str | None) -> None:
    net = Net()
    x, w, bias = net.input(2, 5, 6, 8), net.variable(3, 3, 8, 4), net.variable(4)
    y = net.add("conv2d", x, w, bias, padding="same")
    attrs = {} if activation is None else {"activation": activation}
    normal = net.graph.add("batch_norm_training", [y, net.variable(4), net.variable(4)], attrs)[0]
    loss = net.add("reduce_sum", net.add("unary", normal, kind="square"))
    plan = assert_same_as_described(net, *net.graph.gradient(loss, [w, bias]))
    assert "reduce_sum" not in ops_of(plan)
    assert not plan.run(random_inputs(plan))[1].any()


@pytest.mark.parametrize("op", ["group_norm", "instance_norm"])
@pytest.mark.parametrize("affine", [False, True])
def test_group_norm(op: str, affine: bool) -> None:
    operands = [normal(2, 3, 5, 6), *[normal(6, seed=1), normal(6, seed=2)] * affine]
    attrs = {"epsilon": 0.01, "scale": affine, "center": affine}
    if op == "group_norm":
        attrs["groups"] = 2
    compute = getattr(reference, op)
    assert_gradients_match(op, operands, attrs, lambda *o: compute(*o, **attrs))


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("axis", [-1, (1, 2)])
def test_layer_norm(scale: bool, axis: int | tuple[int, ...]) -> None:
    x = normal(4, 3, 7)
    shape = x.shape[-1:] if axis == -1 else x.shape[1:]
    operands = [x, *[normal(*shape, seed=1)] * scale, normal(*shape, seed=2)]
    attrs = {"epsilon": 0.01, "scale": scale, "axis": axis}
    assert_gradients_match(
        "layer_norm", operands, attrs, lambda *o: reference.layer_norm(*o, **attrs)
    )


@pytest.mark.parametrize("axis", [-1, 1, 0, (1, 2)])
def test_l2_normalize(axis: int | tuple[int, ...]) -> None:
    x = normal(4, 3, 7)
    x[0] *= 1e-3  # shorter than epsilon along any axis
    attrs = {"axis": axis, "epsilon": 1e-4}
    assert_gradients_match(
        "l2_normalize", [x], attrs, lambda x: reference.l2_normalize(x, **attrs), step=1e-6
    )


@pytest.mark.parametrize("size", [1, 5, 9])
@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_lrn(size: int, beta: float) -> None:
    attrs = {"size": size, "alpha": 2.0, "beta": beta, "bias": 1.5}
    assert_gradients_match("lrn", [normal(2, 3, 7)], attrs, lambda x: reference.lrn(x, **attrs))
