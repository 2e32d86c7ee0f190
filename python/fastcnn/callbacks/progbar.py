"""A progress bar for terminals, notebooks and logs."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastcnn._checks import one_of

# Where lines cannot be redrawn, one is written this often.
_SECONDS_BETWEEN_LINES = 30.0


class Progbar:
    """Shows how far a loop is, how fast it goes and when it will be done.

    Parameters
    ----------
    target : int or None
        The number of steps, if it is known.
    width : int, default 20
        Of the bar.
    verbose : {0, 1, 2}, default 1
        Nothing; a bar; a line at the end. A bar is redrawn in terminals and notebooks; in a log
        it is a line at the end, and one every half minute before.
    interval : float, default 0.05
        Seconds between two drawings, at least.
    stateful_metrics : iterable of str, optional
        Names of values to show as they are; others are averaged over the steps.
    unit_name : str, default "step"

    Examples
    --------
    >>> bar = Progbar(3, verbose=2)
    >>> for step in range(3):
    ...     bar.update(step + 1, [("loss", 1.0 / (step + 1))])
    3/3 - 0s - ...s/step - loss: 0.6111
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self._sums: dict[str, tuple[float, int]] = {}
        self._seen = 0
        self._redraws = _can_redraw()
        self._drawn = 0  # how long the line is that is to be drawn over
        self._start = self._shown = time.monotonic()
        self._after_first = self._start

    def add(self, n: int, values: Iterable[tuple[str, float]] | None = None) -> None:
        """Move on by `n` steps; see `update`."""
        self.update(self._seen + n, values)

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, float]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Move on.

        Parameters
        ----------
        current : int
            How many steps are done.
        values : iterable of (str, float), optional
            What the steps since the last call gave.
        finalize : bool, optional
            Whether this is the end; it is when `target` is reached unless given.
        """
        for name, value in values or ():
            if name in self.stateful_metrics:
                self._sums[name] = (float(value), 1)
            else:
                steps = max(current - self._seen, 1)
                total, count = self._sums.get(name, (0.0, 0))
                self._sums[name] = (total + float(value) * steps, count + steps)
        final = finalize if finalize is not None else current == self.target
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self.show(current, means, final)

    def show(self, current: int, values: Mapping[str, float], final: bool) -> None:
        """Draw, with values as they are; unless it was drawn just now and is not the end."""
        now = time.monotonic()
        if self._seen == 0 < current:
            self._after_first = now
        self._seen = current
        if not self.verbose or (self.verbose == 2 and not final):
            return
        pause = self.interval if self._redraws else _SECONDS_BETWEEN_LINES
        if not final and now - self._shown < pause:
            return
        self._shown = now
        line = self._line(current, values, now, final)
        if self.verbose == 1 and self._redraws:
            sys.stdout.write("\r" + line.ljust(self._drawn) + ("\n" if final else ""))
            self._drawn = 0 if final else len(line)
        else:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def _line(self, current: int, values: Mapping[str, float], now: float, final: bool) -> str:
        spent = now - self._start
        # The first step also plans the network: it says little about those to come.
        each = (now - self._after_first) / (current - 1) if current > 1 else spent / max(current, 1)
        shown = [f"{name}: {_number(value)}" for name, value in values.items()]
        rate = f"{_short_time(each)}/{self.unit_name}"
        digits = len(str(self.target or ""))
        count = f"{current:{digits}}/{self.target or '?'}"
        plain = " - ".join([count, _time(spent), rate, *shown])
        if self.verbose == 2 or not self._redraws:
            return plain
        if final or self.target is None:
            timing = f"{_time(spent)} {rate}"
        else:
            timing = f"{_time(each * (self.target - current))} left, {rate}"
        line = " - ".join([f"{count} {self._bar(current)} {timing}", *shown])
        room = _columns()
        if len(line) <= room:
            return line
        # What is drawn over must not be broken, for a carriage return goes back one line only; what
        # stays may be, and tells everything.
        return plain if final else line[: max(room - 1, 0)] + ">"

    def _bar(self, current: int) -> str:
        if not self.target:
            return ""
        done = min(self.width * current // self.target, self.width)
        full, empty = ("━", "─") if _can_write("━─") else ("=", ".")
        return full * done + empty * (self.width - done)


def verbosity(owner: str, verbose: Any) -> int:
    """Return 0, 1 or 2 as it is, and 1 for "auto"."""
    one_of(owner, "verbose", verbose, ("auto", 0, 1, 2))
    return 1 if verbose == "auto" else int(verbose)


def _can_redraw() -> bool:
    """Whether a carriage return brings the line's beginning back: terminals, notebooks."""
    return (
        getattr(sys.stdout, "isatty", bool)()
        or "ipykernel" in sys.modules
        or "PYCHARM_HOSTED" in os.environ
    )


def _can_write(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _columns() -> int:
    """How long a line can be that a terminal does not break."""
    if not getattr(sys.stdout, "isatty", bool)():
        return sys.maxsize
    return shutil.get_terminal_size().columns - 1


def _number(value: Any) -> str:
    number = float(np.mean(value))  # of a metric of several numbers, such as one for each class
    return f"{number:.4f}" if number == 0 or abs(number) > 1e-3 else f"{number:.4e}"


def _time(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _short_time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"
