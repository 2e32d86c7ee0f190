"""``fastcnn train`` and ``fastcnn evaluate``: from a folder of pictures to a model, and back."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.cli.train import unfreeze
from fastcnn.io import save_image
from tests.cli.conftest import Run

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads pictures")
pytest.importorskip("safetensors", reason="writes models")


def draw(folder: Path, count: int, seed: int = 0) -> Path:
    """Pictures of horizontal and of vertical stripes, noisy, in any colour."""
    rng = np.random.default_rng(seed)
    for name, axis in (("horizontal", 0), ("vertical", 1)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            wave = np.sin(np.arange(24) * rng.uniform(0.8, 1.2) + rng.uniform(0, 6))
            stripes = np.expand_dims(wave, (1 - axis, 2)) * rng.uniform(40, 90, 3) + 128
            picture = np.broadcast_to(stripes, (24, 24, 3)) + rng.normal(0, 10, (24, 24, 3))
            save_image(folder / name / f"{i:02}.png", picture.clip(0, 255).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("data") / "stripes", 40)


SMALL = ("--image-size", "16", "--batch-size", "8")


def test_from_scratch_and_back(run: Run, stripes: Path, tmp_path: Path) -> None:
    model = tmp_path / "net.fastcnn"
    table, curves = tmp_path / "log.csv", tmp_path / "curves.png"
    code, out, err = run(
        "train", stripes, *SMALL, "--epochs", "8", "--output", model, "--seed", "1",
        "--history", table, *(["--history", curves] if has_matplotlib() else []),
    )  # fmt: skip
    assert code == 0 and err == "", err
    assert "Found 80 files belonging to 2 classes." in out
    assert "Training small_convnet from scratch on pictures of 16 x 16" in out
    assert "Epoch 8/8" in out and f"Model: {model}" in out
    best = max(float(row["val_accuracy"]) for row in csv.DictReader(table.open()))
    assert best > 0.9 and f"Best validation accuracy: {best:.2%}" in out
    assert not has_matplotlib() or curves.read_bytes().startswith(b"\x89PNG")
    assert fc.load_model(model).class_names == ["horizontal", "vertical"]

    fresh = draw(tmp_path / "fresh", 10, seed=5)
    code, out, err = run("evaluate", model, fresh)
    assert code == 0 and err == "" and "horizontal" in out and "Accuracy: " in out
    code, out, err = run("evaluate", model, fresh, "--json", "--batch-size", "7")
    report = json.loads(out)
    assert code == 0 and report["count"] == 20 and report["accuracy"] > 0.9
    assert [entry["name"] for entry in report["classes"]] == ["horizontal", "vertical"]
    assert all(entry["pictures"] == 10 for entry in report["classes"])


def test_outputs_in_folders_that_are_not_there(run: Run, stripes: Path, tmp_path: Path) -> None:
    model, table = tmp_path / "a" / "b" / "net.fastcnn", tmp_path / "c" / "log.csv"
    code, _, err = run(
        "train", stripes, *SMALL, "--epochs", "1", "--output", model, "--history", table
    )
    assert code == 0 and err == "" and model.exists() and table.exists()
    if has_matplotlib():
        code, _, err = run("evaluate", model, stripes, "--wrong", tmp_path / "d" / "wrong.png")
        assert code == 0 and err == "" and (tmp_path / "d" / "wrong.png").exists()


@pytest.mark.parametrize("option", ["--output", "--history"])
def test_outputs_that_cannot_be_are_told_before_training(
    run: Run, stripes: Path, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").touch()
    for path, message in ((tmp_path / "file" / "x.csv", "cannot be made"), (tmp_path, "a folder")):
        code, out, err = run("train", stripes, *SMALL, "--epochs", "1", option, path)
        assert code == 2 and out == "" and message in err


def has_matplotlib() -> bool:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def test_the_same_seed_gives_the_same_model(run: Run, stripes: Path, tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        path = tmp_path / name
        code, _, err = run(
            "train", stripes, *SMALL, "--epochs", "1", "--output", path, "--seed", seed
        )
        assert code == 0, err
        weights.append(fc.load_model(path).get_weights())
    for a, b in zip(weights[0], weights[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != c).any() for a, c in zip(weights[0], weights[2], strict=True))


def test_transfer_and_fine_tuning(run: Run, stripes: Path, tmp_path: Path) -> None:
    source = fc.applications.ResNet18(include_top=False, input_shape=(32, 32, 3), pooling="avg")
    source.save_weights(tmp_path / "given.safetensors")
    model, table = tmp_path / "net.fastcnn", tmp_path / "log.csv"
    code, out, err = run(
        "train", stripes, "--model", "resnet18", "--weights", tmp_path / "given.safetensors",
        "--image-size", "32", "--epochs", "1", "--fine-tune", "2", "--augment",
        "--output", model, "--history", table,
    )  # fmt: skip
    assert code == 0 and err == "", err
    assert "1,026 of them trained" in out and "Fine-tuning the last 2 layers" in out
    assert [row["epoch"] for row in csv.DictReader(table.open())] == ["0", "1"]
    trained = fc.load_model(model).get_layer("resnet18")
    for old, new in zip(source.layers[:-20], trained.layers[:-20], strict=True):
        for a, b in zip(old.get_weights(), new.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_fine_tuning_leaves_batch_norms_alone() -> None:
    base = fc.applications.ResNet18(include_top=False, input_shape=(32, 32, 3), pooling="avg")
    base.trainable = False
    assert unfreeze(base, 2) == 2
    assert [v.path for v in base.trainable_weights] == [
        "conv5_block2_1_conv/kernel", "conv5_block2_2_conv/kernel",
    ]  # fmt: skip
    assert unfreeze(base, 1000) == 20
    assert all(v.path.endswith("conv/kernel") for v in base.trainable_weights)


def test_evaluation_draws(run: Run, stripes: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="draws")
    x = fc.Input((16, 16, 3))
    y = fc.layers.Dense(3, activation="softmax")(fc.layers.GlobalAveragePooling2D()(x))
    model = fc.Model(x, y)
    model.class_names = ["vertical", "absent", "horizontal"]
    model.save(tmp_path / "m.fastcnn")
    confusion, wrong = tmp_path / "confusion.png", tmp_path / "wrong.png"
    code, out, err = run(
        "evaluate", tmp_path / "m.fastcnn", stripes, "--confusion-matrix", confusion,
        "--wrong", wrong, "--json",
    )  # fmt: skip
    assert code == 0 and err == ""
    assert confusion.read_bytes()[:4] == wrong.read_bytes()[:4] == b"\x89PNG"
    absent = json.loads(out)["classes"][1]
    assert absent["name"] == "absent" and absent["pictures"] == 0 and absent["recall"] is None


def test_single_classes_and_single_outputs(run: Run, stripes: Path, tmp_path: Path) -> None:
    x = fc.Input((16, 16, 3))
    y = fc.layers.Dense(1, activation="sigmoid")(fc.layers.GlobalAveragePooling2D()(x))
    model = fc.Model(x, y)
    model.class_names = ["horizontal", "vertical"]
    model.save(tmp_path / "m.fastcnn")
    only = tmp_path / "only"
    only.mkdir()
    (only / "vertical").symlink_to(stripes / "vertical", target_is_directory=True)
    reports = []
    for folder in (stripes, only):
        code, out, err = run("evaluate", tmp_path / "m.fastcnn", folder, "--json")
        assert code == 0, err
        reports.append(json.loads(out))
    assert reports[0]["classes"][1]["recall"] == reports[1]["classes"][1]["recall"]
    assert reports[1]["classes"][0]["pictures"] == 0


def test_damaged_pictures(run: Run, tmp_path: Path) -> None:
    folder = draw(tmp_path / "d", 6)
    (folder / "vertical" / "bad.jpg").write_text("no picture")
    output = tmp_path / "m.fastcnn"
    given = ("train", folder, *SMALL, "--epochs", "1", "--output", output)
    code, out, err = run(*given)
    assert code == 2 and "bad.jpg" in err and "Traceback" not in err
    assert "--skip-damaged leaves such out" in err and "on_error" not in err
    with pytest.warns(UserWarning, match=r"bad\.jpg"):
        code, out, err = run(*given, "--skip-damaged")
    assert code == 0 and "Found 12 files" in out and output.exists()
    code, out, err = run("evaluate", output, folder)
    assert code == 2 and out == "" and "bad.jpg" in err


def test_advice_for_python_is_left_out(run: Run, tmp_path: Path) -> None:
    """There are no options for it, and nobody here knows arguments of functions."""
    messages = []
    for folder in ("nothing", "empty/a", "one/a"):
        (tmp_path / folder).mkdir(parents=True)
    save_image(tmp_path / "one" / "a" / "x.png", np.zeros((8, 8, 3), np.uint8))
    for folder in ("nothing", "empty", "one"):
        code, _, err = run("train", tmp_path / folder, "--output", tmp_path / "m.fastcnn")
        assert code == 2
        messages.append(err)
    assert not any(word in err for err in messages for word in ("=", "class_names", ";"))


def test_wrong_arguments(run: Run, stripes: Path, tmp_path: Path) -> None:
    x = fc.Input((8, 8, 3))
    fc.Model(x, fc.layers.MaxPooling2D()(x)).save(tmp_path / "pool.fastcnn")
    fc.Model(x, fc.layers.Dense(3)(fc.layers.Flatten()(x))).save(tmp_path / "three.fastcnn")
    for arguments, word in (
        (("train", tmp_path / "nowhere"), "nowhere"),
        (("train", stripes, "--model", "resnet51"), "resnet51"),
        (("train", stripes, "--weights", "imagenet"), "small_convnet"),
        (("train", stripes, "--fine-tune", "3"), "--weights"),
        (("train", stripes, "--history", "log.txt"), "log.txt"),
        (("train", stripes, "--model", "resnet18", "--weights", tmp_path / "none"), "none"),
        (("train", stripes, "--epochs", "0"), "--epochs"),
        (("train", stripes, "--validation-split", "0.001"), "too few"),
        (("evaluate", tmp_path / "nowhere.fastcnn", stripes), "nowhere.fastcnn"),
        (("evaluate", tmp_path / "pool.fastcnn", stripes), "gives classes"),
        (("evaluate", tmp_path / "three.fastcnn", stripes), "3 classes of the model"),
    ):
        code, _, err = run(*arguments)
        assert code == 2 and word in err, (arguments, err)


@pytest.mark.skipif(os.name == "nt", reason="sends the signal of Ctrl-C")
def test_ctrl_c_leaves_the_best_model(stripes: Path, tmp_path: Path) -> None:
    output, table = tmp_path / "m.fastcnn", tmp_path / "log.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", "fastcnn", "train", str(stripes), *SMALL, "--epochs", "10000",
         "--output", str(output), "--history", str(table)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # What a shell starts in the background ignores Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Epoch 3/"):
            break
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and err == "fastcnn: interrupted\n"
    assert "Best validation accuracy" in out
    assert fc.load_model(output).class_names and len(table.read_text().splitlines()) >= 3
