"""Normalisations and softmax by their formulas, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np


def _affine(y: np.ndarray, operands: tuple[np.ndarray, ...], attrs: dict[str, Any]) -> np.ndarray:
    rest = list(operands)
    if attrs.get("scale", True):
        y = y * rest.pop(0)
    if attrs.get("center", True):
        y = y + rest.pop(0)
    return y


def _normal(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> np.ndarray:
    mean = x.mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + epsilon)


def batch_norm(x: np.ndarray, *operands: np.ndarray, **attrs: Any) -> np.ndarray:
    *affine, mean, var = (o.astype(np.float64) for o in operands)
    return _affine((x - mean) / np.sqrt(var + attrs.get("epsilon", 1e-3)), tuple(affine), attrs)


def group_norm(x: np.ndarray, *operands: np.ndarray, **attrs: Any) -> np.ndarray:
    groups = attrs["groups"]
    grouped = x.astype(np.float64).reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    axes = (*range(1, x.ndim - 1), x.ndim)
    return _affine(
        _normal(grouped, axes, attrs.get("epsilon", 1e-3)).reshape(x.shape), operands, attrs
    )


def instance_norm(x: np.ndarray, *operands: np.ndarray, **attrs: Any) -> np.ndarray:
    return group_norm(x, *operands, groups=x.shape[-1], **attrs)


def layer_norm(x: np.ndarray, *operands: np.ndarray, **attrs: Any) -> np.ndarray:
    axes = tuple(np.atleast_1d(attrs.get("axis", -1)))
    return _affine(_normal(x.astype(np.float64), axes, attrs.get("epsilon", 1e-3)), operands, attrs)


def l2_normalize(x: np.ndarray, axis: Any = -1, epsilon: float = 1e-12) -> np.ndarray:
    x = x.astype(np.float64)
    axes = tuple(np.atleast_1d(axis))
    return x / np.sqrt(np.maximum((x**2).sum(axis=axes, keepdims=True), epsilon))


def lrn(
    x: np.ndarray, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> np.ndarray:
    x = x.astype(np.float64)
    padded = np.pad(x**2, [(0, 0)] * (x.ndim - 1) + [(size // 2, size // 2)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)
    return x / (bias + alpha / size * windows.sum(axis=-1)) ** beta


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    with np.errstate(all="ignore"):
        d = x.astype(np.float64) - np.max(x, axis=axis, keepdims=True)
        return d - np.log(np.exp(d).sum(axis=axis, keepdims=True))


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.exp(log_softmax(x, axis))


def batch_norm_training(
    x: np.ndarray, *operands: np.ndarray, **attrs: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(y before the activation, mean, variance, rstd); a residual is the last operand."""
    x = x.astype(np.float64)
    axes = tuple(range(x.ndim - 1))
    own = attrs.get("scale", True) + attrs.get("center", True)
    mean = x.mean(axis=axes)
    variance = ((x - mean) ** 2).mean(axis=axes)
    rstd = 1 / np.sqrt(variance + attrs.get("epsilon", 1e-3))
    y = _affine((x - mean) * rstd, operands[:own], attrs)
    return y + (operands[own] if len(operands) > own else 0.0), mean, variance, rstd


def batch_norm_gradient(
    x: np.ndarray, dz: np.ndarray, gamma: np.ndarray, rstd: np.ndarray, mean: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dx, dgamma, dbeta); `mean` is None in training: it is that of x then."""
    x, dz = x.astype(np.float64), dz.astype(np.float64)
    axes = tuple(range(x.ndim - 1))
    h = (x - (x.mean(axis=axes) if mean is None else mean)) * rstd
    dgamma, dbeta = (dz * h).sum(axis=axes), dz.sum(axis=axes)
    n = x.size // x.shape[-1]
    if mean is None:
        dz = dz - dbeta / n - h * dgamma / n
    return gamma.astype(np.float64) * rstd * dz, dgamma, dbeta


def lrn_gradient(x: np.ndarray, dy: np.ndarray, **attrs: Any) -> tuple[np.ndarray, np.ndarray]:
    """(dx, the sum of its terms' absolute values)"""
    size, alpha = attrs.get("size", 5), attrs.get("alpha", 1e-4)
    beta, bias = attrs.get("beta", 0.75), attrs.get("bias", 1.0)
    x, dy = x.astype(np.float64), dy.astype(np.float64)

    def around(v: np.ndarray) -> np.ndarray:
        padded = np.pad(v, [(0, 0)] * (v.ndim - 1) + [(size // 2, size // 2)])
        return sum(padded[..., k : k + v.shape[-1]] for k in range(size))

    base = bias + alpha / size * around(x * x)
    factor = 2 * alpha * beta / size * x
    own, products = dy * base**-beta, dy * x * base ** (-beta - 1)
    return own - factor * around(products), np.abs(own) + np.abs(factor) * around(np.abs(products))
