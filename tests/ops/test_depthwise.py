"""The depthwise_conv2d room: every row on every case, the contract's corner cases, peers."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import depthwise as cases
from tests.harness import (
    Case,
    assert_within,
    dot_bound,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import depthwise as reference


def _expected(case: Case, inputs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The result and the bound of its error, before the activation."""
    x, w, *extra = inputs
    window = {k: v for k, v in case.attrs.items() if k not in ("activation", "has_residual")}
    y = reference.depthwise_sum(x, w, **window)
    magnitude = reference.depthwise_sum(np.abs(x), np.abs(w), **window)
    for operand in extra:
        y, magnitude = y + operand, magnitude + np.abs(operand)
    return y, dot_bound(magnitude, w.shape[0] * w.shape[1] + 2)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.DEPTHWISE))
def test_depthwise_conv2d(kernel: str, case: Case) -> None:
    inputs = case.inputs()
    (y,) = run_kernel(kernel, case, inputs)
    assert_within(y, *_expected(case, inputs))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.GRADIENTS))
def test_gradients(kernel: str, case: Case) -> None:
    inputs = case.inputs()
    (result,) = run_kernel(kernel, case, inputs)
    of_weights = case.op == "depthwise_conv2d_weight_gradient"
    sums = reference.weight_gradient if of_weights else reference.data_gradient
    terms = int(np.prod(case.shapes[1][:3] if of_weights else case.shapes[1])) + 1
    magnitudes = sums(*(np.abs(a) for a in inputs), **case.attrs)
    assert_within(result, sums(*inputs, **case.attrs), dot_bound(magnitudes, terms))


@pytest.mark.parametrize("case", cases.GRADIENTS[-4:])
def test_gradients_have_the_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.ACTIVATIONS))
def test_activations(kernel: str, case: Case) -> None:
    inputs = case.inputs()
    (y,) = run_kernel(kernel, case, inputs)
    before, bound = _expected(case, inputs)
    expected = reference.activate(before, case.attrs["activation"])
    # No activation is steeper than 1.5; its own rounding is a few units in the last place.
    assert_within(y, expected, 1.5 * bound + 8e-7 * np.maximum(1, np.abs(expected)))


@pytest.mark.parametrize("kernel", kernel_rows("depthwise_conv2d"))
@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_inf_reach_exactly_the_windows_that_hold_them(
    kernel: str, size: int, value: float
) -> None:
    x, w = (np.ones(s, np.float32) for s in ((1, 9, 10, 19), (size, size, 19, 1)))
    x[0, 4, 3, ::2] = value
    case = Case("depthwise_conv2d", (x.shape, w.shape), {"padding": "same"})
    (y,) = run_kernel(kernel, case, [x, w])
    touched = np.zeros(y.shape, bool)
    r = size // 2
    touched[0, 4 - r : 5 + r, 3 - r : 4 + r, ::2] = True
    np.testing.assert_array_equal(~np.isfinite(y), touched)


@pytest.mark.parametrize(
    "case", [cases.BENCHMARK[2], cases.BENCHMARK[5], cases.BENCHMARK[15], cases.DEPTHWISE[15]]
)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_padding_is_not_confused_with_a_neighbour_picture() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3, 7, 7, 16)).astype(np.float32)
    w = rng.standard_normal((5, 5, 16, 1)).astype(np.float32)
    together = fc.ops.depthwise_conv2d(x, w)
    for i in range(3):
        np.testing.assert_array_equal(together[i : i + 1], fc.ops.depthwise_conv2d(x[i : i + 1], w))


def test_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 11, 13, 6)).astype(np.float32)
    w = rng.standard_normal((3, 3, 6, 2)).astype(np.float32)
    b = rng.standard_normal(12).astype(np.float32)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(x).permute(0, 3, 1, 2),
        torch.from_numpy(w.transpose(2, 3, 0, 1).reshape(12, 1, 3, 3)),
        torch.from_numpy(b),
        stride=2,
        padding=2,
        dilation=2,
        groups=6,
    )
    y = fc.ops.depthwise_conv2d(x, w, b, strides=2, padding=2, dilation=2)
    np.testing.assert_allclose(y, expected.permute(0, 2, 3, 1).numpy(), rtol=0, atol=2e-5)


def test_errors_say_what_was_expected_and_what_came() -> None:
    x, w = np.zeros((1, 4, 4, 2), np.float32), np.zeros((3, 3, 3, 1), np.float32)
    with pytest.raises(ShapeError, match=r"is for 3 channels, but x of shape \(1, 4, 4, 2\) has 2"):
        fc.ops.depthwise_conv2d(x, w)
    with pytest.raises(ShapeError, match="must have 4 dimensions"):
        fc.ops.depthwise_conv2d(x, w[0])
    with pytest.raises(ShapeError, match="bias"):
        fc.ops.depthwise_conv2d(x, w[:, :, :2], np.zeros(3))
    with pytest.raises(ShapeError, match="residual"):
        fc.ops.depthwise_conv2d(x, w[:, :, :2], residual=np.zeros((1, 4, 4, 1)))
    with pytest.raises(ConfigError, match="strides"):
        fc.ops.depthwise_conv2d(x, w[:, :, :2], strides=0)
