"""Alignment, on pictures whose values tell where each pixel came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.faces import align_faces, crop_faces, face_template, similarity_transform


def _umeyama(source: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """The paper's formulas, with the singular value decomposition."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(b.T @ a / len(a))
    s = np.array([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = u @ np.diag(s) @ vt
    scale = (d * s).sum() / (a**2).sum(1).mean()
    move = target.mean(0) - scale * turn @ source.mean(0)
    return np.concatenate([scale * turn, move[:, None]], axis=1)


def test_similarity_transform() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(20, 5, 2)), rng.normal(size=(20, 5, 2))
    target[::2] = source[::2, :, ::-1] + 0.1 * target[::2]  # mirrored: no turn fits well
    wanted = [_umeyama(a, b) for a, b in zip(source, target, strict=True)]
    np.testing.assert_allclose(similarity_transform(source, target), wanted, atol=1e-12)
    np.testing.assert_allclose(similarity_transform(source[0], target[0]), wanted[0], atol=1e-12)


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        (np.zeros((5, 2)), np.ones((5, 2)), ConfigError),
        (np.full((5, 2), np.nan), np.ones((5, 2)), ConfigError),
        (np.eye(2), np.ones((5, 2)), ShapeError),
        (np.zeros((5, 3)), np.ones((5, 3)), ShapeError),
    ],
)
def test_similarity_of_nothing(source: Any, target: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        similarity_transform(source, target)


def test_templates() -> None:
    for style in ("dlib", "arcface", "openface"):
        left_eye, right_eye, nose, left_mouth, right_mouth = face_template(style, 100)
        assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1] < 100
    inner, outer = face_template("dlib", 100, padding=0.0), face_template("dlib", 150, padding=0.25)
    np.testing.assert_allclose(outer - inner, 25)  # the same face with a border
    with pytest.raises(ConfigError, match="'dlib', 'arcface', 'openface'"):
        face_template("mine")


def _slope(height: int, width: int) -> NDArray[np.float32]:
    """Red is the column, green the row, blue 100; half of them, so that they stay below 256."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns / 2, rows / 2, np.full((height, width), 100)], 2).astype(np.float32)


@pytest.mark.parametrize("scale", [0.2, 0.9, 1.0, 2.3, 3.7])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_pixels_come_from_where_they_should(scale: float, angle: float) -> None:
    template = face_template("arcface", 56)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (template - 28) @ turn.T + [250, 200]
    chip = align_faces(_slope(400, 500), landmarks, 56, "arcface")[0]
    y, x = np.mgrid[:56, :56]
    wanted = (np.stack([x, y], axis=2) - 28) @ turn.T + [250, 200]
    # The filter against aliases bends a slope a little where steps are no whole numbers.
    np.testing.assert_allclose(chip[..., :2], wanted / 2, atol=0.02 if scale < 1.5 else 0.05)
    np.testing.assert_allclose(chip[..., 2], 100, atol=1e-3)


def test_every_pixel_counts_when_shrinking() -> None:
    checks = np.indices((400, 400)).sum(axis=0) % 2 * 255
    picture = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    chip = align_faces(picture, face_template("arcface", 56) * 5 + 50, 56, "arcface")[0]
    assert chip.dtype == np.uint8 and (abs(chip.astype(int) - 127) <= 4).all()


def test_beyond_the_picture_is_black() -> None:
    picture = np.full((60, 60, 3), 200, np.uint8)
    template = face_template("arcface", 56)
    half, none = align_faces(picture, [template - [28, 0], template + 500], 56, "arcface")
    assert (half[:, :28] == 0).all() and (half[:56, 29:55] == 200).all()
    assert (none == 0).all()
    assert align_faces(picture, np.zeros((0, 5, 2)), 56).shape == (0, 56, 56, 3)


def test_landmarks_of_ones_own() -> None:
    eyes = np.array([[10.0, 20.0], [30.0, 20.0]])
    chip = align_faces(_slope(60, 60), eyes, 32, [[6, 10], [26, 10]])[0]
    np.testing.assert_allclose(chip[10, 6, :2] * 2, [10, 20], atol=1e-3)
    np.testing.assert_allclose(chip[10, 26, :2] * 2, [30, 20], atol=1e-3)


def test_boxes() -> None:
    chips = crop_faces(_slope(400, 500), [[100, 100, 140, 180], [200, 50, 300, 100]], 40, 0.25)
    y, x = np.mgrid[:40, :40]
    for chip, (left, top, width, height) in zip(
        chips, [(95, 90, 50, 100), (187.5, 43.75, 125, 62.5)], strict=True
    ):
        np.testing.assert_allclose(chip[..., 0] * 2, left + (x + 0.5) * width / 40 - 0.5, atol=0.1)
        np.testing.assert_allclose(chip[..., 1] * 2, top + (y + 0.5) * height / 40 - 0.5, atol=0.1)
    assert crop_faces(_slope(9, 9), np.zeros((0, 4)), 40).shape == (0, 40, 40, 3)


def test_chips_are_like_those_of_dlib(astronaut: NDArray[Any]) -> None:
    dlib = pytest.importorskip("dlib", reason="cuts face chips out")
    corners = np.array(
        [[0.8595674595992, 0.2134981538014], [0.6460604764104, 0.2289674387677],
         [0.1205750620789, 0.2137274526848], [0.3340850613712, 0.2290642403242],
         [0.4901123135679, 0.6277975316475]]
    )  # fmt: skip
    points = np.rint(corners * 90 @ [[0.98, 0.2], [-0.2, 0.98]] + [120, 70])
    found = dlib.full_object_detection(
        dlib.rectangle(100, 50, 220, 170), [dlib.point(int(x), int(y)) for x, y in points]
    )
    theirs = dlib.get_face_chip(astronaut, found, 150, 0.25).astype(int)
    ours = align_faces(astronaut, points, 150, (corners + 0.25) / 1.5 * 150 - 0.5)[0].astype(int)
    assert theirs.std() > 40 and np.abs(ours - theirs).mean() < 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: align_faces(x, np.zeros((1, 4, 2))), ShapeError, "as many target points"),
        (lambda x: align_faces(x, np.zeros((5, 3))), ShapeError, "landmarks: expected points"),
        (lambda x: align_faces(x, np.zeros((1, 5, 2))), ConfigError, "points that differ"),
        (lambda x: align_faces(x, np.zeros((1, 5, 2)), 0), ConfigError, "size"),
        (lambda x: align_faces(x.astype(int), np.zeros((1, 5, 2))), DTypeError, "int64"),
        (lambda x: crop_faces(x, [1, 2, 3]), ShapeError, r"\(k, 4\)"),
        (lambda x: crop_faces(x, [5, 5, 5, 9]), ConfigError, "x1 < x2"),
        (lambda x: crop_faces(x, [5, 5, np.inf, 9]), ConfigError, "finite"),
    ],
)
def test_wrong_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(np.full((20, 20, 3), 9, np.uint8))
