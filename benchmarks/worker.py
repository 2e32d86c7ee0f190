"""A runtime in a process of its own, with affinity and threads of its own.

``python -m benchmarks.worker`` reads one JSON object a line and answers each with one; `Worker` is
the other end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import ROOT
from benchmarks.timing import burst, pick_cpus


class WorkerError(RuntimeError):
    """What went wrong in a worker: its traceback."""


class Worker:
    """A process that holds one runtime.

    Parameters
    ----------
    runtime : str
        A name of `benchmarks.runtimes.RUNTIMES`.
    job : benchmarks.runtimes.Job
    environment : mapping, optional
        Variables to set for it, such as FASTCNN_MAX_ISA.
    """

    def __init__(
        self, runtime: str, job: Any, environment: Mapping[str, str] | None = None
    ) -> None:
        threads = str(job.threads)
        env = {
            **os.environ, "OMP_NUM_THREADS": threads, "FASTCNN_NUM_THREADS": threads,
            **(environment or {}),
        }  # fmt: skip
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [env.get("PYTHONPATH"), str(ROOT)]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip
        self.clock = job.clock
        opened = self.ask("open", runtime=runtime, job=asdict(job), cpus=pick_cpus(job.threads))
        self.note: str = opened["note"]

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"worker ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def burst(self, seconds: float) -> list[int]:
        """Times of back-to-back calls."""
        times: list[int] = self.ask("burst", seconds=seconds, clock=self.clock)["times"]
        return times

    def output(self, folder: Path) -> np.ndarray:
        """The output of the last call."""
        path = folder / f"output-{self._process.pid}.npy"
        self.ask("output", path=str(path))
        return np.load(path)

    def profile(self, calls: int) -> list[dict[str, Any]]:
        """Each step with the fastest of its times."""
        steps: list[dict[str, Any]] = self.ask("profile", calls=calls)["steps"]
        return steps

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class _Server:
    """The side of the process: one method a request."""

    def open(self, runtime: str, job: dict[str, Any], cpus: list[int]) -> dict[str, Any]:
        os.sched_setaffinity(0, cpus)  # before any library starts threads
        from benchmarks.runtimes import RUNTIMES, Job
        from benchmarks.stylists import STYLISTS
        from benchmarks.trainers import TRAINERS

        self.runtime = (RUNTIMES | TRAINERS | STYLISTS)[runtime](Job(**job))
        self.runtime.call()
        return {"note": self.runtime.note}

    def burst(self, seconds: float, clock: str) -> dict[str, Any]:
        return {"times": burst(self.runtime.call, seconds, clock)}

    def output(self, path: str) -> dict[str, Any]:
        np.save(path, self.runtime.output())
        return {}

    def profile(self, calls: int) -> dict[str, Any]:
        runs = self.runtime.profile(calls)
        for column in zip(*runs, strict=True):
            column[0]["ns"] = min(step["ns"] for step in column)
        return {"steps": runs[0] if runs else []}


def main() -> None:
    """Serve requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    server = _Server()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(server, request.pop("do"))(**request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
