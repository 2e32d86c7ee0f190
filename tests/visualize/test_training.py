"""The pictures of training: what is in them, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import (
    ConfigError,
    DTypeError,
    FileAccessError,
    MissingDependencyError,
    ShapeError,
)
from fastcnn.visualize import confusion_matrix, examples, history

pytest.importorskip("matplotlib", reason="draws the pictures")

CURVES = {"loss": [2.0, 1.0, 0.5], "accuracy": [0.1, 0.5, 0.9], "val_loss": [2.0, 1.5, 1.6]}
IMAGES = np.random.default_rng(0).random((6, 8, 8, 3), np.float32)


def texts(figure: Any) -> list[str]:
    return [t.get_text() for axes in figure.axes for t in axes.texts if t.get_text().strip()]


def test_history() -> None:
    figure = history(CURVES)
    loss, accuracy = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "accuracy"]
    training, validation = loss.get_lines()
    assert training.get_xdata().tolist() == [1, 2, 3]
    assert validation.get_ydata().tolist() == CURVES["val_loss"]
    assert training.get_color() != validation.get_color()
    assert training.get_linestyle() != validation.get_linestyle()  # not by colour alone
    figure.canvas.draw()
    ticks = [tick for tick in accuracy.get_xticks() if 0 < tick < 4]
    assert ticks == [1, 2, 3] and accuracy.get_xlim()[0] > 0


def test_history_of_fit() -> None:
    log = fc.callbacks.History()
    log.set_model(type("Model", (), {})())
    log.on_train_begin()
    for epoch in (5, 6):
        log.on_epoch_end(epoch, {"loss": float("nan"), "learning_rate": 0.1})
    (axes,) = history(log).axes  # a rate that stays the same says nothing
    assert axes.get_lines()[0].get_xdata().tolist() == [6, 7]
    log.on_epoch_end(7, {"loss": 1.0, "learning_rate": 0.05})
    assert len(history(log).axes) == 2
    assert len(history(log, ["learning_rate"]).axes) == 1
    assert len(history({f"m{i}": [1.0] for i in range(4)}).axes) == 6


def test_validation_of_some_epochs() -> None:
    model = fc.Sequential([fc.Input((2,)), fc.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2), np.float32)
    data = {"validation_data": (x, x[:, :1]), "verbose": 0}
    log = model.fit(x, x[:, :1], epochs=6, validation_freq=3, **data)
    model.fit(x, x[:, :1], initial_epoch=6, epochs=8, validation_freq=[8], callbacks=log, **data)
    training, validation = history(log).axes[0].get_lines()
    assert training.get_xdata().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert validation.get_xdata().tolist() == [3, 6, 8]
    # Of a dict the lengths tell, as far as they can.
    plain = {"loss": [1.0] * 7, "val_loss": [1.0, 2.0], "f1": [1.0] * 4}
    loss, f1 = history(plain).axes
    assert [line.get_xdata().tolist() for line in loss.get_lines()][1] == [3, 6]
    assert f1.get_lines()[0].get_xdata().tolist() == [1, 2, 3, 4]


def test_one_epoch_has_one_tick() -> None:
    (axes,) = history({"loss": [1.0]}).axes
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_confusion_matrix() -> None:
    figure = confusion_matrix([0, 0, 1, 2], [0, 1, 1, 2], ["a", "b", "a very long name of a class"])
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "3 of 4 right: 75.0%"
    assert texts(figure) == ["1", "1", "1", "1"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "a very lo… a class"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("true", "seen"),
    [
        ([0, 1, 1], [0, 1, 0]),
        (np.eye(2)[[0, 1, 1]], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]),
        ([[0], [1], [1]], [[0.1], [0.8], [0.4]]),
        (np.array([0.0, 1, 1], np.float32), [[1, -1], [0, 5], [3, 1]]),
    ],
)
def test_classes_in_any_form(true: Any, seen: Any) -> None:
    figure = confusion_matrix(true, seen)
    assert figure.axes[0].get_title(loc="left") == "2 of 3 right: 66.7%"


def test_long_names_stay_distinct() -> None:
    inside = [f"a class that {word} the middle" for word in ("differs in", "is not like")]
    names = [f"a long class name {i}" for i in range(28)] + inside + [inside[0][:-6] + "muddle"]
    figure = confusion_matrix(np.arange(31), np.arange(31), names)
    shown = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert shown[12] == "a long cl… name 12" and len(set(shown)) == 31
    assert texts(figure) == ["1"] * 31


def test_many_classes_have_no_numbers() -> None:
    figure = confusion_matrix(np.arange(60), np.arange(60))
    assert not texts(figure) and len(figure.axes[0].get_xticklabels()) <= 30


def test_examples() -> None:
    true = [0, 1, 0, 1, 0, 1]
    seen = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [0.45, 0.55], [0.2, 0.8]])
    figure = examples(IMAGES, true, seen, ["cat", "dog"])
    assert texts(figure) == [
        "✗ dog (80%)", "is cat", "✗ cat (60%)", "is dog", "✗ dog (55%)", "is cat",
    ]  # fmt: skip
    assert figure.get_suptitle() == "3 of 6 wrong"
    figure = examples(IMAGES, true, seen.argmax(1), wrong_only=False, max_examples=2)
    assert texts(figure) == ["✓ 0", "✗ 0", "is 1"]
    assert figure.get_suptitle() == "3 of 6 right, 2 of them here"
    assert not texts(examples(IMAGES, true, true))
    assert examples(IMAGES, true, true, title="None").get_suptitle() == "None"


@pytest.mark.parametrize(
    "images",
    [IMAGES, IMAGES * 255, (IMAGES * 255).astype(np.uint8), IMAGES[..., :1], IMAGES * 4 - 2,
     np.zeros_like(IMAGES) - 1],
)  # fmt: skip
def test_ranges_of_pictures(images: np.ndarray) -> None:
    shown = examples(images, [0] * 6, [1] * 6).axes[0].images[0].get_array()
    assert 0 <= shown.min() <= shown.max() <= 1
    assert shown.ndim == (2 if images.shape[3] == 1 else 3)


def test_files(tmp_path: Path) -> None:
    for name, start in (("x.png", b"\x89PNG"), ("x.svg", b"<?xml"), ("x.pdf", b"%PDF")):
        history(CURVES, save=tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    confusion_matrix([0, 1], [0, 1], save=tmp_path / "c.png")
    examples(IMAGES, [0] * 6, [1] * 6, save=str(tmp_path / "e.png"))
    with pytest.raises(FileAccessError, match="nowhere"):
        history(CURVES, save=tmp_path / "nowhere" / "x.png")
    with pytest.raises(ConfigError, match=r"x\.txt"):
        history(CURVES, save=tmp_path / "x.txt")
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: history({}), ConfigError, "at least one epoch"),
        (lambda: history({"loss": []}), ConfigError, "at least one epoch"),
        (lambda: history([1, 2]), DTypeError, "History"),
        (lambda: history(CURVES, ["auc"]), ConfigError, "auc"),
        (lambda: confusion_matrix([0, 1], [0]), ShapeError, "2, 1"),
        (lambda: confusion_matrix([0, 2], [0, 1], ["a", "b"]), ShapeError, "at least 3"),
        (lambda: confusion_matrix([0, -1], [0, 1]), DTypeError, "y_true"),
        (lambda: confusion_matrix([0, 1], [0, 1.5]), DTypeError, "y_pred"),
        (lambda: confusion_matrix([0, 1], np.zeros((2, 2, 2))), ShapeError, "y_pred"),
        (lambda: examples(IMAGES[:2], [0], [0]), ShapeError, "1 pictures"),
        (lambda: examples(IMAGES[0], [0] * 8, [0] * 8), ShapeError, "pictures"),
        (lambda: examples(IMAGES, [0] * 6, [0] * 6, max_examples=0), ConfigError, "max_examples"),
    ],
)
def test_wrong_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"fastcnn\[plot\]"):
        history(CURVES)
