"""Gram matrices of pictures' channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.errors import ConfigError
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
    ConfigError
        If `scale` is no finite number.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    >>> fc.ops.gram_matrix(x)
    array([[[ 4.,  6.],
            [ 6., 10.]]], dtype=float32)
    """
    factor = as_number("gram_matrix", "scale", scale)
    if not abs(factor) <= np.finfo(np.float32).max:
        raise ConfigError(
            f"gram_matrix: scale: expected a finite number that float32 holds, got {scale!r}"
        )
    return apply_op("gram_matrix", [x], scale=factor)
