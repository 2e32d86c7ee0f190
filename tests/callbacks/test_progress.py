"""The progress bar: in terminals, in notebooks, in logs."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

from fastcnn.callbacks import CallbackList, progbar
from fastcnn.utils import Progbar


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progbar, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "100")
    return terminal


def run(clock: Clock, verbose: Any, seconds: float = 1.0, steps: int | None = 4) -> None:
    """Two epochs with validation."""
    called = CallbackList(add_progbar=True, verbose=verbose, epochs=2, steps=steps)
    called.on_train_begin()
    for epoch in range(2):
        called.on_epoch_begin(epoch)
        for batch in range(4):
            clock.now += seconds
            called.on_train_batch_end(batch, {"loss": 1.0 / (batch + 1)})
        called.on_test_begin()
        called.on_test_batch_end(0, {"loss": 9.0})
        called.on_test_end({"loss": 9.0})
        called.on_epoch_end(epoch, {"loss": 0.25, "val_loss": 9.0})
    called.on_train_end()


def test_terminal(clock: Clock, terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        run(clock, "auto")
    lines = terminal.getvalue().split("\n")
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and lines[4] == ""
    drawn = lines[1].split("\r")
    assert drawn[0] == "" and len(drawn) == 6
    assert drawn[1] == f"1/4 {'━' * 5}{'─' * 15} 3s left, 1.0s/step - loss: 1.0000"
    last = f"4/4 {'━' * 20} 4s 1.0s/step - loss: 0.2500 - val_loss: 9.0000"
    assert drawn[-1].rstrip() == last


def test_shorter_lines_leave_nothing_behind(clock: Clock, terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        bar = Progbar(100)
        clock.now = 1
        bar.show(1, {"loss": 1.0, "accuracy": 0.5}, final=False)
        clock.now = 2
        bar.show(2, {"loss": 1.0}, final=False)
    _, long, short = terminal.getvalue().split("\r")
    assert len(short) == len(long) and short.rstrip() != short


def test_terminal_that_is_narrow(
    clock: Clock, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    with redirect_stdout(terminal):
        run(clock, 1)
    *drawn, last = terminal.getvalue().split("\n")[1].split("\r")
    assert max(map(len, drawn)) == 29  # what is drawn over is not broken
    assert last == "4/4 - 4s - 1.0s/step - loss: 0.2500 - val_loss: 9.0000"  # what stays is whole


def test_terminal_that_knows_ascii_only(clock: Clock, terminal: Terminal) -> None:
    terminal.encoding = "ascii"  # type: ignore[misc]
    with redirect_stdout(terminal):
        run(clock, 1)
    terminal.getvalue().encode("ascii")
    assert "==========.........." in terminal.getvalue()


def test_no_more_drawings_than_eyes_see(clock: Clock, terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        run(clock, 1, seconds=0.001)
    assert terminal.getvalue().count("\r") == 2


def test_notebook(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    run(clock, 1)
    assert capsys.readouterr().out.count("\r") == 10


def test_log(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    run(clock, 1)
    line = "4/4 - 4s - 1.0s/step - loss: 0.2500 - val_loss: 9.0000\n"
    assert capsys.readouterr().out == f"Epoch 1/2\n{line}Epoch 2/2\n{line}"
    run(clock, 2)
    assert capsys.readouterr().out == f"Epoch 1/2\n{line}Epoch 2/2\n{line}"
    run(clock, 0)
    assert capsys.readouterr().out == ""
    run(clock, 1, seconds=40.0)
    assert capsys.readouterr().out.count("/4 - ") == 10  # a long epoch shows that it lives


def test_of_several_numbers_the_mean(capsys: pytest.CaptureFixture[str]) -> None:
    Progbar(1, verbose=2).show(1, {"f1_score": np.array([0.25, 0.75])}, final=True)
    assert "f1_score: 0.5000" in capsys.readouterr().out


def test_unknown_number_of_steps(clock: Clock, terminal: Terminal) -> None:
    with redirect_stdout(terminal):
        run(clock, 1, steps=None)
    assert "1/?  1s 1.0s/step" in terminal.getvalue()
    assert f"4/4 {'━' * 20} 4s" in terminal.getvalue()


def test_evaluation_and_prediction(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    called = CallbackList(add_progbar=True, verbose=1, steps=2)
    called.on_test_begin()
    for batch in range(2):
        clock.now += 100
        called.on_test_batch_end(batch, {"loss": 0.0005})
    called.on_test_end({"loss": 0.0005})
    called.on_predict_begin()
    called.on_predict_batch_end(0)
    clock.now += 0.0005
    called.on_predict_batch_end(1)
    called.on_predict_end()
    assert capsys.readouterr().out.splitlines() == [
        "1/2 - 1:40 - 100s/step - loss: 5.0000e-04",
        "2/2 - 3:20 - 100s/step - loss: 5.0000e-04",
        "2/2 - 3:20 - 100s/step - loss: 5.0000e-04",
        "2/2 - 0s - 500us/step",
    ]


def test_own_loops(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progbar(4, stateful_metrics=["last"])
    for step in range(2):
        clock.now += 4000
        bar.add(2, [("mean", step), ("last", step)])
    assert capsys.readouterr().out.splitlines() == [
        "2/4 - 1:06:40 - 0us/step - mean: 0.0000 - last: 0.0000",
        "4/4 - 2:13:20 - 1333s/step - mean: 0.5000 - last: 1.0000",
    ]
