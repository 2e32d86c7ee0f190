"""Operators that look for elements, or pick them by their index."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node, check_elements
from fastcnn.io.onnx.operators import movement
from fastcnn.io.onnx.values import Value
from fastcnn.sizes import Size, same


def arg_extremum(sign: int) -> Callable[[Node], Value]:
    """Translate ArgMax (1) and ArgMin (-1)."""

    def translate(node: Node) -> Value:
        x = node.input()
        axis = node.axis(node.attribute("axis", 0), x.rank)
        tensor, order = x.as_stored()
        if str(tensor.dtype) in ("uint8", "int8"):
            tensor = node.op("cast", tensor, "float32")
        place = order.index(axis)
        last = bool(node.attribute("select_last_index", 0))
        if last:
            tensor = node.op("flip", tensor, (place,))
        if sign < 0:
            tensor = node.op("negative", tensor)
        found = node.op("argmax", tensor, axis=place, keepdims=True)
        if last:
            size = x.shape[axis]
            if isinstance(size, Size):
                raise node.unsupported("select_last_index of an axis whose size the data decide")
            found = node.op("integer_binary", np.int64(size - 1).reshape(()), found, "sub")
        result = node.value(found, order)
        if node.attribute("keepdims", 1):
            return result
        return result.reshaped([n for a, n in enumerate(result.shape) if a != axis])

    return translate


def hardmax(node: Node) -> Value:
    """Translate Hardmax; before opset 13 it spans all axes from the given one on."""
    x = node.input()
    axis = node.axis(node.attribute("axis", -1 if node.opset >= 13 else 1), x.rank)
    shape = x.shape
    if node.opset < 13:
        total: Any = 1
        for n in shape[axis:]:
            total = total * n
        x = x.reshaped([*shape[:axis], total])
    size = x.shape[axis]
    if isinstance(size, Size):
        raise node.unsupported("an axis whose size the data decide")
    tensor, order = x.as_stored()
    found = node.op("argmax", tensor, axis=order.index(axis))
    rest = [a for a in order if a != axis]
    result = node.value(node.op("one_hot", found, size), [*rest, axis])
    return result.reshaped(shape) if node.opset < 13 else result


def top_k(node: Node) -> list[Value]:
    """Translate TopK; the best come first, whether or not they must."""
    x = node.input()
    given = node.numbers(1, "k")
    if not given:
        raise FileFormatError("expected k")
    axis = node.axis(node.attribute("axis", -1), x.rank)
    tensor, order = x.as_stored()
    values, indices = node.op(
        "topk", tensor, given[0], axis=order.index(axis), largest=bool(node.attribute("largest", 1))
    )
    return [node.value(values, order), node.value(indices, order)]


def gather(node: Node) -> Value:
    """Translate Gather, by indices that are known or that the data decide."""
    if node.input(1).is_constant and node.input(1).tensor.size <= 64:
        return movement.gather(node)
    x, indices = node.input(0), node.input(1)
    axis = node.axis(node.attribute("axis", 0), x.rank)
    tensor, order = x.as_stored()
    place = order.index(axis)
    y = node.op("take", tensor, indices.plain(), axis=place)
    # The axes of the indices stand where the axis stood.
    more = indices.rank - 1
    moved: list[int] = []
    for a in order:
        if a == axis:
            moved.extend(range(axis, axis + indices.rank))
        else:
            moved.append(a if a < axis else a + more)
    return node.value(y, moved)


def gather_elements(node: Node) -> Value:
    """Translate GatherElements."""
    x, indices = node.input(0), node.input(1)
    if x.rank != indices.rank:
        raise FileFormatError(f"expected indices of {x.rank} axes, got {indices.rank}")
    axis = node.axis(node.attribute("axis", 0), x.rank)
    order = x.as_stored()[1] if not x.is_constant else indices.as_stored()[1]
    tensor = x.stored_as(order)
    sizes = [
        n if a == axis else m for a, (n, m) in enumerate(zip(x.shape, indices.shape, strict=True))
    ]
    if any(not same(n, m) for n, m in zip(sizes, x.shape, strict=True)):
        tensor = node.op("slice", tensor, (0,) * x.rank, tuple(sizes[a] for a in order))
    y = node.op("take_along_axis", tensor, indices.stored_as(order), axis=order.index(axis))
    return node.value(y, order)


def tile(node: Node) -> Value:
    """Translate Tile."""
    x = node.input()
    repeats = node.numbers(1) or []
    if len(repeats) != x.rank or any(isinstance(n, Size) or n < 0 for n in repeats):
        raise node.unsupported(f"repeats {repeats} for {x.rank} axes")
    known = [n for n in x.shape if not isinstance(n, Size)]
    check_elements(int(math.prod(repeats)) * math.prod(known))
    tensor, order = x.as_stored()
    return node.value(node.op("tile", tensor, tuple(int(repeats[a]) for a in order)), order)
