"""``fastcnn bench``: how long a network takes here, and where the time goes."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fastcnn import _C, config
from fastcnn.applications import network
from fastcnn.autotune import TimingCache
from fastcnn.errors import ConfigError, UnsupportedError
from fastcnn.model import Model
from fastcnn.plan import Plan, with_unit

_WIDTH = 160  # characters that the table of steps may take


@dataclass(frozen=True)
class StepTime:
    """One step of the plan; with the fastest of its times."""

    name: str
    kernel: str
    precision: str
    notes: list[str]  # what else it computes, or that it has nothing to copy
    shape: tuple[int, ...]
    milliseconds: float
    share: float  # of all steps
    gflops: float  # GFLOP/s; 0: it only moves data
    of_peak: float  # above 1 where a kernel needs fewer or faster multiplications


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes
    ----------
    first_ms : float
        The first call: making the plan, packing weights, computing.
    peak_gflops : float
        The machine's peak at the time: float32 multiply-adds in registers, on all threads; 0
        without a profile.
    """

    model: str
    shape: tuple[int, ...]
    threads: int
    isa: str
    precision: str
    first_ms: float
    min_ms: float
    median_ms: float
    calls: int
    gflops: float
    arena_bytes: int
    constant_bytes: int
    peak_gflops: float
    steps: list[StepTime]


def bench(
    name: str,
    size: int | None = None,
    batch: int = 1,
    threads: int | None = None,
    precision: str = "highest",
    seconds: float = 3.0,
    profile: bool = False,
    timings: Path | None = None,
) -> Report:
    """Time a network on random pictures.

    Parameters
    ----------
    name : str
        What `fastcnn.applications.network` knows, with random weights; or a file of `Model.save`.
    size : int, optional
        Height and width of the pictures; the network's own unless given.
    batch : int, default 1
    threads : int, optional
        As many as `fastcnn.get_num_threads` says unless given.
    precision : {"highest", "high", "medium"}, default "highest"
    seconds : float, default 3.0
        How long to measure; as long again for the profile.
    profile : bool, default False
        Whether to time each step, too.
    timings : path, optional
        Kernels are chosen by measurement; times are looked up in this file and added to it.

    Raises
    ------
    ConfigError
        There is no such network, or its pictures may have any size and none is given.
    MissingFileError
        There is no such file.
    UnsupportedError
        The pictures, or what is computed of them, are larger than the memory.
    """
    with (
        _threads(threads),
        config.set_float32_precision(precision),
        _autotune(timings),
        _enough_memory(),
    ):
        model = _model(name, size)
        shape = _shape_of(model, size, batch)
        x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        (first,) = _times(lambda: model(x), 0.0)
        calls = _times(lambda: model(x), seconds)
        plan = model.plan(shape)
        peak, steps = _profile(plan, x, seconds) if profile else (0.0, [])
        return Report(
            model=model.name,
            shape=shape,
            threads=config.get_num_threads(),
            isa=_C.max_isa(),
            precision=precision,
            first_ms=first / 1e6,
            min_ms=min(calls) / 1e6,
            median_ms=statistics.median(calls) / 1e6,
            calls=len(calls),
            gflops=plan.flops / min(calls),
            arena_bytes=plan.arena_bytes,
            constant_bytes=plan.constant_bytes,
            peak_gflops=peak,
            steps=steps,
        )


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = config.get_num_threads()
    config.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        config.set_num_threads(before)


@contextmanager
def _autotune(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    timings = TimingCache.load(path) if path.exists() else TimingCache()
    with config.set_autotune(timings):
        yield
    timings.save(path)


@contextmanager
def _enough_memory() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise UnsupportedError(
            "bench: the pictures, or what is computed of them, need more memory than this machine "
            f"has: {error}; give a smaller --batch or --size"
        ) from error


def _model(name: str, size: int | None) -> Model:
    if os.path.isfile(name) or Path(name).suffix or os.path.dirname(name):
        from fastcnn.saving import load_model

        loaded: Model = load_model(name)
        return loaded
    make = network(name)
    return make() if size is None else make(input_shape=(size, size, 3))


def _shape_of(model: Model, size: int | None, batch: int) -> tuple[int, ...]:
    if len(model.inputs) != 1:
        raise ConfigError(f"bench: expected a model with one input, it has {len(model.inputs)}")
    own: list[int | None] = list(model.inputs[0].shape[1:])
    if size is not None and len(own) == 3:
        own[:2] = [size, size]
    known = [n for n in own if n is not None]
    if len(known) < len(own):
        raise ConfigError(f"bench: the model takes pictures of any size, {own}; give --size")
    return (batch, *known)


def _times(call: Callable[[], object], seconds: float) -> list[int]:
    times: list[int] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return times


def _profile(plan: Plan, x: np.ndarray, seconds: float) -> tuple[float, list[StepTime]]:
    peak = _C.measure_fma_gflops()
    best = np.array(plan.profile([x]))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:  # side by side: machines change their pace
        peak = max(peak, *(_C.measure_fma_gflops() for _ in range(3)))
        best = np.minimum(best, plan.profile([x]))
    total = max(1, int(best.sum()))
    steps = [
        StepTime(
            name=step["name"],
            kernel=step["kernel"],
            precision=step["precision"],
            notes=step["notes"],
            shape=tuple(step["outputs"][0]),
            milliseconds=ns / 1e6,
            share=ns / total,
            gflops=step["flops"] / max(ns, 1),
            of_peak=step["flops"] / max(ns, 1) / peak if peak else 0.0,
        )
        for step, ns in zip(plan.steps, best.tolist(), strict=True)
    ]
    return peak, steps


def print_report(report: Report) -> None:
    """Write a few lines to stdout, and a table of the steps if they were timed."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    shape = "x".join(map(str, report.shape))
    threads = f"{report.threads} thread" + ("s" if report.threads > 1 else "")
    console.print(
        Text(f"{report.model} {shape}, {threads}, {report.isa}, {report.precision}", "bold")
    )
    pictures = 1e3 * report.shape[0] / report.min_ms
    console.print(
        f"{report.min_ms:.2f} ms (median of {report.calls} calls {report.median_ms:.2f}, "
        f"first {report.first_ms:.0f}), {pictures:.1f} pictures/s, {report.gflops:.0f} GFLOP/s"
    )
    arena, constants = with_unit(report.arena_bytes, "B"), with_unit(report.constant_bytes, "B")
    console.print(f"arena {arena}, packed weights {constants}")
    if not report.steps:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("step", "kernel", "notes", "precision", "out"):
        table.add_column(header, overflow="fold")
    for header in ("ms", "% of all", "GFLOP/s", "% of peak"):
        table.add_column(header, justify="right", no_wrap=True)
    for step in report.steps:
        table.add_row(
            Text(step.name or "-"),
            step.kernel,
            ", ".join(step.notes),
            step.precision,
            "x".join(map(str, step.shape)),
            f"{step.milliseconds:.3f}",
            f"{100 * step.share:.1f}",
            f"{step.gflops:.0f}" if step.gflops else "",
            f"{100 * step.of_peak:.0f}" if step.gflops else "",
        )
    # Too wide for most windows: lines that wrap stay legible, cells that fold do not.
    wide = Console(width=max(console.width, _WIDTH))
    wide.print(table)
    console.print(f"FMA peak: {report.peak_gflops:.0f} GFLOP/s")
    if any(step.of_peak > 1 for step in report.steps):
        console.print(
            "Above 100 %: convolutions are counted as direct products; Winograd's kernels need "
            "fewer, and bfloat16's and int8's have a higher peak."
        )


def print_json(report: Report) -> None:
    """Write one JSON object to stdout."""
    sys.stdout.write(json.dumps(asdict(report), indent=2, allow_nan=False) + "\n")
