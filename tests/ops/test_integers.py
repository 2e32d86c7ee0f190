"""Integers that stay integers: every kind on every dtype, corners, in models."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import DTypeError, ShapeError
from tests.harness import Case, kernel_rows, run_kernel

ARITHMETIC = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "mod": np.mod,
    "fmod": np.fmod,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}
PAIRS = (((7,), (7,)), ((2, 3, 21), (21,)), ((), (19,)), ((4, 1), (1, 6)), ((0, 4), (1, 4)))


@pytest.mark.parametrize("kernel", kernel_rows("integer_binary"))
@pytest.mark.parametrize("kind", ARITHMETIC)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int8", "bool"])
def test_integer_binary(kernel: str, kind: str, dtype: str) -> None:
    if dtype == "bool" and kind in ("add", "sub", "mul", "mod", "fmod"):
        pytest.skip("no arithmetic of bool")
    for shapes in PAIRS:
        rng = np.random.default_rng(0)
        if dtype == "bool":
            a, b = (rng.integers(0, 2, s).astype(dtype) for s in shapes)
        else:
            ends = np.iinfo(dtype)
            a, b = (rng.integers(ends.min, ends.max, s, dtype, endpoint=True) for s in shapes)
            if kind in ("mod", "fmod"):
                b = np.where(b == 0, 1, b).astype(dtype)
        case = Case("integer_binary", shapes, {"kind": kind})
        (y,) = run_kernel(kernel, case, [a, b])
        with np.errstate(all="ignore"):
            expected = ARITHMETIC[kind](a, b)
        assert y.dtype == expected.dtype
        np.testing.assert_array_equal(y, expected)


def test_corners() -> None:
    f = fc.ops.integer_binary
    least = np.iinfo(np.int64).min
    a = np.array([7, -7, 7, -7, 5, least, 0])
    b = np.array([2, 2, -2, -2, 0, -1, 0])
    np.testing.assert_array_equal(f(a, b, "div"), [3, -3, -3, 3, 0, least, 0])
    np.testing.assert_array_equal(f(a, b, "mod"), [1, 1, -1, -1, 0, 0, 0])
    np.testing.assert_array_equal(f(a, b, "fmod"), [1, -1, 1, -1, 0, 0, 0])
    power = f(np.array([2, -1, -1, 1, 3, 0]), np.array([10, 3, -3, -5, -1, 0]), "pow")
    np.testing.assert_array_equal(power, [1024, -1, -1, 1, 0, 1])
    mixed = f(np.array([200], np.uint8), np.array([100], np.int32), "add")
    assert mixed.dtype == np.int64 and mixed[0] == 300
    wrapped = f(np.array([200], np.uint8), np.array([100], np.uint8), "add")
    assert wrapped.dtype == np.uint8 and wrapped[0] == 44


def test_in_a_model_numbers_stay_whole() -> None:
    x = fc.Input((5,))
    best = fc.ops.argmax(x, axis=-1)
    row = fc.ops.integer_binary(best, np.array(2), "div")
    both = fc.ops.logical_and(fc.ops.greater(x, 0.5), fc.ops.logical_not(fc.ops.isnan(x)))
    chosen = fc.ops.where(both, fc.ops.cast(x, "int64"), np.array(-1))
    model = fc.Model(x, [row, both, chosen])
    given = np.array([[0, 3, 1, 2, 9.7], [4, 0, 0, 0, np.nan]], np.float32)
    found = model.predict(given)
    assert [str(y.dtype) for y in found] == ["int64", "bool", "int64"]
    np.testing.assert_array_equal(found[0], [2, 2])
    np.testing.assert_array_equal(found[1], given > 0.5)
    np.testing.assert_array_equal(found[2], [[-1, 3, 1, 2, 9], [4, -1, -1, -1, -1]])
    copy = fc.saving.model_from_json(model.to_json())
    for a, b in zip(copy.predict(given), found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_remainders_of_floats() -> None:
    a = np.array([5, -5, 5.5, -5.5, 0, 3, np.inf, 3, -3, np.nan, 6], np.float32)
    b = np.array([3, 3, -2, -2, 4, 0, 2, np.inf, np.inf, 1, -3], np.float32)
    with np.errstate(all="ignore"):
        for op in ("mod", "fmod"):
            expected = getattr(np, op)(a, b)
            for kernel in kernel_rows(op):
                (y,) = run_kernel(kernel, Case(op, (a.shape, b.shape)), [a, b])
                np.testing.assert_array_equal(y, expected)
                np.testing.assert_array_equal(np.signbit(y[4]), np.signbit(expected[4]))


def test_errors() -> None:
    with pytest.raises(DTypeError, match="expected integers, got dtype float32"):
        fc.ops.integer_binary(np.float32(1), 2, "add")
    with pytest.raises(DTypeError, match="no arithmetic of bool"):
        fc.ops.integer_binary(np.array([True]), np.array([False]), "add")
    with pytest.raises(ShapeError, match="cannot be broadcast together"):
        fc.ops.integer_binary(np.zeros(3, int), np.zeros(2, int), "add")
    graph = _C.Graph()
    with pytest.raises(DTypeError, match="one integer dtype"):
        graph.add("integer_binary", [graph.input((2,)), graph.input((2,))], {"kind": "add"})
