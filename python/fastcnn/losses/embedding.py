"""Losses that bring embeddings of the same thing together and those of others apart."""

from __future__ import annotations

from typing import Any

from fastcnn import ops
from fastcnn._checks import number, one_of
from fastcnn.errors import ShapeError
from fastcnn.losses._tensors import as_float, as_labels, expand_last, pair, squeeze_last
from fastcnn.losses.loss import BuiltinLoss, divide_no_nan

DISTANCES = ("squared_l2", "l2", "cosine")
MININGS = ("all", "hard", "semihard")

_FAR = 1e30  # more than any distance
_NEAR = 1e-16  # the least square of which a root is taken, so that its slope stays finite


def triplet_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 0.2,
    distance: str = "squared_l2",
) -> Any:
    """``max(d(anchor, positive) - d(anchor, negative) + margin, 0)`` for each triplet.

    Parameters
    ----------
    anchor, positive, negative : array or Value, of one shape (..., d)
        Embeddings: of something, of the same again, and of something else.
    margin : float, default 0.2
        Not negative.
    distance : {"squared_l2", "l2", "cosine"}

    Returns
    -------
    array or Value, shape (...)

    References
    ----------
    F. Schroff, D. Kalenichenko, J. Philbin: FaceNet: A Unified Embedding for Face Recognition and
    Clustering. CVPR 2015.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.triplet_loss([[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 0.5]], margin=0.25)
    array([1.], dtype=float32)
    """
    margin = number("triplet_loss", "margin", margin, at_least=0)
    one_of("triplet_loss", "distance", distance, DISTANCES)
    a, p = pair("triplet_loss", anchor, positive)
    a, n = pair("triplet_loss", a, negative)
    near, far = (_distance(a, x, distance) for x in (p, n))
    return ops.maximum(near - far + margin, 0.0)


def contrastive_loss(y_true: Any, y_pred: Any, margin: float = 1.0) -> Any:
    """``y * d ** 2 + (1 - y) * max(margin - d, 0) ** 2``, the mean over the last axis.

    Parameters
    ----------
    y_true : array or Value, shape (..., 1) or (n,)
        1 for two of the same, 0 for two that differ.
    y_pred : array or Value, shape (..., 1) or (n,)
        Their distances d.
    margin : float, default 1.0
        Not negative.

    Returns
    -------
    array or Value

    References
    ----------
    R. Hadsell, S. Chopra, Y. LeCun: Dimensionality Reduction by Learning an Invariant Mapping. CVPR
    2006; there labels are the other way round, and the loss is half of this one.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.losses.contrastive_loss([[1], [0]], [[0.5], [0.25]])
    array([0.25  , 0.5625], dtype=float32)
    """
    margin = number("contrastive_loss", "margin", margin, at_least=0)
    y_true, y_pred = pair("contrastive_loss", y_true, y_pred)
    apart = ops.square(ops.maximum(margin - y_pred, 0.0))
    return ops.mean(y_true * ops.square(y_pred) + (1.0 - y_true) * apart, axis=-1)


class ContrastiveLoss(BuiltinLoss):
    """Distances of pairs: small where both are the same, at least a margin where they differ.

    Parameters
    ----------
    margin : float, default 1.0
        Not negative.
    reduction, name, dtype
        As for `Loss`.

    References
    ----------
    R. Hadsell, S. Chopra, Y. LeCun: Dimensionality Reduction by Learning an Invariant Mapping. CVPR
    2006.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.losses.ContrastiveLoss(margin=1.0)([[1], [0]], [[0.5], [0.5]]))
    0.25
    """

    def __init__(
        self,
        margin: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.margin = number("ContrastiveLoss", "margin", margin, at_least=0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each pair."""
        return contrastive_loss(y_true, y_pred, self.margin)


class TripletLoss(BuiltinLoss):
    """Triplets found within the batch: targets are labels (n,), predictions embeddings (n, d).

    An anchor's distance to another picture of its label must be smaller, by a margin, than its
    distance to pictures of other labels. The loss is one number, the mean over

    - ``"all"``: all triplets that violate this;
    - ``"hard"``: all anchors, each with its furthest positive and its nearest negative;
    - ``"semihard"``: all pairs of anchor and positive, each with the nearest negative that is
      further away than the positive, or with the furthest if none is.

    A batch must hold several pictures of several labels. Memory grows with the square of the batch
    for ``"hard"`` and with its cube for the others.

    Parameters
    ----------
    margin : float, default 0.2
        Not negative.
    mining : {"all", "hard", "semihard"}
    distance : {"squared_l2", "l2", "cosine"}
    reduction, name, dtype
        As for `Loss`; the reduction has nothing to do.

    References
    ----------
    F. Schroff, D. Kalenichenko, J. Philbin: FaceNet: A Unified Embedding for Face Recognition and
    Clustering. CVPR 2015. A. Hermans, L. Beyer, B. Leibe: In Defense of the Triplet Loss for Person
    Re-Identification. 2017.

    Examples
    --------
    >>> import fastcnn as fc
    >>> embeddings = [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [1.0, 2.0]]
    >>> loss = fc.losses.TripletLoss(margin=0.25, mining="hard")
    >>> float(loss([0, 0, 1, 1], embeddings)), float(loss.active_share([0, 0, 1, 1], embeddings))
    (1.0625, 0.5)
    """

    def __init__(
        self,
        margin: float = 0.2,
        mining: str = "semihard",
        distance: str = "squared_l2",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.margin = number("TripletLoss", "margin", margin, at_least=0)
        self.mining = one_of("TripletLoss", "mining", mining, MININGS)
        self.distance = one_of("TripletLoss", "distance", distance, DISTANCES)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of the batch."""
        losses, counted = self._triplets(y_true, y_pred)
        if self.mining == "all":  # those that are right already would only dilute the others
            counted = ops.greater(losses, 0.0)
        return divide_no_nan(ops.sum(losses), ops.sum(counted))

    def active_share(self, y_true: Any, y_pred: Any) -> Any:
        """Tell how many of the triplets violate the margin, from 0 to 1.

        It falls as training succeeds. At once near 0, or for long at 1 with a loss near the margin,
        it shows a collapse: all embeddings are the same.

        Parameters
        ----------
        y_true : array or Value, shape (n,)
            Labels.
        y_pred : array or Value, shape (n, d)
            Embeddings.

        Returns
        -------
        array or Value, shape ()
        """
        losses, counted = self._triplets(*self._operands(y_true, y_pred))
        return divide_no_nan(ops.sum(ops.greater(losses, 0.0)), ops.sum(counted))

    def mean_distance(self, y_true: Any, y_pred: Any) -> Any:
        """Tell how far apart two embeddings of the batch are on average, whatever their labels.

        Parameters
        ----------
        y_true : array or Value, shape (n,)
            Labels, which do not count.
        y_pred : array or Value, shape (n, d)
            Embeddings.

        Returns
        -------
        array or Value, shape ()
        """
        _, x = self._operands(y_true, y_pred)
        n = x.shape[0]
        distance = _distances(x, self.distance) * _not_itself(n)
        return ops.sum(distance) * (1.0 / max(n * (n - 1), 1))

    def _operands(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        y_true, y_pred = as_labels(y_true), as_float(y_pred)
        if len(y_true.shape) == 2 and y_true.shape[1] == 1:
            y_true = squeeze_last(y_true)
        n = y_pred.shape[0] if len(y_pred.shape) == 2 else -1
        if tuple(y_true.shape) != (n,):
            raise ShapeError(
                f"{self.name}: expected labels (n,) and embeddings (n, d), got "
                f"{tuple(y_true.shape)} and {tuple(y_pred.shape)}"
            )
        return y_true, y_pred

    def _triplets(self, labels: Any, x: Any) -> tuple[Any, Any]:
        """The losses of triplets, 0 in places that hold none, and 1 in the places that hold one."""
        n = x.shape[0]
        labels = as_float(labels)
        same = ops.equal(expand_last(labels), ops.reshape(labels, (1, n)))
        differs = 1.0 - same
        distance = _distances(x, self.distance)
        positive = same * _not_itself(n)
        if self.mining == "hard":
            furthest = ops.max(distance * positive, axis=1)
            nearest = ops.min(distance + same * _FAR, axis=1)
            counted = ops.max(positive, axis=1) * ops.max(differs, axis=1)
            return ops.maximum(furthest - nearest + self.margin, 0.0) * counted, counted
        # Axes: anchor, positive, negative.
        near, far = expand_last(distance), ops.reshape(distance, (n, 1, n))
        other = ops.reshape(differs, (n, 1, n))
        if self.mining == "all":
            counted = expand_last(positive) * other
            return ops.maximum(near - far + self.margin, 0.0) * counted, counted
        further = ops.greater(far, near) * other
        nearest_further = ops.min(far + (1.0 - further) * _FAR, axis=2)
        furthest = expand_last(ops.max(distance * differs, axis=1))
        exists = ops.max(further, axis=2)
        negative = ops.where(ops.greater(exists, 0.0), nearest_further, furthest)
        counted = positive * expand_last(ops.max(differs, axis=1))
        return ops.maximum(distance - negative + self.margin, 0.0) * counted, counted


def _not_itself(n: int) -> Any:
    import numpy as np

    return 1.0 - np.eye(n, dtype=np.float32)


def _distance(a: Any, b: Any, kind: str) -> Any:
    """The distances between the vectors of two tensors of one shape."""
    if kind == "cosine":
        return 1.0 - ops.sum(ops.l2_normalize(a) * ops.l2_normalize(b), axis=-1)
    square = ops.sum(ops.square(a - b), axis=-1)
    return square if kind == "squared_l2" else _root(square)


def _distances(x: Any, kind: str) -> Any:
    """The distances between all rows of a matrix."""
    if kind == "cosine":
        unit = ops.l2_normalize(x)
        return 1.0 - ops.matmul(unit, unit, transpose_b=True)
    square = ops.cdist(x, x, metric="sqeuclidean")
    return square if kind == "squared_l2" else _root(square)


def _root(square: Any) -> Any:
    return ops.sqrt(ops.maximum(square, _NEAR))
