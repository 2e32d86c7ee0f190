"""Costs against their formulas in float64, and their gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import style
from fastcnn.errors import ConfigError, ShapeError
from tests.style.small import CONTENT, STYLE, batch, small_network


def gram_of_sums(x: np.ndarray) -> np.ndarray:
    """The course's: unrolled (c, h w) times its transpose."""
    unrolled = x.astype(np.float64).reshape(-1, x.shape[-1]).T
    return unrolled @ unrolled.T


def test_costs_are_those_of_the_paper() -> None:
    rng = np.random.default_rng(0)
    a, g = rng.standard_normal((2, 1, 5, 7, 4)).astype(np.float32)
    n = 5 * 7
    content = ((a.astype(np.float64) - g) ** 2).sum() / (4 * n * 4)
    assert float(style.content_cost(a, g)) == pytest.approx(content, rel=1e-5)
    wanted = ((gram_of_sums(a) - gram_of_sums(g)) ** 2).sum() / (4 * 4**2 * n**2)
    found = style.layer_style_cost(style.style_matrix(a), style.style_matrix(g))
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_guided_matrix_sees_its_pixels_alone() -> None:
    x = np.random.default_rng(0).standard_normal((1, 4, 6, 3)).astype(np.float32)
    guide = np.zeros((1, 4, 6, 1), np.float32)
    guide[:, :, :2] = 1 / np.sqrt(8)
    wanted = gram_of_sums(x[:, :, :2]) / 8
    np.testing.assert_allclose(style.style_matrix(x, guide)[0], wanted, rtol=1e-5, atol=1e-6)
    even = np.full((1, 4, 6, 1), 1 / np.sqrt(24), np.float32)
    np.testing.assert_allclose(style.style_matrix(x, even), style.style_matrix(x), atol=1e-6)


def test_total_variation() -> None:
    x = np.random.default_rng(0).standard_normal((1, 5, 6, 3)).astype(np.float32)
    wanted = (np.diff(x, axis=1) ** 2).mean() + (np.diff(x, axis=2) ** 2).mean()
    assert float(style.total_variation_cost(x)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("normalize", [False, True])
def test_gradient_of_the_objective(normalize: bool) -> None:
    mask = np.zeros((1, 20, 24, 1), np.float32)
    mask[:, :10] = 1
    objective = style.Objective(
        small_network(), batch(0, 20, 24), [batch(1, 16, 28), batch(2, 24, 24)], CONTENT, STYLE,
        2.0, 3.0, 1e-4, [0.3, 0.7], [None, mask], normalize,
    )  # fmt: skip
    compute = fc.value_and_grad(lambda x: objective.describe(x).total)
    picture = batch(5, 20, 24)
    picture += np.random.default_rng(0).standard_normal(picture.shape).astype(np.float32)
    direction = np.random.default_rng(1).standard_normal(picture.shape).astype(np.float32)
    _, gradient = compute(picture)
    step = 0.05
    after, before = (float(compute(picture + s * direction)[0]) for s in (step, -step))
    assert (after - before) / (2 * step) == pytest.approx(
        float((gradient * direction).sum()), rel=2e-2
    )


def test_what_is_the_same_costs_nothing() -> None:
    picture = batch(0, 24, 24)
    objective = style.Objective(small_network(), picture, [picture], CONTENT, STYLE, 1.0, 1.0)
    value, gradient = fc.value_and_grad(lambda x: objective.describe(x).total)(picture)
    assert float(value) == 0
    assert not np.any(gradient)


def test_bad_arguments() -> None:
    x = np.zeros((1, 4, 4, 3), np.float32)
    with pytest.raises(ShapeError, match="one shape"):
        style.content_cost(x, x[:, :2])
    with pytest.raises(ShapeError, match="one shape"):
        style.layer_style_cost(np.zeros((1, 3, 3)), np.zeros((1, 4, 4)))
    with pytest.raises(ShapeError, match="2 x 2"):
        style.total_variation_cost(x[:, :1])
    with pytest.raises(ConfigError, match="no features 'third'"):
        style.Objective(small_network(), batch(0, 8, 8), [], {"third": 1.0}, STYLE, 1.0, 1.0)
    with pytest.raises(ConfigError, match="no layer 'conv6_1'"):
        style.feature_network(["conv6_1"], weights=None)
    with pytest.raises(ConfigError, match="hed"):
        style.feature_network(["conv1_1"], network="vgg19")
    with pytest.raises(ConfigError, match="at least one layer"):
        style.feature_network([], weights=None)
