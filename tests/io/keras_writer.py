"""Writes files in the layouts of Keras 2 and Keras 3, without Keras."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="writes HDF5 files")

Array = np.ndarray[Any, Any]
Layers = Mapping[str, Mapping[str, Array]]


def weights(seed: int = 0) -> dict[str, dict[str, Array]]:
    """Layers of the model that `KERAS_2` and `KERAS_3` describe."""
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> Array:
        return rng.uniform(0.1, 1, shape).astype(np.float32)

    return {
        "conv": {"kernel": some(3, 3, 2, 4), "bias": some(4)},
        "bn": {
            "gamma": some(4), "beta": some(4), "moving_mean": some(4), "moving_variance": some(4),
        },
        "depthwise": {"depthwise_kernel": some(3, 3, 4, 1), "bias": some(4)},
        "fc": {"kernel": some(4, 3), "bias": some(3)},
    }  # fmt: skip


def keras2_file(
    path: Path,
    layers: Layers,
    config: Any = None,
    form: str = "{layer}/{weight}:0",
    cut: bool = False,
) -> Path:
    """Write an ``.h5`` file: weights alone, or with a configuration the whole model.

    With `cut`, lists of names are cut into several attributes, as long ones are.
    """

    def note(group: Any, attribute: str, names: list[str]) -> None:
        if cut:
            for i, name in enumerate(names):
                group.attrs[f"{attribute}{i}"] = [name.encode()]
        else:
            group.attrs[attribute] = [name.encode() for name in names]

    with h5py.File(path, "w") as file:
        root = file
        file.attrs["keras_version"] = "2.11.0"
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
            root = file.create_group("model_weights")
        note(root, "layer_names", ["input", *layers])
        root.create_group("input").attrs["weight_names"] = []
        for layer, arrays in layers.items():
            group = root.create_group(layer)
            names = [form.format(layer=layer, weight=weight) for weight in arrays]
            note(group, "weight_names", names)
            for name, array in zip(names, arrays.values(), strict=True):
                group[name] = array
    return path


def keras3_weights(file: Any, layers: Layers, named: bool = True) -> None:
    """Write a ``.weights.h5`` file; the keys are those of `weights`'s classes."""
    classes = {"conv": "conv2d", "bn": "batch_normalization", "fc": "dense"}
    with h5py.File(file, "w") as root:
        root.create_group("vars")
        root.create_group("optimizer/vars")["0"] = np.int64(3)
        for layer, arrays in layers.items():
            variables = root.create_group(f"layers/{classes.get(layer, 'depthwise_conv2d')}/vars")
            if named:
                variables.attrs["name"] = layer
            for number, array in enumerate(arrays.values()):
                variables[str(number)] = array


def keras3_file(path: Path, layers: Layers, config: Any) -> Path:
    """Write a ``.keras`` file."""
    content = BytesIO()
    keras3_weights(content, layers)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", content.getvalue())
    return path


def _keras_2() -> dict[str, Any]:
    def layer(kind: str, name: str, *inbound: Any, **config: Any) -> dict[str, Any]:
        config = {"name": name, "trainable": True, "dtype": "float32", **config}
        nodes = [[[source, 0, 0, {}] for source in inbound]] if inbound else []
        return {"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes}

    initializer = {"class_name": "GlorotUniform", "config": {"seed": None}}
    return {
        "class_name": "Functional",
        "config": {
            "name": "small",
            "layers": [
                layer("InputLayer", "input", batch_input_shape=[None, 8, 8, 2], sparse=False),
                layer("Conv2D", "conv", "input", filters=4, kernel_size=[3, 3], padding="same",
                      activation="relu", kernel_initializer=initializer, groups=1,
                      data_format="channels_last", kernel_regularizer=None),
                layer("BatchNormalization", "bn", "conv", axis=[3], epsilon=0.001),
                layer("DepthwiseConv2D", "depthwise", "bn", kernel_size=[3, 3], padding="same"),
                layer("LeakyReLU", "leaky", "depthwise", alpha=0.1),
                layer("Add", "add", "leaky", "bn"),
                layer("TFOpLambda", "tf.math.multiply", function="math.multiply"),
                layer("GlobalAveragePooling2D", "pool", "tf.math.multiply"),
                layer("Dense", "fc", "pool", units=3, activation="softmax"),
            ],
            "input_layers": [["input", 0, 0]],
            "output_layers": [["fc", 0, 0]],
        },
    }  # fmt: skip


KERAS_2 = _keras_2()
KERAS_2["config"]["layers"][6]["inbound_nodes"] = [["add", 0, 0, {"y": 0.5, "name": None}]]


def _keras_3() -> dict[str, Any]:
    def tensor(name: str) -> dict[str, Any]:
        history = {"shape": [None], "dtype": "float32", "keras_history": [name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": history}

    def layer(
        kind: str, name: str, *args: Any, module: str = "keras.layers", **config: Any
    ) -> dict[str, Any]:
        policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
        config = {"name": name, "trainable": True, "dtype": policy, **config}
        if module != "keras.layers":
            config = {"name": name}
        return {
            "module": module, "class_name": kind, "config": config, "registered_name": None,
            "name": name, "inbound_nodes": [{"args": list(args), "kwargs": {"mask": None}}]
            if args else [],
        }  # fmt: skip

    initializer = {
        "module": "keras.initializers", "class_name": "GlorotUniform",
        "config": {"seed": None, "input_axes": None}, "registered_name": None,
    }  # fmt: skip
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": "small",
            "trainable": True,
            "layers": [
                layer("InputLayer", "input", batch_shape=[None, 8, 8, 2], ragged=False),
                layer("Conv2D", "conv", tensor("input"), filters=4, kernel_size=[3, 3],
                      padding="same", activation="relu", kernel_initializer=initializer),
                layer("BatchNormalization", "bn", tensor("conv"), renorm_momentum=0.99),
                layer("DepthwiseConv2D", "depthwise", tensor("bn"), kernel_size=[3, 3],
                      padding="same"),
                layer("LeakyReLU", "leaky", tensor("depthwise"), negative_slope=0.1),
                layer("Add", "add", [tensor("leaky"), tensor("bn")]),
                layer("Multiply", "multiply", tensor("add"), 0.5, module="keras.src.ops.numpy"),
                layer("GlobalAveragePooling2D", "pool", tensor("multiply")),
                layer("Dense", "fc", tensor("pool"), units=3, activation="softmax"),
            ],
            "input_layers": [["input", 0, 0]],
            "output_layers": [["fc", 0, 0]],
        },
    }  # fmt: skip


KERAS_3 = _keras_3()
