"""What a result is worth nothing without: the machine, the versions and the commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from fastcnn import _C

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("numpy", "torch", "onnxruntime", "openvino")


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def cpu_model() -> str:
    """The processor as the kernel names it; with family and model where the name says little."""
    info = _read(Path("/proc/cpuinfo"))

    def field(name: str) -> str:
        found = re.search(rf"^{name}\s*:\s*(.*)$", info, re.MULTILINE)
        return found.group(1).strip() if found else ""

    name = field("model name") or platform.processor() or platform.machine()
    if any(c.isdigit() for c in name):
        return name
    return f"{name} family {field('cpu family')} model {field('model')}"


def caches() -> dict[str, int]:
    """Bytes of the data caches that one core sees: {"L1": ..., "L2": ..., "L3": ...}."""
    sizes = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        size = re.fullmatch(r"(\d+)([KM])", _read(index / "size"))
        if size and _read(index / "type") != "Instruction":
            unit = {"K": 2**10, "M": 2**20}[size.group(2)]
            sizes["L" + _read(index / "level")] = int(size.group(1)) * unit
    return sizes or {"L1": 32 * 2**10, "L2": 2**20, "L3": 32 * 2**20}


def versions() -> dict[str, str]:
    """Installed packages that take part, fastcnn by its build."""
    found = {"python": platform.python_version(), "fastcnn": _C.build_info()["version"]}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit of the sources, with "+" when they have been changed since; "" outside git."""

    def git(*args: str) -> str:
        done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "python")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except FileNotFoundError:
        return ""


def describe() -> dict[str, Any]:
    """The machine as results record it."""
    return {
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "caches": caches(),
        "isa": _C.cpu_isa(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "compiler": _C.build_info()["compiler"],
        "load": round(os.getloadavg()[0], 2),
    }
