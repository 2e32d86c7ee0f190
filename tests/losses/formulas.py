"""The losses' formulas in float64 NumPy: one loss for each sample."""

from __future__ import annotations

import numpy as np

EPSILON = 1e-7


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x):
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def clip(p):
    return np.clip(p, EPSILON, 1 - EPSILON)


def shares(p):
    return clip(p / p.sum(-1, keepdims=True))


def mean_squared_error(t, p):
    return ((t - p) ** 2).mean(-1)


def mean_absolute_error(t, p):
    return np.abs(t - p).mean(-1)


def mean_absolute_percentage_error(t, p):
    return 100 * (np.abs(t - p) / np.maximum(np.abs(t), EPSILON)).mean(-1)


def mean_squared_logarithmic_error(t, p):
    return ((np.log1p(np.maximum(t, EPSILON)) - np.log1p(np.maximum(p, EPSILON))) ** 2).mean(-1)


def huber(t, p, delta=1.0):
    e = np.abs(t - p)
    return np.where(e <= delta, 0.5 * e**2, delta * e - 0.5 * delta**2).mean(-1)


def log_cosh(t, p):
    e = np.abs(t - p)
    return (e + np.log1p(np.exp(-2 * e)) - np.log(2)).mean(-1)


def cosine_similarity(t, p, axis=-1):
    def unit(x):
        return x / np.sqrt(np.maximum((x**2).sum(axis, keepdims=True), EPSILON**2))

    return -(unit(t) * unit(p)).sum(axis)


def one_hot(labels, classes):
    return np.eye(classes)[labels.astype(int)]


def categorical_crossentropy(t, p, from_logits=False, label_smoothing=0.0):
    t = t * (1 - label_smoothing) + label_smoothing / p.shape[-1]
    return -(t * (log_softmax(p) if from_logits else np.log(shares(p)))).sum(-1)


def sparse_categorical_crossentropy(t, p, from_logits=False, ignore_class=None):
    t = t.reshape(p.shape[:-1])
    known = np.ones(t.shape) if ignore_class is None else t != ignore_class
    labels = np.where(known, t, 0)
    return categorical_crossentropy(one_hot(labels, p.shape[-1]), p, from_logits) * known


def binary(t, p, from_logits):
    if from_logits:
        return np.maximum(p, 0) - p * t + np.log1p(np.exp(-np.abs(p)))
    p = clip(p)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def binary_crossentropy(t, p, from_logits=False, label_smoothing=0.0):
    t = t * (1 - label_smoothing) + 0.5 * label_smoothing
    return binary(t, p, from_logits).mean(-1)


def binary_focal_crossentropy(
    t, p, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0
):
    t = t * (1 - label_smoothing) + 0.5 * label_smoothing
    losses = binary(t, p, from_logits)
    p = sigmoid(p) if from_logits else p
    losses = (1 - (t * p + (1 - t) * (1 - p))) ** gamma * losses
    if apply_class_balancing:
        losses = (t * alpha + (1 - t) * (1 - alpha)) * losses
    return losses.mean(-1)


def categorical_focal_crossentropy(
    t, p, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0
):
    t = t * (1 - label_smoothing) + label_smoothing / p.shape[-1]
    p = shares(softmax(p) if from_logits else p)
    return -(np.asarray(alpha) * (1 - p) ** gamma * t * np.log(p)).sum(-1)


def sparse_categorical_focal_crossentropy(t, p, gamma=2.0, from_logits=False, ignore_class=None):
    losses = sparse_categorical_crossentropy(t, p, from_logits, ignore_class)
    return (1 - np.exp(-losses)) ** gamma * losses


def kl_divergence(t, p):
    t, p = np.clip(t, EPSILON, 1), np.clip(p, EPSILON, 1)
    return (t * np.log(t / p)).sum(-1)


def poisson(t, p):
    return (p - t * np.log(p + EPSILON)).mean(-1)


def signs(t):
    return 2 * t - 1 if np.isin(t, (0, 1)).all() else t


def hinge(t, p):
    return np.maximum(1 - signs(t) * p, 0).mean(-1)


def squared_hinge(t, p):
    return (np.maximum(1 - signs(t) * p, 0) ** 2).mean(-1)


def categorical_hinge(t, p):
    return np.maximum(((1 - t) * p).max(-1) - (t * p).sum(-1) + 1, 0)


def dice(t, p, axis=None):
    return 1 - 2 * (t * p).sum(axis) / (t.sum(axis) + p.sum(axis) + EPSILON)


def sparse_dice(t, p, from_logits=False, ignore_class=None):
    p = softmax(p) if from_logits else p
    t = t.reshape(p.shape[:-1])
    counted = t != ignore_class
    t, p = one_hot(t[counted], p.shape[-1]), p[counted]
    return dice(t, p, axis=0)


def tversky(t, p, alpha=0.5, beta=0.5, axis=None):
    common = (t * p).sum(axis)
    missed, vain = (t * (1 - p)).sum(axis), ((1 - t) * p).sum(axis)
    return 1 - common / (common + alpha * missed + beta * vain + EPSILON)


def contrastive_loss(y, d, margin=1.0):
    return (y * d**2 + (1 - y) * np.maximum(margin - d, 0) ** 2).mean(-1)


def distance(a, b, kind):
    if kind == "cosine":
        return 1 - (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    square = ((a - b) ** 2).sum(-1)
    return square if kind == "squared_l2" else np.sqrt(square)


def triplets(labels, x, margin, mining, kind):
    """The loss of a batch and the share of active triplets, by loops."""
    n = len(labels)
    d = distance(x[:, None], x[None], kind)
    found = []
    for a in range(n):
        positives = [p for p in range(n) if p != a and labels[p] == labels[a]]
        negatives = [q for q in range(n) if labels[q] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "hard":
            found.append(max(d[a, positives]) - min(d[a, negatives]) + margin)
            continue
        for p in positives:
            if mining == "all":
                found.extend(d[a, p] - d[a, q] + margin for q in negatives)
                continue
            further = [d[a, q] for q in negatives if d[a, q] > d[a, p]]
            chosen = min(further) if further else max(d[a, negatives])
            found.append(d[a, p] - chosen + margin)
    losses = np.maximum(np.array(found), 0)
    active = (losses > 0).sum()
    count = active if mining == "all" else len(losses)
    return losses.sum() / count if count else 0.0, active / len(losses) if len(losses) else 0.0
