"""Each pass: what it leaves in the plan, and that results stay what the graph described."""

import numpy as np
import pytest

from fastcnn import _C
from tests.plan.builder import Net, assert_same_as_described, ops_of, random_inputs


def test_nodes_nobody_reads_are_dropped() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)
    net.conv(x, 8)
    y = net.add("activation", x, activation="relu")
    assert ops_of(net.compile(y)) == ["activation"]


@pytest.mark.parametrize("bias", [False, True])
def test_batch_norm_folds_into_the_convolution_before_it(bias: bool) -> None:
    net = Net()
    y = net.batch_norm(net.conv(net.input(2, 5, 6, 3), 8, bias=bias))
    assert ops_of(assert_same_as_described(net, y)) == ["conv2d"]


def test_batch_norm_folds_into_a_depthwise_convolution_with_a_multiplier() -> None:
    net = Net()
    y = net.add("depthwise_conv2d", net.input(1, 6, 5, 3), net.variable(3, 3, 3, 2), padding="same")
    assert ops_of(assert_same_as_described(net, net.batch_norm(y))) == ["depthwise_conv2d"]


@pytest.mark.parametrize("shape", [(), (1,), (8,), (1, 1, 1, 8)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_constant_factor_folds_into_the_convolution_before_it(
    shape: tuple[int, ...], bias: bool
) -> None:
    net = Net()
    x = net.input(2, 5, 6, 8)
    branch = net.add("mul", net.conv(x, 8, bias=bias), net.variable(*shape), activation="relu")
    assert ops_of(assert_same_as_described(net, branch)) == ["conv2d"]
    scaled = net.add("mul", net.variable(*shape), net.conv(x, 8, bias=bias))
    plan = assert_same_as_described(net, net.add("add", scaled, x, activation="relu"))
    assert ops_of(plan) == ["conv2d"]


def test_a_factor_that_is_not_of_the_channels_stays() -> None:
    net = Net()
    y = net.add("mul", net.conv(net.input(2, 5, 6, 3), 6), net.variable(6, 1))
    assert ops_of(assert_same_as_described(net, y)) == ["conv2d", "mul"]


@pytest.mark.parametrize("shape", [(4, 4), (4, 10), (6, 1), (1, 5)])
def test_a_factor_folds_into_weights_that_a_gradient_reads_turned(shape: tuple[int, int]) -> None:
    net = Net()
    x = net.input(3, shape[0])
    scaled = net.add("mul", x, net.variable(shape[0]))
    y = net.add("dense", scaled, net.variable(*shape))
    (gradient,) = net.graph.gradient(net.add("reduce_sum", net.add("mul", y, y)), [x])
    plan = assert_same_as_described(net, gradient)
    assert ops_of(plan).count("mul") == 3  # of x, and of y by each of its gradients


def test_batch_norm_stays_where_another_reads_the_convolution() -> None:
    net = Net()
    y = net.conv(net.input(1, 4, 4, 3), 8)
    plan = assert_same_as_described(net, net.batch_norm(y), y)
    assert ops_of(plan) == ["conv2d", "scale_shift"]


def test_batch_norm_before_a_convolution_becomes_scale_shift_with_the_activation() -> None:
    net = Net()
    y = net.add("activation", net.batch_norm(net.input(1, 4, 4, 3)), activation="relu")
    assert ops_of(assert_same_as_described(net, net.conv(y, 4))) == ["scale_shift", "conv2d"]


def test_a_batch_norm_after_another_is_not_taken_for_that_of_a_convolution() -> None:
    net = Net()
    conv = net.conv(net.batch_norm(net.input(1, 5, 5, 4)), 4)
    norm = net.batch_norm(net.batch_norm(net.input(1, 5, 5, 4)))
    plan = assert_same_as_described(net, conv, norm)
    assert ops_of(plan) == ["scale_shift", "conv2d", "scale_shift", "scale_shift"]


def test_residual_block_becomes_its_convolutions() -> None:
    net = Net()
    x = net.input(2, 6, 6, 8)
    y = net.add("activation", net.batch_norm(net.conv(x, 8)), activation="relu")
    y = net.batch_norm(net.conv(y, 8))
    y = net.add("activation", net.add("add", y, x), activation="relu")
    assert ops_of(assert_same_as_described(net, y)) == ["conv2d", "conv2d"]


def test_projection_shortcut_joins_the_later_convolution() -> None:
    net = Net()
    x = net.input(1, 6, 6, 8)
    y = net.add(
        "activation", net.add("add", net.conv(x, 16), net.conv(x, 16, 1)), activation="relu"
    )
    assert ops_of(assert_same_as_described(net, y)) == ["conv2d", "conv2d"]


def test_an_activation_before_the_sum_is_not_moved_behind_it() -> None:
    net = Net()
    x = net.input(1, 6, 6, 8)
    y = net.add("add", net.add("activation", net.conv(x, 8), activation="relu"), x)
    assert ops_of(assert_same_as_described(net, y)) == ["conv2d", "add"]


def test_a_broadcast_sum_is_not_taken_for_a_residual() -> None:
    net = Net()
    x = net.input(1, 6, 6, 8)
    y = net.add("add", net.conv(x, 8), net.input(1, 1, 1, 8))
    assert ops_of(assert_same_as_described(net, y)) == ["conv2d", "add"]


def test_doubling_a_convolution_is_not_a_residual() -> None:
    net = Net()
    y = net.conv(net.input(1, 6, 6, 8), 8)
    assert ops_of(assert_same_as_described(net, net.add("add", y, y))) == ["conv2d", "add"]


@pytest.mark.parametrize(
    ("mode", "value", "folds"),
    [("constant", 0, True), ("constant", 1, False), ("reflect", 0, False)],
)
def test_only_a_border_of_zeros_folds_into_the_convolution(
    mode: str, value: int, folds: bool
) -> None:
    net = Net()
    x = net.input(1, 7, 6, 3)
    pads = {"pads": [0, 0, 2, 1, 1, 3, 0, 0], "mode": mode, "value": float(value)}
    y = net.conv(net.add("pad", x, **pads), 4, padding="valid", strides=2)
    assert ops_of(assert_same_as_described(net, y)) == (["conv2d"] if folds else ["pad", "conv2d"])


def test_a_padded_channel_axis_does_not_fold() -> None:
    net = Net()
    x = net.add("pad", net.input(1, 4, 4, 3), pads=[0, 0, 1, 1, 1, 1, 1, 0], mode="constant")
    assert ops_of(assert_same_as_described(net, net.conv(x, 4, padding="valid"))) == [
        "pad",
        "conv2d",
    ]


@pytest.mark.parametrize(
    ("activation", "pads", "left"),
    [
        ("relu", [0, 0, 1, 1, 1, 1, 0, 0], ["conv2d", "max_pool2d"]),
        ("tanh", [0, 0, 1, 1, 1, 1, 0, 0], ["conv2d", "pad", "max_pool2d"]),
        ("relu", [0, 0, 3, 1, 1, 1, 0, 0], ["conv2d", "pad", "max_pool2d"]),
    ],
)
def test_zeros_around_non_negative_values_fold_into_the_maximum(
    activation: str, pads: list[int], left: list[str]
) -> None:
    net = Net()
    x = net.add("activation", net.conv(net.input(1, 8, 8, 3), 4), activation=activation)
    x = net.add("pad", x, pads=pads, mode="constant")
    y = net.add("max_pool2d", x, pool_size=3, strides=2)
    assert ops_of(assert_same_as_described(net, y)) == left


def strides_of(plan: _C.Plan) -> list[tuple[str, tuple[int, ...]]]:
    """Op and result of each step: who computes how many pixels."""
    return [(step["op"], step["outputs"][0][1:3]) for step in plan.steps()]


def assert_same_bits(net: Net, *outputs: int) -> _C.Plan:
    """The optimised plan leaves results out, and computes the others as before."""
    fast, plain = net.compile(*outputs), net.compile(*outputs, optimize=False)
    inputs = random_inputs(fast)
    for a, b in zip(fast.run(inputs), plain.run(inputs), strict=True):
        np.testing.assert_array_equal(a, b)
    return fast


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 2)])
def test_the_stride_of_a_pointwise_convolution_moves_to_the_convolution_before_it(
    size: tuple[int, int],
) -> None:
    net = Net()
    y = net.conv(net.input(2, *size, 3), 8, dilation=2)
    y = net.conv(y, 5, 1, strides=(2, 3))
    plan = assert_same_bits(net, y)
    out = (-(-size[0] // 2), -(-size[1] // 3))
    assert strides_of(plan) == [("conv2d", out), ("conv2d", out)]


def test_strides_multiply_on_their_way_up() -> None:
    net = Net()
    y = net.conv(net.input(1, 23, 19, 3), 4, 5, strides=2)
    y = net.conv(net.conv(y, 4, 1, strides=3), 4, 1, strides=(1, 2))
    plan = assert_same_bits(net, y)
    assert strides_of(plan) == [("conv2d", (4, 2))] * 3


def test_a_residual_that_others_read_is_thinned() -> None:
    net = Net()
    x = net.conv(net.input(2, 9, 8, 3), 8)
    y = net.conv(net.conv(net.conv(x, 4, 1), 4), 8, 1)
    y = net.add("activation", net.add("add", y, x), activation="relu")
    plan = assert_same_bits(net, net.conv(y, 16, 1, strides=2), net.conv(y, 3, 1, strides=2))
    full, quarter = (9, 8), (5, 4)
    assert strides_of(plan) == [
        ("conv2d", full),
        ("conv2d", full),
        ("conv2d", quarter),
        ("slice", quarter),
        *[("conv2d", quarter)] * 3,
    ]


def test_a_residual_that_nobody_else_reads_is_computed_thinned() -> None:
    net = Net()
    x = net.input(1, 8, 8, 3)
    y = net.add("add", net.conv(x, 8), net.conv(x, 8, 1))
    plan = assert_same_bits(net, net.conv(y, 4, 1, strides=2))
    assert strides_of(plan) == [("conv2d", (4, 4))] * 3


def test_strides_move_through_element_wise_ops_and_pools() -> None:
    net = Net()
    x = net.input(1, 12, 13, 4)
    y = net.add("max_pool2d", x, pool_size=3, strides=1, padding="same")
    y = net.add("add", net.add("mul", y, net.input(1, 1, 1, 4)), x)
    y = net.add("prelu", y, net.variable(4))
    y = net.add("max_pool2d", net.add("unary", y, kind="exp"), pool_size=1, strides=2)
    plan = assert_same_bits(net, y)
    ops = ["max_pool2d", "mul", "slice", "add", "prelu", "unary", "max_pool2d"]
    assert strides_of(plan) == [(op, (6, 7)) for op in ops]


def test_users_that_read_different_pixels_share_what_both_read() -> None:
    net = Net()
    y = net.conv(net.input(1, 24, 24, 3), 4)
    plan = assert_same_bits(
        net,
        net.conv(y, 2, 1, strides=4),
        net.conv(y, 2, 1, strides=6),
        net.conv(y, 2, 1, strides=2),
    )
    assert [out for _, out in strides_of(plan)] == [(12, 12), (6, 6), (4, 4), (12, 12)]


@pytest.mark.parametrize("user", ["output", "neighbours", "padding", "all", "channels"])
def test_strides_stay_where_others_read_all_pixels(user: str) -> None:
    net = Net()
    y = net.conv(net.input(1, 8, 8, 3), 4)
    pads = [1, 1, 1, 1] if user == "padding" else [0, 0, 0, 0]
    outputs = [net.add("conv2d", y, net.variable(1, 1, 4, 4), strides=2, pads=pads)]
    if user == "output":
        outputs.append(y)
    elif user == "neighbours":
        outputs.append(net.conv(y, 4, 2, strides=2))
    elif user == "all":
        outputs.append(net.conv(y, 4, 1))
    elif user == "channels":
        outputs.append(net.add("reduce_sum", y, axis=[3]))
    assert strides_of(assert_same_bits(net, *outputs))[0] == ("conv2d", (8, 8))


def test_the_weights_of_a_convolution_are_not_thinned() -> None:
    net = Net()
    w = net.conv(net.input(3, 3, 4, 4), 4, 1)  # of the shape of the picture, made of a picture
    y = net.add("conv2d", net.input(3, 3, 4, 4), w, padding="same")
    assert net.graph.shape(y) == net.graph.shape(w)
    plan = assert_same_bits(net, net.conv(y, 4, 1, strides=2))
    assert strides_of(plan)[0] == ("conv2d", (3, 4))
    assert strides_of(plan)[-2:] == [("conv2d", (2, 2))] * 2


def test_strides_too_large_to_multiply_stay() -> None:
    net = Net()
    y = net.conv(net.input(1, 3, 3, 2), 2, 3, strides=2**30)
    plan = assert_same_bits(net, net.conv(y, 2, 1, strides=2**30))
    assert [out for _, out in strides_of(plan)] == [(1, 1), (1, 1)]


def kernels_at_medium(net: Net, *outputs: int) -> list[str]:
    """The kernel of each step at the level medium."""
    medium, plain = (
        net.compile(*outputs, precision="medium", optimize=optimize) for optimize in (True, False)
    )
    inputs = random_inputs(medium)
    for a, b in zip(medium.run(inputs), plain.run(inputs), strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-2 * float(np.abs(b).max()))
    return [s["kernel"] for s in medium.steps()]


BF16_ISA = _C.max_isa()
needs_bf16 = pytest.mark.skipif(
    BF16_ISA not in ("avx512bf16", "amx"), reason="needs AMX or AVX512-BF16"
)


@needs_bf16
def test_at_medium_pictures_between_products_are_stored_in_bfloat16() -> None:
    net = Net()
    x = net.conv(net.input(1, 16, 16, 3), 32, activation="relu")
    y = net.conv(net.conv(x, 32, 1, activation="relu"), 32)
    y = net.add("activation", net.add("add", x, y), activation="relu")
    y = net.add("max_pool2d", y, pool_size=2)
    y = net.add("depthwise_conv2d", y, net.variable(3, 3, 32, 1), padding="same")
    y = net.add("concat", net.conv(y, 32, 1), net.conv(y, 32))
    y = net.conv(y, 16)
    conv = f"conv2d_bf16_{BF16_ISA}"
    assert [k.removesuffix("_avx512") for k in kernels_at_medium(net, y)] == [
        "cast_storage",  # of the input
        *[conv] * 3,
        "max_pool2d_f32",
        "depthwise_conv2d_bf16_tiled",
        *[conv] * 2,
        "concat_any_ref",
        conv,
    ]


@needs_bf16
def test_what_reads_no_bfloat16_gets_it_cast() -> None:
    net = Net()
    x = net.conv(net.input(1, 16, 16, 32), 32)
    pooled = net.add("avg_pool2d", x, pool_size=2)
    kernels = kernels_at_medium(net, pooled, net.conv(x, 32))
    assert kernels.count(f"conv2d_bf16_{BF16_ISA}") == 2
    # The input, and what the average reads.
    assert sum(k.startswith("cast") for k in kernels) == 2


@needs_bf16
@pytest.mark.parametrize(("channels", "size"), [(64, 3), (128, 3), (64, 1)])
def test_an_input_is_rounded_for_products_of_bfloat16_only(channels: int, size: int) -> None:
    net = Net()
    y = net.conv(net.input(1, 28, 28, channels), channels, size)
    *casts, kernel = kernels_at_medium(net, y)
    assert bool(casts) == kernel.startswith("conv2d_bf16_")
    if BF16_ISA == "avx512bf16":
        assert bool(casts) == (size == 1)  # of windows of pixels Winograd's rows read floats


@needs_bf16
def test_an_input_beside_a_result_is_not_rounded() -> None:
    net = Net()
    y = net.add("mul", net.conv(net.input(1, 16, 16, 32), 32, 1), net.input(1, 16, 16, 32))
    net.graph.set_outputs([net.conv(y, 16, 1)])
    plan = _C.compile(net.graph, precision="medium")
    (product,) = [s for s in plan.steps() if s["op"] == "mul"]
    assert (product["dtype"], product["precision"]) == ("float32", "highest")


@needs_bf16
def test_an_input_of_a_depthwise_convolution_is_not_rounded() -> None:
    net = Net()
    y = net.add("depthwise_conv2d", net.input(1, 16, 16, 32), net.variable(3, 3, 32, 1))
    assert kernels_at_medium(net, net.conv(y, 32, 1))[0].startswith("depthwise_conv2d_f32")


@needs_bf16
def test_steps_that_read_or_write_bfloat16_are_of_the_level_medium() -> None:
    net = Net()
    y = net.conv(net.conv(net.input(1, 56, 56, 64), 64), 64)
    plan = net.compile(net.add("max_pool2d", net.conv(y, 64), pool_size=2), precision="medium")
    steps = plan.steps()
    assert {s["dtype"] for s in steps[:-2]} == {"bfloat16"}
    assert steps[-1]["dtype"] == "float32"
    stored = [s["dtype"] == "bfloat16" for s in steps]
    for reads, writes, step in zip([False, *stored], stored, steps, strict=False):
        if reads or writes:
            assert step["precision"] == "medium"


@needs_bf16
def test_results_of_a_plan_are_stored_in_float32() -> None:
    net = Net()
    x = net.conv(net.input(1, 16, 16, 32), 32)
    y = net.conv(x, 32)
    assert [k.split("_")[0] for k in kernels_at_medium(net, x, y)] == [
        "cast", "conv2d", "cast", "conv2d",
    ]  # fmt: skip


def test_at_other_levels_nothing_is_stored_in_bfloat16() -> None:
    net = Net()
    y = net.conv(net.conv(net.input(1, 16, 16, 32), 32), 32)
    for precision in ("highest", "high"):
        assert "cast" not in ops_of(net.compile(y, precision=precision))
