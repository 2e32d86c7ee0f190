"""The emulator of CUDA's execution model, itself tested.

It computes what CUDA defines, finds bugs that were planted, and is silent about the same kernels
repaired.
"""

from __future__ import annotations

import functools
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
Builder = Callable[[str, str], Program]
PLANTED_SOURCE = "planted/planted.cpp"
CHECKS_SOURCE = "emulator_checks.cu"


def compile_with(*arguments: object) -> None:
    done = subprocess.run(
        [COMPILER, "-std=c++20", "-O1", "-g1", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def works(flag: str, folder: Path) -> bool:
    (folder / "nothing.cpp").write_text("int main() {}")
    command = [COMPILER, flag, folder / "nothing.cpp", "-o", folder / "nothing"]
    built = subprocess.run(command, capture_output=True).returncode == 0
    return built and subprocess.run([folder / "nothing"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Builds a source with a kind of sanitizer, each once; the emulator itself never has one."""
    folder = tmp_path_factory.mktemp("emulator")
    sources = sorted((HERE / "emulator").glob("*.cpp"))
    (folder / "all.cpp").write_text("".join(f'#include "{source}"\n' for source in sources))
    compile_with("-c", folder / "all.cpp", "-o", folder / "all.o")
    settings = {k: v for k, v in os.environ.items() if not k.startswith("FASTCNN_")}
    settings |= {
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "halt_on_error=1",
        "TSAN_OPTIONS": "",
    }

    @functools.cache
    def build(kind: str, source: str) -> Path:
        sanitize = [f"-fsanitize={SANITIZERS[kind]}"] if SANITIZERS[kind] else []
        if sanitize and not works(sanitize[0], folder):
            pytest.skip(f"no runtime of {COMPILER} {sanitize[0]}")
        executable = folder / f"{kind}_{Path(source).stem}"
        includes = [HERE / "emulator", HERE, ROOT / "src" / "cuda", ROOT / "src" / "cpp"]
        compile_with(
            *("-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing", *sanitize),
            *(f"-I{include}" for include in includes),
            *("-x", "c++", HERE / source, "-x", "none", folder / "all.o", "-o", executable),
        )
        return executable

    def bind(kind: str, source: str) -> Program:
        executable = build(kind, source)

        def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [executable, *arguments],
                env=settings | more,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
            )

        return run

    return bind


def test_every_planted_kernel_is_listed() -> None:
    assert {path.stem for path in (HERE / "planted").glob("*.cu")} == set(PLANTED)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in SANITIZERS for name in PLANTED if kind in PLANTED[name]],
)
def test_planted_bug_is_found(program: Builder, kind: str, name: str) -> None:
    """By each of those that must, whatever the schedule."""
    run = program(kind, PLANTED_SOURCE)
    for schedule in SCHEDULES[:3]:
        done = run("broken", name, FASTCNN_EMULATOR_SCHEDULE=schedule)
        assert done.returncode != 0, schedule
        assert PLANTED[name][kind] in done.stdout, schedule


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", SANITIZERS)
def test_repaired_kernels_are_clean(program: Builder, kind: str, schedule: str) -> None:
    done = program(kind, PLANTED_SOURCE)("repaired", "all", FASTCNN_EMULATOR_SCHEDULE=schedule)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", SANITIZERS)
def test_emulator_computes_what_cuda_defines(program: Builder, kind: str, schedule: str) -> None:
    done = program(kind, CHECKS_SOURCE)(FASTCNN_EMULATOR_SCHEDULE=schedule)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", CHECKS_WITH_SETTINGS)
def test_emulator_obeys_its_settings(program: Builder, name: str) -> None:
    done = program("plain", CHECKS_SOURCE)(name, **CHECKS_WITH_SETTINGS[name])
    assert (done.returncode, done.stdout) == (0, "")
