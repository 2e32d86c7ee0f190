"""The rules of the house, kept by reading its sources and its objects."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fastcnn import _C

ROOT = Path(__file__).resolve().parents[2]
CPP = ROOT / "src" / "cpp"
LAYERS = ("core", "simd", "gemm", "ops", "graph", "plan", "bindings")  # each sees those before it
ISAS = ("avx2", "avx512", "avx512vnni", "avx512bf16", "amx")


def sources(*suffixes: str) -> list[Path]:
    return sorted(p for p in CPP.rglob("*") if p.suffix in suffixes)


CUDA = ROOT / "src" / "cuda"
CUDA_LAYERS = ("core", "gemm", "ops", "bindings")


def cuda_sources() -> list[Path]:
    return sorted(p for p in CUDA.rglob("*") if p.suffix in {".cu", ".cuh", ".cpp", ".h"})


def is_isa_file(path: Path) -> bool:
    return path.suffix == ".inl" or path.stem.endswith(tuple(f"_{isa}" for isa in ISAS))


@pytest.mark.parametrize(
    "path", sources(".h", ".cpp", ".inl"), ids=lambda p: str(p.relative_to(CPP))
)
def test_dependence_runs_one_way(path: Path) -> None:
    mine = LAYERS.index(path.relative_to(CPP).parts[0])
    for include in re.findall(r'#include "([^"]+)"', path.read_text()):
        layer = include.split("/")[0]
        assert layer in LAYERS, f"{include}: includes are relative to src/cpp"
        assert LAYERS.index(layer) <= mine, f"{LAYERS[mine]} must not see {layer}"


@pytest.mark.parametrize("path", cuda_sources(), ids=lambda p: str(p.relative_to(CUDA)))
def test_cuda_sees_the_core_and_the_contracts_of_ops(path: Path) -> None:
    mine = CUDA_LAYERS.index(path.relative_to(CUDA).parts[0])
    for include in re.findall(r'#include "([^"]+)"', path.read_text()):
        layer = include.split("/")[0]
        own = (CUDA / include).is_file()
        # Formulas that are written for any vector are for a single lane, too.
        shared = (CPP / include).is_file() and layer in ("core", "simd", "ops")
        assert own or shared, f"{include}: neither of src/cuda nor what it shares with the CPU"
        assert not own or CUDA_LAYERS.index(layer) <= mine, (
            f"{CUDA_LAYERS[mine]} must not see {layer}"
        )


@pytest.mark.parametrize("path", cuda_sources(), ids=lambda p: str(p.relative_to(CUDA)))
def test_cuda_keeps_assembly_in_one_file_and_bits_in_order(path: Path) -> None:
    text = path.read_text()
    assert path.name == "ptx.h" or not re.search(r"\basm\b", text)
    assert "cooperative_groups" not in text
    assert not re.search(r"\b(printf|assert|abort|__trap)\s*\(", text)


@pytest.mark.parametrize(
    "path", sources(".h", ".cpp", ".inl"), ids=lambda p: str(p.relative_to(CPP))
)
def test_intrinsics_stay_in_isa_files(path: Path) -> None:
    text = path.read_text()
    if path.relative_to(CPP).parts[0] == "simd" or is_isa_file(path):
        headers = set(re.findall(r"#include <([^>]+)>", text))
        assert headers <= {"cstdint", "cstddef", "immintrin.h"}, (
            "an inline function of another header could be kept, compiled for this instruction set"
        )
    else:
        allowed = "_mm_pause"  # the spin-wait hint exists on every x86-64
        found = set(re.findall(r"\b_(?:mm|mm256|mm512|tile)_\w+", text)) - {allowed}
        assert not found


@pytest.mark.parametrize(
    "path", sources(".cpp", ".h", ".inl"), ids=lambda p: str(p.relative_to(CPP))
)
def test_the_library_never_prints_or_aborts(path: Path) -> None:
    assert not re.search(
        r"\b(printf|std::c(out|err)|abort|std::terminate|exit)\s*[(<;]", path.read_text()
    )


def test_files_fit_in_a_head() -> None:
    too_long = []
    for pattern, limit in [
        ("src/cpp/ops/**/*", 400),
        ("src/cuda/**/*", 400),
        ("tests/cuda/emulator/*", 400),
        ("src/**/*", 800),
        ("python/**/*.py", 800),
        ("tests/**/*.py", 800),
        ("benchmarks/**/*.py", 800),
    ]:
        for path in ROOT.glob(pattern):
            if path.suffix in {".cpp", ".h", ".inl", ".cu", ".cuh", ".py"}:
                lines = len(path.read_text().splitlines())
                if lines > limit:
                    too_long.append(f"{path.relative_to(ROOT)}: {lines} lines, at most {limit}")
    assert not too_long


def test_no_global_machine_flags() -> None:
    text = "".join(p.read_text() for p in [ROOT / "CMakeLists.txt", *ROOT.glob("cmake/*.cmake")])
    assert "-march=native" not in text
    assert "-ffast-math" not in text


def built_objects() -> list[Path]:
    return sorted(
        o
        for o in (ROOT / "build").rglob("*.cpp.o")
        if o.name.endswith(tuple(f"_{i}.cpp.o" for i in ISAS))
    )


@pytest.mark.skipif(
    not built_objects(), reason="no build tree: objects of `pip install .` lie in build/"
)
@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm from binutils")
@pytest.mark.parametrize("path", built_objects(), ids=lambda p: p.name)
def test_isa_objects_define_nothing_outside_their_namespace(path: Path) -> None:
    isa = path.name.removesuffix(".cpp.o").rsplit("_", 1)[1]
    out = subprocess.run(
        ["nm", "-C", "--defined-only", str(path)], capture_output=True, text=True, check=True
    ).stdout
    shared = []
    for line in out.splitlines():
        _, kind, name = line.split(maxsplit=2)
        exported = kind.isupper() or kind in "uvw"
        own = kind in "TDR" and re.match(rf"fastcnn::(\w+::)*{isa}::", name)
        if exported and not own:
            shared.append(f"{kind} {name}")
    assert not shared


def test_kernel_tables_are_ordered_and_named_by_one_rule() -> None:
    order = {"ref": 0, **{isa: i + 1 for i, isa in enumerate(ISAS)}}
    names = [row["name"] for row in _C.kernels()]
    assert len(names) == len(set(names))
    for op in _C.ops():
        for row in _C.kernels(op):
            assert row["name"].startswith(op), row
            assert row["name"].endswith("_" + row["isa"]), row
        rows = [row for row in _C.kernels(op) if row["device"] == "cpu"]
        if not rows:
            continue  # a view: plans alias it
        assert rows[-1]["isa"] == "ref", f"{op}: the reference is the last row"
        levels = [order[row["isa"]] for row in rows]
        assert levels == sorted(levels, reverse=True) or "amx" in {r["isa"] for r in rows}
