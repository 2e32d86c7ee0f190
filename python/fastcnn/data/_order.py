"""Orders that depend on a seed and an epoch only, so that training can go on where it stopped."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from fastcnn._random import generator as process_generator
from fastcnn.errors import ConfigError


class Purpose(IntEnum):
    """What random numbers are for: each purpose has numbers of its own."""

    ORDER = 0
    SPLIT = 1
    BUFFER = 2
    AUGMENT = 3
    SAMPLE = 4


def check_seed(who: str, seed: int | None) -> int:
    """Return `seed` if it can be one; for None, the next of the process' seeds."""
    if seed is None:
        return int(process_generator(None).integers(2**63))
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ConfigError(f"{who}: seed: expected an integer >= 0 or None, got {seed!r}")
    return int(seed)


def generator(seed: int, purpose: Purpose, epoch: int = 0, *sample: int) -> np.random.Generator:
    """Make a generator whose numbers depend on its arguments only."""
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose, epoch, *sample))
    return np.random.Generator(np.random.Philox(sequence))


def epoch_order(count: int, shuffle: bool, seed: int, epoch: int) -> NDArray[np.intp]:
    """Give the indices 0 ... count - 1 in the order of an epoch."""
    order = np.arange(count, dtype=np.intp)
    return generator(seed, Purpose.ORDER, epoch).permutation(order) if shuffle else order
