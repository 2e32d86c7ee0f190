"""Numbers for losses and metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import DTypeError, ShapeError
from fastcnn.ops._dispatch import as_array


def to_categorical(x: Any, num_classes: int | None = None) -> NDArray[np.float32]:
    """Write classes, given as numbers, as rows with a single 1.

    Parameters
    ----------
    x : array-like of int
        Of any shape; a last axis of length 1 is left out.
    num_classes : int, optional
        One more than the largest unless given.

    Returns
    -------
    numpy.ndarray
        float32 of the shape of `x` with an axis of `num_classes` added.

    Raises
    ------
    ShapeError
        A number is negative, or not below `num_classes`.

    Examples
    --------
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    array = as_array(x, None)
    if array.size and not (array == np.floor(array)).all():
        raise DTypeError("to_categorical: expected integers")
    classes = array.astype(np.int64)
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    if num_classes is None:
        num_classes = int(classes.max()) + 1 if classes.size else 0
    if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
        raise ShapeError(
            f"to_categorical: expected classes from 0 to {num_classes - 1}, got "
            f"{classes.min()} to {classes.max()}"
        )
    rows = np.zeros((*classes.shape, num_classes), np.float32)
    np.put_along_axis(rows, classes[..., None], 1, axis=-1)
    return rows
