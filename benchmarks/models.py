"""Whole networks: fastcnn, its peers and the machine's peaks, taking turns.

    python -m benchmarks.models --models resnet50,vgg19 --batch 1,8 --threads 1,2

Every runtime lives in a process of its own and runs bursts of calls while the others wait: in one
process their spinning workers would take each other's time, and switching that off would handicap
them within a call. Errors are the largest difference from torch in float64, over the largest
output.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peaks
from benchmarks.networks import NETWORKS
from benchmarks.results import FOLDER, Results, significant, table
from benchmarks.runtimes import Job
from benchmarks.timing import Summary, take_turns
from benchmarks.worker import Worker, WorkerError
from fastcnn import _C

PEERS = ("torch", "onnxruntime", "openvino")
BF16_PEERS = ("openvino_bf16",)  # measured beside fastcnn's level "medium"


@dataclass(frozen=True)
class Entrant:
    """One row: a runtime, the instruction set it is held to (peers: avx2 only), its precision."""

    runtime: str
    isa: str = ""
    precision: str = ""

    @property
    def label(self) -> str:
        return " ".join(filter(None, (self.runtime, self.isa, self.precision)))

    def open(self, job: Job) -> Worker:
        environment = {}
        if self.isa:
            environment["FASTCNN_MAX_ISA"] = self.isa
        if self.isa == "avx2":  # what torch and OpenVINO listen to
            environment |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
        precision = self.precision or "highest"
        return Worker(self.runtime, replace(job, precision=precision), environment)


def main(arguments: Sequence[str] | None = None) -> Results:
    """Run the suite."""
    options = _parse(arguments)
    results = Results(options.clock, options.seconds, None if options.dry else options.folder)
    ours = [
        Entrant("fastcnn", isa, precision)
        for isa, precision in itertools.product(options.isa, options.precision)
    ]
    int8 = options.precision == ["int8"]  # peers quantise, too, as far as they can
    capped = options.isa == ["avx2"]  # peers are held to it, too, as far as they can be
    names = options.peers or [*PEERS, *(BF16_PEERS if "medium" in options.precision else ())]
    peers = [
        Entrant(p, "avx2" if capped else "", "int8" if int8 else "")
        for p in names
        if importlib.util.find_spec(p.removesuffix("_bf16"))
        and not (int8 and p == "torch")
        and not (capped and p == "onnxruntime")
    ]
    for network, batch, threads in itertools.product(
        options.models, options.batch, options.threads
    ):
        job = Job(
            network, batch, threads, options.size, clock=options.clock,
            compile_limit=options.compile_limit,
        )  # fmt: skip
        if options.profile:
            from benchmarks.profiles import show_profiles

            show_profiles(job, [*ours, *peers])
        else:
            measure(job, ours, peers, options.seconds, results)
    if results.path is not None and len(results.lines) > 1:
        print(f"\nappended to {results.path}")
    return results


@contextmanager
def opened(job: Job, entrants: Sequence[Entrant]) -> Iterator[dict[Entrant, Worker]]:
    """The workers of those that can be opened; why others cannot goes to standard error."""
    with ExitStack() as stack:
        workers = {}
        for entrant in entrants:
            try:
                workers[entrant] = stack.enter_context(entrant.open(job))
            except WorkerError as error:
                reason = str(error).strip().splitlines()[-1]
                print(f"{entrant.label}: not measured: {reason}", file=sys.stderr)
        yield workers


def measure(
    job: Job, ours: Sequence[Entrant], peers: Sequence[Entrant], seconds: float, results: Results
) -> None:
    """Measure one network at one batch and number of threads; write and print the rows."""
    peak = {"avx512": 0.0, "avx2": 0.0, "amx_bf16": 0.0}

    def measure_peaks() -> None:
        for kind in peak:
            peak[kind] = max(peak[kind], peaks.gflops(kind, job.threads))

    with opened(job, [*ours, *peers]) as workers, tempfile.TemporaryDirectory() as folder:
        errors = _errors(job, workers, Path(folder))
        # Bursts of a tenth of a second or a few calls, whichever is longer.
        length = min(0.25, seconds / (4 * max(len(workers), 1)))
        bursts = {e: (lambda w=w: w.burst(length)) for e, w in workers.items()}
        times = _times(bursts, seconds, measure_peaks)
        notes = {e: w.note for e, w in workers.items()}
    fma = peak["avx512"] or peak["avx2"]
    gflop = next((int(notes[e].split()[0]) / 1e9 for e in ours if e in notes), 0.0)
    lines = []
    for entrant, time in times.items():
        is_ours = entrant in ours
        lines.append(
            results.add(
                "model",
                network=job.network,
                size=job.size or NETWORKS[job.network].size,
                batch=job.batch,
                threads=job.threads,
                runtime=entrant.runtime,
                note="" if is_ours else notes[entrant],
                isa=entrant.isa or (_C.max_isa() if is_ours else ""),
                precision=entrant.precision or _precision(entrant.runtime),
                min_ms=round(time.min_ms, 4),
                median_ms=round(time.median_ms, 4),
                calls=time.calls,
                gflop=round(gflop, 4),
                fma_gflops=round(fma, 1),
                amx_gflops=round(peak["amx_bf16"], 1),
                share_of_fma=round(gflop / time.min_ms * 1e3 / fma, 3) if fma else None,
                error=errors[entrant],
                ratios={
                    p.runtime: round(times[p].min_ms / time.min_ms, 3) for p in peers if p in times
                }
                if is_ours
                else {},
            )
        )
    _show(job, lines)


def _precision(peer: str) -> str:
    return "bf16" if peer in BF16_PEERS else "float32"


def _times(bursts: dict[Entrant, Any], seconds: float, between: Any) -> dict[Entrant, Summary]:
    named = {str(i): burst for i, burst in enumerate(bursts.values())}
    found = take_turns(named, seconds, between)
    return {entrant: found[str(i)] for i, entrant in enumerate(bursts)}


def _errors(job: Job, workers: dict[Entrant, Worker], folder: Path) -> dict[Entrant, float | None]:
    """Each one's largest difference from float64, over the largest output."""
    if not importlib.util.find_spec("torch"):
        return dict.fromkeys(workers)
    with Worker("float64", job) as worker:
        exact = worker.output(folder)
    scale = float(np.abs(exact).max())
    return {
        e: float(f"{np.abs(w.output(folder) - exact).max() / scale:.2e}")
        for e, w in workers.items()
    }


def _show(job: Job, lines: Sequence[dict[str, Any]]) -> None:
    peers = sorted({p for line in lines for p in line["ratios"]})
    header = [
        f"{job.network} batch {job.batch} threads {job.threads}", "min ms", "median ms",
        *(f"{p} / it" for p in peers), "of FMA peak", "error", "calls",
    ]  # fmt: skip
    rows = [
        [
            " ".join(filter(None, (r["runtime"], r["isa"], r["precision"], r["note"]))),
            significant(r["min_ms"], 4),
            significant(r["median_ms"], 4),
            *(significant(r["ratios"].get(p)) for p in peers),
            significant(r["share_of_fma"]),
            significant(r["error"], 2),
            str(r["calls"]),
        ]
        for r in lines
    ]
    peak = f"FMA peak {lines[0]['fma_gflops']} GFLOP/s" if lines else "nothing measured"
    print(f"\n{table(header, rows)}\n{peak}", flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.models", description=__doc__.split("\n")[0])

    def words(text: str) -> list[str]:
        return [w for w in text.split(",") if w]

    def numbers(text: str) -> list[int]:
        return [int(w) for w in words(text)]

    add = parser.add_argument
    add("--models", type=words, default=list(NETWORKS), help=",".join(NETWORKS))
    add("--size", type=int, help="pictures of another size than the network's own")
    add("--batch", type=numbers, default=[1])
    add("--threads", type=numbers, default=[1, len(os.sched_getaffinity(0))])
    known = (*PEERS, *BF16_PEERS)
    add("--peers", type=words, help=f"{','.join(known)}; the last only at medium by default")
    add(
        "--isa",
        type=words,
        default=[""],
        help="what fastcnn may use: avx2,avx512,avx512vnni,avx512bf16,amx",
    )
    add("--precision", type=words, default=["highest"], help="highest,high,medium; or int8")
    add("--seconds", type=float, default=10.0, help="for each network, batch and threads")
    add("--clock", choices=("wall", "cpu"), default="wall", help="cpu: 1 thread, busy machine")
    add("--compile-limit", type=int, default=120, help="seconds for torch.compile; 0: not tried")
    add("--profile", action="store_true", help="show each step's time instead")
    add("--folder", type=Path, default=FOLDER, help="of the results")
    add("--dry", action="store_true", help="write no results")
    options = parser.parse_args(arguments)
    options.threads = sorted(set(options.threads))
    if options.clock == "cpu" and options.threads != [1]:
        parser.error("--clock cpu counts the time of all threads: it needs --threads 1")
    if "int8" in options.precision and len(options.precision) > 1:
        parser.error("--precision int8 is measured by itself: peers are quantised, too")
    if "avx2" in options.isa and len(options.isa) > 1:
        parser.error("--isa avx2 is measured by itself: peers are held to it, too")
    unknown = set(options.models) - set(NETWORKS) or set(options.peers or ()) - set(known)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    return options


if __name__ == "__main__":
    main()
