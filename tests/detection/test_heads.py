"""Heads mean what OpenCV, which reads Darknet's files by itself, takes them for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.detection import Head, decode, heads_from_anchors
from fastcnn.errors import ConfigError, ShapeError
from tests.io.darknet_writer import NETWORKS, write
from tests.shared_data import shared_path

OPENCV_EPSILON = 1e-6  # in its batch normalisation


def opencv_boxes(cfg: Path, weights: Path, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (x1, y1, x2, y2) in pixels of the input and scores, from OpenCV's last layers."""
    cv2 = pytest.importorskip("cv2", reason="an independent reader of Darknet's files")
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip("OpenCV 5 no longer reads Darknet's files")
    net = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    net.setInput(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    rows = np.concatenate(net.forward(net.getUnconnectedOutLayersNames()))
    height, width = x.shape[1:3]
    boxes = fc.ops.box_convert(rows[:, :4], "rel_cxcywh", "xyxy", (height, width))
    return boxes, rows[:, 5:]


def compare(cfg: Path, weights: Path, x: np.ndarray) -> None:
    model = fc.io.load_darknet(cfg, weights, epsilon=OPENCV_EPSILON)
    boxes, scores = decode(model.predict(x), model.heads, x.shape[1:3])
    expected_boxes, expected_scores = opencv_boxes(cfg, weights, x)
    size = np.abs(expected_boxes).max()
    np.testing.assert_allclose(boxes[0], expected_boxes, rtol=0, atol=1e-4 * size)
    told = expected_scores > 0  # OpenCV gives 0 for what is not sure, or what it suppresses
    assert told.sum() >= 5
    np.testing.assert_allclose(scores[0][told], expected_scores[told], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["yolov2", "yolov3-tiny", "yolov4-tiny"])
def test_decoding_is_opencvs(tmp_path: Path, name: str) -> None:
    cfg, weights = write(tmp_path, name)
    rng = np.random.default_rng(1)
    compare(cfg, weights, rng.random((1, 32, 32, 3), np.float32))


def test_decoding_of_activated_heads_is_opencvs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = NETWORKS["yolov3-tiny"]
    text = text.replace("activation=linear", "activation=logistic")
    text = text.replace("num=6", "num=6\nnew_coords=1\nscale_x_y=2.0")
    monkeypatch.setitem(NETWORKS, "activated", text)
    cfg, weights = write(tmp_path, "activated")
    rng = np.random.default_rng(1)
    assert [head.activated for head in fc.io.load_darknet(cfg).heads] == [True, True]
    compare(cfg, weights, rng.random((1, 32, 32, 3), np.float32))


def test_decoding_of_a_real_network_is_opencvs() -> None:
    folder = shared_path("weights", "yolo_fastest")
    image = fc.io.load_image(shared_path("data", "detection", "dog.jpg"))
    picture, _ = fc.detection.letterbox(image, (320, 320))
    name = "yolo-fastest-1.1-xl"
    compare(folder / f"{name}.cfg", folder / f"{name}.weights", picture[None] / np.float32(255))


def by_hand(output: np.ndarray, head: Head, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The formulas of the papers in float64, box by box."""

    def sigmoid(t: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-t))

    boxes, scores = [], []
    rows, columns, _ = output.shape
    for row in range(rows):
        for column in range(columns):
            for i, (width, height) in enumerate(head.anchors):
                t = output[row, column, i * (5 + head.classes) :][: 5 + head.classes]
                t = t.astype(np.float64)
                b = t[:5] if head.activated else np.array([*sigmoid(t[:2]), *t[2:4], sigmoid(t[4])])
                b[:2] = (b[:2] - 0.5) * head.scale_xy + 0.5
                x = (b[0] + column) * size[1] / columns
                y = (b[1] + row) * size[0] / rows
                grown = (2 * b[2:4]) ** 2 if head.activated else np.exp(b[2:4])
                w, h = grown * (width, height)
                boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
                classes = t[5:] if head.activated else sigmoid(t[5:])
                if head.softmax:
                    classes = np.exp(t[5:]) / np.exp(t[5:]).sum()
                scores.append(b[4] * classes if head.classes else b[4:5])
    return np.array(boxes), np.array(scores)


@pytest.mark.parametrize(
    "head",
    [
        Head(3, ((10, 20), (30, 15))),
        Head(3, ((10, 20), (30, 15)), softmax=True),
        Head(0, ((10, 20),)),
        Head(1, ((8, 9),), scale_xy=1.2),
        Head(2, ((8, 9), (3, 4)), scale_xy=2.0, activated=True),
    ],
)
def test_decoding_is_the_papers(head: Head) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, head.channels), dtype=np.float32)
    if head.activated:
        x = 1 / (1 + np.exp(-x))
    boxes, scores = decode(x, [head], (96, 160))
    for i in range(2):
        expected = by_hand(x[i], head, (96, 160))
        np.testing.assert_allclose(boxes[i], expected[0], rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(scores[i], expected[1], rtol=1e-5, atol=1e-6)


def test_decoding_can_be_part_of_a_model() -> None:
    model = fc.applications.YOLOv3Tiny(input_shape=(32, 64, 3), classes=2)
    whole = fc.Model(model.input, decode(model.outputs, model.heads, (32, 64)))
    x = np.random.default_rng(0).random((2, 32, 64, 3), np.float32)
    expected = decode(model.predict(x), model.heads, (32, 64))
    for a, b in zip(whole.predict(x), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_heads_of_anchors() -> None:
    image = fc.Input((64, 96, 3))
    fine = fc.layers.Conv2D(12, 8, strides=8)(image)
    coarse = fc.layers.Conv2D(12, 32, strides=32)(image)
    anchors = [(1, 2), (3, 4), (5, 6), (7, 8)]
    one, two = heads_from_anchors(fc.Model(image, [coarse, fine]), anchors)
    assert one.anchors == ((5, 6), (7, 8)) and two.anchors == ((1, 2), (3, 4))
    assert one.classes == 1 and not one.softmax
    (head,) = heads_from_anchors(fc.Model(image, coarse), [(1, 0.5), (2, 3)], cells=True)
    assert head.anchors == ((32, 16), (64, 96)) and head.softmax


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Head(-1, ((1, 1),)), ConfigError, "classes: expected an integer >= 0"),
        (lambda: Head(1, ()), ConfigError, "expected at least one"),
        (lambda: Head(1, ((1, np.nan),)), ConfigError, "expected positive sizes"),
        (lambda: Head(1, "two"), ConfigError, "expected pairs of numbers"),
        (lambda: Head(1, ((1, 1),), scale_xy="wide"), ConfigError, "scale_xy: expected a number"),
        (lambda: Head.from_config({"classes": 1}), ConfigError, "anchors"),
        (lambda: decode(np.zeros((1, 2, 2, 7)), [], (8, 8)), ConfigError, "for each of 0 heads"),
        (
            lambda: decode(np.zeros((1, 2, 2, 7)), [Head(1, ((1, 1),))], (8, 8)),
            ShapeError, r"\(n, rows, columns, 6\).* got \(1, 2, 2, 7\)",
        ),
        (
            lambda: decode([np.zeros(1)] * 2, [Head(1, ((1, 1),)), Head(2, ((1, 1),))], (8, 8)),
            ConfigError, r"the same classes, got \[1, 2\]",
        ),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
