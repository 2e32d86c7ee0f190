"""What is known while the model is described: constants, shapes, and arithmetic on them.

Exported graphs compute shapes with operators. Here that is done at import, in NumPy; a number that
the data decide is a `Size`, and arrays that hold one are arrays of objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node, check_elements
from fastcnn.io.onnx.values import Value
from fastcnn.sizes import Size, same

Array = NDArray[Any]


def numbers(values: list[Any]) -> Array:
    """Make an array of sizes: of integers where all are known.

    Examples
    --------
    >>> numbers([1, 2]).dtype
    dtype('int64')
    """
    if any(isinstance(n, Size) for n in values):
        array = np.empty(len(values), object)
        array[:] = values
        return array
    return np.array(values, np.int64)


def constant(node: Node) -> Value:
    """Translate Constant."""
    found: Any = None
    for name, dtype in (
        ("value", None), ("value_float", np.float32), ("value_floats", np.float32),
        ("value_int", np.int64), ("value_ints", np.int64),
    ):  # fmt: skip
        if name in node.attributes:
            found = np.asarray(node.attributes[name], dtype)
    if found is None:
        raise node.unsupported("expected a constant of numbers")
    return node.value(found)


def constant_of_shape(node: Node) -> Value:
    """Translate ConstantOfShape."""
    shape = [int(n) for n in node.numbers(0) or []]
    fill = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).ravel()
    if min(shape, default=0) < 0 or fill.size != 1:
        raise FileFormatError(f"expected a shape and one value, got {shape} and {fill.size}")
    check_elements(math.prod(shape))
    return node.value(np.full(shape, fill[0]))


def shape(node: Node) -> Value:
    """Translate Shape."""
    sizes = list(node.input().shape)
    return node.value(numbers(sizes[node.attributes.get("start") : node.attributes.get("end")]))


def size(node: Node) -> Value:
    """Translate Size."""
    total: Any = 1
    for n in node.input().shape:
        total = total * n
    return node.value(numbers([total]).reshape(()))


def only_constant(node: Node) -> Value:
    """Refuse an operator that is computed at import only."""
    raise node.unsupported("expected operands that are known at import")


# ---- folding -------------------------------------------------------------------------------------


def _usual(array: Any) -> Array:
    """Make integers of an array of objects that has no `Size` left."""
    found: Array = np.asarray(array)
    if found.dtype == object and not any(isinstance(n, Size) for n in found.ravel()):
        found = np.array(found.tolist()).reshape(found.shape)
    return found


def _each(function: Callable[[Any], Any], array: Array) -> Array:
    result = np.empty(array.shape, object)
    result.ravel()[:] = [function(n) for n in array.ravel()]
    return result


def _binary(plain: Callable[..., Any], name: str) -> Callable[..., Array]:
    def fold(node: Node, a: Array, b: Array) -> Array:
        check_elements(math.prod(np.broadcast_shapes(a.shape, b.shape)))
        if object not in (a.dtype, b.dtype):
            return np.asarray(plain(a, b))
        a, b = np.broadcast_arrays(a, b)
        result = np.empty(a.shape, object)
        result.ravel()[:] = [
            Size.apply(name, x, y)
            for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
        ]
        return result

    return fold


def _divide(node: Node, a: Array, b: Array) -> Array:
    whole = all(
        x.dtype.kind in "iu" or (x.dtype == object and all(_is_whole(n) for n in x.ravel()))
        for x in (a, b)
    )
    if object in (a.dtype, b.dtype):
        return _binary(np.divide, "//" if whole else "/")(node, a, b)
    if whole:
        return np.asarray((np.abs(a) // np.abs(b)) * np.sign(a) * np.sign(b), a.dtype)
    return np.asarray(np.divide(a, b))


def _is_whole(n: Any) -> bool:
    return all(isinstance(x, int) for x in n.samples) if isinstance(n, Size) else isinstance(n, int)


def _comparison(plain: Callable[..., Any], equal: bool) -> Callable[..., Array]:
    def fold(node: Node, a: Array, b: Array) -> Array:
        if object not in (a.dtype, b.dtype):
            return np.asarray(plain(a, b))
        if not equal:
            raise node.unsupported("a comparison of sizes that the data decide")
        a, b = np.broadcast_arrays(a, b)
        pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
        return np.array([same(x, y) for x, y in pairs]).reshape(a.shape)

    return fold


def _cast(node: Node, x: Array) -> Array:
    import onnx

    to = node.attribute("to", 1)
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(to))
    if x.dtype == object:
        return _each(lambda n: Size.apply("int", n), x) if dtype.kind in "iu" else x
    if dtype.kind not in "biuf":
        dtype = np.dtype(np.float32)
    with np.errstate(all="ignore"):
        return x.astype(dtype)


def _rounding(plain: Callable[..., Any], name: str) -> Callable[..., Array]:
    def fold(node: Node, x: Array) -> Array:
        return (
            _each(lambda n: Size.apply(name, n), x) if x.dtype == object else np.asarray(plain(x))
        )

    return fold


def _concat(node: Node, *arrays: Array) -> Array:
    check_elements(sum(a.size for a in arrays))
    return np.concatenate(arrays, axis=node.attributes.get("axis", 1))


def _gather(node: Node, x: Array, index: Array) -> Array:
    axis = node.axis(node.attribute("axis", 0), x.ndim)
    check_elements(x.size // max(1, x.shape[axis]) * index.size)
    return np.asarray(np.take(x, index.astype(np.int64), axis=axis))


def _slice(node: Node, x: Array, *_: Array) -> Array:
    starts = node.numbers(1, "starts") or []
    ends = node.numbers(2, "ends") or []
    axes = node.numbers(3, "axes") or list(range(len(starts)))
    steps = node.numbers(4) or [1] * len(starts)
    parts = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # An end below -size, going backwards, means "to the first element".
        size = x.shape[node.axis(axis, x.ndim)]
        parts[axis] = slice(start, None if step < 0 and end < -size else end, step)
    return x[tuple(parts)]


def _squeeze(node: Node, x: Array, *_: Array) -> Array:
    axes = node.numbers(1, "axes")
    return x.squeeze(None if axes is None else tuple(axes))


def _unsqueeze(node: Node, x: Array, *_: Array) -> Array:
    axes = node.numbers(1, "axes") or []
    return np.expand_dims(x, tuple(axes))


def _where(node: Node, condition: Array, a: Array, b: Array) -> Array:
    check_elements(math.prod(np.broadcast_shapes(condition.shape, a.shape, b.shape)))
    return np.where(condition, a, b)


def _range(node: Node, start: Array, limit: Array, step: Array) -> Array:
    if object in (start.dtype, limit.dtype, step.dtype):
        raise node.unsupported("a range that the data decide")
    check_elements(math.ceil((float(limit) - float(start)) / float(step)))
    return np.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)


def _expand(node: Node, x: Array, target: Array) -> Array:
    wanted = np.broadcast_shapes(x.shape, tuple(int(n) for n in target))
    check_elements(math.prod(wanted))
    return np.ascontiguousarray(np.broadcast_to(x, wanted))


def _tile(node: Node, x: Array, repeats: Array) -> Array:
    check_elements(x.size * math.prod(int(n) for n in repeats))
    return np.tile(x, tuple(int(n) for n in repeats))


def _reduce(plain: Callable[..., Any], name: str) -> Callable[..., Array]:
    def fold(node: Node, x: Array, *_: Array) -> Array:
        axes = node.numbers(1, "axes")
        keep = bool(node.attribute("keepdims", 1))
        if x.dtype != object:
            return np.asarray(plain(x, axis=None if not axes else tuple(axes), keepdims=keep))
        if x.ndim > 1:
            raise node.unsupported("a reduction of sizes that the data decide")
        total: Any = x[0]
        for n in x[1:]:
            total = Size.apply(name, total, n)
        return numbers([total]).reshape((1,) if keep and x.ndim else ())

    return fold


FOLDERS: dict[str, Callable[..., Array]] = {
    "Abs": lambda node, x: np.abs(x),
    "Add": _binary(np.add, "+"),
    "And": lambda node, a, b: np.logical_and(a, b),
    "Cast": _cast,
    "Ceil": _rounding(np.ceil, "ceil"),
    "Concat": _concat,
    "Div": _divide,
    "Equal": _comparison(np.equal, equal=True),
    "Expand": _expand,
    "Floor": _rounding(np.floor, "floor"),
    "Gather": _gather,
    "Greater": _comparison(np.greater, equal=False),
    "Less": _comparison(np.less, equal=False),
    "Max": _binary(np.maximum, "max"),
    "Min": _binary(np.minimum, "min"),
    "Mul": _binary(np.multiply, "*"),
    "Neg": lambda node, x: np.negative(x),
    "Not": lambda node, x: np.logical_not(x),
    "Or": lambda node, a, b: np.logical_or(a, b),
    "Range": _range,
    "ReduceMax": _reduce(np.max, "max"),
    "ReduceMin": _reduce(np.min, "min"),
    "ReduceProd": _reduce(np.prod, "*"),
    "Slice": _slice,
    "Sqrt": lambda node, x: np.sqrt(x),
    "Squeeze": _squeeze,
    "Sub": _binary(np.subtract, "-"),
    "Tile": _tile,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}


def fold(node: Node) -> Value | None:
    """Compute a node whose operands are all known; None where that is left to its translator."""
    function = FOLDERS.get(node.op_type)
    given = [v for v in node.inputs if v is not None]
    if function is None or not given or not all(v.is_constant for v in given):
        return None
    if len(given) > 2 and node.op_type in ("Max", "Min"):
        return None
    with np.errstate(all="ignore"):
        result = _usual(function(node, *(v.plain() for v in given)))
    value = node.value(result)
    value.trainable = result.dtype.kind == "f" and any(v.trainable for v in given)
    return value
