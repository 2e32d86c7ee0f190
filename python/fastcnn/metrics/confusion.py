"""True and false positives and negatives, and what is computed from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn._checks import number, one_of, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.losses._tensors import EPSILON, expand_last, pair
from fastcnn.losses.loss import spread_weights
from fastcnn.metrics.metric import Accumulator, Metric, parts, plain, ratio

PARTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class _Counts(Metric):
    """Counts of positives and negatives at some thresholds."""

    def _count(self, *parts: str, shape: tuple[int, ...]) -> None:
        """Make an attribute for each part that is counted."""
        for part in parts:
            setattr(self, part, self.add_variable(shape, name=part))

    def _add(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any,
        thresholds: Sequence[float],
        by_label: bool = False,
        label_weights: Any = None,
    ) -> None:
        """Add a batch to the parts there are, of shape (thresholds,) or (thresholds, labels)."""
        shape = tuple(y_pred.shape)
        positive = ops.not_equal(y_true, 0.0)
        negative = 1.0 - positive
        if sample_weight is not None:
            weights = spread_weights(self.name, sample_weight, shape)
            positive, negative = positive * weights, negative * weights
        if label_weights is not None:
            positive, negative = positive * label_weights, negative * label_weights
        columns = shape[-1] if by_label else 1
        y_pred, positive, negative = (
            ops.reshape(x, (-1, columns)) for x in (y_pred, positive, negative)
        )
        found = _above(y_pred, [positive, negative], thresholds)
        total = [ops.sum(x, axis=0, keepdims=True) for x in (positive, negative)]
        for part, above, of in (
            ("true_positives", True, 0),
            ("false_positives", True, 1),
            ("false_negatives", False, 0),
            ("true_negatives", False, 1),
        ):
            variable = getattr(self, part, None)
            if isinstance(variable, Accumulator):
                counts = found[of] if above else total[of] - found[of]
                variable.assign_add(ops.reshape(counts, tuple(variable.shape)))


def _above(y_pred: Any, weights: list[Any], thresholds: Sequence[float]) -> list[Any]:
    """Sums of weights (n, columns) where predictions exceed thresholds: (thresholds, columns)."""
    limits = np.asarray(thresholds, np.float32).reshape(-1, 1, 1)
    rows, columns = y_pred.shape
    totals: list[Any] = [None] * len(weights)
    for start, count in parts(rows, len(limits) * columns):

        def part(x: Any, start: int = start, count: int = count) -> Any:
            if count != rows:
                x = ops.slice(x, (start, 0), (count, columns))
            return ops.reshape(x, (1, count, columns))

        above = ops.greater(part(y_pred), limits)
        for i, w in enumerate(weights):
            found = ops.sum(above * part(w), axis=1)
            totals[i] = found if totals[i] is None else totals[i] + found
    return totals


def _thresholds(owner: str, given: Any, default: float) -> list[float]:
    if given is None:
        return [default]
    values = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
    if not values:
        raise ConfigError(f"{owner}: thresholds: expected at least one")
    return [number(owner, "thresholds", v, at_least=0, at_most=1) for v in values]


class AtThresholds(_Counts):
    """Counts at given thresholds."""

    parts: tuple[str, ...]

    def __init__(
        self,
        thresholds: Any,
        name: str | None,
        dtype: str | None,
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        super().__init__(dtype, name)
        cls = type(self).__name__
        self.thresholds = thresholds
        self.top_k = None if top_k is None else positive_int(cls, "top_k", top_k)
        self.class_id = None if class_id is None else positive_int(cls, "class_id", class_id, 0)
        self._limits = _thresholds(cls, thresholds, 0.5 if top_k is None else -math.inf)
        self._count(*self.parts, shape=(len(self._limits),))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true : array or Value
            Labels 0 and 1.
        y_pred : array or Value, of the labels' shape
            Probabilities.
        sample_weight : array or Value, optional
            A weight for each sample, or for each label.
        """
        y_true, y_pred = pair(self.name, y_true, y_pred)
        if self.top_k is not None:
            y_pred = _best(y_pred, self.top_k)
        if self.class_id is not None:
            y_true, y_pred = (_column(self.name, x, self.class_id) for x in (y_true, y_pred))
        self._add(y_true, y_pred, sample_weight, self._limits)

    def _result(self, values: Any) -> Any:
        """An array for several thresholds, a number for one."""
        values = np.asarray(values, np.float64).reshape(-1)
        return plain(values[0] if len(self._limits) == 1 else values)


def _best(y_pred: Any, k: int) -> Any:
    """Predictions of which all but the k largest of a row are -inf; the first among equals wins."""
    classes = y_pred.shape[-1]
    mine = expand_last(y_pred)
    others = ops.reshape(y_pred, (*y_pred.shape[:-1], 1, classes))
    earlier = np.tril(np.ones((classes, classes), np.float32), -1)
    ahead = ops.greater(others, mine) + ops.equal(others, mine) * earlier
    return ops.where(ops.less(ops.sum(ahead, axis=-1), float(k)), y_pred, -math.inf)


def _column(owner: str, x: Any, index: int) -> Any:
    shape = tuple(x.shape)
    if len(shape) < 2 or index >= shape[-1]:
        raise ShapeError(
            f"{owner}: expected predictions (..., classes) with a class {index}, the class_id, got "
            f"shape {shape}"
        )
    starts = (*(0,) * (len(shape) - 1), index)
    return ops.slice(x, starts, (*shape[:-1], 1))


class _Count(AtThresholds):
    """One of the four counts."""

    def __init__(
        self, thresholds: Any = None, name: str | None = None, dtype: str | None = None
    ) -> None:
        super().__init__(thresholds, name, dtype)

    def result(self) -> Any:
        """Give the count, or an array of one for each threshold."""
        return self._result(getattr(self, self.parts[0]).numpy())


class TruePositives(_Count):
    """How often a label is 1 and the prediction above a threshold.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1; 0.5 unless given.
    name, dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.TruePositives()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])
    2.0
    """

    parts = ("true_positives",)


class FalsePositives(_Count):
    """How often a label is 0 and the prediction above a threshold.

    Parameters
    ----------
    thresholds, name, dtype
        As for `TruePositives`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.FalsePositives()([0, 1, 0, 0], [0.0, 0.0, 1.0, 1.0])
    2.0
    """

    parts = ("false_positives",)


class TrueNegatives(_Count):
    """How often a label is 0 and the prediction not above a threshold.

    Parameters
    ----------
    thresholds, name, dtype
        As for `TruePositives`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.TrueNegatives()([0, 1, 0, 0], [1.0, 1.0, 0.0, 0.0])
    2.0
    """

    parts = ("true_negatives",)


class FalseNegatives(_Count):
    """How often a label is 1 and the prediction not above a threshold.

    Parameters
    ----------
    thresholds, name, dtype
        As for `TruePositives`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.FalseNegatives()([0, 1, 1, 1], [0.0, 1.0, 0.0, 0.0])
    2.0
    """

    parts = ("false_negatives",)


class _Share(AtThresholds):
    """The share of the first of two counts in both together."""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, top_k, class_id)

    def result(self) -> Any:
        """Give the share, or an array of one for each threshold; 0 of nothing."""
        right, wrong = (getattr(self, part).numpy() for part in self.parts)
        return self._result(ratio(right, right + wrong))


class Precision(_Share):
    """The share of the predictions of 1 that are right.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1: predictions above say 1. 0.5 unless given, and no threshold with `top_k`.
    top_k : int, optional
        Only the k largest predictions of a sample can say 1.
    class_id : int, optional
        Only this class counts.
    name, dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(fc.metrics.Precision()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]), 4)
    0.6667
    """

    parts = ("true_positives", "false_positives")


class Recall(_Share):
    """The share of the labels 1 that predictions find.

    Parameters
    ----------
    thresholds, top_k, class_id, name, dtype
        As for `Precision`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(fc.metrics.Recall()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]), 4)
    0.6667
    """

    parts = ("true_positives", "false_negatives")


class AUC(_Counts):
    """The area under the curve of a classifier of two classes.

    Counts at many thresholds approximate it.

    Parameters
    ----------
    num_thresholds : int, default 200
        From 0 to 1, evenly.
    curve : {"ROC", "PR"}
        True positive rate over false positive rate, or precision over recall.
    summation_method : {"interpolation", "minoring", "majoring"}
        Between two thresholds the mean, the lower or the higher of the two; of precision and recall
        the exact interpolation that Davis and Goadrich found.
    name, dtype : str, optional
    thresholds : sequence of float, optional
        Of one's own, between 0 and 1; both ends are added.
    multi_label : bool, default False
        Whether to average the areas of the columns, instead of taking all as one.
    num_labels : int, optional
        The number of columns, where `multi_label`; found in the data unless given.
    label_weights : sequence of float, optional
        The weight of each column.
    from_logits : bool, default False
        Whether predictions are scores to which no sigmoid was applied.

    References
    ----------
    J. Davis, M. Goadrich: The Relationship Between Precision-Recall and ROC Curves. ICML 2006.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.AUC(num_thresholds=3)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name)
        self.num_thresholds = positive_int("AUC", "num_thresholds", num_thresholds, 2)
        self.curve = one_of("AUC", "curve", str(curve).upper(), ("ROC", "PR"))
        self.summation_method = one_of(
            "AUC", "summation_method", str(summation_method).lower(),
            ("interpolation", "minoring", "majoring"),
        )  # fmt: skip
        self.thresholds = None if thresholds is None else sorted(_thresholds("AUC", thresholds, 0))
        self.multi_label = bool(multi_label)
        self.num_labels = num_labels
        self.label_weights = (
            None
            if label_weights is None
            else [number("AUC", "label_weights", w) for w in label_weights]
        )
        self.from_logits = bool(from_logits)
        if num_labels is not None and not multi_label:
            raise ConfigError("AUC: num_labels has a meaning only with multi_label=True")
        inner = self.thresholds
        if inner is None:
            count = self.num_thresholds
            inner = [i / (count - 1) for i in range(1, count - 1)]
        self._limits = [-EPSILON, *inner, 1.0 + EPSILON]
        if not self.multi_label:
            self._count(*PARTS, shape=(len(self._limits),))
        elif num_labels is not None:
            self._count(*PARTS, shape=(len(self._limits), num_labels))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: arguments as for `Precision.update_state`."""
        y_true, y_pred = pair(self.name, y_true, y_pred)
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        shape = tuple(y_pred.shape)
        if self.multi_label and len(shape) != 2:
            raise ShapeError(f"{self.name}: expected predictions (n, labels), got shape {shape}")
        if self.multi_label and not self._variables:
            self._count(*PARTS, shape=(len(self._limits), shape[1]))
        weights = None
        if self.label_weights is not None and not self.multi_label:
            weights = np.asarray(self.label_weights, np.float32)
        y_pred = ops.clip(y_pred, 0.0, 1.0)
        self._add(y_true, y_pred, sample_weight, self._limits, self.multi_label, weights)

    def result(self) -> Any:
        """Give the area."""
        if not self._variables:
            return 0.0
        tp, fp, tn, fn = (getattr(self, part).numpy() for part in PARTS)
        areas = self._areas(tp, fp, tn, fn)
        if not self.multi_label:
            return plain(areas)
        weights = self.label_weights
        if weights is None:
            return plain(areas.mean())
        return ratio((areas * weights).sum(), np.sum(weights))

    def _areas(self, tp: Any, fp: Any, tn: Any, fn: Any) -> NDArray[np.float64]:
        """Areas of the columns, from counts at falling numbers of positives."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated_precision(tp, fp, fn)
        recall = ratio(tp, tp + fn)
        x, y = (ratio(fp, fp + tn), recall) if self.curve == "ROC" else (recall, ratio(tp, tp + fp))
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return np.asarray(((x[:-1] - x[1:]) * heights).sum(axis=0))


def _interpolated_precision(tp: Any, fp: Any, fn: Any) -> NDArray[np.float64]:
    """The area under precision over recall; between two thresholds tp grows linearly with tp + fp.

    With ``tp = slope * p + intercept``, precision is ``slope + intercept / p``; its integral over
    tp is ``slope * (dtp + intercept * log(p_more / p_less))``.
    """
    p = tp + fp
    gained = tp[:-1] - tp[1:]
    slope = ratio(gained, np.maximum(p[:-1] - p[1:], 0))
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    growth = np.where(both, np.divide(p[:-1], p[1:], out=np.ones_like(p[1:]), where=both), 1.0)
    parts = slope * (gained + intercept * np.log(growth))
    shares: NDArray[np.float64] = ratio(parts, np.maximum(tp[1:] + fn[1:], 0))
    return np.asarray(shares.sum(axis=0))


class FBetaScore(_Counts):
    """The weighted harmonic mean of precision and recall, for each class.

    ``(1 + beta ** 2) * precision * recall / (beta ** 2 * precision + recall)``.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None: an array with a score for each class; else the score of all labels as one class, the
        mean of the classes' scores, or that weighted by how frequent each class is.
    beta : float, default 1.0
        How much more recall counts than precision; positive.
    threshold : float, optional
        Predictions above it say 1. None: the largest of a sample does.
    name : str, default "fbeta_score"
    dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> y_true = [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    >>> y_pred = [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
    >>> fc.metrics.FBetaScore(beta=2.0, threshold=0.5)(y_true, y_pred).round(4)
    array([0.3846, 0.9091, 0.8333])
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name)
        cls = type(self).__name__
        self.average = one_of(cls, "average", average, (None, "micro", "macro", "weighted"))
        self.beta = number(cls, "beta", beta)
        self.threshold = None if threshold is None else number(cls, "threshold", threshold, 0, 1)
        if not self.beta > 0:
            raise ConfigError(f"{cls}: beta: expected a positive number, got {beta!r}")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true : array or Value, shape (n, classes)
            Labels 0 and 1.
        y_pred : array or Value, shape (n, classes)
        sample_weight : array or Value, optional
            A weight for each sample.
        """
        y_true, y_pred = pair(self.name, y_true, y_pred)
        shape = tuple(y_pred.shape)
        if len(shape) != 2:
            raise ShapeError(f"{self.name}: expected predictions (n, classes), got shape {shape}")
        if not self._variables:
            columns = (1, 1) if self.average == "micro" else (1, shape[1])
            self._count("true_positives", "false_positives", "false_negatives", shape=columns)
        if self.threshold is None:
            largest = ops.greater_equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
            y_pred = largest * ops.greater(ops.absolute(y_pred), 1e-9)
        by_label = self.average != "micro"
        self._add(y_true, y_pred, sample_weight, [self.threshold or 0.0], by_label)

    def result(self) -> Any:
        """Give the score, or an array of one for each class."""
        if not self._variables:
            return 0.0
        tp, fp, fn = (v.numpy()[0] for v in self._variables)
        square = self.beta**2
        scores = np.asarray(ratio((1 + square) * tp, (1 + square) * tp + square * fn + fp))
        if self.average is None:
            return scores
        if self.average == "weighted":
            return ratio((scores * (tp + fn)).sum(), (tp + fn).sum())
        return float(scores.mean())


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall, for each class.

    Parameters
    ----------
    average, threshold, name, dtype
        As for `FBetaScore`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> y_true = [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    >>> y_pred = [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
    >>> fc.metrics.F1Score(threshold=0.5)(y_true, y_pred).round(4)
    array([0.5   , 0.8   , 0.6667])
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
