"""Single kernels: every row of an op's table on the same problems, taking turns.

    python -m benchmarks.kernels --op conv2d --filter 56x56 --threads 1,2

Weights are constants of the plan, so packing them is not timed. A share of memory compares with the
machine's read bandwidth at the level that all operands fit in.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tests.harness import Case, kernel_rows

from benchmarks import peaks
from benchmarks.cases import WEIGHTS, all_cases
from benchmarks.results import FOLDER, Results, significant, table
from benchmarks.timing import Summary, burst, pick_cpus, take_turns
from fastcnn import _C
from fastcnn.errors import FastcnnError, UnsupportedError


@dataclass
class Candidate:
    """One row of a kernel table on one problem, ready to run."""

    kernel: str
    case: Case
    run: Callable[[], Any]
    gflop: float
    gbyte: float
    precision: str


def candidate(kernel: str, case: Case, precision: str = "highest") -> Candidate | None:
    """Compile a case for one kernel; None where the kernel declines it."""
    arrays = case.inputs()
    graph = _C.Graph()
    weights = WEIGHTS.get(case.op, ())
    operands = [
        graph.constant(a) if i in weights else graph.input(a.shape, a.dtype.name)
        for i, a in enumerate(arrays)
    ]
    graph.set_outputs(graph.add(case.op, operands, case.attrs))
    try:
        plan = _C.compile(graph, kernel=kernel, precision=precision)
    except UnsupportedError:
        return None
    inputs = [a for i, a in enumerate(arrays) if i not in weights]
    outputs = [np.empty(shape, dtype) for shape, dtype in plan.output_types]
    steps = plan.steps()
    if kernel not in [step["kernel"] for step in steps]:
        return None  # the passes made another op of it
    return Candidate(
        kernel,
        case,
        lambda: plan.run(inputs, outputs),
        sum(s["flops"] for s in steps) / 1e9,
        (sum(a.nbytes for a in arrays) + sum(a.nbytes for a in outputs)) / 1e9,
        next(s["precision"] for s in steps if s["kernel"] == kernel),
    )


def candidates(case: Case, wanted: str = "", precision: str = "medium") -> list[Candidate]:
    """The kernels that take a case; the reference only when `wanted` names it."""
    found = []
    for kernel in kernel_rows(case.op):
        if wanted in kernel and (wanted or not kernel.endswith("_ref")):
            made = candidate(kernel, case, precision)
            if made is not None:
                found.append(made)
    return found


def main(arguments: Sequence[str] | None = None) -> Results:
    """Run the suite."""
    options = _parse(arguments)
    results = Results("wall", options.seconds, None if options.dry else options.folder)
    affinity, num_threads = os.sched_getaffinity(0), _C.num_threads()
    try:
        for threads in options.threads:
            os.sched_setaffinity(0, options.cpus[:threads])
            _C.set_num_threads(threads)
            _measure_all(options, threads, results)
    finally:  # as the caller had it
        os.sched_setaffinity(0, affinity)
        _C.set_num_threads(num_threads)
    return results


def _measure_all(options: argparse.Namespace, threads: int, results: Results) -> None:
    bandwidth = {
        level: max(peaks.gigabytes(level, threads) for _ in range(5)) for level in peaks.levels()
    }
    for case in all_cases():
        if options.op not in ("", case.op) or options.filter not in case.id:
            continue
        try:
            rows = candidates(case, options.kernel, options.precision)
        except FastcnnError as error:  # an op that this build lacks
            print(f"{case.op} {case.id}: {error}")
            continue
        if rows:
            lines = measure(rows, threads, options.seconds, bandwidth, results)
            _show(case, threads, lines)


def measure(
    rows: Sequence[Candidate],
    threads: int,
    seconds: float,
    bandwidth: dict[str, float],
    results: Results,
) -> list[dict[str, Any]]:
    """Let the rows take turns on their problem; write and return the lines."""
    fma = 0.0

    def measure_peak() -> None:
        nonlocal fma
        fma = max(fma, peaks.fma_gflops(threads, 0.002))

    length = seconds / (4 * len(rows))
    bursts = {r.kernel: (lambda r=r: burst(r.run, length)) for r in rows}
    times: dict[str, Summary] = take_turns(bursts, seconds, measure_peak)
    lines = []
    for row in rows:
        time = times[row.kernel]
        second = time.min_ms / 1e3
        level = peaks.level_of(int(row.gbyte * 1e9), threads)
        lines.append(
            results.add(
                "kernel",
                op=row.case.op,
                case=row.case.id,
                kernel=row.kernel,
                precision=row.precision,
                threads=threads,
                min_ms=round(time.min_ms, 5),
                median_ms=round(time.median_ms, 5),
                calls=time.calls,
                gflop=row.gflop,
                gbyte=row.gbyte,
                level=level,
                share_of_fma=round(row.gflop / second / fma, 3) if fma else None,
                share_of_memory=round(row.gbyte / second / bandwidth[level], 3)
                if bandwidth[level]
                else None,
            )
        )
    return lines


def _show(case: Case, threads: int, lines: Sequence[dict[str, Any]]) -> None:
    header = [
        f"{case.op} {case.id} threads {threads}", "min us", "median us", "GFLOP/s", "of FMA peak",
        "GB/s", "of memory", "calls",
    ]  # fmt: skip
    rows = [
        [
            line["kernel"],
            significant(line["min_ms"] * 1e3),
            significant(line["median_ms"] * 1e3),
            significant(line["gflop"] / line["min_ms"] * 1e3),
            significant(line["share_of_fma"]),
            significant(line["gbyte"] / line["min_ms"] * 1e3),
            f"{significant(line['share_of_memory'], 2)} {line['level']}",
            str(line["calls"]),
        ]
        for line in lines
    ]
    print(f"\n{table(header, rows)}", flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kernels", description="Time single kernels."
    )
    add = parser.add_argument
    add("--op", default="", help="only this op")
    add("--kernel", default="", help="only kernels whose name contains this")
    add("--filter", default="", help="only cases whose id contains this")
    add("--threads", type=lambda t: [int(n) for n in t.split(",")], default=[1])
    add("--precision", default="medium", help="the least accurate kernels that take part")
    add("--seconds", type=float, default=0.5, help="for each case")
    add("--folder", type=Path, default=FOLDER, help="of the results")
    add("--dry", action="store_true", help="write no results")
    options = parser.parse_args(arguments)
    options.cpus = pick_cpus(max(options.threads))
    return options


if __name__ == "__main__":
    main()
