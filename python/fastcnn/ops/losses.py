"""Losses of classifiers, computed from logits in one stable step."""

from __future__ import annotations

from typing import Any

from fastcnn.ops._dispatch import apply_op

__all__ = ["sigmoid_cross_entropy", "softmax_cross_entropy"]


def softmax_cross_entropy(logits: Any, labels: Any, ignore_class: int | None = None) -> Any:
    """``-log(softmax(logits)[label])`` of each row, without computing the softmax.

    Parameters
    ----------
    logits : array (..., K), float32
    labels : array (...) of int64, int32 or uint8, or array (..., K) of float32
        The class of each row, or the share of each class in it.
    ignore_class : int, optional
        Rows with this label have loss 0 and no gradient.

    Returns
    -------
    array (...), float32
        NaN where a label is not from 0 to K - 1 and not `ignore_class`.

    Raises
    ------
    ShapeError
        If the labels' shape is not that of the rows, or, of shares, that of the logits.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.softmax_cross_entropy([[2.0, 0.0], [0.0, 5.0]], np.array([0, 0])).round(4)
    array([0.1269, 5.0067], dtype=float32)
    """
    dtypes = ["float32", None]
    return apply_op("softmax_cross_entropy", [logits, labels], dtypes, ignore_class=ignore_class)[0]


def sigmoid_cross_entropy(logits: Any, targets: Any) -> Any:
    """``-t log(p) - (1 - t) log(1 - p)`` with ``p = sigmoid(logits)``, for any logits.

    Parameters
    ----------
    logits, targets : array, float32, of one shape

    Returns
    -------
    array, float32, of that shape

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.sigmoid_cross_entropy([0.0, 100.0, -100.0], [1.0, 1.0, 1.0]).round(4)
    array([  0.6931,   0.    , 100.    ], dtype=float32)
    """
    return apply_op("sigmoid_cross_entropy", [logits, targets])
