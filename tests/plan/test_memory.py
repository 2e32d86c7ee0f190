"""The memory plan on random graphs: views and shared memory never mix values up."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fastcnn import _C
from tests.plan.builder import Net, assert_same_as_described, ops_of

SHAPE = (1, 4, 3, 16)


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Steps (kind, i, k): a new value from the values i and k made so far."""
    steps = draw(st.integers(1, 12))
    kinds = ("add", "mul", "relu", "view", "join", "sub", "pool", "side by side")
    return [
        (draw(st.sampled_from(kinds)), draw(st.integers(0, n + 1)), draw(st.integers(0, n + 1)))
        for n in range(steps)
    ]


@settings(max_examples=150, deadline=None)
@given(programs(), st.data())
def test_a_plan_computes_what_numpy_computes(
    program: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    net = Net()
    values = [net.input(*SHAPE), net.input(*SHAPE)]
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(-1, 1, SHAPE).astype(np.float32) for _ in range(2)]
    inputs = list(arrays)
    for kind, i, k in program:
        a, b = values[i], values[k]
        x, y = arrays[i], arrays[k]
        if kind == "relu":
            values.append(net.add("activation", a, activation="relu"))
            arrays.append(np.maximum(x, 0))
        elif kind == "view":
            flat = net.add("reshape", a, shape=[-1])
            values.append(net.add("reshape", flat, shape=list(SHAPE)))
            arrays.append(x)
        elif kind == "join":  # two halves of two values, put together along the height
            halves = [
                net.add("slice", v, begin=[0, s, 0, 0], size=[1, 2, 3, 16])
                for v, s in ((a, 0), (b, 2))
            ]
            values.append(net.add("concat", *halves, axis=1))
            arrays.append(np.concatenate([x[:, :2], y[:, 2:]], axis=1))
        elif kind == "pool":
            values.append(net.add("max_pool2d", a, pool_size=1))
            arrays.append(x)
        elif kind == "side by side":  # half the channels of both, twice to have as many again
            pooled = [net.add("max_pool2d", v, pool_size=(1, 1), strides=1) for v in (a, b)]
            wide = net.add("max_pool2d", net.add("concat", *pooled, axis=3), pool_size=1)
            values.append(net.add("slice", wide, begin=[0, 0, 0, 8], size=[1, 4, 3, 16]))
            arrays.append(np.concatenate([x, y], axis=3)[..., 8:24])
        else:
            values.append(net.add(kind, a, b))
            arrays.append({"add": np.add, "mul": np.multiply, "sub": np.subtract}[kind](x, y))
    chosen = data.draw(st.lists(st.integers(0, len(values) - 1), min_size=1, max_size=4))
    plan = net.compile(*[values[c] for c in chosen])
    for _ in range(2):  # the second run finds the arena as the first left it
        for got, c in zip(plan.run(inputs), chosen, strict=True):
            np.testing.assert_array_equal(got, arrays[c])


@pytest.mark.parametrize(("size", "in_place"), [(2, True), (3, False)])
def test_the_gradient_of_a_pool_whose_windows_tile_lies_over_its_picture(
    size: int, in_place: bool
) -> None:
    net = Net()
    x = net.input(2, 6, 8, 16)
    squared = net.add("unary", x, kind="square")
    pooled = net.add("max_pool2d", squared, pool_size=size, strides=2)
    loss = net.add("reduce_sum", net.add("unary", pooled, kind="square"))
    plan = assert_same_as_described(net, loss, *net.graph.gradient(loss, [x]))
    assert "max_pool2d_gradient" in ops_of(plan)
    assert (plan.arena_bytes < 2 * 2 * 6 * 8 * 16 * 4) == (in_place and _C.max_isa() != "ref")
