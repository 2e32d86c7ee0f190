"""What nvcc makes of the kernels: no warnings, no spills, blocks that can be launched.

A test a file of kernels, for the architectures that FASTCNN_CUDA_ARCHITECTURES names, as 80,90, or
for all of them: minutes of compiling, which .ci/cuda spends.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from benchmarks.cuda_static import ARCHITECTURES, CUDA, Kernel

from benchmarks import cuda_static

_asked = os.environ.get("FASTCNN_CUDA_ARCHITECTURES", "")
ASKED = ARCHITECTURES if _asked == "all" else tuple(int(a) for a in _asked.split(",") if a)
SOURCES = cuda_static.sources()

needs_nvcc = pytest.mark.skipif(
    cuda_static.find_nvcc() is None or not ASKED,
    reason="needs nvcc on the path, and FASTCNN_CUDA_ARCHITECTURES=all or such as 75,120",
)


def text_of(source: Path) -> str:
    """The source with the headers of src/cuda/ops that it includes."""
    text = source.read_text()
    for name in re.findall(r'#include "(ops/[^"]+)"', text):
        if (CUDA / name).exists():
            text += (CUDA / name).read_text()
    return text


@needs_nvcc
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.relative_to(CUDA).as_posix())
def test_every_kernel_compiles_as_it_should(source: Path) -> None:
    kernels = cuda_static.compile_source(source, ASKED)
    text = text_of(source)
    if "__global__" in source.read_text():
        assert kernels
    for kernel in kernels:
        assert kernel.local_bytes == 0, kernel
        assert kernel.threads > 0, f"{kernel.kernel} has no __launch_bounds__"
        assert kernel.fits(), kernel
        assert kernel.blocks >= 1, kernel
        check_instructions(kernel)
    newer = [k for k in kernels if k.architecture >= 80]
    if newer and re.search(r"\b(copy_async<|launch_ffma\(|launch_split\()", text):
        assert any(k.async_copies for k in newer), "no cp.async, though the source copies so"
    if newer and re.search(r"\blaunch_mma<", text):
        assert any(k.tensor_cores for k in newer), "no mma, though the source multiplies so"


def check_instructions(kernel: Kernel) -> None:
    """What the PTX asks for is in the machine code."""
    if not kernel.instructions:
        return  # no disassembler
    assert (kernel.instructions["LDGSTS"] > 0) == kernel.async_copies, kernel
    assert (kernel.instructions["MMA"] > 0) == kernel.tensor_cores, kernel


def test_recorded_kernels_fit() -> None:
    """Of every architecture, whatever nvcc there is."""
    kernels = cuda_static.load()
    assert {k.architecture for k in kernels} == set(ARCHITECTURES)
    for kernel in kernels:
        assert kernel.fits(), kernel
        assert kernel.local_bytes == 0, kernel
        assert kernel.blocks >= 1, kernel
