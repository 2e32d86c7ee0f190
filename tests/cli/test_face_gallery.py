"""``fastcnn face enroll``, ``identify``, ``evaluate`` and ``cluster``, with a small encoder.

A face is half a picture, left or right, of a colour that is not black; its encoding is the colour.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.faces import Encoder, Faces, Gallery
from fastcnn.io import save_image
from tests.cli.conftest import Run

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads pictures")
pytest.importorskip("safetensors", reason="writes galleries")

RED, GREEN, BLUE, BLACK = (220, 20, 20), (20, 220, 20), (20, 20, 220), (0, 0, 0)


def detect(picture: np.ndarray, **options: Any) -> Faces:
    height, width = picture.shape[:2]
    halves = [(0, 0, width // 2, height), (width // 2, 0, width, height)]
    boxes = [b for b in halves if picture[height // 2, (b[0] + b[2]) // 2].max() > 0]
    return Faces(
        np.array(boxes, np.float32).reshape(-1, 4), np.zeros((len(boxes), 5, 2), np.float32),
        np.ones(len(boxes), np.float32),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def small_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    image = fc.Input((8, 8, 3))
    x = fc.layers.GlobalAveragePooling2D()(fc.layers.Rescaling(1 / 255)(image))
    model = fc.Model(image, x)

    def encoder(name: str, weights: Any = None) -> Encoder:
        return Encoder(name, model, 8, threshold=0.3, template=None)

    monkeypatch.setattr("fastcnn.cli.face_encoding.encoder", encoder)
    monkeypatch.setattr("fastcnn.cli.face_encoding.detect", detect)
    monkeypatch.setattr("fastcnn.faces.encoders.detect", detect)


def picture(path: Path, *colours: Any, seed: int = 0) -> Path:
    """One face on the left, or two."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-15, 16, 3)
    levels = np.zeros((16, 32, 3), np.int64)
    for i, colour in enumerate(colours):
        levels[:, 16 * i : 16 * i + 16] = np.array(colour) + (noise if max(colour) else 0)
    save_image(path, levels.clip(0, 255).astype(np.uint8))
    return path


@pytest.fixture
def gallery(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "team.gallery"
    for name, colour in (("Ada", RED), ("Grace", GREEN)):
        assert (
            run("face", "enroll", path, name, picture(tmp_path / f"{name}.png", colour)).code == 0
        )
    return path


def test_enrol_and_identify(run: Run, gallery: Path, tmp_path: Path) -> None:
    assert Gallery.load(gallery).names == ["Ada", "Grace"]
    assert Gallery.load(gallery).threshold == 0.3 and Gallery.load(gallery).encoder == "dlib"
    party = picture(tmp_path / "party.png", RED, BLUE, seed=3)
    nobody = picture(tmp_path / "nobody.png", BLACK)
    code, out, err = run("face", "identify", gallery, party, nobody)
    assert code == 0 and err == ""
    assert out.splitlines()[0].startswith(f"{party} (0, 0): Ada (Ada 0.")
    assert out.splitlines()[1].startswith(f"{party} (16, 0): unknown (")
    assert out.splitlines()[2] == f"{nobody}: no face"
    code, out, err = run("face", "identify", gallery, party, nobody, "--json", "--top", "2")
    found = json.loads(out)
    assert code == 0 and found["without_face"] == [str(nobody)]
    assert [face["name"] for face in found["faces"]] == ["Ada", None]
    assert [m["name"] for m in found["faces"][0]["matches"]] == ["Ada", "Grace"]
    assert found["faces"][1]["box"] == [16, 0, 32, 16]
    assert run("face", "identify", gallery, party, "--threshold", "0").code == 1
    assert run("face", "identify", gallery, nobody).code == 1


def test_more_pictures_and_a_fresh_start(run: Run, gallery: Path, tmp_path: Path) -> None:
    more = [picture(tmp_path / f"{i}.png", RED, seed=i + 1) for i in range(3)]
    code, out, _ = run("face", "enroll", gallery, "Ada", *more, "--threshold", "0.25", "--json")
    told = json.loads(out)
    assert code == 0 and (told["added"], told["encodings"], told["people"]) == (3, 4, 2)
    assert told["similar"] is None and Gallery.load(gallery).threshold == 0.25
    code, out, _ = run("face", "enroll", gallery, "Ada", more[0], "--replace")
    assert code == 0 and "1 picture(s) added, 1 in all" in out and "2 people" in out
    code, out, err = run("face", "enroll", gallery, "Eve", more[1])
    assert code == 0 and "Eve looks like Ada" in err


@pytest.mark.parametrize(
    ("colours", "says"), [((BLACK,), "found none"), ((RED, BLUE), "expected one face, found 2")]
)
def test_a_picture_without_its_one_face_changes_nothing(
    run: Run, gallery: Path, tmp_path: Path, colours: Any, says: str
) -> None:
    before = gallery.read_bytes()
    good, wrong = picture(tmp_path / "good.png", BLUE), picture(tmp_path / "wrong.png", *colours)
    code, out, err = run("face", "enroll", gallery, "Joan", good, wrong)
    assert code == 2 and out == "" and says in err and str(wrong) in err
    assert gallery.read_bytes() == before
    code, out, err = run("face", "enroll", gallery, "Joan", good, wrong, "--skip")
    assert code == 0 and says in err and "1 picture(s) added" in out
    code, _, err = run("face", "enroll", gallery, "Joan", wrong, "--skip")
    assert code == 2 and "left out" in err
    assert Gallery.load(gallery).encodings("Joan").shape == (1, 3)


def test_a_damaged_picture_or_gallery_changes_nothing(
    run: Run, gallery: Path, tmp_path: Path
) -> None:
    before = gallery.read_bytes()
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    code, _, err = run("face", "enroll", gallery, "Joan", tmp_path / "bad.jpg")
    assert code == 2 and "bad.jpg" in err and gallery.read_bytes() == before
    code, _, err = run("face", "enroll", gallery, " ", picture(tmp_path / "a.png", BLUE))
    assert code == 2 and "not empty" in err and gallery.read_bytes() == before
    gallery.write_bytes(before[:200])
    for command in (("enroll", gallery, "Joan"), ("identify", gallery)):
        code, _, err = run("face", *command, tmp_path / "a.png")
        assert code == 2 and str(gallery) in err and gallery.read_bytes() == before[:200]
    code, _, err = run("face", "identify", tmp_path / "nowhere", tmp_path / "a.png")
    assert code == 2 and "no such file" in err


def test_another_encoder_is_refused(run: Run, gallery: Path, tmp_path: Path) -> None:
    code, _, err = run(
        "face", "enroll", gallery, "Joan", tmp_path / "Ada.png", "--model", "facenet"
    )
    assert code == 2 and "made by dlib" in err


def test_a_change_by_another_program_is_not_lost(
    run: Run, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastcnn.cli import face_gallery

    real = face_gallery.embed_pictures

    def meanwhile(*args: Any) -> Any:
        other = Gallery.load(gallery)
        other.add("Joan", [0.5, 0.5, 0.5])
        other.save(gallery)
        return real(*args)

    monkeypatch.setattr(face_gallery, "embed_pictures", meanwhile)
    code, _, err = run("face", "enroll", gallery, "Eve", picture(tmp_path / "e.png", BLUE))
    assert code == 2 and "run the command again" in err
    assert Gallery.load(gallery).names == ["Ada", "Grace", "Joan"]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    for name, colour in (("Ada", RED), ("Grace", GREEN), ("Joan", BLUE)):
        for i in range(1, 5):
            picture(folder / name / f"{name}_{i:04}.jpg", colour, seed=i)
    return folder


def test_evaluate_a_folder(run: Run, people: Path, tmp_path: Path) -> None:
    roc = tmp_path / "roc.csv"
    code, out, err = run("face", "evaluate", people, "--far", "0.05", "--roc", roc)
    assert code == 0 and err == ""
    assert "12 pictures of 3 people, 18 pairs of one person, 48 of two" in out
    assert "AUC 1.0000, equal error rate 0.00%" in out
    rows = list(csv.DictReader(roc.open()))
    assert [float(rows[-1][key]) for key in ("far", "tar", "frr")] == [1.0, 1.0, 0.0]
    picture(people / "Ada" / "none.png", BLACK)
    assert run("face", "evaluate", people).code == 2
    code, out, err = run("face", "evaluate", people, "--skip", "--json")
    told = json.loads(out)
    assert code == 0 and "none.png" in err and told["pictures"] == 12 and told["lfw"] is None
    assert told["auc"] == 1 and told["best"]["accuracy"] == 1
    at = told["calibrated"]
    assert at["far"] == 0 and at["tar"] == 1 and 0 < at["far_interval"][1] < 0.1


def test_evaluate_by_the_protocol_of_lfw(run: Run, people: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.txt"
    fold = "Ada 1 2\nGrace 3 4\nAda 1 Grace 2\nJoan 1 Ada 3\n"
    pairs.write_text("3 2\n" + 3 * fold)
    code, out, err = run("face", "evaluate", people, "--pairs", pairs)
    assert code == 0 and "LFW protocol: accuracy 1.0000 +- 0.0000" in out, err
    code, out, _ = run("face", "evaluate", people, "--pairs", pairs, "--json")
    assert code == 0 and json.loads(out)["lfw"]["accuracies"] == [1, 1, 1]
    picture(people / "Ada" / "Ada_0001.jpg", BLACK)
    code, out, err = run("face", "evaluate", people, "--pairs", pairs, "--skip")
    assert code == 0 and "6 pairs left out" in out
    (people / "Ada" / "Ada_0001.jpg").unlink()
    code, out, err = run("face", "evaluate", people, "--pairs", pairs)
    assert code == 2 and "1 of 7 pictures are not there" in err


def test_cluster(run: Run, people: Path, tmp_path: Path) -> None:
    files = sorted(people.rglob("*.jpg"))
    party = picture(tmp_path / "party.png", RED, BLUE)
    code, out, err = run("face", "cluster", *files, party, "--json")
    groups = json.loads(out)
    assert code == 0 and err == ""
    assert [len(group) for group in groups] == [5, 5, 4]
    assert {Path(face["file"]).parent.name for face in groups[2]} == {"Grace"}
    code, out, _ = run("face", "cluster", people / "Ada", party, "--method", "connected")
    assert code == 0 and "Person 1: 5 face(s)" in out and "Person 2: 1 face(s)" in out
    code, out, _ = run("face", "cluster", picture(tmp_path / "none.png", BLACK))
    assert code == 0 and out == "No face\n"
    code, _, err = run("face", "cluster", party, "--method", "k-means")
    assert code == 2 and "k-means" in err


@pytest.mark.parametrize("command", ["enroll", "identify", "evaluate", "cluster"])
def test_help_has_examples(run: Run, command: str) -> None:
    code, out, _ = run("face", command, "--help")
    assert code == 0 and f"fastcnn face {command} " in out and "Examples" in out
