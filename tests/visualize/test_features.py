"""Feature maps, filters, projections, receptive fields, activation maximisation."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers, ops
from fastcnn.errors import ConfigError, MissingDependencyError, ShapeError
from fastcnn.visualize import (
    ReceptiveField,
    Unit,
    feature_maps,
    filters,
    maximize_activation,
    project,
    receptive_fields,
    saliency,
)
from tests.visualize.networks import randomized, residual

X = np.random.default_rng(1).standard_normal((2, 16, 16, 3)).astype(np.float32)


def test_feature_maps() -> None:
    model = residual()
    maps = feature_maps(model, X)
    wanted = ["conv1", "bn1", "relu1", "conv2", "conv3", "sum", "relu2", "pool"]
    assert list(maps) == wanted
    for name, array in maps.items():
        expected = fc.Model(model.input, model.get_layer(name).output).predict(X)
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-5)
    assert list(feature_maps(model, X, ["mean", "pool"])) == ["mean", "pool"]
    assert feature_maps(model, X, "top")["top"].shape == (2, 5)


def test_feature_maps_of_models_inside_models() -> None:
    inner = residual()
    image = fc.Input((16, 16, 3))
    outer = fc.Model(image, layers.Dense(2)(inner(image)))
    assert f"{inner.name}/pool" in feature_maps(outer, X)
    np.testing.assert_array_equal(
        feature_maps(outer, X, "pool")["pool"], feature_maps(inner, X, "pool")["pool"]
    )


class Twice(fc.Model):
    """A model made by subclassing, in which a layer is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(3, 3, padding="same", name="conv")

    def call(self, x: Any) -> Any:
        return self.conv(self.conv(x))


def test_of_a_layer_called_twice_the_last() -> None:
    model = Twice()
    expected = model.predict(X)
    np.testing.assert_array_equal(feature_maps(model, X, "conv")["conv"], expected)


def test_filters() -> None:
    model = residual()
    kernel = model.get_layer("conv1").get_weights()[0]
    np.testing.assert_array_equal(filters(model), kernel.transpose(3, 0, 1, 2))
    assert filters(model, "conv3").shape == (8, 1, 1, 8)
    x = fc.Input((8, 8, 6))
    depthwise = fc.Model(x, layers.DepthwiseConv2D(5)(x))
    assert filters(depthwise).shape == (6, 5, 5, 1)
    with pytest.raises(ConfigError, match="it has conv1"):
        filters(model, "top")
    with pytest.raises(ConfigError, match="no convolution"):
        filters(fc.Sequential([fc.Input((4,)), layers.Dense(2)]))


def test_principal_components() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2, 3)) * [1, 5, 2]
    found = project(x)
    flat = x.reshape(40, 6) - x.reshape(40, 6).mean(0)
    _, values, directions = np.linalg.svd(flat, full_matrices=False)
    np.testing.assert_allclose(np.abs(found), np.abs(flat @ directions[:2].T), atol=1e-4)
    np.testing.assert_allclose(found.std(0), values[:2] / 40**0.5, rtol=1e-4)
    np.testing.assert_allclose(project(-x), -found, atol=1e-4)  # but for signs, which are fixed
    assert project(np.ones((2, 5)), dims=4).shape == (2, 4)


def test_tsne_is_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    manifold = pytest.importorskip("sklearn.manifold", reason="computes t-SNE")
    x = np.random.default_rng(0).standard_normal((12, 2, 4)).astype(np.float32)
    given: list[dict[str, Any]] = []

    class Few(manifold.TSNE):  # type: ignore[misc]
        """With fewer steps."""

        def __init__(self, **options: Any) -> None:
            given.append(options)
            super().__init__(max_iter=250, method="exact", **options)

    monkeypatch.setattr(manifold, "TSNE", Few)
    points = project(x, method="tsne", seed=3)
    assert points.shape == (12, 2) and points.dtype == np.float32
    assert given[0]["perplexity"] == pytest.approx(11 / 3) and given[0]["random_state"] == 3
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(MissingDependencyError, match=r"fastcnn\[sklearn\]"):
        project(x, method="tsne")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"features": np.ones((1, 4))}, ShapeError),
        ({"features": np.ones(4)}, ShapeError),
        ({"features": np.ones((3, 1))}, ShapeError),
        ({"features": np.ones((3, 4)), "method": "umap"}, ConfigError),
        ({"features": np.ones((3, 4)), "dims": 0}, ConfigError),
    ],
)
def test_what_cannot_be_projected(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="project"):
        project(**options)


def fields(model: fc.Model, **options: Any) -> dict[str, ReceptiveField]:
    return {field.layer: field for field in receptive_fields(model, **options)}


def test_receptive_fields_of_known_networks() -> None:
    """Sizes as listed by Araujo et al. 2019 in table 1, for AlexNet's relatives' VGG-16."""
    vgg = fields(fc.applications.VGG16(include_top=False, input_shape=(224, 224, 3)))
    assert vgg["block1_conv2"] == ReceptiveField("block1_conv2", (5, 5), (1, 1), (0, 0))
    assert vgg["block5_conv3"].size == (196, 196)
    assert vgg["block5_pool"][1:3] == ((212, 212), (32, 32))


def mean_network(make: Any, size: tuple[int, int] = (40, 37)) -> fc.Model:
    """A network of positive weights and averages: nothing cancels."""
    image = fc.Input((*size, 1))
    model = fc.Model(image, make(image))
    for variable in model.weights:
        variable.assign(np.abs(randomized(model, 2) and variable.numpy()) + 0.1)
    return model


def _branches(x: Any) -> Any:
    a = layers.Conv2D(2, 3, padding="same")(x)
    b = layers.Conv2D(2, (7, 1), padding="same")(x)
    return layers.Concatenate()([layers.Add()([a, b]), layers.Conv2D(1, (1, 9), padding="same")(x)])


NETWORKS = {
    "convolutions": lambda x: layers.Conv2D(2, 3, strides=2)(layers.Conv2D(2, (5, 4))(x)),
    "same": lambda x: layers.Conv2D(2, 4, strides=3, padding="same")(
        layers.AveragePooling2D(3, 2, "same")(x)
    ),
    "dilation": lambda x: layers.Conv2D(1, 3, dilation_rate=(2, 3), padding=(2, 3))(x),
    "depthwise": lambda x: layers.DepthwiseConv2D(5, strides=2, padding="same")(x),
    "branches": _branches,
    "padded, cropped": lambda x: layers.Conv2D(1, 3)(
        layers.Cropping2D(((3, 1), (2, 5)))(layers.ZeroPadding2D(((0, 2), (3, 0)))(x))
    ),
    "space to depth": lambda x: layers.Conv2D(1, 3)(
        layers.SpaceToDepth(2)(layers.ZeroPadding2D(((0, 0), (1, 0)))(x))
    ),
    "batch norm": lambda x: layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(2, 3)(x))),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_fields_are_where_gradients_are(name: str) -> None:
    model = mean_network(NETWORKS[name])
    field = receptive_fields(model)[-1]
    rows, columns = model.output_shape[1:3]
    for at in ((0, 0), (rows // 2, columns // 3), (rows - 1, columns - 1)):
        x = np.ones((1, *model.input_shape[1:]), np.float32)
        gradient = saliency(model, x, Unit(field.layer, 0, at))[0]
        for c in range(1, model.output_shape[3]):
            gradient = gradient + saliency(model, x, Unit(field.layer, c, at))[0]
        places = np.argwhere(gradient > 0)
        top, left, bottom, right = field.box(*at)
        seen = (max(top, 0), max(left, 0), min(bottom, x.shape[1]), min(right, x.shape[2]))
        assert (*places.min(0), *(places.max(0) + 1)) == seen


@pytest.mark.parametrize(
    "make",
    [
        lambda x: layers.Conv2DTranspose(1, 3, strides=2, padding="same")(layers.Conv2D(1, 3)(x)),
        lambda x: layers.UpSampling2D(2, interpolation="bilinear")(layers.Conv2D(1, 3)(x)),
        lambda x: layers.DepthToSpace(2)(layers.Conv2D(4, 3)(x)),
    ],
)
def test_fields_of_what_enlarges_hold_all_gradients(make: Any) -> None:
    model = mean_network(make)
    field = receptive_fields(model)[-1]
    assert field.stride == (0.5, 0.5) and max(field.size) <= 6
    for at in ((20, 20), (21, 20), (21, 21)):
        gradient = saliency(model, np.ones((1, 40, 37, 1)), Unit(field.layer, 0, at))[0]
        top, left, bottom, right = field.box(*at)
        inside = gradient[top:bottom, left:right]
        assert gradient.sum() > 0 and inside.sum() == pytest.approx(gradient.sum(), rel=1e-6)


def test_what_looks_at_the_whole_picture_sees_all_of_it() -> None:
    def squeeze(x: Any) -> Any:
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        return layers.Multiply()([x, layers.Conv2D(1, 1, activation="sigmoid")(gate)])

    model = mean_network(squeeze)
    last = receptive_fields(model)[-1]
    assert last.size == (40, 37) and last.stride == (0, 0) and last.offset == (19.5, 18)
    assert last.box(3, 5) == (0, 0, 40, 37)
    open_size = fc.Sequential([fc.Input((None, None, 3)), layers.Conv2D(2, 3, name="conv")])
    assert fields(open_size, input_shape=(1, 64, 64, 3))["conv"].size == (3, 3)
    with pytest.raises(ShapeError, match="one picture"):
        receptive_fields(fc.Sequential([fc.Input((4,)), layers.Dense(2)]))
    with pytest.raises(ShapeError, match="input_shape"):
        receptive_fields(open_size, (64, 64, 3))


def test_maximize_activation_raises_it() -> None:
    model = residual(activation=None)
    told: list[tuple[int, int]] = []
    picture = maximize_activation(
        model,
        [2, 4],
        bounds=(-2, 2),
        steps=40,
        learning_rate=0.5,
        progress=lambda *step: told.append(step),
    )
    assert picture.shape == (2, 16, 16, 3) and told[-1] == (40, 40)
    assert picture.min() >= -2 and picture.max() <= 2
    grey = model.predict(np.zeros((1, 16, 16, 3)))[0]
    scores = model.predict(picture)
    assert scores[0, 2] > grey[2] + 0.5 and scores[1, 4] > grey[4] + 0.5
    again = maximize_activation(model, [2, 4], bounds=(-2, 2), steps=40, learning_rate=0.5)
    np.testing.assert_array_equal(picture, again)


def test_penalties_of_maximization() -> None:
    model = residual(activation=None)
    unit = Unit("relu2", 3, (4, 4))

    def rough(**options: Any) -> tuple[float, float]:
        x = maximize_activation(
            model, unit, bounds=(-2, 2), steps=30, learning_rate=0.5, jitter=0, **options
        )
        return float(np.square(np.diff(x, axis=1)).mean()), float(np.square(x).mean())

    plain = rough()
    assert rough(total_variation=1e3)[0] < 0.5 * plain[0]
    assert rough(l2=1e3)[1] < 0.5 * plain[1]


def test_the_gradient_of_the_series_is_the_adjoint() -> None:
    from fastcnn.visualize.maximization import _Series

    series = _Series((1, 9, 8, 3), ((-1, 0, 1), (1, 2, 3)), 0)
    rng = np.random.default_rng(0)
    above = rng.standard_normal((1, 9, 8, 3)).astype(np.float32)
    start = series.coefficients.numpy().copy()
    series.picture()
    gradient = series.backward(above)
    direction = rng.standard_normal(start.shape).astype(np.float32)
    direction[:, :, [0, -1]] = 0  # waves that are their own mirror images count once, not twice
    values = []
    for sign in (1, -1):
        series.coefficients.assign(start + sign * 1e-2 * direction)
        values.append(float((series.picture() * above).sum(dtype=np.float64)))
    assert (values[0] - values[1]) / 2e-2 == pytest.approx(
        2 * (gradient * direction).sum(), rel=2e-3
    )


@pytest.mark.parametrize(
    ("target", "options", "error", "message"),
    [
        (None, {}, ConfigError, "target"),
        (5, {}, ConfigError, "below 5"),
        (0, {"bounds": (1, 0)}, ConfigError, "low < high"),
        (0, {"bounds": ((0, 0), 1)}, ShapeError, "bounds"),
        (0, {"steps": 0}, ConfigError, "steps"),
        (0, {"l2": -1}, ConfigError, "l2"),
    ],
)
def test_what_cannot_be_maximized(
    target: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        maximize_activation(residual(), target, **{"steps": 1, **options})


def test_maximization_needs_a_size() -> None:
    model = fc.Sequential([fc.Input((None, None, 3)), layers.Conv2D(2, 3, name="conv")])
    with pytest.raises(ShapeError, match="size"):
        maximize_activation(model, Unit("conv", 0))
    made = maximize_activation(model, Unit("conv", [0, 1]), size=(9, 8), steps=2)
    assert made.shape == (2, 9, 8, 3)
    assert np.ptp(ops.mean(made, axis=(1, 2, 3))) > 0
