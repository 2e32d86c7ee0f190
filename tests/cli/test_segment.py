"""``fastcnn segment``: what is written, what is printed, and how bad input ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications.weights import find
from fastcnn.errors import MissingWeightsError
from fastcnn.io import load_image, load_mask, save_image
from tests.cli.conftest import Run

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads photos")


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """A model whose classes are the brightest of the three channels."""
    x = fc.Input((None, None, 3))
    model = fc.Model(x, fc.layers.Rescaling(1.0)(x))
    model.class_names = ["road", "tree", "sky"]
    model.save(tmp_path / "street.fastcnn")
    return tmp_path / "street.fastcnn"


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two photos of one name: a quarter is sky, the rest road."""
    found = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        image = np.full((40, 60, 3), (200, 20, 10), np.uint8)
        image[:10] = (0, 0, 250)
        found.append(tmp_path / folder / "photo.png")
        save_image(found[-1], image)
    return found


def test_classes(run: Run, street: Path, photos: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text, err = run(
        "segment", *photos, "--model", street, "--palette", "camvid", "--output", out, "--json",
        "--tile", "32", "--overlap", "8",
    )  # fmt: skip
    assert code == 0 and err == ""
    described = json.loads(text)
    assert [entry["file"] for entry in described] == [str(photo) for photo in photos]
    for entry, name in zip(described, ("photo", "photo-2"), strict=True):
        assert (entry["height"], entry["width"]) == (40, 60)
        assert entry["classes"] == {"road": 0.75, "sky": 0.25}
        assert entry["written"] == {
            "mask": str(out / f"{name}_mask.png"),
            "overlay": str(out / f"{name}_overlay.png"),
        }
        mask = load_mask(entry["written"]["mask"])
        assert (mask[:10] == 2).all() and (mask[10:] == 0).all()
        overlay = load_image(entry["written"]["overlay"])
        assert overlay.shape[0] > 40 and overlay.shape[1] == 60
    code, text, err = run("segment", photos[0], "--model", street, "--output", out)
    assert code == 0 and "road 75%, sky 25% -> " in text


def test_bad_input_ends_with_a_message(
    run: Run, street: Path, photos: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    note = tmp_path / "note.png"
    note.write_text("no photo")
    classifier = fc.Sequential([fc.Input((4,)), fc.layers.Dense(2)])
    classifier.save(tmp_path / "classifier.fastcnn")
    for arguments, message in (
        ([note, "--model", street], "note.png: expected a picture"),
        ([tmp_path / "missing.jpg"], "no such photo"),
        ([photos[0], "--model", "missing.fastcnn"], "missing.fastcnn"),
        ([photos[0], "--model", tmp_path / "classifier.fastcnn"], "expected a model of pictures"),
        ([photos[0], "--model", street, "--remove-background"], "needs --model u2netp"),
        ([photos[0], "--tile", "64"], "--tile and --overlap are for models"),
        ([photos[0], "--model", street, "--palette", "rainbow"], "camvid, voc"),
        ([photos[0], "--model", street, "--output", note], "cannot be made a folder"),
    ):
        options = [] if "--output" in arguments else ["--output", out]
        code, text, err = run("segment", *arguments, *options)
        assert code == 2 and text == "" and message in err, err


def test_the_background_is_removed(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    try:
        find("u2netp")
    except MissingWeightsError as error:
        pytest.skip(str(error))
    image = np.full((60, 80, 3), 250, np.uint8)
    image[15:45, 25:55] = (200, 30, 30)
    save_image(tmp_path / "box.png", image)
    code, text, _ = run(
        "segment", tmp_path / "box.png", "--remove-background", "--output", tmp_path, "--json"
    )
    (entry,) = json.loads(text)
    cut = load_image(entry["written"]["cutout"], "RGBA")
    assert code == 0 and cut.shape == (60, 80, 4)
    assert cut[30, 40, 3] > 200 and cut[5, 5, 3] < 50
    code, text, _ = run("segment", tmp_path / "box.png", "--output", tmp_path)
    assert code == 0 and load_image(tmp_path / "box_mask.png", "L")[30, 40, 0] > 200
