"""One step of training: fastcnn and torch, taking turns.

    python -m benchmarks.training --models resnet50,unet256 --threads 1,2 --precision highest,medium

A step is forward, softmax cross-entropy, backward and SGD with momentum on one batch. torch is the
fastest of eager, channels_last and torch.compile; beside fastcnn's level "medium", also under
autocast to bfloat16. Memory is what a process with that runtime alone holds at most, beyond what it
held before the network was made.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.models import Entrant, opened
from benchmarks.networks import TRAINING_NETWORKS
from benchmarks.profiles import show_profiles
from benchmarks.results import FOLDER, Results, significant, table
from benchmarks.runtimes import Job
from benchmarks.timing import take_turns

BATCH = {"resnet50": 16, "mobilenetv2": 32, "unet256": 4, "convnet": 64}


def main(arguments: Sequence[str] | None = None) -> Results:
    """Run the suite."""
    options = _parse(arguments)
    results = Results(options.clock, options.seconds, None if options.dry else options.folder)
    ours = [Entrant("fastcnn_training", "", precision) for precision in options.precision]
    peers = [Entrant("torch_training")] if options.torch else []
    if options.torch and "medium" in options.precision:
        peers.append(Entrant("torch_bf16_training"))
    if not importlib.util.find_spec("torch"):
        peers = []
    for network, threads in itertools.product(options.models, options.threads):
        job = Job(
            network, options.batch or BATCH[network], threads, clock=options.clock,
            compile_limit=options.compile_limit,
        )  # fmt: skip
        if options.profile:
            show_profiles(job, ours)
        else:
            measure(job, ours, peers, options.seconds, results)
    return results


def measure(
    job: Job, ours: Sequence[Entrant], peers: Sequence[Entrant], seconds: float, results: Results
) -> None:
    """Measure one network at one number of threads; write and print the rows."""
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
        mib, loss = memory(job, entrant, notes[entrant.label])
        is_ours = entrant in ours
        lines.append(
            results.add(
                "training",
                network=job.network,
                batch=job.batch,
                threads=job.threads,
                runtime=entrant.runtime,
                note=notes[entrant.label],
                precision=entrant.precision or ("bf16" if "bf16" in entrant.runtime else "float32"),
                min_ms=round(time.min_ms, 3),
                median_ms=round(time.median_ms, 3),
                calls=time.calls,
                mib=round(mib),
                first_loss=round(loss, 6),
                ratios={
                    p.runtime: round(times[p.label].min_ms / time.min_ms, 3)
                    for p in peers
                    if p.label in times
                }
                if is_ours
                else {},
            )
        )
    header = [
        f"{job.network} batch {job.batch} threads {job.threads}", "min ms", "median ms",
        *(f"{p.runtime} / it" for p in peers), "MiB", "first loss", "calls",
    ]  # fmt: skip
    rows = [
        [
            " ".join(filter(None, (r["runtime"], r["precision"], r["note"]))),
            significant(r["min_ms"], 4),
            significant(r["median_ms"], 4),
            *(significant(r["ratios"].get(p.runtime)) for p in peers),
            str(r["mib"]),
            f"{r['first_loss']:.5g}",
            str(r["calls"]),
        ]
        for r in lines
    ]
    print(f"\n{table(header, rows)}", flush=True)


def memory(job: Job, entrant: Entrant, note: str) -> tuple[float, float]:
    """The memory of a fresh process of this one, and the loss of its first step."""
    single = replace(job, variant=note.split(" ")[0] or "eager")
    with opened(single, [entrant]) as workers, tempfile.TemporaryDirectory() as folder:
        for worker in workers.values():
            mib, loss = worker.output(Path(folder))
            return float(mib), float(loss)
    return 0.0, 0.0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.training", description=__doc__.split("\n")[0])

    def words(text: str) -> list[str]:
        return [w for w in text.split(",") if w]

    add = parser.add_argument
    add("--models", type=words, default=list(BATCH), help=",".join(TRAINING_NETWORKS))
    add("--batch", type=int, help="; ".join(f"{k}: {v}" for k, v in BATCH.items()))
    add(
        "--threads",
        type=lambda text: [int(w) for w in words(text)],
        default=[1, len(os.sched_getaffinity(0))],
    )
    add("--precision", type=words, default=["highest"], help="highest,high,medium")
    add("--seconds", type=float, default=30.0, help="for each network and number of threads")
    add("--clock", choices=("wall", "cpu"), default="wall", help="cpu: 1 thread, busy machine")
    add("--compile-limit", type=int, default=120, help="seconds for torch.compile; 0: not tried")
    add("--no-torch", dest="torch", action="store_false", help="fastcnn alone")
    add("--profile", action="store_true", help="show each step's time instead")
    add("--folder", type=Path, default=FOLDER, help="of the results")
    add("--dry", action="store_true", help="write no results")
    options = parser.parse_args(arguments)
    options.threads = sorted(set(options.threads))
    unknown = set(options.models) - set(TRAINING_NETWORKS)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    return options


if __name__ == "__main__":
    main()
