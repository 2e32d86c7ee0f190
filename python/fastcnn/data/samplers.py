"""Which samples make a batch, where chance alone will not do."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import positive_int
from fastcnn.data._order import Purpose, check_seed, generator
from fastcnn.data.dataset import Dataset
from fastcnn.errors import ConfigError, DTypeError, ShapeError

_Self = TypeVar("_Self", bound="Sampled")


class Sampler(Protocol):
    """What says which samples make the batches of an epoch."""

    def __len__(self) -> int:
        """The number of batches of an epoch."""

    def indices(self, epoch: int) -> Iterator[NDArray[np.intp]]:
        """Iterate over the numbers of the samples of each batch."""


class Sampled(Dataset):
    """A data set of samples by number, whose batches a sampler may choose."""

    _sampler: Sampler | None = None

    def with_sampler(self: _Self, sampler: Sampler | None) -> _Self:
        """Make a data set of the same samples in the batches that a sampler chooses.

        Parameters
        ----------
        sampler : PKSampler, or an object with its ``__len__`` and ``indices``, or None
            Instead of `batch_size` and `shuffle`; None goes back to these.

        Examples
        --------
        >>> import numpy as np, fastcnn as fc
        >>> labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
        >>> dataset = fc.data.ArrayDataset(np.arange(9), labels)
        >>> pairs = dataset.with_sampler(fc.data.PKSampler(labels, p=2, k=2, seed=1))
        >>> [sorted(y.tolist()) for x, y in pairs]
        [[1, 1, 2, 2], [0, 0, 2, 2], [0, 0, 1, 1]]
        """
        if sampler is not None and not hasattr(sampler, "indices"):
            raise DTypeError(f"with_sampler: expected a sampler or None, got {sampler!r}")
        made = copy.copy(self)
        made._sampler = sampler
        return made


class PKSampler:
    """Batches of `k` samples of each of `p` classes, as triplet losses need them.

    Classes take turns, so that all are seen equally often, however many samples they have; within a
    class so do samples. A class with fewer than `k` samples repeats some in a batch; one with a
    single sample is left out, for there is nothing it could be near to.

    Parameters
    ----------
    labels : array of int, shape (n,)
        The class of each sample.
    p, k : int
        At least 2 each.
    batches : int, optional
        In an epoch; as many as all samples need unless given.
    seed : int, optional
        The batches are a function of it and the epoch.

    Raises
    ------
    ShapeError, ConfigError
        `labels` are no list of classes, or fewer than `p` of them have two samples.

    References
    ----------
    A. Hermans, L. Beyer, B. Leibe: In Defense of the Triplet Loss for Person Re-Identification.
    2017, section 2.

    Examples
    --------
    >>> import fastcnn as fc
    >>> sampler = fc.data.PKSampler([0, 0, 0, 1, 1, 1], p=2, k=2, seed=0)
    >>> len(sampler), [len(batch) for batch in sampler.indices(epoch=0)]
    (2, [4, 4])
    """

    def __init__(
        self, labels: Any, p: int, k: int, batches: int | None = None, seed: int | None = None
    ) -> None:
        self.p = positive_int("PKSampler", "p", p, at_least=2)
        self.k = positive_int("PKSampler", "k", k, at_least=2)
        given = np.asarray(labels)
        if given.ndim != 1:
            raise ShapeError(f"PKSampler: expected labels of shape (n,), got {given.shape}")
        _, codes, counts = np.unique(given, return_inverse=True, return_counts=True)
        order = np.argsort(codes.reshape(-1), kind="stable")
        groups = np.split(order, np.cumsum(counts)[:-1])
        self._groups = [group for group in groups if len(group) > 1]
        if len(self._groups) < self.p:
            raise ConfigError(
                f"PKSampler: expected at least p={self.p} classes with two samples or more, got "
                f"{len(self._groups)} among {len(given)} samples"
            )
        used = sum(map(len, self._groups))
        whole = -(-used // (self.p * self.k))
        self.batches = whole if batches is None else positive_int("PKSampler", "batches", batches)
        self._seed = check_seed("PKSampler", seed)

    def __len__(self) -> int:
        return self.batches

    def indices(self, epoch: int) -> Iterator[NDArray[np.intp]]:
        """Iterate over the numbers of the samples of each batch of an epoch."""
        random = generator(self._seed, Purpose.ORDER, epoch)
        waiting: list[int] = []  # classes whose turn has not come
        rest: list[list[int]] = [[] for _ in self._groups]
        for _ in range(self.batches):
            chosen = waiting[: self.p]
            waiting = waiting[self.p :]
            if len(chosen) < self.p:  # the next round, without those that are in the batch already
                fresh = random.permutation(len(self._groups)).tolist()
                added = [c for c in fresh if c not in chosen][: self.p - len(chosen)]
                chosen += added
                waiting = [c for c in fresh if c not in added]
            yield np.array([i for c in chosen for i in self._take(c, rest, random)], np.intp)

    def _take(self, c: int, rest: list[list[int]], random: np.random.Generator) -> list[int]:
        """Take the next `k` samples of a class, all of them before any comes again."""
        taken: list[int] = []
        while len(taken) < self.k:
            if not rest[c]:
                fresh = random.permutation(self._groups[c]).tolist()
                # Those of this batch come last: none twice in a batch, where there are enough.
                rest[c] = sorted(fresh, key=lambda i: i not in taken)
            taken.append(rest[c].pop())
        return taken
