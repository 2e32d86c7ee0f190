"""What a plan promises: outputs, memory, constants, staleness, errors."""

import ctypes

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, ShapeError, UnsupportedError
from tests.plan.builder import Net, assert_same_as_described, ops_of, random_inputs


def test_an_input_a_constant_and_a_repeated_value_may_be_outputs() -> None:
    net = Net()
    x = net.input(2, 3)
    c = net.graph.constant(np.arange(4, dtype=np.float32))
    y = net.add("activation", x, activation="relu")
    v = net.add("reshape", y, shape=[3, 2])
    plan = net.compile(x, c, y, y, v)
    (a,) = random_inputs(plan)
    results = plan.run([a])
    relu = np.maximum(a, 0)
    for got, expected in zip(
        results, [a, np.arange(4), relu, relu, relu.reshape(3, 2)], strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_element_wise_chains_run_in_one_buffer() -> None:
    net = Net()
    y = net.input(1, 64, 64, 16)
    for _ in range(6):
        y = net.add("add", net.add("mul", y, y), y)
    plan = net.compile(y)
    assert plan.arena_bytes <= 3 * 64 * 64 * 16 * 4


def test_a_contiguous_concatenation_is_written_in_place() -> None:
    net = Net()
    x = net.input(1, 16, 8, 4)
    parts = [net.add("mul", x, x), net.add("add", x, x)]
    both = net.add("concat", *parts, axis=1)
    plan = net.compile(net.add("add", both, both))
    (a,) = random_inputs(plan)
    np.testing.assert_array_equal(plan.run([a])[0], 2 * np.concatenate([a * a, a + a], axis=1))
    assert plan.arena_bytes == 2 * a.nbytes  # the operands have no memory of their own


def test_concatenations_within_a_concatenation_are_written_in_place() -> None:
    net = Net()
    parts = [net.add("activation", net.input(1, 16), activation="relu") for _ in range(4)]
    left, right = net.add("concat", *parts[:2], axis=1), net.add("concat", *parts[2:], axis=1)
    y = net.add("concat", left, right, axis=1)
    plan = net.compile(net.add("mul", y, y))
    inputs = random_inputs(plan)
    (result,) = plan.run(inputs)
    np.testing.assert_array_equal(result, np.maximum(np.concatenate(inputs, axis=1), 0) ** 2)


def test_channels_are_computed_in_their_place_in_a_concatenation() -> None:
    net = Net()
    x = net.input(2, 6, 8, 16)
    up = net.add("conv2d_transpose", x, net.variable(3, 3, 32, 16), strides=2, padding="same")
    skip = net.conv(net.input(2, 12, 16, 3), 16, bias=True, activation="relu")
    grouped = net.add("conv2d", up, net.variable(3, 3, 16, 48), padding="same", groups=2)
    pooled = net.add("max_pool2d", grouped, pool_size=3, strides=1, padding="same")
    plan = net.compile(net.add("concat", skip, grouped, pooled), net.add("max_pool2d", skip))
    inputs = random_inputs(plan)
    together, below = plan.run(inputs)
    parts = net.compile(skip, grouped, pooled).run(inputs)
    np.testing.assert_array_equal(together, np.concatenate(parts, axis=3))
    rows = parts[0].reshape(2, 6, 2, 8, 2, 16)
    np.testing.assert_array_equal(below, rows.max(axis=(2, 4)))
    if _C.max_isa() != "ref":  # only the input of the second convolution has memory of its own
        workspaces = 4 * max(step["workspace"] + 64 for step in plan.steps())
        assert plan.arena_bytes <= 2 * 12 * 16 * 32 * 4 + workspaces


def test_a_part_that_is_joined_twice_is_copied_from_its_place() -> None:
    net = Net()
    x = net.conv(net.input(1, 5, 7, 3), 16)
    plan = net.compile(net.add("concat", x, x, net.conv(x, 32)))
    inputs = random_inputs(plan)
    (result,) = plan.run(inputs)
    np.testing.assert_array_equal(result[..., :16], net.compile(x).run(inputs)[0])
    np.testing.assert_array_equal(result[..., :16], result[..., 16:32])


@pytest.mark.parametrize("user", ["conv2d", "activation", "reshape", "residual", "concat"])
def test_channels_that_others_read_are_copied_where_these_need_them_together(user: str) -> None:
    net = Net()
    x = net.input(1, 6, 5, 3)
    part, other = net.conv(x, 16), net.conv(x, 16)
    if user == "residual":
        part = net.add("add", part, net.conv(net.input(1, 6, 5, 16), 16))
    joined = net.add("concat", part, other)
    outputs = [net.add("activation", joined, activation="tanh"), net.conv(joined, 16)]
    if user == "conv2d":
        outputs.append(net.conv(part, 4))
    elif user == "activation":
        outputs.append(net.add("mul", net.add("activation", part, activation="tanh"), other))
    elif user == "reshape":
        outputs.append(net.add("mul", net.add("reshape", part, shape=[30, 16]), net.input(16)))
    elif user == "concat":
        outputs.append(net.conv(net.add("concat", other, part), 4))
    assert_same_as_described(net, *outputs)


def test_the_second_run_allocates_nothing() -> None:
    class Mallinfo2(ctypes.Structure):
        _fields_ = [
            (n, ctypes.c_size_t)
            for n in (
                "arena",
                "ordblks",
                "smblks",
                "hblks",
                "hblkhd",
                "usmblks",
                "fsmblks",
                "uordblks",
                "fordblks",
                "keepcost",
            )
        ]

    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("needs glibc's mallinfo2")
    libc.mallinfo2.restype = Mallinfo2

    net = Net()
    y = net.conv(net.conv(net.input(1, 32, 32, 16), 32), 16)
    plan = net.compile(y)
    inputs = random_inputs(plan)
    outputs = plan.run(inputs)
    plan.run(inputs, outputs)
    before = libc.mallinfo2()
    for _ in range(500):
        plan.run(inputs, outputs)
    after = libc.mallinfo2()
    assert after.hblkhd == before.hblkhd
    assert after.uordblks - before.uordblks < 500 * 32  # Python's own small change, not per run


def packed_bytes(
    op: str, weights: _C.Variable, *shapes: tuple[int, ...], **attrs: object
) -> list[int]:
    """Bytes of folded constants after planning the op for each shape in turn, in one cache."""
    cache = _C.ConstantCache()
    sizes, plans = [], []
    for shape in shapes:
        net = Net()
        y = net.add(op, net.input(*shape), net.graph.variable(weights), **attrs)
        plans.append(net.compile(y, cache=cache))  # kept: the cache holds what plans use
        sizes.append(cache.bytes)
    return sizes


def test_plans_of_other_sizes_share_packed_weights() -> None:
    w = _C.Variable(np.ones((3, 3, 16, 64), np.float32))
    sizes = packed_bytes("conv2d", w, (1, 8, 8, 16), (2, 9, 12, 16), strides=2, padding="same")
    assert sizes[0] == sizes[1]


def test_plans_of_other_batches_share_packed_weights() -> None:
    w = _C.Variable(np.ones((48, 64), np.float32))
    sizes = packed_bytes("dense", w, (1, 48), (8, 48), (3, 5, 48))
    assert sizes[0] == sizes[1] == sizes[2]


def test_constants_that_read_a_constant_twice_do_not_grow_their_names() -> None:
    net = Net()
    v = net.variable(3)
    for _ in range(60):  # a name that held its operands' names would have 2^60 characters
        v = net.add("maximum", v, v)
    plan = net.compile(net.add("add", net.input(3), v))
    assert ops_of(plan) == ["add"]


def test_assigning_a_variable_makes_its_plans_stale() -> None:
    net = Net()
    w = _C.Variable(np.ones((1, 1, 3, 2), np.float32))
    x = net.input(1, 2, 2, 3)
    plan = net.compile(net.add("conv2d", x, net.graph.variable(w)))
    assert not plan.is_stale()
    w.assign(np.zeros((1, 1, 3, 2), np.float32))
    assert plan.is_stale()


def test_steps_name_kernel_shapes_work_and_what_was_passed_over() -> None:
    net = Net()
    plan = net.compile(net.conv(net.input(1, 8, 8, 4), 16))
    (step,) = plan.steps()
    assert step["op"] == "conv2d"
    assert step["kernel"].startswith("conv2d_f32")
    assert step["outputs"] == [(1, 8, 8, 16)]
    assert step["flops"] == 2 * 8 * 8 * 16 * 9 * 4
    assert step["bytes"] > 0
    assert all(name.startswith("conv2d") and reason for name, reason in step["declined"])
    assert len(plan.profile(random_inputs(plan))) == 1


def test_steps_note_what_is_computed_in_the_same_pass() -> None:
    net = Net()
    x = net.conv(net.input(1, 8, 8, 4), 16)
    y = net.add("add", net.batch_norm(net.conv(x, 16)), x)
    plan = net.compile(net.add("activation", y, activation="relu6"))
    assert [step["notes"] for step in plan.steps()] == [[], ["bias", "add", "relu6"]]


def test_a_concatenation_tells_what_it_copies() -> None:
    net = Net()
    x, y = (net.add("activation", net.input(1, 4, 16), activation="relu") for _ in range(2))
    other = net.input(1, 4, 16)
    notes = []
    for parts in ((x, y), (x, x), (x, other)):
        joined = net.add("concat", *parts, axis=1)
        plan = net.compile(net.add("mul", joined, joined))
        (step,) = [s for s in plan.steps() if s["op"] == "concat"]
        notes.append((step["notes"], step["bytes"]))
    copied = 2 * 4 * 4 * 16
    assert notes == [(["in place"], 0), ([], copied), ([], copied)]


def test_operands_are_checked() -> None:
    net = Net()
    plan = net.compile(net.add("activation", net.input(2, 3), activation="relu"))
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ConfigError, match="expected 1 inputs, got 2"):
        plan.run([x, x])
    with pytest.raises(ShapeError, match=r"expected float32\(2, 3\), got float32\(3, 2\)"):
        plan.run([x.T.copy()])
    with pytest.raises(DTypeError, match="got float64"):
        plan.run([x.astype(np.float64)])
    with pytest.raises(ShapeError, match="C-contiguous"):
        plan.run([np.zeros((3, 2), np.float32).T])
    with pytest.raises(ConfigError, match="shares memory with an input"):
        plan.run([x], [x])
    frozen = np.zeros_like(x)
    frozen.flags.writeable = False
    np.testing.assert_array_equal(plan.run([frozen])[0], frozen)
    with pytest.raises(ConfigError, match="read-only"):
        plan.run([x], [frozen])


def test_graphs_are_checked() -> None:
    graph = _C.Graph()
    x = graph.input((1, 4, 4, 3))
    with pytest.raises(ConfigError, match="unknown op 'conv3d'"):
        graph.add("conv3d", [x], {})
    with pytest.raises(ConfigError, match="unknown option 'stride'"):
        graph.add("max_pool2d", [x], {"stride": 2})
    with pytest.raises(ConfigError, match="no value 99"):
        graph.add("max_pool2d", [99], {})
    with pytest.raises(ConfigError, match="no outputs"):
        _C.compile(graph)
    with pytest.raises(ConfigError, match="no value 7"):
        graph.set_outputs([7])
    with pytest.raises(ShapeError, match="negative size"):
        graph.input((1, -4))
    with pytest.raises(ShapeError, match="larger than any memory"):
        graph.input((2**31, 2**31, 2**31))
    with pytest.raises(ShapeError, match="larger than any memory"):
        graph.input((0, 2**40, 2**40))
    with pytest.raises(ConfigError, match="pool_size: expected a bool, a number"):
        graph.add("max_pool2d", [x], {"pool_size": 2**70})
    with pytest.raises(ConfigError, match="groups must divide"):
        empty = graph.input((1, 4, 4, 0)), graph.input((1, 1, 8, 0))
        graph.add("conv2d_transpose", empty, {"groups": 2**61 + 1})
    with pytest.raises(ShapeError, match="at most 8 dimensions"):
        graph.input((1,) * 9)
    graph.set_outputs(graph.add("max_pool2d", [x], {}))
    with pytest.raises(ConfigError, match="expected 'highest', 'high' or 'medium'"):
        _C.compile(graph, precision="exact")


def test_a_forced_kernel_that_declines_says_why() -> None:
    net = Net()
    y = net.add("max_pool2d", net.input(1, 4, 4, 3))
    assert ops_of(net.compile(y, kernel="max_pool2d_f32_ref")) == ["max_pool2d"]
    with pytest.raises(ConfigError, match="no op has a kernel 'max_pool2d_ref'"):
        net.compile(y, kernel="max_pool2d_ref")
    if _C.max_isa() == "ref":
        with pytest.raises(UnsupportedError, match="needs a higher instruction set"):
            net.compile(y, kernel="max_pool2d_f32_avx2")
