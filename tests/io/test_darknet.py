"""Darknet's networks give what OpenCV computes of the same files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.detection import Head
from fastcnn.errors import ConfigError, FileFormatError, MissingWeightsError, UnsupportedError
from fastcnn.io import load_darknet
from tests.io.darknet_writer import NETWORKS, conv, net, section, write
from tests.shared_data import shared_path

OPENCV_EPSILON = 1e-6


def opencv_outputs(cfg: Path, weights: Path, x: np.ndarray, model: fc.Model) -> list[np.ndarray]:
    """What enters the heads, or leaves the last layer, in OpenCV."""
    cv2 = pytest.importorskip("cv2", reason="an independent reader of Darknet's files")
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip("OpenCV 5 no longer reads Darknet's files")
    net = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    net.setInput(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    if not model.heads:
        return [net.forward().reshape(1, -1)]
    names = [output.node.layer.name for output in model.outputs]
    return [y.transpose(0, 2, 3, 1) for y in net.forward(names)]


def compare(cfg: Path, weights: Path, tolerance: float) -> fc.Model:
    model = load_darknet(cfg, weights, epsilon=OPENCV_EPSILON)
    x = np.random.default_rng(1).random((1, *model.input_shape[1:]), np.float32)
    ours = model.predict(x)
    theirs = opencv_outputs(cfg, weights, x, model)
    for a, b in zip(ours if isinstance(ours, list) else [ours], theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_against_opencv(name: str, tmp_path: Path) -> None:
    compare(*write(tmp_path, name), tolerance=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_against_what_opencv_computed(name: str, tmp_path: Path) -> None:
    """Where it is not installed: its results are kept."""
    cfg, weights = write(tmp_path, name)
    model = load_darknet(cfg, weights, epsilon=OPENCV_EPSILON)
    x = np.random.default_rng(1).random((1, *model.input_shape[1:]), np.float32)
    ours = model.predict(x)
    with np.load(Path(__file__).parent / "graphs" / "darknet.npz") as file:
        for i, y in enumerate(ours if isinstance(ours, list) else [ours]):
            expected = file[f"{name}.{i}"]
            np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["yolo-fastest-1.1", "yolo-fastest-1.1-xl"])
def test_yolo_fastest(name: str) -> None:
    folder = shared_path("weights", "yolo_fastest")
    model = compare(folder / f"{name}.cfg", folder / f"{name}.weights", tolerance=1e-5)
    assert model.output_shape == [(None, 10, 10, 255), (None, 20, 20, 255)]
    assert [head.softmax for head in model.heads] == [False, False]
    assert model.heads[1].anchors == ((12, 18), (37, 49), (52, 132))
    assert not any("transpose" in layer.name for layer in model.layers)


def test_heads_are_saved(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    cfg, weights = write(tmp_path, "yolov2")
    model = load_darknet(cfg, weights)
    assert model.name == "yolov2"
    assert model.heads == [
        Head(classes=2, anchors=((0.57 * 4, 0.67 * 4), (1.87 * 4, 2.06 * 4)), softmax=True)
    ]
    model.save(tmp_path / "model.fastcnn")
    again = fc.load_model(tmp_path / "model.fastcnn")
    assert again.heads == model.heads
    x = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"classes": -1, "anchors": [[1, 1]]}, "expected an integer >= 0, got -1"),
        ({"classes": 1, "anchors": []}, "expected at least one"),
        ({"classes": 1, "anchors": [[0, 1]]}, "expected positive sizes"),
        ({"kind": "yolo"}, "kind"),
        ("head", "expected a description, got str"),
    ],
)
def test_damaged_heads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: object, message: str
) -> None:
    pytest.importorskip("safetensors")
    model = load_darknet(*write(tmp_path, "yolov2"))
    monkeypatch.setattr(Head, "get_config", lambda head: written)
    model.save(tmp_path / "model.fastcnn")
    with pytest.raises(FileFormatError, match=message):
        fc.load_model(tmp_path / "model.fastcnn")


def test_what_is_no_head_is_not_saved(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = load_darknet(*write(tmp_path, "yolov2"))
    model.heads = [{"classes": 2}]  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="heads: expected a Head, got dict"):
        model.save(tmp_path / "model.fastcnn")


def test_weights_are_weights_of_layers(tmp_path: Path) -> None:
    cfg, weights = write(tmp_path, "yolov4-tiny")
    model = load_darknet(cfg, weights)
    assert 4 * model.count_params() == weights.stat().st_size - 20
    assert {"conv_0/kernel", "bn_0/gamma"} < {w.path for w in model.trainable_weights}
    kinds = {layer.name: type(layer).__name__ for layer in model.layers}
    assert kinds["conv_4"] == "DepthwiseConv2D" and kinds["conv_5"] == "Conv2D"


@pytest.mark.parametrize("kind", ["relu6", "tanh", "swish"])
def test_activations(kind: str, tmp_path: Path) -> None:
    """OpenCV does not know all."""
    (tmp_path / "net.cfg").write_text(net(8) + conv(4, activation=kind))
    model = load_darknet(tmp_path / "net.cfg")
    x = 9 * np.random.default_rng(0).standard_normal((1, 8, 8, 3), np.float32)
    y = fc.Model(model.input, model.get_layer("bn_0").output).predict(x)
    known = {
        "relu6": np.clip(y, 0, 6), "tanh": np.tanh(y), "swish": y / (1 + np.exp(-y)),
    }  # fmt: skip
    np.testing.assert_allclose(model.predict(x), known[kind], rtol=1e-5, atol=1e-6)


def test_another_size(tmp_path: Path) -> None:
    cfg, weights = write(tmp_path, "yolov3-tiny")
    model = load_darknet(cfg, weights, input_shape=(None, None, 3))
    assert model.predict(np.zeros((1, 96, 128, 3), np.float32))[1].shape == (1, 48, 64, 21)


def test_the_number_of_epsilon(tmp_path: Path) -> None:
    cfg, weights = write(tmp_path, "classifier")
    norms = [layer for layer in load_darknet(cfg, weights).layers if layer.name.startswith("bn")]
    assert {norm.epsilon for norm in norms} == {1e-5}


def test_an_older_header(tmp_path: Path) -> None:
    cfg, weights = write(tmp_path, "alexnet")
    weights.write_bytes(struct.pack("<iiii", 0, 1, 0, 7) + weights.read_bytes()[20:])
    a = load_darknet(cfg, weights).get_weights()
    b = load_darknet(*write(tmp_path, "alexnet")).get_weights()
    for ours, theirs in zip(a, b, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", FileFormatError, "begins with"),
        (conv(3), FileFormatError, "begins with"),
        (net(), FileFormatError, "sections after"),
        (net() + "filters", FileFormatError, "expected .section."),
        (net() + conv(0), FileFormatError, r"section 0 \[convolutional\]: filters: .*got 0"),
        (net() + conv(1e9), FileFormatError, "filters"),
        (net() + conv("x"), FileFormatError, "filters: expected a number"),
        (net() + conv(4) + conv(65536, 255, groups=1), FileFormatError, "more than the"),
        (net() + conv(4, groups=2), FileFormatError, "3 channels in 2 groups"),
        (net() + section("route", "layers=3"), FileFormatError, "refers to the layer 3"),
        (net() + section("route", "layers=-2"), FileFormatError, "refers to the layer -2"),
        (net() + section("route"), FileFormatError, "numbers of layers"),
        (net() + conv(4) + section("reorg", stride=3), FileFormatError, "stride 3"),
        (net() + section("yolo", "anchors=1,2,3"), FileFormatError, "anchors: expected pairs"),
        (net() + section("yolo", "anchors=1,2", "mask=1"), FileFormatError, "mask"),
        (net() + section("yolo", "anchors=1,2"), FileFormatError, r"1 anchors x \(5 \+ 20\)"),
        (net() + section("lstm"), UnsupportedError, r"section 0 \[lstm\]"),
        (net() + conv(4, xnor=1), UnsupportedError, "xnor"),
        (net() + conv(4, activation="stair"), UnsupportedError, "stair"),
        (net() + conv(4) + conv(5) + section("shortcut", "from=-2"), UnsupportedError, "shapes"),
        (net() + conv(4, 9, pad=0) * 5, FileFormatError, "window|kernel"),
    ],
)
def test_refused(text: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    (tmp_path / "refused.cfg").write_text(text)
    with pytest.raises(error, match=message) as caught:
        load_darknet(tmp_path / "refused.cfg")
    assert "refused.cfg" in str(caught.value)


def test_weights_of_another_configuration(tmp_path: Path) -> None:
    cfg, weights = write(tmp_path, "alexnet")
    data = weights.read_bytes()
    weights.write_bytes(data[:-4])
    with pytest.raises(FileFormatError, match=r"alexnet.weights: .*more than the \d+ there can be"):
        load_darknet(cfg, weights)
    weights.write_bytes(data + bytes(8))
    with pytest.raises(FileFormatError, match="2 numbers are left"):
        load_darknet(cfg, weights)
    weights.write_bytes(data[:10])
    with pytest.raises(FileFormatError, match="cut off"):
        load_darknet(cfg, weights)
    with pytest.raises(MissingWeightsError):
        load_darknet(cfg, tmp_path / "none.weights")
