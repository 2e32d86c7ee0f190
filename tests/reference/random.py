"""Philox4x32-10 and what is made of its words, in NumPy."""

from __future__ import annotations

import math

import numpy as np

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
_WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint64)


def philox(counters: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Four words of 32 bits for each row of `counters`, (n, 4)."""
    x0, x1, x2, x3 = np.asarray(counters, np.uint64).T
    k = np.array(key, np.uint64)
    for _ in range(10):
        a, b = _MULTIPLIERS[0] * x0, _MULTIPLIERS[1] * x2
        x0, x1, x2, x3 = (b >> _HALF) ^ x1 ^ k[0], b & _LOW, (a >> _HALF) ^ x3 ^ k[1], a & _LOW
        k = (k + _WEYL) & _LOW
    return np.stack([x0, x1, x2, x3], axis=-1)


def bits(n: int, seed: int, step: int, stream: int) -> np.ndarray:
    """The upper 24 bits of the words of n elements."""
    seed, step = seed % 2**64, step % 2**64
    blocks = math.ceil(n / 4)
    counters = np.zeros((blocks, 4), np.uint64)
    counters[:, 0] = np.arange(blocks)
    counters[:, 1:] = stream, step % 2**32, step >> 32
    words = philox(counters, (seed % 2**32, seed >> 32)).reshape(-1)[:n]
    return (words >> np.uint64(8)).astype(np.float64)


def uniform(n: int, seed: int, step: int, stream: int) -> np.ndarray:
    """Numbers in [0, 1)."""
    return bits(n, seed, step, stream) / 2**24


def normal(n: int, seed: int, step: int, stream: int) -> np.ndarray:
    """Numbers of the standard normal distribution."""
    pairs = bits(-(-n // 2) * 2, seed, step, stream).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log((pairs[:, 0] + 1) / 2**24))
    angle = 2 * np.pi * pairs[:, 1] / 2**24
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1)[:n]
