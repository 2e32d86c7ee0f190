"""Slopes of element-wise functions by their formulas, in float64.

Each gives (slope, magnitude): the magnitude is the sum of the absolute values of the slope's terms,
what rounding errors are proportional to.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.reference.elementwise import _erfc, sigmoid, softplus

Slope = tuple[np.ndarray, np.ndarray]


def _plain(slope: np.ndarray) -> Slope:
    return slope, np.abs(slope)


@np.errstate(all="ignore")
def activation(v: np.ndarray, activation: str = "linear", alpha: float | None = None) -> Slope:
    """`v` is the result, of silu and hard_swish and with a negative alpha the operand."""
    default = {"leaky_relu": 0.2, "elu": 1.0}.get(activation, 0.0)
    a = default if alpha is None else float(np.float32(alpha))
    v = v.astype(np.float64)
    one = np.ones_like(v)
    match activation:
        case "linear":
            return _plain(one)
        case "relu":
            return _plain(np.where(v <= 0, 0.0, 1.0))
        case "relu6":
            return _plain(np.where((v <= 0) | (v >= 6), 0.0, 1.0))
        case "leaky_relu":
            return _plain(np.where(v <= 0, a, 1.0))
        case "elu" if a < 0:
            return _plain(np.where(v <= 0, a * np.exp(v), 1.0))
        case "elu":
            return np.where(v <= 0, v + a, 1.0), np.where(v <= 0, np.abs(v) + a, 1.0)
        case "sigmoid":
            return v * (1 - v), np.abs(v) * (1 + np.abs(v))
        case "hard_sigmoid":
            return _plain(np.where((v <= 0) | (v >= 1), 0.0, 1 / 6))
        case "tanh":
            return (1 - v) * (1 + v), 1 + v * v
        case "silu":
            s = sigmoid(v)
            return s * (1 + v * (1 - s)), s * (1 + np.abs(v))
        case "hard_swish":
            inside = np.where(v >= 3, 1.0, v / 3 + 0.5)
            return np.where(v <= -3, 0.0, inside), np.abs(v) + 1
    raise ValueError(activation)


@np.errstate(all="ignore")
def unary(x: np.ndarray, kind: str, **attrs: Any) -> Slope:
    x = x.astype(np.float64)
    match kind:
        case "exp":
            return _plain(np.exp(x))
        case "log":
            return _plain(1 / x)
        case "sqrt":
            return _plain(0.5 / np.sqrt(x))
        case "rsqrt":
            return _plain(-0.5 * x**-1.5)
        case "square":
            return _plain(2 * x)
        case "abs":
            return _plain(np.sign(x))
        case "negative":
            return _plain(-np.ones_like(x))
        case "floor" | "ceil" | "round" | "sign":
            return _plain(np.zeros_like(x))
        case "sin":
            return _plain(np.cos(x))
        case "cos":
            return _plain(-np.sin(x))
        case "tan":
            return _plain(1 + np.tan(x) ** 2)
        case "arcsin":
            return _plain(1 / np.sqrt(1 - x * x))
        case "arccos":
            return _plain(-1 / np.sqrt(1 - x * x))
        case "arctan":
            return _plain(1 / (1 + x * x))
        case "sinh":
            return _plain(np.cosh(x))
        case "cosh":
            return _plain(np.sinh(x))
        case "arcsinh":
            return _plain(1 / np.sqrt(1 + x * x))
        case "arccosh":
            return _plain(1 / np.sqrt((x - 1) * (x + 1)))
        case "arctanh":
            return _plain(1 / ((1 - x) * (1 + x)))
        case "erf":
            return _plain(2 / np.sqrt(np.pi) * np.exp(-x * x))
        case "reciprocal":
            return _plain(-1 / (x * x))
        case "clip":
            inside = (x >= attrs.get("min", -np.inf)) & (x <= attrs.get("max", np.inf))
            return _plain(np.where(inside, 1.0, 0.0))
        case "softplus":
            return _plain(sigmoid(x))
        case "gelu":
            phi = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
            cdf = 0.5 * _erfc(-x * math.sqrt(0.5))
            return cdf + x * phi, cdf + np.abs(x) * phi * (1 + x * x)
        case "gelu_tanh":
            k = 2 * math.sqrt(2 / math.pi)
            s = sigmoid(k * (x + 0.044715 * x**3))
            inner = k * (1 + 3 * 0.044715 * x * x)
            terms = np.abs(x) * s * (1 - s) * inner
            return s + x * s * (1 - s) * inner, (s + terms) * (1 + np.abs(x) ** 3)
        case "mish":
            t, s = np.tanh(softplus(x)), sigmoid(x)
            return t + x * s * (1 - t * t), t + np.abs(x) * s * (1 - t * t)
        case "thresholded_relu":
            return _plain(np.where(x <= attrs.get("threshold", 0.0), attrs.get("slope", 0.0), 1.0))
    raise ValueError(kind)
