"""The graph transform itself: sums of contributions, views, updates of variables."""

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ConfigError, ShapeError, UnsupportedError


def scalar(graph: _C.Graph, value: float) -> int:
    return graph.constant(np.array(value, np.float32))


def array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def add(graph: _C.Graph, op: str, *operands: int, **attrs: object) -> int:
    return graph.add(op, list(operands), attrs)[0]


def run(graph: _C.Graph, outputs: list[int], *arrays: np.ndarray) -> list[np.ndarray]:
    graph.set_outputs(outputs)
    return _C.compile(graph).run(list(arrays))


def test_a_value_read_twice_gets_the_sum() -> None:
    graph, x = _C.Graph(), array(3, 4)
    value = graph.input(x.shape)
    loss = add(graph, "reduce_sum", add(graph, "mul", value, value))
    (gradient,) = run(graph, graph.gradient(loss, [value]), x)
    np.testing.assert_array_equal(gradient, 2 * x)


def test_gradients_pass_views_and_broadcasting() -> None:
    graph, x, b = _C.Graph(), array(2, 6), array(3, seed=1)
    vx, vb = graph.input(x.shape), graph.input(b.shape)
    y = add(graph, "mul", add(graph, "reshape", vx, shape=(4, 3)), vb)
    loss = add(graph, "reduce_sum", add(graph, "mul", y, y))
    dx, db = run(graph, graph.gradient(loss, [vx, vb]), x, b)
    rows = x.reshape(4, 3)
    np.testing.assert_allclose(dx, (2 * rows * b * b).reshape(2, 6), rtol=1e-6)
    np.testing.assert_allclose(db, (2 * rows * rows * b).sum(0), rtol=1e-5)


def test_nothing_passes_stop_gradient() -> None:
    graph, x = _C.Graph(), array(2, 3)
    value = graph.input(x.shape)
    doubled = add(graph, "add", value, value)
    held = add(graph, "stop_gradient", doubled)
    loss = add(graph, "reduce_sum", add(graph, "mul", held, value))
    gradients = graph.gradient(loss, [value, held, doubled])
    same, dx, dheld, nothing = run(graph, [held, *gradients], x)
    np.testing.assert_array_equal(same, 2 * x)
    np.testing.assert_array_equal(dx, 2 * x)
    np.testing.assert_array_equal(dheld, x)
    np.testing.assert_array_equal(nothing, np.zeros_like(x))


def test_a_source_that_the_loss_does_not_depend_on_gets_zeros() -> None:
    graph, x = _C.Graph(), array(2, 3)
    used, unused = graph.input(x.shape), graph.input((4,))
    loss = add(graph, "reduce_sum", used)
    gradients = graph.gradient(loss, [used, unused])
    dx, nothing = run(graph, gradients, x, array(4))
    np.testing.assert_array_equal(dx, np.ones_like(x))
    np.testing.assert_array_equal(nothing, np.zeros(4))


def test_the_gradient_of_the_loss_itself_is_one() -> None:
    graph = _C.Graph()
    loss = add(graph, "reduce_sum", graph.input((2,)))
    assert run(graph, graph.gradient(loss, [loss]), array(2))[0] == 1.0


def test_bad_requests_are_refused() -> None:
    graph = _C.Graph()
    x = graph.input((2, 3))
    with pytest.raises(ShapeError, match="loss of one number"):
        graph.gradient(x, [x])
    with pytest.raises(ConfigError, match="no value"):
        graph.gradient(add(graph, "reduce_sum", x), [99])
    boxes = graph.input((5, 4))
    loss = add(graph, "reduce_sum", add(graph, "box_iou", boxes, boxes))
    with pytest.raises(UnsupportedError, match="box_iou"):
        graph.gradient(loss, [boxes])


def descent(rate: float, shape: tuple[int, ...] = (5, 7)) -> tuple[_C.Plan, _C.Variable]:
    """One step of w -= rate * gradient of sum(x * w * w)."""
    variable, graph = _C.Variable(array(*shape)), _C.Graph()
    x, w = graph.input(shape), graph.variable(variable)
    loss = add(graph, "reduce_sum", add(graph, "mul", x, add(graph, "mul", w, w)))
    (gradient,) = graph.gradient(loss, [w])
    step = add(graph, "mul", gradient, scalar(graph, rate))
    graph.assign(variable, add(graph, "sub", w, step))
    graph.set_outputs([loss])
    return _C.compile(graph), variable


def test_a_plan_updates_its_variables_in_place() -> None:
    plan, variable = descent(0.25)
    x, w = array(5, 7, seed=3), variable.numpy()
    memory = variable.view().__array_interface__["data"]
    for count in range(1, 4):
        (loss,) = plan.run([x])
        np.testing.assert_allclose(loss, (x * w * w).sum(), rtol=1e-5)
        w = w - 0.25 * 2 * x * w
        np.testing.assert_allclose(variable.numpy(), w, rtol=1e-5)
        assert variable.version == 1 + count
        assert not plan.is_stale()
    assert variable.view().__array_interface__["data"] == memory


def test_plans_that_froze_a_variable_notice_the_update() -> None:
    plan, variable = descent(0.5)
    graph = _C.Graph()
    x = graph.input((5, 7))
    graph.set_outputs([add(graph, "add", x, graph.variable(variable))])
    frozen = _C.compile(graph)
    assert not frozen.is_stale()
    plan.run([array(5, 7)])
    assert frozen.is_stale()


def test_a_plan_of_gradients_is_not_outdated_by_assignments() -> None:
    variable, graph = _C.Variable(array(3)), _C.Graph()
    w = graph.variable(variable)
    loss = add(graph, "reduce_sum", add(graph, "mul", w, w))
    graph.set_outputs(graph.gradient(loss, [w]))
    plan = _C.compile(graph)
    for seed in range(3):
        variable.assign(array(3, seed=seed))
        assert not plan.is_stale()
        np.testing.assert_array_equal(plan.run([])[0], 2 * array(3, seed=seed))


def test_every_node_reads_what_a_variable_held_before() -> None:
    a, b = _C.Variable(array(3)), _C.Variable(array(3, seed=1))
    before = a.numpy(), b.numpy()
    graph = _C.Graph()
    va, vb = graph.variable(a), graph.variable(b)
    total = add(graph, "add", va, vb)
    graph.assign(a, vb)  # exchanged
    graph.assign(b, va)
    graph.set_outputs([total, va])
    plan = _C.compile(graph)
    found, old = plan.run([])
    np.testing.assert_array_equal(found, before[0] + before[1])
    np.testing.assert_array_equal(old, before[0])
    np.testing.assert_array_equal(a.numpy(), before[1])
    np.testing.assert_array_equal(b.numpy(), before[0])


def test_a_variable_is_assigned_once_and_keeps_its_shape() -> None:
    variable, graph = _C.Variable(array(3)), _C.Graph()
    value = add(graph, "mul", graph.variable(variable), scalar(graph, 2.0))
    with pytest.raises(ShapeError, match="cannot take"):
        graph.assign(variable, graph.input((4,)))
    graph.assign(variable, value)
    with pytest.raises(ConfigError, match="assigned twice"):
        graph.assign(variable, value)


def test_updates_do_not_wait_for_the_end_of_the_step() -> None:
    """The gradient of each of many weights needs memory until its update only."""

    def arena(layers: int) -> int:
        graph = _C.Graph()
        loss = scalar(graph, 0.0)
        variables = [_C.Variable(array(64, 64, seed=i)) for i in range(layers)]
        x = graph.input((64, 64))
        for v in variables:
            part = add(graph, "mul", add(graph, "mul", graph.variable(v), x), graph.variable(v))
            loss = add(graph, "add", loss, add(graph, "reduce_sum", part))
        for v, g in zip(
            variables, graph.gradient(loss, [graph.variable(v) for v in variables]), strict=True
        ):
            graph.assign(v, add(graph, "sub", graph.variable(v), g))
        graph.set_outputs([loss])
        return _C.compile(graph).arena_bytes

    one = 64 * 64 * 4
    assert arena(8) - arena(4) < 2 * 4 * one  # what the forward pass keeps, and no gradients


def deep(recompute: str, layers: int = 36) -> tuple[_C.Plan, np.ndarray]:
    """The gradient of a chain of layers x -> exp(-x * x) * w."""
    graph = _C.Graph()
    x = first = graph.input((64, 64))
    for i in range(layers):
        square = add(graph, "mul", add(graph, "mul", x, x), scalar(graph, -1.0))
        w = graph.constant(array(64, seed=i))
        x = add(graph, "mul", add(graph, "unary", square, kind="exp"), w)
    gradient = graph.gradient(add(graph, "reduce_sum", x), [first], recompute)
    graph.set_outputs(gradient)
    plan = _C.compile(graph)
    return plan, plan.run([array(64, 64)])[0]


def test_what_is_computed_again_has_the_same_bits_and_needs_less_memory() -> None:
    whole, expected = deep("")
    segments, found = deep("segments")
    np.testing.assert_array_equal(found, expected)
    assert segments.arena_bytes < 0.5 * whole.arena_bytes
    assert len(segments.steps()) < 1.5 * len(whole.steps())
    _, found = deep("activations", 3)
    np.testing.assert_array_equal(found, deep("", 3)[1])
    with pytest.raises(ConfigError, match="recompute"):
        deep("sometimes")


@pytest.mark.parametrize("asked", [False, True])
def test_a_border_becomes_padding_unless_its_gradient_is_asked_for(asked: bool) -> None:
    x, w = array(2, 7, 6, 3), array(3, 3, 3, 4, seed=1)

    def gradients(border: bool) -> tuple[list[np.ndarray], list[str]]:
        graph = _C.Graph()
        a, b = graph.input(x.shape), graph.input(w.shape)
        padded, attrs = a, {"strides": 2, "pads": (0, 1, 1, 0)}
        if border:
            padded = add(graph, "pad", a, pads=(0, 0, 0, 1, 1, 0, 0, 0))
            attrs = {"strides": 2}
        y = add(graph, "conv2d", padded, b, **attrs)
        loss = add(graph, "reduce_sum", add(graph, "unary", y, kind="square"))
        sources = [a, b, padded] if asked and border else [a, b]
        graph.set_outputs(graph.gradient(loss, sources))
        plan = _C.compile(graph)
        return plan.run([x, w]), [step["op"] for step in plan.steps()]

    (found, ops), (expected, _) = gradients(True), gradients(False)
    assert ("pad" in ops) == asked
    for a, b in zip(found, expected, strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    if asked:
        np.testing.assert_allclose(found[2][:, :7, 1:], found[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("consumer", ["conv2d", "depthwise_conv2d", "max_pool2d"])
def test_borders_are_folded_before_gradients_are_made(consumer: str) -> None:
    """The gradient through a border is that of the window that takes it on."""
    graph = _C.Graph()
    x = graph.input((2, 8, 8, 4))
    positive = add(graph, "activation", x, activation="relu")
    padded = add(graph, "pad", positive, pads=(0, 0, 1, 1, 1, 1, 0, 0))
    shapes = {"conv2d": (3, 3, 4, 4), "depthwise_conv2d": (3, 3, 4, 1)}
    operands = [padded]
    if consumer in shapes:
        operands.append(graph.constant(array(*shapes[consumer], seed=1)))
    options = {"pool_size": 3} if consumer == "max_pool2d" else {}
    y = add(graph, consumer, *operands, strides=2, **options)
    weight = graph.constant(array(*graph.shape(y), seed=2))
    loss = add(graph, "reduce_sum", add(graph, "mul", y, weight))
    outputs = [loss, *graph.gradient(loss, [x])]
    graph.set_outputs(outputs)
    plan = _C.compile(graph)
    assert not {"pad", "slice"} & {step["op"] for step in plan.steps()}
    point, direction = np.abs(array(2, 8, 8, 4)) + 0.1, array(2, 8, 8, 4, seed=3)
    _, gradient = plan.run([point])
    step = np.float32(1e-3)
    ahead, behind = plan.run([point + step * direction])[0], plan.run([point - step * direction])[0]
    expected = (float(ahead) - float(behind)) / (2 * float(step))
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=0.02, abs=0.02)
