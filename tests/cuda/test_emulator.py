"""The emulator of CUDA's execution model, itself tested.

It computes what CUDA defines, finds bugs that were planted, and is silent about the same kernels
repaired.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMPILER = os.environ.get("CXX") or "g++"
SANITIZERS = {"plain": "", "asan": "address,undefined", "tsan": "thread"}
SCHEDULES = ("forward", "reverse", "random:1", "random:2")

RACE = "ThreadSanitizer: data race"
WRONG = "wrong result"  # by the poison that fills memory

# Kernel -> what must find its bug, and how the finding reads.
PLANTED = {
    "missing_barrier": {"tsan": RACE, "plain": WRONG},
    "double_buffer": {"tsan": RACE},
    "mma_loop": {"tsan": RACE},
    "missing_syncwarp": {"tsan": RACE},
    "missing_fence": {"tsan": RACE},
    "blocks_add": {"tsan": RACE},
    "missing_wait": {"plain": WRONG},
    "never_waited": {"plain": "never waited for"},
    "misaligned_copy": {"plain": "not aligned to its size"},
    "shared_overrun": {
        "asan": "AddressSanitizer: use-after-poison",
        "plain": "wrote outside its shared memory",
    },
    "global_overrun": {
        "asan": "AddressSanitizer: heap-buffer-overflow",
        "plain": "wrote outside an allocation of 400 bytes",
    },
    "uninitialised_shared": {"plain": WRONG},
    "divergent_barrier": {"plain": "divergent barrier; 32 threads wait at __syncthreads"},
    "divergent_shuffle": {"plain": "16 threads wait at a shuffle"},
}

CHECKS_WITH_SETTINGS = {
    "deferred_work_waits": {"FASTCNN_EMULATOR_STREAMS": "deferred"},
    "devices_are_as_asked": {
        "FASTCNN_EMULATOR_DEVICES": "2",
        "FASTCNN_EMULATOR_CAPABILITY": "8.6",
    },
}

pytestmark = [
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"no compiler {COMPILER}"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="fibers switch on x86-64 alone"),
]

Program = Callable[..., subprocess.CompletedProcess[str]]


def compile_with(*arguments: object) -> None:
    done = subprocess.run(
        [COMPILER, "-std=c++20", "-O1", "-g1", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object file of all its sources, never sanitized."""
    folder = tmp_path_factory.mktemp("emulator")
    sources = sorted((HERE / "emulator").glob("*.cpp"))
    (folder / "all.cpp").write_text("".join(f'#include "{source}"\n' for source in sources))
    compile_with("-c", folder / "all.cpp", "-o", folder / "all.o")
    return folder / "all.o"


@pytest.fixture(scope="module", params=SANITIZERS)
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A sanitizer that works here."""
    sanitizer = SANITIZERS[request.param]
    if sanitizer:
        folder = tmp_path_factory.mktemp("sanitizer")
        (folder / "nothing.cpp").write_text("int main() {}")
        try:
            flag = f"-fsanitize={sanitizer}"
            compile_with(flag, folder / "nothing.cpp", "-o", folder / "nothing")
            subprocess.run([folder / "nothing"], check=True, capture_output=True)
        except (AssertionError, subprocess.CalledProcessError):
            pytest.skip(f"no runtime of {COMPILER} {flag}")
    return request.param


def builder(source: str) -> Callable[..., Program]:
    @pytest.fixture(scope="module")
    def build(kind: str, emulator: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
        program = tmp_path_factory.mktemp(kind) / "program"
        sanitize = [f"-fsanitize={SANITIZERS[kind]}"] if SANITIZERS[kind] else []
        folders = [HERE / "emulator", HERE, ROOT / "src" / "cuda", ROOT / "src" / "cpp"]
        compile_with(
            *("-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing", *sanitize),
            *(f"-I{folder}" for folder in folders),
            *("-x", "c++", HERE / source, "-x", "none", emulator, "-o", program),
        )
        settings = {k: v for k, v in os.environ.items() if not k.startswith("FASTCNN_")}
        settings |= {
            "ASAN_OPTIONS": "detect_leaks=0",
            "UBSAN_OPTIONS": "halt_on_error=1",
            "TSAN_OPTIONS": "",
        }

        def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [program, *arguments],
                env=settings | more,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
            )

        return run

    return build


planted = builder("planted/planted.cpp")
checks = builder("emulator_checks.cu")


def test_every_planted_kernel_is_listed() -> None:
    assert {path.stem for path in (HERE / "planted").glob("*.cu")} == set(PLANTED)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in SANITIZERS for name in PLANTED if kind in PLANTED[name]],
    indirect=["kind"],
)
def test_planted_bug_is_found(kind: str, planted: Program, name: str) -> None:
    """By each of those that must, whatever the schedule."""
    words = PLANTED[name][kind]
    for schedule in SCHEDULES[:3]:
        done = planted("broken", name, FASTCNN_EMULATOR_SCHEDULE=schedule)
        assert done.returncode != 0, schedule
        assert words in done.stdout, schedule


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_repaired_kernels_are_clean(planted: Program, schedule: str) -> None:
    done = planted("repaired", "all", FASTCNN_EMULATOR_SCHEDULE=schedule)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_emulator_computes_what_cuda_defines(checks: Program, schedule: str) -> None:
    done = checks(FASTCNN_EMULATOR_SCHEDULE=schedule)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", CHECKS_WITH_SETTINGS)
def test_emulator_obeys_its_settings(checks: Program, name: str) -> None:
    done = checks(name, **CHECKS_WITH_SETTINGS[name])
    assert (done.returncode, done.stdout) == (0, "")
