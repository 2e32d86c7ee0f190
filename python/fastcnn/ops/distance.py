"""Distances between vectors, and the nearest ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import config, cuda
from fastcnn.errors import ConfigError
from fastcnn.ops._dispatch import apply_op

__all__ = ["cdist", "encode_rows", "nearest"]

_ALIASES = {"l1": "manhattan", "cityblock": "manhattan", "l2": "euclidean"}


def _named(op: str, metric: Any) -> str:
    if not isinstance(metric, str):
        raise ConfigError(f"{op}: metric: expected a name, such as 'euclidean', got {metric!r}")
    return _ALIASES.get(metric, metric)


def cdist(x: Any, y: Any, metric: str = "euclidean") -> Any:
    """Distances between all rows of two matrices.

    Accurate relative to each distance, however near the rows, in the range that the notes tell.

    Parameters
    ----------
    x : array, float32, shape (n, d)
    y : array, float32, shape (m, d)
        Real numbers of other dtypes, ml_dtypes' bfloat16 among them, are converted to float32.
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

    Notes
    -----
    Squares are summed in float32, so that they must be in its range. Euclidean distances above
    1.8e19 are infinite; those below 1e-17 lose digits and, smaller still, become 0. Squared ones
    likewise. For cosine, a vector of a norm above 1.8e19 is at distance 1 or NaN from every vector;
    norms below 1e-17 lose digits and, smaller still, count as 0. Manhattan distances and inner
    products reach as far as float32 itself. Multiply all rows of such magnitudes by one power of
    two first: Euclidean distances are multiplied by the same, and no cosine changes.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.cdist([[0, 0], [3, 4]], [[0, 0]])
    array([[0.],
           [5.]], dtype=float32)
    """
    return apply_op("cdist", [x, y], metric=_named("cdist", metric))


def nearest(
    queries: Any,
    gallery: Any,
    k: int = 1,
    metric: str = "euclidean",
    codes: Sequence[Any] | None = None,
) -> Any:
    """The k rows of a gallery that are nearest to each query.

    No matrix of all distances is made. Distances are as accurate as those of `cdist`, and in the
    same range of magnitudes.

    Parameters
    ----------
    queries : array, float32, shape (q, d)
    gallery : array, float32, shape (n, d)
        A C-contiguous float32 array is read where it is. Real numbers of any other dtype - float64,
        float16, ml_dtypes' bfloat16, integers - are converted to float32 in every call, which takes
        longer than a search for a few queries: convert such a gallery once, and keep that.
    k : int
        From 1 to n.
    metric : str
        As in `cdist`. For ``"inner_product"`` nearest means largest.
    codes : sequence of arrays, optional
        What `encode_rows` makes of the gallery. A search for up to 7 queries reads these, about a
        quarter of the memory, and then only those rows that they cannot rule out. The results are
        the same, bit for bit; of rows that changed since they were encoded they may be wrong.

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
        If `metric` is none of these, or `codes` are not four arrays.

    Notes
    -----
    Codes help where reading the gallery takes the time: with many rows of many columns, one query
    or a few, and k small against the rows. Other searches, those by manhattan distance and those on
    a GPU, read the gallery as if there were none. Codes are kept beside the gallery, so that both
    take a quarter more memory than the gallery alone. `fastcnn.faces.Gallery` holds rows that come
    and go, and makes their codes when they are worth it.

    Examples
    --------
    >>> import fastcnn as fc
    >>> values, indices = fc.ops.nearest([[0.0, 0.0]], [[3.0, 4.0], [1.0, 0.0], [9.0, 9.0]], k=2)
    >>> values, indices
    (array([[1., 5.]], dtype=float32), array([[1, 0]]))
    """
    if codes is not None and not (isinstance(codes, (tuple, list)) and len(codes) == 4):
        raise ConfigError("nearest: codes: expected the four arrays that encode_rows returns")
    on_gpu = config.get_device() != "cpu" or any(map(cuda.is_device_array, (queries, gallery)))
    if codes is None or on_gpu:
        return apply_op("nearest", [queries, gallery], k=k, metric=_named("nearest", metric))
    dtypes = ["float32", "float32", "int8", "float32", "float32", "float32"]
    operands = [queries, gallery, *codes]
    return apply_op("nearest_coded", operands, dtypes, k=k, metric=_named("nearest", metric))


def encode_rows(rows: Any) -> Any:
    """Codes of 8 bits for the rows of a gallery, by which `nearest` finds few rows to look at.

    A row is ``scale * codes`` and a remainder.

    Parameters
    ----------
    rows : array, float32, shape (n, d)

    Returns
    -------
    codes : array, int8, shape (n, d)
    scales : array, float32, shape (n,)
        The largest magnitude of each row, divided by 127; NaN says that a row holds NaN.
    norms : array, float32, shape (n,)
        The Euclidean norm of ``scale * codes``.
    remainders : array, float32, shape (n,)
        The Euclidean norm of the row minus ``scale * codes``, rounded up.

    Raises
    ------
    ShapeError
        If `rows` is not of rank 2.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> gallery = np.random.default_rng(0).normal(size=(1000, 128)).astype(np.float32)
    >>> codes = fc.ops.encode_rows(gallery)
    >>> codes[0].dtype, codes[1].shape
    (dtype('int8'), (1000,))
    >>> values, indices = fc.ops.nearest(gallery[7:8], gallery, codes=codes)
    >>> values, indices
    (array([[0.]], dtype=float32), array([[7]]))
    """
    return apply_op("encode_rows", [rows])
