"""The base of the losses: what is done with a loss for each sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcnn import naming, ops
from fastcnn._checks import one_of
from fastcnn.errors import ShapeError, UnsupportedError
from fastcnn.losses._tensors import (
    as_float,
    class_rows,
    expand_last,
    match_ranks,
    size_of,
    squeeze_last,
)
from fastcnn.serialization import Configurable

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(Configurable):
    """Base of the losses; one's own defines ``call`` with functions of `fastcnn.ops`.

    Parameters
    ----------
    name : str, optional
        The class's name in snake case unless given.
    reduction : {"sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None}
        What is made of the losses of the samples, multiplied by their weights: their mean, which
        ``"mean"`` is another name of, their sum, their sum divided by that of the weights, or, with
        ``"none"`` and None, themselves.
    dtype : str, optional
        ``"float32"``.

    Examples
    --------
    >>> import fastcnn as fc
    >>> class Cubic(fc.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         error = fc.ops.absolute(y_true - y_pred)
    ...         return fc.ops.mean(error * error * error, axis=-1)
    >>> float(Cubic()([[0.0, 0.0], [1.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]]))
    2.0
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: str | None = None,
    ) -> None:
        cls = type(self).__name__
        if dtype not in (None, "float32"):
            raise UnsupportedError(f"{cls}: expected dtype float32, got {dtype!r}")
        self.name = name or naming.to_snake_case(cls)
        self.reduction = one_of(cls, "reduction", reduction, REDUCTIONS)
        self.dtype = "float32"

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the loss.

        Parameters
        ----------
        y_true : array or Value
            The targets.
        y_pred : array or Value
            The predictions.
        sample_weight : array or Value, optional
            A weight for each sample, or for each loss that `call` gives: its axes are the first of
            theirs. A mask is such a weight.

        Returns
        -------
        array or Value
            One number, unless the reduction says otherwise.
        """
        y_true, y_pred = self._operands(y_true, y_pred)
        values = self.call(y_true, y_pred)
        valid = self._valid(y_true, values)
        return reduce_weighted(values, sample_weight, valid, self.reduction, self.name)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        raise TypeError(f"{type(self).__name__} defines no call(self, y_true, y_pred)")

    def _operands(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """What `call` gets."""
        return as_float(y_true), as_float(y_pred)

    def _valid(self, y_true: Any, values: Any) -> Any:
        """Which losses count, 1 or 0 each; None: all. Of those that do not the loss is 0."""
        return None


class LossFunctionWrapper(Loss):
    """A function of targets and predictions as a loss.

    Parameters
    ----------
    fn : callable
        ``fn(y_true, y_pred, **kwargs)`` gives the loss of each sample, composed of functions of
        `fastcnn.ops`.
    reduction, name, dtype
        As for `Loss`; the function's name unless one is given.
    **kwargs
        Further arguments of the function.

    Examples
    --------
    >>> import fastcnn as fc
    >>> loss = fc.losses.LossFunctionWrapper(fc.losses.huber, delta=0.5)
    >>> float(loss([[0.0]], [[2.0]]))
    0.875
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None), reduction, dtype)
        self.fn = fn
        self._kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return self.fn(*match_ranks(y_true, y_pred), **self._kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), **self._kwargs}

    @classmethod
    def from_config(cls, config: Any) -> LossFunctionWrapper:
        """Make one from what `get_config` returned."""
        from fastcnn.losses import find_function

        return cls(**{**config, "fn": find_function(config["fn"])})


class BuiltinLoss(Loss):
    """A loss of the library: Keras has its arguments in this order."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class SparseLoss(BuiltinLoss):
    """A loss whose targets are class numbers, of which one may be ignored."""

    def __init__(
        self,
        from_logits: bool,
        ignore_class: int | None,
        reduction: str | None,
        name: str | None,
        dtype: str | None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits = bool(from_logits)
        self.ignore_class = ignore_class

    def _operands(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        return class_rows(self.name, y_true, y_pred)


def spread_weights(owner: str, weights: Any, shape: tuple[int, ...]) -> Any:
    """Weights of samples as weights of all elements of a shape, whose first axes they have.

    Raises
    ------
    ShapeError
        They have other axes.
    """
    weights = as_float(weights)
    given = tuple(weights.shape)
    if len(given) == len(shape) + 1 and given[-1] == 1:
        weights = squeeze_last(weights)
    weights = expand_last(weights, len(shape) - len(weights.shape))
    mine = tuple(weights.shape)
    if len(mine) != len(shape) or any(n not in (1, m) for n, m in zip(mine, shape, strict=True)):
        raise ShapeError(
            f"{owner}: expected sample_weight of shape {shape} or of its first axes, got {given}"
        )
    return weights if mine == shape else ops.broadcast_to(weights, shape)


def reduce_weighted(
    values: Any, sample_weight: Any, valid: Any, reduction: str | None, owner: str
) -> Any:
    """Make of the samples' losses what a reduction says."""
    shape = tuple(values.shape)
    weights = valid
    if sample_weight is not None:
        weights = spread_weights(owner, sample_weight, shape)
        values = values * weights
        weights = weights if valid is None else weights * valid
    if reduction in ("none", None) or not shape:
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weights is not None:
        return divide_no_nan(total, ops.sum(weights))
    if valid is not None:  # those that do not count are not there
        return total / ops.maximum(ops.sum(valid), 1.0)
    return total * (1.0 / max(1, size_of(shape)))


def divide_no_nan(a: Any, b: Any) -> Any:
    """``a / b``, and 0 where b is 0."""
    zero = ops.equal(b, 0.0)
    return a / (b + zero) * (1.0 - zero)
