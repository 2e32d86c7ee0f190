"""``fastcnn stylize``: what it writes, what it prints, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications.weights import find
from fastcnn.errors import MissingWeightsError
from fastcnn.io import load_image, save_image
from tests.cli.conftest import Run

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads photos")
pytest.importorskip("safetensors", reason="keeps weights")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, size in (("photo.png", (4, 6)), ("painting.jpg", (5, 5))):
        coarse = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        save_image(tmp_path / name, coarse.repeat(8, 0).repeat(8, 1))
    return tmp_path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of VGG-16, as a file."""
    fc.set_random_seed(0)
    path = tmp_path / "vgg16.safetensors"
    fc.applications.VGG16(include_top=False).save_weights(path)
    return path


QUICK = ("--size", "48", "--scales", "1", "--iterations", "2")


def test_a_picture_is_painted(run: Run, pictures: Path, weights: Path) -> None:
    out = pictures / "out.png"
    layers = ("--content-layer", "conv2_1", "--style-layer", "conv1_1", "--style-layer", "conv2_1")
    given = (pictures / "photo.png", pictures / "painting.jpg", "-o", out, "--weights", weights)
    code, printed, err = run("stylize", *given, *QUICK, *layers, "--json", "--optimizer", "adam")
    assert code == 0 and err == ""
    summary = json.loads(printed)
    assert (summary["height"], summary["width"], summary["iterations"]) == (32, 48, 2)
    assert summary["file"] == str(out) and summary["costs"]["total"] > 0
    assert load_image(out).shape == (32, 48, 3)

    code, printed, err = run("stylize", *given, *QUICK, *layers)
    assert code == 0 and err == ""
    assert "2/2" in printed and f"Painted: {out}, 48 x 32, 2 iterations" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.png", "painting.jpg", "-o", "out.png"), "none.png"),
        (("photo.png", "painting.jpg", "-o", "out.txt"), "expected a suffix"),
        (("photo.png", "painting.jpg", "-o", "photo.png/out.png"), "folder cannot be made"),
        (("photo.png", "painting.jpg", "-o", "out.png", "--network", "vgg"), "vgg16"),
        (("photo.png", "painting.jpg", "-o", "out.png", "--network", "vgg19"), "hed"),
        (("photo.png", "painting.jpg", "-o", "out.png", "--precision", "low"), "highest"),
        (("photo.png", "painting.jpg", "-o", "out.png", "--size", "20"), "at least 16 x 16"),
    ],
)
def test_what_does_not_work_is_told(
    run: Run,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    try:
        find("hed")
    except MissingWeightsError as error:
        pytest.skip(str(error))
    monkeypatch.chdir(pictures)
    code, _, err = run("stylize", *arguments)
    assert code == 2 and message in err
    assert not (pictures / "out.png").exists()


def test_help_has_examples(run: Run) -> None:
    code, out, _ = run("stylize", "--help")
    assert code == 0 and "fastcnn stylize louvre.jpg monet.jpg -o painted.png" in out
