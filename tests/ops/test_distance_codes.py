"""Rows in codes of 8 bits: what the codes promise, and that searching by them finds the same."""

from collections.abc import Callable

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.cases import distance as cases
from tests.harness import Case, compile_op, guarded, kernel_rows, run_kernel

CODED = [row for row in kernel_rows("nearest_coded") if not row.endswith("_cuda")]
METRICS = ("euclidean", "sqeuclidean", "inner_product", "cosine")


def normal(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.standard_normal((n, d)).astype(np.float32)


# ---- the codes -----------------------------------------------------------------------------------


def assert_codes(x: np.ndarray, results: list[np.ndarray]) -> None:
    """What the contract promises, in float64; NaN and infinities as it says."""
    codes, scales, norms, remainders = results
    finite = np.isfinite(x).all(axis=1)
    coded = codes.astype(np.float64) * scales[:, None]
    assert (np.abs(codes.astype(int)) <= 127).all()
    x64 = x.astype(np.float64)
    rest = np.sqrt(((x64 - coded)[finite] ** 2).sum(1))
    assert (remainders[finite] >= rest).all()
    tiny = np.sqrt(max(x.shape[1], 1) * 2.0**-126)
    share = 3e-6 + x.shape[1] * 2.0**-24
    near = remainders[finite] <= rest * (1 + share) + 1.01 * tiny
    assert (near | (rest > 1e18)).all()  # where squares may overflow
    with np.errstate(over="ignore"):
        expected = np.sqrt((coded[finite] ** 2).sum(1)).astype(np.float32)
    np.testing.assert_allclose(norms[finite], expected, rtol=5 * 2.0**-24)
    # No number is further from its code than half a step, but for tiny rows, which have no codes.
    most = np.abs(x64).max(axis=1, initial=0)
    step = np.where(most >= 1e-30, most / 127, 2 * most)
    assert (np.abs(x64 - coded)[finite] <= 0.5001 * step[finite, None]).all()
    assert not codes[~finite].any()
    nan = np.isnan(x).any(axis=1)
    for numbers in (scales, norms, remainders):
        assert np.isnan(numbers[nan]).all() and not np.isnan(numbers[~nan]).any()
    infinite = ~finite & ~nan
    assert not scales[infinite].any() and not norms[infinite].any()
    assert np.isposinf(remainders[infinite]).all()


@pytest.mark.parametrize("kernel", kernel_rows("encode_rows"))
@pytest.mark.parametrize("d", [0, 1, 7, 8, 15, 16, 17, 31, 33, 64, 128, 130, 1000])
def test_codes(kernel: str, d: int) -> None:
    rng = np.random.default_rng(d)
    x = normal(rng, 41, d)
    if d:
        for i, factor in enumerate([0, 1e-44, 1e-38, 3e-30, 1e-20, 1e-10, 1e10, 1e18, 1e37]):
            x[i] *= np.float32(factor)
        x[10], x[11], x[12, -1] = 3.0, -0.0, -1e30
        x[13, 0], x[14, -1], x[15, d // 2] = np.nan, np.inf, -np.inf
        x[16, 0], x[16, -1] = np.inf, np.nan
        x[17] = np.finfo(np.float32).max
        x[18] = np.arange(d) % 255 - 127
    assert_codes(x, run_kernel(kernel, Case("encode_rows", (x.shape,)), [x]))


def test_rows_of_all_kernels_code_alike() -> None:
    x = normal(np.random.default_rng(0), 100, 77) * np.logspace(-20, 20, 100)[:, None]
    x = x.astype(np.float32)
    runs = [run_kernel(k, Case("encode_rows", (x.shape,)), [x]) for k in kernel_rows("encode_rows")]
    for codes, scales, *_ in runs[1:]:
        np.testing.assert_array_equal(codes, runs[0][0])
        np.testing.assert_array_equal(scales, runs[0][1])


# ---- the search ----------------------------------------------------------------------------------


def assert_same(kernel: str, queries: np.ndarray, gallery: np.ndarray, k: int, metric: str) -> None:
    """The row of nearest_coded finds, bit for bit, what nearest's of its instruction set does."""
    attrs = {"k": k, "metric": metric}
    isa = kernel.rsplit("_", 1)[1]
    operands = [queries, gallery]
    plain = f"nearest_f32_{isa}"
    plan = compile_op("nearest", operands, attrs, plain, optimize=False, precision="medium")
    expected = plan.run(operands)
    codes = fc.ops.encode_rows(gallery)
    operands += codes
    case = Case("nearest_coded", tuple(a.shape for a in operands), attrs)
    actual = run_kernel(kernel, case, operands)
    assert actual[1].tobytes() == expected[1].tobytes(), (metric, k, actual, expected)
    # NaN of one payload are as good as of another.
    np.testing.assert_array_equal(actual[0], expected[0])
    assert (np.signbit(actual[0]) == np.signbit(expected[0]))[~np.isnan(expected[0])].all()


def clustered(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    centres = normal(rng, -(-n // 40), d)
    rows = np.repeat(centres, 40, axis=0)[:n] + 0.05 * normal(rng, n, d)
    return rows.astype(np.float32)


def scaled(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return (normal(rng, n, d) * np.exp(rng.uniform(-70, 70, (n, 1)))).astype(np.float32)


def spiked(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """One number of each row dwarfs the others, which codes lose."""
    x = 1e-3 * normal(rng, n, d)
    x[np.arange(n), rng.integers(0, d, n)] = rng.choice([-1, 1], n)
    return x.astype(np.float32)


KINDS: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "normal": normal,
    "unit": lambda rng, n, d: (lambda x: x / np.linalg.norm(x, axis=1, keepdims=True))(
        normal(rng, n, d)
    ),
    "clustered": clustered,
    "ties": lambda rng, n, d: rng.integers(-1, 2, (n, d)).astype(np.float32),
    "codes": lambda rng, n, d: rng.integers(-127, 128, (n, d)).astype(np.float32),
    "duplicates": lambda rng, n, d: np.tile(normal(rng, -(-n // 9), d), (9, 1))[:n],
    "scaled": scaled,
    "spiked": spiked,
    "far": lambda rng, n, d: 100 + normal(rng, n, d),
    "tiny": lambda rng, n, d: np.float32(1e-25) * normal(rng, n, d),
    "denormal": lambda rng, n, d: np.float32(1e-41) * normal(rng, n, d),
    "huge": lambda rng, n, d: np.float32(1e18) * normal(rng, n, d),
}


@pytest.mark.parametrize("kernel", CODED)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [5, 16, 33, 128])
def test_the_same_as_nearest(kernel: str, kind: str, d: int) -> None:
    rng = np.random.default_rng(d)
    n = 900
    gallery = np.ascontiguousarray(KINDS[kind](rng, n, d))
    for metric in cases.METRICS:
        for queries, k in [(1, 1), (3, 5), (7, n // 8), (1, n // 8 + 1), (2, n), (8, 3)]:
            x = np.ascontiguousarray(KINDS[kind](rng, max(queries, 9), d)[:queries])
            if queries > 1:  # one that is there, one nearly
                x[0] = gallery[n // 3]
                x[1] = gallery[n // 2] * np.float32(1 + 1e-6)
            assert_same(kernel, x, gallery, k, metric)


@pytest.mark.parametrize("kernel", CODED)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "size", [(1, 8, 16), (1, 9, 17), (2, 63, 40), (1, 40_000, 24), (3, 5_000, 200), (1, 300, 1100)]
)
def test_the_same_at_other_sizes(kernel: str, metric: str, size: tuple[int, int, int]) -> None:
    queries, n, d = size
    if kernel.endswith("ref") and n > 10_000:
        pytest.skip("computes what nearest does")
    rng = np.random.default_rng(n)
    for kind in ("normal", "unit", "clustered"):
        gallery = np.ascontiguousarray(KINDS[kind](rng, n, d))
        x = np.ascontiguousarray(KINDS[kind](rng, queries, d))
        for k in {1, max(1, n // 100), n // 8}:
            assert_same(kernel, x, gallery, k, metric)


@pytest.mark.parametrize("kernel", CODED)
@pytest.mark.parametrize("metric", METRICS)
def test_rows_and_queries_that_are_not_numbers(kernel: str, metric: str) -> None:
    rng = np.random.default_rng(0)
    n, d = 1200, 48
    x, gallery = normal(rng, 4, d), normal(rng, n, d)
    gallery[::3] = np.nan  # removed
    gallery[1::50, 7] = np.nan
    gallery[2::100, 3] = np.inf
    gallery[5::100, 3] = -np.inf
    gallery[7::90] = 0
    gallery[11::90] = -0.0
    for k in (1, 20, n // 8):
        assert_same(kernel, x, gallery, k, metric)
    for value in (np.nan, np.inf, -np.inf, 0.0, 1e-44, 1e-30, 3e38):
        odd = x.copy()
        odd[2] = value
        assert_same(kernel, odd, gallery, 3, metric)
        odd[2] = x[2]
        odd[2, 5] = value
        assert_same(kernel, odd, gallery, 3, metric)
    few = gallery.copy()
    few[5:] = np.nan
    assert_same(kernel, x, few, 10, metric)  # fewer numbers than wanted
    assert_same(kernel, x, np.full_like(gallery, np.nan), 10, metric)
    assert_same(kernel, x, np.zeros_like(gallery), 10, metric)


@pytest.mark.parametrize("kernel", [k for k in CODED if not k.endswith("ref")])
@pytest.mark.parametrize("metric", METRICS)
def test_distances_that_differ_by_roundings_alone(kernel: str, metric: str) -> None:
    """Neighbours in float32, of which the codes are the same: order is what roundings make it."""
    rng = np.random.default_rng(3)
    n, d = 2000, 64
    gallery = normal(rng, n, d)
    near = gallery[7] + np.float32(1e-7) * rng.integers(-3, 4, (60, d))
    gallery[rng.permutation(n)[:60]] = near.astype(np.float32)
    for x in (gallery[7:8], gallery[7:8] + np.float32(0.1), -gallery[7:8], 2 * gallery[7:8]):
        for k in (1, 5, 60, 100):
            assert_same(kernel, np.ascontiguousarray(x), gallery, k, metric)


@pytest.mark.parametrize("kernel", [k for k in CODED if not k.endswith("ref")])
@pytest.mark.parametrize("metric", METRICS)
def test_rows_made_nan_after_they_were_coded(kernel: str, metric: str) -> None:
    """Marked by a scale of NaN; and unmarked, as while another thread is about to mark them."""
    rng = np.random.default_rng(1)
    x, gallery = normal(rng, 2, 32), normal(rng, 3000, 32)
    codes = fc.ops.encode_rows(gallery)
    attrs = {"k": 4, "metric": metric}
    plain = kernel.replace("nearest_coded", "nearest")
    for mark in (True, False):
        for _ in range(4):
            plan = compile_op("nearest", [x, gallery], attrs, plain, optimize=False)
            best = plan.run([x, gallery])[1]
            gallery[best[:, ::2]] = np.nan
            if mark:
                codes[1][best[:, ::2]] = np.nan
            expected = plan.run([x, gallery])
            operands = [x, gallery, *codes]
            case = Case("nearest_coded", tuple(a.shape for a in operands), attrs)
            for a, b in zip(run_kernel(kernel, case, operands), expected, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("metric", METRICS)
def test_the_codes_are_read_and_few_rows_of_the_gallery(metric: str) -> None:
    """Else all above would test nearest: a gallery that is wrong but for its neighbourhood."""
    if _C.max_isa() == "ref":
        pytest.skip("the reference reads all")
    rng = np.random.default_rng(2)
    gallery = normal(rng, 5000, 64)
    x = gallery[77:78] * np.float32(1.01)
    codes = fc.ops.encode_rows(gallery)
    expected = fc.ops.nearest(x, gallery, 1, metric)
    gallery[:70] = gallery[90:] = x  # which plain search would find
    actual = fc.ops.nearest(x, gallery, 1, metric, codes=codes)
    assert actual[1] == expected[1] and actual[0] == expected[0]


@pytest.mark.parametrize("metric", METRICS)
def test_same_bits_at_any_thread_count(metric: str) -> None:
    rng = np.random.default_rng(0)
    gallery, x = normal(rng, 30_000, 40), normal(rng, 3, 40)
    codes = fc.ops.encode_rows(gallery)
    before = _C.num_threads()
    runs = []
    try:
        for threads in (1, 2, 3, 7):
            _C.set_num_threads(threads)
            runs.append(fc.ops.nearest(x, gallery, 9, metric, codes=codes))
            runs.append(fc.ops.nearest(x, gallery, 9, metric))
            again = fc.ops.encode_rows(gallery)
            assert all(a.tobytes() == b.tobytes() for a, b in zip(codes, again, strict=True))
    finally:
        _C.set_num_threads(before)
    for values, indices in runs[1:]:
        assert values.tobytes() == runs[0][0].tobytes()
        assert indices.tobytes() == runs[0][1].tobytes()


def test_wrong_codes_read_no_foreign_memory() -> None:
    n, d = 700, 33
    for row in CODED:
        for seed in range(5):
            rng = np.random.default_rng(seed)
            operands = [
                normal(rng, 2, d),
                normal(rng, n, d),
                rng.integers(-128, 128, (n, d)).astype(np.int8),
                *(rng.choice([0, 1, -1, 1e38, np.inf, -np.inf, np.nan], n).astype(np.float32)
                  for _ in range(3)),
            ]  # fmt: skip
            plan = compile_op("nearest_coded", operands, {"k": 3}, row, optimize=False)
            _, indices = plan.run([guarded(a, "after") for a in operands])
            assert ((indices >= 0) & (indices < n)).all()


def test_python_face() -> None:
    rng = np.random.default_rng(0)
    gallery = normal(rng, 600, 32)
    x = gallery[5]
    codes = fc.ops.encode_rows(gallery)
    for metric in (*cases.METRICS, "l2", "l1"):
        for a, b in zip(
            fc.ops.nearest([x], gallery, 3, metric, codes=codes),
            fc.ops.nearest([x], gallery, 3, metric),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    inputs = fc.Input((32,))
    model = fc.Model(inputs, fc.ops.nearest(inputs, gallery, 3, codes=codes))
    np.testing.assert_array_equal(model.predict(gallery[4:6])[1][:, 0], [4, 5])
    values, indices = fc.ops.nearest(gallery[:0], gallery, 3, codes=codes)
    assert values.shape == indices.shape == (0, 3)
    with pytest.raises(ConfigError, match="four arrays"):
        fc.ops.nearest([x], gallery, codes=codes[:3])
    with pytest.raises(ConfigError, match="four arrays"):
        fc.ops.nearest([x], gallery, codes=7)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="codes: expected those of a gallery"):
        fc.ops.nearest([x], gallery[1:], codes=codes)
    with pytest.raises(ShapeError, match="one scale, norm and remainder"):
        fc.ops.nearest([x], gallery, codes=[codes[0], *(c[1:] for c in codes[1:])])
    with pytest.raises(ShapeError, match="nearest_coded: k: expected 1 to 600"):
        fc.ops.nearest([x], gallery, k=601, codes=codes)
    with pytest.raises(DTypeError, match="int8"):
        graph = _C.Graph()
        shapes = [(1, 32), (600, 32), (600, 32), (600,), (600,), (600,)]
        graph.add("nearest_coded", [graph.input(s) for s in shapes], {})
    with pytest.raises(ShapeError, match="encode_rows: rows"):
        fc.ops.encode_rows(x)
