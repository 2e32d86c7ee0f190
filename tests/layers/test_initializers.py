"""First values of weights."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import initializers
from fastcnn.errors import ConfigError, ShapeError

SHAPE = (3, 3, 64, 128)
FAN_IN, FAN_OUT = 576, 1152


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / (FAN_IN + FAN_OUT)),
        ("glorot_normal", 2 / (FAN_IN + FAN_OUT)),
        ("he_uniform", 2 / FAN_IN),
        ("he_normal", 2 / FAN_IN),
        ("lecun_uniform", 1 / FAN_IN),
        ("lecun_normal", 1 / FAN_IN),
        ("random_normal", 0.05**2),
        ("random_uniform", 0.1**2 / 12),
        ("truncated_normal", (0.05 * 0.8796) ** 2),
    ],
)
def test_mean_and_variance(name, variance):
    fc.set_random_seed(0)
    values = initializers.get(name)(SHAPE)
    assert values.dtype == np.float32
    assert values.shape == SHAPE
    # The variance of n samples' variance is at most 2 / n of its square: five deviations.
    n = values.size
    assert abs(values.mean(dtype=np.float64)) < 5 * np.sqrt(variance / n)
    assert abs(values.var(dtype=np.float64) / variance - 1) < 5 * np.sqrt(2 / n)


def test_bounds():
    fc.set_random_seed(0)
    assert np.abs(initializers.TruncatedNormal(stddev=1.0)(SHAPE)).max() <= 2
    uniform = initializers.GlorotUniform()(SHAPE)
    assert np.abs(uniform).max() <= np.sqrt(6 / (FAN_IN + FAN_OUT)) * (1 + 1e-6)


def test_constants():
    np.testing.assert_array_equal(initializers.get("zeros")((2,)), [0, 0])
    np.testing.assert_array_equal(initializers.Ones()((2,)), [1, 1])
    np.testing.assert_array_equal(initializers.Constant(2)((2,)), [2, 2])
    np.testing.assert_array_equal(initializers.get(np.array([1.0, 2.0]))((2,)), [1, 2])
    with pytest.raises(ShapeError, match="Constant"):
        initializers.Constant([1.0, 2.0, 3.0])((2,))
    q = initializers.Orthogonal(seed=1)((3, 3, 4, 8)).reshape(-1, 8)
    np.testing.assert_allclose(q.T @ q, np.eye(8), atol=1e-5)
    with pytest.raises(ShapeError):
        initializers.Orthogonal()((3,))


def test_seeds():
    def draw():
        return [initializers.HeNormal()((4, 4)) for _ in range(3)]

    fc.set_random_seed(7)
    first = draw()
    assert not np.array_equal(first[0], first[1])
    fc.set_random_seed(7)
    for a, b in zip(first, draw(), strict=True):
        np.testing.assert_array_equal(a, b)
    fc.set_random_seed(8)
    assert not np.array_equal(draw()[0], first[0])
    seeded = initializers.HeNormal(seed=3)
    np.testing.assert_array_equal(seeded((4, 4)), seeded((4, 4)))
    for bad in (-1, 1.5, "a", True):
        with pytest.raises(ConfigError, match="seed"):
            fc.set_random_seed(bad)


def test_the_same_numbers_everywhere():
    """Philox and the order of draws are part of the contract."""
    fc.set_random_seed(123)
    got = initializers.RandomUniform(0, 1)((4,))
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([123, 0])))
    np.testing.assert_array_equal(got, generator.random(4, np.float32))


@pytest.mark.parametrize("name", sorted(n for n in initializers._KNOWN if n != n.lower()))
def test_configurations(name):
    made = initializers.get(name)
    again = initializers.get(initializers.serialize(made))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


def test_errors_and_own_ones():
    with pytest.raises(ConfigError, match="unknown initializer 'magic'"):
        initializers.get("magic")
    for arguments in ({"scale": 0}, {"mode": "fan"}, {"distribution": "cauchy"}):
        with pytest.raises(ConfigError):
            initializers.VarianceScaling(**arguments)
    layer = fc.layers.Dense(2, kernel_initializer=lambda shape, dtype=None: np.full(shape, 3.0))
    np.testing.assert_array_equal(layer(np.ones((1, 2))), [[6, 6]])
    layer = fc.layers.Dense(2, kernel_initializer=lambda shape, dtype=None: np.zeros(3))
    with pytest.raises(ShapeError, match="initializer of 'kernel'"):
        layer(np.ones((1, 2)))
