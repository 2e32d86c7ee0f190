"""The conv2d and conv2d_transpose rooms: every row on every case, the epilogue, the Python face."""

import re
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import convolution as cases
from tests.harness import (
    Case,
    assert_within,
    compile_op,
    device_of,
    dot_bound,
    each_kernel,
    kernel_rows,
    precision_of,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import convolution as reference
from tests.reference.epilogue import finish

SUMS = {"conv2d": reference.conv2d, "conv2d_transpose": reference.conv2d_transpose}


def terms(case: Case) -> int:
    """Products in one output's sum, at most."""
    kernel = case.shapes[1]
    return int(np.prod(kernel[:3] if case.op == "conv2d" else (*kernel[:2], kernel[3])))


# docs/precision.md: of the largest output.
MEDIUM = 1e-2


def check_sums(kernel: str, case: Case) -> None:
    x, w = case.inputs()
    (y,) = run_kernel(kernel, case, [x, w])
    magnitudes = SUMS[case.op](np.abs(x), np.abs(w), **case.attrs)
    if tile := winograd_tile(kernel):
        magnitudes = largest_of_tile(magnitudes, tile)
    limit = dot_bound(magnitudes, terms(case), kernel)
    assert_within(y, SUMS[case.op](x, w, **case.attrs), limit)


def winograd_tile(kernel: str) -> int:
    """How many output pixels wide and high the kernel's tiles are; 0 if it has none."""
    found = re.search(r"winograd(\d)", kernel)
    return int(found[1]) if found else 0


def largest_of_tile(y: np.ndarray, tile: int) -> np.ndarray:
    """Each tile's largest value in all of its pixels: the outputs of a tile share its errors."""
    largest = y.copy()
    for i in range(0, y.shape[1], tile):
        for j in range(0, y.shape[2], tile):
            part = largest[:, i : i + tile, j : j + tile]
            part[...] = part.max(axis=(1, 2), keepdims=True)
    return largest


@pytest.mark.parametrize("kernel", [k for k in kernel_rows("conv2d") if winograd_tile(k)])
@pytest.mark.parametrize("channels", [64, 512])
@pytest.mark.parametrize("data", ["normal", "after relu", "wide"])
def test_winograd_errs_in_the_class_of_its_level(kernel: str, channels: int, data: str) -> None:
    rng = np.random.default_rng(11)
    x = rng.standard_normal((1, 14, 14, channels))
    if data == "after relu":
        x = np.maximum(x, 0)
    if data == "wide":
        x *= np.exp(2 * rng.standard_normal(x.shape))
    x = x.astype(np.float32)
    w = rng.standard_normal((3, 3, channels, 32)).astype(np.float32)
    case = Case("conv2d", (x.shape, w.shape), {"padding": "same"})
    exact = reference.conv2d(x, w, padding="same")
    errors, direct = (run_kernel(k, case, [x, w])[0] - exact for k in (kernel, "conv2d_f32_ref"))
    # On wide data a direct sum may by luck round the few outputs that count hardly at all.
    limit = 1e-5 * np.abs(exact).max() if data == "wide" else 4 * np.abs(direct).max()
    if precision_of(kernel) == "medium":
        limit = MEDIUM * np.abs(exact).max()
    assert np.abs(errors).max() <= limit


WINOGRADS_MEMORY = 64 * 2**20


@pytest.mark.parametrize("kernel", [k for k in kernel_rows("conv2d", "cpu") if winograd_tile(k)])
def test_winograds_memory_has_a_bound(kernel: str) -> None:
    """Tiles that need more are computed round by round."""

    def workspace(size: int, channels: int, filters: int) -> int:
        shapes = ((1, size, size, channels), (3, 3, channels, filters))
        operands = [np.empty(s, np.float32) for s in shapes]
        plan = compile_op("conv2d", operands, {"padding": "same"}, kernel, precision="medium")
        return plan.steps()[-1]["workspace"]

    assert workspace(512, 512, 512) < 1.01 * WINOGRADS_MEMORY
    case = Case("conv2d", ((1, 66, 65, 2048), (3, 3, 2048, 5)), {"padding": "same"})
    tile, item = winograd_tile(kernel), 2 if "bf16" in kernel else 4
    in_one = (tile + 2) ** 2 * -(-66 // tile) * -(-65 // tile) * 2048 * item
    assert 0.3 * WINOGRADS_MEMORY < workspace(66, 2048, 5) < 1.01 * WINOGRADS_MEMORY < in_one
    check_sums(kernel, case)
    same_bits_at_any_thread_count(case, kernel=kernel)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.CONV))
def test_conv2d(kernel: str, case: Case) -> None:
    check_sums(kernel, case)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.TRANSPOSE))
def test_conv2d_transpose(kernel: str, case: Case) -> None:
    check_sums(kernel, case)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.WEIGHT_GRADIENT))
def test_conv2d_weight_gradient(kernel: str, case: Case) -> None:
    x, dy = case.inputs()
    (dw,) = run_kernel(kernel, case, [x, dy])
    magnitudes = reference.conv2d_weight_gradient(np.abs(x), np.abs(dy), **case.attrs)
    pixels = int(np.prod(case.shapes[1][:3]))
    if winograd_tile(kernel):  # the taps of a pair of channels share their errors
        magnitudes[...] = magnitudes.max(axis=(0, 1), keepdims=True)
        if precision_of(kernel) == "medium":  # sums are rounded, which are larger than their terms
            magnitudes *= 2
    expected = reference.conv2d_weight_gradient(x, dy, **case.attrs)
    assert_within(dw, expected, dot_bound(magnitudes, pixels, kernel))


@pytest.mark.parametrize(
    "kernel",
    [
        k
        for k in kernel_rows("conv2d_weight_gradient")
        if device_of(k) == "cuda" and not winograd_tile(k)
    ],
)
def test_parts_of_the_longest_sums_fit_a_grid(kernel: str) -> None:
    pixels = (1, 1 << 15, 1 << 15, 1)
    graph = _C.Graph()
    operands = [graph.input(pixels, "float32") for _ in range(2)]
    graph.set_outputs(graph.add("conv2d_weight_gradient", operands, {"kernel_size": (1, 1)}))
    plan = _C.compile(graph, kernel=kernel, optimize=False, precision="medium", device="cuda")
    assert 0 < plan.arena_bytes <= 65535 * 4 + 256  # a sum of 4 bytes each


@pytest.mark.parametrize(
    "kernel", [k for k in kernel_rows("conv2d_weight_gradient") if winograd_tile(k)]
)
@pytest.mark.parametrize("data", ["normal", "after relu", "wide"])
def test_winograd_gradient_errs_in_the_class_of_its_level(kernel: str, data: str) -> None:
    rng = np.random.default_rng(12)
    x, dy = rng.standard_normal((2, 3, 14, 14, 32))
    if data == "after relu":
        x = np.maximum(x, 0)
    if data == "wide":
        x *= np.exp(2 * rng.standard_normal(x.shape))
    x, dy = x.astype(np.float32), dy.astype(np.float32)
    attrs = {"kernel_size": (3, 3), "padding": "same"}
    exact = reference.conv2d_weight_gradient(x, dy, **attrs)
    (dw,) = run_kernel(kernel, Case("conv2d_weight_gradient", (x.shape, dy.shape), attrs), [x, dy])
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    direct = np.zeros_like(exact, dtype=np.float32)
    for n, i, j in np.ndindex(dy.shape[:3]):
        direct += padded[n, i : i + 3, j : j + 3, :, None] * dy[n, i, j]
    limit = 1e-5 * np.abs(exact).max() if data == "wide" else 4 * np.abs(direct - exact).max()
    if precision_of(kernel) == "medium":
        limit = MEDIUM * np.abs(exact).max()
    assert np.abs(dw - exact).max() <= limit


@pytest.mark.parametrize("kernel", kernel_rows("conv2d_adjoint_kernel"))
@pytest.mark.parametrize(
    ("shape", "groups"), [((1, 1, 5, 3), 1), ((3, 2, 17, 20), 1), ((2, 3, 5, 12), 3)]
)
def test_conv2d_adjoint_kernel(kernel: str, shape: tuple[int, ...], groups: int) -> None:
    case = Case("conv2d_adjoint_kernel", (shape,), {"groups": groups})
    (w,) = case.inputs()
    (v,) = run_kernel(kernel, case, [w])
    parts = w[::-1, ::-1].reshape(*shape[:3], groups, shape[3] // groups)
    expected = parts.transpose(0, 1, 4, 3, 2).reshape(*shape[:2], shape[3] // groups, -1)
    np.testing.assert_array_equal(v, expected)


EPILOGUES = [
    {"activation": kind, "has_bias": bias, "has_residual": residual}
    for kind in cases.ACTIVATIONS
    for bias, residual in ((True, True), (True, False), (False, True))
] + [{"activation": "leaky_relu", "alpha": -0.5}, {"activation": "elu", "alpha": 0.3}]


@pytest.mark.parametrize("epilogue", EPILOGUES, ids=lambda e: ",".join(map(str, e.values())))
@pytest.mark.parametrize(("channels", "filters"), [(64, 133), (64, 13), (9, 40)])
@pytest.mark.parametrize("kernel", [k for op in SUMS for k in kernel_rows(op)])
def test_epilogue(kernel: str, channels: int, filters: int, epilogue: dict[str, Any]) -> None:
    op = "conv2d_transpose" if kernel.startswith("conv2d_transpose") else "conv2d"
    kernel_shape = (channels, filters) if op == "conv2d" else (filters, channels)
    shapes = ((2, 4, 29, channels), (2, 2, *kernel_shape))
    attrs: dict[str, Any] = {"groups": 1, "strides": 2, "padding": "same"}
    rng = np.random.default_rng(3)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in shapes)
    sums = SUMS[op](x, w, **attrs)
    magnitudes = SUMS[op](np.abs(x), np.abs(w), **attrs)
    extra = []
    if epilogue.get("has_bias"):
        extra.append(rng.standard_normal(filters).astype(np.float32))
    if epilogue.get("has_residual"):
        extra.append(rng.standard_normal(sums.shape).astype(np.float32))
    magnitudes = magnitudes + sum(np.abs(e) for e in extra)
    expected = finish(sums, extra, **epilogue)
    case = Case(op, (x.shape, w.shape, *(e.shape for e in extra)), {**attrs, **epilogue})
    (y,) = run_kernel(kernel, case, [x, w, *extra])
    # No activation is steeper than hard_swish's 1.5, and they err by ulps.
    assert_within(y, expected, 2 * dot_bound(magnitudes, 256, kernel) + 1e-6)


@pytest.mark.parametrize("kernel", kernel_rows("conv2d"))
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("activation", ["linear", "relu", "relu6", "tanh"])
@pytest.mark.parametrize("channels", [32, 3])
def test_what_is_not_finite_reaches_the_outputs_that_depend_on_it(
    kernel: str, value: float, activation: str, channels: int
) -> None:
    x = np.ones((1, 9, 9, channels), np.float32)
    x[0, 4, 4, 2] = value
    w = np.full((3, 3, channels, 130), 0.01, np.float32)
    case = Case("conv2d", (x.shape, w.shape), {"padding": "same", "activation": activation})
    (y,) = run_kernel(kernel, case, [x, w])
    touched = np.zeros((9, 9), bool)
    touched[3:6, 3:6] = True
    if size := winograd_tile(kernel):
        # A tile's outputs share their fate, and infinities become NaN where they are subtracted.
        reached = ~np.isfinite(y) | (y >= (1 if activation == "tanh" else 6))
        assert reached.all(axis=-1)[0][touched].all()
        tiles = np.arange(9) // size
        near = (tiles >= tiles[3]) & (tiles <= tiles[5])
        assert not reached.any(axis=-1)[0][~(near[:, None] & near)].any()
        return
    if np.isnan(value):
        reached = np.isnan(y)
    else:  # a factor in several parts makes NaN of infinity (docs/precision.md)
        reached = (y >= (1 if activation == "tanh" else 6)) | (np.isnan(y) & ("bf16x" in kernel))
    assert (reached.all(axis=-1)[0] == touched).all()
    assert (reached.any(axis=-1)[0] == touched).all()


@pytest.mark.parametrize(
    "case",
    [
        *cases.CONV[12:32:3],
        cases.TRANSPOSE[3],
        *cases.BENCHMARK[2:11],
        *cases.WEIGHT_GRADIENT[12:32:3],
        *cases.WEIGHT_GRADIENT[-13:],
    ],
)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize("kernel", kernel_rows("conv2d"))
def test_a_picture_gives_the_same_bits_alone_and_in_a_batch(kernel: str) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((5, 6, 5, 64)).astype(np.float32)
    w = rng.standard_normal((3, 3, 64, 130)).astype(np.float32)
    attrs = {"padding": "same"}
    (y,) = run_kernel(kernel, Case("conv2d", (x.shape, w.shape), attrs), [x, w])
    for n in range(5):
        (one,) = run_kernel(
            kernel, Case("conv2d", (x[:1].shape, w.shape), attrs), [x[n : n + 1], w]
        )
        assert one.tobytes() == y[n : n + 1].tobytes()


def test_transposed_convolution_is_the_gradient_of_convolution() -> None:
    rng = np.random.default_rng(6)
    for size, strides, pads, dilation in (((9, 8), 2, 1, 1), ((7, 7), 3, 0, 2), ((6, 9), 1, 2, 1)):
        x = rng.standard_normal((2, *size, 6)).astype(np.float32)
        w = rng.standard_normal((3, 3, 6, 10)).astype(np.float32)
        y = fc.ops.conv2d(x, w, strides=strides, padding=pads, dilation=dilation)
        dy = rng.standard_normal(y.shape).astype(np.float32)
        extra = tuple(
            n - ((m - 1) * strides - 2 * pads + 2 * dilation + 1)
            for n, m in zip(size, y.shape[1:3], strict=True)
        )
        dx = fc.ops.conv2d_transpose(
            dy, w, strides=strides, padding=pads, output_padding=extra, dilation=dilation
        )
        assert dx.shape == x.shape
        # <conv(x), dy> = <x, conv_transpose(dy)>
        np.testing.assert_allclose(
            np.vdot(y.astype(float), dy), np.vdot(x.astype(float), dx), rtol=1e-4, atol=1e-3
        )


def test_python_arguments() -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((1, 6, 5, 4)).astype(np.float32)
    w = rng.standard_normal((3, 3, 4, 8)).astype(np.float32)
    bias, residual = rng.standard_normal(8), rng.standard_normal((1, 3, 3, 8))
    y = fc.ops.conv2d(x, w, bias, 2, "same", activation="leaky_relu", alpha=0.1, residual=residual)
    sums = reference.conv2d(x, w, strides=2, padding="same")
    expected = finish(sums, [bias, residual], activation="leaky_relu", alpha=0.1)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(
        fc.ops.conv2d(x, w, residual=np.zeros((1, 6, 5, 8))), fc.ops.conv2d(x, w)
    )


def test_errors_say_what_was_expected_and_what_came() -> None:
    x, w = np.zeros((1, 4, 4, 6), np.float32), np.zeros((3, 3, 6, 8), np.float32)
    with pytest.raises(
        ShapeError, match=r"expected a kernel of shape \(height, width, 6, filters\)"
    ):
        fc.ops.conv2d(x, w[:, :, :5])
    with pytest.raises(ConfigError, match="groups must divide the 6 channels"):
        fc.ops.conv2d(x, w, groups=4)
    with pytest.raises(ShapeError, match=r"expected a bias of shape \(8,\), got shape \(7,\)"):
        fc.ops.conv2d(x, w, np.zeros(7))
    with pytest.raises(ShapeError, match="expected a residual of the result's shape"):
        fc.ops.conv2d(x, w, residual=np.zeros((1, 4, 4, 7)))
    with pytest.raises(ShapeError, match="the window covers 5 pixels of height"):
        fc.ops.conv2d(x, w, padding="valid", dilation=(2, 1))
    with pytest.raises(ConfigError, match="activation: expected one of 'linear', 'relu'"):
        fc.ops.conv2d(x, w, activation="softmax")
    with pytest.raises(ConfigError, match="unknown option 'alpha'"):
        fc.ops.conv2d(x, w, activation="relu", alpha=0.1)
    with pytest.raises(ShapeError, match=r"expected a kernel of shape .* 6\)"):
        fc.ops.conv2d_transpose(x, w)
    with pytest.raises(ShapeError, match="the padding leaves nothing"):
        fc.ops.conv2d_transpose(x, np.zeros((1, 1, 8, 6)), padding=2)
