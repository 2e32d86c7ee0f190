"""A callback that writes what TensorBoard shows."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from fastcnn._optional import import_optional
from fastcnn.callbacks.callback import Callback, Logs
from fastcnn.errors import UnsupportedError
from fastcnn.layers._arguments import positive_int

StrPath = str | os.PathLike[str]


class TensorBoard(Callback):
    """Writes the loss, the metrics and the learning rate where TensorBoard finds them.

    Those of training go to ``log_dir/train``, those of the validation data to
    ``log_dir/validation``, under the same names, so that both are drawn in one picture.

    Parameters
    ----------
    log_dir : str or os.PathLike, default "logs"
    histogram_freq, write_graph, write_images, profile_batch, embeddings_freq
        Only 0 and False: numbers are all it writes.
    write_steps_per_second : bool, default False
        Also write how fast it goes.
    update_freq : "epoch", "batch" or int, default "epoch"
        Also write the loss and the metrics of every step, or of every so many steps.

    Raises
    ------
    MissingDependencyError
        tensorboard is not installed.

    Examples
    --------
    >>> import fastcnn as fc
    >>> board = fc.callbacks.TensorBoard("logs/first")  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: StrPath = "logs",
        histogram_freq: int = 0,
        write_graph: bool = False,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
    ) -> None:
        super().__init__()
        if histogram_freq or write_graph or write_images or profile_batch or embeddings_freq:
            raise UnsupportedError("TensorBoard: only numbers are written, no histograms or graphs")
        extra = {"extra": "tensorboard"}
        self._make_writer = import_optional(
            "tensorboard.summary.writer.event_file_writer", **extra
        ).EventFileWriter
        self._event = import_optional("tensorboard.compat.proto.event_pb2", **extra).Event
        self._summary = import_optional("tensorboard.compat.proto.summary_pb2", **extra).Summary
        self.log_dir = os.fspath(log_dir)
        self.write_steps_per_second = write_steps_per_second
        if update_freq == "epoch":
            self.update_freq = 0
        else:
            steps = 1 if update_freq == "batch" else update_freq
            self.update_freq = positive_int("TensorBoard", "update_freq", steps)
        self._writers: dict[str, Any] = {}
        self._steps = 0
        self._epoch_start = (0.0, 0)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note when the epoch began."""
        self._epoch_start = (time.monotonic(), self._steps)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Write the numbers of a step, if they are wanted."""
        self._steps += 1
        if self.update_freq and self._steps % self.update_freq == 0:
            values = {f"batch_{name}": value for name, value in (logs or {}).items()}
            self._write("train", values, self._steps)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the numbers of the epoch."""
        logs = dict(logs or {})
        rate = getattr(getattr(self.model, "optimizer", None), "learning_rate", None)
        if rate is not None:
            logs["learning_rate"] = float(rate)
        if self.write_steps_per_second:
            began, steps = self._epoch_start
            seconds = max(time.monotonic() - began, 1e-9)
            logs["steps_per_second"] = (self._steps - steps) / seconds
        own = {f"epoch_{k}": v for k, v in logs.items() if not k.startswith("val_")}
        validation = {f"epoch_{k[4:]}": v for k, v in logs.items() if k.startswith("val_")}
        self._write("train", own, epoch)
        self._write("validation", validation, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _write(self, folder: str, values: Mapping[str, float], step: int) -> None:
        if not values:
            return
        if folder not in self._writers:
            self._writers[folder] = self._make_writer(os.path.join(self.log_dir, folder))
        numbers = [
            self._summary.Value(tag=name, simple_value=float(value))
            for name, value in values.items()
        ]
        summary = self._summary(value=numbers)
        event = self._event(wall_time=time.time(), step=step, summary=summary)
        self._writers[folder].add_event(event)
