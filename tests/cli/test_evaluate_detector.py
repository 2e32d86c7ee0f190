"""``fastcnn evaluate-detector``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from tests.cli.conftest import Run
from tests.detection.test_detector import WHERE, scene, spotter

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads photos")
pytest.importorskip("safetensors", reason="writes models")

OBJECT = (
    "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
    "</bndbox></object>"
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.fastcnn"
    spotter().save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scene, and a picture of nothing in which something is said to be."""
    found = tmp_path / "scenes"
    found.mkdir()
    for name, picture in (("a", scene()), ("b", np.zeros((64, 64, 3), np.uint8))):
        fc.io.save_image(found / f"{name}.png", picture)
        boxes = WHERE.items() if name == "a" else [("red", WHERE["red"])]
        objects = "".join(OBJECT.format(label, *box) for label, box in boxes)
        (found / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")
    return found


def test_table(run: Run, model: Path, folder: Path) -> None:
    code, out, err = run("evaluate-detector", model, folder)
    assert code == 0 and err == ""
    lines = [line.split() for line in out.splitlines()]
    assert ["red", "2", "0.505", "0.505", "0.500"] in lines  # one of two, none in vain
    assert ["green", "1", "1.000", "1.000", "1.000"] in lines
    assert "2 pictures: mAP 0.752" in out


@pytest.mark.parametrize("form", ["voc", "coco", "yolo"])
def test_json_of_all_forms(run: Run, model: Path, folder: Path, tmp_path: Path, form: str) -> None:
    options: list[str | Path] = []
    if form != "voc":
        for path in folder.glob("*.xml"):
            path.unlink()
    if form == "yolo":
        lines = [
            f"{label} {(x1 + x2) / 128} {(y1 + y2) / 128} {(x2 - x1) / 64} {(y2 - y1) / 64}"
            for label, (x1, y1, x2, y2) in enumerate(WHERE.values())
        ]
        (folder / "a.txt").write_text("\n".join(lines))
        (folder / "b.txt").write_text(lines[0])
    if form == "coco":
        boxes = [(1, 1, WHERE["red"]), (1, 2, WHERE["green"]), (2, 1, WHERE["red"])]
        content = {
            "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
            "categories": [{"id": 2, "name": "green"}, {"id": 1, "name": "red"}],
            "annotations": [
                {
                    "id": i, "image_id": image, "category_id": label,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                }
                for i, (image, label, (x1, y1, x2, y2)) in enumerate(boxes)
            ],
        }  # fmt: skip
        (tmp_path / "all.json").write_text(json.dumps(content))
        options = ["--annotations", tmp_path / "all.json"]
    code, out, err = run("evaluate-detector", model, folder, *options, "--json")
    assert code == 0 and err == ""
    result = json.loads(out)
    assert result["pictures"] == 2 and result["voc_map50"] == 0.75
    assert [entry["name"] for entry in result["classes"]] == ["red", "green"]
    assert result["coco"]["ap50"] == pytest.approx((51 / 101 + 1) / 2)
    assert result["coco"]["ap_large"] is None


def test_what_does_not_fit(run: Run, model: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    code, _, err = run("evaluate-detector", model, folder, "--names", tmp_path / "names.txt")
    assert code == 2 and "names of its 2 classes, got 3" in err
    (folder / "b.xml").write_text(
        "<annotation>" + OBJECT.format("red", 5, 5, 5, 5) + "</annotation>"
    )
    code, _, err = run("evaluate-detector", model, folder)
    assert code == 2 and "b.xml: object 1, red: bndbox" in err
    assert "; --skip-damaged leaves such boxes out" in err and "on_error" not in err
    with pytest.warns(UserWarning, match="left out 1 boxes"):
        code, out, _ = run("evaluate-detector", model, folder, "--skip-damaged")
    assert code == 0 and "mAP 1.000" in out
    (folder / "b.png").unlink()
    code, _, err = run("evaluate-detector", model, folder)
    assert code == 2 and "b.xml: filename" in err
