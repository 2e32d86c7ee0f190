"""Settings of the process: threads and precision; what this build and machine offer."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from fastcnn import _C
from fastcnn.errors import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

    from fastcnn.autotune import TimingCache

_PRECISIONS = ("highest", "high", "medium")
_OPTIONAL = ("PIL", "safetensors", "h5py", "typer", "rich", "matplotlib", "skimage", "onnx")


class _Setting:
    """A value of the process, and of the code inside a ``with`` block: its thread, its task."""

    def __init__(self, name: str, value: Any) -> None:
        self.process = value
        self.local: ContextVar[tuple[Any] | None] = ContextVar(f"fastcnn_{name}", default=None)

    def get(self) -> Any:
        local = self.local.get()
        return local[0] if local is not None else self.process


class _SetForProcessOrBlock:
    """Called, sets the value of the process; in a ``with``, that of the block."""

    _setting: ClassVar[_Setting]

    def __init__(self, value: Any) -> None:
        self._value = value
        self._before = self._setting.process
        self._setting.process = value

    def __enter__(self) -> Self:
        # Only the block was meant: the process goes back to what it had.
        self._setting.process = self._before
        self._token = self._setting.local.set((self._value,))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._setting.local.reset(self._token)


class set_float32_precision(_SetForProcessOrBlock):  # noqa: N801 - torch's name for the function
    """Set how far float32 results may be from exact: a function and a context manager.

    Called, it sets the level of the process; in a ``with``, that of the block.

    Parameters
    ----------
    precision : {"highest", "high", "medium"}
        ``"highest"`` (the default) is the error class of a float32 sum. See docs/precision.md.

    Raises
    ------
    ConfigError
        For any other name.

    Examples
    --------
    >>> import fastcnn as fc
    >>> with fc.set_float32_precision("high"):
    ...     fc.get_float32_precision()
    'high'
    >>> fc.get_float32_precision()
    'highest'
    """

    _setting = _Setting("float32_precision", "highest")

    def __init__(self, precision: str) -> None:
        super().__init__(check_precision(precision))


def check_precision(precision: str) -> str:
    """`precision` itself if it is a level; else ConfigError."""
    if precision not in _PRECISIONS:
        raise ConfigError(f"float32 precision: expected one of {_PRECISIONS}, got {precision!r}")
    return precision


def get_float32_precision() -> str:
    """The precision level in force here: "highest", "high" or "medium"."""
    level: str = set_float32_precision._setting.get()
    return level


class set_device(_SetForProcessOrBlock):  # noqa: N801 - as its siblings
    """Set where plans are made for: a function and a context manager.

    Models that were moved by `Model.to` stay where they are; arrays in a GPU's memory are computed
    there whatever is set.

    Parameters
    ----------
    device : str
        ``"cpu"`` (the default), ``"cuda"`` or ``"cuda:1"``.

    Raises
    ------
    ConfigError
        For any other name, and where there is no such GPU.

    Examples
    --------
    >>> import fastcnn as fc
    >>> with fc.set_device("cpu"):
    ...     fc.get_device()
    'cpu'
    """

    _setting = _Setting("device", "cpu")

    def __init__(self, device: str) -> None:
        super().__init__(check_device(device))


def check_device(device: str) -> str:
    """The name of the device in full, if it is there; else ConfigError."""
    name, _, index = device.partition(":") if isinstance(device, str) else ("", "", "")
    if device == "cpu":
        return device
    if name != "cuda" or not (index or "0").isdigit() or device.endswith(":"):
        raise ConfigError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {device!r}")
    from fastcnn import cuda

    cuda.load()
    if int(index or 0) >= _C.device_count():
        raise ConfigError(f"device: there is no {device!r}; GPUs: {_C.device_count()}")
    return f"cuda:{int(index or 0)}"


def get_device() -> str:
    """The device in force here: "cpu", "cuda:0", ..."""
    device: str = set_device._setting.get()
    return device


class set_autotune(_SetForProcessOrBlock):  # noqa: N801 - as its siblings
    """Choose kernels by measuring them: a function and a context manager.

    While it is set, each plan takes the fastest kernel for every heavy step, among those that the
    precision allows; without it, the first of a fixed order. What was measured is kept in `timings`
    and not measured again. Called, it sets it for the process; in a ``with``, for the block.

    Parameters
    ----------
    timings : fastcnn.TimingCache or None
        Where to look for times, and to keep new ones; None: measure nothing.

    Notes
    -----
    Kernels measured are at the promised precision, but sum in different orders: last bits may
    differ from those of a plan that was not tuned. With the timings saved, they are the same again.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> timings = fc.TimingCache()
    >>> with fc.set_autotune(timings):
    ...     y = fc.ops.conv2d(np.ones((1, 8, 8, 3)), np.ones((3, 3, 3, 16)))
    """

    _setting = _Setting("autotune", None)

    def __init__(self, timings: TimingCache | None) -> None:
        from fastcnn.autotune import TimingCache

        if timings is not None and not isinstance(timings, TimingCache):
            raise ConfigError(f"set_autotune: expected a TimingCache or None, got {timings!r}")
        super().__init__(timings)


def get_autotune() -> TimingCache | None:
    """The timings that plans made here use; None where kernels are not measured."""
    timings: TimingCache | None = set_autotune._setting.get()
    return timings


def set_num_threads(n: int) -> None:
    """Set how many threads compute, this one included. Results do not depend on it.

    Parameters
    ----------
    n : int
        1 to 4096. The default honours affinity, the cgroup's quota, ``OMP_NUM_THREADS`` and
        ``FASTCNN_NUM_THREADS``.

    Raises
    ------
    ConfigError
        For any other number.
    """
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise ConfigError(f"set_num_threads: expected an integer from 1 to 4096, got {n!r}")
    _C.set_num_threads(int(n))


def get_num_threads() -> int:
    """How many threads compute."""
    return _C.num_threads()


def _version_of(package: str) -> str | None:
    import importlib.metadata  # slow to import, and needed here only

    names = {"PIL": "Pillow", "skimage": "scikit-image"}
    try:
        return importlib.metadata.version(names.get(package, package))
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpus() -> list[str]:
    from fastcnn import cuda

    return [cuda.get_device_name(i) for i in range(cuda.device_count())]


def config() -> dict[str, Any]:
    """What `show_config` prints, as a dictionary."""
    import platform

    build = _C.build_info()
    return {
        "fastcnn": build["version"],
        "compiler": build["compiler"],
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "isa_found": _C.cpu_isa(),
        "isa_used": _C.max_isa(),
        "isa_cap": os.environ.get("FASTCNN_MAX_ISA") or None,
        "threads": _C.num_threads(),
        "float32_precision": get_float32_precision(),
        "kernels": len(_C.kernels()),
        "cuda": ", ".join(_gpus()) or None,
        "optional_packages": {name: _version_of(name) for name in _OPTIONAL},
    }


def show_config() -> None:
    """Print the instruction sets found and used, threads, precision, build, optional packages."""
    for key, value in config().items():
        if isinstance(value, dict):
            shown = ", ".join(f"{k} {v}" if v else f"{k} -" for k, v in value.items())
        else:
            shown = "none" if value is None else str(value)
        print(f"{key:<18} {shown}")
