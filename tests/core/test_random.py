"""`fastcnn.random`: what is the same and what differs from call to call."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, DTypeError, ShapeError


def test_the_seed_of_the_process_decides() -> None:
    def draw() -> list[np.ndarray]:
        return [
            fc.random.uniform((5,)),
            fc.random.normal((5,)),
            fc.random.dropout(np.ones(50), 0.5),
            fc.random.uniform((5,)),
        ]

    fc.set_random_seed(3)
    first = draw()
    second = draw()
    fc.set_random_seed(3)
    again = draw()
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not any((a == b).all() for a, b in zip(first, second, strict=True))
    assert not (first[0] == first[3]).any()


def test_an_int_as_seed_gives_the_same_and_a_generator_does_not() -> None:
    def pair(make: object) -> bool:
        first, second = (fc.random.normal((7,), seed=make()) for _ in range(2))  # type: ignore
        return bool((first == second).all())

    generator = fc.random.SeedGenerator(5)
    assert pair(lambda: 5)
    assert not pair(lambda: generator)
    assert pair(lambda: fc.random.SeedGenerator(5))


def test_ranges_and_moments() -> None:
    x = fc.random.uniform((100, 100), -2, 3, seed=0)
    assert x.min() >= -2
    assert x.max() < 3
    assert abs(x.mean() - 0.5) < 0.05
    n = fc.random.normal((100, 100), 4, 0.5, seed=0)
    assert abs(n.mean() - 4) < 0.02
    assert abs(n.std() - 0.5) < 0.02


def test_dropout_with_a_noise_shape() -> None:
    x = np.random.default_rng(0).standard_normal((4, 5, 6, 32))
    y = fc.random.dropout(x, 0.5, noise_shape=(None, 1, 1, None), seed=1)
    kept = y != 0
    assert (kept == kept[:, :1, :1]).all()
    assert 0.3 < kept.mean() < 0.7
    np.testing.assert_allclose(y[kept], 2 * x[kept], rtol=1e-6)


def test_functions_in_a_layer_draw_other_numbers_each_run() -> None:
    class Jitter(fc.layers.Layer):
        def call(self, x: object) -> object:
            return (
                x
                + fc.random.uniform((3,))  # type: ignore[operator]
                + 100 * fc.random.uniform((3,), seed=4)
                + 1000 * fc.random.uniform((3,), seed=fc.random.SeedGenerator(4))
            )

    layer, zeros = Jitter(), np.zeros(3)
    fc.set_random_seed(0)
    first, second = layer(zeros), layer(zeros)
    fc.set_random_seed(0)
    assert (layer(zeros) == first).all()
    assert not (first == second).any()


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="seed"):
        fc.random.uniform((2,), seed=-1)
    with pytest.raises(ConfigError, match="low <= high"):
        fc.random.uniform((2,), 1, 0)
    with pytest.raises(DTypeError, match="float32"):
        fc.random.normal((2,), dtype="float16")
    with pytest.raises(ConfigError, match="rate"):
        fc.random.dropout(np.ones(3), 1.1)
    with pytest.raises(ShapeError, match="noise_shape that broadcasts"):
        fc.random.dropout(np.ones((2, 3)), 0.5, noise_shape=(2, 2))
    with pytest.raises(ConfigError, match=r"layers\.Dropout"):
        fc.random.dropout(fc.Input((3,)), 0.5)
