"""Sums and means of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn import ops
from fastcnn.losses._tensors import as_float, axes_from, match_ranks, pair
from fastcnn.metrics.metric import Metric, plain, ratio


def by_sample(values: Any, weights: Any, reduce: Callable[..., Any]) -> tuple[Any, Any]:
    """Weighted values, and their weights, one a sample.

    `reduce`, a sum or a mean, is applied to axes that weights do not have, and then to all axes but
    the first.
    """
    values = as_float(values)
    if weights is not None:
        values, weights = match_ranks(values, as_float(weights))
        rank = len(weights.shape)
        if len(values.shape) > rank:
            values = reduce(values, axis=axes_from(rank, len(values.shape)))
        if tuple(weights.shape) != tuple(values.shape):
            weights = ops.broadcast_to(weights, tuple(values.shape))
        values = values * weights
        if rank > 1:
            weights = reduce(weights, axis=axes_from(1, rank))
    if len(values.shape) > 1:
        values = reduce(values, axis=axes_from(1, len(values.shape)))
    return values, weights


class Sum(Metric):
    """The sum of all values.

    Parameters
    ----------
    name : str, default "sum"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.Sum()([1.0, 3.0, 5.0], sample_weight=[1.0, 0.0, 2.0])
    11.0
    """

    def __init__(self, name: str | None = "sum", dtype: str | None = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values.

        Parameters
        ----------
        values : array or Value
        sample_weight : array or Value, optional
            Its axes are the first of the values'.
        """
        self.total.assign_add(ops.sum(by_sample(values, sample_weight, ops.sum)[0]))

    def result(self) -> Any:
        """Give the sum."""
        return plain(self.total.numpy())


class MeanOf(Metric):
    """A mean of values, whatever they are computed from."""

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def add(self, values: Any, sample_weight: Any = None) -> None:
        """Add values; the mean over all axes but the first is the value of a sample."""
        values, weights = by_sample(values, sample_weight, ops.mean)
        self.total.assign_add(ops.sum(values))
        if weights is not None:
            self.count.assign_add(ops.sum(weights))
        else:
            self.count.assign_add(float(values.shape[0]) if values.shape else 1.0)

    def result(self) -> Any:
        """Give the mean; 0 of nothing."""
        return ratio(self.total.numpy(), self.count.numpy())


class Mean(MeanOf):
    """The mean of all values, weighted.

    Parameters
    ----------
    name : str, default "mean"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> mean = fc.metrics.Mean()
    >>> mean.update_state([1.0, 3.0])
    >>> mean.update_state([8.0])
    >>> mean.result()
    4.0
    """

    def __init__(self, name: str | None = "mean", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values.

        Parameters
        ----------
        values : array or Value
            The mean over all axes but the first is the value of a sample.
        sample_weight : array or Value, optional
            Its axes are the first of the values'.
        """
        self.add(values, sample_weight)


class MeanMetricWrapper(MeanOf):
    """The mean of a function of targets and predictions.

    Parameters
    ----------
    fn : callable
        ``fn(y_true, y_pred, **kwargs)`` gives a value for each sample, composed of functions of
        `fastcnn.ops`.
    name : str, optional
        The function's unless given.
    dtype : str, optional
    **kwargs
        Further arguments of the function.

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.MeanMetricWrapper(fc.losses.huber, delta=0.5)
    >>> metric([[0.0], [0.0]], [[2.0], [0.0]])
    0.4375
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None) or getattr(fn, "name", None), dtype)
        self.fn = fn
        self._kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true, y_pred : array or Value
            The targets and the predictions.
        sample_weight : array or Value, optional
            A weight for each sample, or for each value; 0 and 1 make it a mask.
        """
        self.add(self.fn(y_true, y_pred, **self._kwargs), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        own = super().get_config()
        return {**own, **self._kwargs} if type(self) is MeanMetricWrapper else own

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """Make one from what `get_config` returned."""
        if "fn" in config:
            from fastcnn.metrics import find_function

            config = {**config, "fn": find_function(config["fn"])}
        return cls(**config)


class RootMeanSquaredError(MeanOf):
    """``sqrt(mean((y_true - y_pred) ** 2))``.

    Parameters
    ----------
    name : str, default "root_mean_squared_error"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.RootMeanSquaredError()([[0.0, 0.0]], [[1.0, 7.0]])
    5.0
    """

    def __init__(
        self, name: str | None = "root_mean_squared_error", dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: arguments as for `MeanMetricWrapper`."""
        y_true, y_pred = pair(self.name, y_true, y_pred)
        self.add(ops.square(y_true - y_pred), sample_weight)

    def result(self) -> Any:
        """Give the root of the mean."""
        return float(np.sqrt(super().result()))
