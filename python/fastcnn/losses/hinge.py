"""Losses of classifiers with a margin."""

from __future__ import annotations

from typing import Any

from fastcnn import ops
from fastcnn.losses._tensors import pair
from fastcnn.losses.loss import BuiltinLoss


def hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis.

    Parameters
    ----------
    y_true : array or Value, shape (..., d)
        Labels -1 and 1; if all are 0 and 1, 0 counts as -1.
    y_pred : array or Value, shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.hinge([[-1, 1]], [[0.5, 3.0]])
    array([0.75], dtype=float32)
    """
    return ops.mean(_shortfall("hinge", y_true, y_pred), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y_true * y_pred, 0) ** 2)`` over the last axis.

    Parameters
    ----------
    y_true : array or Value, shape (..., d)
        Labels -1 and 1; if all are 0 and 1, 0 counts as -1.
    y_pred : array or Value, shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.squared_hinge([[-1, 1]], [[0.5, 3.0]])
    array([1.125], dtype=float32)
    """
    return ops.mean(ops.square(_shortfall("squared_hinge", y_true, y_pred)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``max(neg - pos + 1, 0)``: the right class's score against the best of the others.

    Parameters
    ----------
    y_true : array or Value, shape (..., classes)
        1 for the right class, 0 for the others.
    y_pred : array or Value, shape (..., classes)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.categorical_hinge([[0, 1, 0]], [[0.5, 0.75, 0.0]])
    array([0.75], dtype=float32)
    """
    y_true, y_pred = pair("categorical_hinge", y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis=-1)
    other = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(other - right + 1.0, 0.0)


def _shortfall(owner: str, y_true: Any, y_pred: Any) -> Any:
    """By how much each prediction misses the margin."""
    y_true, y_pred = pair(owner, y_true, y_pred)
    # 0 at 0 and 1 alone; where all labels are these, y becomes 2 y - 1.
    other = ops.max(ops.absolute(y_true * (y_true - 1.0)))
    binary = ops.equal(other, 0.0)
    labels = y_true + (y_true - 1.0) * binary
    return ops.maximum(1.0 - labels * y_pred, 0.0)


class Hinge(BuiltinLoss):
    """``mean(max(1 - y_true * y_pred, 0))`` for labels -1 and 1, or 0 and 1.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.Hinge()([[0, 1]], [[0.5, 3.0]]))
    0.75
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return hinge(y_true, y_pred)


class SquaredHinge(BuiltinLoss):
    """``mean(max(1 - y_true * y_pred, 0) ** 2)`` for labels -1 and 1, or 0 and 1.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.SquaredHinge()([[0, 1]], [[0.5, 3.0]]))
    1.125
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return squared_hinge(y_true, y_pred)


class CategoricalHinge(BuiltinLoss):
    """The right class's score against the best of the others, with a margin of 1.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.CategoricalHinge()([[0, 1, 0]], [[0.5, 0.75, 0.0]]))
    0.75
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return categorical_hinge(y_true, y_pred)
