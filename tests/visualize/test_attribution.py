"""What pixels matter: gradients by several rules, Grad-CAM, occlusion; against plain sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers, ops
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.visualize import Unit, grad_cam, guided_backprop, occlusion, saliency, smooth_grad
from tests.visualize.networks import randomized, residual

X = np.random.default_rng(1).standard_normal((3, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> fc.Model:
    return residual()


def test_saliency_is_the_gradient_of_the_logit(model: fc.Model) -> None:
    features = fc.Model(model.input, model.get_layer("mean").output)
    kernel, bias = model.get_layer("top").get_weights()
    chosen = np.eye(5, dtype=np.float32)[[0, 3, 1]]
    logit = fc.value_and_grad(lambda x: ops.sum(ops.dense(features(x), kernel, bias) * chosen))
    _, gradient = logit(X)
    scale = np.abs(gradient).max()
    found = saliency(model, X, [0, 3, 1], signed=True)
    np.testing.assert_allclose(found, gradient, rtol=1e-4, atol=1e-6 * scale)
    largest = saliency(model, X, [0, 3, 1])
    np.testing.assert_allclose(largest, np.abs(gradient).max(3), rtol=1e-4, atol=1e-6 * scale)


def test_the_class_that_is_seen_is_meant(model: fc.Model) -> None:
    seen = model.predict(X).argmax(1)
    for explain in (saliency, guided_backprop, grad_cam, smooth_grad):
        options: Any = {"samples": 2} if explain is smooth_grad else {}
        given = explain(model, X, seen, **options)
        np.testing.assert_allclose(explain(model, X, **options), given, rtol=1e-5, atol=1e-7)


def test_a_picture_has_the_same_gradient_in_any_batch(model: fc.Model) -> None:
    for explain in (saliency, guided_backprop, grad_cam):
        alone = explain(model, X[1:2], 4)
        np.testing.assert_allclose(explain(model, X, 4)[1:2], alone, rtol=1e-4, atol=1e-6)


def test_units_and_own_scores(model: fc.Model) -> None:
    maps = fc.visualize.feature_maps(model, X, "sum")["sum"]

    def relative(target: Any) -> np.ndarray:
        return saliency(model, X, target, signed=True)

    mean = relative(Unit("sum", 2))
    places = [np.unravel_index(m.argmax(), m.shape) for m in maps[..., 2]]
    strongest = relative(Unit("sum", 2, "max"))
    np.testing.assert_array_equal(strongest, relative(Unit("sum", 2, [list(p) for p in places])))
    total = sum(relative(Unit("sum", 2, (i, j))) for i in range(16) for j in (0, 5))
    assert np.abs(total - mean).max() > 0
    best = maps.mean((1, 2)).argmax(1)
    np.testing.assert_allclose(relative(Unit("sum")), relative(Unit("sum", best.tolist())))
    channels = [int(np.unravel_index(m.argmax(), m.shape)[2]) for m in maps]
    np.testing.assert_array_equal(
        relative(Unit("sum", position="max")), relative(Unit("sum", channels, "max"))
    )
    at = [int(m[3, 4].argmax()) for m in maps]
    np.testing.assert_array_equal(
        relative(Unit("sum", position=(3, 4))), relative(Unit("sum", at, (3, 4)))
    )
    own = relative(lambda p: ops.sum(ops.log(p) * ops.one_hot(np.array([1, 1, 1]), 5), axis=1))
    assert own.shape == X.shape and np.abs(own).max() > 0


def test_two_classes_of_one_output() -> None:
    x = image = fc.Input((8, 8, 3))
    x = layers.Flatten()(x)
    model = randomized(fc.Model(image, layers.Dense(1, activation="sigmoid")(x)))
    kernel = model.get_weights()[0].reshape(1, 8, 8, 3)
    picture = X[:1, :8, :8]
    np.testing.assert_allclose(saliency(model, picture, 1, signed=True), kernel, rtol=1e-5)
    np.testing.assert_allclose(saliency(model, picture, 0, signed=True), -kernel, rtol=1e-5)
    seen = int(model.predict(picture)[0, 0] > 0.5)
    np.testing.assert_allclose(
        saliency(model, picture, signed=True), saliency(model, picture, seen, signed=True)
    )
    falls = occlusion(model, picture, 1, size=4, strides=4)
    np.testing.assert_allclose(occlusion(model, picture, 0, size=4, strides=4), -falls, atol=1e-7)


def test_classes_of_pixels_are_added() -> None:
    image = fc.Input((6, 6, 3))
    model = randomized(fc.Model(image, layers.Conv2D(4, 1, activation="softmax")(image)))
    kernel = model.get_weights()[0]
    gradient = saliency(model, X[:1, :6, :6], 2, signed=True)
    np.testing.assert_allclose(gradient, np.broadcast_to(kernel[0, 0, :, 2], (1, 6, 6, 3)), 1e-5)


def test_smooth_grad_without_noise_is_saliency(model: fc.Model) -> None:
    plain = saliency(model, X, 1)
    np.testing.assert_allclose(smooth_grad(model, X, 1, samples=2, noise=0), plain, rtol=1e-5)
    noisy = smooth_grad(model, X, 1, samples=3)
    np.testing.assert_array_equal(noisy, smooth_grad(model, X, 1, samples=3))
    assert not np.allclose(noisy, smooth_grad(model, X, 1, samples=3, seed=1))


def test_grad_cam_is_the_weighted_sum(model: fc.Model) -> None:
    """Behind global average pooling the weights are those of the class (class activation maps)."""
    image = fc.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, activation="relu", name="conv")(image)
    top = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    plain = randomized(fc.Model(image, top))
    picture = X[:2, :8, :8]
    maps = fc.visualize.feature_maps(plain, picture, "conv")["conv"]
    kernel = plain.get_weights()[2]
    expected = np.maximum(maps @ kernel[:, 1] / 36, 0)
    small = grad_cam(plain, picture, 1, resize=False)
    np.testing.assert_allclose(small, expected, rtol=1e-4, atol=1e-6)
    large = grad_cam(plain, picture, 1, "conv")
    np.testing.assert_allclose(large, ops.resize(expected[..., None], (8, 8))[..., 0], atol=1e-6)
    assert grad_cam(model, X, layer="conv2").shape == (3, 16, 16)


def test_the_last_maps_are_those_before_pooling(model: fc.Model) -> None:
    np.testing.assert_array_equal(grad_cam(model, X, 2), grad_cam(model, X, 2, "pool"))


def test_layers_of_models_inside_models(model: fc.Model) -> None:
    image = fc.Input((16, 16, 3))
    outer = fc.Model(image, model(layers.Rescaling(0.5)(image)))
    path = f"{model.name}/relu2"
    np.testing.assert_allclose(
        grad_cam(outer, 2 * X, 1, path), grad_cam(model, X, 1, "relu2"), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(grad_cam(outer, X, 1, "relu2"), grad_cam(outer, X, 1, path))


def test_occlusion_is_the_mean_fall(model: fc.Model) -> None:
    x, size, stride = X[:2], 6, 5
    starts = [0, 5, 10]  # the last place is at the border
    assert starts[-1] + size == 16
    target = [1, 3]
    whole = model.predict(x)
    for picture in range(2):
        total, times = np.zeros((16, 16)), np.zeros((16, 16))
        for r in starts:
            for c in starts:
                covered = x[picture : picture + 1].copy()
                covered[:, r : r + size, c : c + size] = [0.5, 0, -1]
                fall = (whole[picture] - model.predict(covered)[0])[target[picture]]
                total[r : r + size, c : c + size] += fall
                times[r : r + size, c : c + size] += 1
        found = occlusion(model, x, target, size=size, strides=stride, value=[0.5, 0, -1])
        np.testing.assert_allclose(found[picture], total / times, atol=1e-6)


def test_occlusion_tells_how_far_it_is(model: fc.Model) -> None:
    told: list[tuple[int, int]] = []
    occlusion(model, X[:2], size=8, strides=3, progress=lambda *step: told.append(step))
    assert told == [(16, 32), (32, 32)]
    units = occlusion(model, X[:1], Unit("pool", 1), size=(16, 16))
    assert np.ptp(units) == 0  # everything is covered at once


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: saliency(m, X[0]), ShapeError, "(16, 16, 3)"),
        (lambda m: saliency(m, X[:, :8]), ShapeError, "8"),
        (lambda m: saliency("net", X), DTypeError, "expected a model"),
        (lambda m: saliency(m, X, 5), ConfigError, "class below 5"),
        (lambda m: saliency(m, X, [0, 1]), ShapeError, "expected 3 classes"),
        (lambda m: saliency(m, X, -1), ConfigError, "target"),
        (lambda m: saliency(m, X, "cat"), ConfigError, "target"),
        (lambda m: saliency(m, X, lambda p: p), ConfigError, "number for each picture"),
        (lambda m: saliency(m, X, Unit("conv9", 0)), ConfigError, "conv1"),
        (lambda m: saliency(m, X, Unit("conv1", 8)), ConfigError, "0 to 7"),
        (lambda m: saliency(m, X, Unit("conv1", 0, (16, 0))), ConfigError, "row"),
        (lambda m: saliency(m, X, Unit("conv1", 0, "best")), ConfigError, "best"),
        (lambda m: grad_cam(m, X, layer="mean"), ConfigError, "feature maps"),
        (lambda m: occlusion(m, X, size=17), ShapeError, "at most 16 x 16"),
        (lambda m: occlusion(m, X, size=4, value=[1, 2]), ShapeError, "a number or 3"),
        (lambda m: smooth_grad(m, X, samples=0), ConfigError, "samples"),
    ],
)
def test_wrong_arguments(model: fc.Model, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call(model)
    assert message in str(caught.value)
