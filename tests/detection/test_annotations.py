"""Readers of annotated pictures, and what they say about files that are wrong."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.detection import Example, Examples, load_coco, load_voc, load_yolo
from fastcnn.errors import (
    ConfigError,
    FastcnnError,
    FileFormatError,
    MissingFileError,
    ShapeError,
)
from tests.shared_data import shared_path

pytest.importorskip("PIL.Image")

VOC = """<annotation><filename>{file}</filename>
<size><width>64</width><height>48</height><depth>3</depth></size>{objects}</annotation>"""
OBJECT = """<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{0}</xmin>
<ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def voc_object(name: str, box: Any, difficult: int = 0) -> str:
    return OBJECT.format(*box, name=name, difficult=difficult)


@pytest.fixture
def voc(tmp_path: Path) -> Any:
    """Write a folder of VOC with one picture, and return what reads it."""
    for name in ("images", "annotations"):
        (tmp_path / name).mkdir()
    fc.io.save_image(tmp_path / "images" / "a.png", np.zeros((48, 64, 3), np.uint8))

    def read(content: str | bytes, **options: Any) -> Examples:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "annotations" / "a.xml").write_bytes(data)
        return load_voc(tmp_path, **options)

    return read


def test_voc(voc: Any, tmp_path: Path) -> None:
    objects = voc_object("dog", (1, 2, 30, 40), 1) + voc_object("cat", (10.5, 2, 70, 48))
    found = voc(VOC.format(file="a.png", objects=objects))
    (example,) = found
    assert found.class_names == ["cat", "dog"] and found.count() == {"cat": 1, "dog": 1}
    assert example.path == str(tmp_path / "images" / "a.png")
    assert example.boxes.tolist() == [[1, 2, 30, 40], [10.5, 2, 64, 48]]  # cut at the border
    assert example.labels.tolist() == [1, 0] and example.difficult.tolist() == [True, False]
    found = voc(VOC.format(file="C:\\photos\\other.jpg", objects=objects))
    assert found[0].path.endswith("a.png")  # of the annotation's name
    assert voc(VOC.format(file="a.png", objects=""), class_names=["x"])[0].boxes.shape == (0, 4)


def test_voc_image_set(voc: Any, tmp_path: Path) -> None:
    sets = tmp_path / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("a 1\n")
    (tmp_path / "annotations" / "b.xml").write_text("broken, but of another set")
    content = VOC.format(file="a.png", objects=voc_object("cat", (1, 2, 3, 4)))
    assert len(voc(content, image_set="train")) == 1
    with pytest.raises(MissingFileError, match=r"val\.txt"):
        voc(content, image_set="val")
    with pytest.raises(ConfigError, match="image_set"):
        voc(content, image_set="../train")
    (sets / "bad.txt").write_text("../../a\n")
    with pytest.raises(FileFormatError, match="names of pictures"):
        voc(content, image_set="bad")


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]>
<annotation><filename>&lol2;</filename></annotation>"""
OUTSIDE = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LAUGHS, "document type"),
        (OUTSIDE, "document type"),
        (b"", "expected XML"),
        (b"<annotation>", "expected XML"),
        (b"\xff\xfe\x00", "expected XML"),
        (b"<annotation>&undefined;</annotation>", "expected XML"),
        (b"<note></note>", "<annotation>"),
        (b"<a>" * 60, "50 deep"),
        (VOC.format(file="a.png", objects=voc_object("", (1, 2, 3, 4))), "object 1: name"),
        (VOC.format(file="a.png", objects=voc_object("cat", (1, 2, "x", 4))), "bndbox/xmax.*'x'"),
        (VOC.format(file="a.png", objects=voc_object("cat", (5, 2, 5, 4))), "1, cat.*an area"),
        (VOC.format(file="a.png", objects=voc_object("cat", (1, 2, "nan", 4))), "finite"),
        (VOC.format(file="a.png", objects=voc_object("cat", (70, 2, 80, 4))), "64 x 48"),
    ],
    ids=range(13),
)
def test_wrong_voc(voc: Any, content: Any, message: str) -> None:
    with pytest.raises(FileFormatError, match=message) as caught:
        voc(content)
    assert "a.xml" in str(caught.value)


def test_voc_of_other_classes_and_without_pictures(voc: Any, tmp_path: Path) -> None:
    content = VOC.format(file="a.png", objects=voc_object("cat", (1, 2, 3, 4)))
    with pytest.raises(FileFormatError, match=r"object/name.*\['dog'\].*'cat'"):
        voc(content, class_names=["dog"])
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(MissingFileError, match=r"a\.xml: filename"):
        voc(content)
    with pytest.raises(MissingFileError, match="a folder"):
        load_voc(tmp_path / "no")


def test_boxes_can_be_left_out(voc: Any) -> None:
    objects = voc_object("cat", (5, 5, 5, 5)) + voc_object("cat", (1, 2, 3, 4))
    with pytest.warns(UserWarning, match="left out 1 boxes"):
        found = voc(VOC.format(file="a.png", objects=objects), on_error="skip")
    assert found[0].boxes.tolist() == [[1, 2, 3, 4]]


COCO: dict[str, Any] = {
    "images": [
        {"id": 9, "file_name": "b/9.jpg", "width": 64, "height": 48},
        {"id": 2, "file_name": "2.jpg"},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 9, "category_id": 18, "bbox": [1, 2, 10, 20], "iscrowd": 1},
        {"id": 2, "image_id": 9, "category_id": 17, "bbox": [0, 0, 4, 4.5], "area": 7},
    ],
}


def read_coco(folder: Path, content: Any, **options: Any) -> Examples:
    path = folder / "found.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return load_coco(path, folder / "pictures", **options)


def test_coco(tmp_path: Path) -> None:
    found = read_coco(tmp_path, COCO)
    assert found.class_names == ["cat", "dog"]  # by their ids
    assert [example.name for example in found] == [2, 9] and len(found[0].boxes) == 0
    example = found[1]
    assert example.path == str(tmp_path / "pictures" / "b/9.jpg")
    assert example.boxes.tolist() == [[1, 2, 11, 22], [0, 0, 4, 4.5]]
    assert example.labels.tolist() == [1, 0] and example.crowd.tolist() == [True, False]
    assert example.areas.tolist() == [200, 7]
    only = read_coco(tmp_path, COCO, class_names=["dog"])
    assert only[1].labels.tolist() == [0]
    with pytest.raises(ConfigError, match="bird"):
        read_coco(tmp_path, COCO, class_names=["bird"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 3}, "images: expected a list"),
        ({"images": [3]}, r"images\[0\]"),
        ({"images": [{"id": "x", "file_name": "a"}]}, r"images\[0\]: id"),
        ({"images": [{"id": 1, "file_name": "../../a"}]}, "file_name"),
        ({"images": [{"id": 1, "file_name": "/etc/a"}]}, "file_name"),
        ({"categories": [{"id": True, "name": "x"}]}, "id: expected an integer, got True"),
        ({"annotations": [{"image_id": 5, "category_id": 17}]}, "image_id: there is none of id 5"),
        ({"annotations": [{"image_id": 9, "category_id": 1}]}, "category_id: there is none"),
        ({"annotations": [{"image_id": 9, "category_id": 17, "bbox": [1, 2, 3]}]}, "bbox: expect"),
        ({"annotations": [{"image_id": 9, "category_id": 17, "bbox": [1, 2, 0, 3]}]}, "an area"),
    ],
    ids=range(10),
)
def test_wrong_coco(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(FileFormatError, match=message) as caught:
        read_coco(tmp_path, {**COCO, **change})
    assert "found.json" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[1", "[1]", "[" * 100000])
def test_what_is_no_coco(tmp_path: Path, content: str) -> None:
    with pytest.raises(FileFormatError, match=r"found\.json: expected"):
        read_coco(tmp_path, content)


def test_yolo(tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        fc.io.save_image(tmp_path / "images" / f"{name}.png", np.zeros((40, 80, 3), np.uint8))
    (tmp_path / "labels" / "b.txt").write_text("\n1 0.5 0.5 0.25 0.5\n0 0.0 0.0 0.5 0.5\n")
    with pytest.raises(ConfigError, match="class_names"):
        load_yolo(tmp_path)
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    found = load_yolo(tmp_path)
    assert found.class_names == ["cat", "dog"] and len(found[0].boxes) == 0
    assert found[1].boxes.tolist() == [[30, 10, 50, 30], [0, 0, 20, 10]]
    assert found[1].labels.tolist() == [1, 0]
    for line, message in [
        ("2 0.5 0.5 0.1 0.1", "class from 0 to 1, got 2"),
        ("0 0.5 0.5 0.1", "class x y width height"),
        ("0 0.5 0.5 1.5 0.1", "shares"),
        ("cat 0.5 0.5 0.1 0.1", "class x y width height"),
        ("0 0.5 0.5 0 0.1", "an area"),
        ("0 nan 0.5 0.1 0.1", "shares"),
    ]:
        (tmp_path / "labels" / "b.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
        with pytest.raises(FileFormatError, match=f"b.txt: line 2.*{message}"):
            load_yolo(tmp_path)


def test_split_depends_on_the_seed_only() -> None:
    examples = Examples([Example(str(i), [], []) for i in range(50)], ["cat"])
    parts = [[e.path for e in part] for part in examples.split(0.2, seed=3)]
    assert [len(part) for part in parts] == [40, 10] and not set(parts[0]) & set(parts[1])
    assert parts == [[e.path for e in part] for part in examples.split(0.2, seed=3)]
    assert parts != [[e.path for e in part] for part in examples.split(0.2, seed=4)]
    for share in (0, 1, 0.001, "x"):
        with pytest.raises(ConfigError, match="split"):
            examples.split(share)  # type: ignore[arg-type]


def test_examples_have_one_of_each_for_every_box() -> None:
    with pytest.raises(ShapeError, match=r"labels: expected shape \(1,\)"):
        Example("a", [[0, 0, 1, 1]], [])
    with pytest.raises(ShapeError, match="boxes"):
        Example("a", [[0, 0, 1]], [0])


def test_fuzzed_annotations_give_errors_of_the_library(voc: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    whole = VOC.format(file="a.png", objects=voc_object("cat", (1, 2, 3, 4))).encode()
    text = json.dumps(COCO)
    for _ in range(150):
        data = bytearray(whole)
        data[random.integers(len(data))] = random.integers(256)
        letters = list(text)
        letters[random.integers(len(letters))] = chr(random.integers(32, 127))
        for read in (
            lambda d=data: voc(bytes(d)),
            lambda t=letters: read_coco(tmp_path, "".join(t)),
        ):
            with contextlib.suppress(FastcnnError):
                read()


def test_real_annotations() -> None:
    with pytest.warns(UserWarning, match="left out 2 boxes"):
        found = load_voc(shared_path("data", "bccd"), on_error="skip")
    assert found.count() == {"Platelets": 292, "RBC": 3348, "WBC": 301} and found.most_boxes == 30
