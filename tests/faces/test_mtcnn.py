"""MTCNN: networks and cascade are facenet-pytorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastcnn as fc
from fastcnn.applications.weights import find
from fastcnn.errors import ConfigError, DTypeError, FileFormatError, ShapeError
from fastcnn.faces import MTCNN, Faces, ONet, PNet, RNet, detect
from fastcnn.faces.mtcnn import _nms_by_smaller
from tests.faces.oracle import FacenetPytorch
from tests.shared_data import shared_path


@pytest.fixture(scope="module")
def oracle() -> FacenetPytorch:
    return FacenetPytorch()


@pytest.mark.parametrize(
    ("make", "name", "index", "size", "weights"),
    [(PNet, "pnet", 0, (41, 60), 6_632), (RNet, "rnet", 1, (24, 24), 100_178),
     (ONet, "onet", 2, (48, 48), 389_040)],
)  # fmt: skip
@pytest.mark.usefixtures("mtcnn")
def test_networks(
    make: Any, name: str, index: int, size: tuple[int, int], weights: int, oracle: FacenetPytorch
) -> None:
    network = make(name)
    assert network.count_params() == weights
    x = np.random.default_rng(0).integers(0, 256, (3, *size, 3)).astype(np.float32)
    for ours, theirs in zip(network(x), oracle.compute(index, x), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=2e-6 * max(1, np.abs(theirs).max()))


def _assert_equal(found: Faces, wanted: tuple[NDArray[Any], ...]) -> None:
    assert len(found.scores) == len(wanted[2]) > 0
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.usefixtures("mtcnn")
@pytest.mark.parametrize(("min_face_size", "factor"), [(20.0, 0.709), (33.3, 0.6)])
def test_detection(
    oracle: FacenetPytorch, two_faces: NDArray[Any], min_face_size: float, factor: float
) -> None:
    found = detect(two_faces, min_face_size=min_face_size, factor=factor)
    assert len(found.scores) == 2 and (found.scores > 0.99).all()
    _assert_equal(found, oracle.detect(two_faces, min_face_size, factor))


@pytest.mark.usefixtures("mtcnn")
def test_detection_of_portraits(oracle: FacenetPytorch) -> None:
    folder = shared_path("data", "faces")
    for name in ("camera_4", "kian", "tian"):  # whose boxes are near whole numbers
        picture = fc.io.load_image(folder / f"{name}.jpg")
        _assert_equal(detect(picture), oracle.detect(picture, 20, 0.709))


@pytest.mark.usefixtures("mtcnn")
def test_landmarks_lie_in_the_face(astronaut: NDArray[Any]) -> None:
    boxes, landmarks, scores = detect(astronaut)
    assert boxes.dtype == landmarks.dtype == scores.dtype == np.float32
    (x1, y1, x2, y2), points = boxes[0], landmarks[0]
    assert x1 < points[:, 0].min() and points[:, 0].max() < x2
    left_eye, right_eye, nose, left_mouth, right_mouth = points
    assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    assert y1 < left_eye[1] < nose[1] < left_mouth[1] < y2


@pytest.mark.usefixtures("mtcnn")
def test_kinds_of_pictures(astronaut: NDArray[Any], tmp_path: Any) -> None:
    path = tmp_path / "portrait.png"
    fc.io.save_image(path, astronaut)
    wanted = detect(astronaut)
    given = [path, path.read_bytes(), astronaut.astype(np.float64), astronaut]
    for found in detect(given):
        assert all((a == b).all() for a, b in zip(found, wanted, strict=True))
    assert len(detect(np.stack([astronaut, astronaut]))) == 2
    grey = astronaut.mean(axis=2).astype(np.uint8)
    assert len(detect(grey).scores) == len(detect(grey[..., None]).scores) == 1


@pytest.mark.usefixtures("mtcnn")
@pytest.mark.parametrize("shape", [(1, 1, 3), (11, 500, 3), (60, 80, 3)])
def test_no_face(shape: tuple[int, ...]) -> None:
    found = detect(np.full(shape, 90, np.uint8))
    assert [part.shape for part in found] == [(0, 4), (0, 5, 2), (0,)]
    assert detect([]) == []


@pytest.mark.usefixtures("mtcnn")
def test_same_bits_for_any_number_of_threads(two_faces: NDArray[Any]) -> None:
    before = fc.get_num_threads()
    try:
        fc.set_num_threads(1)
        one = detect(two_faces)
        fc.set_num_threads(2)
        two = detect(two_faces)
    finally:
        fc.set_num_threads(before)
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


@pytest.mark.usefixtures("mtcnn")
@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (np.zeros((0, 5, 3), np.uint8), ShapeError, "nowhere 0"),
        (np.zeros((5, 5, 4), np.uint8), ShapeError, r"expected shape \(h, w, 3\)"),
        (np.zeros((5, 5, 3), np.uint16), DTypeError, "uint16"),
        (np.full((5, 5, 3), 0.5), DTypeError, "from 0 to 255, got floats from 0.5 to 0.5"),
        (np.full((5, 5, 3), np.nan), DTypeError, "from 0 to 255"),
        (object(), DTypeError, "got object"),
    ],
)
def test_what_is_no_picture(picture: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        detect([picture])


@pytest.mark.parametrize(
    "options",
    [
        {"min_face_size": 11},
        {"min_face_size": [20]},
        {"thresholds": (0.6, 0.7)},
        {"thresholds": (0.6, 0.7, 1.5)},
        {"thresholds": 0.5},
        {"factor": 1.0},
        {"networks": [None]},
    ],
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="MTCNN"):
        MTCNN(**options)
    if "networks" not in options:
        with pytest.raises(ConfigError, match="MTCNN"):
            detect([], **options)


@pytest.mark.usefixtures("mtcnn")
def test_weights_of_another_network() -> None:
    with pytest.raises(FileFormatError, match="expected the weights of pnet"):
        PNet(find("rnet"))


def test_nms_by_the_smaller_box() -> None:
    """A box inside another goes, which its share of both would let stand."""
    boxes = np.array([[0, 0, 99, 99], [10, 10, 29, 29], [95, 95, 120, 120]], np.float32)
    assert _nms_by_smaller(boxes, np.array([0.8, 0.9, 0.7], np.float32), 0.7).tolist() == [1, 2]
    assert _nms_by_smaller(boxes[:0], np.zeros(0, np.float32), 0.7).tolist() == []
