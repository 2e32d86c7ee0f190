"""Callbacks, driven by a loop that does what training does, without a network."""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
)
from fastcnn.errors import (
    ConfigError,
    DTypeError,
    FileAccessError,
    MissingDependencyError,
    UnsupportedError,
)


class Optimizer:
    learning_rate: Any = 0.1


class Model:
    """What callbacks see of a model: one weight, which counts the epochs."""

    def __init__(self) -> None:
        self.optimizer = Optimizer()
        self.metrics: list[Any] = []
        self.weights = [np.zeros(1)]
        self.stop_training = False
        self.history: Any = None

    def get_weights(self) -> list[np.ndarray]:
        return [w.copy() for w in self.weights]

    def set_weights(self, weights: Any) -> None:
        self.weights = weights

    def save(self, path: str, overwrite: bool = True) -> None:
        Path(path).write_text(f"model {self.weights[0][0]:.0f}")

    def save_weights(self, path: str, overwrite: bool = True) -> None:
        Path(path).write_text(f"weights {self.weights[0][0]:.0f}")


def train(
    callbacks: Any, logs: Sequence[dict[str, float]], steps: int = 3, model: Model | None = None
) -> Model:
    """Show each epoch's logs to the callbacks, until they stop it."""
    model = model or Model()
    called = CallbackList(callbacks, model=model, epochs=len(logs), steps=steps, verbose=0)
    called.on_train_begin()
    for epoch, of_epoch in enumerate(logs):
        called.on_epoch_begin(epoch)
        for batch in range(steps):
            called.on_train_batch_begin(batch)
            called.on_train_batch_end(batch, dict(of_epoch))
        model.weights = [model.weights[0] + 1]
        called.on_epoch_end(epoch, dict(of_epoch))
        if model.stop_training:
            break
    called.on_train_end()
    return model


def losses(*values: float) -> list[dict[str, float]]:
    return [{"loss": v, "val_loss": v} for v in values]


def test_hooks_are_called_in_order() -> None:
    seen: list[Any] = []

    class Tells(Callback):
        def __getattribute__(self, name: str) -> Any:
            if name.startswith("on_"):
                seen.append(name)
            return super().__getattribute__(name)

    train(Tells(), losses(1.0), steps=1)
    assert seen == [
        "on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_batch_begin",
        "on_train_batch_end", "on_batch_end", "on_epoch_end", "on_train_end",
    ]  # fmt: skip


def test_list_takes_what_fit_takes() -> None:
    history = History()
    for given, count in ((None, 0), ([], 0), (history, 1), ((history,), 1)):
        assert len(CallbackList(given).callbacks) == count
    with pytest.raises(DTypeError, match="expected a Callback"):
        CallbackList([print])
    full = CallbackList([history], add_history=True, add_progbar=True, verbose=0, epochs=2, steps=3)
    assert full.history is history and len(full.callbacks) == 2
    assert history.params == {"verbose": 0, "epochs": 2, "steps": 3}
    assert CallbackList().history is None
    for name in dir(Callback):
        if name.startswith("on_") and name not in ("on_batch_begin", "on_batch_end"):
            assert hasattr(CallbackList, name)


def test_history() -> None:
    history = History()
    model = train(history, [{"loss": 2.0}, {"loss": 1.0, "val_loss": 3.0}])
    assert history.history == {"loss": [2.0, 1.0], "val_loss": [3.0]} and history.epoch == [0, 1]
    assert model.history is history


def test_lambda() -> None:
    seen: list[Any] = []
    train(
        LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"])),
            on_train_end=lambda logs: seen.append("end"),
            on_test_begin=seen.append,
        ),
        losses(2, 1),
    )
    assert seen == [(0, 2), (1, 1), "end"]
    with pytest.raises(TypeError, match="on_fire"):
        LambdaCallback(on_fire=print)


def test_logs_reach_the_callbacks_behind() -> None:
    history = History()
    train([LearningRateScheduler(lambda epoch: 1 / (epoch + 1)), history], losses(2, 1))
    assert history.history["learning_rate"] == [1.0, 0.5]


# ---- stopping ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "values", "epochs", "best"),
    [
        ({}, [3, 2, 2, 1], 3, 1),
        ({"patience": 2}, [3, 2, 2, 1, 1, 1, 0], 6, 3),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.8, 2.6, 2], 2, 0),
        ({"patience": 1, "baseline": 1.5}, [3, 2, 2.5, 1], 3, 1),
        ({"patience": 1, "baseline": 2.5}, [3, 2, 1], 3, 2),
        ({"start_from_epoch": 3}, [1, 2, 3, 3, 2, 2], 6, 4),
        ({"mode": "max"}, [1, 2, 3, 2, 9], 4, 2),
        ({"patience": 1}, [3, math.nan, 2, math.nan], 2, 0),
        ({"patience": 1}, [math.nan, 3, 2, 1], 4, 3),
    ],
)
def test_early_stopping(
    options: dict[str, Any], values: list[float], epochs: int, best: int
) -> None:
    stop = EarlyStopping(restore_best_weights=True, **options)
    model = train(stop, losses(*values))
    assert stop.best_epoch == best and model.weights[0] == best + 1
    assert stop.stopped_epoch == (epochs - 1 if model.stop_training else 0)
    assert model.stop_training == (epochs < len(values) or stop.stopped_epoch > 0)
    kept = EarlyStopping(**options)
    model = train(kept, losses(*values))
    assert model.weights[0] == epochs
    assert len(values) >= epochs
    train(kept, losses(*values))  # starts anew
    assert kept.best_epoch == best


def test_early_stopping_tells(capsys: pytest.CaptureFixture[str]) -> None:
    train(EarlyStopping(verbose=1, restore_best_weights=True), losses(1, 2))
    assert capsys.readouterr().out == (
        "Epoch 2: early stopping\nRestoring the weights of the best epoch: 1.\n"
    )


def test_direction_is_known_or_asked_for() -> None:
    for name, values in (
        ("val_accuracy", (1, 2, 3)), ("mean_iou", (1, 2, 3)), ("auc", (1, 2)),
        ("val_loss", (3, 2)), ("mae", (3, 2)), ("iou_loss", (3, 2)),
    ):  # fmt: skip
        model = train(EarlyStopping(name), [{name: v} for v in values])
        assert not model.stop_training, name
    with pytest.raises(ConfigError, match=r"'colour' better\? Give mode"):
        train(EarlyStopping("colour"), [{"colour": 1}])
    with pytest.raises(ConfigError, match="mode"):
        EarlyStopping(mode="best")

    class Colour:
        name = "colour"
        _direction = "up"

    model = Model()
    model.metrics = [Colour()]
    assert not train(
        EarlyStopping("val_colour"), [{"val_colour": v} for v in (1, 2)], model=model
    ).stop_training


def test_missing_number_warns() -> None:
    for callback in (
        EarlyStopping(),
        ReduceLROnPlateau(),
        ModelCheckpoint("x", save_best_only=True),
    ):
        with pytest.warns(UserWarning, match=r"'val_loss', which is not there; there are loss"):
            train(callback, [{"loss": 1.0}])


def test_terminate_on_nan() -> None:
    assert not train(TerminateOnNaN(), losses(1.0)).stop_training
    for value in (math.nan, math.inf):
        with pytest.warns(UserWarning, match=f"batch 0: the loss is {value}"):
            assert train(TerminateOnNaN(), losses(value)).stop_training


# ---- learning rate -----------------------------------------------------------------------------


def test_learning_rate_scheduler(capsys: pytest.CaptureFixture[str]) -> None:
    history = History()
    train([LearningRateScheduler(lambda epoch, lr: lr / 2, verbose=1), history], losses(1, 1, 1))
    np.testing.assert_allclose(history.history["learning_rate"], [0.05, 0.025, 0.0125])
    assert "Epoch 3: the learning rate is 0.0125.\n" in capsys.readouterr().out
    with pytest.raises(DTypeError, match="returns a number, got 'fast'"):
        train(LearningRateScheduler(lambda epoch: "fast"), losses(1))

    def broken(epoch: int, lr: float) -> float:
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        train(LearningRateScheduler(broken), losses(1))


def test_reduce_on_plateau(capsys: pytest.CaptureFixture[str]) -> None:
    history = History()
    lower = ReduceLROnPlateau(factor=0.5, patience=2, min_lr=0.03, cooldown=1, verbose=1)
    train([lower, history], losses(1, 1, 1, 1, 1, 1, 0.5, 1, 1, 1))
    np.testing.assert_allclose(
        history.history["learning_rate"],
        [0.1, 0.1, 0.1, 0.05, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03],
    )
    assert "lowered to 0.05" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="factor"):
        ReduceLROnPlateau(factor=1.0)


# ---- saving ------------------------------------------------------------------------------------


def test_checkpoints(tmp_path: Path) -> None:
    train(ModelCheckpoint(tmp_path / "new" / "{epoch:02d}-{val_loss:.1f}"), losses(3, 2, 2.5))
    names = sorted(p.name for p in (tmp_path / "new").iterdir())
    assert names == ["01-3.0", "02-2.0", "03-2.5"]
    best = tmp_path / "best"
    train(ModelCheckpoint(best, save_best_only=True), losses(3, 2, 2.5))
    assert best.read_text() == "model 2"
    train(ModelCheckpoint(best, save_best_only=True, initial_value_threshold=1.0), losses(3, 2))
    assert best.read_text() == "model 2"
    train(ModelCheckpoint(str(best), save_weights_only=True), losses(3, 2, 2.5))
    assert best.read_text() == "weights 3"
    train(ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=2), losses(3, 2, 1))
    assert sorted(p.name for p in tmp_path.glob("?-?")) == ["1-2", "2-1", "2-3", "3-2"]


def test_checkpoints_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(ModelCheckpoint(tmp_path / "b", save_best_only=True, verbose=1), losses(3, 2, 4))
    out = capsys.readouterr().out
    assert "Epoch 2: val_loss improved from 3.00000 (2.00000)" in out
    assert "Epoch 3: val_loss did not improve from 2.00000 (4.00000)" in out
    assert f"Epoch 2: saving to {tmp_path / 'b'}" in out


def test_wrong_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'{accuracy}'.*there are epoch, loss, val_loss"):
        train(ModelCheckpoint("{accuracy}"), losses(1))
    with pytest.raises(ConfigError, match="save_freq"):
        ModelCheckpoint("x", save_freq="batch")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileAccessError, match="epoch 1 was not saved"):
        train(ModelCheckpoint(tmp_path / "file" / "x"), losses(1))


@pytest.mark.parametrize("weights_only", [False, True])
def test_full_disk_keeps_the_last_good_file(tmp_path: Path, weights_only: bool) -> None:
    resource = pytest.importorskip("resource", reason="limits the size of files")
    pytest.importorskip("safetensors", reason="writes the file")
    import signal

    model: Any = fc.Sequential([fc.Input((100,)), fc.layers.Dense(100)])
    path = tmp_path / "best.fastcnn"
    checkpoint = ModelCheckpoint(path, save_weights_only=weights_only)
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {})
    good = path.read_bytes()
    model.set_weights([w + 1 for w in model.get_weights()])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writes fail, as on a full disk
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(FileAccessError, match=r"epoch 2 was not saved.*whole.*best\.fastcnn"):
            checkpoint.on_epoch_end(1, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == good and len(list(tmp_path.iterdir())) == 1


# ---- logs --------------------------------------------------------------------------------------


def read(path: Path) -> list[list[str]]:
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.csv"
    train(CSVLogger(path), [{"loss": 2.0, "accuracy": 0.5}, {"loss": 1.0}])
    assert read(path) == [["epoch", "accuracy", "loss"], ["0", "0.5", "2.0"], ["1", "NA", "1.0"]]
    train(CSVLogger(path, append=True), [{"loss": 3.0, "accuracy": 0.25, "more": 1.0}])
    assert read(path)[-1] == ["0", "0.25", "3.0"] and len(read(path)) == 4
    train(CSVLogger(path, separator=";"), [{"loss": 3.0}])
    assert path.read_text().splitlines() == ["epoch;loss", "0;3.0"]
    train(CSVLogger(tmp_path / "fresh.csv", append=True), [{"loss": 3.0}])
    assert len(read(tmp_path / "fresh.csv")) == 2
    with pytest.raises(FileAccessError, match="CSVLogger"):
        train(CSVLogger(tmp_path), [{"loss": 3.0}])


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="writes for it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(TensorBoard(tmp_path, update_freq=2, write_steps_per_second=True), losses(2, 1))

    def scalars(folder: str) -> Callable[[str], list[tuple[int, float]]]:
        events = loader.EventAccumulator(str(tmp_path / folder))
        events.Reload()
        return lambda tag: [(e.step, e.value) for e in events.Scalars(tag)]

    training, validation = scalars("train"), scalars("validation")
    assert training("epoch_loss") == validation("epoch_loss") == [(0, 2), (1, 1)]
    assert training("epoch_learning_rate")[0][1] == pytest.approx(0.1)
    assert [step for step, _ in training("batch_loss")] == [2, 4, 6]
    assert len(training("epoch_steps_per_second")) == 2


def test_tensorboard_writes_numbers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedError, match="histograms"):
        TensorBoard(histogram_freq=1)
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    monkeypatch.setitem(
        __import__("sys").modules, "tensorboard.summary.writer.event_file_writer", None
    )
    with pytest.raises(MissingDependencyError, match=r"fastcnn\[tensorboard\]"):
        TensorBoard()
