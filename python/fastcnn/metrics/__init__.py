"""Metrics, under Keras' names: how good a model is, over all batches of an epoch.

A metric keeps sums. ``update_state`` adds a batch to them, as part of a training step or at once,
and ``result`` computes a number from them, in float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastcnn import losses as _losses, serialization
from fastcnn.errors import ConfigError
from fastcnn.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from fastcnn.metrics.confusion import (
    AUC,
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from fastcnn.metrics.levels import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from fastcnn.metrics.losses import (
    ActiveTriplets,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    EmbeddingDistance,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    cosine_similarity,
)
from fastcnn.metrics.metric import Metric
from fastcnn.metrics.overlap import (
    BinaryIoU,
    ConfusionMatrix,
    IoU,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
)
from fastcnn.metrics.reduction import Mean, MeanMetricWrapper, RootMeanSquaredError, Sum

__all__ = [
    "AUC",
    "Accuracy",
    "ActiveTriplets",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConfusionMatrix",
    "CosineSimilarity",
    "EmbeddingDistance",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "cosine_similarity",
    "deserialize",
    "get",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]

_KNOWN = serialization.names_of(
    (
        AUC,
        Accuracy,
        ActiveTriplets,
        BinaryAccuracy,
        BinaryCrossentropy,
        BinaryIoU,
        CategoricalAccuracy,
        CategoricalCrossentropy,
        CategoricalHinge,
        ConfusionMatrix,
        CosineSimilarity,
        EmbeddingDistance,
        F1Score,
        FBetaScore,
        FalseNegatives,
        FalsePositives,
        Hinge,
        IoU,
        KLDivergence,
        LogCoshError,
        Mean,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanIoU,
        MeanMetricWrapper,
        MeanSquaredError,
        MeanSquaredLogarithmicError,
        OneHotIoU,
        OneHotMeanIoU,
        Poisson,
        Precision,
        PrecisionAtRecall,
        Recall,
        RecallAtPrecision,
        RootMeanSquaredError,
        SensitivityAtSpecificity,
        SparseCategoricalAccuracy,
        SparseCategoricalCrossentropy,
        SparseTopKCategoricalAccuracy,
        SpecificityAtSensitivity,
        SquaredHinge,
        Sum,
        TopKCategoricalAccuracy,
        TrueNegatives,
        TruePositives,
    ),
    bce=BinaryCrossentropy,
    kld=KLDivergence,
    mae=MeanAbsoluteError,
    mape=MeanAbsolutePercentageError,
    mse=MeanSquaredError,
    msle=MeanSquaredLogarithmicError,
    rmse=RootMeanSquaredError,
)

# What fits the targets, in the order: two classes, class numbers, shares of classes.
_BY_TARGETS: dict[str, tuple[type, type, type]] = {
    "accuracy": (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy),
    "crossentropy": (BinaryCrossentropy, SparseCategoricalCrossentropy, CategoricalCrossentropy),
}
_BY_TARGETS |= {"acc": _BY_TARGETS["accuracy"], "ce": _BY_TARGETS["crossentropy"]}


def get(
    identifier: Any,
    y_true_shape: Sequence[int | None] | None = None,
    y_pred_shape: Sequence[int | None] | None = None,
) -> Any:
    """Find a metric by its name, class or configuration; functions are wrapped, metrics returned.

    Parameters
    ----------
    identifier : str, dict, class, callable or Metric
        ``"mse"``, ``"sparse_categorical_accuracy"``, ``"MeanIoU"``, what `serialize` returned, or
        ``metric(y_true, y_pred)`` that gives a value for each sample. ``"accuracy"`` (or ``"acc"``)
        and ``"crossentropy"`` (or ``"ce"``) are those that fit the targets.
    y_true_shape, y_pred_shape : sequence of int or None, optional
        The shapes of targets and predictions, by which that is decided.

    Returns
    -------
    Metric

    Raises
    ------
    ConfigError
        There is none of that name, or its arguments do not fit.

    Examples
    --------
    >>> get("accuracy", (32,), (32, 10))
    <SparseCategoricalAccuracy name=accuracy>
    >>> get("mse")
    <MeanSquaredError name=mse>
    """
    name = identifier if isinstance(identifier, str) else None
    if name is not None and name.lower() in _BY_TARGETS:
        if y_true_shape is None or y_pred_shape is None:
            raise ConfigError(f"metric {name!r}: it takes the shapes of targets and predictions")
        identifier = _fitting(_BY_TARGETS[name.lower()], tuple(y_true_shape), tuple(y_pred_shape))
    found = serialization.find_object(identifier, "metric", _KNOWN)
    if not isinstance(found, Metric):
        found = MeanMetricWrapper(found)
    if name is not None:
        found.name = name
    return found


def _fitting(choices: tuple[type, type, type], y_true: tuple[Any, ...], y_pred: Any) -> type:
    binary, sparse, categorical = choices
    if len(y_pred) < 2 or y_pred[-1] == 1:
        return binary
    return sparse if len(y_true) < len(y_pred) or y_true[-1] == 1 else categorical


def serialize(metric: Any) -> Any:
    """Describe a metric, without its sums, so that `deserialize` makes an equal one.

    Examples
    --------
    >>> serialize(MeanIoU(num_classes=3))["config"]["num_classes"]
    3
    """
    return serialization.serialize_object(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a metric from what `serialize` returned.

    Examples
    --------
    >>> deserialize(serialize(MeanIoU(num_classes=3))).num_classes
    3
    """
    with serialization.custom_object_scope(custom_objects):
        return get(config)


def find_function(fn: Any) -> Any:
    """Find a function of metrics or losses by its name; functions pass through."""
    if isinstance(fn, str) and fn == fn.lower() and fn in __all__:
        return globals()[fn]
    return _losses.find_function(fn)
