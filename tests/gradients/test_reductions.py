"""Gradients of products and extrema, at zeros and at ties as well."""

import numpy as np
import pytest

from tests.gradients.harness import assert_gradients_match, gradients


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [(0, 1, 2), (1,), (0, 2), ()])
@pytest.mark.parametrize("zeros", [0, 1, 2, 5])
def test_product(axis: tuple[int, ...], keepdims: bool, zeros: int) -> None:
    x = np.random.default_rng(zeros).uniform(0.5, 1.5, (2, 3, 4)).astype(np.float32)
    x.ravel()[:zeros] = 0  # in one row of the last axis, and from five on in two of them
    attrs = {"axis": axis, "keepdims": keepdims}
    assert_gradients_match("reduce_prod", [x], attrs, lambda x: np.prod(x, **attrs))


def test_the_only_zero_gets_the_product_of_the_others() -> None:
    (found,) = gradients("reduce_prod", [np.array([2.0, 0.0, 4.0], np.float32)], {})
    np.testing.assert_array_equal(found, [0, 8, 0])


@pytest.mark.parametrize("op", ["reduce_max", "reduce_min"])
def test_equal_extrema_share(op: str) -> None:
    x = np.array([[1.0, 3.0, 1.0, 3.0], [2.0, 0.0, 1.0, 4.0]], np.float32)
    (found,) = gradients(op, [x], {"axis": [1]})
    best = x == (x.max if op == "reduce_max" else x.min)(axis=1, keepdims=True)
    np.testing.assert_array_equal(found, best / best.sum(axis=1, keepdims=True))
