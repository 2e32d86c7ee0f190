"""Results as JSON lines: benchmarks/results/<date>-<cpu>.jsonl.

A run starts with a line of kind "run" that describes it; its measurements follow and refer to it by
the number in "run". Times are milliseconds, the fastest and the median of `calls` calls.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine

FOLDER = Path(__file__).with_name("results")

_MEASURED = ("kind", "run", "threads", "min_ms", "median_ms", "calls", "gflop", "share_of_fma")
FIELDS = {
    "run": ("kind", "run", "date", "commit", "machine", "versions", "clock", "seconds"),
    "model": (
        *_MEASURED, "network", "size", "batch", "runtime", "note", "isa", "precision", "error",
        "fma_gflops", "amx_gflops", "ratios",
    ),
    "training": (
        "kind", "run", "threads", "min_ms", "median_ms", "calls", "network", "batch", "runtime",
        "note", "precision", "mib", "first_loss", "ratios",
    ),
    "style": (
        "kind", "run", "threads", "min_ms", "median_ms", "calls", "network", "size", "runtime",
        "note", "precision", "mib", "cost", "ratios",
    ),
    "learning": ("kind", "run", "threads", "example", "accuracy", "minutes", "cpu_minutes"),
    "array": (
        "kind", "run", "threads", "min_ms", "median_ms", "calls", "function", "case", "runtime",
        "agrees", "ratios",
    ),
    "device": (
        "kind", "run", "name", "capability", "memory_gb", "fma_gflops", "tensor_gflops",
        "memory_gbytes",
    ),
    "gpu": (
        "kind", "run", "suite", "case", "runtime", "precision", "min_ms", "median_ms", "calls",
        "gflop", "gbyte", "bound", "share_of_roofline", "error", "ratios",
    ),
    "kernel": (
        *_MEASURED, "op", "case", "kernel", "precision", "gbyte", "level", "share_of_memory",
    ),
}  # fmt: skip


class Results:
    """Appends one run to a file of results; collects its lines."""

    def __init__(self, clock: str, seconds: float, folder: Path | None = FOLDER) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        described = machine.describe()
        self.run = now.strftime("%Y%m%dT%H%M%S")
        name = re.sub(r"\((R|TM)\)|@.*", "", described["cpu"])
        name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        self.path = folder / f"{now:%Y-%m-%d}-{name}.jsonl" if folder else None
        self.lines: list[dict[str, Any]] = []
        self.add(
            "run", date=now.isoformat(timespec="seconds"), commit=machine.commit(),
            machine=described, versions=machine.versions(), clock=clock, seconds=seconds,
        )  # fmt: skip

    def add(self, kind: str, **values: Any) -> dict[str, Any]:
        """Write one line; its fields are those of FIELDS[kind]."""
        line = {"kind": kind, "run": self.run, **values}
        assert set(line) == set(FIELDS[kind]), set(line) ^ set(FIELDS[kind])
        self.lines.append(line)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return line


def load(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of results."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def newest(folder: Path = FOLDER) -> Path | None:
    """The file whose name has the latest date, and among these the one written last."""
    files = sorted(folder.glob("*.jsonl"), key=lambda p: (p.name[:10], p.stat().st_mtime))
    return files[-1] if files else None


def newest_of_machines(folder: Path = FOLDER) -> list[Path]:
    """Of each machine its newest file; those of the machines that have most instructions first."""
    machines: dict[str, list[Path]] = {}
    for path in folder.glob("*.jsonl"):
        machines.setdefault(path.name[10:], []).append(path)
    order = ("ref", "avx2", "avx512", "avx512vnni", "avx512bf16", "amx")

    def level(path: Path) -> tuple[int, str]:
        isa = next(x["machine"]["isa"] for x in load(path) if x["kind"] == "run")
        return -order.index(isa), path.name

    return sorted(map(max, machines.values()), key=level)


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many digits; "-" for None and for zero, which means not measured."""
    if not value:
        return "-"
    if 1e-3 <= abs(value) < 1e6:
        text = f"{value:.{digits}g}"
        return f"{value:.0f}" if "e" in text else text
    return f"{value:.{digits - 1}e}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns of text: the first to the left, the others to the right."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def drawn(line: tuple[str, ...]) -> str:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        return "  ".join(cells).rstrip()

    return "\n".join([drawn(lines[0]), "-" * len(drawn(lines[0])), *map(drawn, lines[1:])])
