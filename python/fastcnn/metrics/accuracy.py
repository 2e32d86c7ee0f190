"""How often predictions are right."""

from __future__ import annotations

from typing import Any

from fastcnn import ops
from fastcnn._checks import number, positive_int
from fastcnn.losses._tensors import as_float, class_rows, expand_last, pair
from fastcnn.losses.crossentropy import labels_other_than
from fastcnn.losses.loss import spread_weights
from fastcnn.metrics.reduction import MeanMetricWrapper


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where a prediction equals its target, 0 elsewhere.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape

    Returns
    -------
    array or Value, of that shape

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.accuracy([1, 2, 3], [1, 2, 4])
    array([1., 1., 0.], dtype=float32)
    """
    return ops.equal(*pair("accuracy", y_true, y_pred))


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where a prediction is on the side of the threshold that its label, 0 or 1, tells.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape
    threshold : float, default 0.5
        Predictions above it say 1.

    Returns
    -------
    array or Value, of that shape

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.binary_accuracy([1, 0, 1], [0.9, 0.2, 0.5])
    array([1., 1., 0.], dtype=float32)
    """
    y_true, y_pred = pair("binary_accuracy", y_true, y_pred)
    return ops.equal(y_true, ops.greater(y_pred, float(threshold)))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is that of the class with the largest share.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., classes)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.], dtype=float32)
    """
    y_true, y_pred = pair("categorical_accuracy", y_true, y_pred)
    return _same_class(ops.argmax(y_true, axis=-1), y_pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is that of the class the label names.

    Parameters
    ----------
    y_true : array or Value, shape (...) or (..., 1)
        Class numbers.
    y_pred : array or Value, shape (..., classes)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.], dtype=float32)
    """
    return _same_class(*class_rows("sparse_categorical_accuracy", y_true, y_pred))


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where fewer than k predictions are larger than that of the class with the largest share.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., classes)
    k : int, default 5

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.top_k_categorical_accuracy([[1, 0, 0], [0, 1, 0]], [[0.4, 0.5, 0.1]] * 2, k=1)
    array([0., 1.], dtype=float32)
    """
    y_true, y_pred = pair("top_k_categorical_accuracy", y_true, y_pred)
    return _in_top_k(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where fewer than k predictions are larger than that of the class the label names.

    Parameters
    ----------
    y_true : array or Value, shape (...) or (..., 1)
        Class numbers.
    y_pred : array or Value, shape (..., classes)
    k : int, default 5

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.sparse_top_k_categorical_accuracy([0, 2], [[0.4, 0.5, 0.1]] * 2, k=2)
    array([1., 0.], dtype=float32)
    """
    return _in_top_k(*class_rows("sparse_top_k_categorical_accuracy", y_true, y_pred), k)


def _same_class(labels: Any, y_pred: Any) -> Any:
    return ops.equal(as_float(labels), as_float(ops.argmax(y_pred, axis=-1)))


def _in_top_k(labels: Any, y_pred: Any, k: int) -> Any:
    mine = ops.one_hot(labels, y_pred.shape[-1])
    score = ops.sum(ops.where(mine, y_pred, 0.0), axis=-1)
    larger = ops.sum(ops.greater(y_pred, expand_last(score)), axis=-1)
    # Neither a label that is no class nor a score that is NaN is among the best.
    known = ops.sum(mine, axis=-1) * ops.equal(score, score)
    return ops.less(larger, float(k)) * known


class Accuracy(MeanMetricWrapper):
    """How often predictions equal their targets.

    Parameters
    ----------
    name : str, default "accuracy"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
    0.75
    """

    def __init__(self, name: str | None = "accuracy", dtype: str | None = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often predictions are on the right side of a threshold.

    Parameters
    ----------
    name : str, default "binary_accuracy"
    dtype : str, optional
    threshold : float, default 0.5
        Predictions above it say 1.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.BinaryAccuracy()([1, 1, 0, 0], [0.98, 1, 0, 0.6])
    0.75
    """

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: str | None = None, threshold: float = 0.5
    ) -> None:
        self.threshold = number("BinaryAccuracy", "threshold", threshold)
        super().__init__(binary_accuracy, name, dtype, threshold=self.threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is that of the right class; targets are one-hot.

    Parameters
    ----------
    name : str, default "categorical_accuracy"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.CategoricalAccuracy()([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    0.5
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: str | None = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class WithoutClass(MeanMetricWrapper):
    """A metric of class numbers of which one may not count."""

    ignore_class: int | None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: arguments as for `MeanMetricWrapper`."""
        if self.ignore_class is not None:
            labels, y_pred = class_rows(self.name, y_true, y_pred)
            counts = labels_other_than(labels, self.ignore_class)
            if sample_weight is not None:
                counts = counts * spread_weights(self.name, sample_weight, tuple(labels.shape))
            y_true, sample_weight = labels, counts
        super().update_state(y_true, y_pred, sample_weight)


class SparseCategoricalAccuracy(WithoutClass):
    """How often the largest prediction is that of the right class; targets are class numbers.

    Parameters
    ----------
    name : str, default "sparse_categorical_accuracy"
    dtype : str, optional
    ignore_class : int, optional
        A label that does not count.

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.SparseCategoricalAccuracy(ignore_class=255)
    >>> metric([1, 0, 255], [[0.1, 0.9], [0.2, 0.8], [0.5, 0.5]])
    0.5
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_accuracy",
        dtype: str | None = None,
        ignore_class: int | None = None,
    ) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)
        self.ignore_class = ignore_class


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the right class is among the k largest predictions; targets are one-hot.

    Parameters
    ----------
    k : int, default 5
    name : str, default "top_k_categorical_accuracy"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.TopKCategoricalAccuracy(k=1)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8]] * 2)
    0.5
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "top_k_categorical_accuracy",
        dtype: str | None = None,
    ) -> None:
        self.k = positive_int("TopKCategoricalAccuracy", "k", k)
        super().__init__(top_k_categorical_accuracy, name, dtype, k=self.k)


class SparseTopKCategoricalAccuracy(WithoutClass):
    """How often the right class is among the k largest predictions; targets are class numbers.

    Parameters
    ----------
    k : int, default 5
    name : str, default "sparse_top_k_categorical_accuracy"
    dtype : str, optional
    ignore_class : int, optional
        A label that does not count.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.SparseTopKCategoricalAccuracy(k=2)([2, 0], [[0.1, 0.9, 0.8]] * 2)
    0.5
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: str | None = None,
        ignore_class: int | None = None,
    ) -> None:
        self.k = positive_int("SparseTopKCategoricalAccuracy", "k", k)
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=self.k)
        self.ignore_class = ignore_class
