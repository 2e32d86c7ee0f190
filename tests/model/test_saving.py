"""Models and weights in files, good and hostile ones."""

import copy
import json
import pickle
import struct
import sys

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.errors import (
    ConfigError,
    FileAccessError,
    FileFormatError,
    MissingDependencyError,
    MissingFileError,
)

pytest.importorskip("safetensors")
X = np.random.default_rng(2).standard_normal((2, 6, 6, 2)).astype(np.float32)


def make():
    return fc.Sequential(
        [
            fc.Input((6, 6, 2)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(3, 3, name="named"),
            layers.Flatten(),
            layers.Dense(4, kernel_initializer=fc.initializers.HeNormal(seed=3)),
        ],
        precision="high",
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.fastcnn"


def rewrite(path, change):
    """Change the header of a safetensors file."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    config = json.loads(header["__metadata__"]["config"])
    change(header, config)
    if config is not None and "__metadata__" in header:
        header["__metadata__"]["config"] = json.dumps(config)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])


def test_a_model_comes_back(path):
    model = make()
    model.trainable = False
    model.save(path)
    twin = fc.load_model(path)
    np.testing.assert_array_equal(twin(X), model(X))
    assert type(twin) is fc.Sequential
    assert (twin.name, twin.precision, twin.trainable) == (model.name, "high", False)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    twin.save(path)  # a name once automatic is not a problem for the next round
    np.testing.assert_array_equal(fc.load_model(path)(X), model(X))


def test_names_of_classes_come_back(path):
    model = make()
    assert model.class_names is None
    model.class_names = ("cat", "dog", "fish", "Möwe")
    model.save(path)
    assert fc.load_model(path).class_names == list(model.class_names)
    assert copy.copy(model).class_names == pickle.loads(pickle.dumps(model)).class_names

    def change(header, config):
        config["class_names"] = [1, 2]

    rewrite(path, change)
    with pytest.raises(FileFormatError, match="class_names"):
        fc.load_model(path)


def test_a_model_called_but_without_input_comes_back(path):
    model = fc.Sequential([layers.Dense(3), layers.Dense(2)])
    y = model(X)
    model.save(path)
    np.testing.assert_array_equal(fc.load_model(path)(X), y)


def test_weights_fit_a_model_built_again(path):
    """Though automatic names have counted on."""
    first, second = make(), make()
    first.save_weights(path)
    second.load_weights(path)
    np.testing.assert_array_equal(first(X), second(X))
    first.save(path)
    third = make()
    third.load_weights(path)
    np.testing.assert_array_equal(first(X), third(X))
    with pytest.raises(FileFormatError, match="load_weights"):
        first.save_weights(path)
        fc.load_model(path)


def test_weights_that_do_not_fit(path):
    model = make()
    model.save_weights(path)
    other = fc.Sequential([fc.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.Dense(5, name="new")])
    before = other.get_weights()
    with pytest.raises(FileFormatError, match="missing: new/bias, new/kernel; not the model's"):
        other.load_weights(path)
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    other.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    wider = fc.Sequential([fc.Input((6, 6, 2)), layers.Conv2D(4, 3)])
    fc.Sequential([fc.Input((6, 6, 2)), layers.Conv2D(3, 3)]).save_weights(path)
    with pytest.raises(FileFormatError, match=r"conv2d/(kernel|bias): expected .*shape \("):
        wider.load_weights(path)


def test_half_precision_files_are_read(path):
    from fastcnn.io.safetensors_files import save_safetensors

    model = fc.Sequential([fc.Input((3,)), layers.Dense(2)])
    save_safetensors(
        path,
        {"dense/kernel": np.ones((3, 2), np.float16), "dense/bias": np.zeros(2, np.float64)},
    )
    model.load_weights(path)
    np.testing.assert_array_equal(model(np.ones((1, 3))), [[3, 3]])
    save_safetensors(
        path, {"dense/kernel": np.ones((3, 2), np.int32), "dense/bias": np.zeros(2, np.float32)}
    )
    with pytest.raises(FileFormatError, match="floating-point"):
        model.load_weights(path)


def test_own_layers_must_be_named(path):
    class Doubled(layers.Layer):
        def call(self, x):
            return x + x

    def halve(x):
        return x * 0.5

    model = fc.Sequential([fc.Input((3,)), Doubled(), layers.Activation(halve)])
    model.save(path)
    with pytest.raises(FileFormatError, match="unknown layer class 'Doubled'"):
        fc.load_model(path)
    with pytest.raises(FileFormatError, match="unknown activation 'halve'"):
        fc.load_model(path, {"Doubled": Doubled})
    twin = fc.load_model(path, {"Doubled": Doubled, "halve": halve})
    np.testing.assert_array_equal(twin(np.ones((1, 3))), [[1, 1, 1]])
    with fc.saving.custom_object_scope({"Doubled": Doubled, "halve": halve}):
        fc.load_model(path)


def test_what_cannot_be_written_is_refused(path):
    class Odd(layers.Layer):
        def __init__(self, thing, **kwargs):
            super().__init__(**kwargs)

        def call(self, x):
            return x

    with pytest.raises(ConfigError, match="get_config"):
        fc.Sequential([fc.Input((3,)), Odd(object())]).save(path)
    with pytest.raises(ConfigError, match="no weights yet"):
        fc.Sequential([layers.Dense(2)]).save(path)
    assert not path.exists()
    make().save(path)
    with pytest.raises(FileAccessError, match="overwrite"):
        make().save(path, overwrite=False)


def test_files_that_are_no_models(tmp_path, path):
    with pytest.raises(MissingFileError):
        fc.load_model(tmp_path / "absent")
    path.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(FileFormatError):
        fc.load_model(path)
    make().save(path)
    data = path.read_bytes()
    for length in (0, 4, 100, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(FileFormatError):
            fc.load_model(path)


def layer_config(config, index):
    return config["model"]["config"]["layers"][index]["config"]


@pytest.mark.parametrize(
    "change",
    [
        lambda h, c: h.pop("conv2d/kernel"),
        lambda h, c: h.update({"more/kernel": h.pop("conv2d/kernel")}),
        lambda h, c: h["__metadata__"].update(version="2"),
        lambda h, c: h.pop("__metadata__"),
        lambda h, c: c.pop("model"),
        lambda h, c: c.update(model=3),
        lambda h, c: c["model"].update(class_name="Variable"),
        lambda h, c: c["model"].update(class_name="__builtins__"),
        lambda h, c: c["model"].update(class_name=["Dense"]),
        lambda h, c: c["model"]["config"].pop("layers"),
        lambda h, c: c["model"]["config"].update(layers=None),
        lambda h, c: c["model"]["config"].update(extra=1),
        lambda h, c: c["model"]["config"].update(precision="low"),
        lambda h, c: c["model"]["config"].update(input_shape=[None, 6, 6, 10**9]),
        lambda h, c: c["model"]["config"].update(input_shape="abc"),
        lambda h, c: c["model"]["config"].update(input_shape=[None, 6, -6, 2]),
        lambda h, c: c["model"]["config"].update(name="a/b"),
        lambda h, c: layer_config(c, 0).pop("filters"),
        lambda h, c: layer_config(c, 0).update(filters=10**12),
        lambda h, c: layer_config(c, 0).update(filters=10**30),
        lambda h, c: layer_config(c, 0).update(filters=4),
        lambda h, c: layer_config(c, 0).update(filters="many"),
        lambda h, c: layer_config(c, 0).update(kernel_size=[3, 3, 3]),
        lambda h, c: layer_config(c, 0).update(kernel_size={"__tuple__": 3}),
        lambda h, c: layer_config(c, 0).update(strides={"__array__": [1], "shape": [10**9]}),
        lambda h, c: layer_config(c, 0).update(activation="__import__"),
        lambda h, c: layer_config(c, 0).update(activation={"class_name": "Dense"}),
        lambda h, c: layer_config(c, 0).update(kernel_initializer={"class_name": 3}),
        lambda h, c: layer_config(c, 0).update(
            kernel_initializer={"class_name": "Zeros", "config": {"a": 1}}
        ),
        lambda h, c: layer_config(c, 0).update(name=layer_config(c, 2)["name"]),
        lambda h, c: layer_config(c, 0).update(unknown=1),
        lambda h, c: layer_config(c, 0).update(padding=float("nan")),
    ],
)
def test_hostile_configurations_are_format_errors(path, change):
    make().save(path)
    rewrite(path, change)
    with pytest.raises(FileFormatError, match=r"model\.fastcnn"):
        fc.load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["nodes"][1].update(layer="absent"),
        lambda c: c["nodes"][1].update(args=[{"__tensor__": [9, 0]}]),
        lambda c: c["nodes"][1].update(args=[{"__tensor__": [-1, 0]}]),
        lambda c: c["nodes"][1].update(args=[{"__tensor__": [1, 0]}]),
        lambda c: c["nodes"][1].update(args=[{"__tensor__": "ab"}]),
        lambda c: c["nodes"][1].update(args=[]),
        lambda c: c["nodes"][1].update(args=3),
        lambda c: c["nodes"][1].update(kwargs={"colour": 1}),
        lambda c: c.update(nodes=[]),
        lambda c: c.update(inputs=[]),
        lambda c: c.update(outputs=3),
        lambda c: c["layers"].append(c["layers"][1]),
        lambda c: c["layers"][1]["config"].update(function="__class__"),
        lambda c: c["layers"][1]["config"].update(function="os.system"),
        lambda c: c["layers"][1]["config"].update(arguments=[{"__operand__": 7}]),
        lambda c: c["layers"][1]["config"].update(arguments=None),
        lambda c: c["layers"][1]["config"].update(options={"colour": "red"}),
    ],
)
def test_hostile_graphs_are_format_errors(path, change):
    x = fc.Input((6, 6, 2))
    fc.Model(x, layers.Flatten()(fc.ops.max_pool2d(x))).save(path)
    rewrite(path, lambda header, config: change(config["model"]["config"]))
    with pytest.raises(FileFormatError, match=r"model\.fastcnn"):
        fc.load_model(path)


@pytest.mark.parametrize(
    "text", ["", "[", "[" * 100_000, '{"a": ' * 100_000, "null", "1e999", '"x"']
)
def test_hostile_json(path, text):
    make().save(path)
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["config"] = text
    new = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(new)) + new + data[8 + size :])
    with pytest.raises(FileFormatError):
        fc.load_model(path)


def test_without_safetensors_the_message_says_what_to_install(path, monkeypatch):
    model = make()
    for name in [n for n in sys.modules if n.partition(".")[0] == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if "fastcnn" in repr(f)])
    with pytest.raises(MissingDependencyError, match=r"fastcnn\[io\]"):
        model.save(path)


def test_copies(path):
    model = make()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin(X), model(X))
        twin.set_weights([0 * w for w in twin.get_weights()])
        assert np.any(model.get_weights()[0])
    clone = fc.saving.clone_model(model)
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])
    with_call = fc.Sequential([layers.Dense(3)])
    with_call(X)
    assert len(fc.saving.clone_model(with_call).weights) == 2


def test_json_alone(path):
    model = make()
    twin = fc.saving.model_from_json(model.to_json())
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(X), model(X))
