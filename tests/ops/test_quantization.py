"""The rooms of 8-bit codes: exact sums, roundings, saturation, and what becomes of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.ops._dispatch import apply_op
from tests.cases import quantization as cases
from tests.cases.convolution import ACTIVATIONS
from tests.harness import Case, compile_op, each_kernel, kernel_rows, run_kernel
from tests.reference import quantization as reference
from tests.reference.convolution import conv2d, conv2d_transpose
from tests.reference.epilogue import activate
from tests.reference.pooling import max_pool2d

SUMS = {
    "conv2d_int8": reference.conv2d_int8_sums,
    "depthwise_conv2d_int8": reference.depthwise_conv2d_int8_sums,
}
ZERO_POINT = 7


def codes(case: Case, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Operands of all codes, the largest magnitudes often."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-40, 296, case.shapes[0]).clip(0, 255).astype(np.uint8)
    w = rng.integers(-150, 151, case.shapes[1]).clip(-127, 127).astype(np.int8)
    return x, w


def sums_of(case: Case, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return SUMS[case.op](x, w, ZERO_POINT, **case.attrs)


def with_attrs(case: Case, **attrs: Any) -> Case:
    return Case(case.op, case.shapes, {**case.attrs, "x_zero_point": ZERO_POINT, **attrs})


# ---- between floats and codes --------------------------------------------------------------------


@pytest.mark.parametrize("kernel", kernel_rows("quantize"))
@pytest.mark.parametrize("count", [0, 1, 7, 16, 33, 40_000])
def test_quantize(kernel: str, count: int) -> None:
    # A power of two: the reference's quotient is exact, so that every rounding is the contract's.
    x = (np.random.default_rng(count).standard_normal(count) * 40).astype(np.float32)
    case = Case("quantize", (x.shape,), {"scale": 0.25, "zero_point": 100})
    (q,) = run_kernel(kernel, case, [x])
    np.testing.assert_array_equal(q, reference.quantize(x, 0.25, 100))


@pytest.mark.parametrize("kernel", kernel_rows("quantize"))
def test_quantize_rounds_to_even_and_saturates(kernel: str) -> None:
    x = [0.5, 1.5, 2.5, -0.5, 254.5, 255.4, 256, 1e30, np.inf, -1, -1e30, -np.inf, np.nan]
    expected = [0, 2, 2, 0, 254, 255, 255, 255, 255, 0, 0, 0, 0]
    for repeat in (1, 3):  # in a tail, and in whole registers
        given = np.array(x * repeat, np.float32)
        (q,) = run_kernel(kernel, Case("quantize", (given.shape,)), [given])
        np.testing.assert_array_equal(q, expected * repeat)


@pytest.mark.parametrize("kernel", kernel_rows("dequantize"))
@pytest.mark.parametrize("count", [0, 1, 15, 300])
def test_dequantize(kernel: str, count: int) -> None:
    q = np.arange(count).astype(np.uint8)
    case = Case("dequantize", (q.shape,), {"scale": 0.3, "zero_point": 9})
    (x,) = run_kernel(kernel, case, [q])
    np.testing.assert_array_equal(x, np.float32(0.3) * (q.astype(np.float32) - 9))


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("kernel", kernel_rows("quantize_weights"))
def test_quantize_weights(kernel: str, axes: int) -> None:
    w = np.random.default_rng(0).standard_normal((3, 3, 5, 4)).astype(np.float32)
    w[..., 1] = 0
    w[..., 2] *= 1e-30
    case = Case("quantize_weights", (w.shape,), {"channel_axes": axes})
    q, scale = run_kernel(kernel, case, [w])
    expected, scales = reference.quantize_weights(w, axes)
    np.testing.assert_array_equal(scale, scales)
    np.testing.assert_array_equal(q, expected)


# ---- products ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kernel", "case"), each_kernel([*cases.CONV_INT8, *cases.DEPTHWISE_INT8]))
def test_sums_are_exact(kernel: str, case: Case) -> None:
    x, w = codes(case)
    expected = sums_of(case, x, w)
    one = np.ones(expected.shape[-1], np.float32)
    (y,) = run_kernel(kernel, with_attrs(case), [x, w, one])
    np.testing.assert_array_equal(y, expected.astype(np.float32))


@pytest.mark.parametrize("residual", [None, "uint8", "float32"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kernel", [k for op in SUMS for k in kernel_rows(op)])
def test_what_becomes_of_sums(
    kernel: str, activation: str, bias: bool, residual: str | None
) -> None:
    case = next(c for c in cases.EPILOGUE if kernel.startswith(c.op))
    x, w = codes(case)
    rng = np.random.default_rng(1)
    sums = sums_of(case, x, w)
    scale = rng.uniform(0.5, 2, sums.shape[-1]).astype(np.float32) / np.float32(np.abs(sums).max())
    expected = sums * (0.5 * scale.astype(np.float64)) * 8
    operands = [x, w, (scale * 8).astype(np.float32)]
    if bias:
        operands.append(rng.standard_normal(sums.shape[-1]).astype(np.float32))
        expected = expected + operands[-1]
    if residual == "uint8":
        operands.append(rng.integers(0, 256, sums.shape).astype(np.uint8))
        expected = expected + 0.03125 * (operands[-1].astype(np.float64) - 20)
    if residual == "float32":
        operands.append(rng.standard_normal(sums.shape).astype(np.float32))
        expected = expected + operands[-1]
    expected = activate(expected, activation)
    attrs = {
        "x_scale": 0.5,
        "residual_scale": 0.03125,
        "residual_zero_point": 20,
        "activation": activation,
        "has_bias": bias,
        "has_residual": residual is not None,
    }
    (y,) = run_kernel(kernel, with_attrs(case, **attrs), operands)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=2e-6, atol=4e-6)
    (q,) = run_kernel(kernel, with_attrs(case, **attrs, y_scale=0.05, y_zero_point=90), operands)
    assert q.dtype == np.uint8
    exact = expected / 0.05 + 90
    near_tie = np.abs(np.abs(exact - np.round(exact)) - 0.5) < 1e-3
    difference = np.abs(q.astype(int) - reference.quantize(expected, 0.05, 90).astype(int))
    assert (difference <= near_tie).all()


@pytest.mark.parametrize(
    ("kernel", "case"), each_kernel([c for c in cases.DEPTHWISE_INT8 if c.shapes[0][0]])
)
def test_sums_are_exact_where_results_are_codes(kernel: str, case: Case) -> None:
    x, w = codes(case)
    sums = sums_of(case, x, w)
    one = np.ones(sums.shape[-1], np.float32)
    scale = float(2.0 ** np.ceil(np.log2(max(1.0, np.abs(sums).max() / 120))))
    (y,) = run_kernel(kernel, with_attrs(case, y_scale=scale, y_zero_point=128), [x, w, one])
    np.testing.assert_array_equal(y, reference.quantize(sums, scale, 128))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.MAX_POOL_INT8))
def test_max_pool(kernel: str, case: Case) -> None:
    x = np.random.default_rng(0).integers(0, 256, case.shapes[0]).astype(np.uint8)
    (y,) = run_kernel(kernel, case, [x])
    expected = max_pool2d(x, **case.attrs)
    np.testing.assert_array_equal(y, np.where(np.isneginf(expected), 0, expected))


@pytest.mark.parametrize(
    "case", [*cases.CONV_INT8[-4:], cases.DEPTHWISE_INT8[-1]], ids=lambda c: c.id
)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    x, w = codes(case)
    operands = [
        x,
        w,
        np.full(max(w.shape[2:]) if w.shape[-1] == 1 else w.shape[-1], 1e-5, np.float32),
    ]
    plan = compile_op(case.op, operands, {**case.attrs, "y_scale": 0.02, "y_zero_point": 128})
    before = _C.num_threads()
    try:
        runs = []
        for count in (1, 2, 3, 7):
            _C.set_num_threads(count)
            runs.append(plan.run(operands)[0])
    finally:
        _C.set_num_threads(before)
    for run in runs[1:]:
        np.testing.assert_array_equal(run, runs[0])


@pytest.mark.parametrize(
    ("size", "stride", "before"), [(3, 2, 0), (2, 2, 0), (4, 2, 1), (5, 3, 1), (1, 2, 0), (7, 2, 3)]
)
def test_phases_of_a_transposed_convolution(size: int, stride: int, before: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 5, 6, 3)).astype(np.float32)
    w = rng.standard_normal((size, size, 4, 3)).astype(np.float32)
    attrs = {"strides": stride, "before": before}
    case = Case("conv2d_transpose_phases", (w.shape,), attrs)
    (phases,) = run_kernel("conv2d_transpose_phases_f32_ref", case, [w])
    # Every output pixel of a picture padded so far that all taps are inside.
    taps = [(r + before - a) // stride for a in range(size) for r in [(a - before) % stride]]
    first, last = min(taps), max(taps)
    assert phases.shape == (last - first + 1, last - first + 1, 3, stride * stride * 4)
    margin = 8
    padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    codes = conv2d(padded, phases)
    n, h, v, _ = codes.shape
    codes = codes.reshape(n, h, v, stride, stride, 4).transpose(0, 1, 3, 2, 4, 5)
    actual = codes.reshape(n, h * stride, v * stride, 4)
    full = conv2d_transpose(padded, w, strides=stride, padding="valid")
    # Row 0 of `actual` is output pixel -first * stride, counted from `before` rows inside `full`.
    start = before - first * stride
    rows, columns = actual.shape[1] - 2 * size * stride, actual.shape[2] - 2 * size * stride
    inside = slice(size * stride, None)
    expected = full[:, start:, start:][:, inside, inside][:, :rows, :columns]
    np.testing.assert_allclose(actual[:, inside, inside][:, :rows, :columns], expected, atol=1e-4)


def test_refusals() -> None:
    x, w = np.zeros((1, 4, 4, 2), np.uint8), np.zeros((3, 3, 2, 5), np.int8)
    one = np.ones(5, np.float32)
    for scale in (0.0, -1.0, np.nan, np.inf, 1e-44, 1e39):
        with pytest.raises(ConfigError, match="scale"):
            compile_op("quantize", [np.zeros(3, np.float32)], {"scale": scale})
    for zero_point in (-1, 256):
        with pytest.raises(ConfigError, match="zero_point"):
            compile_op("dequantize", [x], {"zero_point": zero_point})
    with pytest.raises(DTypeError, match="uint8"):
        compile_op("dequantize", [np.zeros(3, np.float32)], {})
    with pytest.raises(DTypeError, match="float32"):
        apply_op("quantize", [x], None)
    with pytest.raises(DTypeError, match="int8"):
        compile_op("conv2d_int8", [x, w.astype(np.float32), one], {})
    with pytest.raises(DTypeError, match="uint8"):
        compile_op("conv2d_int8", [x.astype(np.float32), w, one], {})
    with pytest.raises(ShapeError, match="scale"):
        compile_op("conv2d_int8", [x, w, one[:4]], {})
    with pytest.raises(ShapeError, match="kernel"):
        compile_op("conv2d_int8", [x[..., :1].copy(), w, one], {})
    deep = np.zeros((1, 1, 1, 65537), np.uint8), np.zeros((1, 1, 65537, 1), np.int8)
    with pytest.raises(ConfigError, match="65536"):
        compile_op("conv2d_int8", [*deep, one[:1]], {})
