"""Gradients of functions of one operand."""

import numpy as np
import pytest

from tests.cases.elementwise import ACTIVATION_KINDS, UNARY_KINDS
from tests.gradients.harness import assert_gradients_match
from tests.reference import elementwise as reference

X = np.random.default_rng(0).standard_normal((3, 41)).astype(np.float32) * 2
X[np.abs(X) < 1e-3] = 0.5  # away from the kinks


@pytest.mark.parametrize("kind", ACTIVATION_KINDS)
def test_activation(kind: str) -> None:
    assert_gradients_match(
        "activation", [X], {"activation": kind}, lambda x: reference.activation(x, kind)
    )


@pytest.mark.parametrize("kind", ["leaky_relu", "elu"])
def test_activation_with_a_negative_alpha(kind: str) -> None:
    attrs = {"activation": kind, "alpha": -0.5}
    assert_gradients_match("activation", [X], attrs, lambda x: reference.activation(x, **attrs))


@pytest.mark.parametrize("kind", UNARY_KINDS)
def test_unary(kind: str) -> None:
    x = X
    if kind in ("log", "sqrt", "rsqrt", "reciprocal", "arccosh"):
        x = np.abs(X) + np.float32(1.25)
    elif kind in ("arcsin", "arccos", "arctanh"):
        x = np.float32(0.9) * np.tanh(X)
    elif kind == "tan":
        x = X / 4
    assert_gradients_match("unary", [x], {"kind": kind}, lambda x: reference.unary(x, kind))


@pytest.mark.parametrize(
    "attrs",
    [
        {"kind": "clip", "min": -0.5, "max": 0.7},
        {"kind": "thresholded_relu", "threshold": 0.3, "slope": 0.25},
    ],
)
def test_unary_with_bounds(attrs: dict[str, float]) -> None:
    assert_gradients_match("unary", [X], attrs, lambda x: reference.unary(x, **attrs))
