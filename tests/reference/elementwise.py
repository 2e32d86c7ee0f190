"""Functions of one and two operands by their formulas, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def _hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(x + 3.0, 0.0, 6.0) / 6.0


_ACTIVATIONS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "linear": lambda x, a: x,
    "relu": lambda x, a: np.maximum(x, 0.0),
    "relu6": lambda x, a: np.clip(x, 0.0, 6.0),
    "leaky_relu": lambda x, a: np.where(x < 0, a * x, x),
    "elu": lambda x, a: np.where(x < 0, a * np.expm1(x), x),
    "sigmoid": lambda x, a: sigmoid(x),
    "hard_sigmoid": lambda x, a: _hard_sigmoid(x),
    "tanh": lambda x, a: np.tanh(x),
    "silu": lambda x, a: x * sigmoid(x),
    "hard_swish": lambda x, a: x * _hard_sigmoid(x),
}

_UNARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "square": np.square,
    "abs": np.abs,
    "negative": np.negative,
    "reciprocal": lambda x: 1.0 / x,
    "softplus": softplus,
    "gelu": lambda x: x * (0.5 * _erfc(-x * math.sqrt(0.5))),
    "gelu_tanh": lambda x: x * sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
    "sign": np.sign,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "arcsinh": np.arcsinh,
    "arccosh": np.arccosh,
    "arctanh": np.arctanh,
    "erf": _erf,
}

_BINARY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "prelu": lambda x, alpha: np.where(x < 0, alpha * x, x),
}


@np.errstate(all="ignore")
def activation(x: np.ndarray, activation: str = "linear", alpha: float | None = None) -> np.ndarray:
    default = {"leaky_relu": 0.2, "elu": 1.0}.get(activation, 0.0)
    return _ACTIVATIONS[activation](
        x.astype(np.float64), default if alpha is None else float(np.float32(alpha))
    )


@np.errstate(all="ignore")
def unary(x: np.ndarray, kind: str, **attrs: Any) -> np.ndarray:
    x = x.astype(np.float64)
    if kind == "clip":
        return np.clip(x, attrs.get("min", -np.inf), attrs.get("max", np.inf))
    if kind == "thresholded_relu":
        threshold = attrs.get("threshold", 0.0)
        return np.where(x < threshold, attrs.get("slope", 0.0) * (x - threshold), x)
    return _UNARY[kind](x)


@np.errstate(all="ignore")
def binary(op: str, a: np.ndarray, b: np.ndarray, **attrs: Any) -> np.ndarray:
    """The operation in float32, whose one rounding is the contract's; the activation in float64."""
    return activation(_BINARY[op](a, b), **attrs)
