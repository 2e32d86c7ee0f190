"""From pictures of any kind to boxes in their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.detection import Detections, Detector, Head, Placement, letterbox, stretch, suppress
from fastcnn.errors import ConfigError, DTypeError, FileFormatError, MissingFileError, ShapeError
from tests.shared_data import shared_path

pytest.importorskip("PIL.Image", reason="resizes pictures")

SIZE = 64
CELL = 8


def spotter(classes: int = 2) -> fc.Model:
    """Finds red squares as class 0 and green ones as class 1, by the colour of cells of 8 pixels.

    Its one anchor is as large as two cells; a box's middle is the cell's.
    """
    image = fc.Input((SIZE, SIZE, 3))
    x = fc.layers.AveragePooling2D(CELL)(image)
    head = fc.layers.Conv2D(5 + classes, 1, name="head")
    model = fc.Model(image, head(x))
    kernel = np.zeros((1, 1, 3, 5 + classes), np.float32)
    bias = np.zeros(5 + classes, np.float32)
    kernel[0, 0, :2, 4], bias[4] = 40, -20  # an object is where red or green is
    for label in range(classes):
        kernel[0, 0, label, 5 + label], bias[5 + label] = 20, -10
    head.set_weights([kernel, bias])
    model.heads = [Head(classes, ((2 * CELL, 2 * CELL),))]
    model.class_names = ["red", "green"][:classes]
    return model


def scene(height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """A red square in the cell at (x, y) = (16, 24) and a green one at (48, 0)."""
    picture = np.zeros((height, width, 3), np.uint8)
    sy, sx = height / SIZE, width / SIZE
    picture[round(24 * sy) : round(32 * sy), round(16 * sx) : round(24 * sx), 0] = 255
    picture[: round(8 * sy), round(48 * sx) : round(56 * sx), 1] = 255
    return picture


WHERE = {"red": [12, 20, 28, 36], "green": [44, 0, 60, 12]}  # cut off at the border


def check(found: Detections, sx: float = 1.0, sy: float = 1.0) -> None:
    assert {found.name(i) for i in range(len(found))} == set(WHERE)
    assert len(found) == 2 and found.boxes.dtype == np.float32 and found.labels.dtype == np.int64
    for i in range(2):
        wanted = np.array(WHERE[found.name(i)]) * [sx, sy, sx, sy]
        np.testing.assert_allclose(found.boxes[i], wanted, atol=1e-3)
    assert (np.diff(found.scores) <= 0).all() and (found.scores > 0.9).all()


def test_pictures_files_batches_and_sequences(tmp_path: Path) -> None:
    detector = Detector(spotter())
    picture = scene()
    fc.io.save_image(tmp_path / "scene.png", picture)
    for images in (
        picture, str(tmp_path / "scene.png"), tmp_path / "scene.png", picture[None],
        picture.astype(np.float64), picture.astype(np.int64), [picture], (tmp_path / "scene.png",),
    ):  # fmt: skip
        (found,) = detector(images)
        check(found)
    many = detector([picture, tmp_path / "scene.png", np.zeros_like(picture)] * 3, batch_size=2)
    assert [len(found) for found in many] == [2, 2, 0] * 3
    assert detector([]) == []
    assert detector(np.zeros((0, 8, 8, 3), np.uint8)) == []


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("scale", [1, 4])
def test_boxes_are_in_pixels_of_the_picture(resize: str, scale: int) -> None:
    (found,) = Detector(spotter(), resize=resize)(scene(SIZE * scale, SIZE * scale))
    check(found, scale, scale)


def test_stretched_pictures_have_stretched_boxes() -> None:
    (found,) = Detector(spotter(), resize="stretch")(scene(2 * SIZE, 3 * SIZE))
    check(found, 3, 2)


def test_letterboxed_pictures_keep_proportions() -> None:
    wide = np.zeros((SIZE // 2, SIZE, 3), np.uint8)
    wide[8:16, 16:24, 0] = 255  # at y = 24 of the letterbox
    fills = []

    def preprocess(x: np.ndarray) -> np.ndarray:
        fills.append(x[0, 0, 0].tolist())
        return np.where(x == 128, 0, x) / np.float32(255)

    (found,) = Detector(spotter(), preprocess=preprocess)(wide)
    np.testing.assert_allclose(found.boxes, [[12, 4, 28, 20]], atol=1e-3)
    assert fills == [[128, 128, 128]]


@pytest.mark.parametrize("nms", ["hard", "soft", "soft_linear", "diou", "matrix", "wbf"])
def test_all_ways_of_suppression_leave_one_box_a_thing(nms: str) -> None:
    picture = scene()
    picture[24:32, 24:30, 0] = 255  # the neighbouring cell sees some red, too
    detector = Detector(spotter())
    assert len(detector(picture, nms="none", score_threshold=0.3)[0]) == 3
    (found,) = detector(picture, nms=nms, score_threshold=0.3, iou_threshold=0.2)
    names = [found.name(i) for i in range(len(found))]
    assert names.count("green") == 1
    assert names.count("red") == (2 if nms in ("soft", "soft_linear", "matrix") else 1)
    if nms.startswith("soft") or nms == "matrix":
        assert 0.5 < found.scores[-1] < 0.9
    (one,) = detector(picture, nms=nms, score_threshold=0.3, max_detections=1)
    assert len(one) == 1 and one.scores[0] == found.scores[0]


def test_boxes_of_several_classes() -> None:
    picture = scene()
    picture[24:32, 16:24] = (255, 230, 0)
    detector = Detector(spotter())
    assert [len(detector(picture, multi_label=m)[0]) for m in (False, True)] == [2, 3]


def test_nan_outputs_find_nothing() -> None:
    model = spotter()
    (found,) = Detector(model, preprocess=lambda x: np.full(x.shape, np.nan, np.float32))(scene())
    assert len(found) == 0
    b, s, c = suppress([[0, 0, 1, 1]] * 2, [np.nan, 0.5], [0, 0])
    assert s.tolist() == [0.5] and len(b) == len(c) == 1


def test_one_kind_of_things_and_pictures_of_one_pixel() -> None:
    model = spotter(classes=1)
    model.class_names = None
    image = fc.Input((None, None, 3))
    x = fc.layers.Conv2D(5, 8, strides=8, bias_initializer="ones")(image)
    open_size = fc.Model(image, x)
    detector = Detector(open_size, heads=[Head(0, ((9, 9),))], size=(32, 48))
    (found,) = detector(np.zeros((1, 1, 3), np.uint8), score_threshold=0.01)
    assert found.labels.max(initial=0) == 0
    assert (found.boxes >= 0).all() and (found.boxes <= 1).all()
    assert detector.size == (32, 48) and Detector(model)(scene())[0].name(0) == "0"


def test_drawing_and_plain_data() -> None:
    picture = scene()
    (found,) = Detector(spotter())(picture)
    drawn = found.draw(picture)
    assert drawn.shape == picture.shape and (drawn != picture).any()
    described = found.get_config()
    assert {entry["name"] for entry in described} == {"red", "green"}
    assert set(described[0]) == {"box", "score", "label", "name"}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: d(np.zeros((8, 8), np.uint8)), ShapeError, r"\(8, 8\)"),
        (lambda d: d([np.zeros((8, 8, 4), np.uint8)]), ShapeError, r"\(8, 8, 4\)"),
        (lambda d: d([np.zeros((0, 8, 3), np.uint8)]), ShapeError, r"\(0, 8, 3\)"),
        (lambda d: d([np.zeros((8, 8, 3), bool)]), DTypeError, "bool"),
        (lambda d: d("none.jpg"), MissingFileError, "none.jpg"),
        (lambda d: d(np.zeros((8, 8, 3)), nms="greedy"), ConfigError, "nms: expected one of"),
        (lambda d: d(np.zeros((8, 8, 3)), score_threshold=2), ConfigError, "score_threshold"),
        (lambda d: d(np.zeros((8, 8, 3)), batch_size=0), ConfigError, "batch_size"),
        (lambda d: Detector(d.model, "red"), ConfigError, "names: expected a sequence"),
        (lambda d: Detector(d.model, resize="crop"), ConfigError, "resize: expected one of"),
        (lambda d: Detector(d.model, size=(32, 32)), ConfigError, r"\(64, 64\), not \(32, 32\)"),
        (lambda d: Detector(d.model, heads=[]), ConfigError, "does not say what its outputs mean"),
    ],
)
def test_errors_say_what_was_expected(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(Detector(spotter()))


def test_models_of_other_inputs() -> None:
    x = fc.Input((8, 8, 1))
    with pytest.raises(ShapeError, match="height, width, 3"):
        Detector(fc.Model(x, x), heads=[Head(0, ((1, 1),))])


def test_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(FileFormatError, match="bad"):
        Detector(spotter())([scene(), tmp_path / "bad.png"])


@pytest.mark.parametrize("shape", [(50, 200), (200, 50), (1, 300), (64, 64), (37, 91)])
@pytest.mark.parametrize("align", [0.0, 0.5, 1.0])
def test_letterbox_and_back(shape: tuple[int, int], align: float) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    picture, placement = letterbox(image, (64, 96), fill=7, align=align)
    rows, columns = (np.flatnonzero((picture[..., 0] == 200).any(axis)) for axis in (1, 0))
    assert picture.shape == (64, 96, 3) and set(np.unique(picture)) <= {7, 200}
    box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(placement.undo_boxes([box]), [[0, 0, shape[1], shape[0]]], rtol=1e-5)
    left, right = box[0], 96 - box[2]
    assert left == int((left + right) * align)
    np.testing.assert_allclose(placement.undo([[box[2], box[3]]]), [[shape[1], shape[0]]])


def test_grey_and_float_pictures_and_wrong_ones() -> None:
    assert letterbox(np.zeros((4, 8)), (16, 16))[0].shape == (16, 16)
    assert stretch(np.zeros((4, 8, 1)), (16, 16))[0].dtype == np.float32
    with pytest.raises(ShapeError, match=r"\(0, 4\)"):
        letterbox(np.zeros((0, 4)), (8, 8))
    with pytest.raises(ConfigError, match="size"):
        letterbox(np.zeros((4, 4)), (8, 0))
    with pytest.raises(ConfigError, match="align"):
        letterbox(np.zeros((4, 4)), (8, 8), align=2)
    with pytest.raises(ShapeError, match=r"\(\.\.\., 4\)"):
        Placement((4, 4), (1, 1), (0, 0)).undo_boxes([[1, 2]])


# Seen by eye; what Yolo-Fastest-1.1-xl is to find, and to what overlap.
SEEN = {
    "detection/dog.jpg": {
        "dog": [130, 220, 312, 542], "bicycle": [125, 125, 570, 420], "car": [468, 75, 692, 172],
    },
    "detection/person.jpg": {"person": [190, 98, 272, 376], "dog": [65, 262, 205, 350]},
    "detection/giraffe.jpg": {"giraffe": [165, 10, 435, 445], "zebra": [290, 240, 420, 440]},
    "detection/eagle.jpg": {"bird": [110, 90, 610, 440]},
    "driveai/0010.jpg": {"car": [768, 264, 1044, 355], "traffic light": [259, 167, 276, 212]},
    "driveai/0084.jpg": {"car": [997, 272, 1248, 387]},
}  # fmt: skip


def test_real_objects_are_found() -> None:
    folder = shared_path("weights", "yolo_fastest")
    pictures = shared_path("data")
    name = "yolo-fastest-1.1-xl"
    model = fc.io.load_darknet(folder / f"{name}.cfg", folder / f"{name}.weights")
    names = (folder / "coco.names").read_text().split("\n")
    detector = Detector(model, names, resize="stretch")
    results = detector([pictures / file for file in SEEN], score_threshold=0.4)
    for found, wanted in zip(results, SEEN.values(), strict=True):
        for thing, box in wanted.items():
            own = [i for i in range(len(found)) if found.name(i) == thing]
            assert fc.ops.box_iou(found.boxes[own], [box]).max(initial=0) > 0.6, thing
