"""The base of all data sets, and what can be made of one: mapped, cached, prefetched ..."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from fastcnn import _tree
from fastcnn.data._order import Purpose, check_seed, generator
from fastcnn.data._workers import ending, in_order, run_ahead
from fastcnn.errors import ConfigError, DTypeError
from fastcnn.layers._arguments import positive_int

AUTOTUNE = -1
"""For `num_parallel_calls` and `buffer_size`: let the library choose."""

_PREFETCHED = 2  # one batch that is being used up, one that is being made


class Dataset:
    """Elements, mostly batches, that can be gone through again and again.

    A data set of one's own defines ``elements(epoch)``, and ``__len__`` when the number of elements
    is known. Everything random in it is a function of its seed and of the epoch; so an epoch can be
    repeated, and training that was interrupted goes on with the same data.

    Every ``iter(dataset)`` starts the next epoch; `set_epoch` says which one that is.

    Examples
    --------
    >>> import fastcnn as fc
    >>> class Countdown(fc.data.Dataset):
    ...     def elements(self, epoch):
    ...         yield from (3, 2, 1)
    >>> dataset = Countdown().map(lambda x: 10 * x)
    >>> list(dataset), list(dataset.take(2))
    ([30, 20, 10], [30, 20])
    """

    _epoch = 0

    def elements(self, epoch: int) -> Iterator[Any]:
        """Iterate over the elements of an epoch, counted from 0."""
        raise TypeError(f"{type(self).__name__} defines no elements(self, epoch)")

    def __iter__(self) -> Iterator[Any]:
        epoch = self._epoch
        self._epoch += 1
        return self.elements(epoch)

    def __len__(self) -> int:
        raise TypeError(f"the number of elements of this {type(self).__name__} is not known")

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next iteration shows.

        Parameters
        ----------
        epoch : int
            Counted from 0.
        """
        self._epoch = positive_int(type(self).__name__, "epoch", epoch, at_least=0)

    def map(self, map_func: Callable[..., Any], num_parallel_calls: int | None = None) -> Dataset:
        """Apply a function to every element.

        Parameters
        ----------
        map_func : callable
            Called with the element; with its parts, if it is a tuple.
        num_parallel_calls : int, optional
            How many threads call it; one after the other unless given. The order stays the same.

        Examples
        --------
        >>> import numpy as np, fastcnn as fc
        >>> dataset = fc.data.ArrayDataset(np.arange(4), np.arange(4), batch_size=2)
        >>> [x.tolist() for x, y in dataset.map(lambda x, y: (x / 2, y))]
        [[0.0, 0.5], [1.0, 1.5]]
        """
        return _Mapped(self, map_func, _number_of_threads("map", num_parallel_calls))

    def take(self, count: int) -> Dataset:
        """Keep the first `count` elements; -1 keeps all."""
        return _Sliced(self, 0, None if count == -1 else positive_int("take", "count", count, 0))

    def skip(self, count: int) -> Dataset:
        """Leave out the first `count` elements; -1 leaves out all."""
        return _Sliced(self, None if count == -1 else positive_int("skip", "count", count, 0), None)

    def cache(self) -> Dataset:
        """Keep all elements in memory once they were gone through, in the order they had then.

        What comes before is not asked again: cache before what shall differ from epoch to epoch.
        Data sets of pictures keep the decoded pictures, and still shuffle them.
        """
        return _Cached(self)

    def prefetch(self, buffer_size: int | None = None) -> Dataset:
        """Let a thread make elements ahead of their use.

        Parameters
        ----------
        buffer_size : int, optional
            How many at most; 2 unless given.
        """
        if buffer_size is None or buffer_size == AUTOTUNE:
            buffer_size = _PREFETCHED
        return _Prefetched(self, positive_int("prefetch", "buffer_size", buffer_size))

    def shuffle(
        self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True
    ) -> Dataset:
        """Take each element at random from a buffer of those that come next.

        Data sets made with ``shuffle=True`` shuffle better: over all samples, without a buffer.

        Parameters
        ----------
        buffer_size : int
            How many elements it holds: with as many as there are, every order is possible.
        seed : int, optional
        reshuffle_each_iteration : bool, default True
            Whether each epoch has an order of its own.
        """
        size = positive_int("shuffle", "buffer_size", buffer_size)
        return _Shuffled(self, size, check_seed("shuffle", seed), bool(reshuffle_each_iteration))

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Stack `batch_size` elements to one, along a new first axis.

        Parameters
        ----------
        batch_size : int
        drop_remainder : bool, default False
            Leave out the last batch when it is smaller.

        Examples
        --------
        >>> import fastcnn as fc
        >>> dataset = fc.data.from_generator(lambda: ((i, -i) for i in range(3)))
        >>> list(dataset.batch(2))
        [(array([0, 1]), array([ 0, -1])), (array([2]), array([-2]))]
        """
        return _Batched(self, positive_int("batch", "batch_size", batch_size), bool(drop_remainder))

    def unbatch(self) -> Dataset:
        """Make each sample of the batches an element of its own."""
        return _Unbatched(self)


def from_generator(generator: Callable[[], Iterable[Any]], length: int | None = None) -> Dataset:
    """Make a data set of a function that returns a new iterator, or generator, of batches.

    Parameters
    ----------
    generator : callable
        Called without arguments at the start of every epoch.
    length : int, optional
        The number of batches, if it is known.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> def batches():
    ...     for i in range(2):
    ...         yield np.full((8, 3), i), np.zeros(8)
    >>> [y.shape for x, y in from_generator(batches)]
    [(8,), (8,)]
    """
    if not callable(generator):
        raise DTypeError(
            "from_generator: expected a function that returns a new iterator at every call, got "
            f"{type(generator).__name__}, which could be gone through only once"
        )
    if length is not None:
        positive_int("from_generator", "length", length, at_least=0)
    return _Generated(generator, length)


class _Generated(Dataset):
    def __init__(self, generator: Callable[[], Iterable[Any]], length: int | None) -> None:
        self._generator = generator
        self._length = length

    def elements(self, epoch: int) -> Iterator[Any]:
        return iter(self._generator())

    def __len__(self) -> int:
        return super().__len__() if self._length is None else self._length


class _Derived(Dataset):
    """A data set made of another, element by element unless it says otherwise."""

    def __init__(self, source: Dataset) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        # Names of classes, files ... stay known. (While it is copied, there is no source yet.)
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._source, name)

    def __len__(self) -> int:
        return len(self._source)


class _Mapped(_Derived):
    def __init__(self, source: Dataset, function: Callable[..., Any], workers: int) -> None:
        super().__init__(source)
        self._function = function
        self._workers = workers

    def elements(self, epoch: int) -> Iterator[Any]:
        def apply(element: Any) -> Any:
            return self._function(*element) if type(element) is tuple else self._function(element)

        with (
            ending(self._source.elements(epoch)) as elements,
            ending(in_order(apply, elements, self._workers, self._workers + 1)) as mapped,
        ):
            yield from mapped


class _Sliced(_Derived):
    """From `start` on, at most `count`; a start of None lies behind the end."""

    def __init__(self, source: Dataset, start: int | None, count: int | None) -> None:
        super().__init__(source)
        self._start = start
        self._count = count

    def elements(self, epoch: int) -> Iterator[Any]:
        if self._start is None or self._count == 0:
            return
        stop = None if self._count is None else self._start + self._count
        with ending(self._source.elements(epoch)) as elements:
            yield from itertools.islice(elements, self._start, stop)

    def __len__(self) -> int:
        if self._start is None:
            return 0
        rest = max(len(self._source) - self._start, 0)
        return rest if self._count is None else min(rest, self._count)


class _Cached(_Derived):
    def __init__(self, source: Dataset) -> None:
        super().__init__(source)
        self._kept: list[Any] | None = None

    def elements(self, epoch: int) -> Iterator[Any]:
        if self._kept is not None:
            yield from self._kept
            return
        elements: list[Any] = []
        with ending(self._source.elements(epoch)) as source:
            for element in source:
                elements.append(element)
                yield element
        self._kept = elements


class _Prefetched(_Derived):
    def __init__(self, source: Dataset, count: int) -> None:
        super().__init__(source)
        self._count = count

    def elements(self, epoch: int) -> Iterator[Any]:
        return run_ahead(self._source.elements(epoch), self._count)


class _Shuffled(_Derived):
    def __init__(self, source: Dataset, size: int, seed: int, reshuffle: bool) -> None:
        super().__init__(source)
        self._size = size
        self._seed = seed
        self._reshuffle = reshuffle

    def elements(self, epoch: int) -> Iterator[Any]:
        random = generator(self._seed, Purpose.BUFFER, epoch if self._reshuffle else 0)
        buffer: list[Any] = []
        with ending(self._source.elements(epoch)) as elements:
            for element in elements:
                if len(buffer) < self._size:
                    buffer.append(element)
                    continue
                place = int(random.integers(self._size))
                buffer[place], element = element, buffer[place]
                yield element
        for place in random.permutation(len(buffer)):
            yield buffer[place]


class _Batched(_Derived):
    def __init__(self, source: Dataset, size: int, drop_remainder: bool) -> None:
        super().__init__(source)
        self._size = size
        self._drop = drop_remainder

    def elements(self, epoch: int) -> Iterator[Any]:
        with ending(self._source.elements(epoch)) as elements:
            while group := list(itertools.islice(elements, self._size)):
                if len(group) == self._size or not self._drop:
                    parts = zip(*map(_tree.flatten, group), strict=True)
                    yield _tree.pack(group[0], [np.stack(part) for part in parts])

    def __len__(self) -> int:
        count = len(self._source)
        return count // self._size if self._drop else -(-count // self._size)


class _Unbatched(_Derived):
    def elements(self, epoch: int) -> Iterator[Any]:
        with ending(self._source.elements(epoch)) as elements:
            for batch in elements:
                for parts in zip(*_tree.flatten(batch), strict=True):
                    yield _tree.pack(batch, parts)

    def __len__(self) -> int:
        raise TypeError("the number of samples in the batches is not known")


def _number_of_threads(who: str, given: int | None) -> int:
    if given is None:
        return 0
    if given == AUTOTUNE:
        return default_workers()
    try:
        return positive_int(who, "num_parallel_calls", given)
    except ConfigError as error:
        raise ConfigError(f"{error} (or fastcnn.data.AUTOTUNE)") from None


def default_workers() -> int:
    """How many threads decode pictures: as many as compute, and no more than files are read by."""
    from fastcnn.config import get_num_threads

    return min(get_num_threads(), 16)
