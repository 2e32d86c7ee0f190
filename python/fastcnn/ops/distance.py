"""Distances between vectors, and the nearest ones."""

from __future__ import annotations

from typing import Any

from fastcnn.ops._dispatch import apply_op

__all__ = ["cdist", "nearest"]

_ALIASES = {"l1": "manhattan", "cityblock": "manhattan", "l2": "euclidean"}


def cdist(x: Any, y: Any, metric: str = "euclidean") -> Any:
    """Distances between all rows of two matrices.

    Accurate relative to each distance, however near the rows.

    Parameters
    ----------
    x : array, float32, shape (n, d)
    y : array, float32, shape (m, d)
    metric : {"euclidean", "sqeuclidean", "manhattan", "inner_product", "cosine"}
        ``"l1"`` and ``"cityblock"`` are manhattan, ``"l2"`` is euclidean. Cosine is the distance
        1 - similarity, in [0, 2]; a zero vector is at distance 1 from every vector.

    Returns
    -------
    array, float32, shape (n, m)

    Raises
    ------
    ShapeError
        If an operand is not of rank 2, or the columns differ in number.
    ConfigError
        If `metric` is none of these.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.cdist([[0, 0], [3, 4]], [[0, 0]])
    array([[0.],
           [5.]], dtype=float32)
    """
    return apply_op("cdist", [x, y], metric=_ALIASES.get(metric, metric))


def nearest(queries: Any, gallery: Any, k: int = 1, metric: str = "euclidean") -> Any:
    """The k rows of a gallery that are nearest to each query.

    No matrix of all distances is made.

    Parameters
    ----------
    queries : array, float32, shape (q, d)
    gallery : array, float32, shape (n, d)
    k : int
        From 1 to n.
    metric : str
        As in `cdist`. For ``"inner_product"`` nearest means largest.

    Returns
    -------
    values : array, float32, shape (q, k)
        The distances, nearest first; NaN after every number.
    indices : array, int64, shape (q, k)
        Rows of the gallery; equal distances by increasing index.

    Raises
    ------
    ShapeError
        If an operand is not of rank 2, the columns differ in number, or `k` exceeds n.
    ConfigError
        If `metric` is none of these.

    Examples
    --------
    >>> import fastcnn as fc
    >>> values, indices = fc.ops.nearest([[0.0, 0.0]], [[3.0, 4.0], [1.0, 0.0], [9.0, 9.0]], k=2)
    >>> values, indices
    (array([[1., 5.]], dtype=float32), array([[1, 0]]))
    """
    return apply_op("nearest", [queries, gallery], k=k, metric=_ALIASES.get(metric, metric))
