"""Products of floats split into bfloat16 parts: how accurate they are, and where they end."""

import numpy as np
import pytest

from fastcnn import _C
from tests.harness import (
    Case,
    assert_within,
    device_of,
    dot_bound,
    kernel_rows,
    precision_of,
    run_kernel,
    same_bits_at_any_thread_count,
)

KERNELS = [name for name in kernel_rows("dense") if "bf16" in name]
IN_PARTS = [name for name in KERNELS if "bf16x" in name]
ROWS, DEPTH, COLUMNS = 40, 200, 130
LARGEST = np.finfo(np.float32).max
SMALLEST = float(np.finfo(np.float32).tiny)  # the smallest normal number
# Infinities, and NaN with all kinds of low bits.
SPECIAL = [0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF]

pytestmark = pytest.mark.skipif(not KERNELS, reason="needs AMX or CUDA")


def multiply(kernel: str, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The product by one kernel."""
    x, w = x.astype(np.float32), w.astype(np.float32)
    (y,) = run_kernel(kernel, Case("dense", (x.shape, w.shape)), [x, w])
    return y


def normal(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices of normally distributed floats."""
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((ROWS, DEPTH)), rng.standard_normal((DEPTH, COLUMNS))
    return x.astype(np.float32), w.astype(np.float32)


def lost(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """What sums may lose where parts, products or partial sums are below the normal range."""
    ones = np.ones_like
    return SMALLEST * (4 * (np.abs(x) @ ones(w) + ones(x) @ np.abs(w)) + 8 * x.shape[1])


def check(kernel: str, x: np.ndarray, w: np.ndarray) -> None:
    x64, w64 = x.astype(np.float64), w.astype(np.float64)
    limit = dot_bound(np.abs(x64) @ np.abs(w64), DEPTH, kernel) + lost(x64, w64)
    assert_within(multiply(kernel, x, w), x64 @ w64, limit)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("decades", [1, 6, 15])
def test_each_element_is_accurate_over_a_wide_range(kernel: str, decades: int) -> None:
    x, w = normal(decades)
    rng = np.random.default_rng(decades)
    x *= np.float32(10.0) ** rng.uniform(-decades, decades, x.shape).astype(np.float32)
    w *= np.float32(10.0) ** rng.uniform(-decades, decades, w.shape).astype(np.float32)
    check(kernel, x, w)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [1e-20, 1e-30, 1e-37, 1e-42])
def test_factors_at_the_lower_end_lose_no_more_than_said(kernel: str, scale: float) -> None:
    x, w = normal(3)
    check(kernel, x * np.float32(scale), w)
    check(kernel, x, w * np.float32(scale))
    mixed = np.where(np.arange(DEPTH) % 2 == 0, np.float32(scale), np.float32(1))
    check(kernel, x * mixed, w)


@pytest.mark.parametrize("kernel", KERNELS)
def test_bits_of_factors_that_round_the_worst_way(kernel: str) -> None:
    # Just above and below a tie of the first part, and of the second.
    worst = np.array([0x3F808000, 0x3F807FFF, 0x3F80807F, 0x3F7FFFFF, 0x3F808080], np.uint32)
    x = np.resize(worst.view(np.float32), (ROWS, DEPTH))
    w = np.resize(worst.view(np.float32)[::-1], (DEPTH, COLUMNS))
    check(kernel, x, w)
    signs = np.where(np.arange(DEPTH) % 3 == 0, np.float32(-1), np.float32(1))
    check(kernel, x * signs, w)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_largest_floats_stay_finite(kernel: str) -> None:
    huge = np.zeros((ROWS, DEPTH), np.float32)
    huge[np.arange(ROWS), np.arange(ROWS)] = LARGEST if "bf16x6" in kernel else 0.99 * LARGEST
    huge[:, 100] = LARGEST / 2
    ones = np.zeros((DEPTH, COLUMNS), np.float32)
    ones[np.arange(COLUMNS), np.arange(COLUMNS)] = np.where(np.arange(COLUMNS) % 2, -1, 1)
    factors = [(huge, ones), (ones.T, np.resize(huge.T, (DEPTH, ROWS * 4)))]
    for x, w in factors:
        exact = x.astype(np.float64) @ w
        within = {"highest": 0.0, "high": 2.0**-15, "medium": 2.0**-7}[precision_of(kernel)]
        assert_within(multiply(kernel, x, w), exact, within * np.abs(exact))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "bits", [0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF]
)
@pytest.mark.parametrize("operand", [0, 1])
def test_what_is_not_finite_reaches_what_depends_on_it_and_nothing_else(
    kernel: str, bits: int, operand: int
) -> None:
    x, w = normal(4)
    plain = multiply(kernel, x, w)
    (x, w)[operand].view(np.uint32)[17, 23] = bits
    y = multiply(kernel, x, w)
    touched = np.zeros(y.shape, bool)
    touched[(17, slice(None)) if operand == 0 else (slice(None), 23)] = True
    assert not np.isfinite(y[touched]).any()
    if np.isnan(np.array(bits, np.uint32).view(np.float32)) or kernel in IN_PARTS:
        assert np.isnan(y[touched]).all()
    np.testing.assert_array_equal(y[~touched], plain[~touched])


@pytest.mark.parametrize("kernel", KERNELS)
def test_typical_sums_are_well_within_the_promise(kernel: str) -> None:
    promise = {"highest": 2e-6, "high": 3e-5, "medium": 1e-2}[precision_of(kernel)]
    for seed in range(3):
        x, w = normal(seed)
        for a, b in ((x, w), (np.abs(x), np.abs(w))):
            exact = a.astype(np.float64) @ b
            error = np.abs(multiply(kernel, a, b) - exact).max() / np.abs(exact).max()
            assert error <= promise


@pytest.mark.parametrize("kernel", [k for k in KERNELS if device_of(k) == "cpu"])
@pytest.mark.parametrize("sizes", [(40, 200, 130), (500, 700, 150), (60, 600, 400)])
def test_same_bits_at_any_thread_count(kernel: str, sizes: tuple[int, int, int]) -> None:
    rows, depth, columns = sizes
    same_bits_at_any_thread_count(Case("dense", ((rows, depth), (depth, columns))), kernel=kernel)


@pytest.mark.parametrize("kernel", [k for k in KERNELS if device_of(k) == "cpu"])
def test_cutting_the_sum_changes_no_bit(kernel: str) -> None:
    # Few rows are split for the whole sum at once, many part by part. (On a GPU the parts of a sum
    # are added up by themselves, and the sizes say how many there are.)
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((2100, 2300)), rng.standard_normal((2300, 130))
    np.testing.assert_array_equal(multiply(kernel, x, w)[:30], multiply(kernel, x[:30], w))


def test_the_levels_allow_the_rows_they_promise() -> None:
    levels = {"bf16x6": "highest", "bf16x3": "high", "bf16": "medium"}
    for op in ("conv2d", "dense", "matmul"):
        for row in _C.kernels(op):
            variant = row["name"].split("_")[-2]
            if variant in levels:
                assert row["precision"] == levels[variant]
