"""Weights of the applications: found, translated, checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications import weights
from fastcnn.errors import FileFormatError, MissingWeightsError, ShapeError
from fastcnn.io import save_safetensors

pytest.importorskip("safetensors", reason="writes the files")

Tensors = dict[str, np.ndarray]


@pytest.fixture
def tensors() -> Tensors:
    """Random weights of SqueezeNet without the top, by their names."""
    model = fc.applications.SqueezeNet(include_top=False)
    return {variable.path: variable.numpy() for variable in model.weights}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Tensors], Path]:
    def write(tensors: Tensors) -> Path:
        save_safetensors(tmp_path / "weights.safetensors", tensors)
        return tmp_path / "weights.safetensors"

    return write


def load(path: Path) -> fc.Model:
    return fc.applications.SqueezeNet(include_top=False, weights=path)


def test_half_precision_becomes_float32(tensors: Tensors, write: Callable[[Tensors], Path]) -> None:
    half = {name: array.astype(np.float16) for name, array in tensors.items()}
    for variable in load(write(half)).weights:
        assert variable.dtype == "float32"
        np.testing.assert_array_equal(variable.numpy(), half[variable.path].astype(np.float32))


def test_what_a_model_saves(tmp_path: Path) -> None:
    model = fc.applications.SqueezeNet()
    model.save_weights(tmp_path / "saved.safetensors")
    again = fc.applications.SqueezeNet(weights=tmp_path / "saved.safetensors")
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_top_of_a_file_is_left_out(tensors: Tensors, write: Callable[[Tensors], Path]) -> None:
    tensors["conv10/kernel"] = np.zeros((1, 1, 512, 1000), np.float32)
    tensors["conv10/bias"] = np.zeros(1000, np.float32)
    assert len(load(write(tensors)).weights) == len(tensors) - 2


def test_missing_and_unknown_names(tensors: Tensors, write: Callable[[Tensors], Path]) -> None:
    tensors["fire9/bias"] = tensors.pop("fire2_squeeze/bias")
    with pytest.raises(FileFormatError, match="missing: fire2_squeeze/bias; unknown: fire9/bias"):
        load(write(tensors))
    with pytest.raises(FileFormatError, match=r"missing: conv1/kernel, .* and 45 more"):
        load(write({}))


def test_a_name_twice(tensors: Tensors, write: Callable[[Tensors], Path]) -> None:
    tensors["features.0.bias"] = tensors["conv1/bias"]  # torch's name of the same
    with pytest.raises(FileFormatError, match=r"unknown: (conv1/bias|features\.0\.bias)"):
        load(write(tensors))


def test_integers_are_no_weights(tensors: Tensors, write: Callable[[Tensors], Path]) -> None:
    tensors["conv1/bias"] = tensors["conv1/bias"].astype(np.int32)
    with pytest.raises(FileFormatError, match="conv1/bias"):
        load(write(tensors))


def test_wrong_shapes(tensors: Tensors, write: Callable[[Tensors], Path]) -> None:
    tensors["conv1/kernel"] = tensors["conv1/kernel"][..., :-1]
    with pytest.raises(ShapeError, match=r"conv1/kernel: expected \(3, 3, 3, 64\), got .*63\)"):
        load(write(tensors))


def test_a_refused_file_changes_nothing(tensors: Tensors, write: Callable[[Tensors], Path]) -> None:
    model = fc.applications.SqueezeNet(include_top=False)
    before = model.get_weights()
    tensors["conv1/kernel"] = tensors["conv1/kernel"][..., :-1]
    with pytest.raises(ShapeError):
        weights.load_into(model, write(tensors))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_torchvisions_resnet50_does_not_fit(write: Callable[[Tensors], Path]) -> None:
    """Its convolutions have no biases, and another one has the stride."""
    path = write({"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)})
    with pytest.raises(FileFormatError, match="missing: conv1_conv/bias"):
        fc.applications.ResNet50(weights=path)


def test_torchs_file_of_other_shapes(write: Callable[[Tensors], Path]) -> None:
    model = fc.applications.EfficientNetLite0(include_top=False)
    state = {v.path.replace("/", "."): v.numpy() for v in model.weights}
    renamed = {"gamma": "weight", "kernel": "weight", "beta": "bias"}
    renamed |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    torch = {}
    for name, array in state.items():
        layer, leaf = name.split(".")
        if array.ndim == 4:
            array = array.transpose((2, 3, 0, 1) if layer.endswith("dwconv") else (3, 2, 0, 1))
        torch[f"{layer}.{renamed[leaf]}"] = np.ascontiguousarray(array)
    path = write(torch)
    weights.load_into(model, path, layer_of=lambda layer: layer)
    for v in model.weights:
        np.testing.assert_array_equal(v.numpy(), state[v.path.replace("/", ".")])
    torch["block1a_dwconv.weight"] = np.zeros((31, 1, 3, 3), np.float32)
    with pytest.raises(ShapeError, match=r"block1a_dwconv/kernel: .* got \(3, 3, 31, 1\)"):
        weights.load_into(model, write(torch))


def test_imagenet_comes_from_home(
    tensors: Tensors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCNN_HOME", str(tmp_path))
    with pytest.raises(MissingWeightsError, match=r"torchvision.*squeezenet_imagenet"):
        fc.applications.SqueezeNet(include_top=False, weights="imagenet")
    save_safetensors(tmp_path / "squeezenet_imagenet.safetensors", tensors)
    model = fc.applications.SqueezeNet(include_top=False, weights="imagenet")
    np.testing.assert_array_equal(model.weights[0].numpy(), tensors[model.weights[0].path])


def test_recipes_are_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_HOME", str(tmp_path))
    for name in ("resnet50", "vgg16", "resnet18"):
        with pytest.raises(MissingWeightsError) as error:
            weights.find(name)
        command = str(error.value).partition("get them with: ")[2]
        program = command.removeprefix('python -c "').removesuffix('"')
        compile(program, "recipe", "exec")
        assert str(tmp_path / f"{name}_imagenet.safetensors") in program
    with pytest.raises(MissingWeightsError, match="no weights for ImageNet are known"):
        weights.find("zfnet")


def test_a_changed_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = weights.PRETRAINED["efficientnet_lite0"]
    file = tmp_path / known.package / known.file
    file.parent.mkdir(parents=True)
    (tmp_path / known.package / "__init__.py").write_text("raise AssertionError('imported')")
    file.write_bytes(b"something else")
    monkeypatch.setenv("FASTCNN_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FileFormatError, match="SHA-256"):
        weights.find("efficientnet_lite0")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError):
        load(tmp_path / "none.safetensors")
