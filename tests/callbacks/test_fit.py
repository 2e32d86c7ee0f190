"""Callbacks and data sets in real training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from fastcnn.errors import FileFormatError

pytest.importorskip("safetensors", reason="writes the files")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 6), np.float32)
Y = X @ RNG.standard_normal((6, 1), np.float32)


def compiled(optimizer: Any = None, units: int = 8) -> Any:
    fc.set_random_seed(7)
    model = fc.Sequential(
        [fc.Input((6,)), fc.layers.Dense(units, "relu"), fc.layers.Dense(1)], name="net"
    )
    model.compile(optimizer or fc.optimizers.Adam(0.01), "mse")
    return model


def fit(model: Any, callbacks: Any = None, epochs: int = 6, **options: Any) -> Any:
    options = {"verbose": 0, "batch_size": 8, "validation_split": 0.2, **options}
    return model.fit(X, Y, epochs=epochs, callbacks=callbacks, **options)


class Interrupt(Callback):
    """Ctrl-C at a step of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        super().__init__()
        self.place = (epoch, step)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == self.place:
            raise KeyboardInterrupt


def test_interrupted_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    expected = compiled()
    whole = fit(expected)
    model = compiled()
    with pytest.raises(KeyboardInterrupt):
        fit(model, [BackupAndRestore(tmp_path / "b"), Interrupt(3, 1)])
    again = compiled()  # the program, started anew
    rest = fit(again, BackupAndRestore(tmp_path / "b"))
    assert rest.epoch == [3, 4, 5]
    assert rest.history["val_loss"] == whole.history["val_loss"][3:]
    for a, b in zip(again.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "b").exists()


def test_a_backup_knows_the_learning_rate_and_may_stay(tmp_path: Path) -> None:
    keep = BackupAndRestore(tmp_path, save_freq=3, delete_checkpoint=False)
    with pytest.raises(KeyboardInterrupt):
        fit(compiled(), [LearningRateScheduler(lambda e, lr: lr / 2), keep, Interrupt(1, 2)])
    again = compiled()
    assert fit(again, keep, epochs=2).epoch == [1]  # from its middle: step 6 was written
    assert again.optimizer.learning_rate == pytest.approx(0.0025)
    assert again.optimizer.iterations == 6 + 4
    assert fit(again, BackupAndRestore(tmp_path), epochs=2).epoch == []


def test_wrong_backups(tmp_path: Path) -> None:
    keep = BackupAndRestore(tmp_path, delete_checkpoint=False)
    fit(compiled(), keep, epochs=1)
    for other in (compiled(units=9), compiled(fc.optimizers.SGD(0.1, momentum=0.9))):
        with pytest.raises(FileFormatError, match="another model"):
            fit(other, keep)
    path = tmp_path / "latest.safetensors"
    for content in (b"", path.read_bytes()[:-10]):
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match="latest"):
            fit(compiled(), keep)
    compiled().save_weights(path)
    with pytest.raises(FileFormatError, match="backup of training"):
        fit(compiled(), keep)


def test_checkpoints_are_models(tmp_path: Path) -> None:
    model = compiled()
    best = ModelCheckpoint(tmp_path / "best.fastcnn", save_best_only=True)
    weights = ModelCheckpoint(tmp_path / "{epoch}.weights", save_weights_only=True)
    history = fit(model, [best, weights, CSVLogger(tmp_path / "log.csv")])
    twin = fc.load_model(tmp_path / "best.fastcnn")
    found = twin.evaluate(X[32:], Y[32:], verbose=0)
    assert found == pytest.approx(min(history.history["val_loss"]), rel=1e-6)
    model.load_weights(tmp_path / "1.weights")
    model.load_weights(tmp_path / "best.fastcnn")
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 7


def test_early_stopping_puts_the_best_weights_back() -> None:
    model = compiled(fc.optimizers.SGD(0.05))
    seen: list[Any] = []
    spoil = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(
            model.optimizer, "learning_rate", 0.05 if epoch < 3 else 1.0
        ),
        on_epoch_end=lambda epoch, logs: seen.append((logs["val_loss"], model.get_weights())),
    )
    stop = EarlyStopping(restore_best_weights=True, patience=1)
    fit(model, [spoil, stop, TerminateOnNaN()], epochs=20)
    assert len(seen) < 20
    best = min((s for s in seen if np.isfinite(s[0])), key=lambda s: s[0])[1]
    for a, b in zip(model.get_weights(), best, strict=True):
        np.testing.assert_array_equal(a, b)


def test_plateau_lowers_the_rate() -> None:
    model = compiled(fc.optimizers.SGD(0.0))
    model.optimizer.learning_rate = 1e-9
    history = fit(model, ReduceLROnPlateau(patience=1, min_delta=1e-3), epochs=3)
    np.testing.assert_allclose(history.history["learning_rate"], [1e-9, 1e-9, 1e-10])


@pytest.mark.parametrize("leave", ["stop", "error", "interrupt"])
def test_threads_end_with_fit(leave: str) -> None:
    def act(batch: int, logs: Any) -> None:
        if batch == 2 and leave == "stop":
            model.stop_training = True
        elif batch == 2:
            raise (KeyboardInterrupt if leave == "interrupt" else ZeroDivisionError)

    model = compiled()
    data = fc.data.ArrayDataset(X, Y, batch_size=4).map(lambda x, y: (x, y), 2).prefetch(2)
    caught: list[BaseException] = []  # which keeps the frames of fit
    for options in ({}, {"steps_per_epoch": 5}):
        try:
            model.fit(data, verbose=0, callbacks=LambdaCallback(on_train_batch_end=act), **options)
        except (KeyboardInterrupt, ZeroDivisionError) as error:
            caught.append(error)
    assert len(caught) == (0 if leave == "stop" else 2)
    assert not [t for t in threading.enumerate() if t.name.startswith("fastcnn-data")]


def test_generators_of_the_caller_can_be_gone_on_with() -> None:
    model = compiled()
    batches = iter([(X[:8], Y[:8])] * 10)
    model.fit(batches, steps_per_epoch=3, epochs=2, verbose=0)
    assert len(list(batches)) == 4


def test_data_sets_train_like_arrays() -> None:
    def run(train: Callable[[Any], Any]) -> list[np.ndarray]:
        model = compiled()
        train(model)
        return model.get_weights()  # type: ignore[no-any-return]

    arrays = run(lambda m: m.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0))
    data = fc.data.ArrayDataset(X, Y, batch_size=8)
    for dataset in (data, data.prefetch(3), data.map(lambda x, y: (x, y), 2), data.cache()):
        for a, b in zip(
            run(lambda m, d=dataset: m.fit(d, epochs=2, verbose=0)), arrays, strict=True
        ):
            np.testing.assert_array_equal(a, b)
