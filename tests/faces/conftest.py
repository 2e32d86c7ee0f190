"""Pictures and weights that tests of faces share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastcnn as fc
from fastcnn.applications.weights import find
from fastcnn.errors import MissingWeightsError
from fastcnn.faces import Encoder


def _need(*names: str) -> None:
    for name in names:
        try:
            find(name)
        except MissingWeightsError as error:
            pytest.skip(str(error))


@pytest.fixture
def mtcnn() -> None:
    """Skip where the weights of the detector are not installed."""
    _need("pnet", "rnet", "onet")


@pytest.fixture
def dlib_encoder() -> Encoder:
    _need("dlib")
    return fc.faces.encoder("dlib")


@pytest.fixture
def facenet_encoder() -> Encoder:
    pytest.importorskip("google.protobuf", reason="reads TensorFlow's graphs")
    _need("casia-webface")
    return fc.faces.encoder("facenet")


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """The upper left of scikit-image's portrait: one face, 104 pixels wide, at about (224, 115)."""
    data = pytest.importorskip("skimage.data", reason="has a portrait")
    picture: NDArray[Any] = data.astronaut()[:300, 60:400]
    return np.ascontiguousarray(picture)


@pytest.fixture(scope="session")
def two_faces(astronaut: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A large face, and at the right a small one."""
    small = fc.io.resize_image(astronaut, (150, 170))
    right = np.zeros((300, 170, 3), np.uint8)
    right[75:225] = small
    return np.concatenate([astronaut, right], axis=1)
