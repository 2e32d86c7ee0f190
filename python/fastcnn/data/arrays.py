"""Data sets of arrays, in memory or in HDF5 files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree
from fastcnn._optional import import_optional
from fastcnn.data._order import check_seed, epoch_order
from fastcnn.data.dataset import Dataset
from fastcnn.errors import ConfigError, DTypeError, FileAccessError, FileFormatError, ShapeError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.layers._arguments import positive_int
from fastcnn.ops._dispatch import as_array


class _Samples(Dataset):
    """Samples by number, a batch at a time."""

    def __init__(
        self, count: int, batch_size: int, shuffle: bool, seed: int | None, drop_remainder: bool
    ) -> None:
        self.batch_size = positive_int(type(self).__name__, "batch_size", batch_size)
        self._count = count
        self._shuffle = bool(shuffle)
        self._seed = check_seed(type(self).__name__, seed) if shuffle else 0
        self._drop = bool(drop_remainder)

    def __len__(self) -> int:
        rounded = self._count if self._drop else self._count + self.batch_size - 1
        return rounded // self.batch_size

    def _batches(self, epoch: int) -> Iterator[NDArray[np.intp]]:
        order = epoch_order(self._count, self._shuffle, self._seed, epoch)
        for number in range(len(self)):
            yield order[number * self.batch_size : (number + 1) * self.batch_size]


class ArrayDataset(_Samples):
    """Arrays in memory, a batch at a time.

    Parameters
    ----------
    x : array, or list, tuple or dict of arrays
        The inputs; the first axis counts the samples.
    y : array or structure of arrays, optional
        The targets.
    sample_weight : array, optional
        How much each sample counts; needs `y`.
    batch_size : int, default 32
    shuffle : bool, default False
        Whether each epoch has an order of its own.
    seed : int, optional
        The orders are a function of it; drawn from the process' own unless given.
    drop_remainder : bool, default False
        Leave out the last batch when it is smaller.

    Notes
    -----
    Elements are ``x``, ``(x, y)`` or ``(x, y, sample_weight)``, of the dtypes that were given.
    Arrays are not copied: batches in order are views of them.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> dataset = fc.data.ArrayDataset(np.arange(5), batch_size=2, shuffle=True, seed=1)
    >>> len(dataset), sorted(np.concatenate(list(dataset)).tolist())
    (3, [0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int | None = None,
        drop_remainder: bool = False,
    ) -> None:
        if sample_weight is not None and y is None:
            raise ConfigError("ArrayDataset: sample_weight has no meaning without y")
        given = [part for part in (x, y, sample_weight) if part is not None]
        arrays = _tree.map_structure(lambda a: as_array(a, None), given)
        counts = {a.shape[0] if a.ndim else -1 for a in _tree.flatten(arrays)}
        if len(counts) != 1 or -1 in counts:
            raise ShapeError(
                "ArrayDataset: expected arrays with one first axis, the samples, got shapes "
                f"{[a.shape for a in _tree.flatten(arrays)]}"
            )
        self._arrays = arrays[0] if y is None else tuple(arrays)
        super().__init__(counts.pop(), batch_size, shuffle, seed, drop_remainder)

    def elements(self, epoch: int) -> Iterator[Any]:
        """Iterate over the batches of an epoch."""
        start = 0
        for indices in self._batches(epoch):
            stop = start + len(indices)
            where: Any = indices if self._shuffle else slice(start, stop)
            yield _tree.map_structure(lambda a: a[where], self._arrays)  # noqa: B023 - called here
            start = stop


class HDF5Dataset(_Samples):
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
            for indices in self._batches(epoch):
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
        try:
            self._file = self._library.File(self._path, "r")
        except OSError as error:
            raise FileFormatError(f"{self._path}: expected an HDF5 file: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def array(self, name: str) -> Any:
        """Find an array, without reading it."""
        with naming(self._path):
            try:
                found = self._file.get(name)
            except (OSError, RuntimeError, ValueError) as error:
                raise FileFormatError(f"{name!r} cannot be read: {error}") from error
            if not isinstance(found, self._library.Dataset):
                names: list[str] = []
                self._file.visititems(
                    lambda n, v: names.append(n) if isinstance(v, self._library.Dataset) else None
                )
                raise FileFormatError(f"expected an array {name!r}, the file has {names}")
            if found.dtype.kind not in "fiub" or found.shape is None:
                raise DTypeError(f"{self._path}: {name!r}: expected numbers, got {found.dtype}")
            return found

    def read(self, name: str, indices: NDArray[np.intp]) -> NDArray[Any]:
        """Read some samples, in any order."""
        array = self.array(name)
        try:
            if len(indices) and indices[-1] - indices[0] == len(indices) - 1:
                in_order = bool((np.diff(indices) == 1).all())
                if in_order:
                    return np.asarray(array[int(indices[0]) : int(indices[-1]) + 1])
            order = np.argsort(indices)  # HDF5 reads increasing numbers only
            samples = np.asarray(array[indices[order]])
        except OSError as error:
            raise FileAccessError(f"{self._path}: {name!r} cannot be read: {error}") from error
        result = np.empty_like(samples)
        result[order] = samples
        return result
