"""Callbacks that save the model while it is trained."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from fastcnn.callbacks._monitor import Monitor
from fastcnn.callbacks.callback import Callback, Logs
from fastcnn.errors import ConfigError, FileAccessError
from fastcnn.io._files import make_folder_of
from fastcnn.layers._arguments import positive_int

StrPath = str | os.PathLike[str]


class ModelCheckpoint(Callback):
    """Saves the model, or its weights, whenever it is better, or every so often.

    Parameters
    ----------
    filepath : str or os.PathLike
        The file; ``"{epoch:02d}-{val_loss:.2f}.fastcnn"`` and the like are filled in, the epoch
        counted from 1.
    monitor : str, default "val_loss"
        The loss or metric that says which is better.
    verbose : {0, 1}, default 0
        Whether to tell when it saves.
    save_best_only : bool, default False
        Keep only the best; otherwise a file of the same name is replaced every time.
    save_weights_only : bool, default False
        `Model.save_weights` instead of `Model.save`.
    mode : {"auto", "min", "max"}, default "auto"
        Whether less or more is better; "auto" knows by the name.
    save_freq : "epoch" or int, default "epoch"
        At the end of every epoch, or after so many steps.
    initial_value_threshold : float, optional
        What the first must be better than, for `save_best_only`.

    Raises
    ------
    FileAccessError
        While training: a file cannot be written, the disk is full. What was there before under
        that name is whole still: files are replaced only when the new one is complete.

    Examples
    --------
    >>> import fastcnn as fc
    >>> best = fc.callbacks.ModelCheckpoint("best.fastcnn", save_best_only=True)
    """

    def __init__(
        self,
        filepath: StrPath,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__()
        self.filepath = os.fspath(filepath)
        self.monitor = monitor
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = check_save_freq("ModelCheckpoint", save_freq)
        self.best = initial_value_threshold
        self._watched = Monitor("ModelCheckpoint", monitor, mode)
        self._epoch = 0
        self._steps = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Save when enough steps were made."""
        if self.save_freq == "epoch":
            return
        self._steps += 1
        if self._steps % self.save_freq == 0:
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save."""
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        path = self._path(epoch, batch, logs or {})
        if not self.save_best_only:
            self._write(path, epoch)
            return
        current = self._watched.value(logs, self.model)
        if current is None:
            return
        better = self._watched.is_better(current, self.best)
        if self.verbose > 0:
            verb = "improved" if better else "did not improve"
            before = "" if self.best is None else f" from {self.best:.5f}"
            print(f"\nEpoch {epoch + 1}: {self.monitor} {verb}{before} ({current:.5f})")
        if better:
            self.best = current
            self._write(path, epoch)

    def _path(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        values = {"epoch": epoch + 1, **logs}
        if batch is not None:
            values["batch"] = batch + 1
        try:
            return self.filepath.format(**values)
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(
                f"ModelCheckpoint: {self.filepath!r} cannot be filled in ({error!r}); there are "
                f"{', '.join(values)}"
            ) from error

    def _write(self, path: str, epoch: int) -> None:
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: saving to {path}")
        try:
            make_folder_of(path)
            if self.save_weights_only:
                self.model.save_weights(path, overwrite=True)
            else:
                self.model.save(path, overwrite=True)
        except FileAccessError as error:
            kept = "the file that was there before is whole" if os.path.exists(path) else ""
            raise FileAccessError(
                f"ModelCheckpoint: epoch {epoch + 1} was not saved{kept and '; ' + kept}: {error}"
            ) from error


class BackupAndRestore(Callback):
    """Lets training that was interrupted go on where it stopped, to the same result.

    At the end of every epoch it writes the weights, the optimizer's state and the number of the
    epoch; when `Model.fit` is called again, in the same program started anew, it reads them and
    goes on with the next epoch. The weights are then those of training without interruption, to
    the last bit, if the program seeds its random numbers.

    Parameters
    ----------
    backup_dir : str or os.PathLike
        A folder that is for this alone.
    save_freq : "epoch" or int, default "epoch"
        At the end of every epoch; also after so many steps: an epoch that was interrupted then
        begins anew with the weights of its middle.
    double_checkpoint : bool, default False
        Accepted for Keras' sake: a backup is replaced only when the new one is complete.
    delete_checkpoint : bool, default True
        Remove it when training has reached its end.

    Raises
    ------
    FileFormatError
        The backup is damaged, or of another model or optimizer.
    FileAccessError
        A backup cannot be written; the one before is whole.

    Examples
    --------
    >>> import fastcnn as fc
    >>> resume = fc.callbacks.BackupAndRestore("backup")
    """

    def __init__(
        self,
        backup_dir: StrPath,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = check_save_freq("BackupAndRestore", save_freq)
        self.delete_checkpoint = delete_checkpoint
        self._path = os.path.join(self.backup_dir, "latest.safetensors")
        self._epoch = 0
        self._steps = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Go back to the backup, if there is one."""
        if os.path.exists(self._path):
            from fastcnn.training.saving import load_state

            self.model._initial_epoch = load_state(self.model, self._path)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Write when enough steps were made."""
        if self.save_freq != "epoch":
            self._steps += 1
            if self._steps % self.save_freq == 0:
                self._write(self._epoch)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write that the next epoch is due."""
        self._write(epoch + 1)

    def on_train_end(self, logs: Logs = None) -> None:
        """Remove the backup, which is not needed any more."""
        if self.delete_checkpoint and os.path.exists(self._path):
            os.remove(self._path)
            with suppress(OSError):  # there may be other files in it
                os.rmdir(self.backup_dir)

    def _write(self, epoch: int) -> None:
        from fastcnn.training.saving import save_state

        make_folder_of(self._path)
        save_state(self.model, self._path, epoch)


def check_save_freq(who: str, save_freq: Any) -> Any:
    """Return "epoch", or the number of steps."""
    return save_freq if save_freq == "epoch" else positive_int(who, "save_freq", save_freq)
