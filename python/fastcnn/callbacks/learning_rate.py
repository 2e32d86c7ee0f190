"""Callbacks that change the learning rate."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn.callbacks._monitor import Monitor
from fastcnn.callbacks.callback import Callback, Logs
from fastcnn.errors import ConfigError, DTypeError
from fastcnn.layers._arguments import number, positive_int


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of every epoch.

    Parameters
    ----------
    schedule : callable
        Given the epoch, counted from 0, and the present learning rate (or only the epoch), it
        returns the new one.
    verbose : {0, 1}, default 0
        Whether to tell.

    Examples
    --------
    >>> import fastcnn as fc
    >>> halve = fc.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.5 if epoch else lr)
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the learning rate of the epoch."""
        present = float(self.model.optimizer.learning_rate)
        rate = self.schedule(epoch, present) if self._takes_rate else self.schedule(epoch)
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)):
            raise DTypeError(
                f"LearningRateScheduler: expected a schedule that returns a number, got {rate!r}"
            )
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: the learning rate is {float(rate):.6g}.")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Note the learning rate."""
        _note(self, logs)


class ReduceLROnPlateau(Callback):
    """Lowers the learning rate when a number has not improved for some epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
    factor : float, default 0.1
        The new learning rate over the old one; below 1.
    patience : int, default 10
        How many epochs without improvement are borne.
    verbose : {0, 1}, default 0
    mode : {"auto", "min", "max"}, default "auto"
    min_delta : float, default 1e-4
        Less than this is no improvement.
    cooldown : int, default 0
        How many epochs to wait after it was lowered before watching again.
    min_lr : float, default 0.0

    Examples
    --------
    >>> import fastcnn as fc
    >>> lower = fc.callbacks.ReduceLROnPlateau(factor=0.2, patience=5, min_lr=1e-5)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__()
        self.monitor = monitor
        self.factor = number("ReduceLROnPlateau", "factor", factor)
        if self.factor >= 1:
            raise ConfigError(f"ReduceLROnPlateau: factor: expected less than 1, got {factor}")
        self.patience = positive_int("ReduceLROnPlateau", "patience", patience, at_least=0)
        self.verbose = verbose
        self.cooldown = positive_int("ReduceLROnPlateau", "cooldown", cooldown, at_least=0)
        self.min_lr = number("ReduceLROnPlateau", "min_lr", min_lr)
        self._watched = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self._start()

    def _start(self) -> None:
        self.best: float | None = None
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier training."""
        self._start()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Look whether the epoch was better, and lower the rate when none was for too long."""
        current = self._watched.value(logs, self.model)
        _note(self, logs)
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._watched.is_better(current, self.best):
            self.best = current
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._lower(epoch)

    def _lower(self, epoch: int) -> None:
        old = float(self.model.optimizer.learning_rate)
        if old <= np.float32(self.min_lr):
            return
        new = max(old * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = new
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: the learning rate is lowered to {new:.6g}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0


def _note(callback: Callback, logs: Logs) -> None:
    if logs is not None:
        logs["learning_rate"] = float(callback.model.optimizer.learning_rate)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # compiled, without a signature
        return True
    return True
