"""Array functions against the libraries people use for them, taking turns.

    python -m benchmarks.arrays --only nearest --threads 1,2

Peers: torchvision for `nms`, faiss and NumPy for `nearest`, NumPy and torch for `gram_matrix`;
those that are missing are left out. `nearest` of one query is also searched by codes of the rows,
which are made beforehand. Each has a process of its own, as in `benchmarks.models`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.results import FOLDER, Results, significant, table
from benchmarks.timing import Summary, burst, pick_cpus, take_turns

Call = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One problem: the arrays are made anew, the same for the same case, in every process."""

    function: str
    sizes: tuple[int, ...]

    def __str__(self) -> str:
        return "x".join(map(str, self.sizes))

    def arrays(self) -> list[np.ndarray]:
        """Operands of the function."""
        rng = np.random.default_rng(0)
        if self.function == "nms":
            corner = rng.uniform(0, 1000, (self.sizes[0], 2))
            boxes = np.hstack([corner, corner + rng.uniform(10, 100, corner.shape)])
            return [boxes.astype(np.float32), rng.random(self.sizes[0], np.float32)]
        if self.function == "nearest":
            queries, rows, columns = self.sizes
            return [rng.standard_normal((n, columns), np.float32) for n in (queries, rows)]
        channels, pixels = self.sizes
        return [rng.standard_normal((1, pixels, channels), np.float32)]


CASES = [
    *(Case("nms", (n,)) for n in (1_000, 10_000, 100_000)),
    *(Case("nearest", (q, n, 128)) for n in (100_000, 1_000_000) for q in (1, 8, 64)),
    *(Case("gram_matrix", s) for s in ((512, 784), (256, 3136), (128, 12544), (64, 50176))),
]
IOU_THRESHOLD, NEIGHBOURS = 0.5, 10


# ---- runtimes: case, threads -> a call that gives arrays -----------------------------------------


def _fastcnn(case: Case, threads: int) -> Call:
    import fastcnn as fc

    fc.set_num_threads(threads)
    a = case.arrays()
    if case.function == "nms":
        return lambda: fc.ops.nms(*a, IOU_THRESHOLD)
    if case.function == "nearest":
        return lambda: fc.ops.nearest(*a, NEIGHBOURS)[1]
    return lambda: fc.ops.gram_matrix(*a)


def _fastcnn_codes(case: Case, threads: int) -> Call | None:
    import fastcnn as fc

    if case.function != "nearest" or case.sizes[0] > 1:
        return None
    fc.set_num_threads(threads)
    queries, gallery = case.arrays()
    codes = fc.ops.encode_rows(gallery)
    return lambda: fc.ops.nearest(queries, gallery, NEIGHBOURS, codes=codes)[1]


def _numpy(case: Case, threads: int) -> Call | None:
    a = case.arrays()
    if case.function == "gram_matrix":
        return lambda: a[0].transpose(0, 2, 1) @ a[0]
    if case.function != "nearest":
        return None
    queries, gallery = a
    squares = np.einsum("ij,ij->i", gallery, gallery)

    def nearest() -> np.ndarray:
        distances = squares - 2 * (queries @ gallery.T)  # and |query|^2, the same for all
        found = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        order = np.take_along_axis(distances, found, 1).argsort(1)
        return np.take_along_axis(found, order, 1)

    return nearest


def _torch(case: Case, threads: int) -> Call | None:
    import torch

    torch.set_num_threads(threads)
    a = [torch.from_numpy(x) for x in case.arrays()]
    if case.function == "gram_matrix":
        return lambda: torch.matmul(a[0].transpose(1, 2), a[0]).numpy()
    if case.function == "nms":
        import torchvision

        return lambda: torchvision.ops.nms(*a, IOU_THRESHOLD).numpy()
    return None


def _faiss(case: Case, threads: int) -> Call | None:
    if case.function != "nearest":
        return None
    import faiss

    faiss.omp_set_num_threads(threads)
    queries, gallery = case.arrays()
    index = faiss.IndexFlatL2(gallery.shape[1])
    index.add(gallery)
    return lambda: index.search(queries, NEIGHBOURS)[1]


RUNTIMES: dict[str, Callable[[Case, int], Call | None]] = {
    "fastcnn": _fastcnn,
    "fastcnn codes": _fastcnn_codes,
    "numpy": _numpy,
    "torch": _torch,
    "faiss": _faiss,
}


# ---- a process for each --------------------------------------------------------------------------


def _serve(runtime: str, case: Case, cpus: Sequence[int], pipe: Connection) -> None:
    os.sched_setaffinity(0, cpus)
    try:
        call = RUNTIMES[runtime](case, len(cpus))
    except ImportError:
        call = None
    pipe.send(None if call is None else np.asarray(call()))
    while call is not None and (seconds := pipe.recv()):
        pipe.send(burst(call, seconds))


class Entrant:
    """A runtime with its case, in a process of its own; `result` is None where it has none."""

    def __init__(self, runtime: str, case: Case, cpus: Sequence[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(runtime, case, cpus, theirs))
        # Read when the libraries are loaded, in the child.
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        with mock.patch.dict(os.environ, dict.fromkeys(names, str(len(cpus)))):
            self._process.start()
        self.result: np.ndarray | None = self._pipe.recv()

    def burst(self, seconds: float) -> list[int]:
        """Nanoseconds of the calls of so many seconds."""
        self._pipe.send(seconds)
        return list(self._pipe.recv())

    def close(self) -> None:
        """End the process."""
        if self.result is not None:
            self._pipe.send(None)
        self._process.join()


def measure(case: Case, cpus: Sequence[int], seconds: float, results: Results) -> None:
    """Let the runtimes take turns on one case; check that they agree; write and show the lines."""
    entrants = {name: Entrant(name, case, cpus) for name in RUNTIMES}
    taking_part = {name: e for name, e in entrants.items() if e.result is not None}
    length = seconds / (4 * len(taking_part))
    times: dict[str, Summary] = take_turns(
        {name: (lambda e=e: e.burst(length)) for name, e in taking_part.items()}, seconds
    )
    rows = []
    for name, time in times.items():
        ratios = {p: times[p].min_ms / time.min_ms for p in times if p != name}
        results.add(
            "array", function=case.function, case=str(case), runtime=name, threads=len(cpus),
            min_ms=time.min_ms, median_ms=time.median_ms, calls=time.calls,
            agrees=agreement(taking_part["fastcnn"].result, taking_part[name].result),
            ratios=ratios if name == "fastcnn" else {},
        )  # fmt: skip
        ratio = significant(times[name].min_ms / times["fastcnn"].min_ms)
        numbers = [significant(time.min_ms), significant(time.median_ms), ratio, str(time.calls)]
        rows.append([name, *numbers])
    for entrant in entrants.values():
        entrant.close()
    header = [f"{case.function} {case} threads {len(cpus)}", "min ms", "median ms", "/ fastcnn"]
    print(f"\n{table([*header, 'calls'], rows)}", flush=True)


def agreement(a: np.ndarray | None, b: np.ndarray | None) -> float:
    """The share of equal elements: indices; or of elements within 1e-4 of the largest: sums."""
    assert a is not None and b is not None
    if a.dtype.kind == "f":
        return float((np.abs(a - b) <= 1e-4 * np.abs(a).max()).mean())
    return float((a == b).mean()) if a.shape == b.shape else 0.0


def main(arguments: Sequence[str] | None = None) -> Results:
    """Run the suite."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arrays", description=__doc__)
    add = parser.add_argument
    add("--only", default="", help="this function: nms, nearest or gram_matrix")
    add("--threads", type=lambda t: [int(n) for n in t.split(",")], default=[1])
    add("--seconds", type=float, default=4.0, help="for each case")
    add("--folder", type=Path, default=FOLDER, help="of the results")
    add("--dry", action="store_true", help="write no results")
    options = parser.parse_args(arguments)
    results = Results("wall", options.seconds, None if options.dry else options.folder)
    for threads in options.threads:
        for case in CASES:
            if options.only in ("", case.function):
                measure(case, pick_cpus(threads), options.seconds, results)
    return results


if __name__ == "__main__":
    main()
