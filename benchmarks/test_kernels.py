"""pytest-benchmark's view of the kernels: ``pytest benchmarks --benchmark-only``."""

from typing import Any

import pytest
from tests.harness import Case, kernel_rows

from benchmarks.cases import all_cases
from benchmarks.kernels import candidate
from fastcnn import _C

_ROWS = [
    pytest.param(kernel, case, id=f"{kernel}-{case.id}")
    for case in all_cases()
    if case.op in _C.ops()
    for kernel in kernel_rows(case.op)
    if not kernel.endswith("_ref")
]


@pytest.mark.parametrize(("kernel", "case"), _ROWS)
def test_kernel(benchmark: Any, kernel: str, case: Case) -> None:
    made = candidate(kernel, case, "medium")
    if made is None:
        pytest.skip("the kernel declines this problem")
    benchmark.group = f"{case.op} {case.id}"
    benchmark.extra_info.update(gflop=made.gflop, gbyte=made.gbyte)
    benchmark(made.run)
