"""The compiled core: a graph is described, compiled to a plan, and run without Python."""

from collections.abc import Sequence
from typing import Any, TypedDict

from numpy.typing import NDArray

Array = NDArray[Any]

class KernelRow(TypedDict):
    op: str
    name: str
    device: str
    isa: str
    precision: str

class PlanStep(TypedDict):
    name: str
    op: str
    kernel: str
    precision: str
    inputs: list[tuple[int, ...]]
    outputs: list[tuple[int, ...]]
    dtype: str
    notes: list[str]
    flops: int
    bytes: int
    workspace: int
    declined: list[tuple[str, str]]

class Variable:
    """State owned by C++ and updated in place; `version` grows with every assignment."""

    def __init__(self, value: Array) -> None: ...
    shape: tuple[int, ...]
    dtype: str
    version: int
    def numpy(self) -> Array:
        """A copy of the value."""
    def view(self) -> Array:
        """The value itself: a read-only array that shares the variable's memory."""
    def assign(self, value: Array) -> None: ...

class ConstantCache:
    """Folded and packed constants that plans of one model share."""

    def __init__(self) -> None: ...
    bytes: int

class TimingCache:
    """Nanoseconds by problem, then by kernel."""

    def __init__(self, timings: dict[str, dict[str, int]] = ...) -> None: ...
    timings: dict[str, dict[str, int]]

class DeviceProperties(TypedDict):
    name: str
    capability: str
    free_bytes: int
    total_bytes: int

class DeviceMemory:
    """Memory of a device."""

    def __init__(self, index: int, bytes: int) -> None: ...
    address: int
    bytes: int
    def upload(self, array: Array) -> None: ...
    def download(self, array: Array) -> None: ...

class Graph:
    def __init__(self) -> None: ...
    def input(self, shape: Sequence[int], dtype: str = "float32") -> int: ...
    def variable(self, variable: Variable) -> int: ...
    def constant(self, value: Array) -> int: ...
    def add(
        self, op: str, inputs: Sequence[int], attrs: dict[str, Any], name: str = ""
    ) -> list[int]: ...
    def shape(self, value: int) -> tuple[int, ...]: ...
    def dtype(self, value: int) -> str: ...
    def set_outputs(self, values: Sequence[int]) -> None: ...
    def assign(self, variable: Variable, value: int) -> None: ...
    def gradient(self, target: int, sources: Sequence[int], recompute: str = "") -> list[int]: ...

class Plan:
    """Chosen kernels, packed weights, one arena; immutable."""

    input_types: list[tuple[tuple[int, ...], str]]
    output_types: list[tuple[tuple[int, ...], str]]
    output_names: list[str]
    arena_bytes: int
    constant_bytes: int
    def run(
        self, inputs: Sequence[Array], outputs: Sequence[Array] | None = None
    ) -> list[Array]: ...
    device: str
    def run_on_device(
        self,
        inputs: Sequence[tuple[int, Sequence[int], str]],
        outputs: Sequence[tuple[int, Sequence[int], str]],
        stream: int = 0,
    ) -> None:
        """Run on arrays (address, shape, dtype) of the plan's device, in the order of `stream`."""
    def profile(self, inputs: Sequence[Array]) -> list[int]:
        """Run once and return each step's nanoseconds."""
    def steps(self) -> list[PlanStep]: ...
    def is_stale(self) -> bool:
        """Whether a variable whose value was folded in has been assigned since."""

def compile(
    graph: Graph,
    precision: str = "highest",
    kernel: str = "",
    optimize: bool = True,
    cache: ConstantCache | None = None,
    timings: TimingCache | None = None,
    quantization: dict[str, Any] | None = None,
    observe: str = "",
    device: str = "cpu",
) -> Plan:
    """Compile a graph; `kernel` forces that row wherever its op occurs (tests, benchmarks).

    With `timings` the rows of heavy ops are chosen by what is measured, here or before.
    `quantization` is ``{"ranges": {value: (low, high)}, "float_layers": [name]}``: products are
    computed on 8-bit codes. `observe` gives, instead of the graph's outputs, all float "values" or
    all "products" computed on codes, their names being the plan's `output_names`.
    """

def install_devices(capsule: Any) -> None:
    """Take in the devices and the kernels of their module; once."""

def has_devices() -> bool: ...
def device_count() -> int: ...
def device_properties(index: int) -> DeviceProperties: ...
def synchronize_device(index: int) -> None: ...
def ops() -> list[str]: ...
def kernels(op: str = "") -> list[KernelRow]: ...
def cpu_isa() -> str: ...
def measure_fma_gflops() -> float:
    """GFLOP/s of multiply-adds in registers, all threads together, of a millisecond."""

def cpu_model() -> str:
    """The processor's name and signature."""

def max_isa() -> str: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def build_info() -> dict[str, str]: ...
