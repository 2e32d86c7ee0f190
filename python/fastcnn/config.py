"""Settings of the process: threads and precision; what this build and machine offer."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from fastcnn import _C
from fastcnn.errors import ConfigError

_PRECISIONS = ("highest", "high", "medium")
_process_precision = "highest"
# What a ``with`` block sets, for the code inside it alone: this thread, this task.
_local_precision: ContextVar[str | None] = ContextVar("fastcnn_float32_precision", default=None)
_OPTIONAL = ("PIL", "safetensors", "h5py", "typer", "rich", "matplotlib", "skimage", "onnx")


class set_float32_precision:  # noqa: N801 - torch's name for the function
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

    def __init__(self, precision: str) -> None:
        global _process_precision
        self._precision = check_precision(precision)
        self._before = _process_precision
        _process_precision = precision

    def __enter__(self) -> set_float32_precision:
        # Only the block was meant: the process goes back to what it had.
        global _process_precision
        _process_precision = self._before
        self._token = _local_precision.set(self._precision)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _local_precision.reset(self._token)


def check_precision(precision: str) -> str:
    """`precision` itself if it is a level; else ConfigError."""
    if precision not in _PRECISIONS:
        raise ConfigError(f"float32 precision: expected one of {_PRECISIONS}, got {precision!r}")
    return precision


def get_float32_precision() -> str:
    """The precision level in force here: "highest", "high" or "medium"."""
    return _local_precision.get() or _process_precision


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
    if not hasattr(n, "__index__"):
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
        "cuda": False,
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
