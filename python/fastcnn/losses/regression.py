"""Losses between numbers."""

from __future__ import annotations

import math
from typing import Any

from fastcnn import ops
from fastcnn._checks import number
from fastcnn.errors import ConfigError
from fastcnn.losses._tensors import EPSILON, pair
from fastcnn.losses.loss import BuiltinLoss


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((y_true - y_pred) ** 2)`` over the last axis.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.mean_squared_error([[0.0, 1.0]], [[2.0, 1.0]])
    array([2.], dtype=float32)
    """
    y_true, y_pred = pair("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """``mean(|y_true - y_pred|)`` over the last axis.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.mean_absolute_error([[0.0, 1.0]], [[2.0, 1.0]])
    array([1.], dtype=float32)
    """
    y_true, y_pred = pair("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.absolute(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """``100 * mean(|y_true - y_pred| / |y_true|)`` over the last axis; 1e-7 is the least divisor.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.mean_absolute_percentage_error([[4.0, 1.0]], [[2.0, 1.0]])
    array([25.], dtype=float32)
    """
    y_true, y_pred = pair("mean_absolute_percentage_error", y_true, y_pred)
    scale = ops.maximum(ops.absolute(y_true), EPSILON)
    return ops.mean(ops.absolute(y_true - y_pred) / scale, axis=-1) * 100.0


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((log(1 + y_true) - log(1 + y_pred)) ** 2)`` over the last axis, of numbers >= 1e-7.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.mean_squared_logarithmic_error([[0.0, 1.0]], [[1.0, 1.0]]).round(3)
    array([0.24], dtype=float32)
    """
    y_true, y_pred = pair("mean_squared_logarithmic_error", y_true, y_pred)
    a, b = (ops.log(ops.maximum(y, EPSILON) + 1.0) for y in (y_pred, y_true))
    return ops.mean(ops.square(a - b), axis=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Squared for small errors, linear beyond `delta`; the mean over the last axis.

    ``e ** 2 / 2`` up to an error of delta, ``delta * |e| - delta ** 2 / 2`` from there.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., d)
    delta : float, default 1.0
        Positive.

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.huber([[0.0, 0.0]], [[0.5, 3.0]])
    array([1.3125], dtype=float32)
    """
    y_true, y_pred = pair("huber", y_true, y_pred)
    error = ops.absolute(y_true - y_pred)
    small = ops.minimum(error, float(delta))  # with it one formula serves both sides of delta
    return ops.mean(ops.square(small) * 0.5 + (error - small) * float(delta), axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """``mean(log(cosh(y_pred - y_true)))`` over the last axis, for errors of any size.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.log_cosh([[0.0, 0.0]], [[0.0, 100.0]]).round(3)
    array([49.653], dtype=float32)
    """
    y_true, y_pred = pair("log_cosh", y_true, y_pred)
    error = ops.absolute(y_pred - y_true)
    return ops.mean(error + ops.softplus(error * -2.0) - math.log(2.0), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between vectors: -1 is the same direction.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape
    axis : int, default -1
        Along which the vectors lie.

    Returns
    -------
    array or Value, of the shape without this axis
        0 where a vector is zero.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.cosine_similarity([[1.0, 0.0], [1.0, 1.0]], [[2.0, 0.0], [-3.0, -3.0]]).round(4)
    array([-1.,  1.], dtype=float32)
    """
    y_true, y_pred = pair("cosine_similarity", y_true, y_pred)
    a, b = (ops.l2_normalize(y, axis=axis, epsilon=EPSILON**2) for y in (y_true, y_pred))
    return ops.sum(a * b, axis=axis) * -1.0


class MeanSquaredError(BuiltinLoss):
    """``mean((y_true - y_pred) ** 2)``.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]))
    0.5
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return mean_squared_error(y_true, y_pred)


class MeanAbsoluteError(BuiltinLoss):
    """``mean(|y_true - y_pred|)``.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.MeanAbsoluteError()([[0.0, 1.0]], [[3.0, 1.0]]))
    1.5
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return mean_absolute_error(y_true, y_pred)


class MeanAbsolutePercentageError(BuiltinLoss):
    """``100 * mean(|y_true - y_pred| / |y_true|)``.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]))
    25.0
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return mean_absolute_percentage_error(y_true, y_pred)


class MeanSquaredLogarithmicError(BuiltinLoss):
    """``mean((log(1 + y_true) - log(1 + y_pred)) ** 2)``.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(float(fc.losses.MeanSquaredLogarithmicError()([[0.0, 1.0]], [[1.0, 1.0]])), 3)
    0.24
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return mean_squared_logarithmic_error(y_true, y_pred)


class Huber(BuiltinLoss):
    """Squared for small errors, linear for large ones; see `huber`.

    Parameters
    ----------
    delta : float, default 1.0
        Where it changes; positive.
    reduction, name, dtype
        As for `Loss`.

    References
    ----------
    P. J. Huber: Robust Estimation of a Location Parameter. Annals of Mathematical Statistics, 1964.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.Huber(delta=2.0)([[0.0, 0.0]], [[1.0, 4.0]]))
    3.25
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.delta = number("Huber", "delta", delta)
        if not self.delta > 0:
            raise ConfigError(f"Huber: delta: expected a positive number, got {delta!r}")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return huber(y_true, y_pred, self.delta)


class LogCosh(BuiltinLoss):
    """``mean(log(cosh(y_pred - y_true)))``: squared for small errors, absolute for large ones.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(float(fc.losses.LogCosh()([[0.0]], [[1.0]])), 3)
    0.434
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return log_cosh(y_true, y_pred)


class CosineSimilarity(BuiltinLoss):
    """Minus the cosine of the angle between targets and predictions.

    Parameters
    ----------
    axis : int, default -1
        Along which the vectors lie.
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.CosineSimilarity()([[0.0, 1.0]], [[0.0, 5.0]]))
    -1.0
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return cosine_similarity(y_true, y_pred, self.axis)
