"""Gemm and MatMul."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.values import Value
from fastcnn.layers.core import Dense


def gemm(node: Node) -> Value:
    """Translate Gemm: a Dense layer where the second factor is constant."""
    a, b = node.input(0), node.input(1)
    if a.rank != 2 or b.rank != 2:
        raise FileFormatError(f"expected matrices, got {a.shape} and {b.shape}")
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    if node.attribute("transA", 0):
        a = a.transposed((1, 0))
    if node.attribute("transB", 0):
        b = b.transposed((1, 0))
    c = node.input(2) if node.has(2) else None
    bias = _bias_vector(c, b)
    if b.is_constant and (c is None or bias is not None):
        kernel = b.plain().astype(np.float32) * np.float32(alpha)
        return _dense(node, a, kernel, None if bias is None else bias * np.float32(beta))
    y = node.op("matmul", a.plain(), b.plain())
    if alpha != 1.0:
        y = node.op("multiply", y, alpha)
    if c is not None:
        term = node.weight(c, "bias") if c.is_constant else c.plain()
        if beta != 1.0:
            term = node.op("multiply", c.plain(), beta)
        y = node.op("add", y, term)
    return node.value(y)


def _bias_vector(c: Value | None, b: Value) -> NDArray[Any] | None:
    """Give the third operand if it is one constant number a column."""
    if c is None or not c.is_constant or any(n != 1 for n in c.shape[:-1]):
        return None
    units = b.shape[-1]
    vector = np.asarray(c.plain(), np.float32).ravel()
    if vector.size not in (1, units):
        raise FileFormatError(f"expected {units} biases, got shape {c.shape}")
    return np.array(np.broadcast_to(vector, (units,)))


def _dense(node: Node, x: Value, kernel: NDArray[Any], bias: NDArray[Any] | None) -> Value:
    """Apply a Dense layer to the last axis, however its elements lie."""
    last = x.rank - 1
    ahead = [axis for axis in x.order if axis != last]
    size = x.shape[last]
    if kernel.shape[0] != size:
        raise FileFormatError(f"expected a matrix of {size} rows, got shape {kernel.shape}")
    rows = x.permutation_of([last])
    inner = set(x.axes[last])
    if rows is not None and all(atom in inner for atom in x.stored[len(x.stored) - len(inner) :]):
        # The elements stay where they are; the rows of the matrix go where they lie.
        stored = [atom for axis in ahead for atom in x.axes[axis]]
        stored += [atom for atom in x.stored if atom in inner]
        shape = x.shape
        tensor = x.home.reshape(x._in_order(stored), [*(shape[axis] for axis in ahead), size])
        kernel = kernel[rows]
    else:
        tensor = x.stored_as([*ahead, last])
    weights = {"kernel": np.ascontiguousarray(kernel)}
    if bias is not None:
        weights["bias"] = bias
    y = node.weighted(Dense, tensor, weights, units=int(kernel.shape[1]), use_bias=bias is not None)
    return node.value(y, [*ahead, last])


def matmul(node: Node) -> Value:
    """Translate MatMul: a Dense layer where the second factor is a constant matrix."""
    a, b = node.input(0), node.input(1)
    if b.is_constant and b.rank == 2 and a.rank >= 2 and not a.is_constant:
        return _dense(node, a, np.asarray(b.plain(), np.float32), None)
    if a.rank < 2 or b.rank < 2:
        return _of_vectors(node, a, b)
    if a.rank == b.rank <= 3 or (a.rank == 2 and b.rank == 3) or (a.rank == 3 and b.rank == 2):
        return node.value(node.op("matmul", _operand(node, a, "a"), _operand(node, b, "b")))
    return _stacked(node, a, b)


def _of_vectors(node: Node, a: Value, b: Value) -> Value:
    """Multiply with a vector: a row before, a column after."""
    if 0 in (a.rank, b.rank):
        raise FileFormatError(f"expected matrices or vectors, got {a.shape} and {b.shape}")
    node.inputs = [
        a.reshaped([1, *a.shape]) if a.rank == 1 else a,
        b.reshaped([*b.shape, 1]) if b.rank == 1 else b,
    ]
    y = matmul(node)
    shape = list(y.shape)
    if b.rank == 1:
        shape.pop()
    if a.rank == 1:
        shape.pop(-1 if b.rank == 1 else -2)
    return y.reshaped(shape)


def linear(node: Node) -> Value:
    """Translate MatMul with Add: a Dense layer."""
    a, b = node.input(0), node.input(1)
    if a.is_constant or a.rank < 2:
        raise node.unsupported(f"a product of {a} and {b}")
    bias = _bias_vector(node.input(2), b)
    return _dense(node, a, np.asarray(b.plain(), np.float32), bias)


def _operand(node: Node, x: Value, name: str) -> Any:
    return node.weight(x, name) if x.is_constant else x.plain()


def _stacked(node: Node, a: Value, b: Value) -> Value:
    """Join all axes before the last two into one."""
    home = node.home
    shapes = [(1,) * (max(a.rank, b.rank) - v.rank) + tuple(v.shape) for v in (a, b)]
    stack = [m if n == 1 else n for n, m in zip(shapes[0][:-2], shapes[1][:-2], strict=True)]
    flat = []
    for value, shape in zip((a, b), shapes, strict=True):
        tensor = value.plain()
        if any(n == 1 != m for n, m in zip(shape[:-2], stack, strict=True)):
            tensor = home.reshape(tensor, shape)
            tensor = home.op("broadcast_to", tensor, (*stack, *shape[-2:]))
        total: Any = 1
        for n in stack:
            total = total * n
        flat.append(home.reshape(tensor, [total, *shape[-2:]]))
    y = node.op("matmul", *flat)
    return node.value(home.reshape(y, [*stack, shapes[0][-2], shapes[1][-1]]))
