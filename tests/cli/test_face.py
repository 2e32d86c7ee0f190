"""``fastcnn face embed`` and ``verify``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications.weights import find
from fastcnn.errors import MissingWeightsError
from tests.cli.conftest import Run

pytest.importorskip("typer", reason="the command line")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A portrait, the same one darker, two in one, and a wall."""
    try:
        for name in ("pnet", "rnet", "onet", "dlib"):
            find(name)
    except MissingWeightsError as error:
        pytest.skip(str(error))
    portrait = pytest.importorskip("skimage.data").astronaut()[:300, 60:400]
    fc.io.save_image(tmp_path / "a.png", portrait)
    fc.io.save_image(tmp_path / "b.png", portrait // 2)
    fc.io.save_image(tmp_path / "two.png", np.concatenate([portrait, portrait], axis=1))
    fc.io.save_image(tmp_path / "wall.png", np.full((40, 60, 3), 90, np.uint8))
    return tmp_path


def test_verify(run: Run, pictures: Path) -> None:
    code, out, err = run("face", "verify", pictures / "a.png", pictures / "b.png")
    assert code == 0 and err == "" and out.startswith("Same person: euclidean distance 0.")
    strict = ("--threshold", "0.001", "--json")
    code, out, err = run("face", "verify", pictures / "a.png", pictures / "b.png", *strict)
    answer = json.loads(out)
    assert code == 1 and err == "" and answer["same"] is False
    assert 0.001 == answer["threshold"] < answer["distance"] < 0.5 and answer["model"] == "dlib"


@pytest.mark.parametrize(
    ("names", "message"),
    [(("a.png", "two.png"), "two.png: expected one face, found 2"),
     (("wall.png", "a.png"), "wall.png: expected a face, found none"),
     (("a.png", "nobody.png"), "nobody.png")],
)  # fmt: skip
def test_what_cannot_be_verified(
    run: Run, pictures: Path, names: tuple[str, str], message: str
) -> None:
    code, out, err = run("face", "verify", *(pictures / name for name in names))
    assert code == 2 and out == "" and message in err and err.startswith("fastcnn: ")


def test_embed(run: Run, pictures: Path) -> None:
    path = pictures / "out.npz"
    code, out, err = run("face", "embed", pictures / "[ab].png", "-o", path)
    assert code == 0 and err == "" and "2 face(s) of 2 picture(s), 128 numbers" in out
    with np.load(path) as written:  # refuses pickles
        arrays = dict(written)
    assert [Path(name).name for name in arrays["files"]] == ["a.png", "b.png"]
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == {
        "files": (2,), "boxes": (2, 4), "landmarks": (2, 5, 2), "scores": (2,),
        "encodings": (2, 128), "model": (),
    }  # fmt: skip
    wanted = fc.faces.encode(pictures / "a.png")[0]
    np.testing.assert_allclose(arrays["encodings"][0], wanted, atol=1e-6)

    _, out, _ = run("face", "embed", pictures / "two.png", "--faces", "all", "--json")
    described = json.loads(out)
    assert described["model"] == "dlib" and len(described["faces"]) == 2
    assert set(described["faces"][0]) == {"file", "box", "landmarks", "score", "encoding"}


def test_embed_leaves_out(run: Run, pictures: Path) -> None:
    path = pictures / "out.json"
    code, _, err = run("face", "embed", pictures, "-o", path)
    assert code == 2 and "two.png" in err and not path.exists()
    code, _, err = run("face", "embed", pictures, "-o", path, "--skip")
    assert code == 0 and err.count("left out") == 2 and "wall.png" in err
    assert len(json.loads(path.read_text())["faces"]) == 2
    code, _, err = run("face", "embed", pictures / "wall.png", "--json", "--skip")
    assert code == 2 and "all 1 were left out" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [((), "--json"), (("-o", "out.txt"), ".npz or .json"),
     (("--json", "--faces", "none"), "'one', 'largest', 'all'"),
     (("--json", "--model", "mine"), "'dlib', 'facenet', 'openface'"),
     (("--json", "--min-face-size", "5"), "12")],
)  # fmt: skip
def test_wrong_options(run: Run, options: tuple[str, ...], message: str) -> None:
    code, out, err = run("face", "embed", "a.png", *options)
    assert code == 2 and out == "" and message in err
