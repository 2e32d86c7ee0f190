"""TensorFlow.js' models: what its converter wrote gives what Keras computes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.detection import Detector, heads_from_anchors
from fastcnn.errors import FileFormatError, MissingWeightsError, UnsupportedError
from fastcnn.io import load_tfjs, load_weights_file
from tests.shared_data import shared_path

GRAPHS = Path(__file__).parent / "graphs"


def picture() -> np.ndarray:
    with np.load(GRAPHS / "keras.npz") as file:
        return np.asarray(file["x"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("tfjs_layers", "tfjs_layers/expected.npz"), ("tfjs_graph", "keras.npz")],
)
def test_against_keras(name: str, expected: str) -> None:
    """The weights of the layers model are of 8 bits; the graph's are in two shards."""
    if name == "tfjs_graph":
        pytest.importorskip("google.protobuf")
    model = load_tfjs(GRAPHS / name / "model.json")
    results = model.predict(picture())
    with np.load(GRAPHS / expected) as file:
        for ours, key in zip(results, ("y", "y2"), strict=True):
            np.testing.assert_allclose(ours, file[key], rtol=0, atol=1e-6)


def test_layers_keep_their_names() -> None:
    model = load_tfjs(GRAPHS / "tfjs_layers" / "model.json")
    assert {"conv2d", "batch_normalization", "depthwise_conv2d"} < {x.name for x in model.layers}


def manifest(folder: Path, weights: list[dict[str, Any]], data: bytes, **changes: Any) -> Path:
    group = {"paths": ["shard.bin"], "weights": weights, **changes}
    (folder / "model.json").write_text(json.dumps({"weightsManifest": [group]}))
    (folder / "shard.bin").write_bytes(data)
    return folder / "model.json"


def test_quantised_weights(tmp_path: Path) -> None:
    codes = np.array([0, 1, 200], np.uint8)
    wide = np.array([0, 65535], "<u2")
    half = np.array([0.5, -2.0], "<f2")
    plain = np.array([1, -1], "<i4")
    described = [
        ("codes", [3], "float32", {"dtype": "uint8", "scale": 0.5, "min": -3.0}),
        ("wide", [1, 2], "float32", {"dtype": "uint16", "scale": 1e-3, "min": 1.0}),
        ("half", [2], "float32", {"dtype": "float16"}),
        ("plain", [2, 1], "int32", None),
        ("number", [], "int32", {"dtype": "uint8", "scale": 2.0, "min": 1.0}),
    ]
    entries: list[dict[str, Any]] = [
        {"name": n, "shape": s, "dtype": d, **({"quantization": q} if q else {})}
        for n, s, d, q in described
    ]
    data = codes.tobytes() + wide.tobytes() + half.tobytes() + plain.tobytes() + b"\3"
    arrays = load_weights_file(manifest(tmp_path, entries, data))
    np.testing.assert_array_equal(arrays["codes"], np.array([-3, -2.5, 97], np.float32))
    np.testing.assert_allclose(arrays["wide"], [[1, 66.535]], rtol=1e-6)
    np.testing.assert_array_equal(arrays["half"], np.array([0.5, -2.0], np.float32))
    np.testing.assert_array_equal(arrays["plain"], [[1], [-1]])
    assert arrays["number"] == 7 and arrays["number"].dtype == np.int32


WEIGHT = {"name": "w", "shape": [2], "dtype": "float32"}


@pytest.mark.parametrize(
    ("weights", "changes", "error", "message"),
    [
        ([WEIGHT], {"paths": ["../shard.bin"]}, FileFormatError, "beside this one"),
        ([WEIGHT], {"paths": ["/etc/passwd"]}, FileFormatError, "beside this one"),
        ([WEIGHT], {"paths": [7]}, FileFormatError, "beside this one"),
        ([WEIGHT], {"paths": ["none.bin"]}, MissingWeightsError, "none.bin"),
        ([WEIGHT, WEIGHT], {}, FileFormatError, "two weights"),
        ([WEIGHT | {"shape": [3]}], {}, FileFormatError, "cut off, 4 bytes"),
        ([WEIGHT | {"shape": [1]}], {}, FileFormatError, "expected 4 bytes of weights, got 8"),
        ([WEIGHT | {"shape": [2**50]}], {}, FileFormatError, "expected a shape"),
        ([WEIGHT | {"shape": [-2]}], {}, FileFormatError, "expected a shape"),
        ([WEIGHT | {"dtype": "string"}], {}, UnsupportedError, "'string'"),
        ([WEIGHT | {"quantization": {"dtype": "uint8"}}], {}, FileFormatError, "scale"),
        ([WEIGHT | {"quantization": {"dtype": "int32"}}], {}, UnsupportedError, "int32"),
        (["w"], {}, FileFormatError, "description"),
    ],
)
def test_refused(
    weights: Any, changes: Any, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = manifest(tmp_path, weights, bytes(8), **changes)
    with pytest.raises(error, match=message):
        load_weights_file(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "weights alone"),
        ('{"modelTopology": {}}', "weightsManifest"),
        ('{"modelTopology": {}, "weightsManifest": []}', "class_name"),
        ('{"modelTopology": {"node": [{"op": 7}]}, "weightsManifest": []}', "graph of TensorFlow"),
        (
            '{"modelTopology": {"model_config": {"class_name": "Lambda", "config": {}}}, '
            '"weightsManifest": []}',
            "Lambda",
        ),
    ],
)
def test_no_models(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises((FileFormatError, UnsupportedError), match=message) as caught:
        load_tfjs(tmp_path / "model.json")
    assert "model.json" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("other/gamma", "the model lacks: other"), ("gamma", "a layer and a weight, got 'gamma'")],
)
def test_weights_of_another_model(name: str, message: str, tmp_path: Path) -> None:
    folder = shutil.copytree(GRAPHS / "tfjs_layers", tmp_path / "model")
    description = json.loads((folder / "model.json").read_text())
    description["weightsManifest"][0]["weights"][0]["name"] = name
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(FileFormatError, match=rf"model\.json: .*{message}"):
        load_tfjs(folder / "model.json")


# ---- a real one ----------------------------------------------------------------------------------

_FACES = [[1.603231, 2.094468], [6.041143, 7.080126], [2.882459, 3.518061],
          [4.266906, 5.178857], [9.041765, 10.66308]]  # fmt: skip


def face_detector() -> fc.Model:
    """Tiny YOLOv2 of separable convolutions, whose topology is in face-api.js' code."""
    name = "tiny_face_detector_model-weights_manifest.json"
    arrays = load_weights_file(shared_path("weights", "tiny_yolov2_face", name))
    x = image = fc.Input((416, 416, 3))
    x = layers.Rescaling(1.0, np.array([117.001, 114.697, 97.404], np.float32) / -255)(x)
    x = layers.LeakyReLU(0.1)(layers.Conv2D(16, 3, name="conv0")(x))
    x = layers.MaxPooling2D(2, 2, padding="same")(x)
    for number, filters in enumerate((32, 64, 128, 256, 512), 1):
        x = layers.SeparableConv2D(filters, 3, padding="same", name=f"conv{number}")(x)
        x = layers.LeakyReLU(0.1)(x)
        x = layers.MaxPooling2D(2, 2 if number < 5 else 1, padding="same")(x)
    model = fc.Model(image, layers.Conv2D(25, 1, name="conv8")(x))
    for layer in model.layers:
        if own := [a for key, a in arrays.items() if key.startswith(f"{layer.name}/")]:
            layer.set_weights(own)
    model.heads = heads_from_anchors(model, _FACES, cells=True)
    return model


def test_a_face_is_found() -> None:
    data = pytest.importorskip("skimage.data")
    (found,) = Detector(face_detector())(data.astronaut(), score_threshold=0.5)
    face = np.array([[165, 75, 280, 190]])  # seen by eye
    assert len(found) == 1 and found.scores[0] > 0.9 and found.name(0) == "0"
    assert fc.ops.box_iou(found.boxes, face)[0, 0] > 0.8
