"""The pool2d room: every row on every case, the contract's corner cases, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import pooling as cases
from tests.harness import (
    Case,
    assert_within,
    dot_bound,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import pooling as reference


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.MAX))
def test_max_pool2d(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    np.testing.assert_array_equal(y, reference.max_pool2d(x, **case.attrs))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.AVERAGE))
def test_avg_pool2d(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    magnitude = reference.avg_pool2d(np.abs(x), **case.attrs)
    assert_within(y, reference.avg_pool2d(x, **case.attrs), dot_bound(magnitude, 9))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.ADAPTIVE))
def test_adaptive_avg_pool2d(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    magnitude = reference.adaptive_avg_pool2d(np.abs(x), **case.attrs)
    assert_within(
        y,
        reference.adaptive_avg_pool2d(x, **case.attrs),
        dot_bound(magnitude, x.shape[1] * x.shape[2]),
    )


@pytest.mark.parametrize("kernel", kernel_rows("max_pool2d"))
@pytest.mark.parametrize("where", [(0, 0), (1, 1), (2, 2)])
def test_nan_reaches_the_maximum_from_any_place_in_the_window(
    kernel: str, where: tuple[int, int]
) -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 3, 19)).astype(np.float32)
    x[0, where[0], where[1], ::2] = np.nan
    (y,) = run_kernel(kernel, Case("max_pool2d", (x.shape,), {"pool_size": 3}), [x])
    assert np.isnan(y[..., ::2]).all()
    assert np.isfinite(y[..., 1::2]).all()


@pytest.mark.parametrize("kernel", kernel_rows("max_pool2d"))
def test_padding_never_wins_and_an_empty_window_is_minus_infinity(kernel: str) -> None:
    x = np.full((1, 2, 2, 5), -3.0, dtype=np.float32)
    attrs = {"pool_size": 2, "strides": 2, "pads": (2, 2, 0, 0)}
    (y,) = run_kernel(kernel, Case("max_pool2d", (x.shape,), attrs), [x])
    np.testing.assert_array_equal(y[0, :, 0, 0], [-np.inf, -3.0, -np.inf])


@pytest.mark.parametrize("case", [cases.MAX[1], cases.AVERAGE[20], *cases.BENCHMARK])
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_padding_may_be_given_as_torch_gives_it() -> None:
    x = np.random.default_rng(1).standard_normal((1, 6, 8, 3)).astype(np.float32)
    for padding, pads in [
        (1, (1, 1, 1, 1)),
        ((1, 0), (1, 1, 0, 0)),
        (((1, 0), (0, 1)), (1, 0, 0, 1)),
    ]:
        np.testing.assert_array_equal(
            fc.ops.max_pool2d(x, 3, 2, padding),
            reference.max_pool2d(x, pool_size=3, strides=2, pads=pads),
        )


def test_errors_say_what_was_expected_and_what_came() -> None:
    x = np.zeros((1, 4, 4, 2), np.float32)
    with pytest.raises(
        ShapeError, match=r"max_pool2d: x must have 4 dimensions, got shape \(4, 4, 2\)"
    ):
        fc.ops.max_pool2d(x[0])
    with pytest.raises(ShapeError, match="the window covers 5 pixels of height"):
        fc.ops.max_pool2d(x, 5)
    with pytest.raises(ConfigError, match="strides: expected an integer or a pair"):
        fc.ops.avg_pool2d(x, strides=0)
    with pytest.raises(ConfigError, match="padding: expected one of 'valid', 'same', got 'full'"):
        fc.ops.avg_pool2d(x, padding="full")
    with pytest.raises(ConfigError, match="padding: expected"):
        fc.ops.avg_pool2d(x, padding=(1, 2, 3))
