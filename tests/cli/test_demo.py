"""``fastcnn demo``: the page, what it leaves out and why, the picture of before."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import fastcnn.segmentation.background as background
from fastcnn.applications import pretrained, weights
from fastcnn.applications.weights import find
from fastcnn.demo import sections as demo_sections
from fastcnn.demo.page import page, write_page
from fastcnn.demo.sections import Figure, Given, Section, run_sections
from fastcnn.errors import ConfigError, FileAccessError, MissingWeightsError
from fastcnn.io import load_image, save_image
from tests.cli.conftest import Run

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads photos")

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


class Tags(HTMLParser):
    """Checks that tags close in order, and collects pictures and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    assert not tags.open
    return tags


def test_a_page_is_whole(tmp_path: Path) -> None:
    shown = Section("Show <it>", "All & more.", "fastcnn x 'y'", [Figure(PICTURE, 'a "b"')])
    shown.figures.append(Figure(PICTURE, shares=[("cat & dog", 0.75)]))
    shown.times.append(("one <call>", 0.0123))
    shown.table += [("kernel", "time"), ("conv2d", "1 ms")]
    gone = Section("Gone", "Not here.", "fastcnn y", missing="get it with: pip install <it>")
    write_page(tmp_path / "page.html", [shown, gone])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    tags = parsed(text)
    assert "script" not in tags.seen and "<it>" not in text and "http" not in text
    assert all(word in text for word in ("All &amp; more.", "75%", "12 ms", "conv2d", "Left out"))
    assert "get it with: pip install &lt;it&gt;" in text and "Not here." not in text
    assert [picture["alt"] for picture in tags.pictures] == ['a "b"', "cat & dog"]
    data = base64.b64decode(re.findall(r"base64,([^\"]+)", text)[0])
    assert load_image(data).shape == PICTURE.shape
    with pytest.raises(FileAccessError, match="nowhere"):
        write_page(tmp_path / "nowhere" / "page.html", [shown])


def test_what_cannot_be_shown_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fine(section: Section, given: Given) -> None:
        section.figures.append(Figure(load_image(given.pictures[0])))

    def half(section: Section, given: Given) -> None:
        section.figures.append(Figure(PICTURE))
        raise MissingWeightsError("get them")

    def broken(section: Section, given: Given) -> None:
        section.figures.append(Figure(PICTURE))
        raise ConfigError("too small")

    made = [("Fine", fine), ("Half", half), ("Broken", broken)]
    monkeypatch.setattr(demo_sections, "_SECTIONS", [(n, "", "", f) for n, f in made])
    save_image(tmp_path / "a.png", PICTURE)
    given = Given([str(tmp_path / "a.png")])
    sections = list(run_sections(given))[1::2]
    assert [(s.title, len(s.figures), s.missing) for s in sections] == [
        ("Fine", 1, ""), ("Half", 0, "get them"), ("Broken", 1, "too small"),
    ]  # fmt: skip
    text = page(sections)
    assert "too small" in text and "<b>Half</b>: get them" in text


def test_without_weights_everything_else_is_shown(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str, progress: object = None) -> Path:
        raise MissingWeightsError(f"{name}: get the weights")

    # All are there before one is changed: what imports `find` later would keep the changed one.
    for module in (pretrained, weights, background):
        monkeypatch.setattr(module, "find", none)
    monkeypatch.setenv("FASTCNN_HOME", str(tmp_path / "home"))
    save_image(tmp_path / "a.png", PICTURE)
    output = tmp_path / "page.html"
    code, out, err = run("demo", tmp_path / "a.png", "-o", output, "--json", "--style",
                         tmp_path / "a.png")  # fmt: skip
    assert code == 0 and err == ""
    told = {section["title"]: section for section in json.loads(out)["sections"]}
    assert told["Kernels"]["left_out"] is None and told["Kernels"]["seconds"]
    assert "get the weights" in told["Classify"]["left_out"]
    assert "--detector" in told["Detect"]["left_out"]
    assert parsed(output.read_text(encoding="utf-8")).seen.count("section") >= 2


def test_wrong_pictures(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    for name in ("bad.jpg", "none.jpg"):
        code, out, err = run("demo", tmp_path / name, "-o", tmp_path / "page.html")
        assert code == 2 and out == "" and name in err
    save_image(tmp_path / "a.png", PICTURE)
    for option in ("--style", "--detector"):
        code, out, err = run("demo", tmp_path / "a.png", "-o", tmp_path / "page.html", option,
                             tmp_path / "none")  # fmt: skip
        assert code == 2 and out == "" and "none: no such" in err
    assert not (tmp_path / "page.html").exists()


def test_the_picture_of_classifications(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="draws the results")
    try:
        find("efficientnet_lite0")
    except MissingWeightsError as error:
        pytest.skip(str(error))
    save_image(tmp_path / "a.png", PICTURE)
    code, out, _ = run("demo", tmp_path / "a.png", "-o", tmp_path / "r.png")
    assert code == 0 and "a.png" in out
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_it_opens_what_it_made(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(demo_sections, "_SECTIONS", [])
    save_image(tmp_path / "a.png", PICTURE)
    code, out, _ = run("demo", tmp_path / "a.png", "--open", "-o", tmp_path / "p.html")
    assert code == 0 and opened == [(tmp_path / "p.html").resolve().as_uri()]
    assert f"Drawn: {tmp_path / 'p.html'}" in out
