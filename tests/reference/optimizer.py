"""Optimizer steps in float64, by the formulas of Keras 3, and the size of what they add up.

Each function gives, for every result, its value and the sum of the magnitudes it is made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Result = tuple[np.ndarray, np.ndarray]


def _average(a: np.ndarray, x: np.ndarray, momentum: float) -> Result:
    rest = 1 - momentum
    return momentum * a + rest * x, np.abs(a) * (1 + rest) + rest * np.abs(x)


def moving_average(old: np.ndarray, new: np.ndarray, momentum: float = 0.99) -> list[Result]:
    return [_average(old, new, momentum)]


def sgd_update(*operands: np.ndarray, momentum: float = 0.0, nesterov: bool = False) -> Any:
    w, *states = operands[: 1 + (momentum != 0)]
    g, rate, *rest = operands[1 + len(states) :]
    w = w * rest[0] if rest else w
    change = rate * g
    if not states:
        return [(w - change, np.abs(w) + np.abs(change))]
    velocity = momentum * states[0] - change
    size = np.abs(momentum * states[0]) + np.abs(change)
    step = momentum * velocity - change if nesterov else velocity
    return [(w + step, np.abs(w) + 2 * size), (velocity, size)]


def rmsprop_update(
    *operands: np.ndarray,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
) -> Any:
    w, *states = operands[: 2 + centered + (momentum != 0)]
    g, rate, *rest = operands[1 + len(states) :]
    w = w * rest[0] if rest else w
    results = [_average(states[0], g * g, rho)]
    spread, terms = results[0]
    if centered:
        results.append(_average(states[1], g, rho))
        mean, mean_size = results[1]
        spread = np.maximum(0, spread - mean * mean)
        terms = terms + mean_size * mean_size
    change = rate * g / np.sqrt(spread + epsilon)
    size = np.abs(change) * (1 + terms / (spread + epsilon))
    if momentum:
        change = momentum * states[-1] + change
        size = np.abs(momentum * states[-1]) + size
        results.append((change, size))
    return [(w - change, np.abs(w) + size), *results]


def adam_update(
    *operands: np.ndarray,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
) -> Any:
    w, *states = operands[: 3 + amsgrad]
    g, rate, *rest = operands[1 + len(states) :]
    w = w * rest[0] if rest else w
    m, v = _average(states[0], g, beta_1), _average(states[1], g * g, beta_2)
    results = [m, v]
    spread = v[0]
    if amsgrad:
        spread = np.maximum(states[2], spread)
        results.append((spread, np.maximum(np.abs(states[2]), v[1])))
    scale = rate / (np.sqrt(spread) + epsilon)
    return [(w - scale * m[0], np.abs(w) + scale * m[1]), *results]
