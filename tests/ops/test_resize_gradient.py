"""The gradient of resizing: every row on every case against each axis' transposed matrix."""

from typing import Any

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ConfigError
from tests.cases import image as cases
from tests.gradients.harness import assert_gradients_match
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    each_kernel,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import image as reference


def matrix(n: int, out: int, attrs: dict[str, Any]) -> np.ndarray:
    """What resizing does along one axis, (out, n): the resized unit pictures."""
    compute = getattr(reference, attrs.get("interpolation", "bilinear"))
    units = np.eye(n).reshape(n, n, 1, 1)
    return compute(units, size=(out, 1), coordinate=attrs["coordinate"]).reshape(n, out).T


def transposed(dy: np.ndarray, attrs: dict[str, Any]) -> np.ndarray:
    h, w = (
        matrix(n, out, attrs) for n, out in zip(attrs["input_size"], dy.shape[1:3], strict=True)
    )
    return np.einsum("ip,jq,nijc->npqc", h, w, dy.astype(np.float64))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.RESIZE_GRADIENT))
def test_resize_gradient(kernel: str, case: Case) -> None:
    (dy,) = case.inputs()
    (dx,) = run_kernel(kernel, case, [dy])
    # Float32 positions of up to 64 pixels shift shares by 2^-18, also to pixels beside theirs.
    sums = np.abs(dy).astype(np.float64).sum(axis=(1, 2), keepdims=True)
    assert_within(dx, transposed(dy, case.attrs), 4 * 64 * UNIT_ROUNDOFF * sums)


@pytest.mark.parametrize("case", cases.GRADIENT_BENCHMARK)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("size", [(10, 9), (3, 2)])
def test_rules_against_finite_differences(interpolation: str, size: tuple[int, int]) -> None:
    (x,) = Case("resize", ((2, 5, 4, 3),)).inputs()
    attrs = {"size": size, "interpolation": interpolation}
    compute = getattr(reference, interpolation)
    assert_gradients_match("resize", [x], attrs, lambda x: compute(x, **attrs))


def test_errors_say_what_was_expected_and_what_came() -> None:
    graph = _C.Graph()
    with pytest.raises(ConfigError, match="input_size: expected the picture's size"):
        graph.add("resize_gradient", [graph.input((1, 4, 4, 2))], {})
