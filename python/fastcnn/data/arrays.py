"""Data sets of samples by number: arrays in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree
from fastcnn.data._order import check_seed, epoch_order
from fastcnn.data.samplers import Sampled
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers._arguments import positive_int
from fastcnn.ops._dispatch import as_array


class Samples(Sampled):
    """Samples by number, a batch at a time: the base of those whose samples are arrays.

    Parameters
    ----------
    count : int
        The number of samples.
    batch_size, shuffle, seed, drop_remainder
        As of `ArrayDataset`.
    """

    def __init__(
        self, count: int, batch_size: int, shuffle: bool, seed: int | None, drop_remainder: bool
    ) -> None:
        self.batch_size = positive_int(type(self).__name__, "batch_size", batch_size)
        self._count = count
        self._shuffle = bool(shuffle)
        self._seed = check_seed(type(self).__name__, seed) if shuffle else 0
        self._drop = bool(drop_remainder)

    def __len__(self) -> int:
        if self._sampler is not None:
            return len(self._sampler)
        rounded = self._count if self._drop else self._count + self.batch_size - 1
        return rounded // self.batch_size

    def indices(self, epoch: int) -> Iterator[NDArray[np.intp]]:
        """Iterate over the numbers of the samples of each batch of an epoch."""
        if self._sampler is not None:
            yield from self._sampler.indices(epoch)
            return
        order = epoch_order(self._count, self._shuffle, self._seed, epoch)
        for number in range(len(self)):
            yield order[number * self.batch_size : (number + 1) * self.batch_size]


class ArrayDataset(Samples):
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
        for indices in self.indices(epoch):
            stop = start + len(indices)
            in_order = not self._shuffle and self._sampler is None
            where: Any = slice(start, stop) if in_order else indices
            yield _tree.map_structure(lambda a: a[where], self._arrays)  # noqa: B023 - called here
            start = stop
