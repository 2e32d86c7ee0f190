"""The distance room: every distance within its own bound, every order as the contract says."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import distance as cases
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    dot_bound,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import distance as reference


def bound(x: np.ndarray, y: np.ndarray, metric: str, expected: np.ndarray) -> np.ndarray:
    """What the contract promises, element by element."""
    d = x.shape[1]
    if metric in ("inner_product", "cosine"):
        magnitude = np.abs(x).astype(np.float64) @ np.abs(y).astype(np.float64).T
        if metric == "inner_product":
            return dot_bound(magnitude, d)
        norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)[None]
        share = np.divide(magnitude, norms, out=np.zeros_like(norms), where=norms > 0)
        # The norms are sums too, and 1 - c is rounded.
        return dot_bound(share, d) + dot_bound(np.minimum(norms, 1), d)
    if metric == "manhattan":
        return dot_bound(expected, d)
    square = 16 * dot_bound(np.ones_like(expected), d)  # relative
    return expected * (square if metric == "sqeuclidean" else square / 2 + 2 * UNIT_ROUNDOFF)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.CDIST))
def test_cdist(kernel: str, case: Case) -> None:
    x, y = case.inputs()
    (actual,) = run_kernel(kernel, case, [x, y])
    expected = reference.cdist(x, y, **case.attrs)
    assert_within(actual, expected, bound(x, y, case.attrs["metric"], expected))


@pytest.mark.parametrize(
    ("kernel", "case"), each_kernel(c for c in cases.CDIST if all(map(all, c.shapes)))
)
def test_cdist_of_nearly_equal_equal_and_zero_vectors(kernel: str, case: Case) -> None:
    x, y = case.inputs()
    rng = np.random.default_rng(1)
    x += 100  # the products are large, the differences small
    y = x[rng.integers(0, len(x), len(y))] + np.float32(1e-3) * y
    y[0] = x[0]
    y[-1] = 0
    (actual,) = run_kernel(kernel, case, [x, y])
    expected = reference.cdist(x, y, **case.attrs)
    assert_within(actual, expected, bound(x, y, case.attrs["metric"], expected))
    if case.attrs["metric"] == "cosine":
        assert (actual[:, -1] == 1).all()


@pytest.mark.parametrize("kernel", kernel_rows("cdist"))
@pytest.mark.parametrize("value", [2e19, 1e-20, 3e38, np.inf, np.nan])
@pytest.mark.parametrize("rows", [2, 9])
def test_cdist_at_the_ends_of_the_float_range(kernel: str, value: float, rows: int) -> None:
    x = np.full((rows, 40), value, np.float32)
    y = x[::-1].copy()
    y[0] /= 2
    with np.errstate(over="ignore", invalid="ignore"):
        difference = x[:, None] - y[None]
        expected = np.sqrt((difference * difference).sum(-1))
    (actual,) = run_kernel(kernel, Case("cdist", (x.shape, y.shape)), [x, y])
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("kernel", kernel_rows("cdist"))
@pytest.mark.parametrize("metric", cases.METRICS)
@pytest.mark.parametrize("rows", [2, 9])
@pytest.mark.parametrize("norm", [1e-17, 9e18])
def test_cdist_is_accurate_in_the_range_documented(
    kernel: str, metric: str, rows: int, norm: float
) -> None:
    rng = np.random.default_rng(2)
    x, y = (rng.standard_normal((n, 40)) for n in (rows, 70))
    x, y = (
        (norm * a / np.linalg.norm(a, axis=1, keepdims=True)).astype(np.float32) for a in (x, y)
    )
    case = Case("cdist", (x.shape, y.shape), {"metric": metric})
    (actual,) = run_kernel(kernel, case, [x, y])
    expected = reference.cdist(x, y, metric=metric)
    assert_within(actual, expected, bound(x, y, metric, expected))


@pytest.mark.parametrize("queries", [1, 9])
def test_beyond_the_range_documented_distances_are_as_documented(queries: int) -> None:
    rng = np.random.default_rng(3)
    x, y = (rng.standard_normal((n, 40)).astype(np.float32) for n in (queries, 20))
    huge, tiny = np.float32(2.0**70), np.float32(2.0**-90)
    assert (fc.ops.cdist(x * huge, y * huge) == np.inf).all()
    assert (fc.ops.cdist(x * tiny, y * tiny) == 0).all()
    assert (fc.ops.cdist(x * huge, y, metric="cosine") == 1).all()
    assert (fc.ops.cdist(x * tiny, y, metric="cosine") == 1).all()
    both = fc.ops.cdist(x * huge, y * huge, metric="cosine")
    assert (np.isnan(both) | (both == 1)).all()
    for scale in (huge, tiny):  # and these reach further
        np.testing.assert_array_equal(
            fc.ops.cdist(x * scale, y * scale, metric="l1"), fc.ops.cdist(x, y, metric="l1") * scale
        )


def in_order(distances: np.ndarray, k: int, metric: str) -> np.ndarray:
    key = -distances if metric == "inner_product" else distances
    return np.argsort(key, axis=1, kind="stable")[:, :k]  # NaN last


@pytest.mark.parametrize("metric", cases.METRICS)
@pytest.mark.parametrize("size", [(1, 300, 64), (9, 5000, 5), (3, 700, 2), (150, 333, 20)])
def test_nearest_is_the_sorted_row_of_cdist(metric: str, size: tuple[int, int, int]) -> None:
    q, n, d = size
    rng = np.random.default_rng(0)
    for x, y in [
        (rng.standard_normal((q, d)), rng.standard_normal((n, d))),
        (rng.integers(-1, 2, (q, d)), rng.integers(-1, 2, (n, d))),  # ties
    ]:
        x, y = x.astype(np.float32), y.astype(np.float32)
        y[n // 2 :: 7] = np.nan
        for nearest in kernel_rows("nearest"):
            cdist = nearest.replace("nearest", "cdist")
            case = Case("cdist", (x.shape, y.shape), {"metric": metric})
            (distances,) = run_kernel(cdist, case, [x, y])
            for k in {1, 5, 100, 200, n}:
                case = Case("nearest", (x.shape, y.shape), {"metric": metric, "k": k})
                values, indices = run_kernel(nearest, case, [x, y])
                order = in_order(distances, k, metric)
                np.testing.assert_array_equal(indices, order)
                np.testing.assert_array_equal(values, np.take_along_axis(distances, order, axis=1))


@pytest.mark.parametrize(
    "case",
    [
        Case("nearest", ((1, 64), (30_000, 64)), {"k": 9}),
        Case("nearest", ((200, 24), (9_000, 24)), {"k": 300, "metric": "cosine"}),
        Case("cdist", ((140, 50), (600, 50))),
    ],
)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize("kernel", kernel_rows("nearest"))
@pytest.mark.parametrize("queries", [2, 9])
@pytest.mark.parametrize("kind", ["ties", "most are NaN", "inf"])
def test_chunks_that_bound_each_other_leave_out_none_of_the_nearest(
    kernel: str, queries: int, kind: str
) -> None:
    rows, k = 9_000, 70
    rng = np.random.default_rng(0)
    x = rng.integers(-1, 2, (queries, 16)).astype(np.float32)
    y = rng.integers(-1, 2, (3, 16)).astype(np.float32)[rng.integers(0, 3, rows)]
    if kind == "most are NaN":
        y[rng.permutation(rows)[: rows - k // 2]] = np.nan
    if kind == "inf":
        y[rng.permutation(rows)[: rows - k // 2]] = np.inf
    case = Case("nearest", (x.shape, y.shape), {"metric": "manhattan", "k": k})
    values, indices = run_kernel(kernel, case, [x, y])
    exact = np.abs(x[:, None] - y).sum(axis=2)
    order = in_order(exact, k, "manhattan")
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(values, np.take_along_axis(exact, order, axis=1))


@pytest.mark.parametrize("kernel", kernel_rows("nearest"))
def test_a_bound_found_further_on_leaves_equal_rows_of_lower_index(kernel: str) -> None:
    """The second thread, which starts in the middle, knows the distance before the first does."""
    rows, k = 28_000, 5
    y = np.full((rows, 16), 3, np.float32)
    for first in range(8_000, rows, 1_000):
        y[first : first + k] = 1
    x = np.zeros((9, 16), np.float32)
    case = Case("nearest", (x.shape, y.shape), {"metric": "manhattan", "k": k})
    values, indices = run_kernel(kernel, case, [x, y])
    np.testing.assert_array_equal(indices, np.tile(np.arange(8_000, 8_000 + k), (9, 1)))
    assert (values == 16).all()


def test_memory_of_nearest_does_not_grow_with_the_gallery() -> None:
    def arena(rows: int) -> int:
        graph = _C.Graph()
        operands = [graph.input((1000, 32)), graph.input((rows, 32))]
        graph.set_outputs(graph.add("nearest", operands, {"k": 10}))
        return _C.compile(graph).arena_bytes

    assert arena(10_000_000) == arena(100_000)


def test_python_face() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 8)).astype(np.float32)
    for alias, metric in [("l1", "manhattan"), ("cityblock", "manhattan"), ("l2", "euclidean")]:
        np.testing.assert_array_equal(
            fc.ops.cdist(x, x, metric=alias), fc.ops.cdist(x, x, metric=metric)
        )
    values, indices = fc.ops.nearest(x, x, metric="cosine")
    assert indices.ravel().tolist() == [0, 1, 2, 3]
    assert values.max() < 1e-6
    with pytest.raises(ShapeError, match=r"nearest: k: expected 1 to 4 .* got 5"):
        fc.ops.nearest(x, x, k=5)
    with pytest.raises(ShapeError, match="nearest: k: expected 1 to 0"):
        fc.ops.nearest(x, x[:0])
    with pytest.raises(ShapeError, match="x and y must have equally many columns"):
        fc.ops.cdist(x, x[:, :3])
    with pytest.raises(ConfigError, match="metric: expected one of"):
        fc.ops.cdist(x, x, metric="hamming")
