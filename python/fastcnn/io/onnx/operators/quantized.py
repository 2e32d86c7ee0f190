"""Numbers as codes of few bits: computed as whole numbers in float32, exact below 2^24."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx import reading
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.operators import convolution, linear
from fastcnn.io.onnx.values import Order, Value

_ENDS = {
    "uint8": (0.0, 255.0), "int8": (-128.0, 127.0), "uint16": (0.0, 65535.0),
    "int16": (-32768.0, 32767.0), "uint4": (0.0, 15.0), "int4": (-8.0, 7.0), "uint2": (0.0, 3.0),
    "int2": (-2.0, 1.0),
}  # fmt: skip


def _along(node: Node, index: int, x: Value, axis: int, order: Order) -> NDArray[Any]:
    """Give scales or zero points, one in all, one an index of the axis or one a block of it.

    They broadcast against a tensor stored in `order`.
    """
    array = np.asarray(node.constant(index), np.float32)
    if array.size == 1:
        return array.reshape(())
    if array.ndim == 1:
        shape = [1] * x.rank
        shape[axis] = -1
        array = array.reshape(shape)
    block = node.attribute("block_size", 0)
    if block > 1:
        if array.ndim != x.rank or array.shape[axis] * block - x.shape[axis] not in range(block):
            raise FileFormatError(f"scales {array.shape} of blocks of {block} do not fit {x.shape}")
        array = np.repeat(array, block, axis=axis)
        array = array[
            tuple(slice(0, n) if a == axis else slice(None) for a, n in enumerate(x.shape))
        ]
    if array.ndim != x.rank or array.shape[axis] != x.shape[axis]:
        raise FileFormatError(f"scales {array.shape} do not fit {x.shape}")
    return np.ascontiguousarray(array.transpose(order))


def _code_type(node: Node, index: int) -> str:
    """Tell the type of a node's codes: that of its zero point, or what an attribute says."""
    name = node.home.type_of(node.input(index)) if node.has(index) else ""
    if not name:
        names = reading.onnx().TensorProto.DataType
        kind = node.attribute("output_dtype", 0)
        name = names.Name(kind).lower() if kind in names.values() and kind else "uint8"
    if name not in _ENDS:
        raise node.unsupported(f"codes of type {name}")
    return name


def _codes(node: Node, y: Any, zero: Any, dtype: str) -> Any:
    """Round numbers, move them by the zero point and cut them off at the ends."""
    y = node.op("round", y)
    if np.any(zero):
        y = node.op("add", y, zero)
    low, high = _ENDS[dtype]
    held = "int32" if high - low > 255 else "int8" if low else "uint8"
    return node.op("cast", node.op("clip", y, low, high), held)


def quantize_linear(node: Node) -> Value:
    """Translate QuantizeLinear."""
    x = node.input()
    axis = node.axis(node.attribute("axis", 1), x.rank) if x.rank > 1 else 0
    dtype = _code_type(node, 2)
    tensor, order = x.as_stored()
    scale = _along(node, 1, x, axis, order)
    zero = _along(node, 2, x, axis, order) if node.has(2) else np.float32(0)
    return node.value(_codes(node, node.op("divide", tensor, scale), zero, dtype), order)


def dequantize_linear(node: Node) -> Value:
    """Translate DequantizeLinear; of constants, at once: then they are weights."""
    x = node.input()
    axis = node.axis(node.attribute("axis", 1), x.rank) if x.rank > 1 else 0
    tensor, order = x.as_stored()
    scale = _along(node, 1, x, axis, order)
    zero = _along(node, 2, x, axis, order) if node.has(2) else np.float32(0)
    if x.is_constant:
        result = node.value((np.asarray(tensor, np.float32) - zero) * scale, order)
        result.trainable = True
        return result
    y = node.op("cast", tensor, "float32")
    if np.any(zero):
        y = node.op("subtract", y, zero)
    return node.value(node.op("multiply", y, scale), order)


def dynamic_quantize_linear(node: Node) -> list[Value]:
    """Translate DynamicQuantizeLinear: codes whose scale follows from the data."""
    x = node.input()
    high = node.op("maximum", node.op("max", x.tensor), 0.0)
    low = node.op("minimum", node.op("min", x.tensor), 0.0)
    scale = node.op("divide", node.op("subtract", high, low), 255.0)
    zero = node.op(
        "round", node.op("clip", node.op("divide", node.op("negative", low), scale), 0.0, 255.0)
    )
    y = node.op("add", node.op("round", node.op("divide", x.tensor, scale)), zero)
    y = node.op("cast", node.op("clip", y, 0.0, 255.0), "uint8")
    return [x.like(y), node.value(scale), node.value(node.op("cast", zero, "uint8"))]


# ---- products ------------------------------------------------------------------------------------


def _centred(node: Node, index: int, zero_index: int, rows: int | None = None) -> Value:
    """Give codes less their zero point, as whole numbers in float32.

    `rows`: the axis along which there may be several zero points.
    """
    x = node.input(index)
    zero = np.zeros((), np.float32)
    if node.has(zero_index):
        zero = np.asarray(node.constant(zero_index), np.float32)
        if zero.size == 1:
            zero = zero.reshape(())
        elif rows is not None and zero.ndim == 1:
            shape = [1] * x.rank
            shape[rows] = -1
            zero = zero.reshape(shape)
    if x.is_constant:
        result = node.value(np.asarray(x.plain(), np.float32) - zero)
        result.name = f"{x.name}_centred"
        return result
    tensor, order = x.as_stored()
    y = node.op("cast", tensor, "float32")
    if np.any(zero):
        zero = zero.transpose(order) if zero.ndim else zero
        y = node.op("subtract", y, zero)
    return node.value(y, order)


def conv_integer(node: Node) -> Value:
    """Translate ConvInteger."""
    y = _convolve(node, [_centred(node, 0, 2), _centred(node, 1, 3, rows=0)])
    return y.like(node.op("cast", node.op("round", y.tensor), "int32"))


def _convolve(node: Node, inputs: list[Value | None]) -> Value:
    node.inputs = inputs
    return convolution.conv(node)


def matmul_integer(node: Node) -> Value:
    """Translate MatMulInteger."""
    a, b = node.input(0), node.input(1)
    node.inputs = [_centred(node, 0, 2, rows=a.rank - 2), _centred(node, 1, 3, rows=b.rank - 1)]
    y = linear.matmul(node)
    return y.like(node.op("cast", node.op("round", y.tensor), "int32"))


def _scaled(node: Node, y: Value, factor: NDArray[Any], zero: NDArray[Any], dtype: str) -> Value:
    """Make codes of sums of products."""
    tensor, order = y.as_stored()

    def placed(array: NDArray[Any]) -> NDArray[Any]:
        return array.transpose(order) if array.ndim else array

    # Sums of whole numbers are whole; in float32 they may be a little off, and that may decide.
    tensor = node.op("multiply", node.op("round", tensor), placed(factor))
    return node.value(_codes(node, tensor, placed(zero), dtype), order)


def q_linear_conv(node: Node) -> Value:
    """Translate QLinearConv."""
    scale, kernel_scale, target = (np.asarray(node.constant(i), np.float32) for i in (1, 4, 6))
    dtype = _code_type(node, 7)
    zero = np.asarray(node.constant(7), np.float32).reshape(())
    inputs: list[Value | None] = [_centred(node, 0, 2), _centred(node, 3, 5, rows=0)]
    if node.has(8):
        bias = node.value(np.asarray(node.constant(8), np.float32))
        bias.name = f"{node.input(8).name}_centred"
        inputs.append(bias)
    y = _convolve(node, inputs)
    # In float32, as others do it: a sum may lie in the middle between two codes.
    factor = scale.ravel()[0] * kernel_scale / target.ravel()[0]
    factor = factor.reshape(-1, *[1] * (y.rank - 2)) if factor.size > 1 else factor.reshape(())
    if factor.ndim:
        factor = factor[None]
    return _scaled(node, y, np.asarray(factor, np.float32), zero, dtype)


def q_linear_matmul(node: Node) -> Value:
    """Translate QLinearMatMul."""
    a_scale, b_scale, target = (np.asarray(node.constant(i), np.float32) for i in (1, 4, 6))
    dtype = _code_type(node, 7)
    zero = np.asarray(node.constant(7), np.float32)
    a, b = node.input(0), node.input(3)
    node.inputs = [_centred(node, 0, 2, rows=a.rank - 2), _centred(node, 3, 5, rows=b.rank - 1)]
    y = linear.matmul(node)
    if target.size > 1 or zero.size > 1:
        raise node.unsupported("several scales of the result")
    factor = np.ones((), np.float32)
    for scales, rows in ((a_scale, True), (b_scale, False)):
        shape = [1] * y.rank
        shape[-2 if rows else -1] = -1
        factor = factor * (scales.reshape(shape) if scales.size > 1 else scales.reshape(()))
    return _scaled(node, y, factor / target.reshape(()), zero.reshape(()), dtype)
