"""One iteration of style transfer: fastcnn and torch, taking turns.

    python -m benchmarks.style --sizes 512 --threads 1,2

An iteration is VGG-16 up to conv4_2, the costs, their gradient with respect to the picture, and
Adam's step. torch is the faster of eager and channels_last. Memory is what a process with that
runtime alone holds at most, beyond what it held before.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.models import Entrant, opened
from benchmarks.profiles import show_profiles
from benchmarks.results import FOLDER, Results, significant, table
from benchmarks.runtimes import Job
from benchmarks.timing import take_turns
from benchmarks.training import memory


def main(arguments: Sequence[str] | None = None) -> Results:
    """Run the suite."""
    options = _parse(arguments)
    results = Results(options.clock, options.seconds, None if options.dry else options.folder)
    ours = [Entrant("fastcnn_style", "", precision) for precision in options.precision]
    peers = [Entrant("torch_style")] if importlib.util.find_spec("torch") else []
    for size, threads in itertools.product(options.sizes, options.threads):
        job = Job("vgg16", 1, threads, size, clock=options.clock)
        if options.profile:
            show_profiles(job, ours)
        else:
            measure(job, ours, peers, options.seconds, results)
    return results


def measure(
    job: Job, ours: Sequence[Entrant], peers: Sequence[Entrant], seconds: float, results: Results
) -> None:
    """Measure one size at one number of threads; write and print the rows."""
    with opened(job, [*ours, *peers]) as workers:
        length = seconds / (4 * max(len(workers), 1))
        bursts = {e.label: (lambda w=w: w.burst(length)) for e, w in workers.items()}
        times = take_turns(bursts, seconds, lambda: None)
        notes = {e.label: w.note for e, w in workers.items()}
    lines = []
    for entrant in [*ours, *peers]:
        if entrant.label not in times:
            continue
        time = times[entrant.label]
        mib, cost = memory(job, entrant, notes[entrant.label])
        known = [p for p in peers if p.label in times] if entrant in ours else []
        lines.append(
            results.add(
                "style",
                network=job.network,
                size=job.size,
                threads=job.threads,
                runtime=entrant.runtime,
                note=notes[entrant.label],
                precision=entrant.precision or "float32",
                min_ms=round(time.min_ms, 3),
                median_ms=round(time.median_ms, 3),
                calls=time.calls,
                mib=round(mib),
                cost=cost,
                ratios={p.runtime: round(times[p.label].min_ms / time.min_ms, 3) for p in known},
            )
        )
    header = [f"{job.size} px threads {job.threads}", "min ms", "median ms", "torch / it", "MiB",
              "cost", "calls"]  # fmt: skip
    rows = [
        [
            " ".join(filter(None, (r["runtime"], r["precision"], r["note"]))),
            significant(r["min_ms"], 4),
            significant(r["median_ms"], 4),
            significant(r["ratios"].get("torch_style")),
            str(r["mib"]),
            f"{r['cost']:.6g}",
            str(r["calls"]),
        ]
        for r in lines
    ]
    print(f"\n{table(header, rows)}", flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.style", description=__doc__.split("\n")[0])

    def integers(text: str) -> list[int]:
        return [int(w) for w in text.split(",") if w]

    add = parser.add_argument
    add("--sizes", type=integers, default=[512], help="height and width")
    add("--threads", type=integers, default=[1, len(os.sched_getaffinity(0))])
    add("--precision", type=lambda text: text.split(","), default=["highest"])
    add("--seconds", type=float, default=30.0, help="for each size and number of threads")
    add("--clock", choices=("wall", "cpu"), default="wall", help="cpu: 1 thread, busy machine")
    add("--profile", action="store_true", help="show each step's time instead")
    add("--folder", type=Path, default=FOLDER, help="of the results")
    add("--dry", action="store_true", help="write no results")
    options = parser.parse_args(arguments)
    options.threads = sorted(set(options.threads))
    return options


if __name__ == "__main__":
    main()
