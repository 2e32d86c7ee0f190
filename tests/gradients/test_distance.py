"""Gradients of distances."""

import numpy as np
import pytest

from tests.gradients.harness import assert_gradients_match, gradients
from tests.reference import distance as reference

METRICS = ("euclidean", "sqeuclidean", "manhattan", "inner_product", "cosine")


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("wrt", [[0], [1], [0, 1]])
def test_cdist(metric: str, wrt: list[int]) -> None:
    rng = np.random.default_rng(0)
    x, z = (rng.standard_normal((n, 7)).astype(np.float32) for n in (4, 5))
    assert_gradients_match(
        "cdist",
        [x, z],
        {"metric": metric},
        lambda x, z: reference.cdist(x, z, metric=metric),
        wrt=wrt,
    )


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equal_rows_and_rows_of_zeros_have_a_finite_gradient(metric: str) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    x[1] = 0
    for gradient in gradients("cdist", [x, x.copy()], {"metric": metric}):
        assert np.isfinite(gradient).all()
