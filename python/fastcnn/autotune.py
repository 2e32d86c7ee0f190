"""Times of kernels on this machine: measured once, saved, and used to choose among them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastcnn import _C
from fastcnn.errors import FileFormatError

if TYPE_CHECKING:
    from fastcnn.io._files import StrPath

_FORMAT = "fastcnn timings"
Timings = dict[str, dict[str, int]]


class TimingCache:
    """Measured times of kernels, by problem; what `fastcnn.set_autotune` is given.

    Plans depend on the times in it and on nothing measured anew, as far as it knows the problems.
    Times belong to a machine: a file may hold those of several, and each uses its own.

    Attributes
    ----------
    timings : dict
        Nanoseconds on this machine, by problem, then by kernel.

    Examples
    --------
    >>> import tempfile, numpy as np, fastcnn as fc
    >>> timings = fc.TimingCache()
    >>> with fc.set_autotune(timings):
    ...     y = fc.ops.conv2d(np.ones((1, 8, 8, 3)), np.ones((3, 3, 3, 16)))
    >>> path = tempfile.mkdtemp() + "/timings.json"
    >>> timings.save(path)
    >>> fc.TimingCache.load(path).timings == timings.timings
    True
    """

    def __init__(self) -> None:
        self._timings = _C.TimingCache()
        self._others: dict[str, Timings] = {}  # of other machines

    @property
    def timings(self) -> Timings:
        """Nanoseconds on this machine, by problem, then by kernel."""
        return self._timings.timings

    def __repr__(self) -> str:
        return f"<TimingCache of {len(self.timings)} problems>"

    @classmethod
    def load(cls, path: StrPath) -> TimingCache:
        """Read what `save` wrote.

        Raises
        ------
        FileAccessError
            The file is not there, or cannot be read.
        FileFormatError
            It is no file of timings.
        """
        from fastcnn.io._files import naming, open_binary

        with open_binary(path) as file, naming(path):
            machines = _parse(file.read())
        cache = cls()
        cache._timings = _C.TimingCache(machines.pop(_C.cpu_model(), {}))
        cache._others = machines
        return cache

    def save(self, path: StrPath) -> None:
        """Write the times to a JSON file, with those of other machines that `load` found.

        Raises
        ------
        FileAccessError
            The file cannot be written.
        """
        from fastcnn.io.atomic import atomic_write

        machines = {**self._others, _C.cpu_model(): self.timings}
        content = {"format": _FORMAT, "version": 1, "machines": machines}
        with atomic_write(path) as partial:
            partial.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def _parse(content: bytes) -> dict[str, Timings]:
    try:
        described = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"expected JSON: {error}") from error
    if not isinstance(described, dict) or described.get("format") != _FORMAT:
        raise FileFormatError(f"expected a file of {_FORMAT}")
    if described.get("version") != 1:
        raise FileFormatError(f"expected version 1, got {described.get('version')!r}")
    machines: dict[str, Timings] = _dict_of(described.get("machines"), "machines")
    for machine, problems in machines.items():
        for problem, times in _dict_of(problems, machine).items():
            for kernel, ns in _dict_of(times, problem).items():
                if type(ns) is not int or not 0 < ns < 2**62:
                    raise FileFormatError(f"expected nanoseconds of {kernel}, got {ns!r}")
    return machines


def _dict_of(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FileFormatError(f"{name}: expected an object, got {type(value).__name__}")
    return value
