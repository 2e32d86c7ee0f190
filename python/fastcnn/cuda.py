"""NVIDIA GPUs: which there are, and arrays in their memory.

`fastcnn.set_device` and `Model.to` choose where plans run; arrays in a GPU's memory (CuPy's, or
anything with ``__cuda_array_interface__``) are computed where they are. docs/cuda.md tells how the
module is built, and what of it has been shown to work where.

Examples
--------
>>> import fastcnn as fc
>>> fc.cuda.is_available() in (True, False)
True
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, ShapeError

__all__ = [
    "DeviceArray",
    "asarray",
    "device_count",
    "get_device_capability",
    "get_device_name",
    "is_available",
    "mem_get_info",
    "synchronize",
]

_loading = threading.Lock()
_DLPACK_CUDA = (2, 13)  # DLPack's numbers of kinds of memory: a GPU's, and managed


def load(module: str = "fastcnn._cuda") -> None:
    """Load the module that knows the devices, once; ConfigError says why there is none."""
    with _loading:
        if _C.has_devices():
            return
        try:
            devices = importlib.import_module(module).devices
        except ImportError as error:
            raise ConfigError(
                "cuda: this fastcnn was built without CUDA; build it where nvcc is found with "
                f"FASTCNN_CUDA=ON (docs/cuda.md): {error}"
            ) from error
        _C.install_devices(devices())


def is_available() -> bool:
    """Whether there is a GPU that this build of fastcnn can use."""
    try:
        load()
    except ConfigError:
        return False
    return _C.device_count() > 0


def device_count() -> int:
    """How many such GPUs there are; 0 without a driver or without CUDA in this build."""
    return _C.device_count() if is_available() else 0


def get_device_name(index: int = 0) -> str:
    """The name its maker gave the GPU."""
    return str(_properties(index)["name"])


def get_device_capability(index: int = 0) -> tuple[int, int]:
    """The compute capability of the GPU, such as ``(9, 0)``."""
    major, minor = _properties(index)["capability"].split(".")
    return int(major), int(minor)


def mem_get_info(index: int = 0) -> tuple[int, int]:
    """The free and the total memory of the GPU, in bytes."""
    properties = _properties(index)
    return properties["free_bytes"], properties["total_bytes"]


def synchronize(index: int = 0) -> None:
    """Wait until everything the GPU was asked for is done."""
    load()
    _C.synchronize_device(index)


def _properties(index: int) -> _C.DeviceProperties:
    load()
    return _C.device_properties(index)


class DeviceArray:
    """An array in a GPU's memory, for those who have no CuPy: results of plans on such arrays.

    It has ``__cuda_array_interface__``, so that ``cupy.asarray`` and ``torch.as_tensor`` take it
    without a copy, and `numpy` copies it to the host.

    Parameters
    ----------
    shape : tuple of int
    dtype : str
        NumPy's name.
    index : int, default 0
        Of the GPU.
    """

    def __init__(self, shape: Sequence[int], dtype: str = "float32", index: int = 0) -> None:
        load()
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.index = index
        size = int(np.prod(self.shape, dtype=np.int64))
        self._memory = _C.DeviceMemory(index, size * self.dtype.itemsize)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self._memory.address, False),
            "version": 3,
            "strides": None,
            "stream": None,  # nothing is under way: results are waited for
        }

    def numpy(self) -> NDArray[Any]:
        """Copy it to the host."""
        array = np.empty(self.shape, self.dtype)
        self._memory.download(array)
        return array

    def __repr__(self) -> str:
        return f"<DeviceArray {self.shape}, {self.dtype}, cuda:{self.index}>"


def asarray(x: Any, index: int = 0) -> DeviceArray:
    """Copy an array of the host to a GPU.

    Parameters
    ----------
    x : array-like
    index : int, default 0
        Of the GPU.

    Raises
    ------
    ConfigError
        Without such a GPU.
    """
    host = np.ascontiguousarray(x)
    array = DeviceArray(np.shape(x), host.dtype.name, index)
    array._memory.upload(host)
    return array


class Operand(NamedTuple):
    """An array in a GPU's memory as plans take it."""

    owner: Any
    address: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stream: int
    gpu: int | None  # its index; None where its library does not tell


def is_device_array(x: Any) -> bool:
    """Whether `x` lies in the memory of a GPU."""
    return hasattr(x, "__cuda_array_interface__")


def as_operand(x: Any, dtype: str | None) -> Operand:
    """View an array in a GPU's memory; DTypeError or ShapeError where it must be copied first."""
    if isinstance(x, Operand):
        return x
    interface = x.__cuda_array_interface__
    got = np.dtype(interface["typestr"])
    if dtype is not None and got != np.dtype(dtype):
        raise DTypeError(f"expected {dtype} in the GPU's memory, got {got}; convert it there first")
    shape = tuple(interface["shape"])
    strides = interface.get("strides")
    if strides is not None and tuple(strides) != _contiguous(shape, got.itemsize):
        raise ShapeError(
            f"expected a C-contiguous array in the GPU's memory, got strides {strides}"
        )
    return Operand(x, interface["data"][0], shape, got, _stream_of(x, interface), _gpu_of(x))


def _contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    strides = []
    for size in reversed(shape):
        strides.append(itemsize)
        itemsize *= size
    return tuple(reversed(strides))


def _is_cupy(x: Any) -> bool:
    return type(x).__module__.split(".")[0] == "cupy"


def _stream_of(x: Any, interface: dict[str, Any]) -> int:
    """The stream whose work makes `x`, as CUDA's address of it."""
    if _is_cupy(x):
        cupy = importlib.import_module("cupy")  # it made the array
        return int(cupy.cuda.get_current_stream().ptr)
    stream = interface.get("stream")
    return 0 if stream in (None, 1) else int(stream)  # 1: the default stream, too


def _gpu_of(x: Any) -> int | None:
    """The GPU that `x` lies on, which ``__cuda_array_interface__`` leaves out."""
    if isinstance(x, DeviceArray):
        return x.index
    if not hasattr(x, "__dlpack_device__"):
        return None
    kind, index = x.__dlpack_device__()
    return int(index) if kind in _DLPACK_CUDA else None


def run(plan: _C.Plan, arrays: Sequence[Any]) -> list[Any]:
    """Run a plan on operands of which one or more lie in the memory of its device.

    Results are CuPy's arrays if one of the operands is, else `DeviceArray`.
    """
    index = int(plan.device.partition(":")[2])
    operands = [
        a if isinstance(a, Operand) else as_operand(asarray(a, index), None) for a in arrays
    ]
    cupy_array = next((o.owner for o in operands if _is_cupy(o.owner)), None)
    stream = next((o.stream for o in operands if o.stream != 0), 0)
    results: list[Any] = [
        _empty(shape, dtype, index, cupy_array) for shape, dtype in plan.output_types
    ]

    def given(side: Sequence[Operand]) -> list[tuple[int, tuple[int, ...], str]]:
        return [(o.address, o.shape, o.dtype.name) for o in side]

    outputs = [as_operand(r, None) for r in results]
    plan.run_on_device(given(operands), given(outputs), stream)
    if cupy_array is None:
        _C.synchronize_device(index)
    return results


def _empty(shape: tuple[int, ...], dtype: str, index: int, cupy_array: Any) -> Any:
    if cupy_array is None:
        return DeviceArray(shape, dtype, index)
    cupy = importlib.import_module("cupy")  # one of the operands is its
    with cupy.cuda.Device(index):
        return cupy.empty(shape, dtype)
