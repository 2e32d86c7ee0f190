"""Losses, under Keras' names: what training makes small.

Each is a class, which reduces the losses of the samples to one number and takes weights for them,
and a function, which gives the losses of the samples. They are made of functions of `fastcnn.ops`,
and so work on arrays as well as in a training step that is being described.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastcnn import serialization
from fastcnn.errors import ConfigError
from fastcnn.losses.boxes import (
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
)
from fastcnn.losses.crossentropy import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    SparseCategoricalFocalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
    sparse_categorical_focal_crossentropy,
)
from fastcnn.losses.embedding import ContrastiveLoss, TripletLoss, contrastive_loss, triplet_loss
from fastcnn.losses.hinge import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from fastcnn.losses.loss import Loss, LossFunctionWrapper
from fastcnn.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from fastcnn.losses.segmentation import (
    Dice,
    SparseDice,
    Tversky,
    dice,
    sparse_dice,
    tversky,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "ContrastiveLoss",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "SparseDice",
    "SquaredHinge",
    "TripletLoss",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "complete_box_iou_loss",
    "contrastive_loss",
    "cosine_similarity",
    "deserialize",
    "dice",
    "distance_box_iou_loss",
    "generalized_box_iou_loss",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "sparse_categorical_focal_crossentropy",
    "sparse_dice",
    "squared_hinge",
    "triplet_loss",
    "tversky",
]

_KNOWN = serialization.names_of(
    (
        BinaryCrossentropy,
        BinaryFocalCrossentropy,
        CategoricalCrossentropy,
        CategoricalFocalCrossentropy,
        CategoricalHinge,
        ContrastiveLoss,
        CosineSimilarity,
        Dice,
        Hinge,
        Huber,
        KLDivergence,
        LogCosh,
        LossFunctionWrapper,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredError,
        MeanSquaredLogarithmicError,
        Poisson,
        SparseCategoricalCrossentropy,
        SparseCategoricalFocalCrossentropy,
        SparseDice,
        SquaredHinge,
        TripletLoss,
        Tversky,
    ),
    bce=BinaryCrossentropy,
    kld=KLDivergence,
    mae=MeanAbsoluteError,
    mape=MeanAbsolutePercentageError,
    mse=MeanSquaredError,
    msle=MeanSquaredLogarithmicError,
)


def get(identifier: Any) -> Any:
    """Find a loss by its name, class or configuration; functions are wrapped, losses returned.

    Parameters
    ----------
    identifier : str, dict, class, callable or Loss
        ``"mse"``, ``"sparse_categorical_crossentropy"``, ``"SparseCategoricalCrossentropy"``, what
        `serialize` returned, or ``loss(y_true, y_pred)`` that gives the losses of the samples.

    Returns
    -------
    Loss
        Other than in Keras, names of functions give one, too: it takes ``sample_weight``.

    Raises
    ------
    ConfigError
        There is none of that name, or its arguments do not fit.

    Examples
    --------
    >>> get("mse").name, get({"class_name": "Huber", "config": {"delta": 2.0}}).delta
    ('mean_squared_error', 2.0)
    """
    found = serialization.find_object(identifier, "loss", _KNOWN)
    name = getattr(found, "__name__", "")
    if name in _KNOWN and found is globals().get(name):
        found = _KNOWN[name]()  # a function of the library: its class knows which targets it takes
    return found if isinstance(found, Loss) else LossFunctionWrapper(found)


def serialize(loss: Any) -> Any:
    """Describe a loss so that `deserialize` makes an equal one.

    Examples
    --------
    >>> serialize(Huber(delta=2.0))["config"]["delta"]
    2.0
    """
    return serialization.serialize_object(loss)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a loss from what `serialize` returned.

    Examples
    --------
    >>> deserialize(serialize(Huber(delta=2.0))).delta
    2.0
    """
    with serialization.custom_object_scope(custom_objects):
        return get(config)


def find_function(fn: Any) -> Any:
    """Find a function of losses by its name; functions pass through."""
    if not isinstance(fn, str):
        return fn
    found = serialization.find_custom_object(fn)
    if found is None and fn == fn.lower() and fn in __all__:
        found = globals()[fn]
    if found is None:
        raise ConfigError(f"unknown function of losses {fn!r}")
    return found
