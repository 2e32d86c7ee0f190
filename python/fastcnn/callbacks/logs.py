"""Callbacks that tell or write down how training goes."""

from __future__ import annotations

import csv
import os
from typing import Any, TextIO

from fastcnn.callbacks.callback import Callback, Logs
from fastcnn.callbacks.progbar import Progbar, verbosity
from fastcnn.errors import FileAccessError
from fastcnn.io._files import make_folder_of

StrPath = str | os.PathLike[str]


class ProgbarLogger(Callback):
    """Shows progress on stdout; `Model.fit` adds it.

    ``verbose=1`` draws a bar that grows in terminals and notebooks, and writes a line for each
    epoch elsewhere; ``verbose=2`` writes a line for each epoch, ``verbose=0`` nothing; "auto" is 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verbose: int = 1
        self.epochs = 1
        self._in_fit = False
        self._bar: Progbar | None = None
        self._seen = 0

    def set_params(self, params: dict[str, Any]) -> None:
        """Take verbosity and the numbers of epochs and steps."""
        super().set_params(params)
        self.verbose = verbosity("ProgbarLogger", params.get("verbose", 1))
        self.epochs = params.get("epochs") or 1

    def on_train_begin(self, logs: Logs = None) -> None:
        """Note that validation is part of an epoch now."""
        self._in_fit = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Note that training is over."""
        self._in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Tell which epoch begins."""
        if self.verbose and self.epochs > 1:
            print(f"Epoch {epoch + 1}/{self.epochs}")
        self._start()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move on."""
        self._move_to(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Finish the line, with what validation gave."""
        self._finish(logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Start a bar, unless it is validation."""
        if not self._in_fit:
            self._start()

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move on, unless it is validation."""
        if not self._in_fit:
            self._move_to(batch + 1, logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """Finish the line, unless it is validation."""
        if not self._in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Start a bar."""
        self._start()

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move on."""
        self._move_to(batch + 1, None)

    def on_predict_end(self, logs: Logs = None) -> None:
        """Finish the line."""
        self._finish(None)

    def _start(self) -> None:
        self._seen = 0
        self._bar = Progbar(self.params.get("steps"), verbose=self.verbose)

    def _move_to(self, seen: int, logs: Logs) -> None:
        self._seen = seen
        if self._bar is not None:
            self._bar.show(seen, logs or {}, final=False)

    def _finish(self, logs: Logs) -> None:
        if self._bar is not None:
            # A generator may have had fewer batches than it announced, or announced none.
            self._bar.target = self._seen
            self._bar.show(self._seen, logs or {}, final=True)
        self._bar = None


class CSVLogger(Callback):
    """Writes the loss and the metrics of every epoch to a CSV file.

    Parameters
    ----------
    filename : str or os.PathLike
    separator : str, default ","
    append : bool, default False
        Whether to go on with a file that exists; its columns stay what they are.

    Raises
    ------
    FileAccessError
        While training: the file cannot be written.

    Examples
    --------
    >>> import fastcnn as fc
    >>> log = fc.callbacks.CSVLogger("training.csv")
    """

    def __init__(self, filename: StrPath, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Start the file, or read which columns it has."""
        self._columns = None
        try:
            if self.append and os.path.exists(self.filename):
                with open(self.filename, newline="", encoding="utf-8") as file:
                    self._columns = next(csv.reader(file, delimiter=self.separator), None)
            else:
                make_folder_of(self.filename)
                with open(self.filename, "w", encoding="utf-8"):
                    pass
        except OSError as error:
            raise self._refused(error) from error

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write a line, which is on the disk when this returns."""
        row = {"epoch": epoch, **(logs or {})}
        try:
            with open(self.filename, "a", newline="", encoding="utf-8") as file:
                if self._columns is None:
                    self._columns = ["epoch", *sorted(logs or {})]
                    self._writer(file).writerow(self._columns)
                self._writer(file).writerow([row.get(name, "NA") for name in self._columns])
        except OSError as error:
            raise self._refused(error) from error

    def _writer(self, file: TextIO) -> Any:
        return csv.writer(file, delimiter=self.separator)

    def _refused(self, error: OSError) -> FileAccessError:
        return FileAccessError(f"CSVLogger: {self.filename}: cannot be written: {error}")
