"""Threads that compute elements ahead of their use."""

from __future__ import annotations

import contextvars
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from fastcnn.errors import UnsupportedError

if TYPE_CHECKING:
    from concurrent.futures import Future

Task = TypeVar("Task")
Result = TypeVar("Result")

_END: Any = object()


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int, ahead: int
) -> Iterator[Result]:
    """Yield ``function(task)`` of each task, in their order, computed in threads.

    Parameters
    ----------
    function : callable
        What the threads run; it should spend its time where the GIL is free.
    tasks : iterable
        Taken one by one, in the thread of the caller.
    workers : int
        The number of threads; 0: the caller computes, nothing is done ahead.
    ahead : int
        How many tasks may be under way or done and not yet taken: what bounds the memory.

    Notes
    -----
    The threads end when the iterator does: exhausted, closed, dropped, or left by an exception.
    """
    if workers == 0:
        yield from map(function, tasks)
        return
    from concurrent.futures import ThreadPoolExecutor  # slow to import, and needed here only

    owner = os.getpid()
    context = contextvars.copy_context()  # settings of a ``with`` block hold in the threads, too
    tasks = iter(tasks)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fastcnn-data")
    waiting: deque[Future[Result]] = deque()

    def submit(count: int) -> None:
        for task in itertools.islice(tasks, count):
            waiting.append(pool.submit(context.copy().run, function, task))

    try:
        submit(max(ahead, 1))
        while waiting:
            if os.getpid() != owner:
                raise UnsupportedError(
                    "the process was forked while this data set was gone through, and its threads "
                    "stayed behind; start a new iteration in the child"
                )
            future = waiting.popleft()
            result = future.result()
            submit(1)
            yield result
    finally:
        if os.getpid() == owner:
            pool.shutdown(wait=True, cancel_futures=True)


def run_ahead(elements: Iterator[Result], count: int) -> Iterator[Result]:
    """Yield the elements of an iterator, up to `count` of them taken from it ahead by a thread."""
    # First the thread ends that may be inside `elements`, then `elements` itself.
    with (
        ending(elements),
        ending(in_order(lambda it: next(it, _END), itertools.repeat(elements), 1, count)) as taken,
    ):
        for element in taken:
            if element is _END:
                break
            yield element


@contextmanager
def ending(iterator: Iterator[Result]) -> Iterator[Iterator[Result]]:
    """End a generator, and the threads it may have, where the block ends."""
    try:
        yield iterator
    finally:
        if hasattr(iterator, "close"):
            iterator.close()
