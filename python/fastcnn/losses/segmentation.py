"""Losses by how far predicted regions overlap with true ones."""

from __future__ import annotations

from typing import Any

from fastcnn import ops
from fastcnn._checks import number
from fastcnn.losses._tensors import EPSILON, axes_from, class_rows, expand_last, pair
from fastcnn.losses.crossentropy import labels_other_than
from fastcnn.losses.loss import BuiltinLoss, SparseLoss


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """``1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))``.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape
        From 0 to 1.
    axis : int, sequence of int or None, default None
        Over which sums are taken; None: all. (1, 2, 3) gives a number for each picture.

    Returns
    -------
    array or Value, of the shape without these axes

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.dice([[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1]], axis=1).round(4)
    array([0.3333, 0.    ], dtype=float32)
    """
    y_true, y_pred = pair("dice", y_true, y_pred)
    common = ops.sum(y_true * y_pred, axis=axis)
    total = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return 1.0 - common * 2.0 / (total + EPSILON)


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> Any:
    """`dice` with weights for what is missed and for what is predicted in vain.

    ``1 - tp / (tp + alpha * sum(y_true * (1 - y_pred)) + beta * sum((1 - y_true) * y_pred))`` with
    ``tp = sum(y_true * y_pred)``.

    Parameters
    ----------
    y_true, y_pred : array or Value, of one shape
        From 0 to 1.
    alpha, beta : float, default 0.5
        The weights, in Keras' order; with both one half it is Dice.
    axis : int, sequence of int or None, default None
        Over which sums are taken; None: all.

    Returns
    -------
    array or Value, of the shape without these axes

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.tversky([1, 1, 0, 0], [1, 0, 0, 0], alpha=1.0, beta=0.0))
    0.5
    """
    y_true, y_pred = pair("tversky", y_true, y_pred)
    common = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum(y_true * (1.0 - y_pred), axis=axis)
    vain = ops.sum((1.0 - y_true) * y_pred, axis=axis)
    return 1.0 - common / (common + missed * float(alpha) + vain * float(beta) + EPSILON)


def sparse_dice(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None
) -> Any:
    """`dice` of every class, of class numbers.

    Parameters
    ----------
    y_true : array or Value, shape (n, ...) or (n, ..., 1)
        Class numbers.
    y_pred : array or Value, shape (n, ..., classes)
        Probabilities.
    from_logits : bool, default False
        Whether `y_pred` are scores to which no softmax was applied.
    ignore_class : int, optional
        A label whose pixels do not count.

    Returns
    -------
    array or Value, shape (classes,)
        Of all pictures together. 1 for a class that does not occur.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.sparse_dice([0, 1, 9], [[0.8, 0.2], [0.4, 0.6], [1, 0]], ignore_class=9).round(4)
    array([0.2727, 0.3333], dtype=float32)
    """
    y_true, y_pred = class_rows("sparse_dice", y_true, y_pred)
    if from_logits:
        y_pred = ops.softmax(y_pred)
    true = ops.one_hot(y_true, int(y_pred.shape[-1]))  # a label that is no class: nothing
    if ignore_class is not None:
        counted = expand_last(labels_other_than(y_true, ignore_class))
        true, y_pred = true * counted, y_pred * counted
    return dice(true, y_pred, axis=axes_from(0, len(y_pred.shape) - 1))


class Dice(BuiltinLoss):
    """How little regions overlap: 0 where they are the same, 1 where they are apart.

    Parameters
    ----------
    reduction, name
        As for `Loss`.
    axis : int, sequence of int or None, default None
        Over which sums are taken; None: all pictures together. (1, 2, 3): picture by picture.
    dtype
        As for `Loss`.

    References
    ----------
    F. Milletari, N. Navab, S.-A. Ahmadi: V-Net: Fully Convolutional Neural Networks for Volumetric
    Medical Image Segmentation. 3DV 2016.

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(float(fc.losses.Dice()([1, 1, 0], [1, 0, 0])), 4)
    0.3333
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss."""
        return dice(y_true, y_pred, self.axis)


class Tversky(BuiltinLoss):
    """`Dice` with weights for what is missed and for what is predicted in vain.

    Parameters
    ----------
    alpha, beta : float, default 0.5
        The weights of what is missed, and of what is predicted in vain.
    reduction, name, axis, dtype
        As for `Dice`.

    References
    ----------
    S. S. M. Salehi, D. Erdogmus, A. Gholipour: Tversky loss function for image segmentation using
    3D fully convolutional deep networks. 2017.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.Tversky(alpha=1.0, beta=0.0)([1, 1, 0, 0], [1, 0, 0, 0]))
    0.5
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.alpha = number("Tversky", "alpha", alpha, at_least=0)
        self.beta = number("Tversky", "beta", beta, at_least=0)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss."""
        return tversky(y_true, y_pred, self.alpha, self.beta, self.axis)


class SparseDice(SparseLoss):
    """`Dice` of class numbers: the mean over the classes, of all pictures together.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are scores to which no softmax was applied.
    ignore_class : int, optional
        A label whose pixels do not count.
    reduction, name, dtype
        As for `Loss`.

    References
    ----------
    F. Milletari, N. Navab, S.-A. Ahmadi: V-Net: Fully Convolutional Neural Networks for Volumetric
    Medical Image Segmentation. 3DV 2016.

    Examples
    --------
    >>> import fastcnn as fc
    >>> loss = fc.losses.SparseDice(ignore_class=9)
    >>> round(float(loss([0, 1, 9], [[0.8, 0.2], [0.4, 0.6], [1.0, 0.0]])), 4)
    0.303
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, ignore_class, reduction, name, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each class."""
        return sparse_dice(y_true, y_pred, self.from_logits, self.ignore_class)
