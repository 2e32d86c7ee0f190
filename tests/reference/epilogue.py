"""What product kernels may do before they store: y = act(y + bias + residual)."""

from __future__ import annotations

from typing import Any

import numpy as np


def activate(x: np.ndarray, kind: str = "linear", alpha: float | None = None) -> np.ndarray:
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-x))
    negative = np.minimum(x, 0)
    hard_sigmoid = np.clip(x + 3, 0, 6) / 6
    return {
        "linear": x,
        "relu": np.maximum(x, 0),
        "relu6": np.clip(x, 0, 6),
        "leaky_relu": np.where(x < 0, (0.2 if alpha is None else alpha) * x, x),
        "elu": np.where(x < 0, (1.0 if alpha is None else alpha) * np.expm1(negative), x),
        "sigmoid": sigmoid,
        "hard_sigmoid": hard_sigmoid,
        "tanh": np.tanh(x),
        "silu": x * sigmoid,
        "hard_swish": x * hard_sigmoid,
    }[kind]


def finish(
    sums: np.ndarray,
    extra: list[np.ndarray],
    *,
    has_bias: bool | None = None,
    has_residual: bool = False,
    activation: str = "linear",
    alpha: float | None = None,
    **_: Any,
) -> np.ndarray:
    """`extra` holds bias and residual, as far as there are any."""
    del has_bias, has_residual  # bias and residual of any shape are both just added
    for operand in extra:
        sums = sums + operand.astype(np.float64)
    return activate(sums, activation, alpha)
