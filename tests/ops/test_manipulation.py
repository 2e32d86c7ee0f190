"""The rooms that move data: every row on every case and dtype against NumPy, the Python face."""

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.cases import manipulation as cases
from tests.harness import (
    Case,
    compile_op,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)

DTYPES = ["uint8", "bool", "int32", "int64", "float32", "float64"]


def _slice(x: np.ndarray, begin: Any, size: Any, step: Any) -> np.ndarray:
    return x[
        np.ix_(*(b + s * np.arange(n) for b, n, s in zip(begin, size, step, strict=True)))
        if x.ndim
        else ()
    ]


def _pad(x: np.ndarray, pads: Any, mode: str = "constant", value: float = 0) -> np.ndarray:
    widths = np.reshape(pads, (-1, 2)).astype(int).tolist()
    options: dict[str, Any] = {"constant_values": value} if mode == "constant" else {}
    return np.pad(x, widths, mode, **options) if x.ndim else x


REFERENCE: dict[str, Any] = {
    "transpose": lambda x, axes: x.transpose(axes),
    "concat": lambda *xs, axis: np.concatenate(xs, axis),
    "slice": _slice,
    "pad": _pad,
    "broadcast_to": lambda x, shape: np.broadcast_to(x, shape),
}
ALL = [*cases.TRANSPOSE, *cases.CONCAT, *cases.SLICE, *cases.PAD, *cases.BROADCAST]


@pytest.mark.parametrize(("kernel", "case"), each_kernel(ALL))
def test_moves_like_numpy(kernel: str, case: Case) -> None:
    inputs = case.inputs()
    (y,) = run_kernel(kernel, case, inputs)
    np.testing.assert_array_equal(y, REFERENCE[case.op](*inputs, **case.attrs))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "float32"])
@pytest.mark.parametrize(
    ("kernel", "case"), each_kernel([c for c in ALL if c.attrs.get("value", 0) == 0])
)
def test_any_dtype(kernel: str, case: Case, dtype: str) -> None:
    inputs = [(100 * x).astype(np.int64).astype(dtype) for x in case.inputs()]
    (y,) = run_kernel(kernel, case, inputs)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, REFERENCE[case.op](*inputs, **case.attrs))


@pytest.mark.parametrize("kernel", kernel_rows("transpose"))
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 15, 16, 17, 31, 64, 65])
def test_transpose_at_every_edge_of_a_tile(kernel: str, rows: int) -> None:
    for cols in (1, 2, 4, 5, 7, 9, 16, 23, 33):
        x = np.arange(rows * cols, dtype=np.int32).reshape(rows, cols)
        (y,) = run_kernel(kernel, Case("transpose", (x.shape,), {"axes": (1, 0)}), [x])
        np.testing.assert_array_equal(y, x.T)


def test_transpose_keeps_the_bits_of_nan() -> None:
    x = np.random.default_rng(0).integers(0, 2**32, (50, 40), dtype=np.uint32).view(np.float32)
    y = fc.ops.transpose(x)
    np.testing.assert_array_equal(y.view(np.uint32), x.T.view(np.uint32))


@pytest.mark.parametrize("case", cases.BENCHMARK)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_operands_placed_inside_a_concatenation_are_right() -> None:
    x = np.random.default_rng(1).standard_normal((1, 16, 8, 8)).astype(np.float32)
    graph = _C.Graph()
    value = graph.input(x.shape, "float32")
    (a,) = graph.add("transpose", [value], {"axes": (0, 1, 3, 2)})
    (b,) = graph.add("max_pool2d", [value], {"pool_size": 1})
    (joined,) = graph.add("concat", [a, b, a], {"axis": 1})
    (final,) = graph.add("max_pool2d", [joined], {"pool_size": 1})
    graph.set_outputs([final])
    (y,) = _C.compile(graph).run([x])
    np.testing.assert_array_equal(y, np.concatenate([x.swapaxes(2, 3), x, x.swapaxes(2, 3)], 1))


@pytest.mark.parametrize(
    ("shape", "to", "expected"),
    [
        ((2, 3, 4), (4, 6), (4, 6)),
        ((2, 3, 4), (-1, 2), (12, 2)),
        ((6,), 6, (6,)),
        ((1, 1), (), ()),
        ((), (1, -1), (1, 1)),
        ((0, 3), (3, -1), (3, 0)),
        ((0, 3), (5, 0), (5, 0)),
    ],
)
def test_reshape(shape: Any, to: Any, expected: Any) -> None:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    y = fc.ops.reshape(x, to)
    assert y.shape == expected
    np.testing.assert_array_equal(y.ravel(), x.ravel())


def test_functions_made_of_these_agree_with_numpy() -> None:
    x = np.random.default_rng(2).standard_normal((2, 6, 1, 5)).astype(np.float32)
    equal = np.testing.assert_array_equal
    equal(fc.ops.flatten(x), x.reshape(2, -1))
    equal(fc.ops.squeeze(x), np.squeeze(x))
    equal(fc.ops.squeeze(x, -2), np.squeeze(x, -2))
    for axis in (0, -1, 2, (0, -1)):
        equal(fc.ops.expand_dims(x, axis), np.expand_dims(x, axis))
    for axis in (0, 2, -1):
        equal(fc.ops.stack([x, x + 1, x], axis), np.stack([x, x + 1, x], axis))
    for axis in (None, 1, -1, (0, 3)):
        equal(fc.ops.flip(x, axis), np.flip(x, axis))
    for parts in (3, [2, 5], [0, 4, 4], [-2]):
        mine, theirs = fc.ops.split(x, parts, 1), np.split(x, parts, 1)
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            equal(a, b)
    for width in (2, (1, 2), ((0, 0), (1, 2), (0, 3), (0, 0)), ((1, 1),), ((1,), (2,), (0,), (3,))):
        equal(fc.ops.pad(x, width), np.pad(x, width if width != ((1,), (2,), (0,), (3,)) else
                                           ((1, 1), (2, 2), (0, 0), (3, 3))))  # fmt: skip
    equal(fc.ops.pad(x, 1, constant_values=-2), np.pad(x, 1, constant_values=-2))
    equal(fc.ops.concatenate([[1.0, 2.0], [3.0]]), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_pad_value_of_every_dtype(dtype: str) -> None:
    x = np.zeros((2, 2), dtype)
    np.testing.assert_array_equal(
        fc.ops.pad(x, 1, constant_values=1), np.pad(x, 1, constant_values=1)
    )


def test_errors_say_what_was_expected_and_what_came() -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ShapeError, match=r"\(2, 3\) has 6 elements and cannot become \(4, -1\)"):
        fc.ops.reshape(x, (4, -1))
    with pytest.raises(ConfigError, match="only one size may be -1"):
        fc.ops.reshape(x, (-1, -1))
    with pytest.raises(ConfigError, match="not allowed here"):
        fc.ops.reshape(x, (2**40, 2**40))
    with pytest.raises(ShapeError):
        fc.ops.reshape(x[:0], (0, -1))
    for axes in ((0, 0), (0,), (0, 2)):
        with pytest.raises(ConfigError, match="each axis of x once"):
            fc.ops.transpose(x, axes)
    with pytest.raises(ShapeError, match="equal shapes except in axis 1"):
        fc.ops.concatenate([x, x[:1]])
    with pytest.raises(DTypeError, match="of one dtype"):
        fc.ops.concatenate([x, x.astype(np.int32)])
    with pytest.raises(ConfigError, match="axis 2 does not exist"):
        fc.ops.concatenate([x], 2)
    for begin, size, step in [((0, 1), (2, 3), (1, 1)), ((-1, 0), (1, 1), (1, 1)),
                              ((0, 2), (2, 2), (1, 1)), ((0, 0), (2, 2), (1, -1))]:  # fmt: skip
        with pytest.raises(ShapeError, match="do not lie inside x"):
            fc.ops.slice(x, begin, size, step)
    with pytest.raises(ConfigError, match="other than 0"):
        fc.ops.slice(x, (0, 0), (1, 1), (0, 1))
    with pytest.raises(ShapeError, match="too short to be mirrored"):
        fc.ops.pad(x, 3, mode="reflect")
    with pytest.raises(ConfigError, match=r"from 0 to 2\^31"):
        fc.ops.pad(x, -1)
    with pytest.raises(ConfigError, match="uint8 cannot hold 256"):
        fc.ops.pad(x.astype(np.uint8), 1, constant_values=256)
    with pytest.raises(ConfigError, match="int64 cannot hold"):
        fc.ops.pad(x.astype(np.int64), 1, constant_values=float("nan"))
    with pytest.raises(ShapeError, match="cannot be repeated"):
        fc.ops.broadcast_to(x, (3, 3))
    with pytest.raises(ShapeError, match="equal parts"):
        fc.ops.split(x, 2, 1)
    with pytest.raises(ShapeError, match="more than one element"):
        fc.ops.squeeze(x, 0)


def test_a_view_has_no_kernel() -> None:
    x = np.zeros((2, 3), np.float32)
    assert _C.kernels("reshape") == []
    assert compile_op("reshape", [x], {"shape": (6,)}).steps() == []
    assert compile_op("stop_gradient", [x], {}).steps() == []
    np.testing.assert_array_equal(fc.ops.stop_gradient(np.array([1, 2])), [1, 2])
