"""The machine's measured peaks: compiles peaks.cpp once and calls it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from benchmarks.machine import caches

_KINDS = {"avx2": 0, "avx512": 1, "amx_bf16": 2}


def cache_folder() -> Path:
    """Where things made at run time are kept: $XDG_CACHE_HOME/fastcnn-benchmarks."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "fastcnn-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def _library() -> ctypes.CDLL | None:
    """The compiled peaks.cpp; None without a compiler or off x86-64."""
    source = Path(__file__).with_name("peaks.cpp")
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None or os.uname().machine != "x86_64":
        return None
    digest = hashlib.sha256(source.read_bytes() + compiler.encode()).hexdigest()[:16]
    target = cache_folder() / f"peaks-{digest}.so"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            made = Path(scratch) / target.name
            command = [compiler, "-std=c++20", "-O2", "-shared", "-fPIC", "-pthread"]
            subprocess.run([*command, str(source), "-o", str(made)], check=True)
            made.replace(target)
    library = ctypes.CDLL(str(target))
    library.peak_flops.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_double]
    library.peak_flops.restype = ctypes.c_double
    library.peak_read.argtypes = [ctypes.c_int64, ctypes.c_int, ctypes.c_double]
    library.peak_read.restype = ctypes.c_double
    return library


def gflops(kind: str, threads: int, seconds: float = 0.01) -> float:
    """GFLOP/s of "avx2" or "avx512" (multiply-adds in float32) or "amx_bf16"; 0: there is none."""
    library = _library()
    return library.peak_flops(_KINDS[kind], threads, seconds) / 1e9 if library else 0.0


def fma_gflops(threads: int, seconds: float = 0.01) -> float:
    """GFLOP/s of the widest float32 multiply-adds the machine has."""
    return gflops("avx512", threads, seconds) or gflops("avx2", threads, seconds)


def levels() -> dict[str, int]:
    """Bytes to read, for one thread, so that they come from each level of memory."""
    size = caches()
    l3 = size.get("L3", size["L2"])
    return {"L2": size["L2"] // 2, "L3": min(l3 // 4, 32 * 2**20), "DRAM": 4 * l3}


def level_of(working_set: int, threads: int) -> str:
    """The level of memory that `working_set` bytes, used over and over, stay in."""
    size = caches()
    if working_set <= threads * size["L2"] * 3 // 4:
        return "L2"
    return "L3" if working_set <= size.get("L3", 0) // 2 else "DRAM"


def gigabytes(level: str, threads: int, seconds: float = 0.01) -> float:
    """GB/s of reading from "L2", "L3" or "DRAM"."""
    library = _library()
    each = threads if level == "L2" else 1
    return library.peak_read(levels()[level] * each, threads, seconds) / 1e9 if library else 0.0


def measure(threads: int, seconds: float = 0.01) -> dict[str, float]:
    """All peaks: {"fma": GFLOP/s, "amx_bf16": GFLOP/s, "L2": GB/s, "L3": GB/s, "DRAM": GB/s}."""
    return {
        "fma": fma_gflops(threads, seconds),
        "amx_bf16": gflops("amx_bf16", threads, seconds),
        **{level: gigabytes(level, threads, seconds) for level in levels()},
    }
