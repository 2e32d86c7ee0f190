"""Dense layers and matrix products."""

from __future__ import annotations

from typing import Any

from fastcnn.ops._dispatch import apply_op

__all__ = ["dense", "matmul"]


def dense(
    x: Any,
    w: Any,
    bias: Any = None,
    activation: str | None = None,
    *,
    alpha: float | None = None,
    residual: Any = None,
) -> Any:
    """A dense layer over the last axis: ``activation(x @ w + bias + residual)``.

    Parameters
    ----------
    x : array, float32, shape (..., features)
    w : array, float32, shape (features, units)
    bias : array, float32, shape (units,), optional
    activation, alpha, residual
        As in `conv2d`.

    Returns
    -------
    array, float32, shape (..., units)

    Raises
    ------
    ShapeError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.dense([[1.0, 2.0]], [[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]], activation="relu")
    array([[1., 2., 0.]], dtype=float32)
    """
    return apply_op(
        "dense",
        [x, w, bias, residual],
        activation=activation,
        alpha=alpha,
        has_bias=bias is not None,
        has_residual=residual is not None,
    )


def matmul(a: Any, b: Any, *, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """Matrix product of matrices or stacks of matrices.

    Parameters
    ----------
    a : array, float32, shape (m, k) or (batch, m, k)
    b : array, float32, shape (k, n) or (batch, k, n)
        A single matrix is shared by all of the other operand's stack.
    transpose_a, transpose_b : bool
        Whether the operand's last two axes are swapped first, which costs no copy.

    Returns
    -------
    array, float32, shape (m, n) or (batch, m, n)

    Raises
    ------
    ShapeError
        If the inner dimensions or the stacks differ.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> a = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> fc.ops.matmul(a, a, transpose_b=True)
    array([[ 5., 11.],
           [11., 25.]], dtype=float32)
    """
    return apply_op("matmul", [a, b], transpose_a=transpose_a, transpose_b=transpose_b)
