"""Files of every format: what is in them, and as what else they can be written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, FileFormatError, MissingFileError, UnsupportedError
from fastcnn.io import convert, inspect, load_safetensors, load_weights_file
from fastcnn.io.formats import format_of
from tests.cli.conftest import Run, run  # noqa: F401 - a fixture
from tests.io import darknet_writer, dlib_writer, test_dlib, test_graphdef

pytest.importorskip("safetensors", reason="what is converted to")

GRAPHS = Path(__file__).parent / "graphs"


@pytest.fixture
def model() -> fc.Model:
    layers = [fc.layers.Conv2D(4, 3, name="conv"), fc.layers.ReLU(), fc.layers.Flatten()]
    return fc.Sequential([fc.Input((8, 8, 3), name="x"), *layers], name="small")


@pytest.fixture
def files(tmp_path: Path, model: fc.Model) -> dict[str, Path]:
    """A file of each format that needs nothing to be written."""
    model.save(tmp_path / "model.fastcnn")
    model.save_weights(tmp_path / "weights.bin")
    (tmp_path / "network.dat").write_bytes(test_dlib.small()[0])
    cfg, weights = darknet_writer.write(tmp_path, "yolov4-tiny")
    folder = tmp_path / "nn4"
    folder.mkdir()
    (folder / "conv1_w.csv").write_text("1,2")
    return {
        "fastcnn": tmp_path / "model.fastcnn",
        "safetensors": tmp_path / "weights.bin",
        "dlib": tmp_path / "network.dat",
        "darknet": cfg,
        "darknet weights": weights,
        "tfjs": GRAPHS / "tfjs_layers" / "model.json",
        "tensorflow": GRAPHS / "by_hand.pb",
        "openface": folder,
    }


def test_formats_are_found(files: dict[str, Path]) -> None:
    for name, path in files.items():
        assert format_of(path).name == name.partition(" ")[0], path


def test_json_is_no_safetensors(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("[       {")
    assert format_of(tmp_path / "model.json").name == "tfjs"


def test_unknown_formats(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no model")
    with pytest.raises(FileFormatError, match=r"expected safetensors, .*got b.no model"):
        inspect(tmp_path / "text")
    with pytest.raises(MissingFileError, match="nothing"):
        inspect(tmp_path / "nothing")
    with pytest.raises(MissingFileError, match=r"this folder has no file conv1_w\.csv"):
        inspect(tmp_path)


def test_a_model(files: dict[str, Path]) -> None:
    report = inspect(files["fastcnn"])
    assert report.format == "fastcnn" and report.size == files["fastcnn"].stat().st_size
    assert report.model is not None and report.model.name == "small"
    assert list(report.model.inputs.values()) == [(None, 8, 8, 3)]
    assert list(report.model.outputs.values()) == [(None, 144)]
    assert report.model.layers == {"Conv2D": 1, "ReLU": 1, "Flatten": 1}
    assert report.parameters == report.model.parameters == 112
    assert [t.name for t in report.tensors] == ["conv/bias", "conv/kernel"]
    assert report.tensors[1].shape == (3, 3, 3, 4) and report.tensors[1].bytes == 432
    text = str(report)
    assert 'Model "small", 112 parameters' in text and "conv/kernel  float32  3x3x3x4" in text


@pytest.mark.parametrize("name", ["dlib", "darknet", "darknet weights", "tensorflow", "tfjs"])
def test_models_of_other_formats(name: str, files: dict[str, Path]) -> None:
    if name == "tensorflow":
        pytest.importorskip("google.protobuf")
    report = inspect(files[name])
    assert report.model is not None and report.problem is None and report.tensors
    assert json.loads(json.dumps(report.to_dict()))["format"] == name.partition(" ")[0]


def test_weights_alone(files: dict[str, Path]) -> None:
    report = inspect(files["safetensors"])
    assert report.model is None and report.problem is None and len(report.tensors) == 2


def test_a_model_that_cannot_be_made(tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf")
    path = tmp_path / "graph.pb"
    path.write_bytes(test_graphdef.graph_of("Einsum", "x", test_graphdef.VECTOR))
    report = inspect(path)
    assert report.model is None and "Einsum 'y'" in (report.problem or "")
    assert [t.name for t in report.tensors] == ["c1"] and "No model: " in str(report)
    path = tmp_path / "network.dat"
    path.write_bytes(dlib_writer.network(dlib_writer.text("bn_con2")))
    with pytest.raises(UnsupportedError):
        inspect(path)


# ---- converting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fastcnn", "dlib", "darknet", "tfjs"])
def test_to_fastcnn(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    convert(files[name], tmp_path / "converted.fastcnn")
    again = fc.load_model(tmp_path / "converted.fastcnn")
    original = format_of(files[name]).load_model(files[name])
    x = np.random.default_rng(0).random((1, *original.input_shape[1:]), np.float32)
    ours, theirs = again.predict(x), original.predict(x)
    for a, b in zip(
        *([y] if isinstance(y, np.ndarray) else y for y in (ours, theirs)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert again.heads == original.heads


@pytest.mark.parametrize("name", ["fastcnn", "dlib", "darknet", "tensorflow"])
def test_to_onnx(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "converted.onnx"
    convert(files[name], path)
    model = format_of(files[name]).load_model(files[name])
    x = np.random.default_rng(0).random((2, *model.input_shape[1:]), np.float32)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result = session.run(None, {session.get_inputs()[0].name: x})[0]
    expected = model.predict(x)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * scale)
    report = inspect(path)
    assert report.format == "onnx" and report.model is not None


def test_to_weights(files: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "converted.safetensors"
    convert(files["dlib"], target, weights_only=True)
    arrays, expected = load_safetensors(target), load_weights_file(files["dlib"])
    assert arrays.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(arrays[key], array)
    convert(files["safetensors"], target)  # it has no model
    assert load_safetensors(target).keys() == {"conv/kernel", "conv/bias"}
    convert(files["darknet"], target, weights_only=True)  # its weights have no names
    assert "conv_0/kernel" in load_safetensors(target)


def test_weights_of_an_application(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = fc.applications.SqueezeNet()
    state = {
        v.path.replace("/kernel", ".weight").replace("/", "."): torch.from_numpy(
            np.ascontiguousarray(v.numpy().transpose(3, 2, 0, 1)) if v.numpy().ndim == 4
            else v.numpy()
        )
        for v in model.weights
    }  # fmt: skip
    torch.save(state, tmp_path / "squeezenet.pth")
    convert(tmp_path / "squeezenet.pth", tmp_path / "model.fastcnn", application="squeezenet")
    again = fc.load_model(tmp_path / "model.fastcnn")
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_refused(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.fastcnn, \.onnx, \.safetensors"):
        convert(files["fastcnn"], tmp_path / "model.pth")
    with pytest.raises(FileFormatError, match=r"safetensors holds weights alone; .*application="):
        convert(files["safetensors"], tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match="weights alone"):
        convert(files["fastcnn"], tmp_path / "model.onnx", weights_only=True)
    assert not list(tmp_path.glob("model.onnx")) and not list(tmp_path.glob("model.pth"))


# ---- the command ---------------------------------------------------------------------------------


def test_commands(run: Run, files: dict[str, Path], tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("typer")
    code, out, err = run("inspect", files["fastcnn"], "--json")
    assert code == 0 and err == "" and json.loads(out)["parameters"] == 112
    code, out, _ = run("inspect", files["dlib"])
    assert code == 0 and 'Model "network"' in out and "fc_1/kernel" in out
    code, out, _ = run("convert", files["dlib"], tmp_path / "encoder.fastcnn")
    assert code == 0 and "encoder.fastcnn" in out and (tmp_path / "encoder.fastcnn").exists()
    code, out, err = run("convert", files["dlib"], tmp_path / "encoder.pth")
    assert code == 2 and err.startswith("fastcnn: ") and ".onnx" in err
    for command in ("inspect", "convert"):
        code, out, _ = run(command, "--help")
        assert code == 0 and f"fastcnn {command} " in out and "Examples" in out
