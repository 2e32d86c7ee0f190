"""What every kernel test uses: problem cases, guarded memory, forced kernels, error bounds."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import UnsupportedError

ISA_ORDER = ("ref", "avx2", "avx512", "avx512vnni", "avx512bf16", "amx")
UNIT_ROUNDOFF = 2.0**-24  # of float32


@dataclass(frozen=True)
class Case:
    """One problem: the same for tests and benchmarks.

    `shapes` are the operands'; they are float32 and standard normal unless `make` builds them.
    """

    op: str
    shapes: tuple[tuple[int, ...], ...]
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        sizes = "_".join("x".join(map(str, s)) or "scalar" for s in self.shapes)
        options = ",".join(f"{k}={v}" for k, v in self.attrs.items())
        return f"{sizes}[{options}]".replace(" ", "")

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [rng.standard_normal(s).astype(np.float32) for s in self.shapes]


def kernel_rows(op: str, device: str | None = None) -> list[str]:
    """Names of the op's rows that can be run here: by this CPU, and by the CUDA back end there is.

    That is a GPU, or the emulator that FASTCNN_CUDA_BACKEND names (tests/conftest.py). `device`
    "cpu" or "cuda" leaves out the other's.
    """
    level = ISA_ORDER.index(_C.max_isa())
    return [
        row["name"]
        for row in _C.kernels(op)
        if device in (None, row["device"])
        and (row["device"] == "cuda" or ISA_ORDER.index(row["isa"]) <= level)
    ]


def device_of(kernel: str) -> str:
    """Where a row runs."""
    return "cuda" if kernel.endswith("_cuda") else "cpu"


def each_kernel(cases: Iterable[Case]) -> list[Any]:
    """Parameters (kernel, case) for every row of each case's op.

    With FASTCNN_CUDA_SAMPLE=N a CUDA row gets every N-th case only, each row others.
    """
    sample = int(os.environ.get("FASTCNN_CUDA_SAMPLE", "1"))
    return [
        pytest.param(kernel, case, id=f"{kernel}-{case.id}")
        for i, case in enumerate(cases)
        for j, kernel in enumerate(kernel_rows(case.op))
        if device_of(kernel) == "cpu" or (i + j) % sample == 0
    ]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded(array: np.ndarray, side: str) -> np.ndarray:
    """A copy of `array` with an unreadable page right after ("after") or before ("before") it.

    A kernel that touches memory beyond its operand on that side ends the process.
    """
    page = mmap.PAGESIZE
    body = -(-max(array.nbytes, 1) // page) * page
    memory = mmap.mmap(-1, body + 2 * page)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for fence in (base, base + page + body):
        if _libc.mprotect(fence, page, mmap.PROT_NONE if hasattr(mmap, "PROT_NONE") else 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    start = page if side == "before" else page + body - array.nbytes
    out = np.frombuffer(memory, dtype=array.dtype, count=array.size, offset=start)
    out = out.reshape(array.shape)
    out[...] = array
    return out


def compile_op(
    op: str, arrays: Sequence[np.ndarray], attrs: dict[str, Any], kernel: str = "", **options: Any
) -> _C.Plan:
    """The one-node plan of an op on operands like `arrays`; skips where `kernel` declines."""
    graph = _C.Graph()
    operands = [graph.input(a.shape, a.dtype.name) for a in arrays]
    graph.set_outputs(graph.add(op, operands, attrs))
    try:
        return _C.compile(graph, kernel=kernel, device=device_of(kernel), **options)
    except UnsupportedError as error:
        pytest.skip(str(error))


def run_kernel(kernel: str, case: Case, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run one row between guard pages, on both sides, and check that the runs agree bit for bit."""
    # Passes could replace the op by others, and so the kernel.
    plan = compile_op(case.op, inputs, case.attrs, kernel, optimize=False, precision="medium")
    assert kernel in [step["kernel"] for step in plan.steps()]
    results = []
    for side in ("after", "before"):
        outputs = [
            guarded(np.full(shape, 77, dtype=dtype), side) for shape, dtype in plan.output_types
        ]
        plan.run([guarded(a, side) for a in inputs], outputs)
        results.append([np.array(o) for o in outputs])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    return results[0]


# What a kernel of each level may lose of a product, beside the roundings of float32: two parts of
# bfloat16 are within 2^-17 of a factor and their smallest product is dropped, one part within 2^-8.
PRODUCT_ERROR = {"highest": 0.0, "high": 2.0**-15, "medium": 2.0**-7 + 2.0**-16}


def precision_of(kernel: str) -> str:
    """The level that a row of a kernel table needs."""
    return next(row["precision"] for row in _C.kernels() if row["name"] == kernel)


def dot_bound(magnitudes: np.ndarray, terms: int, kernel: str = "") -> np.ndarray:
    """The error class of a direct float32 sum of `terms` products, element by element.

    Kernels of looser levels than `highest` may also lose a share of each product.

    `magnitudes` is the sum of the products' absolute values. Rounding errors of a chain of K
    additions behave like a random walk: u sqrt(K) sum|a b| with a factor that covers its tail
    (Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019).
    """
    share = PRODUCT_ERROR[precision_of(kernel)] if kernel else 0.0
    return (share + UNIT_ROUNDOFF * (4.0 * np.sqrt(terms) + 8.0)) * magnitudes


def assert_within(actual: np.ndarray, expected: np.ndarray, bound: np.ndarray | float) -> None:
    """Every finite element within its own bound; NaN and infinities exactly where expected."""
    actual = np.asarray(actual, dtype=np.float64)
    assert actual.shape == expected.shape
    special = ~np.isfinite(expected)
    np.testing.assert_array_equal(actual[special], expected[special])
    error = np.abs(actual - expected)[~special]
    limit = np.broadcast_to(bound, expected.shape)[~special]
    worst = np.argmax(error - limit) if error.size else 0
    assert not error.size or (error <= limit).all(), (
        f"error {error[worst]:.3g} at flat index {worst} exceeds {limit[worst]:.3g}"
    )


def same_bits_at_any_thread_count(
    case: Case, counts: Sequence[int] = (1, 2, 3, 7), kernel: str = ""
) -> None:
    """Assert that the chosen kernel, or `kernel`, gives the same bits for any number of threads."""
    inputs = case.inputs()
    precision = "medium" if kernel else "highest"
    plan = compile_op(case.op, inputs, case.attrs, kernel, precision=precision)
    before = _C.num_threads()
    try:
        runs = []
        for n in counts:
            _C.set_num_threads(n)
            runs.append(plan.run(inputs))
    finally:
        _C.set_num_threads(before)
    for run in runs[1:]:
        for a, b in zip(runs[0], run, strict=True):
            assert a.tobytes() == b.tobytes()
