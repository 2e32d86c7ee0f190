"""``fastcnn detect``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.io import load_image, save_image
from tests.cli.conftest import Run
from tests.detection.test_detector import WHERE, scene, spotter
from tests.io.darknet_writer import write

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads photos")
pytest.importorskip("safetensors", reason="writes models")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.fastcnn"
    spotter().save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a scene, the same larger, and one of nothing."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    save_image(folder / "a.png", scene())
    save_image(folder / "b.png", scene(128, 128))
    save_image(folder / "c.png", np.zeros((64, 64, 3), np.uint8))
    return folder


def test_json(run: Run, model: Path, pictures: Path) -> None:
    code, out, err = run("detect", pictures, "--model", model, "--json")
    assert code == 0 and err == ""
    a, b, c = json.loads(out)
    assert [Path(entry["file"]).name for entry in (a, b, c)] == ["a.png", "b.png", "c.png"]
    assert (b["height"], b["width"]) == (128, 128) and c["detections"] == []
    for entry, scale in ((a, 1), (b, 2)):
        found = {d["name"]: d["box"] for d in entry["detections"]}
        assert set(found) == set(WHERE)
        for name, box in WHERE.items():
            np.testing.assert_allclose(found[name], scale * np.array(box), atol=0.01)


def test_table_and_drawing(run: Run, model: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("stop\ngo\n\n")
    drawn = tmp_path / "new" / "drawn"
    code, out, err = run(
        "detect", pictures, "--model", model, "--names", tmp_path / "names.txt", "--output", drawn
    )
    assert code == 0 and err == ""
    assert "stop" in out and "go" in out and "nothing found" in out and "Drawn: " in out
    assert sorted(path.name for path in drawn.iterdir()) == ["a.png", "b.png", "c.png"]
    assert (load_image(drawn / "a.png") != load_image(pictures / "a.png")).any()
    one = tmp_path / "one.jpg"
    code, _, err = run("detect", pictures / "a.png", "--model", model, "--output", one)
    assert code == 0 and err == "" and load_image(one).shape == (64, 64, 3)


def test_pictures_of_one_name_are_all_drawn(
    run: Run, model: Path, pictures: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    save_image(other / "a.png", scene())
    save_image(other / "d.bmp", scene())
    drawn = tmp_path / "drawn"
    code, _, _ = run("detect", pictures, other, "--model", model, "--output", drawn)
    assert code == 0
    names = sorted(path.name for path in drawn.iterdir())
    assert names == ["a.png", "a_2.png", "b.png", "c.png", "d.png"]


def test_nothing_is_written_over(run: Run, model: Path, pictures: Path) -> None:
    before = (pictures / "a.png").read_bytes()
    for given, output in ((pictures, pictures), (pictures / "a.png", pictures / "a.png")):
        code, out, err = run("detect", given, "--model", model, "--output", output)
        assert code == 2 and out == "" and "would be written over" in err
    assert (pictures / "a.png").read_bytes() == before


def test_a_bad_picture_does_not_stop_the_others(run: Run, model: Path, pictures: Path) -> None:
    (pictures / "b.png").write_bytes((pictures / "b.png").read_bytes()[:60])
    code, out, err = run("detect", pictures, "--model", model, "--json", "--batch-size", "1")
    assert code == 2 and "b.png" in err and err.count("\n") == 1
    a, b, c = json.loads(out)
    assert len(a["detections"]) == 2 and c["detections"] == []
    assert "b.png" in b["error"] and "detections" not in b
    code, out, _ = run("detect", pictures, "--model", model)
    assert code == 2 and "a.png" in out and "b.png" not in out


def test_darknet_and_anchors(run: Run, pictures: Path, tmp_path: Path) -> None:
    cfg, weights = write(tmp_path, "yolov3-tiny")
    for options in ([], ["--weights", weights]):
        code, out, err = run(
            "detect", pictures / "a.png", "--model", cfg, *options, "--threshold", "0.1",
            "--nms", "diou", "--resize", "stretch", "--json",
        )  # fmt: skip
        assert code == 0 and err == "" and len(json.loads(out)) == 1

    bare = spotter()
    bare.heads = None
    bare.save(tmp_path / "bare.fastcnn")
    code, _, err = run("detect", pictures / "a.png", "--model", tmp_path / "bare.fastcnn")
    assert code == 2 and "give its --anchors" in err
    (tmp_path / "anchors.txt").write_text("2, 2\n")
    code, out, err = run(
        "detect", pictures / "a.png", "--model", tmp_path / "bare.fastcnn", "--json",
        "--anchors", tmp_path / "anchors.txt", "--cells",
    )  # fmt: skip
    assert code == 0 and len(json.loads(out)[0]["detections"]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "none.cfg"], "none.cfg"),
        (["--weights", "net.weights"], "--weights is for Darknet"),
        (["--names", "none.txt"], "none.txt"),
        (["--nms", "greedy"], "nms: expected one of"),
        (["--resize", "crop"], "resize: expected one of"),
        (["--threshold", "2"], "--threshold"),
        (["--anchors", "odd.txt"], "a width and a height"),
        (["--anchors", "text.txt"], "expected numbers"),
    ],
)
def test_wrong_options(
    run: Run, model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    options: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.txt").write_text("1 2 3")
    (tmp_path / "text.txt").write_text("one two")
    given = options if options[0] == "--model" else ["--model", model, *options]
    code, out, err = run("detect", pictures, *given)
    assert code == 2 and out == "" and message in err


def test_no_pictures(run: Run, model: Path, tmp_path: Path) -> None:
    code, out, err = run("detect", tmp_path / "none.jpg", "--model", model)
    assert code == 2 and out == "" and "none.jpg" in err


def test_models_keep_what_is_needed(model: Path) -> None:
    again = fc.load_model(model)
    assert again.class_names == ["red", "green"] and again.heads is not None
