"""Data sets in HDF5 files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.data.arrays import Samples
from fastcnn.errors import DTypeError, FastcnnError, FileFormatError
from fastcnn.io._files import StrPath, open_binary

# Bytes of an array for each byte of its file, at most: deflate cannot do better.
_MOST_COMPRESSED = 1032


class HDF5Dataset(Samples):
    """Arrays of an HDF5 file, read a batch at a time.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    x : str, default "train_set_x"
        The name of the inputs in the file, such as ``"group/name"``; the first axis counts.
    y : str or None, default "train_set_y"
        The name of the targets; None: there are none.
    batch_size, shuffle, seed, drop_remainder
        As of `ArrayDataset`. To shuffle, samples are read one by one; of a file that fits into
        memory, take ``ArrayDataset(*dataset.arrays(), shuffle=True)``.

    Raises
    ------
    MissingFileError, FileAccessError
        The file is not there, or cannot be read.
    FileFormatError
        It is no HDF5 file, is damaged, or does not have these arrays.
    MissingDependencyError
        h5py is not installed.

    Notes
    -----
    The HDF5 library reads the file, and it is not made for files of people one does not trust.

    Examples
    --------
    >>> import fastcnn as fc
    >>> dataset = fc.data.HDF5Dataset("signs.h5", batch_size=64)  # doctest: +SKIP
    >>> for images, labels in dataset: ...  # doctest: +SKIP
    """

    def __init__(
        self,
        path: StrPath,
        x: str = "train_set_x",
        y: str | None = "train_set_y",
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int | None = None,
        drop_remainder: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.names = (x,) if y is None else (x, y)
        with _H5File(self.path) as file:
            parts = [file.array(name) for name in self.names]
            shapes = [part.shape for part in parts]
        if any(not shape or shape[0] != shapes[0][0] for shape in shapes):
            raise FileFormatError(
                f"{self.path}: expected arrays with one first axis, the samples, got shapes "
                f"{dict(zip(self.names, shapes, strict=True))}"
            )
        super().__init__(shapes[0][0], batch_size, shuffle, seed, drop_remainder)

    def elements(self, epoch: int) -> Iterator[Any]:
        """Iterate over the batches of an epoch; the file is open as long as it takes."""
        with _H5File(self.path) as file:
            for indices in self.indices(epoch):
                yield self._join([file.read(name, indices) for name in self.names])

    def arrays(self) -> Any:
        """Read everything: the inputs, or the inputs and the targets."""
        with _H5File(self.path) as file:
            everything = np.arange(self._count)
            return self._join([file.read(name, everything) for name in self.names])

    def _join(self, parts: list[NDArray[Any]]) -> Any:
        return parts[0] if len(parts) == 1 else tuple(parts)


class _H5File:
    """An HDF5 file that is open in a ``with``, with the library's own exceptions."""

    def __init__(self, path: str) -> None:
        self._library = import_optional("h5py", extra="hdf5")
        self._path = path

    def __enter__(self) -> _H5File:
        open_binary(self._path).close()  # missing, a folder, a pipe ...
        with self._reading("expected an HDF5 file"):
            self._file = self._library.File(self._path, "r")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @contextmanager
    def _reading(self, failure: str) -> Iterator[None]:
        try:
            yield
        except FastcnnError:
            raise
        except Exception as error:
            # On damaged files h5py raises what fits least badly: OSError, KeyError, RuntimeError,
            # UnicodeDecodeError ...
            raise FileFormatError(f"{self._path}: {failure}: {error}") from error

    def array(self, name: str) -> Any:
        """Find an array, without reading it."""
        with self._reading(f"{name!r} cannot be read"):
            found = self._file.get(name)
            if not isinstance(found, self._library.Dataset):
                raise FileFormatError(
                    f"{self._path}: expected an array {name!r}, the file has {self._names()}"
                )
            if found.shape is None or found.dtype.kind not in "fiub":
                raise DTypeError(f"{self._path}: {name!r}: expected numbers, got {found.dtype}")
            size = math.prod(found.shape) * found.dtype.itemsize
            if size > _MOST_COMPRESSED * max(os.path.getsize(self._path), 4096):
                raise FileFormatError(
                    f"{self._path}: {name!r} has shape {found.shape}, more than such a file holds"
                )
            return found

    def _names(self) -> list[str]:
        """The names of all arrays."""
        names: list[str] = []

        def note(name: str, found: Any) -> None:
            if isinstance(found, self._library.Dataset):
                names.append(name)

        self._file.visititems(note)
        return names

    def read(self, name: str, indices: NDArray[np.intp]) -> NDArray[Any]:
        """Read some samples, in any order."""
        array = self.array(name)
        with self._reading(f"{name!r} cannot be read"):
            if len(indices) and (np.diff(indices) == 1).all():
                return np.asarray(array[int(indices[0]) : int(indices[-1]) + 1])
            increasing, places = np.unique(indices, return_inverse=True)  # HDF5 reads no others
            samples = np.asarray(array[increasing])
        return samples[places]
