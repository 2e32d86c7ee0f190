"""Deconvnet against Zeiler and Fergus' steps in plain loops; what excites units most."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.errors import ConfigError
from fastcnn.visualize import deconvnet, guided_backprop, top_activations, top_patterns
from tests.visualize.networks import Reference, residual

X = np.random.default_rng(3).standard_normal((4, 12, 10, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


@pytest.fixture(scope="module")
def model(reference: Reference) -> fc.Model:
    return reference.model()


def test_patterns_are_those_of_the_paper(reference: Reference, model: fc.Model) -> None:
    seen = 0
    for channel, (row, column) in itertools.product(range(5), [(1, 1), (0, 0), (2, 1)]):
        found = deconvnet(model, X, "relu2", channel, (row, column))
        expected = np.stack([reference.deconvnet(x.astype(float), channel, row, column) for x in X])
        scale = np.abs(expected).max()
        seen += scale > 0
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * scale)
    assert seen >= 9


def test_the_strongest_activation_unless_told(model: fc.Model) -> None:
    maps = fc.visualize.feature_maps(model, X, "relu2")["relu2"]
    best = [np.unravel_index(m.argmax(), m.shape) for m in maps]
    channels, places = [int(b[2]) for b in best], [b[:2] for b in best]
    found = deconvnet(model, X, "relu2")
    np.testing.assert_array_equal(found, deconvnet(model, X, "relu2", channels, places))
    alone = deconvnet(model, X[2:3], "relu2", channels[2], [int(n) for n in places[2]])
    np.testing.assert_allclose(found[2:3], alone, rtol=1e-5, atol=1e-6)


def test_a_whole_map_is_what_its_places_join_in(model: fc.Model) -> None:
    """In the first layer no rectifier is on the way, so patterns of places add up."""
    image = fc.Input((12, 10, 2))
    first = fc.Model(image, model.get_layer("conv1")(image))
    whole = deconvnet(first, X[:1], "conv1", 1, None)
    parts = sum(deconvnet(first, X[:1], "conv1", 1, (i, j)) for i in range(10) for j in range(8))
    np.testing.assert_allclose(whole, parts, rtol=1e-4, atol=1e-4)


def test_guided_backprop_lets_through_less(model: fc.Model) -> None:
    """The deconvnet takes no notice of which rectifiers were open; guided backprop does."""
    unit = fc.visualize.Unit("relu2", 1, (2, 1))
    guided, pattern = guided_backprop(model, X, unit), deconvnet(model, X, "relu2", 1, (2, 1))
    assert not np.allclose(guided, pattern)
    image = fc.Input((12, 10, 2))
    x = layers.Conv2D(4, 3, activation="relu", name="only")(image)
    single = fc.Model(image, x)
    single.set_weights(model.get_layer("conv1").get_weights())
    value = fc.visualize.feature_maps(single, X, "only")["only"][:, 3, 4, 2]
    one = guided_backprop(single, X, fc.visualize.Unit("only", 2, (3, 4)))
    np.testing.assert_allclose(
        deconvnet(single, X, "only", 2, (3, 4)), one * value[:, None, None, None], rtol=1e-4
    )


def test_any_layers() -> None:
    model = residual()
    x = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype(np.float32)
    for layer in ("relu1", "conv2", "sum", "relu2", "pool", "mean", "top"):
        position = "max" if layer not in ("mean", "top") else None
        found = deconvnet(model, x, layer, 1, position)
        assert found.shape == x.shape and np.isfinite(found).all()


def test_top_activations(model: fc.Model) -> None:
    maps = fc.visualize.feature_maps(model, X, "relu2")["relu2"]
    best = maps.max((1, 2))
    top = top_activations(model, X, "relu2", k=3, batch_size=3)
    assert top.pictures.shape == (5, 3) and top.positions.shape == (5, 3, 2)
    for channel in range(5):
        order = np.argsort(-best[:, channel], kind="stable")[:3]
        np.testing.assert_array_equal(top.pictures[channel], order)
        np.testing.assert_array_equal(top.values[channel], best[order, channel])
        rows, columns = top.positions[channel].T
        np.testing.assert_array_equal(maps[order, rows, columns, channel], top.values[channel])
    assert top_activations(model, X, "relu2").pictures.shape == (5, 4)


def test_top_patterns_are_cut_out_by_their_fields(model: fc.Model) -> None:
    found = top_patterns(model, X, "relu2", [3, 1], k=2)
    (field,) = [f for f in fc.visualize.receptive_fields(model) if f.layer == "relu2"]
    assert found.patches.shape == found.patterns.shape == (2, 2, *field.size, 2)
    top = top_activations(model, X, "relu2", k=2)
    for place, channel in enumerate((3, 1)):
        for rank in range(2):
            number, where = top.pictures[channel, rank], top.positions[channel, rank]
            upper, left, lower, right = field.box(*where)
            padded = np.pad(X[number], ((20, 20), (20, 20), (0, 0)))
            patch = padded[20 + upper : 20 + lower, 20 + left : 20 + right]
            np.testing.assert_array_equal(found.patches[place, rank], patch)
            # All that the activation comes from lies within its field.
            whole = deconvnet(model, X[number : number + 1], "relu2", channel, where)[0]
            pattern = found.patterns[place, rank]
            assert np.abs(whole).sum() == pytest.approx(np.abs(pattern).sum(), rel=1e-5)
    whole_map = top_patterns(residual(), X[:, :, :, :1].repeat(3, 3)[:, :8, :8].repeat(2, 1).repeat(
        2, 2), "pool", [0], k=1)  # fmt: skip
    assert whole_map.patches.shape[2:] == (6, 6, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: deconvnet(m, X, "relu3"), "relu3"),
        (lambda m: deconvnet(m, X, "relu2", 5), "0 to 4"),
        (lambda m: deconvnet(m, X, "relu2", 0, (3, 0)), "row"),
        (lambda m: deconvnet(m, X, "relu2", [0, 1]), "each of 4 pictures"),
        (lambda m: top_activations(m, X, "relu2", k=0), "k: expected"),
        (lambda m: top_patterns(m, X, "relu2", [5]), "5 channels"),
        (lambda m: top_patterns(m, X, "relu2", []), "channels"),
    ],
)
def test_wrong_arguments(model: fc.Model, call: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call(model)
