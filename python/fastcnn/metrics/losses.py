"""Losses as metrics: their means over all batches."""

from __future__ import annotations

from typing import Any

from fastcnn import losses
from fastcnn.losses.embedding import TripletLoss
from fastcnn.metrics.accuracy import WithoutClass
from fastcnn.metrics.reduction import MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """``mean((y_true - y_pred) ** 2)``.

    Parameters
    ----------
    name : str, default "mean_squared_error"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]])
    0.5
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: str | None = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """``mean(|y_true - y_pred|)``.

    Parameters
    ----------
    name : str, default "mean_absolute_error"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.MeanAbsoluteError()([[0.0, 1.0]], [[3.0, 1.0]])
    1.5
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: str | None = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """``100 * mean(|y_true - y_pred| / |y_true|)``.

    Parameters
    ----------
    name : str, default "mean_absolute_percentage_error"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]])
    25.0
    """

    def __init__(
        self, name: str | None = "mean_absolute_percentage_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """``mean((log(1 + y_true) - log(1 + y_pred)) ** 2)``.

    Parameters
    ----------
    name : str, default "mean_squared_logarithmic_error"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.MeanSquaredLogarithmicError()([[0.0, 1.0]], [[0.0, 1.0]])
    0.0
    """

    def __init__(
        self, name: str | None = "mean_squared_logarithmic_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """``mean(log(cosh(y_pred - y_true)))``.

    Parameters
    ----------
    name : str, default "logcosh"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.LogCoshError()([[2.0]], [[2.0]])
    0.0
    """

    def __init__(self, name: str | None = "logcosh", dtype: str | None = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


class Hinge(MeanMetricWrapper):
    """``mean(max(1 - y_true * y_pred, 0))`` for labels -1 and 1, or 0 and 1.

    Parameters
    ----------
    name : str, default "hinge"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.Hinge()([[0, 1]], [[0.5, 3.0]])
    0.75
    """

    def __init__(self, name: str | None = "hinge", dtype: str | None = None) -> None:
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """``mean(max(1 - y_true * y_pred, 0) ** 2)`` for labels -1 and 1, or 0 and 1.

    Parameters
    ----------
    name : str, default "squared_hinge"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.SquaredHinge()([[0, 1]], [[0.5, 3.0]])
    1.125
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: str | None = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """The right class's score against the best of the others, with a margin of 1.

    Parameters
    ----------
    name : str, default "categorical_hinge"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.CategoricalHinge()([[0, 1, 0]], [[0.5, 0.75, 0.0]])
    0.75
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: str | None = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """The Kullback-Leibler divergence: ``sum(y_true * log(y_true / y_pred))``.

    Parameters
    ----------
    name : str, default "kl_divergence"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
    0.0
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: str | None = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """``mean(y_pred - y_true * log(y_pred))``.

    Parameters
    ----------
    name : str, default "poisson"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.Poisson()([[0.0, 0.0]], [[1.0, 3.0]])
    2.0
    """

    def __init__(self, name: str | None = "poisson", dtype: str | None = None) -> None:
        super().__init__(losses.poisson, name, dtype)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between vectors: minus the loss of that name.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape
    axis : int, default -1
        Along which the vectors lie.

    Returns
    -------
    array or Value, of the shape without this axis

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.cosine_similarity([[1.0, 0.0]], [[2.0, 0.0]])
    array([1.], dtype=float32)
    """
    return losses.cosine_similarity(y_true, y_pred, axis) * -1.0


class CosineSimilarity(MeanMetricWrapper):
    """The cosine of the angle between targets and predictions.

    Parameters
    ----------
    name : str, default "cosine_similarity"
    dtype : str, optional
    axis : int, default -1
        Along which the vectors lie.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.CosineSimilarity()([[0.0, 1.0], [1.0, 0.0]], [[0.0, 5.0], [0.0, 2.0]])
    0.5
    """

    def __init__(
        self, name: str | None = "cosine_similarity", dtype: str | None = None, axis: int = -1
    ) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)
        self.axis = axis


class BinaryCrossentropy(MeanMetricWrapper):
    """Cross-entropy between labels 0 and 1 and the probability of 1.

    Parameters
    ----------
    name : str, default "binary_crossentropy"
    dtype : str, optional
    from_logits : bool, default False
        Whether predictions are scores to which no sigmoid was applied.
    label_smoothing : float, default 0.0
        How far the targets are drawn towards one half.

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(fc.metrics.BinaryCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 3)
    0.815
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            losses.binary_crossentropy, name, dtype,
            from_logits=from_logits, label_smoothing=label_smoothing,
        )  # fmt: skip
        self.from_logits = bool(from_logits)
        self.label_smoothing = label_smoothing


class CategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy between shares, such as one-hot labels, and the probabilities of the classes.

    Parameters
    ----------
    name : str, default "categorical_crossentropy"
    dtype : str, optional
    from_logits : bool, default False
        Whether predictions are scores to which no softmax was applied.
    label_smoothing : float, default 0.0
        The share of the targets that is spread evenly over the classes.
    axis : int, default -1
        The last.

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.CategoricalCrossentropy()
    >>> round(metric([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]), 3)
    1.177
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.categorical_crossentropy, name, dtype,
            from_logits=from_logits, label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip
        self.from_logits = bool(from_logits)
        self.label_smoothing = label_smoothing
        self.axis = axis


class SparseCategoricalCrossentropy(WithoutClass):
    """Cross-entropy between class numbers and the probabilities of the classes.

    Parameters
    ----------
    name : str, default "sparse_categorical_crossentropy"
    dtype : str, optional
    from_logits : bool, default False
        Whether predictions are scores to which no softmax was applied.
    axis : int, default -1
        The last.
    ignore_class : int, optional
        A label that does not count.

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.SparseCategoricalCrossentropy()
    >>> round(metric([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]), 3)
    1.177
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        axis: int = -1,
        ignore_class: int | None = None,
    ) -> None:
        super().__init__(
            losses.sparse_categorical_crossentropy, name, dtype,
            from_logits=from_logits, axis=axis, ignore_class=ignore_class,
        )  # fmt: skip
        self.from_logits = bool(from_logits)
        self.axis = axis
        self.ignore_class = ignore_class


class ActiveTriplets(MeanMetricWrapper):
    """The share of the triplets of a batch that violate the margin: see `TripletLoss`.

    Training that works makes it fall. Where it is 1 and the loss stays near the margin, all
    embeddings have become the same.

    Parameters
    ----------
    margin : float, default 0.2
    mining : {"all", "hard", "semihard"}
    distance : {"squared_l2", "l2", "cosine"}
        As for `fastcnn.losses.TripletLoss`.
    name : str, default "active_triplets"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.ActiveTriplets(margin=0.25, mining="hard")
    >>> metric([0, 0, 1, 1], [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [1.0, 2.0]])
    0.5
    """

    def __init__(
        self,
        margin: float = 0.2,
        mining: str = "semihard",
        distance: str = "squared_l2",
        name: str | None = "active_triplets",
        dtype: str | None = None,
    ) -> None:
        loss = TripletLoss(margin, mining, distance)
        super().__init__(loss.active_share, name, dtype)
        self.margin, self.mining, self.distance = loss.margin, loss.mining, loss.distance


class EmbeddingDistance(MeanMetricWrapper):
    """The mean distance between two embeddings of a batch, whatever their labels.

    Far below the margin of a triplet loss it shows a collapse: all embeddings are the same.

    Parameters
    ----------
    distance : {"squared_l2", "l2", "cosine"}
        As for `fastcnn.losses.TripletLoss`.
    name : str, default "embedding_distance"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.EmbeddingDistance()([0, 0, 1], [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    3.33...
    """

    def __init__(
        self,
        distance: str = "squared_l2",
        name: str | None = "embedding_distance",
        dtype: str | None = None,
    ) -> None:
        super().__init__(TripletLoss(distance=distance).mean_distance, name, dtype)
        self.distance = distance
