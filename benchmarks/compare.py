"""Compares two commits on this machine: builds both, lets their processes take turns.

    python -m benchmarks.compare main HEAD --models resnet50,vgg19 --threads 1,2

Prints the time of the first over the time of the second: above 1, the second is faster. Both are
measured by the benchmarks of the tree this runs in.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.networks import NETWORKS
from benchmarks.peaks import cache_folder
from benchmarks.results import significant, table
from benchmarks.runtimes import Job
from benchmarks.timing import Summary, take_turns
from benchmarks.worker import Worker

PROCESSES = 4  # of each commit, for each network


def _run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout.strip()


def build(revision: str) -> Path:
    """Build a commit in a worktree that is kept for the next time; the folder to import from."""
    commit = _run("git", "rev-parse", "--verify", f"{revision}^{{commit}}")
    tree = cache_folder() / "commits" / commit[:12]
    package = tree / "python"
    if list((package / "fastcnn").glob("_C.*.so")):
        return package
    if not tree.exists():
        print(f"building {revision} in {tree}", file=sys.stderr)
        _run("git", "worktree", "add", "--detach", str(tree), commit)
    folder = str(tree / "build")
    pybind11 = _run(sys.executable, "-m", "pybind11", "--cmakedir")
    _run(
        "cmake", "-S", str(tree), "-B", folder, "-DCMAKE_BUILD_TYPE=Release",
        f"-Dpybind11_DIR={pybind11}", f"-DPython_EXECUTABLE={sys.executable}",
    )  # fmt: skip
    _run("cmake", "--build", folder, "--parallel", str(os.cpu_count()))
    (module,) = Path(folder).glob("_C.*.so")
    module.rename(package / "fastcnn" / module.name)
    return package


def compare(packages: Sequence[Path], job: Job, isa: str, seconds: float) -> list[Summary]:
    """Times of one network with each of the packages.

    Where a process finds its memory makes some faster than others with the same code: each package
    gets several processes.
    """
    rounds = [_round(packages, job, isa, seconds / PROCESSES) for _ in range(PROCESSES)]
    return [
        Summary(
            min(s.min_ms for s in found),
            statistics.median(s.median_ms for s in found),
            sum(s.calls for s in found),
        )
        for found in zip(*rounds, strict=True)
    ]


def _round(packages: Sequence[Path], job: Job, isa: str, seconds: float) -> list[Summary]:
    with ExitStack() as stack:
        bursts: dict[str, Any] = {}
        for index, package in enumerate(packages):
            environment = {"PYTHONPATH": str(package), **({"FASTCNN_MAX_ISA": isa} if isa else {})}
            worker = stack.enter_context(Worker("fastcnn", job, environment))
            bursts[str(index)] = lambda w=worker: w.burst(min(0.25, seconds / 8))
        return list(take_turns(bursts, seconds).values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Build two commits and print the ratios of their times."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description="Compare the speed of two commits."
    )
    add = parser.add_argument
    add("commits", nargs=2, metavar="COMMIT")
    add("--models", type=lambda t: t.split(","), default=list(NETWORKS))
    add("--batch", type=lambda t: [int(n) for n in t.split(",")], default=[1])
    add("--threads", type=lambda t: [int(n) for n in t.split(",")], default=[1])
    add("--size", type=int, help="pictures of another size than the network's own")
    add("--isa", default="", help="what both may use: avx2, avx512, avx512vnni, avx512bf16, amx")
    add("--precision", default="highest")
    add("--seconds", type=float, default=10.0, help="for each network, batch and threads")
    add("--clock", choices=("wall", "cpu"), default="wall")
    options = parser.parse_args(arguments)
    packages = [build(commit) for commit in options.commits]
    rows = []
    for network in options.models:
        for batch in options.batch:
            for threads in options.threads:
                job = Job(network, batch, threads, options.size, options.precision, options.clock)
                a, b = compare(packages, job, options.isa, options.seconds)
                rows.append(
                    [
                        f"{network} batch {batch} threads {threads}",
                        *(significant(t, 4) for t in (a.min_ms, b.min_ms)),
                        f"{a.min_ms / b.min_ms:.3f}",
                        f"{a.median_ms / b.median_ms:.3f}",
                    ]
                )
    names = [f"{commit} ms" for commit in options.commits]
    ratio = f"{options.commits[0]} / {options.commits[1]}"
    print(table(["", *names, f"{ratio} min", "median"], rows))


if __name__ == "__main__":
    main()
