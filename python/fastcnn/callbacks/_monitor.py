"""Watching a number of the logs: whether it is better than before."""

from __future__ import annotations

import math
import warnings
from typing import Any

from fastcnn.errors import ConfigError
from fastcnn.layers._arguments import one_of

# In names of metrics, of which more is better.
_MORE = ("acc", "auc", "precision", "recall", "f1", "fbeta", "fmeasure", "iou", "dice", "r2",
         "specificity", "sensitivity", "cosine_similarity", "true_")  # fmt: skip
_LESS = ("loss", "error", "mse", "mae", "crossentropy", "entropy", "divergence", "hinge", "huber",
         "poisson", "false_")  # fmt: skip


class Monitor:
    """A number of the logs, and in which direction it is better.

    Parameters
    ----------
    who : str
        The callback, for messages.
    name : str
        Such as ``"val_loss"``.
    mode : {"auto", "min", "max"}
        "auto" knows by the name, or by the model's metric of that name.
    min_delta : float
        Less than this is no improvement.
    """

    def __init__(self, who: str, name: str, mode: str, min_delta: float = 0.0) -> None:
        self.who = who
        self.name = name
        self._mode = one_of(who, "mode", mode, ("auto", "min", "max"))
        self._min_delta = abs(min_delta)

    def value(self, logs: dict[str, Any] | None, model: Any) -> float | None:
        """Look the number up; warn when it is not there."""
        logs = logs or {}
        if self.name not in logs:
            warnings.warn(
                f"{self.who}: monitors {self.name!r}, which is not there; there are "
                f"{', '.join(logs) or 'none'}",
                stacklevel=2,
            )
            return None
        if self._mode == "auto":
            self._mode = self._known_mode(model)
        return float(logs[self.name])

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether `value` is an improvement. A number that is none never is."""
        if than is None:
            return not math.isnan(value)
        if self._mode == "max":
            return value - self._min_delta > than
        return value + self._min_delta < than

    def _known_mode(self, model: Any) -> str:
        name = self.name.removeprefix("val_")
        for metric in getattr(model, "metrics", ()):
            direction = getattr(metric, "_direction", None)
            if getattr(metric, "name", None) == name and direction in ("up", "down"):
                return "max" if direction == "up" else "min"
        # "loss" first: "iou_loss" is a loss.
        for words, mode in ((_LESS, "min"), (_MORE, "max")):
            if any(word in name.lower() for word in words):
                return mode
        raise ConfigError(
            f'{self.who}: is more or less of {self.name!r} better? Give mode="max" or mode="min"'
        )
