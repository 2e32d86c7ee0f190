"""Classification losses and their gradients by their formulas, in float64."""

from __future__ import annotations

import numpy as np

from tests.reference.elementwise import sigmoid


@np.errstate(all="ignore")
def _log_softmax(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(log probabilities, the logarithm of the sum of exponentials)"""
    m = x.max(axis=-1, keepdims=True)
    lse = m + np.log(np.exp(x - m).sum(axis=-1, keepdims=True))
    return x - lse, lse[..., 0]


def shares_of(labels: np.ndarray, classes: int, ignore_class: int | None = None) -> np.ndarray:
    """Labels as shares of each class: no share where ignored, NaN where out of range."""
    if labels.dtype == np.float32:
        return labels.astype(np.float64)
    labels = labels.astype(np.int64)
    shares = (labels[..., None] == np.arange(classes)).astype(np.float64)
    shares[(labels < 0) | (labels >= classes)] = np.nan
    shares[labels == ignore_class] = 0
    return shares


@np.errstate(all="ignore")
def softmax_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, *, ignore_class: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    log_p, lse = _log_softmax(logits.astype(np.float64))
    shares = shares_of(labels, logits.shape[-1], ignore_class)
    return -np.where(shares == 0, 0.0, shares * log_p).sum(axis=-1), lse


@np.errstate(all="ignore")
def softmax_cross_entropy_gradient(
    logits: np.ndarray, labels: np.ndarray, dloss: np.ndarray, *, ignore_class: int | None = None
) -> np.ndarray:
    log_p, _ = _log_softmax(logits.astype(np.float64))
    shares = shares_of(labels, logits.shape[-1], ignore_class)
    total = shares.sum(axis=-1, keepdims=True)
    dx = (np.exp(log_p) * total - shares) * dloss[..., None]
    if ignore_class is not None:
        dx[labels == ignore_class] = 0
    return dx


def sigmoid_cross_entropy(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))


def sigmoid_cross_entropy_gradient(x: np.ndarray, t: np.ndarray, dloss: np.ndarray) -> np.ndarray:
    return (sigmoid(x.astype(np.float64)) - t) * dloss


def softmax_gradient(y: np.ndarray, dy: np.ndarray, axis: int = -1) -> np.ndarray:
    y = y.astype(np.float64)
    return y * (dy - (y * dy).sum(axis=axis, keepdims=True))


def log_softmax_gradient(y: np.ndarray, dy: np.ndarray, axis: int = -1) -> np.ndarray:
    return dy - np.exp(y.astype(np.float64)) * dy.astype(np.float64).sum(axis=axis, keepdims=True)
