"""Where the time of a network goes: fastcnn's steps, beside its peers' for the same layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks import peaks
from benchmarks.results import significant, table
from benchmarks.runtimes import Job

if TYPE_CHECKING:
    from benchmarks.models import Entrant

ROUNDS, CALLS = 5, 4


def match(ours: Sequence[str], theirs: Sequence[dict[str, Any]]) -> list[float]:
    """Nanoseconds of a peer's steps for each of our steps.

    Runtimes fuse differently. A step counts for the one of ours whose name is in its own (the
    longest such); one that fits none counts for the step before it.

    Examples
    --------
    >>> match(["conv1", "pool"], [{"name": "conv1_nchwc", "ns": 5}, {"name": "relu", "ns": 1}])
    [6.0, 0.0]
    """
    times = [0.0] * len(ours)
    current = 0
    for step in theirs:
        fitting = [i for i, name in enumerate(ours) if name and name in step["name"]]
        current = max(fitting, key=lambda i: len(ours[i]), default=current)
        times[current] += step["ns"]
    return times


def show_profiles(job: Job, entrants: Sequence[Entrant]) -> None:
    """Print the table of each fastcnn entrant; each step with the fastest of several runs."""
    from benchmarks.models import opened

    with opened(job, entrants) as workers:
        steps = {entrant: worker.profile(CALLS) for entrant, worker in workers.items()}
        for _ in range(1, ROUNDS):
            for entrant, worker in workers.items():
                for step, again in zip(steps[entrant], worker.profile(CALLS), strict=True):
                    step["ns"] = min(step["ns"], again["ns"])
    fma = max(peaks.fma_gflops(job.threads) for _ in range(20))
    others = {
        e.label: s for e, s in steps.items() if not e.runtime.startswith(("fastcnn", "torch"))
    }
    for entrant, own in steps.items():
        if entrant.runtime.startswith("fastcnn"):
            title = f"{job.network} batch {job.batch} threads {job.threads}: {entrant.label}"
            print(f"\n{title}, FMA peak {fma:.0f} GFLOP/s\n{_drawn(own, others, fma)}", flush=True)


def _drawn(
    own: Sequence[dict[str, Any]], others: dict[str, list[dict[str, Any]]], fma: float
) -> str:
    names = [step["name"] for step in own]
    matched = {label: match(names, steps) for label, steps in others.items()}
    total = sum(step["ns"] for step in own)
    header = [
        "step", "kernel", "out", "us", "% of all", "GFLOP/s", "of FMA peak", "GB/s",
        *(f"{label} us" for label in matched), *(f"{label} / it" for label in matched),
    ]  # fmt: skip
    rows = []
    for index, step in enumerate(own):
        ns = max(step["ns"], 1)
        peers = [times[index] for times in matched.values()]
        rows.append(
            [
                step["name"] or "-",
                step["kernel"],
                "x".join(map(str, step["shape"])),
                significant(ns / 1e3),
                f"{100 * ns / total:.1f}",
                significant(step["flops"] / ns),
                significant(step["flops"] / ns / fma if fma else None),
                significant(step["bytes"] / ns),
                *(significant(t / 1e3) for t in peers),
                *(significant(t / ns) for t in peers),
            ]
        )
    sums = [sum(times) for times in matched.values()]
    flops = sum(step["flops"] for step in own)
    rows.append(
        [
            "all", "", "", significant(total / 1e3), "100", significant(flops / total),
            significant(flops / total / fma if fma else None), "",
            *(significant(s / 1e3) for s in sums), *(significant(s / total) for s in sums),
        ]
    )  # fmt: skip
    return table(header, rows)
