"""Functional models: sharing, several inputs and outputs, nesting, ops on symbolic tensors."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers, ops
from fastcnn.errors import ConfigError, DTypeError, ShapeError

RNG = np.random.default_rng(3)
X = RNG.standard_normal((2, 8, 8, 3)).astype(np.float32)


def through_file(model, tmp_path, **custom_objects):
    model.save(tmp_path / "model.fastcnn")
    return fc.load_model(tmp_path / "model.fastcnn", custom_objects)


def test_residual_block():
    x = fc.Input((8, 8, 3))
    first = layers.Conv2D(3, 3, padding="same", name="first")
    second = layers.Conv2D(3, 3, padding="same", name="second")
    y = layers.ReLU()(layers.add([x, second(first(x))]))
    model = fc.Model(x, y)
    expected = np.maximum(X + second(first(X)), 0)
    np.testing.assert_allclose(model(X), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.call(X), expected, rtol=1e-5, atol=1e-5)
    assert [layer.name for layer in model.layers[1:3]] == ["first", "second"]
    assert model.count_params() == 2 * (3 * 3 * 3 * 3 + 3)
    assert fc.Model([x], [y]).input_shape == fc.Model(x, y).output_shape == (None, 8, 8, 3)


def test_a_shared_layer_is_one_layer():
    shared = layers.Dense(4, name="shared")
    a, b = fc.Input((5,), name="a"), fc.Input((5,), name="b")
    model = fc.Model([a, b], shared(a) - shared(b))
    assert model.count_params() == 24
    assert sum(layer is shared for layer in model.layers) == 1
    u, v = RNG.standard_normal((2, 3, 5)).astype(np.float32)
    kernel = shared.get_weights()[0]
    np.testing.assert_allclose(model([u, v]), (u - v) @ kernel, rtol=1e-4, atol=1e-5)
    clone = fc.saving.clone_model(model)
    assert clone.count_params() == 24
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone([u, v]), model([u, v]))


def test_several_inputs_and_outputs(tmp_path):
    image, side = fc.Input((8, 8, 3), name="image"), fc.Input((4,), name="side")
    features = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    joined = layers.concatenate([features, side])
    outputs = {"class": layers.Dense(2, name="class")(joined), "features": features}
    model = fc.Model({"image": image, "side": side}, outputs)
    given = {"image": X, "side": np.ones((2, 4))}
    result = model(given)
    assert {key: value.shape for key, value in result.items()} == {
        "class": (2, 2),
        "features": (2, 4),
    }
    for same in (
        model.predict(given),
        model([X, np.ones((2, 4))]),
        through_file(model, tmp_path)(given),
    ):
        for key, value in result.items():
            np.testing.assert_array_equal(same[key], value)
    as_list = fc.Model([image, side], list(outputs.values()))
    np.testing.assert_array_equal(as_list(given)[0], result["class"])
    with pytest.raises(ConfigError, match=r"expected inputs \['image', 'side'\], got \['image'\]"):
        model({"image": X})
    with pytest.raises(ShapeError, match="expected 2 inputs"):
        as_list([X])


def test_models_in_models(tmp_path):
    inner_in = fc.Input((8, 8, 3))
    inner = fc.Model(inner_in, layers.Conv2D(4, 3)(inner_in), name="inner")
    x = fc.Input((8, 8, 3))
    model = fc.Model(x, layers.Flatten()(inner(x)))
    np.testing.assert_allclose(model(X), inner(X).reshape(2, -1), rtol=1e-6)
    assert model.get_layer("inner") is inner
    assert list(fc.saving.named_weights(model)) == ["inner/conv2d/kernel", "inner/conv2d/bias"]
    twin = through_file(model, tmp_path)
    np.testing.assert_array_equal(twin(X), model(X))
    names = {step["name"].split("/")[0] for step in model.plan((2, 8, 8, 3)).steps}
    assert "inner" in names


def test_ops_on_symbolic_tensors(tmp_path):
    x = fc.Input((8, 8, 3))
    y = ops.concatenate([ops.max_pool2d(x, 2), 2 * (1 - ops.avg_pool2d(x, pool_size=2))])
    y = ops.flatten(y + np.arange(6, dtype=np.float32))
    model = fc.Model(x, -y)
    assert y.shape == (None, 96)
    expected = np.concatenate([ops.max_pool2d(X, 2), 2 * (1 - ops.avg_pool2d(X, 2))], -1)
    expected = -(expected + np.arange(6, dtype=np.float32)).reshape(2, -1)
    np.testing.assert_allclose(model(X), expected, rtol=1e-6)
    assert [layer.name.split("_")[0] for layer in model.layers[1:3]] in (
        ["max", "avg"],
        ["avg", "subtract"],
    )
    np.testing.assert_array_equal(through_file(model, tmp_path)(X), model(X))
    assert through_file(model, tmp_path)(X[:1]).shape == (1, 96)


def test_parts_of_a_model():
    x = fc.Input((8, 8, 3))
    a = layers.Conv2D(4, 3, name="a")(x)
    b = layers.ReLU(name="b")(a)
    model = fc.Model(x, layers.Flatten()(b))
    head = fc.Model(model.input, model.get_layer("a").output)
    np.testing.assert_array_equal(head(X), model.get_layer("a")(X))
    tail = fc.Model(a, model.output)
    np.testing.assert_allclose(tail(head(X)), model(X), rtol=1e-6)
    assert tail.count_params() == 0
    assert model.get_layer(index=-1).name == model.layers[-1].name
    with pytest.raises(ConfigError, match="has no layer 'c'; it has"):
        model.get_layer("c")


def test_layers_come_in_keras_order():
    """By depth first, so that lists of weights can be exchanged with Keras."""
    x = fc.Input((8,), name="x")
    long = layers.Dense(8, name="long2")(layers.Dense(8, name="long1")(x))
    short = layers.Dense(8, name="short")(x)
    model = fc.Model(x, layers.Add(name="sum")([short, long]))
    assert [layer.name for layer in model.layers] == ["x", "long1", "short", "long2", "sum"]


def test_one_input_given_out_and_unused_inputs(tmp_path):
    a, b = fc.Input((3,), name="a"), fc.Input((2,), name="b")
    model = fc.Model([a, b], [a, layers.ReLU()(a)])
    u = RNG.standard_normal((4, 3)).astype(np.float32)
    same, positive = model([u, np.ones((4, 2))])
    np.testing.assert_array_equal(same, u)
    np.testing.assert_array_equal(positive, np.maximum(u, 0))
    np.testing.assert_array_equal(through_file(model, tmp_path)([u, np.ones((4, 2))])[0], u)


def test_fully_convolutional():
    x = fc.Input((None, None, 3))
    y = layers.Conv2D(4, 3, strides=2, padding="same")(x)
    y = layers.concatenate([layers.UpSampling2D()(y), x])
    model = fc.Model(x, y)
    assert model.output_shape == (None, None, None, 7)
    for size in (8, 12, 16):
        assert model(np.zeros((1, size, size + 4, 3))).shape == (1, size, size + 4, 7)
    with pytest.raises(ShapeError):
        model(np.zeros((1, 9, 8, 3)))  # does not fit itself after halving and doubling


def test_deep_models_need_no_deep_stack():
    x = y = fc.Input((4,))
    for _ in range(1500):
        y = layers.Identity()(y)
    model = fc.Model(x, y)
    assert len(model.layers) == 1501
    np.testing.assert_array_equal(model(np.ones((1, 4))), np.ones((1, 4)))


class Block(fc.Model):
    """A model as a user subclasses it."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(filters, 3, padding="same")
        self.norms = {"after": layers.BatchNormalization()}

    def call(self, x, training=None):
        return ops.relu(self.norms["after"](self.conv(x), training=training))


def test_subclassed_models(tmp_path):
    model = Block(4, name="block")
    y = model(X)
    assert y.shape == (2, 8, 8, 4)
    expected = np.maximum(model.norms["after"](model.conv(X)), 0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    assert next(iter(fc.saving.named_weights(model))) == "conv/kernel"
    twin = through_file(model, tmp_path, Block=Block)
    np.testing.assert_array_equal(twin(X), y)
    outer = fc.Sequential([fc.Input((8, 8, 3)), Block(4), Block(2)])
    assert outer.output_shape == (None, 8, 8, 2)
    twin = through_file(outer, tmp_path, Block=Block)
    np.testing.assert_array_equal(twin(X), outer(X))
    fresh = Block(4)
    fresh.build((None, 8, 8, 3))
    assert len(fresh.weights) == 6


class Functional(fc.Model):
    """A subclass that describes itself with symbolic tensors."""

    def __init__(self, units, **kwargs):
        x = fc.Input((3,))
        super().__init__(x, layers.Dense(units)(x), **kwargs)


def test_subclass_with_inputs_and_outputs(tmp_path):
    model = Functional(4)
    x = np.ones((2, 3))
    np.testing.assert_array_equal(through_file(model, tmp_path, Functional=Functional)(x), model(x))


def test_errors():
    x, other = fc.Input((3,), name="x"), fc.Input((3,), name="other")
    y = layers.Dense(2, name="d")(x)
    with pytest.raises(ConfigError, match='depend on the input "x"'):
        fc.Model(other, y)
    with pytest.raises(ConfigError, match='two layers have the name "d"'):
        fc.Model(x, layers.Dense(2, name="d")(y))
    with pytest.raises(DTypeError, match="what Input and layers return"):
        fc.Model(X, y)
    with pytest.raises(ConfigError, match="both inputs and outputs"):
        fc.Model(x)
    model = fc.Model(x, y, name="m")
    with pytest.raises(ShapeError, match=r'"m": expected an input of shape \(None, 3\), got .*4'):
        model(np.ones((2, 4)))
    with pytest.raises(ConfigError, match="float32 precision"):
        fc.Model(x, y, precision="low")
    for use in (np.asarray, bool, list):
        with pytest.raises(DTypeError, match="KerasTensor d"):
            use(y)
    with pytest.raises(TypeError):
        np.exp(y)
    with pytest.raises(ConfigError, match="got a Variable"):
        ops.add(y, model.weights[1])
    with pytest.raises(ConfigError, match="cannot be called"):
        model.layers[0](x)
