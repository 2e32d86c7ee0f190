"""Models that are one layer after another."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.errors import ConfigError, DTypeError, ShapeError

X = np.random.default_rng(5).standard_normal((3, 8, 8, 1)).astype(np.float32)


def lenet(**first):
    return [
        layers.Conv2D(6, 3, activation="relu", **first),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]


@pytest.mark.parametrize("way", ["input", "argument", "call", "build", "add"])
def test_all_ways_to_tell_the_input(way):
    fc.set_random_seed(1)
    if way == "input":
        model = fc.Sequential([fc.Input((8, 8, 1)), *lenet()])
    elif way == "add":
        model = fc.Sequential()
        model.add(layers.InputLayer((8, 8, 1)))
        for layer in lenet():
            model.add(layer)
    else:
        model = fc.Sequential(lenet(**({"input_shape": (8, 8, 1)} if way == "argument" else {})))
    if way == "build":
        model.build((None, 8, 8, 1))
    y = model(X)
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-5)
    assert model.input_shape == (None, 8, 8, 1)
    assert model.output_shape == (None, 10)
    assert type(model.layers[0]) is layers.Conv2D
    fc.set_random_seed(1)
    same = fc.Sequential([fc.Input((8, 8, 1)), *lenet()])
    np.testing.assert_array_equal(same(X), y)


def test_features_from_the_middle():
    model = fc.Sequential([fc.Input((8, 8, 1)), *lenet()])
    part = fc.Model(model.input, [model.layers[0].output, model.output])
    first, last = part(X)
    assert first.shape == (3, 6, 6, 6)
    np.testing.assert_allclose(last, model(X), rtol=1e-5)


def test_pop_and_add():
    model = fc.Sequential([fc.Input((8, 8, 1)), *lenet()])
    model(X)
    model.pop()
    assert model.output_shape == (None, 54)
    assert model(X).shape == (3, 54)
    model.add(layers.Dense(2))
    assert model(X).shape == (3, 2)


def test_nested_and_headed_by_a_model():
    inner = fc.Sequential([fc.Input((8, 8, 1)), layers.Conv2D(2, 3)])
    outer = fc.Sequential([inner, layers.Flatten()])
    assert outer.output_shape == (None, 72)
    assert outer(X).shape == (3, 72)


def test_other_sizes_after_a_first_call():
    model = fc.Sequential([layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()])
    assert model(X).shape == (3, 2)
    assert model(np.zeros((1, 20, 9, 1))).shape == (1, 2)


@pytest.mark.parametrize("knows", [True, False], ids=["built", "unbuilt"])
@pytest.mark.parametrize("form", ["list", "tuple", "dictionary"])
def test_its_one_input_in_a_structure(form, knows):
    image = fc.Input((8, 8, 1), name="image")
    model = fc.Sequential([*([image] if knows else []), *lenet()])
    if form == "dictionary" and not knows:
        with pytest.raises(ConfigError, match="expected inputs"):
            model.predict({"image": X})  # whose name is not known yet
        return
    given = {"list": [X], "tuple": (X,), "dictionary": {"image": X}}[form]
    assert model(given).shape == (3, 10)
    np.testing.assert_array_equal(model(given), model(X))
    np.testing.assert_array_equal(model.predict(given, batch_size=2), model.predict(X, 2))
    with pytest.raises(ConfigError, match=r"expected inputs .*, got \['a'\]"):
        model.predict({"a": X})
    with pytest.raises(ShapeError, match="expected 1 inputs"):
        model.predict([X, X])


def test_errors():
    model = fc.Sequential([fc.Input((8, 8, 1)), *lenet()], name="net")
    with pytest.raises(ShapeError, match='"net"'):
        model(X[:, :7])
    with pytest.raises(DTypeError, match="expected a layer, got 3"):
        model.add(3)
    with pytest.raises(ConfigError, match="input to come first"):
        model.add(fc.Input((3,)))
    model.add(layers.Flatten(name="last"))
    with pytest.raises(ConfigError, match='has the name "last"'):
        model.add(layers.Flatten(name="last"))
    with pytest.raises(ConfigError, match="does not know the shape of its input"):
        fc.Sequential(lenet()).output_shape  # noqa: B018
    with pytest.raises(ConfigError, match="no layers"):
        fc.Sequential().pop()
