"""Callbacks that end training."""

from __future__ import annotations

import math
import warnings
from typing import Any

from fastcnn.callbacks._monitor import Monitor
from fastcnn.callbacks.callback import Callback, Logs
from fastcnn.layers._arguments import positive_int


class EarlyStopping(Callback):
    """Stops training when a number has not improved for some epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
        The loss or metric to watch.
    min_delta : float, default 0
        Less than this is no improvement.
    patience : int, default 0
        How many epochs without improvement are borne.
    verbose : {0, 1}, default 0
        Whether to tell when it stops.
    mode : {"auto", "min", "max"}, default "auto"
        Whether less or more is better; "auto" knows by the name.
    baseline : float, optional
        Improvements that do not reach it do not count as such.
    restore_best_weights : bool, default False
        Whether the model ends with the weights of its best epoch instead of its last.
    start_from_epoch : int, default 0
        Do not watch before this epoch.

    Attributes
    ----------
    best : float or None
    best_epoch, stopped_epoch : int
        Counted from 0; `stopped_epoch` stays 0 unless it stopped.

    Examples
    --------
    >>> import fastcnn as fc
    >>> stop = fc.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__()
        self.monitor = monitor
        self.patience = positive_int("EarlyStopping", "patience", patience, at_least=0)
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._watched = Monitor("EarlyStopping", monitor, mode, min_delta)
        self._start()

    def _start(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget an earlier training."""
        self._start()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Look whether the epoch was better, and stop when none was for too long."""
        current = self._watched.value(logs, self.model)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        better = self._watched.is_better(current, self.best)
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        if better:
            self.best = current
            self.best_epoch = epoch
            if self.baseline is None or self._watched.is_better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Put the best weights back, if they are wanted."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring the weights of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Stops training when the loss becomes NaN or infinite.

    Examples
    --------
    >>> import fastcnn as fc
    >>> stop = fc.callbacks.TerminateOnNaN()
    """

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            warnings.warn(f"batch {batch}: the loss is {loss}: training stops", stacklevel=2)
            self.model.stop_training = True
