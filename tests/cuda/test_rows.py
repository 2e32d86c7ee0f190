"""Every op has a row for CUDA, or docs/cuda.md says why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastcnn import _C

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cuda.md"

needs_rows = pytest.mark.skipif(
    not _C.has_devices(), reason="no CUDA rows: no GPU, and no FASTCNN_CUDA_BACKEND"
)


def cuda_rows(op: str) -> list[str]:
    return [row["name"] for row in _C.kernels(op) if row["device"] == "cuda"]


def explained() -> set[str]:
    """The ops of the page's table of those without rows."""
    section = PAGE.read_text().split("## Ops without CUDA rows")[1].split("\n## ")[0]
    return set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", section, re.M))))


@needs_rows
def test_every_op_has_a_row_or_a_reason() -> None:
    with_cpu_rows = {row["op"] for row in _C.kernels() if row["device"] == "cpu"}
    without = {op for op in with_cpu_rows if not cuda_rows(op)}
    assert without == explained()


@needs_rows
def test_rows_are_named_as_the_cpus_are() -> None:
    for op in _C.ops():
        for name in cuda_rows(op):
            assert name.startswith(op)
            assert name.endswith("_cuda")
