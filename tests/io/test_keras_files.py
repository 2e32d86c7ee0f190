"""Files in Keras' layouts become models and weights."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import (
    ConfigError,
    FileFormatError,
    MissingFileError,
    ShapeError,
    UnsupportedError,
)

h5py = pytest.importorskip("h5py", reason="writes HDF5 files")

from tests.io import keras_writer as kw  # noqa: E402 - after it is known that h5py is there

L = fc.layers


def small(names: bool = True, filters: int = 4) -> Any:
    """Make the model of `keras_writer` by hand, with other weights."""

    def name(text: str) -> str | None:
        return text if names else None

    x = fc.Input((8, 8, 2))
    y = L.Conv2D(filters, 3, padding="same", activation="relu", name=name("conv"))(x)
    bn = L.BatchNormalization(name=name("bn"))(y)
    y = L.DepthwiseConv2D(3, padding="same", name=name("depthwise"))(bn)
    y = L.Add()([L.LeakyReLU(0.1)(y), bn]) * 0.5
    y = L.GlobalAveragePooling2D()(y)
    return fc.Model(x, L.Dense(3, activation="softmax", name=name("fc"))(y))


def reference(seed: int = 0) -> Any:
    """Give the same model its weights one by one."""
    model = small()
    for layer, arrays in kw.weights(seed).items():
        model.get_layer(layer).set_weights(list(arrays.values()))
    return model


def same(a: Any, b: Any) -> None:
    x = np.random.default_rng(3).normal(size=(2, 8, 8, 2)).astype(np.float32)
    np.testing.assert_array_equal(a(x), b(x))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    layers = kw.weights()
    kw.keras3_weights(tmp_path / "3.weights.h5", layers)
    kw.keras3_weights(tmp_path / "3.0.weights.h5", layers, named=False)
    return {
        "Keras 2": kw.keras2_file(tmp_path / "2.h5", layers),
        "Keras 2, a model": kw.keras2_file(tmp_path / "2m.h5", layers, kw.KERAS_2),
        "Keras 2, long lists": kw.keras2_file(tmp_path / "2c.h5", layers, cut=True),
        "Keras 3": tmp_path / "3.weights.h5",
        "Keras 3 without names": tmp_path / "3.0.weights.h5",
        "Keras 3, a model": kw.keras3_file(tmp_path / "3.keras", layers, kw.KERAS_3),
    }


FILES = ["Keras 2", "Keras 2, a model", "Keras 2, long lists", "Keras 3", "Keras 3, a model"]


@pytest.mark.parametrize("name", [*FILES, "Keras 3 without names"])
@pytest.mark.parametrize("names", [True, False], ids=["named", "numbered"])
def test_weights(files: dict[str, Path], name: str, names: bool) -> None:
    model = small(names)
    model.load_weights(files[name])
    same(model, reference())


@pytest.mark.parametrize("name", FILES)
def test_names_of_weights(files: dict[str, Path], name: str) -> None:
    found = fc.io.load_weights_file(files[name])
    numbered = name.startswith("Keras 3")
    wanted = {
        f"{layer}/{i if numbered else weight}": array
        for layer, arrays in kw.weights().items()
        for i, (weight, array) in enumerate(arrays.items())
    }
    assert found.keys() == wanted.keys()
    for key, array in wanted.items():
        np.testing.assert_array_equal(found[key], array)


@pytest.mark.parametrize("name", ["Keras 2, a model", "Keras 3, a model"])
@pytest.mark.parametrize("load", [fc.io.load_keras, fc.load_model])
def test_models(
    files: dict[str, Path], name: str, load: Callable[[Path], Any], tmp_path: Path
) -> None:
    model = load(files[name])
    same(model, reference())
    assert model.name == "small" and type(model) is fc.Model
    assert [layer.name for layer in model.layers if layer.weights] == list(kw.weights())
    assert model.get_layer("leaky").negative_slope == 0.1
    model.save(tmp_path / "again.fastcnn")
    same(fc.load_model(tmp_path / "again.fastcnn"), model)
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 8, 8, 2)), np.ones((4, 3)), verbose=0)


def test_old_names_of_weights(tmp_path: Path) -> None:
    layers = kw.weights()
    old = {
        "kernel": "W", "bias": "b", "depthwise_kernel": "W", "moving_mean": "running_mean",
        "moving_variance": "running_std",
    }  # fmt: skip
    renamed = {n: {old.get(k, k): a for k, a in arrays.items()} for n, arrays in layers.items()}
    path = kw.keras2_file(tmp_path / "1.h5", renamed, form="{layer}_{weight}_1:0")
    model = small()
    model.load_weights(path)
    same(model, reference())
    assert "conv/kernel" in fc.io.load_weights_file(path)


def test_models_in_models(tmp_path: Path) -> None:
    def make() -> Any:
        x = fc.Input((8, 8, 2))
        return fc.Model(x, small_part(x))

    def small_part(x: Any) -> Any:
        inner = fc.Sequential([fc.Input((8, 8, 2)), L.Conv2D(2, 3, name="c"), L.Dense(2, name="d")])
        inner.name = "inner"
        return L.Dense(3, name="last")(inner(x))

    rng = np.random.default_rng(0)
    c, d, last = (rng.normal(size=s).astype(np.float32) for s in ((3, 3, 2, 2), (2, 2), (2, 3)))
    vectors = [rng.normal(size=n).astype(np.float32) for n in (2, 2, 3)]
    with h5py.File(tmp_path / "nested.h5", "w") as file:
        file.attrs["layer_names"] = [b"inner", b"last"]
        inner, outer = file.create_group("inner"), file.create_group("last")
        inner.attrs["weight_names"] = [b"c/kernel:0", b"c/bias:0", b"d/kernel:0", b"d/bias:0"]
        outer.attrs["weight_names"] = [b"last/kernel:0", b"last/bias:0"]
        for name, array in zip(inner.attrs["weight_names"], (c, vectors[0], d, vectors[1])):  # noqa: B905
            inner[name] = array
        outer["last/kernel:0"], outer["last/bias:0"] = last, vectors[2]
    model = make()
    model.load_weights(tmp_path / "nested.h5")
    for got, want in zip(model.get_weights(), (c, vectors[0], d, vectors[1], last, vectors[2])):  # noqa: B905
        np.testing.assert_array_equal(got, want)


def test_by_name_takes_what_both_have(files: dict[str, Path]) -> None:
    x = fc.Input((8, 8, 2))
    y = L.Conv2D(4, 3, padding="same", name="conv")(x)
    model = fc.Model(x, L.Conv2D(5, 1, name="new")(y))
    before = model.get_layer("new").get_weights()
    for name in FILES:
        model.load_weights(files[name], by_name=True)
        np.testing.assert_array_equal(
            model.get_layer("conv").kernel.numpy(), kw.weights()["conv"]["kernel"]
        )
    np.testing.assert_array_equal(model.get_layer("new").get_weights()[0], before[0])
    with pytest.raises(FileFormatError, match="names"):
        fc.Model(x, L.Conv2D(5, 1, name="other")(x)).load_weights(files["Keras 2"], by_name=True)


def test_what_does_not_fit(files: dict[str, Path], tmp_path: Path) -> None:
    for name in FILES:
        narrow = small(filters=2)
        before = narrow.get_weights()
        with pytest.raises(ShapeError, match="conv"):
            narrow.load_weights(files[name])
        for old, new in zip(before, narrow.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        narrow.load_weights(files[name], skip_mismatch=True)
        np.testing.assert_array_equal(
            narrow.get_layer("fc").bias.numpy(), before[-1]
        )  # its kernel has another shape
    x = fc.Input((8, 8, 2))
    other = fc.Model(x, L.Conv2D(4, 3, name="conv")(x))
    with pytest.raises(FileFormatError, match="fc"):
        other.load_weights(files["Keras 2"])
    model = small()
    model.save_weights(tmp_path / "own.safetensors")
    with pytest.raises(ConfigError, match="by_name"):
        model.load_weights(tmp_path / "own.safetensors", by_name=True)
    with pytest.raises(MissingFileError):
        fc.io.load_keras(tmp_path / "absent.keras")
    with pytest.raises(FileFormatError, match="weights alone"):
        fc.io.load_keras(files["Keras 2"])
    with pytest.raises(FileFormatError, match="expected a file that Keras wrote"):
        fc.io.load_keras(tmp_path / "own.safetensors")


def changed(change: Callable[[list[dict[str, Any]]], None]) -> dict[str, Any]:
    config = copy.deepcopy(kw.KERAS_3)
    change(config["config"]["layers"])
    return config


def _set(index: int, **config: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda layers: layers[index]["config"].update(config)


def _swap(index: int, kind: str, **config: Any) -> Callable[[list[dict[str, Any]]], None]:
    def swap(layers: list[dict[str, Any]]) -> None:
        layers[index].update(class_name=kind, module="keras.layers")
        layers[index]["config"] = {"name": layers[index]["name"], **config}

    return swap


CODE = {"class_name": "__lambda__", "config": {"value": "4wEAAAAA"}}
DECLINED: dict[str, tuple[Callable[[list[dict[str, Any]]], None], type[Exception], str]] = {
    "code": (_swap(6, "Lambda", function=CODE), UnsupportedError, "multiply.*code"),
    "code in an option": (_set(1, activation=CODE), UnsupportedError, "__lambda__"),
    "an unknown layer": (_swap(4, "LSTM", units=3), UnsupportedError, "leaky.*LSTM"),
    "an unknown activation": (_set(1, activation="glu"), UnsupportedError, "conv.*glu"),
    "an option with another value": (_set(1, padding="causal"), UnsupportedError, "conv.*causal"),
    "an unknown option": (_set(2, virtual_batch_size=8), UnsupportedError, "virtual_batch_size"),
    "another dtype": (_set(1, dtype="mixed_float16"), UnsupportedError, "float32"),
    "channels first": (_set(1, data_format="channels_first"), UnsupportedError, "channels_last"),
    "an unknown function": (
        lambda layers: layers[6].update(class_name="Erfinv"),
        UnsupportedError,
        "erfinv",
    ),
    "weights of another size": (_set(1, filters=5), FileFormatError, "shape"),
    "huge weights": (_set(8, units=10**9), FileFormatError, "more than the file holds"),
    "a loop": (
        lambda layers: layers[1].update(inbound_nodes=layers[5]["inbound_nodes"]),
        FileFormatError,
        "expected|wait",
    ),
    "a call of nothing": (
        lambda layers: layers[1].update(inbound_nodes=[{"args": [3], "kwargs": {}}]),
        FileFormatError,
        "expected an array or a symbolic tensor, got 3",
    ),
    "no class": (lambda layers: layers[1].pop("class_name"), FileFormatError, "class_name"),
    "names that are none": (
        lambda layers: layers[1].update(name=3),
        FileFormatError,
        "names",
    ),
    "two of a name": (
        lambda layers: layers[2].update(name="conv"),
        FileFormatError,
        "conv",
    ),
}


@pytest.mark.parametrize("name", DECLINED)
def test_what_is_declined(name: str, tmp_path: Path) -> None:
    change, error, reason = DECLINED[name]
    path = kw.keras3_file(tmp_path / "m.keras", kw.weights(), changed(change))
    with pytest.raises(error, match=reason) as caught:
        fc.io.load_keras(path)
    assert str(caught.value).count("m.keras") == 1


def test_custom_objects(tmp_path: Path) -> None:
    class Halve(L.Layer):
        def __init__(self, by: float = 0.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.by = by

        def call(self, x: Any) -> Any:
            return x * self.by

    def change(layers: list[dict[str, Any]]) -> None:
        _swap(6, "Mine>Halve", by=0.5)(layers)
        layers[6]["registered_name"] = "Mine>Halve"
        layers[6]["inbound_nodes"][0]["args"].pop()

    path = kw.keras3_file(tmp_path / "m.keras", kw.weights(), changed(change))
    with pytest.raises(UnsupportedError, match="Halve"):
        fc.io.load_keras(path)
    same(fc.io.load_keras(path, {"Halve": Halve}), reference())


def test_sequential_models(tmp_path: Path) -> None:
    def described(shape_in: str) -> Any:
        dense = {"class_name": "Dense", "config": {"name": "d", "units": 2}}
        layers: list[Any] = [{"class_name": "Flatten", "config": {"name": "f"}}, dense]
        config: dict[str, Any] = {"name": "seq", "layers": layers}
        if shape_in == "input":
            given = {"batch_shape": [None, 3, 1], "name": "i"}
            layers.insert(0, {"class_name": "InputLayer", "config": given})
        elif shape_in == "first":
            layers[0]["config"]["batch_input_shape"] = [None, 3, 1]
        else:
            config["build_input_shape"] = [None, 3, 1]
        return {"class_name": "Sequential", "config": config}

    arrays = {"kernel": np.ones((3, 2), np.float32), "bias": np.float32([1, 2])}
    for shape_in in ("input", "first", "build"):
        path = tmp_path / f"{shape_in}.h5"
        model = fc.io.load_keras(kw.keras2_file(path, {"d": arrays}, described(shape_in)))
        assert type(model) is fc.Sequential and model.name == "seq"
        np.testing.assert_array_equal(model(np.ones((1, 3, 1))), [[4, 5]])
    bare = {**described("first"), "config": described("first")["config"]["layers"]}
    model = fc.io.load_keras(kw.keras2_file(tmp_path / "bare.h5", {"d": arrays}, bare))
    np.testing.assert_array_equal(model(np.ones((1, 3, 1))), [[4, 5]])


def test_archives_are_checked(tmp_path: Path) -> None:
    good = kw.keras3_file(tmp_path / "m.keras", kw.weights(), kw.KERAS_3)
    with zipfile.ZipFile(good) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}

    def write(**changes: bytes | None) -> Path:
        path = tmp_path / "changed.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in {**entries, **changes}.items():
                if data is not None:
                    archive.writestr(name, data)
        return path

    same(fc.io.load_keras(write()), reference())
    for key, data in (
        ("model.weights.h5", None),
        ("model.weights.h5", b"nothing"),
        ("model.weights.h5", bytes(64 * 2**20)),
        ("config.json", b"{"),
        ("config.json", b"[" * 100_000),
        ("config.json", b"[]"),
        ("config.json", json.dumps({"class_name": "Dense", "config": {"units": 2}}).encode()),
    ):
        with pytest.raises(FileFormatError):
            fc.io.load_keras(write(**{key: data}))


def test_applications_take_files_of_keras(tmp_path: Path) -> None:
    model = fc.applications.VGG16(include_top=False, input_shape=(32, 32, 3))
    rng = np.random.default_rng(0)
    layers = {
        layer.name: {
            "kernel": rng.random(layer.kernel.shape, np.float32).astype(np.float16),
            "bias": np.ones(layer.kernel.shape[-1], np.float32),
        }
        for layer in model.layers
        if layer.weights
    }
    path = kw.keras2_file(tmp_path / "vgg.h5", layers)
    model.load_weights(path)
    last = model.get_layer("block5_conv3")
    np.testing.assert_array_equal(
        last.kernel.numpy(), layers["block5_conv3"]["kernel"].astype(np.float32)
    )
    top = {"predictions": {"kernel": np.ones((2, 2), np.float32)}}
    path = kw.keras2_file(tmp_path / "top.h5", {**layers, **top})
    loaded = fc.applications.VGG16(include_top=False, weights=path)
    np.testing.assert_array_equal(loaded.get_weights()[-2], last.kernel.numpy())
    with pytest.raises(FileFormatError, match="block5_conv4"):
        fc.applications.VGG19(include_top=False, weights=path)
