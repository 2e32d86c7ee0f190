"""The benchmark of style transfer measures the same thing twice, and writes what it documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.results import FIELDS, load, newest
from benchmarks.runtimes import Job
from benchmarks.stylists import STYLISTS

from benchmarks import style

pytest.importorskip("torch", reason="the peer")


def test_both_stylists_make_the_same_picture() -> None:
    jobs = [Job("vgg16", 1, 1, 32, variant=v) for v in ("eager", "channels_last")]
    runs = [STYLISTS["fastcnn_style"](jobs[0]), *(STYLISTS["torch_style"](job) for job in jobs)]
    costs = []
    for run in runs:
        found = []
        for _ in range(3):
            run.call()
            found.append(run.loss)
        costs.append(found)
    assert costs[0][2] < 0.9 * costs[0][0]
    for theirs in costs[1:]:
        assert costs[0] == pytest.approx(theirs, rel=1e-3)


def test_lines_are_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Local:
        """A worker within this process."""

        def __init__(self, entrant: style.Entrant, job: Job) -> None:
            self.run = STYLISTS[entrant.runtime](job)
            self.note = self.run.note

        def burst(self, seconds: float) -> list[int]:
            self.run.call()
            return [1000]

    class Opened:
        def __init__(self, job: Job, entrants: list[style.Entrant]) -> None:
            self.workers = {e: Local(e, job) for e in entrants}

        def __enter__(self) -> dict[style.Entrant, Local]:
            return self.workers

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr(style, "opened", Opened)
    monkeypatch.setattr(style, "memory", lambda job, entrant, note: (1.0, 2.0))
    style.main(["--sizes", "32", "--threads", "1", "--seconds", "0", "--folder", str(tmp_path)])
    path = newest(tmp_path)
    assert path is not None
    lines = [line for line in load(path) if line["kind"] == "style"]
    assert [line["runtime"] for line in lines] == ["fastcnn_style", "torch_style"]
    assert all(set(line) == set(FIELDS["style"]) for line in lines)
    assert lines[0]["ratios"] == {"torch_style": 1.0}
