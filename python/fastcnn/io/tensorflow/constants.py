"""The constants of a graph, and what follows from constants alone.

Shapes are computed in the graph itself. A size that the data decide is `UNKNOWN` in such an array;
it may be moved around, and nothing can be computed with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError, UnsupportedError
from fastcnn.io.tensorflow.messages import DTYPES

Array = NDArray[Any]

UNKNOWN = -(2**31) + 2**12  # float32 holds it, too

_SPARE = 2**22  # elements that constants may have beyond those that the file holds

_NUMBERS = {
    "DT_FLOAT": ("float_val", np.float32),
    "DT_DOUBLE": ("double_val", np.float64),
    "DT_INT32": ("int_val", np.int32),
    "DT_UINT8": ("int_val", np.uint8),
    "DT_INT16": ("int_val", np.int16),
    "DT_INT8": ("int_val", np.int8),
    "DT_INT64": ("int64_val", np.int64),
    "DT_BOOL": ("bool_val", np.bool_),
    "DT_HALF": ("half_val", np.float16),
    "DT_BFLOAT16": ("half_val", np.uint16),
}
_TYPES: dict[int, tuple[str, Any]] = {DTYPES[name]: value for name, value in _NUMBERS.items()}


def dtype_of(number: int) -> Any:
    """Give NumPy's dtype of a data type's number, None for one that is not read."""
    return _TYPES.get(number, (None, None))[1]


def known_shape(proto: Any) -> tuple[int | None, ...] | None:
    """Read a TensorShapeProto: None for a size that is open, or for all when the rank is."""
    if proto.unknown_rank:
        return None
    sizes = [int(dim.size) for dim in proto.dim]
    if len(sizes) > 16 or any(n > 2**40 for n in sizes):
        raise FileFormatError(f"expected the shape of a tensor, got {sizes[:16]}")
    return tuple(None if n < 0 else n for n in sizes)


class Budget:
    """How many elements the constants of a graph may have in all."""

    def __init__(self, file_bytes: int) -> None:
        self._left = file_bytes + _SPARE

    def take(self, elements: int) -> None:
        if elements > self._left:
            raise FileFormatError(f"expected smaller constants, one has {elements} elements")
        self._left -= elements


def decode(proto: Any, budget: Budget) -> Array:
    """Read a TensorProto; half and bfloat16 numbers become float32."""
    if proto.dtype not in _TYPES:
        raise UnsupportedError(f"there are no constants of data type {proto.dtype}")
    field, dtype = _TYPES[proto.dtype]
    shape = known_shape(proto.tensor_shape)
    if shape is None or None in shape:
        raise FileFormatError(f"expected the shape of a constant, got {shape}")
    sizes = [n for n in shape if n is not None]
    count = math.prod(sizes)
    budget.take(count)
    if proto.tensor_content:
        stored = np.dtype(dtype).newbyteorder("<")
        if len(proto.tensor_content) != count * stored.itemsize:
            raise FileFormatError(
                f"expected {count} elements of {stored.itemsize} bytes in a constant, got "
                f"{len(proto.tensor_content)} bytes"
            )
        array = np.frombuffer(proto.tensor_content, stored).astype(dtype)
    else:
        given = list(getattr(proto, field))
        if len(given) > count or (count and not given and field == "bool_val"):
            raise FileFormatError(f"expected {count} elements in a constant, got {len(given)}")
        if field == "half_val":
            values: Array = np.array(given or [0], np.int64).astype(np.uint16).view(dtype)
        else:
            values = np.array(given or [0]).astype(dtype)
        # The last is repeated.
        array = (
            np.concatenate([values, np.broadcast_to(values[-1:], count - len(values))])
            if (count > len(values))
            else values[:count]
        )
    if proto.dtype == DTYPES["DT_BFLOAT16"]:
        array = (array.astype(np.uint32) << 16).view(np.float32)
    if array.dtype in (np.float16, np.float64):
        array = array.astype(np.float32)
    return array.reshape(sizes)


# ---- folding -------------------------------------------------------------------------------------


def fold(node: Any, values: list[Array], budget: Budget) -> Array | list[Array] | None:
    """Compute a node whose operands are constants; None for an operation that is not folded."""
    if node.op in _MOVES:
        elements = sum(v.size for v in values)
        budget.take(elements)
        moved: Array | list[Array] = _MOVES[node.op](node, *values)
        return moved
    if node.op in _ARITHMETIC:
        for value in values:
            if value.dtype.kind in "if" and (value == UNKNOWN).any():
                raise UnsupportedError(
                    f"{node.op} {node.name!r}: computes with a size that only the data decide; "
                    "give an input_shape"
                )
        budget.take(math.prod(np.broadcast_shapes(*(v.shape for v in values))))
        with np.errstate(all="ignore"):
            return np.asarray(_ARITHMETIC[node.op](*values))
    if node.op == "Fill":
        sizes = [int(n) for n in values[0].ravel()]
        if any(n < 0 for n in sizes):
            raise UnsupportedError(f"Fill {node.name!r}: has a shape that only the data decide")
        budget.take(math.prod(sizes))
        return np.full(sizes, values[1])
    if node.op == "Range":
        first, last, step = (float(v) for v in values)
        if not step or abs((last - first) / step) > _SPARE:
            raise FileFormatError(f"Range {node.name!r}: from {first} to {last} by {step}")
        numbers: Array = np.arange(first, last, step)
        return numbers.astype(values[0].dtype)
    if node.op in _REDUCTIONS:
        axes = tuple(int(n) for n in values[1].ravel())
        keep = node.attr["keep_dims"].b
        return np.asarray(_REDUCTIONS[node.op](values[0], axis=axes, keepdims=keep))
    return None


def _cast(node: Any, x: Array) -> Array:
    dtype = dtype_of(node.attr["DstT"].type)
    if dtype is None:
        raise UnsupportedError(f"Cast {node.name!r}: to a data type that is not known here")
    return x.astype(dtype)


def _concat(node: Any, *values: Array) -> Array:
    *parts, axis = values if node.op == "ConcatV2" else (*values[1:], values[0])
    return np.concatenate(parts, axis=int(axis))


def _pack(node: Any, *values: Array) -> Array:
    return np.stack(values, axis=int(node.attr["axis"].i))


def _gather(node: Any, x: Array, indices: Array, axis: Any = 0) -> Array:
    return np.take(x, indices, axis=int(axis), mode="raise")


def _squeeze(node: Any, x: Array) -> Array:
    axes = node.attr["squeeze_dims"].list.i or node.attr["axis"].list.i
    return np.squeeze(x, tuple(axes) or None)


def strided(node: Any, begin: Array, end: Array, strides: Array) -> tuple[Any, ...]:
    """Give what a StridedSlice takes as an index of NumPy's."""
    masks = {
        name: int(node.attr[f"{name}_mask"].i)
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    index: list[Any] = []
    for i, (first, last, step) in enumerate(
        zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)
    ):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            index.append(Ellipsis)
        elif masks["new_axis"] & bit:
            index.append(None)
        elif masks["shrink_axis"] & bit:
            index.append(int(first))
        else:
            index.append(
                slice(
                    None if masks["begin"] & bit else int(first),
                    None if masks["end"] & bit else int(last),
                    int(step),
                )
            )
    return tuple(index)


def _strided_slice(node: Any, x: Array, *where: Array) -> Array:
    return np.asarray(x[strided(node, *where)])


def _slice(node: Any, x: Array, begin: Array, size: Array) -> Array:
    index = tuple(
        slice(int(b), None if n == -1 else int(b) + int(n))
        for b, n in zip(begin.ravel(), size.ravel(), strict=True)
    )
    return np.asarray(x[index])


def _split(node: Any, axis: Array, x: Array) -> list[Array]:
    return np.split(x, int(node.attr["num_split"].i), axis=int(axis))


def _unpack(node: Any, x: Array) -> list[Array]:
    return list(np.moveaxis(x, int(node.attr["axis"].i), 0))


# What moves elements, and may meet UNKNOWN.
_MOVES: dict[str, Callable[..., Any]] = {
    "Cast": _cast,
    "Concat": _concat,
    "ConcatV2": _concat,
    "ExpandDims": lambda node, x, axis: np.expand_dims(x, int(axis)),
    "GatherV2": _gather,
    "Pack": _pack,
    "Reshape": lambda node, x, shape: x.reshape([int(n) for n in shape.ravel()]),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Transpose": lambda node, x, axes: np.transpose(x, [int(n) for n in axes.ravel()]),
    "Unpack": _unpack,
}

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Add": np.add,
    "AddV2": np.add,
    "Equal": np.equal,
    "Exp": np.exp,
    "FloorDiv": np.floor_divide,
    "Greater": np.greater,
    "Less": np.less,
    "LogicalAnd": np.logical_and,
    "LogicalNot": np.logical_not,
    "LogicalOr": np.logical_or,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "Neg": np.negative,
    "NotEqual": np.not_equal,
    "Pow": np.power,
    "RealDiv": np.true_divide,
    "Reciprocal": np.reciprocal,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Sub": np.subtract,
}

_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "Max": np.max,
    "Mean": np.mean,
    "Min": np.min,
    "Prod": np.prod,
    "Sum": np.sum,
}
