"""Encoders: the published networks' numbers, and what pictures can be encoded."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastcnn as fc
from fastcnn.applications.weights import find
from fastcnn.errors import ConfigError, FaceError, MissingFileError, ShapeError
from fastcnn.faces import Encoder, encode, encode_faces, encoder, verify
from tests.shared_data import shared_path

_SAME = {
    "camera_0": "younes",
    "camera_1": "bertrand",
    "camera_2": "benoit",
    "camera_3": "bertrand",
    "camera_4": "dan",
    "camera_5": "arnaud",
}


@pytest.fixture(scope="module")
def tiny_encoder() -> Encoder:
    """Four numbers: the means of the quarters' red channel."""
    image = fc.Input((8, 8, 3))
    x = fc.layers.AveragePooling2D(4)(image)
    x = fc.layers.Cropping2D(0)(x)
    model = fc.Model(image, fc.layers.Flatten()(fc.layers.Permute((3, 1, 2))(x)))
    return Encoder("tiny", model, 8, "manhattan", 20.0, preprocess=lambda x: x / 2)


def test_an_encoder_of_ones_own(tiny_encoder: Encoder) -> None:
    chips = np.zeros((3, 8, 8, 3), np.uint8)
    chips[1, :4, :4, 0] = 100
    vectors = tiny_encoder.encode_chips(chips)
    assert vectors.shape == (3, tiny_encoder.embedding_size) == (3, 12)
    assert vectors.dtype == np.float32
    assert vectors[1].tolist() == [50.0] + [0.0] * 11 and (vectors[[0, 2]] == 0).all()
    assert (encode(chips, tiny_encoder, aligned=True) == vectors).all()
    assert (encode(chips[1], tiny_encoder, aligned=True) == vectors[1:2]).all()
    assert encode(chips[:0], tiny_encoder, aligned=True).shape == (0, 12)
    assert encode([], tiny_encoder).shape == (0, 12)
    answer = verify(chips[0], chips[1], tiny_encoder, aligned=True)
    assert answer == (False, 50.0, 20.0, "manhattan", "tiny")
    assert verify(chips[0], chips[1], tiny_encoder, aligned=True, threshold=50).same
    with pytest.raises(ShapeError, match=r"tiny: expected aligned faces of shape \(n, 8, 8, 3\)"):
        tiny_encoder.encode_chips(np.zeros((3, 9, 8, 3)))


def test_names() -> None:
    with pytest.raises(ConfigError, match="'dlib', 'facenet', 'openface'"):
        encoder("arcface")
    with pytest.raises(ConfigError, match="folder of OpenFace"):
        encoder("openface")
    with pytest.raises(ConfigError, match="'one', 'largest'"):
        encode([], faces="all")


def test_openface(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    network = fc.applications.FaceNetNN4()
    path = tmp_path / "nn4.safetensors"
    network.save_weights(path)
    chosen = encoder("openface", path)
    assert encoder("openface", path) is chosen and chosen.embedding_size == 128
    chips = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3)).astype(np.uint8)
    wanted = network(chips / np.float32(255))
    np.testing.assert_allclose(chosen.encode_chips(chips), wanted, atol=1e-6)


def test_encodings_are_those_of_dlib(dlib_encoder: Encoder, astronaut: NDArray[Any]) -> None:
    dlib = pytest.importorskip("dlib", reason="computes the encodings, too")
    chips = np.random.default_rng(0).integers(0, 256, (3, 150, 150, 3)).astype(np.uint8)
    chips[0], chips[1] = astronaut[:150, 100:250], astronaut[60:210, 60:210]
    theirs = dlib.face_recognition_model_v1(str(find("dlib")))
    wanted = np.array([theirs.compute_face_descriptor(chip) for chip in chips])
    found = encode(chips, "dlib", aligned=True)
    assert found.shape == (3, 128) and np.abs(wanted).max() > 0.2
    np.testing.assert_allclose(found, wanted, atol=2e-6)


@pytest.mark.usefixtures("mtcnn")
@pytest.mark.parametrize("name", ["dlib", "facenet"])
def test_people_are_told_apart(name: str, request: pytest.FixtureRequest) -> None:
    """Every two pictures of one person are nearer than any two of different people."""
    chosen: Encoder = request.getfixturevalue(f"{name}_encoder")
    paths = sorted(shared_path("data", "faces").glob("*.jpg"))
    people = [_SAME.get(path.stem, path.stem) for path in paths]
    vectors = encode(paths, chosen)
    distances = fc.ops.cdist(vectors, vectors, chosen.metric)
    same, different = [], []
    for i, j in itertools.combinations(range(len(paths)), 2):
        (same if people[i] == people[j] else different).append(distances[i, j])
    assert len(same) == 7 and len(different) == 146
    assert max(same) < min(different) and max(same) < chosen.threshold < np.mean(different)


@pytest.mark.usefixtures("mtcnn")
def test_one_face_of_several(
    dlib_encoder: Encoder, two_faces: NDArray[Any], astronaut: NDArray[Any]
) -> None:
    faces, vectors = encode_faces(two_faces)
    assert len(faces.scores) == len(vectors) == 2
    assert verify(two_faces, astronaut, faces="largest").distance < 0.1
    with pytest.raises(FaceError, match=r"picture 1: expected one face, found 2 \(\d+ x \d+"):
        encode([astronaut, two_faces])


@pytest.mark.usefixtures("mtcnn")
def test_no_face(dlib_encoder: Encoder, astronaut: NDArray[Any], tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    fc.io.save_image(path, np.full((40, 60, 3), 90, np.uint8))
    with pytest.raises(FaceError, match=r"wall.png: expected a face, found none in 60 x 40 pixels"):
        verify(path, path)
    small = fc.io.resize_image(astronaut, (75, 85))
    with pytest.raises(FaceError, match=r"none of 60 pixels or more, only of 2\d in 85 x 75"):
        encode(small, min_face_size=60)
    with pytest.raises(MissingFileError):
        encode(tmp_path / "nobody.png")
    assert encode_faces(path)[1].shape == (0, 128)


@pytest.mark.usefixtures("mtcnn")
def test_files_of_all_kinds(dlib_encoder: Encoder, astronaut: NDArray[Any], tmp_path: Path) -> None:
    """Turned by a note of the camera, CMYK, 16 bits of grey, transparent: one person."""
    pillow = pytest.importorskip("PIL.Image")
    picture = pillow.fromarray(astronaut)
    note = pillow.Exif()
    note[0x0112] = 6  # shown turned by a quarter
    picture.rotate(90, expand=True).save(tmp_path / "turned.png", exif=note)
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    picture.convert("RGBA").save(tmp_path / "alpha.png")
    grey = np.array(picture.convert("L"), np.uint16) * 257
    pillow.fromarray(grey).save(tmp_path / "deep.png")
    vectors = encode(sorted(tmp_path.iterdir()))
    wanted = encode(astronaut)
    distances = fc.ops.cdist(vectors, wanted)[:, 0]
    alpha, cmyk, deep, turned = distances
    assert max(alpha, turned) < 1e-5 and cmyk < 0.15 and deep < 0.4
