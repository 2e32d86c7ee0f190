"""Pictures stored in bfloat16 between the nodes of a plan: each row that reads or writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from tests.harness import (
    assert_within,
    device_of,
    dot_bound,
    guarded,
    kernel_rows,
)
from tests.reference import convolution, depthwise, pooling

HALF_ULP = 2.0**-8  # relative: rounding to bfloat16


def rounded(x: np.ndarray) -> np.ndarray:
    """To the nearest bfloat16, ties to even, as float32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32).astype(np.uint64)
    kept = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    y = kept.astype(np.uint32).view(np.float32)
    return np.where(np.isnan(x), np.float32(np.nan), y)


def plan_between_casts(
    op: str, arrays: list[np.ndarray], stored: set[int], attrs: dict[str, Any], kernel: str
) -> _C.Plan:
    """A plan whose operands in `stored`, and result if it is in bfloat16, are cast around it."""
    graph = _C.Graph()
    inputs = [graph.input(a.shape, "float32") for a in arrays]
    operands = [
        graph.add("cast", [v], {"dtype": "bfloat16"})[0] if i in stored else v
        for i, v in enumerate(inputs)
    ]
    y, *_ = graph.add(op, operands, attrs)
    graph.set_outputs(graph.add("cast", [y], {"dtype": "float32"}))
    return _C.compile(graph, kernel=kernel, optimize=False, precision="medium")


def run_guarded(plan: _C.Plan, arrays: list[np.ndarray]) -> np.ndarray:
    """Between guard pages, on both sides."""
    results = []
    for side in ("after", "before"):
        ((shape, dtype),) = plan.output_types
        y = guarded(np.full(shape, 77, dtype=dtype), side)
        plan.run([guarded(a, side) for a in arrays], [y])
        results.append(np.array(y))
    np.testing.assert_array_equal(*results)
    return results[0]


@pytest.mark.parametrize("kernel", kernel_rows("cast", "cpu"))
@pytest.mark.parametrize("size", [0, 1, 7, 8, 16, 33, 20000])
def test_cast_rounds_to_the_nearest_even(kernel: str, size: int) -> None:
    rng = np.random.default_rng(size)
    x = rng.standard_normal(size).astype(np.float32)
    corners = np.array(
        [0x3F808000, 0x3F818000, 0x3F80FFFF, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0xFFFFFFFF, 1],
        np.uint32,
    ).view(np.float32)
    x[: len(corners)] = corners[:size]
    plan = plan_between_casts("cast", [x], set(), {"dtype": "bfloat16"}, kernel)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(run_guarded(plan, [x]), rounded(x))


CONVOLUTIONS = [
    # x, kernel, attributes
    ((1, 5, 6, 32), (1, 1, 32, 16), {}),
    ((2, 9, 7, 64), (1, 1, 64, 40), {}),
    ((1, 33, 9, 20), (1, 1, 20, 33), {}),
    ((2, 6, 5, 3), (1, 1, 3, 1), {}),
    ((1, 9, 18, 24), (1, 1, 24, 70), {"strides": 2}),
    ((1, 9, 18, 32), (1, 1, 32, 70), {"strides": [1, 2]}),
    ((2, 8, 17, 32), (3, 3, 32, 48), {"padding": "same"}),
    ((1, 7, 7, 64), (3, 3, 64, 32), {"padding": "valid"}),
    ((1, 15, 34, 32), (3, 3, 32, 32), {"padding": "same", "strides": 2}),
    ((1, 12, 20, 32), (3, 3, 32, 16), {"padding": "same", "dilation": 2}),
    ((1, 4, 3, 32), (5, 7, 32, 16), {"padding": "same"}),
    ((3, 1, 1, 96), (1, 1, 96, 64), {}),
    ((1, 40, 40, 32), (3, 3, 32, 300), {"padding": "same"}),
    ((1, 3, 40, 512), (3, 3, 512, 130), {"padding": "same"}),
    ((1, 23, 24, 3), (7, 7, 3, 32), {"padding": "same", "strides": 2}),
    ((2, 12, 34, 3), (3, 3, 3, 16), {"padding": "same"}),
    ((1, 9, 8, 80), (3, 3, 80, 32), {"padding": "same"}),
    ((1, 9, 8, 20), (2, 3, 20, 8), {"padding": "valid"}),
    ((0, 5, 6, 32), (1, 1, 32, 16), {}),
    # Sums of few terms; tails of rows and columns; a result that is called in.
    ((1, 3, 3, 2), (1, 1, 2, 31), {}),
    ((1, 9, 11, 16), (1, 1, 16, 96), {}),
    ((2, 5, 7, 48), (1, 1, 48, 33), {}),
    ((1, 8, 9, 34), (1, 1, 34, 17), {}),
    ((1, 14, 14, 64), (1, 1, 64, 256), {}),
    ((1, 200, 210, 16), (1, 1, 16, 104), {}),
    # Of windows, too: rows of an odd number of terms, and of several steps.
    ((2, 17, 16, 3), (3, 3, 3, 40), {"padding": "same", "strides": 2}),
    ((1, 9, 11, 4), (3, 3, 4, 33), {"padding": "same", "dilation": [2, 1]}),
    ((2, 7, 9, 15), (1, 3, 15, 20), {}),
    ((1, 8, 9, 6), (5, 1, 6, 24), {"padding": "same"}),
]
CONV_OF_BF16 = [k for k in kernel_rows("conv2d") if k.startswith("conv2d_bf16_")]
CONV_KERNELS = CONV_OF_BF16 + [
    k
    for k in kernel_rows("conv2d", "cpu")
    if k.startswith("conv2d_f32_bf16_") and "winograd" not in k
]


@pytest.mark.parametrize("kernel", CONV_KERNELS)
@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
@pytest.mark.parametrize("residual", ["none", "float32", "bfloat16"])
@pytest.mark.parametrize(("x_shape", "w_shape", "attrs"), CONVOLUTIONS)
def test_convolution(
    kernel: str,
    storage: str,
    residual: str,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    attrs: dict[str, Any],
) -> None:
    rng = np.random.default_rng(1)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (x_shape, w_shape))
    bias = rng.standard_normal(w_shape[-1]).astype(np.float32)
    exact = convolution.conv2d(rounded(x), rounded(w), **attrs) + bias
    magnitudes = convolution.conv2d(abs(rounded(x)), abs(rounded(w)), **attrs) + abs(bias)
    arrays = [x, w, bias]
    if residual != "none":
        arrays.append(rng.standard_normal(exact.shape).astype(np.float32))
        exact = exact + (rounded(arrays[3]) if residual == "bfloat16" else arrays[3])
        magnitudes = magnitudes + abs(arrays[3])
    exact = np.maximum(exact, 0)
    stored = {0} if kernel in CONV_OF_BF16 else set()
    if residual == "bfloat16":
        stored.add(3)
    options = {**attrs, "storage": storage, "activation": "relu"}
    plan = plan_between_casts("conv2d", arrays, stored, options, kernel)
    bound = dot_bound(magnitudes, int(np.prod(w_shape[:3])) + 2)
    if storage == "bfloat16":
        bound = bound + HALF_ULP * (abs(exact) + bound)
    assert_within(run_guarded(plan, arrays), exact, bound)
    runs, before = [], _C.num_threads()
    for n in (1, 2, 3):
        _C.set_num_threads(n)
        runs.append(plan.run(arrays)[0])
    _C.set_num_threads(before)
    for y in runs[1:]:
        np.testing.assert_array_equal(y, runs[0])


def storing(op: str) -> list[str]:
    """Rows of Winograd's that read and write either format."""
    return [k for k in kernel_rows(op, "cpu") if "winograd" in k and not k.endswith("avx2")]


@pytest.mark.parametrize("kernel", storing("conv2d"))
@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
@pytest.mark.parametrize("stored", [{0}, {0, 3}, {3}, set()], ids=str)
@pytest.mark.parametrize(
    ("shape", "filters"),
    [
        ((2, 9, 15, 35), 41),
        ((2, 9, 15, 34), 41),
        ((1, 14, 14, 64), 64),
        ((1, 24, 21, 16), 96),
        ((1, 6, 9, 160), 17),
    ],
)
def test_winograd(
    kernel: str, storage: str, stored: set[int], shape: tuple[int, ...], filters: int
) -> None:
    # What is computed between reading and writing is the same as of float32 with such values.
    if "bf16" in kernel and shape[3] % 2:
        pytest.skip("takes an even number of channels only")
    rng = np.random.default_rng(7)
    shapes = [shape, (3, 3, shape[3], filters), (filters,), (*shape[:3], filters)]
    arrays = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    attrs = {"padding": "same", "activation": "relu"}
    plan = plan_between_casts("conv2d", arrays, stored, {**attrs, "storage": storage}, kernel)
    values = [rounded(a) if i in stored else a for i, a in enumerate(arrays)]
    expected = plan_between_casts("conv2d", values, set(), attrs, kernel).run(values)[0]
    if storage == "bfloat16":
        expected = rounded(expected)
    np.testing.assert_array_equal(run_guarded(plan, arrays), expected)


@pytest.mark.parametrize("kernel", storing("conv2d_weight_gradient"))
@pytest.mark.parametrize("shape", [(2, 9, 15, 35), (3, 14, 14, 64), (1, 24, 21, 24)])
def test_winograds_weight_gradient(kernel: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(8)
    arrays = [rounded(rng.standard_normal(s).astype(np.float32)) for s in (shape, (*shape[:3], 41))]
    attrs = {"kernel_size": [3, 3], "padding": "same"}
    stored, plain = (
        plan_between_casts("conv2d_weight_gradient", arrays, s, attrs, kernel)
        for s in ({0, 1}, set())
    )
    np.testing.assert_array_equal(run_guarded(stored, arrays), plain.run(arrays)[0])


TRANSPOSED = [
    ((1, 5, 6, 32), (3, 3, 16, 32), {"strides": 2, "padding": "same"}),
    ((2, 4, 3, 64), (2, 2, 40, 64), {"strides": 2}),
    ((1, 17, 4, 32), (3, 4, 33, 32), {"strides": [1, 3]}),
    ((1, 5, 6, 32), (3, 3, 16, 32), {"strides": 2, "padding": "same", "output_padding": 1}),
    ((2, 7, 5, 64), (1, 1, 48, 64), {"strides": 2}),  # most pixels meet no tap
    ((1, 4, 9, 32), (2, 1, 40, 32), {"strides": [3, 2], "output_padding": [1, 1]}),
]


@pytest.mark.parametrize(
    "kernel",
    [k for k in kernel_rows("conv2d_transpose") if k.startswith("conv2d_transpose_bf16_")],
)
@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
@pytest.mark.parametrize(("x_shape", "w_shape", "attrs"), TRANSPOSED)
def test_transposed_convolution(
    kernel: str,
    storage: str,
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    attrs: dict[str, Any],
) -> None:
    rng = np.random.default_rng(2)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (x_shape, w_shape))
    bias = rng.standard_normal(w_shape[2]).astype(np.float32)
    exact = convolution.conv2d_transpose(rounded(x), rounded(w), **attrs) + bias
    magnitudes = convolution.conv2d_transpose(abs(rounded(x)), abs(rounded(w)), **attrs)
    residual = rng.standard_normal(exact.shape).astype(np.float32)
    exact, magnitudes = exact + rounded(residual), magnitudes + abs(bias) + abs(residual)
    arrays = [x, w, bias, residual]
    plan = plan_between_casts(
        "conv2d_transpose", arrays, {0, 3}, {**attrs, "storage": storage}, kernel
    )
    bound = dot_bound(magnitudes, int(np.prod(w_shape)) // w_shape[2] + 2)
    if storage == "bfloat16":
        bound = bound + HALF_ULP * (abs(exact) + bound)
    assert_within(run_guarded(plan, arrays), exact, bound)


@pytest.mark.parametrize(
    "kernel", [k for k in kernel_rows("depthwise_conv2d", "cpu") if "bf16" in k]
)
@pytest.mark.parametrize("shape", [(1, 9, 15, 35), (2, 7, 7, 16), (1, 3, 2, 5), (1, 14, 30, 160)])
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("strides", [1, 2])
def test_depthwise_convolution(
    kernel: str, shape: tuple[int, ...], size: int, strides: int
) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape).astype(np.float32)
    w = rng.standard_normal((size, size, shape[3], 1)).astype(np.float32)
    bias = rng.standard_normal(shape[3]).astype(np.float32)
    options = {"strides": strides, "padding": "same"}
    exact = np.clip(depthwise.depthwise_sum(rounded(x), w, **options) + bias, 0, 6)
    magnitudes = depthwise.depthwise_sum(abs(rounded(x)), abs(w), **options) + abs(bias)
    attrs = {**options, "activation": "relu6", "storage": "bfloat16"}
    plan = plan_between_casts("depthwise_conv2d", [x, w, bias], {0}, attrs, kernel)
    bound = dot_bound(magnitudes, size * size + 1)
    assert_within(run_guarded(plan, [x, w, bias]), exact, bound + HALF_ULP * (abs(exact) + bound))


@pytest.mark.parametrize(
    "kernel", [k for k in kernel_rows("max_pool2d", "cpu") if not k.endswith("ref")]
)
@pytest.mark.parametrize("shape", [(1, 9, 15, 35), (2, 7, 7, 16), (1, 6, 4, 130)])
def test_max_pooling(kernel: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(4).standard_normal(shape).astype(np.float32)
    x[0, 1, 1, 0] = np.nan
    attrs = {"pool_size": 3, "strides": 2, "padding": "same"}
    plan = plan_between_casts("max_pool2d", [x], {0}, attrs, kernel)
    expected = pooling.max_pool2d(rounded(x), **attrs)
    np.testing.assert_array_equal(run_guarded(plan, [x]), expected)


def corners_of_bf16(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of bfloat16, among them NaN and infinities of both signs, zeros and subnormals."""
    bits = np.array([0x7FC0, 0xFFC0, 0x7F81, 0xFF81, 0xFFFF, 0x7F80, 0xFF80, 0, 0x8000, 1, 0x8001])
    x = rounded(rng.standard_normal(shape).astype(np.float32))
    chosen = (rng.choice(bits, shape).astype(np.uint32) << 16).view(np.float32)
    return np.where(rng.random(shape) < 0.3, chosen, x)


@pytest.mark.parametrize("kernel", [k for k in kernel_rows("max_pool2d", "cpu") if "ref" not in k])
def test_maxima_of_corners(kernel: str) -> None:
    x = corners_of_bf16(np.random.default_rng(6), (2, 8, 10, 180))
    x[0, :2, :2] = -np.inf
    plan = plan_between_casts("max_pool2d", [x], {0}, {"pool_size": 2}, kernel)
    with np.errstate(invalid="ignore"):
        expected = pooling.max_pool2d(x, pool_size=2)
    assert np.isnan(expected).any()
    assert np.isneginf(expected).any()
    np.testing.assert_array_equal(run_guarded(plan, [x]), expected)


@pytest.mark.parametrize(
    "kernel", [k for k in kernel_rows("max_pool2d_gradient", "cpu") if "ref" not in k]
)
def test_the_first_of_several_maxima_gets_the_gradient(kernel: str) -> None:
    """Of zeros of both signs, and of NaN, too."""
    rng = np.random.default_rng(7)
    x = corners_of_bf16(rng, (2, 8, 10, 180))
    x[0] = np.where(rng.random(x[0].shape) < 0.5, 0.0, -0.0)
    with np.errstate(invalid="ignore"):
        y = pooling.max_pool2d(x, pool_size=2).astype(np.float32)
    dy = rounded(rng.standard_normal(y.shape).astype(np.float32))
    attrs = {"pool_size": 2}
    plan = plan_between_casts("max_pool2d_gradient", [x, y, dy], {0, 1, 2}, attrs, kernel)
    (reference,) = [k for k in kernel_rows("max_pool2d_gradient", "cpu") if k.endswith("ref")]
    plain = plan_between_casts("max_pool2d_gradient", [x, y, dy], set(), attrs, reference)
    np.testing.assert_array_equal(run_guarded(plan, [x, y, dy]), plain.run([x, y, dy])[0])


def test_a_row_that_reads_no_bfloat16_says_so() -> None:
    x, w = np.zeros((1, 4, 4, 8), np.float32), np.zeros((1, 1, 8, 8), np.float32)
    for kernel in kernel_rows("conv2d", "cpu"):
        if kernel in CONV_OF_BF16 or kernel in storing("conv2d"):
            continue
        with pytest.raises(Exception, match="does not read bfloat16"):
            plan_between_casts("conv2d", [x, w], {0}, {}, kernel)


@pytest.mark.parametrize("kernel", [k for k in CONV_OF_BF16 if device_of(k) == "cpu"])
@pytest.mark.parametrize("channels", [24, 40, 144])
def test_what_an_earlier_picture_left_in_memory_is_not_read(kernel: str, channels: int) -> None:
    # Pixels that end within a tile of 32 terms, and a last task that has fewer of them: what lies
    # after them in the thread's memory is multiplied by zeros, and must be a number.
    def plan_of(x: np.ndarray, w: np.ndarray) -> _C.Plan:
        return plan_between_casts("conv2d", [x, w], {0}, {"padding": "same"}, kernel)

    earlier = [np.full((1, 60, 60, 96), np.nan, np.float32), np.ones((3, 3, 96, 16), np.float32)]
    arrays = [np.ones((1, 64, 67, channels), np.float32), np.ones((1, 1, channels, 16), np.float32)]
    threads = fc.get_num_threads()
    fc.set_num_threads(1)
    try:
        assert np.isnan(plan_of(*earlier).run(earlier)[0]).all()
        np.testing.assert_array_equal(plan_of(*arrays).run(arrays)[0], channels)
    finally:
        fc.set_num_threads(threads)


# Ops that read all their pictures in bfloat16, or none: op, shapes of the operands, which are
# pictures, attributes.
ALIKE = [
    ("activation", [(2, 5, 3, 17)], {0}, {"activation": "relu"}),
    ("activation", [(33,)], {0}, {"activation": "silu"}),
    ("activation_gradient", [(2, 5, 3, 17)] * 2, {0, 1}, {"activation": "relu"}),
    ("activation_gradient", [(2, 5, 3, 17)] * 2, {0, 1}, {"activation": "sigmoid"}),
    ("add", [(2, 5, 3, 17)] * 2, {0, 1}, {"activation": "relu"}),
    ("add", [(70_001,)] * 2, {0, 1}, {}),
    ("sub", [(2, 5, 3, 17)] * 2, {0, 1}, {}),
    ("mul", [(2, 5, 3, 17)] * 2, {0, 1}, {}),
    ("maximum", [(2, 5, 3, 17)] * 2, {0, 1}, {}),
    ("minimum", [(2, 5, 3, 17)] * 2, {0, 1}, {}),
    ("reduce_sum", [(2, 65, 3, 17)], {0}, {"axis": [0, 1, 2]}),
    ("reduce_mean", [(2, 65, 3, 17)], {0}, {"axis": [1, 2]}),
    ("reduce_sum", [(2, 65, 3, 17)], {0}, {"axis": [3]}),
    ("slice_gradient", [(2, 3, 2, 5)], {0}, {
        "shape": [2, 6, 5, 7], "begin": [0, 5, 1, 2], "size": [2, 3, 2, 5], "step": [1, -2, 2, 1],
    }),
    ("max_pool2d_gradient", [(2, 8, 6, 19), (2, 4, 3, 19), (2, 4, 3, 19)], {0, 1, 2},
     {"pool_size": 2}),
    ("max_pool2d_gradient", [(2, 8, 6, 110), (2, 4, 3, 110), (2, 4, 3, 110)], {0, 1, 2},
     {"pool_size": 2}),
    ("max_pool2d_gradient", [(2, 9, 7, 35), (2, 5, 4, 35), (2, 5, 4, 35)], {0, 1, 2},
     {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("depthwise_conv2d_weight_gradient", [(2, 9, 7, 35), (2, 9, 7, 35)], {0, 1},
     {"kernel_size": 3, "padding": "same"}),
    ("depthwise_conv2d_weight_gradient", [(1, 9, 8, 300), (1, 5, 4, 300)], {0, 1},
     {"kernel_size": 3, "padding": "same", "strides": 2}),
    ("depthwise_conv2d_data_gradient", [(2, 5, 4, 35), (3, 3, 35, 1)], {0},
     {"size": [9, 7], "padding": "same", "strides": 2}),
    ("batch_norm_training", [(2, 9, 5, 35), (35,), (35,)], {0}, {"activation": "relu"}),
    ("batch_norm_training", [(2, 9, 5, 70), (70,), (70,)], {0}, {"activation": "relu6"}),
    ("batch_norm_training", [(2, 9, 5, 35), (35,), (35,)], {0}, {"activation": "elu"}),
    ("batch_norm_training", [(40, 8), (8,), (8,), (40, 8)], {0, 3}, {"activation": "relu"}),
    ("batch_norm_gradient", [*[(2, 9, 5, 35)] * 2, (35,), (35,), (35,)], {0, 1}, {}),
    ("batch_norm_gradient", [*[(2, 9, 5, 35)] * 2, (35,), (35,), (35,), (35,)], {0, 1},
     {"activation": "relu6", "from_x": True}),
    ("batch_norm_gradient", [*[(2, 9, 5, 35)] * 2, *[(35,)] * 3, (2, 9, 5, 35)], {0, 1, 5},
     {"activation": "relu"}),
]  # fmt: skip


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
@pytest.mark.parametrize(("op", "shapes", "pictures", "attrs"), ALIKE)
def test_pictures_that_are_stored_alike(
    op: str, isa: str, shapes: list[tuple[int, ...]], pictures: set[int], attrs: dict[str, Any]
) -> None:
    (kernel, *_) = [k for k in kernel_rows(op, "cpu") if k.endswith((isa, "any_ref"))] or [""]
    if not kernel:
        pytest.skip(f"this machine has no {isa}")
    rng = np.random.default_rng(5)
    arrays = [(rng.standard_normal(s) * 0.5 + 1).astype(np.float32) for s in shapes]
    if op == "max_pool2d_gradient":
        arrays[1] = pooling.max_pool2d(rounded(arrays[0]), **attrs).astype(np.float32)
    arrays = [rounded(a) if i in pictures else a for i, a in enumerate(arrays)]
    y = run_guarded(plan_between_casts(op, arrays, pictures, attrs, kernel), arrays)
    (reference,) = [k for k in kernel_rows(op, "cpu") if k.endswith("ref")]
    plain = plan_between_casts(op, arrays, set(), attrs, reference)
    exact = np.asarray(plain.run(arrays)[0], np.float64)
    scale = float(abs(exact).max())
    # Where windows overlap, what a pixel gets of each is added to what is stored.
    roundings = 3 if op == "max_pool2d_gradient" else 1
    assert_within(
        y, exact, (roundings * HALF_ULP) * abs(exact) + np.full(exact.shape, 2e-6 * scale)
    )


@pytest.mark.parametrize("kernel", ["add_f32_avx512", "batch_norm_gradient_f32_avx512"])
def test_pictures_are_stored_alike_or_refused(kernel: str) -> None:
    op = kernel.removesuffix("_f32_avx512")
    if kernel not in kernel_rows(op):
        pytest.skip("this machine has no avx512")
    arrays = [np.zeros((2, 3, 3, 4), np.float32)] * 2
    if op != "add":
        arrays += [np.zeros(4, np.float32)] * 3
    with pytest.raises(Exception, match=r"expected (float32|bfloat16) operands"):
        plan_between_casts(op, arrays, {1}, {}, kernel)


WEIGHT_GRADIENTS = [
    # x, kernel's height and width, filters, attributes
    ((2, 9, 7, 32), 1, 64, {}),
    ((2, 9, 7, 70), 1, 20, {}),
    ((3, 40, 40, 33), 1, 40, {}),
    ((2, 9, 8, 40), 1, 33, {"strides": 2}),
    ((2, 9, 8, 40), (1, 1), 33, {"strides": [2, 3], "padding": "same"}),
    ((2, 9, 7, 32), 3, 64, {"padding": "same"}),
    ((5, 7, 7, 160), 3, 200, {"padding": "same"}),
    ((1, 30, 33, 3), 7, 64, {"padding": "same", "strides": 2}),
    ((2, 12, 9, 20), (2, 5), 17, {"padding": "same", "strides": [1, 2]}),
    ((1, 20, 18, 16), 3, 16, {"padding": "same", "dilation": 2}),
    ((1, 21, 18, 16), 3, 16, {"dilation": 3, "strides": 2}),
    ((1, 12, 700, 16), 3, 16, {"padding": "same"}),
    ((2, 40, 41, 16), 3, 32, {"padding": "same", "strides": 3}),
    ((2, 14, 14, 64), 3, 64, {"padding": "same", "groups": 2}),
    ((0, 9, 7, 32), 3, 64, {"padding": "same"}),
    # few channels: windows are gathered
    ((3, 11, 13, 3), 3, 40, {"padding": "same"}),
    ((2, 40, 37, 1), 5, 16, {"padding": "same"}),
    ((2, 17, 19, 4), (3, 7), 130, {"strides": [2, 1]}),
    ((2, 20, 9, 2), (4, 3), 20, {"padding": "same", "dilation": [2, 1]}),
    ((2, 3, 3, 3), 7, 33, {"padding": "same"}),
    ((1, 20, 12, 4), (16, 8), 33, {}),
    ((1, 30, 33, 3), 11, 64, {"strides": 4}),
]


WEIGHT_GRADIENTS_OF_BF16 = [
    k
    for k in kernel_rows("conv2d_weight_gradient", "cpu")
    if k.startswith("conv2d_weight_gradient_bf16_")
]


@pytest.mark.parametrize("kernel", WEIGHT_GRADIENTS_OF_BF16)
@pytest.mark.parametrize(("x_shape", "size", "filters", "attrs"), WEIGHT_GRADIENTS)
def test_weight_gradient(
    kernel: str, x_shape: tuple[int, ...], size: Any, filters: int, attrs: dict[str, Any]
) -> None:
    rng = np.random.default_rng(6)
    height, width = size if isinstance(size, tuple) else (size, size)
    w = np.zeros((height, width, x_shape[3] // attrs.get("groups", 1), filters), np.float32)
    y_shape = convolution.conv2d(np.zeros(x_shape, np.float32), w, **attrs).shape
    x, dy = (rounded(rng.standard_normal(s).astype(np.float32)) for s in (x_shape, y_shape))
    options = {**attrs, "kernel_size": [height, width]}

    def plan_of(row: str, stored: set[int]) -> _C.Plan:
        return plan_between_casts("conv2d_weight_gradient", [x, dy], stored, options, row)

    plain = plan_of("conv2d_weight_gradient_f32_ref", set())
    exact, magnitudes = (np.array(plain.run(a)[0]) for a in ([x, dy], [abs(x), abs(dy)]))
    plan = plan_of(kernel, {0, 1})
    bound = dot_bound(magnitudes, max(1, int(np.prod(y_shape[:3]))))
    assert_within(run_guarded(plan, [x, dy]), exact, bound + 1e-7 * abs(exact))
    runs, before = [], _C.num_threads()
    for n in (1, 3):
        _C.set_num_threads(n)
        runs.append(np.array(plan.run([x, dy])[0]))
    _C.set_num_threads(before)
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("kernel", WEIGHT_GRADIENTS_OF_BF16)
def test_weight_gradients_of_windows_that_reach_far_are_declined(kernel: str) -> None:
    x = np.zeros((1, 9, 9, 16), np.float32)
    attrs = {"kernel_size": 3, "padding": "same", "dilation": 1000}
    with pytest.raises(Exception, match="windows reach too far"):
        plan_between_casts("conv2d_weight_gradient", [x, x], {0, 1}, attrs, kernel)
