"""The activation room: every row on every case, accuracy over all floats, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import elementwise as cases
from tests.harness import (
    Case,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import elementwise as reference

SMALLEST = 2.0**-149  # positive float32
# Units in the last place, for normal results. Other kinds are rounded once or twice.
ULP = {
    "exp": 1.1,
    "log": 1.1,
    "elu": 1.1,
    "hard_sigmoid": 1.6,
    "hard_swish": 2.6,
    "rsqrt": 1.6,
    "tanh": 1.6,
    "softplus": 2.1,
    "sigmoid": 2.6,
    "silu": 3.1,
    "mish": 5.1,
    "gelu": 9.1,
}


def all_kinds_of_floats(count: int) -> np.ndarray:
    """Bit patterns evenly spread over all floats, and those at which formulas change."""
    spread = np.linspace(0, 2**32 - 1, count).astype(np.uint32).view(np.float32)
    turns = [0.0, 0.3465, 0.625, 1.0, 3.0, 6.0, 14.5, 18.0, 87.34, 88.73, 89.0, 103.97, 104.0]
    turns += [np.inf, np.nan, 1.1754944e-38, 1.1754942e-38, 1e-45, 3.4028235e38]
    at = np.array([*turns, *(-t for t in turns)], dtype=np.float32)
    with np.errstate(over="ignore"):
        near = [np.nextafter(at, np.float32(side)) for side in (np.inf, -np.inf)]
    usual = np.random.default_rng(0).normal(0, 4, count).astype(np.float32)
    return np.concatenate([spread, at, *near, usual])


def assert_ulp(y: np.ndarray, expected: np.ndarray, ulp: np.ndarray | float) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = expected.astype(np.float32)
        np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
        np.testing.assert_array_equal(y[np.isinf(expected)], expected[np.isinf(expected)])
        # Where rounding decides between the largest float and infinity, either is right.
        finite = np.isfinite(rounded) & np.isfinite(y)
        edge = np.isfinite(expected) & ~finite
        assert (np.abs(expected[edge]) >= 3.4028234e38).all()
        unit = np.abs(np.spacing(rounded))
        error = np.abs(y.astype(np.float64) - expected)
        # Below the normal range factors were rounded there before the product was.
        limit = np.where(
            np.abs(expected) < 2.0**-120, np.maximum(ulp * unit, 100 * SMALLEST), ulp * unit
        )
    bad = finite & (error > limit)
    assert not bad.any(), (y[bad][:5], expected[bad][:5], (error / unit)[bad].max())


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.ACTIVATIONS))
def test_activation(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    assert_ulp(y, reference.activation(x, **case.attrs), ULP.get(case.attrs["activation"], 1.0))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.UNARY))
def test_unary(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    # The argument of gelu_tanh's exponential is rounded: its error grows with it.
    ulp = 3.1 * (1 + np.abs(x) ** 3) if case.attrs["kind"] == "gelu_tanh" else 1.0
    assert_ulp(y, reference.unary(x, **case.attrs), ULP.get(case.attrs["kind"], ulp))


@pytest.mark.parametrize("kernel", kernel_rows("activation"))
@pytest.mark.parametrize("kind", cases.ACTIVATION_KINDS)
def test_activation_of_every_kind_of_float(kernel: str, kind: str) -> None:
    x = all_kinds_of_floats(1 << 18)
    (y,) = run_kernel(kernel, Case("activation", (x.shape,), {"activation": kind}), [x])
    assert_ulp(y, reference.activation(x, kind), ULP.get(kind, 1.0))


@pytest.mark.parametrize("kernel", kernel_rows("unary"))
@pytest.mark.parametrize("kind", cases.UNARY_KINDS)
def test_unary_of_every_kind_of_float(kernel: str, kind: str) -> None:
    x = all_kinds_of_floats(1 << 18)
    (y,) = run_kernel(kernel, Case("unary", (x.shape,), {"kind": kind}), [x])
    ulp: np.ndarray | float = ULP.get(kind, 1.0)
    if kind == "gelu_tanh":
        ulp = 3.1 * (1 + np.minimum(np.abs(np.nan_to_num(x)), 20.0) ** 3)
    assert_ulp(y, reference.unary(x, kind), ulp)


@pytest.mark.parametrize("kernel", kernel_rows("unary"))
def test_nan_passes_through_clip(kernel: str) -> None:
    x = np.array([np.nan, -np.inf, 0.5, np.inf] * 9, np.float32)
    (y,) = run_kernel(kernel, Case("unary", (x.shape,), {"kind": "clip", "min": 0, "max": 1}), [x])
    np.testing.assert_array_equal(y, [np.nan, 0.0, 0.5, 1.0] * 9)


@pytest.mark.parametrize("case", cases.BENCHMARK[4:])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize("kind", cases.ACTIVATION_KINDS[1:])
def test_functions_by_name(kind: str) -> None:
    x = np.linspace(-7, 7, 50, dtype=np.float32).reshape(5, 10)
    y = getattr(fc.ops, kind)(x)
    np.testing.assert_allclose(y, reference.activation(x, kind), rtol=1e-6, atol=1e-6)


def test_relu_has_keras_options() -> None:
    x = np.array([-2.0, -0.5, 0.5, 1.0, 9.0], np.float32)
    relu = fc.ops.relu
    np.testing.assert_array_equal(relu(x, negative_slope=0.5), [-1.0, -0.25, 0.5, 1.0, 9.0])
    np.testing.assert_array_equal(relu(x, max_value=2.0), [0.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_array_equal(relu(x, max_value=6.0), [0.0, 0.0, 0.5, 1.0, 6.0])
    np.testing.assert_array_equal(relu(x, threshold=1.0), [0.0, 0.0, 0.0, 1.0, 9.0])
    np.testing.assert_array_equal(relu(x, 0.5, 4.0, 1.0), [-1.5, -0.75, -0.25, 1.0, 4.0])


def test_the_other_functions_of_one_operand() -> None:
    x = np.linspace(0.1, 3, 40, dtype=np.float32)
    for name, expected in [
        ("exp", np.exp(x)),
        ("exponential", np.exp(x)),
        ("log", np.log(x)),
        ("sqrt", np.sqrt(x)),
        ("rsqrt", 1 / np.sqrt(x)),
        ("square", x * x),
        ("absolute", x),
        ("abs", x),
        ("negative", -x),
        ("reciprocal", 1 / x),
        ("softplus", np.log1p(np.exp(x))),
        ("softsign", x / (1 + x)),
        ("selu", 1.0507009873554805 * x),
        ("mish", x * np.tanh(np.log1p(np.exp(x)))),
    ]:
        np.testing.assert_allclose(getattr(fc.ops, name)(x), expected, rtol=2e-6, err_msg=name)
    for approximate, kind in [(False, "gelu"), (True, "gelu_tanh")]:
        np.testing.assert_allclose(fc.ops.gelu(x, approximate), reference.unary(x, kind), rtol=2e-6)
    np.testing.assert_array_equal(fc.ops.prelu(-x, np.float32(0.5)), -x * np.float32(0.5))
    np.testing.assert_array_equal(fc.ops.clip(x, None, 1.0), np.minimum(x, 1))


def test_errors_say_what_was_expected_and_what_came() -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ConfigError, match="clip: expected min <= max, got 2 and 1"):
        fc.ops.clip(x, 2, 1)
    with pytest.raises(ShapeError, match=r"alpha of shape \(2, 1, 3\) must broadcast to x's shape"):
        fc.ops.prelu(x, np.zeros((2, 1, 3), np.float32))
