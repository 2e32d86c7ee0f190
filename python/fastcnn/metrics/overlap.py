"""Confusion matrices, and how far predicted regions overlap with true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn._checks import number, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.losses._tensors import as_float, as_labels, as_tensor, expand_last, size_of
from fastcnn.losses.crossentropy import labels_other_than
from fastcnn.losses.loss import spread_weights
from fastcnn.metrics.metric import Metric, parts, plain


class ConfusionMatrix(Metric):
    """How often each class, the row, was taken for each, the column.

    Parameters
    ----------
    num_classes : int
        Labels and predictions outside 0 to num_classes - 1 do not count.
    name, dtype : str, optional
    ignore_class : int, optional
        A label that does not count.
    sparse_y_true, sparse_y_pred : bool, default True
        Whether they are class numbers; if not, the class is where the largest number is.
    axis : int, default -1
        The axis of the classes where they are not sparse.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.ConfusionMatrix(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])
    array([[1., 1.],
           [1., 1.]])
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        self.num_classes = positive_int(type(self).__name__, "num_classes", num_classes)
        self.ignore_class = ignore_class
        self.sparse_y_true = bool(sparse_y_true)
        self.sparse_y_pred = bool(sparse_y_pred)
        self.axis = axis
        self.total_cm = self.add_variable(
            (self.num_classes, self.num_classes), name="total_confusion_matrix"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true : array or Value
            Class numbers, or what the largest of is the class.
        y_pred : array or Value
            The same; after `argmax` both have one shape but for axes of one element.
        sample_weight : array or Value, optional
            Its axes are the first of the labels'.
        """
        labels, classes = (
            as_labels(x if sparse else ops.argmax(as_float(x), axis=self.axis))
            for x, sparse in (
                (as_tensor(y_true), self.sparse_y_true),
                (as_tensor(y_pred), self.sparse_y_pred),
            )
        )
        shape = tuple(labels.shape)
        if size_of(shape) != size_of(classes.shape):
            raise ShapeError(
                f"{self.name}: expected as many predictions as labels, got shapes "
                f"{tuple(classes.shape)} and {shape}"
            )
        weights: Any = None
        if self.ignore_class is not None:
            weights = labels_other_than(labels, self.ignore_class)
        if sample_weight is not None:
            given = spread_weights(self.name, sample_weight, shape)
            weights = given if weights is None else weights * given
        flat = [None if x is None else ops.reshape(x, (-1,)) for x in (labels, classes, weights)]
        self.total_cm.assign_add(_matrix(flat[0], flat[1], flat[2], self.num_classes))

    def result(self) -> Any:
        """Give the matrix."""
        return self.total_cm.numpy()


def _matrix(labels: Any, classes: Any, weights: Any, count: int) -> Any:
    """The confusion matrix of class numbers (n,) with weights (n,) or None."""
    (size,) = labels.shape
    total: Any = None
    for start, length in parts(size, count):

        def part(x: Any, start: int = start, length: int = length) -> Any:
            return x if length == size else ops.slice(x, (start,), (length,))

        rows, columns = (ops.one_hot(part(x), count) for x in (labels, classes))
        if weights is not None:
            rows = rows * expand_last(part(weights))
        found = ops.matmul(rows, columns, transpose_a=True)
        total = found if total is None else total + found
    return total


class IoU(ConfusionMatrix):
    """Intersection over union of true and predicted classes, the mean over some classes.

    Classes that occur neither among labels nor among predictions do not count.

    Parameters
    ----------
    num_classes : int
    target_class_ids : sequence of int
        The classes of which the mean is taken.
    name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        As for `ConfusionMatrix`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.IoU(num_classes=2, target_class_ids=[0])
    >>> round(metric([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        cls = type(self).__name__
        ids = [positive_int(cls, "target_class_ids", i, 0) for i in target_class_ids]
        if not ids or max(ids) >= self.num_classes:
            raise ConfigError(
                f"{cls}: target_class_ids: expected classes from 0 to {self.num_classes - 1}, got "
                f"{list(target_class_ids)}"
            )
        self.target_class_ids = ids

    def result(self) -> Any:
        """Give the mean over those of the classes that occur; 0 if none does."""
        scores = self.by_class()[self.target_class_ids]
        known = scores[~np.isnan(scores)]
        return plain(known.mean()) if known.size else 0.0

    def by_class(self) -> NDArray[np.float64]:
        """Give the intersection over union of every class; NaN for classes that do not occur.

        Returns
        -------
        array, float64, shape (num_classes,)
        """
        matrix = self.total_cm.numpy()
        common = np.diagonal(matrix)
        union = matrix.sum(axis=0) + matrix.sum(axis=1) - common
        occurs = union > 1e-9
        return np.where(occurs, common / np.where(occurs, union, 1.0), np.nan)


class MeanIoU(IoU):
    """Intersection over union of true and predicted classes, the mean over all classes.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        As for `IoU`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(fc.metrics.MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        ids = range(positive_int(type(self).__name__, "num_classes", num_classes))
        super().__init__(
            num_classes, ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )


class OneHotIoU(IoU):
    """`IoU` of one-hot labels.

    Parameters
    ----------
    num_classes, target_class_ids, name, dtype, ignore_class
        As for `IoU`.
    sparse_y_pred : bool, default False
        Whether predictions are class numbers.
    axis : int, default -1

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.OneHotIoU(num_classes=2, target_class_ids=[0, 1])
    >>> metric([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]])
    1.0
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot labels.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class
        As for `MeanIoU`.
    sparse_y_pred : bool, default False
        Whether predictions are class numbers.
    axis : int, default -1

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.metrics.OneHotMeanIoU(num_classes=2)([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]])
    1.0
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)


class BinaryIoU(IoU):
    """`IoU` of two classes, told apart by a threshold.

    Parameters
    ----------
    target_class_ids : sequence of int, default (0, 1)
        The classes of which the mean is taken.
    threshold : float, default 0.5
        Predictions from it on are class 1.
    name, dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> round(fc.metrics.BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = number("BinaryIoU", "threshold", threshold)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: labels 0 and 1, and numbers that a threshold tells apart."""
        above = ops.greater_equal(as_float(y_pred), self.threshold)
        super().update_state(y_true, above, sample_weight)
