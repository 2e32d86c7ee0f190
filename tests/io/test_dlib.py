"""dlib's networks give what dlib computes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import FileFormatError, UnsupportedError
from fastcnn.io import load_dlib, load_image, load_weights_file, resize_image
from tests.io import dlib_writer as w
from tests.shared_data import shared_path

ENCODER = "dlib_face_recognition_resnet_model_v1.dat"


def encoder_file() -> Path:
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package face-recognition-models, which carries the file")
    return Path(spec.submodule_search_locations[0], "models", ENCODER)


def test_faces_against_dlib() -> None:
    dlib = pytest.importorskip("_dlib_pybind11", reason="an independent runtime: dlib-bin")
    photos = sorted(shared_path("data", "faces").glob("*.jpg"))[:6]
    faces = np.stack([resize_image(load_image(p), (150, 150)).astype(np.uint8) for p in photos])
    theirs = dlib.face_recognition_model_v1(str(encoder_file()))
    expected = np.array([theirs.compute_face_descriptor(face) for face in faces])
    ours = load_dlib(encoder_file()).predict(faces.astype(np.float32))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)


def test_the_encoders_layers() -> None:
    model = load_dlib(encoder_file())
    assert model.input_shape == (None, 150, 150, 3) and model.output_shape == (None, 128)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Conv2D") == kinds.count("BatchNormalization") == 29
    arrays = load_weights_file(encoder_file())
    assert sum(array.size for array in arrays.values()) == 5_614_592
    assert arrays["con_1/kernel"].shape == (32, 3, 7, 7) and arrays["fc_1/kernel"].shape == (
        256,
        128,
    )
    assert not model.get_layer("affine_1").trainable and model.get_layer("con_1").trainable


def small(seed: int = 0) -> tuple[bytes, dict[str, np.ndarray]]:
    """A residual block that goes on, and one that halves the picture and widens the channels."""
    rng = np.random.default_rng(seed)
    a = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in {
            "k1": (4, 3, 3, 3), "b1": 4, "g1": 4, "h1": 4, "k2": (4, 4, 3, 3), "b2": 4,
            "k3": (6, 4, 3, 3), "b3": 6, "g3": 6, "h3": 6, "fc": (6, 5),
        }.items()
    }  # fmt: skip
    data = w.network(
        w.con(a["k1"], a["b1"], 2, 0), w.affine(a["g1"], a["h1"]), w.relu(),
        w.pool("max", 3, 3, 2, 2, 0, 0),
        w.TAG, w.con(a["k2"], a["b2"], 1, 1), w.add_prev(), w.relu(),
        w.TAG, w.con(a["k3"], a["b3"], 2, 0), w.affine(a["g3"], a["h3"]),
        w.TAG, w.TAG, w.pool("avg", 2, 2, 2, 2, 0, 0), w.add_prev(), w.relu(),
        w.pool("avg", 0, 0, 1, 1, 0, 0), w.fc(a["fc"]),
    )  # fmt: skip
    return data, a


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "small.dat").write_bytes(small()[0])
    return tmp_path / "small.dat"


def test_against_torch(path: Path) -> None:
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    a = {name: torch.from_numpy(array).double() for name, array in small()[1].items()}
    x = np.random.default_rng(1).uniform(0, 255, (2, 22, 22, 3)).astype(np.float32)

    def affine(y: object, gamma: str, beta: str) -> object:
        return y * a[gamma][:, None, None] + a[beta][:, None, None]

    mean = torch.tensor([122.782, 117.001, 104.298])
    y = ((torch.from_numpy(x) - mean) / 256).permute(0, 3, 1, 2).double()
    y = f.relu(affine(f.conv2d(y, a["k1"], a["b1"], stride=2), "g1", "h1"))
    y = f.max_pool2d(y, 3, 2)
    y = f.relu(y + f.conv2d(y, a["k2"], a["b2"], padding=1))
    shortcut = f.avg_pool2d(y, 2)
    y = affine(f.conv2d(y, a["k3"], a["b3"], stride=2), "g3", "h3")
    assert y.shape[2:] == (1, 1) and shortcut.shape[2:] == (2, 2)  # dlib continues by zeros
    y = f.relu(f.pad(y, (0, 1, 0, 1)) + f.pad(shortcut, (0, 0, 0, 0, 0, 2)))
    expected = y.mean((2, 3)) @ a["fc"]

    ours = load_dlib(path).predict(x)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())


def test_saved(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = load_dlib(path)
    model.save(tmp_path / "model.fastcnn")
    again = fc.load_model(tmp_path / "model.fastcnn")
    x = np.random.default_rng(1).uniform(0, 255, (2, 22, 22, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert not again.get_layer("affine_1").trainable


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", FileFormatError, "a network with a loss"),
        (b"\x01\x01\x01", FileFormatError, "cut off"),
        (small()[0][:-200], FileFormatError, "cut off"),
        (w.network(w.relu(), loss="loss_mmod_"), UnsupportedError, "loss_mmod_"),
        (w.network(w.text("bn_con2")), UnsupportedError, "dlib's 'bn_con2'"),
        (w.network(w.relu(), w.add_prev()), FileFormatError, "add_prev_1: expected a tag"),
        (w.network(w.relu(), w.TAG, w.TAG), FileFormatError, "tag before a skip"),
        (
            w.network(w.con(np.zeros((4, 2, 3, 3)), np.zeros(4), 1, 1)),
            FileFormatError,
            "con_1: expected a kernel of",
        ),
        (
            w.network(w.con(np.zeros((4, 3, 25, 25)), np.zeros(4), 1, 0)),
            FileFormatError,
            "25",
        ),
        (w.network(w.fc(np.zeros((3, 4)))), UnsupportedError, "fc_1: expected a vector"),
        (w.network(w.affine(np.zeros(2), np.zeros(2))), FileFormatError, "3 channels"),
        (w.network(w.relu()).replace(b"110", b"1x0"), FileFormatError, "three flags"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)  # fmt: skip
def test_refused(data: bytes, error: type[Exception], message: str, tmp_path: Path) -> None:
    (tmp_path / "refused.dat").write_bytes(data)
    with pytest.raises(error, match=message) as caught:
        load_dlib(tmp_path / "refused.dat")
    assert "refused.dat" in str(caught.value)
