"""The random numbers of the process: one seed, and a count of what was drawn from it.

All random numbers come from counter-based generators: what is drawn for the n-th time after
``fastcnn.set_random_seed(s)`` depends on `s` and `n` only, so the same program gives the same
numbers on any number of threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import ConfigError


class _State:
    lock = threading.Lock()
    seed = int.from_bytes(os.urandom(8), "little")
    count = 0


def set_random_seed(seed: int) -> None:
    """Make the random numbers that follow reproducible: first weights, dropout, augmentation.

    Parameters
    ----------
    seed : int
        Any integer that is not negative.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.set_random_seed(1)
    >>> first = fc.initializers.HeNormal()((3, 4))
    >>> fc.set_random_seed(1)
    >>> bool((fc.initializers.HeNormal()((3, 4)) == first).all())
    True
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ConfigError(f"expected a seed that is an integer >= 0, got {seed!r}")
    with _State.lock:
        _State.seed, _State.count = int(seed), 0


def next_draw() -> tuple[int, int]:
    """Take the next number: the seed of the process, and how often it was asked before."""
    with _State.lock:
        _State.count += 1
        return _State.seed, _State.count - 1


def next_key() -> NDArray[np.int64]:
    """Take the next number as the key of a random op: an int64 array (2,) of seed and count."""
    seed, count = next_draw()
    return np.array([seed % 2**63, count], np.int64)


def generator(seed: int | Sequence[int] | None = None) -> np.random.Generator:
    """Make NumPy's generator of a seed, or several; of the next number of the process without."""
    sequence = next_draw() if seed is None else [seed] if isinstance(seed, int) else seed
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(sequence)))
