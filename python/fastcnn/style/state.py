"""The file from which an interrupted run goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastcnn import serialization
from fastcnn.errors import FileFormatError
from fastcnn.io._files import StrPath
from fastcnn.io.safetensors_files import (
    load_safetensors,
    load_safetensors_metadata,
    save_safetensors,
)


class Place(NamedTuple):
    """How far a run is: iterations done at a scale, and the picture and state there."""

    scale: int
    iteration: int
    arrays: Mapping[str, NDArray[Any]]


def fingerprint(facts: Mapping[str, Any], arrays: Iterable[NDArray[Any]]) -> str:
    """Tell runs apart by all that their pictures depend on."""
    digest = hashlib.sha256(serialization.to_json(facts).encode())
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


class StateFile:
    """A file that holds the place of a run, or nothing if there is no path.

    Parameters
    ----------
    path : path or None
    run : str
        The run's `fingerprint`.
    """

    def __init__(self, path: StrPath | None, run: str) -> None:
        self.path = None if path is None else os.fspath(path)
        self._run = run

    def save(self, place: Place) -> None:
        """Write a place, whole or not at all."""
        if self.path is not None:
            facts = {"run": self._run, "scale": place.scale, "iteration": place.iteration}
            save_safetensors(self.path, place.arrays, {"style": serialization.to_json(facts)})

    def load(self) -> Place | None:
        """Read the place; None if there is no file.

        Raises
        ------
        FileFormatError
            It is no such file, or of a run with other pictures or options.
        """
        if self.path is None or not os.path.exists(self.path):
            return None
        try:
            facts = serialization.from_json(
                load_safetensors_metadata(self.path).get("style", "null")
            )
            run, scale, iteration = facts["run"], int(facts["scale"]), int(facts["iteration"])
            if scale < 0 or iteration < 0:
                raise ValueError(f"place {scale}, {iteration}")
        except (FileFormatError, TypeError, KeyError, ValueError) as error:
            raise FileFormatError(
                f"{self.path}: expected the state of a style transfer: {error}"
            ) from error
        if run != self._run:
            raise FileFormatError(
                f"{self.path}: the state of a run with other pictures or options; give those "
                "options, or remove the file to begin anew"
            )
        return Place(scale, iteration, load_safetensors(self.path))

    def remove(self) -> None:
        """Remove it: the run is at its end."""
        if self.path is not None:
            with suppress(FileNotFoundError):
                os.remove(self.path)
