"""Losses between distributions, and between labels and the scores of classes."""

from __future__ import annotations

from typing import Any

from fastcnn import ops
from fastcnn._checks import number
from fastcnn.errors import UnsupportedError
from fastcnn.losses._tensors import EPSILON, as_float, class_rows, pair
from fastcnn.losses.loss import BuiltinLoss, SparseLoss
from fastcnn.ops._shape import normalize_axis


def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """Minus the logarithm of the probability of the right class.

    Parameters
    ----------
    y_true : array or Value, shape (...) or (..., 1)
        Class numbers, of any integer dtype or whole floats.
    y_pred : array or Value, shape (..., classes)
        Probabilities, which are divided by their sum.
    from_logits : bool, default False
        Whether `y_pred` are scores to which no softmax was applied: faster and more accurate.
    ignore_class : int, optional
        A label whose loss is 0.
    axis : int, default -1
        The last.

    Returns
    -------
    array or Value, shape (...)
        NaN for a label that is no class.

    Examples
    --------
    >>> import fastcnn as fc
    >>> y_pred = [[0.05, 0.9, 0.05], [0.1, 0.8, 0.1]]
    >>> fc.losses.sparse_categorical_crossentropy([1, 2], y_pred).round(4)
    array([0.1054, 2.3026], dtype=float32)
    """
    owner = "sparse_categorical_crossentropy"
    y_true, y_pred = class_rows(owner, y_true, y_pred)
    _check_axis(owner, axis, y_pred)
    logits = y_pred if from_logits else _logits(y_pred)
    return ops.softmax_cross_entropy(logits, y_true, ignore_class=ignore_class)


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(y_true * log(y_pred))`` over the classes.

    Parameters
    ----------
    y_true : array or Value, shape (..., classes)
        The share of each class: 1 for the right one and 0 for the others, for example.
    y_pred : array or Value, shape (..., classes)
        Probabilities, which are divided by their sum.
    from_logits : bool, default False
        Whether `y_pred` are scores to which no softmax was applied: faster and more accurate.
    label_smoothing : float, default 0.0
        The share of `y_true` that is spread evenly over the classes.
    axis : int, default -1
        The last.

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.categorical_crossentropy([[0, 1, 0]], [[0.05, 0.9, 0.05]]).round(4)
    array([0.1054], dtype=float32)
    """
    owner = "categorical_crossentropy"
    y_true, y_pred = pair(owner, y_true, y_pred)
    _check_axis(owner, axis, y_pred)
    y_true = _smoothed(y_true, label_smoothing, y_pred.shape[-1])
    return ops.softmax_cross_entropy(y_pred if from_logits else _logits(y_pred), y_true)


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))``, the mean over an axis.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape
        Probabilities from 0 to 1.
    from_logits : bool, default False
        Whether `y_pred` are scores to which no sigmoid was applied: faster and more accurate.
    label_smoothing : float, default 0.0
        How far `y_true` is drawn towards one half.
    axis : int, default -1
        Over which the mean is taken.

    Returns
    -------
    array or Value, of the shape without this axis

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.binary_crossentropy([[0, 1]], [[0.5, 0.25]]).round(4)
    array([1.0397], dtype=float32)
    """
    y_true, y_pred = pair("binary_crossentropy", y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, 2)
    if from_logits:
        return ops.mean(ops.sigmoid_cross_entropy(y_pred, y_true), axis=axis)
    return ops.mean(_binary(y_true, y_pred), axis=axis)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """`binary_crossentropy` times ``(1 - p) ** gamma``, p being the right class's probability.

    Parameters
    ----------
    y_true, y_pred, from_logits, label_smoothing, axis
        As for `binary_crossentropy`.
    apply_class_balancing : bool, default False
        Whether class 1 has the weight `alpha` and class 0 ``1 - alpha``.
    alpha : float, default 0.25
    gamma : float, default 2.0

    Returns
    -------
    array or Value, of the shape without this axis

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.binary_focal_crossentropy([[0, 1]], [[0.5, 0.25]]).round(4)
    array([0.4765], dtype=float32)
    """
    y_true, y_pred = pair("binary_focal_crossentropy", y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, 2)
    losses = ops.sigmoid_cross_entropy(y_pred, y_true) if from_logits else _binary(y_true, y_pred)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1.0 - y_true) * (1.0 - p)
    losses = _power(1.0 - right, gamma) * losses
    if apply_class_balancing:
        losses = (y_true * float(alpha) + (1.0 - y_true) * (1.0 - float(alpha))) * losses
    return ops.mean(losses, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(alpha * (1 - y_pred) ** gamma * y_true * log(y_pred))`` over the classes.

    Parameters
    ----------
    y_true, y_pred, from_logits, label_smoothing, axis
        As for `categorical_crossentropy`.
    alpha : float or sequence of float, default 0.25
        The weight of all classes or of each.
    gamma : float, default 2.0

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.categorical_focal_crossentropy([[0, 1, 0]], [[0.1, 0.6, 0.3]]).round(4)
    array([0.0204], dtype=float32)
    """
    owner = "categorical_focal_crossentropy"
    y_true, y_pred = pair(owner, y_true, y_pred)
    _check_axis(owner, axis, y_pred)
    y_true = _smoothed(y_true, label_smoothing, y_pred.shape[-1])
    p = _shares(ops.softmax(y_pred) if from_logits else y_pred)
    weight = ops.multiply(_power(1.0 - p, gamma), as_float(alpha))
    return ops.sum(weight * y_true * ops.log(p), axis=-1) * -1.0


def sparse_categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    gamma: float = 2.0,
    from_logits: bool = False,
    ignore_class: int | None = None,
) -> Any:
    """`sparse_categorical_crossentropy` times ``(1 - p) ** gamma``, p of the right class.

    Parameters
    ----------
    y_true : array or Value, shape (...) or (..., 1)
        Class numbers.
    y_pred : array or Value, shape (..., classes)
    gamma : float, default 2.0
    from_logits, ignore_class
        As for `sparse_categorical_crossentropy`.

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.sparse_categorical_focal_crossentropy([1], [[0.25, 0.5, 0.25]]).round(4)
    array([0.1733], dtype=float32)
    """
    losses = sparse_categorical_crossentropy(y_true, y_pred, from_logits, ignore_class)
    return _power(1.0 - ops.exp(losses * -1.0), gamma) * losses


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """``sum(y_true * log(y_true / y_pred))`` over the last axis, of numbers from 1e-7 to 1.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).round(4)
    array([0.1438], dtype=float32)
    """
    y_true, y_pred = pair("kl_divergence", y_true, y_pred)
    y_true, y_pred = (ops.clip(y, EPSILON, 1.0) for y in (y_true, y_pred))
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """``mean(y_pred - y_true * log(y_pred + 1e-7))`` over the last axis.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape (..., d)

    Returns
    -------
    array or Value, shape (...)

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.poisson([[2.0, 0.0]], [[1.0, 3.0]]).round(3)
    array([2.], dtype=float32)
    """
    y_true, y_pred = pair("poisson", y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + EPSILON), axis=-1)


def _check_axis(owner: str, axis: Any, y_pred: Any) -> None:
    rank = len(y_pred.shape)
    if normalize_axis(owner, axis, rank) != rank - 1:
        raise UnsupportedError(f"{owner}: expected classes along the last axis, got axis={axis!r}")


def _smoothed(y_true: Any, smoothing: float, classes: int) -> Any:
    smoothing = number("label_smoothing", "the share", smoothing, at_least=0, at_most=1)
    return y_true * (1.0 - smoothing) + smoothing / classes if smoothing else y_true


def _logits(y_pred: Any) -> Any:
    """Scores of which the softmax is `y_pred`, divided by its sum."""
    return ops.log(ops.maximum(y_pred, EPSILON))


def _shares(y_pred: Any) -> Any:
    """Probabilities that add up to 1, and are not 0 or 1."""
    return ops.clip(y_pred / ops.sum(y_pred, axis=-1, keepdims=True), EPSILON, 1.0 - EPSILON)


def _binary(y_true: Any, y_pred: Any) -> Any:
    p = ops.clip(y_pred, EPSILON, 1.0 - EPSILON)
    return (y_true * ops.log(p) + (1.0 - y_true) * ops.log(1.0 - p)) * -1.0


def _power(x: Any, exponent: float) -> Any:
    return ops.square(x) if exponent == 2 else ops.power(x, float(exponent))


class SparseCategoricalCrossentropy(SparseLoss):
    """Cross-entropy between class numbers and the probabilities of the classes.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are scores to which no softmax was applied: faster and more accurate.
    ignore_class : int, optional
        A label that does not count: its loss is 0 and the mean is over the others.
    reduction : str or None
    axis : int, default -1
        Where the classes are: the last.
    name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> loss = fc.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    >>> float(loss([0, 255], [[0.0, 0.0], [3.0, 9.0]]))
    0.6931471824645996
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, ignore_class, reduction, name, dtype)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return sparse_categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.ignore_class, self.axis
        )

    def _valid(self, y_true: Any, values: Any) -> Any:
        return None if self.ignore_class is None else labels_other_than(y_true, self.ignore_class)


def labels_other_than(labels: Any, ignored: int) -> Any:
    """1 for labels that count, 0 for the one that does not."""
    return ops.not_equal(as_float(labels), float(ignored))


class _Probabilistic(BuiltinLoss):
    """What losses between shares of classes have in common."""

    def __init__(
        self,
        from_logits: bool,
        label_smoothing: float,
        axis: int,
        reduction: str | None,
        name: str | None,
        dtype: str | None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits = bool(from_logits)
        cls = type(self).__name__
        self.label_smoothing = number(cls, "label_smoothing", label_smoothing, 0, 1)
        self.axis = axis


class CategoricalCrossentropy(_Probabilistic):
    """Cross-entropy between shares, such as one-hot labels, and the probabilities of the classes.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are scores to which no softmax was applied: faster and more accurate.
    label_smoothing : float, default 0.0
        The share of the targets that is spread evenly over the classes.
    axis : int, default -1
        Where the classes are: the last.
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> loss = fc.losses.CategoricalCrossentropy()
    >>> round(float(loss([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])), 3)
    1.177
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return categorical_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing, self.axis
        )


class BinaryCrossentropy(_Probabilistic):
    """Cross-entropy between labels 0 and 1, or shares, and the probability of 1.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are scores to which no sigmoid was applied: faster and more accurate.
    label_smoothing : float, default 0.0
        How far the targets are drawn towards one half.
    axis : int, default -1
        Over which the mean is taken first.
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> loss = fc.losses.BinaryCrossentropy(from_logits=True)
    >>> round(float(loss([0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8])), 3)
    0.865
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return binary_crossentropy(
            y_true, y_pred, self.from_logits, self.label_smoothing, self.axis
        )


class BinaryFocalCrossentropy(_Probabilistic):
    """Binary cross-entropy in which what is right already counts less.

    Parameters
    ----------
    apply_class_balancing : bool, default False
        Whether class 1 has the weight `alpha` and class 0 ``1 - alpha``.
    alpha : float, default 0.25
    gamma : float, default 2.0
        The factor is ``(1 - p) ** gamma``, p being the probability of the right class.
    from_logits, label_smoothing, axis, reduction, name, dtype
        As for `BinaryCrossentropy`.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar: Focal Loss for Dense Object Detection. 2017.

    Examples
    --------
    >>> import fastcnn as fc
    >>> loss = fc.losses.BinaryFocalCrossentropy(gamma=2.0)
    >>> round(float(loss([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 3)
    0.268
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.apply_class_balancing = bool(apply_class_balancing)
        self.alpha = number("BinaryFocalCrossentropy", "alpha", alpha)
        self.gamma = number("BinaryFocalCrossentropy", "gamma", gamma, at_least=0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return binary_focal_crossentropy(
            y_true, y_pred, self.apply_class_balancing, self.alpha, self.gamma, self.from_logits,
            self.label_smoothing, self.axis,
        )  # fmt: skip


class CategoricalFocalCrossentropy(_Probabilistic):
    """Cross-entropy between shares and probabilities in which what is right already counts less.

    Parameters
    ----------
    alpha : float or sequence of float, default 0.25
        The weight of all classes or of each.
    gamma : float, default 2.0
        Each class's part has the factor ``(1 - p) ** gamma``, p being its probability.
    from_logits, label_smoothing, axis, reduction, name, dtype
        As for `CategoricalCrossentropy`.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar: Focal Loss for Dense Object Detection. 2017.

    Examples
    --------
    >>> import fastcnn as fc
    >>> loss = fc.losses.CategoricalFocalCrossentropy()
    >>> round(float(loss([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])), 3)
    0.233
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.alpha = alpha
        self.gamma = number("CategoricalFocalCrossentropy", "gamma", gamma, at_least=0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return categorical_focal_crossentropy(
            y_true, y_pred, self.alpha, self.gamma, self.from_logits, self.label_smoothing,
            self.axis,
        )  # fmt: skip


class SparseCategoricalFocalCrossentropy(SparseCategoricalCrossentropy):
    """Cross-entropy of class numbers in which what is right already counts less.

    Parameters
    ----------
    gamma : float, default 2.0
        The factor is ``(1 - p) ** gamma``, p being the probability of the right class.
    from_logits : bool, default False
        Whether predictions are scores to which no softmax was applied.
    ignore_class : int, optional
        A label that does not count: its loss is 0 and the mean is over the others.
    reduction, name, dtype
        As for `Loss`.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar: Focal Loss for Dense Object Detection. 2017.

    Examples
    --------
    >>> import fastcnn as fc
    >>> loss = fc.losses.SparseCategoricalFocalCrossentropy(ignore_class=255)
    >>> round(float(loss([1, 255], [[0.25, 0.5, 0.25], [1.0, 0.0, 0.0]])), 4)
    0.1733
    """

    def __init__(
        self,
        gamma: float = 2.0,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, ignore_class, reduction, name=name, dtype=dtype)
        self.gamma = number("SparseCategoricalFocalCrossentropy", "gamma", gamma, at_least=0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return sparse_categorical_focal_crossentropy(
            y_true, y_pred, self.gamma, self.from_logits, self.ignore_class
        )


class KLDivergence(BuiltinLoss):
    """The Kullback-Leibler divergence: ``sum(y_true * log(y_true / y_pred))``.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(float(fc.losses.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return kl_divergence(y_true, y_pred)


class Poisson(BuiltinLoss):
    """``mean(y_pred - y_true * log(y_pred))``: for counts, of which the mean is predicted.

    Parameters
    ----------
    reduction, name, dtype
        As for `Loss`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.Poisson()([[2.0, 0.0]], [[1.0, 3.0]]).round(3))
    2.0
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each sample."""
        return poisson(y_true, y_pred)
