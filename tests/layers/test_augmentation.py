"""Layers that change pictures at random: what they do to pixels, and on what it depends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.errors import ConfigError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.uniform(10, 200, (16, 9, 7, 3)).astype(np.float32)

LAYERS: list[layers.Layer] = [
    layers.RandomFlip(),
    layers.RandomRotation(0.2),
    layers.RandomZoom(0.3),
    layers.RandomTranslation(0.3, 0.2),
    layers.RandomCrop(5, 4),
    layers.RandomContrast(0.4),
    layers.RandomBrightness(0.3),
]


@pytest.fixture(params=LAYERS, ids=lambda layer: type(layer).__name__)
def layer(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_only_in_training(layer: Any) -> None:
    still = layer(X)
    if isinstance(layer, layers.RandomCrop):
        np.testing.assert_array_equal(still, layers.CenterCrop(5, 4)(X))
    else:
        np.testing.assert_array_equal(still, X)
    assert layer.get_config()["name"] == layer.name
    moved = layer(X, training=True)
    assert moved.shape == still.shape and (moved != still).any()
    assert moved.dtype == np.float32 and np.isfinite(moved).all()


def test_each_picture_and_each_run_has_changes_of_its_own(layer: Any) -> None:
    same = np.repeat(X[:1], 16, axis=0)
    first, second = layer(same, training=True), layer(same, training=True)
    assert len({picture.tobytes() for picture in first}) > 1
    assert (first != second).any()


def test_seeds(layer: Any) -> None:
    fc.set_random_seed(5)
    first = [layer(X, training=True) for _ in range(2)]
    eager = layer.call(X, training=True)
    fc.set_random_seed(5)
    for expected in first:
        np.testing.assert_array_equal(layer(X, training=True), expected)
    np.testing.assert_array_equal(layer.call(X, training=True), eager)
    fc.set_random_seed(6)
    assert (layer(X, training=True) != first[0]).any()

    own = type(layer)(**{**layer.get_config(), "seed": 1, "name": None})
    runs = []
    for seed in (1, 2):  # that of the process does not matter
        fc.set_random_seed(seed)
        runs.append(own(X, training=True))
    np.testing.assert_array_equal(*runs)


def test_threads_do_not_matter(layer: Any) -> None:
    threads = fc.get_num_threads()
    results = []
    try:
        for count in (1, 3):
            fc.set_num_threads(count)
            fc.set_random_seed(1)
            results.append(layer(X, training=True))
    finally:
        fc.set_num_threads(threads)
    np.testing.assert_array_equal(*results)


def test_one_picture(layer: Any) -> None:
    assert layer(X[0], training=True).shape == layer(X[0]).shape == layer(X).shape[1:]


def test_in_models(layer: Any, tmp_path: Any) -> None:
    pytest.importorskip("safetensors", reason="writes the model")
    model = fc.Sequential(
        [fc.Input((9, 7, 3)), type(layer)(**{**layer.get_config(), "name": None})]
    )
    model.save(tmp_path / "m.fastcnn")
    twin = fc.load_model(tmp_path / "m.fastcnn")
    np.testing.assert_array_equal(twin(X), model(X))
    assert twin.output_shape == model.output_shape == (None, *layer(X).shape[1:])
    assert (twin(X, training=True) != model(X)).any()


def test_training_changes_the_pictures_of_every_step_anew() -> None:
    def train(epochs: int, start: int = 0, model: Any = None) -> Any:
        if model is None:
            fc.set_random_seed(3)
            x = fc.Input((9, 7, 3))
            y = layers.RandomBrightness(0.5)(x)
            y = layers.Conv2D(2, 3)(layers.RandomFlip()(y))
            model = fc.Model(x, layers.GlobalAveragePooling2D()(y))
            model.compile("sgd", lambda true, seen: fc.ops.mean(fc.ops.square(seen - true)))
            model.optimizer.learning_rate = 1e-6
        model.fit(X, np.zeros((16, 2)), batch_size=8, epochs=epochs, initial_epoch=start, verbose=0)
        return model

    whole, parts = train(4), train(4, 2, train(2))
    for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    still = whole.evaluate(X, np.zeros((16, 2)), verbose=0)
    assert still == whole.evaluate(X, np.zeros((16, 2)), verbose=0)


def test_flips_are_mirrors() -> None:
    for mode, views in (
        ("horizontal", [X, X[:, :, ::-1]]),
        ("vertical", [X, X[:, ::-1]]),
        ("horizontal_and_vertical", [X, X[:, :, ::-1], X[:, ::-1], X[:, ::-1, ::-1]]),
    ):
        flip = layers.RandomFlip(mode)
        seen: set[int] = set()
        for _ in range(4):
            flipped = flip(X, training=True)
            for i, picture in enumerate(flipped):
                seen.add([np.array_equal(picture, view[i]) for view in views].index(True))
        assert seen == set(range(len(views)))


def test_crops_are_parts() -> None:
    crop = layers.RandomCrop(5, 4)
    places = set()
    for _ in range(8):
        for picture, part in zip(X, crop(X, training=True), strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(picture, (5, 4, 3))[:, :, 0]
            (place,) = np.argwhere((windows == part).all((2, 3, 4)))
            places.add(tuple(place))
    assert places == {(y, x) for y in range(5) for x in range(4)}
    np.testing.assert_array_equal(
        layers.RandomCrop(12, 4)(X, training=True), layers.CenterCrop(12, 4)(X)
    )


@pytest.mark.parametrize(
    ("factor", "low", "high"), [(0.2, 0.8, 1.2), ((0.5, 0.0), 0.5, 1.0), (0.0, 1.0, 1.0)]
)
def test_contrast(factor: Any, low: float, high: float) -> None:
    x = X / 2 + 50  # nothing to cut off
    changed = layers.RandomContrast(factor)(x, training=True)
    mean = x.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(changed.mean((1, 2), keepdims=True), mean, rtol=1e-5)
    factors = ((changed - mean) / (x - mean)).reshape(16, -1)
    np.testing.assert_allclose(
        factors, np.median(factors, 1, keepdims=True) + 0 * factors, rtol=0.1
    )
    middle = np.median(factors, 1)
    assert low - 1e-4 <= middle.min() and middle.max() <= high + 1e-4
    assert (np.ptp(middle) > 0) == (high > low)


@pytest.mark.parametrize(
    ("factor", "value_range", "low", "high"),
    [(0.2, (0, 255), -51, 51), ((0.0, 0.5), (0, 255), 0, 127.5), ((-1, -1), (0, 1), -1, -1)],
)
def test_brightness(factor: Any, value_range: Any, low: float, high: float) -> None:
    x = np.full((64, 2, 2, 1), np.mean(value_range), np.float32)
    changed = layers.RandomBrightness(factor, value_range)(x, training=True)
    assert changed.min() >= value_range[0] and changed.max() <= value_range[1]
    added = (changed - x)[:, 0, 0, 0]
    np.testing.assert_array_equal(changed - x, np.broadcast_to(added[:, None, None, None], x.shape))
    least, most = np.clip([low, high], *(np.array(value_range) - x[0, 0, 0, 0]))
    assert least - 1e-3 <= added.min() and added.max() <= most + 1e-3
    if high > low:
        assert np.ptp(added) > 0.8 * (most - least)


def gradient_picture(axis: int, size: int = 21) -> np.ndarray:
    """Pixels that tell where they came from."""
    ramp = np.arange(size, dtype=np.float32)
    return np.broadcast_to(np.expand_dims(ramp, (1 - axis, 2)), (size, size, 1))[None].repeat(8, 0)


def test_translation_moves_down_and_right() -> None:
    for height, width, axis in ((0.2, 0.0, 0), (0.0, 0.2, 1)):
        move = layers.RandomTranslation((height, height), (width, width), "nearest")
        moved = move(gradient_picture(axis), training=True)
        expected = np.maximum(np.arange(21) - 0.2 * 21, 0)
        line = moved[0, :, 10, 0] if axis == 0 else moved[0, 10, :, 0]
        np.testing.assert_allclose(line, expected, atol=1e-4)


def test_zoom_shows_more_or_less() -> None:
    for factor, scale in ((0.5, 1.5), (-0.5, 0.5)):
        zoom = layers.RandomZoom((factor, factor), fill_mode="nearest")
        line = zoom(gradient_picture(1), training=True)[0, 10, :, 0]
        expected = np.clip(10 + (np.arange(21) - 10) * scale, 0, 20)
        np.testing.assert_allclose(line, expected, atol=1e-4)
    wide = layers.RandomZoom((0.0, 0.0), (-0.5, -0.5))
    np.testing.assert_allclose(
        wide(gradient_picture(0), training=True), gradient_picture(0), atol=1e-4
    )


def test_rotation_is_counter_clockwise_about_the_middle() -> None:
    quarter = layers.RandomRotation((0.25, 0.25))(X[:, :7], training=True)
    np.testing.assert_allclose(quarter, np.rot90(X[:, :7], axes=(1, 2)), atol=1e-2)
    half = layers.RandomRotation((0.5, 0.5))(X, training=True)
    np.testing.assert_allclose(half, X[:, ::-1, ::-1], atol=1e-2)
    filled = layers.RandomRotation(0.2, "constant", fill_value=-7.0)(X + 7, training=True)
    assert filled.min() < 0


def test_factors_in_any_order_are_a_range() -> None:
    assert layers.RandomRotation((0.3, 0.2)).factor == (0.2, 0.3)
    assert layers.RandomRotation(-0.3).factor == (-0.3, 0.3)
    assert layers.RandomZoom((0.2, -0.2)).height_factor == (-0.2, 0.2)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: layers.RandomFlip("diagonal"), "mode"),
        (lambda: layers.RandomFlip(seed=-1), "seed"),
        (lambda: layers.RandomRotation("far"), "factor"),
        (lambda: layers.RandomRotation(-2), "factor"),
        (lambda: layers.RandomRotation((0.0, 1.5)), "factor"),
        (lambda: layers.RandomRotation((0.3, float("nan"))), "factor"),
        (lambda: layers.RandomTranslation(0.1, 2), "width_factor"),
        (lambda: layers.RandomZoom(2), "height_factor"),
        (lambda: layers.RandomRotation((1, 2, 3)), "factor"),
        (lambda: layers.RandomRotation(float("nan")), "factor"),
        (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), "fill_mode"),
        (lambda: layers.RandomRotation(0.1, interpolation="bicubic"), "interpolation"),
        (lambda: layers.RandomZoom((-1.5, 0)), "height_factor"),
        (lambda: layers.RandomCrop(0, 3), "height"),
        (lambda: layers.RandomContrast(-0.5), "factor"),
        (lambda: layers.RandomContrast(0.5, (1, 0)), "value_range"),
        (lambda: layers.RandomBrightness(1.5), "factor"),
        (lambda: layers.RandomBrightness(0.5, 255), "value_range"),
    ],
)
def test_wrong_arguments(make: Any, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        make()


def test_wrong_shapes(layer: Any) -> None:
    with pytest.raises(ShapeError):
        layer(np.zeros((4, 4)), training=True)
