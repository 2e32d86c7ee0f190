"""Gram matrices of pictures' channels."""

from __future__ import annotations

from typing import Any

from fastcnn.ops._dispatch import apply_op
from fastcnn.ops._shape import as_number

__all__ = ["gram_matrix"]


def gram_matrix(x: Any, scale: float = 1.0) -> Any:
    """Products of all pairs of channels, summed over the pixels: X^T X of each picture.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c) or (n, pixels, c)
    scale : float
        What the sums are multiplied by before they are stored, such as 1 / (h w c).

    Returns
    -------
    array, float32, shape (n, c, c)
        Symmetric.

    Raises
    ------
    ShapeError
        If `x` has fewer than 3 dimensions.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    >>> fc.ops.gram_matrix(x)
    array([[[ 4.,  6.],
            [ 6., 10.]]], dtype=float32)
    """
    return apply_op("gram_matrix", [x], scale=as_number("gram_matrix", "scale", scale))
