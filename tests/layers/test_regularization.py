"""Layers that disturb their input in training: what they draw, when, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C, layers
from fastcnn.errors import ConfigError

X = np.random.default_rng(0).standard_normal((8, 5, 6, 16)).astype(np.float32)
ALL = {
    "Dropout": lambda seed=None: layers.Dropout(0.3, seed=seed),
    "SpatialDropout2D": lambda seed=None: layers.SpatialDropout2D(0.3, seed=seed),
    "GaussianDropout": lambda seed=None: layers.GaussianDropout(0.3, seed=seed),
    "GaussianNoise": lambda seed=None: layers.GaussianNoise(0.3, seed=seed),
}


@pytest.mark.parametrize("name", ALL)
def test_outside_of_training_the_input_passes(name: str) -> None:
    layer = ALL[name]()
    np.testing.assert_array_equal(layer(X), X)
    np.testing.assert_array_equal(layer(X, training=False), X)
    assert not (layer(X, training=True) == X).all()


@pytest.mark.parametrize("name", ALL)
def test_each_run_draws_others_and_the_seed_decides_which(name: str) -> None:
    fc.set_random_seed(1)
    layer = ALL[name]()
    first, second = layer(X, training=True), layer(X, training=True)
    assert not (first == second).all()
    fc.set_random_seed(1)
    np.testing.assert_array_equal(ALL[name]()(X, training=True), first)
    fc.set_random_seed(1)
    assert not (ALL[name](seed=2)(X, training=True) == first).all()


@pytest.mark.parametrize("name", ALL)
def test_configuration_comes_back(name: str) -> None:
    layer = ALL[name](seed=7)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.seed == 7


@pytest.mark.parametrize("name", ALL)
def test_any_number_of_threads_draws_the_same(name: str) -> None:
    before, found = _C.num_threads(), []
    layer, x = ALL[name](), np.ones((4, 32, 32, 64), np.float32)
    try:
        for n in (1, 3):
            _C.set_num_threads(n)
            fc.set_random_seed(1)
            found.append(layer(x, training=True).tobytes())
    finally:
        _C.set_num_threads(before)
    assert found[0] == found[1]


def test_dropout_keeps_the_mean() -> None:
    y = layers.Dropout(0.25, seed=0)(np.ones((100, 100)), training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(y.mean() - 1) < 0.02
    assert (layers.Dropout(1.0)(np.ones(9), training=True) == 0).all()
    assert (layers.Dropout(0.0)(np.ones(9), training=True) == 1).all()


def test_spatial_dropout_drops_whole_channels() -> None:
    y = layers.SpatialDropout2D(0.5, seed=0)(np.ones((8, 5, 6, 64)), training=True)
    assert (y == y[:, :1, :1]).all()
    assert 0.4 < (y == 0).mean() < 0.6


def test_dropout_with_a_noise_shape() -> None:
    y = layers.Dropout(0.5, noise_shape=(None, 1, None), seed=0)(np.ones((6, 9, 50)), training=True)
    assert (y == y[:, :1]).all()
    assert not (y == y[:1]).all()


def test_gaussian_layers_have_their_moments() -> None:
    x = np.full((100, 100), 2.0, np.float32)
    y = layers.GaussianDropout(0.2, seed=0)(x, training=True)
    assert abs(y.mean() - 2) < 0.05
    assert abs(y.std() - 2 * 0.5) < 0.05
    y = layers.GaussianNoise(0.5, seed=0)(x, training=True)
    assert abs(y.mean() - 2) < 0.05
    assert abs(y.std() - 0.5) < 0.02


@pytest.mark.parametrize("name", ALL)
def test_gradients_see_what_the_forward_pass_drew(name: str) -> None:
    layer, w = ALL[name](), np.random.default_rng(1).standard_normal(X.shape).astype(np.float32)
    value, gradient = fc.value_and_grad(lambda x: fc.ops.sum(layer(x, training=True) * w))(X)
    if name == "GaussianNoise":
        np.testing.assert_array_equal(gradient, w)
    else:  # the layers multiply by what they draw
        np.testing.assert_allclose(value, (X * gradient).sum(), rtol=1e-3)
        assert not (gradient == w).any()


def test_training_with_dropout_is_reproducible() -> None:
    def weights() -> list[np.ndarray]:
        fc.set_random_seed(2)
        model = fc.Sequential(
            [fc.Input((6,)), layers.Dense(32), layers.Dropout(0.5), layers.Dense(1)]
        )
        model.compile(fc.optimizers.SGD(0.01), "mean_squared_error")
        x = np.random.default_rng(0).standard_normal((64, 6))
        model.fit(x, x[:, :1], batch_size=16, epochs=2, verbose=0)
        return model.get_weights()

    for a, b in zip(weights(), weights(), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: layers.Dropout(-0.1),
        lambda: layers.Dropout("half"),
        lambda: layers.GaussianDropout(1.0),
        lambda: layers.GaussianNoise(-1.0),
        lambda: layers.Dropout(0.5, seed=-2),
    ],
)
def test_wrong_arguments_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        wrong()
