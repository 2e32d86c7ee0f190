"""Comparisons, where, pow, one_hot, cast: every row, corner cases, gradients, the Python face."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.gradients.harness import assert_gradients_match
from tests.harness import Case, kernel_rows, run_kernel, same_bits_at_any_thread_count

COMPARISONS = ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")
PAIRS = (((7,), (7,)), ((2, 3, 21), (21,)), ((), (19,)), ((4, 1), (1, 6)), ((0, 4), (1, 4)))


@pytest.mark.parametrize("op", COMPARISONS)
@pytest.mark.parametrize("shapes", PAIRS)
def test_comparisons(op: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    for kernel in kernel_rows(op):
        case = Case(op, shapes)
        a, b = (np.round(x) for x in case.inputs())
        if a.size:
            a.flat[::5] = np.nan
        (y,) = run_kernel(kernel, case, [a, b])
        np.testing.assert_array_equal(y, getattr(np, op)(a, b).astype(np.float32))


def test_pow() -> None:
    a = np.array([0, 0, 1, 2, -2, -2, np.inf, 3], np.float32)
    b = np.array([0, -1, np.nan, 0.5, 3, 0.5, -1, 40], np.float32)
    case = Case("pow", (a.shape, b.shape))
    with np.errstate(all="ignore"):
        expected = np.power(a.astype(np.float64), b).astype(np.float32)
    for kernel in kernel_rows("pow"):
        np.testing.assert_array_equal(run_kernel(kernel, case, [a, b])[0], expected)


WHERE = [
    ((33,), (33,), (33,)),
    ((2, 3, 5), (), (2, 3, 5)),
    ((2, 3, 5), (2, 3, 5), ()),
    ((), (2, 3, 5), (2, 3, 5)),
    ((2, 1, 5), (3, 1), (2, 3, 1)),
    ((0, 3), (3,), ()),
]


@pytest.mark.parametrize("kernel", kernel_rows("where"))
@pytest.mark.parametrize("shapes", WHERE)
@pytest.mark.parametrize("dtype", ["float32", "bool", "uint8"])
def test_where(kernel: str, shapes: tuple[tuple[int, ...], ...], dtype: str) -> None:
    case = Case("where", shapes)
    c, a, b = case.inputs()
    condition = np.where(c > 0.3, c, 0).astype(dtype)
    if dtype == "float32" and c.ndim:
        condition.flat[:1] = np.nan
        a.flat[1:2] = np.inf
    (y,) = run_kernel(kernel, case, [condition, a, b])
    np.testing.assert_array_equal(y, np.where(condition != 0, a, b))


def test_one_hot() -> None:
    for dtype in ("int64", "int32", "uint8"):
        labels = np.array([[0, 3, 5], [4, 255, 2]], np.int64).astype(dtype)
        for kernel in kernel_rows("one_hot"):
            for depth in (1, 4, 5, 7):
                (y,) = run_kernel(kernel, Case("one_hot", (2, 3), {"depth": depth}), [labels])
                np.testing.assert_array_equal(y, labels[..., None] == np.arange(depth))
    np.testing.assert_array_equal(fc.ops.one_hot([-1, 1], 2), [[0, 0], [0, 1]])
    with pytest.raises(DTypeError, match="expected labels of dtype int64, int32 or uint8"):
        fc.ops.one_hot([0.5], 2)
    with pytest.raises(ConfigError, match="depth: expected at least one class"):
        fc.ops.one_hot([0], 0)


DTYPES = ("float32", "float64", "int64", "int32", "uint8", "int8", "bool")


# The others only move between storages.
CASTS = [kernel for kernel in kernel_rows("cast") if "storage" not in kernel]


@pytest.mark.parametrize("kernel", CASTS)
@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_cast(kernel: str, source: str, target: str) -> None:
    values = np.array([0, 1, -1, 2.7, -2.7, 127, 128, -128, -129, 255, 256, 2.0**31, -(2.0**62)])
    with np.errstate(invalid="ignore"):
        x = values.astype(source)
    (y,) = run_kernel(kernel, Case("cast", (x.shape,), {"dtype": target}), [x])
    if target == "bool":
        expected = x != 0
    elif target.startswith("float"):
        expected = x.astype(target)
    else:
        info = np.iinfo(target)
        expected = np.array([min(max(int(v), info.min), info.max) for v in x], target)
    np.testing.assert_array_equal(y, expected)
    assert y.dtype == target


@pytest.mark.parametrize("kernel", CASTS)
def test_cast_of_what_no_integer_is(kernel: str) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 3e38], np.float32)
    most, least = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    for dtype, expected in (
        ("int64", [0, most, least, most]),
        ("uint8", [0, 255, 0, 255]),
        ("bool", [True] * 4),
    ):
        (y,) = run_kernel(kernel, Case("cast", (x.shape,), {"dtype": dtype}), [x])
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(fc.ops.cast(x, dtype), expected)
    with pytest.raises(DTypeError, match="cast: expected one of float32"):
        fc.ops.cast(x, "complex64")


def test_same_bits_at_any_thread_count() -> None:
    same_bits_at_any_thread_count(Case("where", ((70_001,),) * 3))
    same_bits_at_any_thread_count(Case("cast", ((70_001,),), {"dtype": "int32"}))


def test_functions_by_name() -> None:
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), [1.0, 1.0, 5.0]
    for name in COMPARISONS:
        np.testing.assert_array_equal(getattr(fc.ops, name)(a, b), getattr(np, name)(a, b))
    np.testing.assert_array_equal(fc.ops.power(a, 2), a**2)
    np.testing.assert_array_equal(fc.ops.where(a > 2, a, -1.0), np.where(a > 2, a, -1))
    with pytest.raises(ShapeError, match="cannot be broadcast together"):
        fc.ops.where(a, a, [1.0, 2.0])


X = np.random.default_rng(0).standard_normal((2, 3, 5)).astype(np.float32)
POSITIVE = np.abs(X) + 0.5


@pytest.mark.parametrize(
    ("op", "operands", "reference"),
    [
        ("div", [X, POSITIVE[:, :1].copy()], np.divide),
        ("maximum", [X, X[::-1].copy()], np.maximum),
        ("minimum", [X, X[0, ::-1, ::-1].copy()], np.minimum),
        ("prelu", [X, X[0, 0]], lambda x, alpha: np.where(x < 0, alpha * x, x)),
        ("pow", [POSITIVE, X[1]], np.power),
        ("where", [(X > 0).astype(np.uint8), X[1], X], lambda c, a, b: np.where(c != 0, a, b)),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_rules_against_finite_differences(op: str, operands: list[np.ndarray], reference) -> None:  # type: ignore[no-untyped-def]
    assert_gradients_match(op, operands, {}, reference)


@pytest.mark.parametrize("op", ["reduce_max", "reduce_min"])
@pytest.mark.parametrize("attrs", [{}, {"axis": (0, 2)}, {"axis": 1, "keepdims": True}])
def test_extrema_over_axes(op: str, attrs: dict[str, object]) -> None:
    x = np.random.default_rng(0).permutation(30).reshape(2, 3, 5).astype(np.float32) / 8
    compute = np.max if op == "reduce_max" else np.min
    assert_gradients_match(op, [x], attrs, lambda x: compute(x, **attrs))  # type: ignore[call-overload]
