"""``fastcnn look``: which figures it draws, what it tells, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.applications.weights import find
from fastcnn.errors import MissingWeightsError
from fastcnn.io import load_image, save_image
from tests.cli.conftest import Run
from tests.shared_data import shared_path

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads photos")
pytest.importorskip("matplotlib", reason="draws the figures")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    x = image = fc.Input((24, 20, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.Conv2D(6, 3, activation="relu", name="edges")(x)
    x = layers.MaxPooling2D(name="less")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = fc.Model(image, layers.Dense(3, activation="softmax")(x))
    model.class_names = ["ant", "bee", "beetle"]
    path = tmp_path / "net.fastcnn"
    model.save(path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    save_image(tmp_path / "photo.png", coarse.repeat(8, 0).repeat(8, 1))
    return tmp_path / "photo.png"


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--method", "gradcam", "--layer", "edges", "--class", "1"],
        ["--method", "saliency", "--class", "beetle"],
        ["--method", "smoothgrad"],
        ["--method", "guided", "--layer", "edges", "--channel", "2"],
        ["--method", "occlusion"],
        ["--method", "deconvnet", "--layer", "less"],
        ["--method", "deconvnet", "--layer", "less", "--channel", "5"],
        ["--method", "features"],
        ["--method", "features", "--layer", "less"],
        ["--method", "filters"],
        ["--method", "maximize", "--class", "bee"],
    ],
    ids=lambda options: "-".join(options) or "nothing",
)
def test_methods(
    run: Run, network: Path, photo: Path, tmp_path: Path, options: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    maximize = fc.visualize.maximize_activation
    monkeypatch.setattr(
        fc.visualize, "maximize_activation", lambda *a, **k: maximize(*a, steps=2, **k)
    )
    output = tmp_path / "look.png"
    code, out, err = run("look", photo, "--model", network, "-o", output, "--json", *options)
    assert code == 0 and err == ""
    told = json.loads(out)
    assert (told["file"], told["model"], told["output"]) == tuple(
        map(str, (photo, network, output))
    )
    assert output.read_bytes().startswith(b"\x89PNG") and load_image(output).shape[0] > 100
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert told["method"] == given.get("--method", "gradcam")
    if "--class" in given:
        assert (told["index"], told["label"]) in [(1, "bee"), (2, "beetle")]
        assert 0 < told["score"] < 1
    if told["method"] == "deconvnet":
        assert told["channels"] == ([5] if "--channel" in given else told["channels"])
        assert 1 <= len(told["channels"]) <= 7


def test_without_a_picture(run: Run, network: Path, tmp_path: Path) -> None:
    output = tmp_path / "f.svg"
    code, out, err = run("look", "--method", "filters", "--model", network, "-o", output)
    assert code == 0 and err == "" and f"Drawn: {output}" in out
    assert output.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "x-ray"], "gradcam"),
        (["--layer", "edgy"], "edges"),
        (["--class", "wasp"], "wasp"),
        (["--class", "be"], "1 bee, 2 beetle"),
        (["--class", "3"], "class below 3"),
        (["--channel", "1"], "--layer"),
        (["--method", "deconvnet"], "--layer"),
        (["--method", "guided", "--layer", "edges", "--channel", "6"], "0 to 5"),
        (["--weights", "w.safetensors"], "weights of its own"),
        (["-o", "look.txt"], "look.txt"),
    ],
)
def test_wrong_options(
    run: Run, network: Path, photo: Path, options: list[str], message: str,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, out, err = run("look", photo, "--model", network, *options)
    assert code == 2 and out == "" and message in err and err.count("\n") == 1
    assert not (tmp_path / "look.png").exists()


def test_wrong_files(run: Run, network: Path, photo: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (["--model", network], "expected a picture"),
        ([tmp_path / "none.png", "--model", network], "none.png"),
        ([network, "--model", network], "expected a picture"),
        ([photo, "--model", tmp_path / "none.fastcnn"], "none.fastcnn"),
        ([photo, "--model", "resnet51"], "resnet51"),
    ):
        code, out, err = run("look", *arguments)
        assert code == 2 and out == "" and message in err


def test_grad_cam_falls_on_what_is_named(run: Run, tmp_path: Path) -> None:
    """Real weights and a photo of a dog beside a bicycle: each is seen where it is."""
    dog = shared_path("data", "detection", "dog.jpg")
    try:
        find("efficientnet_lite0")
    except MissingWeightsError as error:
        pytest.skip(str(error))
    code, out, _ = run("look", dog, "-o", tmp_path / "dog.png", "--json")
    told = json.loads(out)
    assert code == 0 and told["label"] == "malamute"
    model = fc.applications.EfficientNetLite0(weights="imagenet")
    x = fc.applications.imagenet.load_and_preprocess(dog, mode="lite", method="bicubic")
    on_dog, on_bicycle = fc.visualize.grad_cam(model, np.concatenate([x, x]), [told["index"], 671])

    def share(heat: np.ndarray, left: int, top: int, right: int, bottom: int) -> float:
        return float(heat[top:bottom, left:right].sum() / heat.sum())

    dog_box, wheels = (0, 82, 80, 224), (80, 40, 196, 170)
    assert share(on_dog, *dog_box) > 0.5 > 2 * share(on_bicycle, *dog_box)
    assert share(on_bicycle, *wheels) > 0.5
