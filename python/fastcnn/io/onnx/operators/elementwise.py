"""Functions of each element: activations, and arithmetic with broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.operators.logic import is_whole
from fastcnn.io.onnx.values import Order, Value
from fastcnn.layers.activations import ELU, LeakyReLU, PReLU, ReLU, Softmax
from fastcnn.layers.layer import Layer
from fastcnn.layers.merging import Add, Maximum, Minimum, Multiply, Subtract
from fastcnn.layers.regularization import Dropout
from fastcnn.symbolic import KerasTensor

Translator = Callable[[Node], Any]


def unary(function: str) -> Translator:
    """Translate an operator of one operand and no attributes by a function of `fastcnn.ops`."""

    def translate(node: Node) -> Value:
        x = node.input()
        return x.like(node.op(function, x.tensor))

    return translate


def relu(node: Node) -> Value:
    """Translate Relu."""
    x = node.input()
    return x.like(node.layer(ReLU, x.tensor))


def leaky_relu(node: Node) -> Value:
    """Translate LeakyRelu."""
    x = node.input()
    slope = node.attribute("alpha", 0.01)
    if slope < 0:
        return x.like(node.op("leaky_relu", x.tensor, slope))
    return x.like(node.layer(LeakyReLU, x.tensor, negative_slope=slope))


def elu(node: Node) -> Value:
    """Translate Elu."""
    x = node.input()
    return x.like(node.layer(ELU, x.tensor, alpha=node.attribute("alpha", 1.0)))


def clip(node: Node) -> Value:
    """Translate Clip; from 0 to 6 it is ReLU6."""
    x = node.input()
    low = node.numbers(1, "min")
    high = node.numbers(2, "max")
    lower = float(low[0]) if low else None
    upper = float(high[0]) if high else None
    if is_whole(x.tensor):
        y = x.tensor
        for bound, kind in ((low, "maximum"), (high, "minimum")):
            if bound:
                y = node.op("integer_binary", y, np.asarray(bound[0], x.dtype), kind)
        return x.like(y)
    if lower == 0.0 and (upper is None or upper > 0):
        return x.like(node.layer(ReLU, x.tensor, max_value=upper))
    if lower is None and upper is None:
        return x
    if lower is not None and upper is not None and lower > upper:
        lower = upper
    return x.like(node.op("clip", x.tensor, lower, upper))


def hard_sigmoid(node: Node) -> Value:
    """Translate HardSigmoid; with torch's and Keras 3's slope of 1/6 it is their function."""
    x = node.input()
    alpha, beta = node.attribute("alpha", 0.2), node.attribute("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return x.like(node.op("hard_sigmoid", x.tensor))
    y = node.op("multiply", x.tensor, alpha)
    y = node.op("add", y, beta)
    return x.like(node.op("clip", y, 0.0, 1.0))


def gelu(node: Node) -> Value:
    """Translate Gelu."""
    x = node.input()
    approximate = node.attribute("approximate", "none") == "tanh"
    return x.like(node.op("gelu", x.tensor, approximate=approximate))


def selu(node: Node) -> Value:
    """Translate Selu."""
    x = node.input()
    alpha = node.attribute("alpha", 1.67326319217681884765625)
    gamma = node.attribute("gamma", 1.05070102214813232421875)
    return x.like(node.op("multiply", node.op("elu", x.tensor, alpha), gamma))


def celu(node: Node) -> Value:
    """Translate Celu."""
    x = node.input()
    alpha = node.attribute("alpha", 1.0)
    y = x.tensor if alpha == 1.0 else node.op("divide", x.tensor, alpha)
    y = node.op("elu", y)  # of x / alpha: what is positive is scaled back too
    return x.like(y if alpha == 1.0 else node.op("multiply", y, alpha))


def swish(node: Node) -> Value:
    """Translate Swish: x sigmoid(alpha x)."""
    x = node.input()
    alpha = node.attribute("alpha", 1.0)
    if alpha == 1.0:
        return x.like(node.op("silu", x.tensor))
    share = node.op("sigmoid", node.op("multiply", x.tensor, alpha))
    return x.like(node.op("multiply", x.tensor, share))


def shrink(node: Node) -> Value:
    """Translate Shrink: 0 within lambd of 0, nearer to 0 by the bias elsewhere."""
    x = node.input()
    bias, limit = node.attribute("bias", 0.0), node.attribute("lambd", 0.5)
    above = node.op("greater", x.tensor, limit)
    below = node.op("less", x.tensor, -limit)
    y = node.op("where", above, node.op("subtract", x.tensor, bias), 0.0)
    return x.like(node.op("where", below, node.op("add", x.tensor, bias), y))


def thresholded_relu(node: Node) -> Value:
    """Translate ThresholdedRelu: 0 up to alpha."""
    x = node.input()
    above = node.op("greater", x.tensor, node.attribute("alpha", 1.0))
    return x.like(node.op("where", above, x.tensor, 0.0))


def prelu(node: Node) -> Value:
    """Translate PRelu: a layer where the slopes are constant, one a channel or one in all."""
    x, slope = node.input(0), node.input(1)
    if not slope.is_constant or slope.rank > x.rank:
        left, right, order = broadcast(node, x, slope)
        return node.value(node.op("prelu", left, right), order)
    tensor, order = x.as_stored()
    array = aligned(slope, order)
    array = array.reshape((1,) * (x.rank - array.ndim) + array.shape)[0]
    shared = [axis + 1 for axis, n in enumerate(array.shape) if n == 1]
    wanted = [n for axis, n in enumerate(x.shape[a] for a in order[1:]) if axis + 1 not in shared]
    if wanted != [n for n in array.shape if n != 1] or not array.ndim:
        return node.value(node.op("prelu", tensor, array), order)
    y = node.weighted(PReLU, tensor, {"alpha": array}, shared_axes=shared or None)
    return node.value(y, order)


def softmax(node: Node) -> Value:
    """Translate Softmax; before opset 13 it spans all axes from the given one on."""
    return _softmax(node, "softmax")


def log_softmax(node: Node) -> Value:
    """Translate LogSoftmax, like Softmax."""
    return _softmax(node, "log_softmax")


def _softmax(node: Node, function: str) -> Value:
    x = node.input()
    axis = node.axis(node.attribute("axis", -1 if node.opset >= 13 else 1), x.rank)
    if node.opset < 13:
        shape = x.shape
        if any(n != 1 for n in shape[axis + 1 :]):
            total: Any = 1
            for n in shape[axis:]:
                total = total * n
            flat = x.reshaped([*shape[:axis], total]).plain()
            return node.value(node.op(function, flat, axis=-1)).reshaped(shape)
    tensor, order = x.as_stored()
    place = order.index(axis)
    place = -1 if place == len(order) - 1 else place
    if function == "softmax":
        return node.value(node.layer(Softmax, tensor, axis=place), order)
    return node.value(node.op(function, tensor, axis=place), order)


def dropout(node: Node) -> list[Value]:
    """Translate Dropout: a layer, which acts in training only."""
    x = node.input()
    rate = node.numbers(1, "ratio")
    share = float(rate[0]) if rate else 0.5
    if share and node.has(2) and bool(np.any(node.constant(2))):
        raise node.unsupported("training mode, whose random numbers are another generator's")
    if not 0.0 <= share < 1.0:
        raise FileFormatError(f"expected a ratio from 0 to 1, got {share}")
    results = [x.like(node.layer(Dropout, x.tensor, rate=share))]
    if any(node.outputs[1:]):  # nothing is left out
        results.append(x.like(node.op("logical_or", x.tensor, True)))
    return results


# ---- two operands --------------------------------------------------------------------------------


def aligned(constant: Value, order: Order) -> Any:
    """Give a constant's elements such that they broadcast against a tensor stored in `order`."""
    array = constant.plain()
    array = array.reshape((1,) * (len(order) - array.ndim) + array.shape).transpose(order)
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    return np.ascontiguousarray(array)


def broadcast(node: Node, a: Value, b: Value) -> tuple[Any, Any, Order]:
    """Give two operands that broadcast as NumPy does, and how the result is stored.

    The order is that of the operand with more axes; of two alike, the one that is no constant.
    """
    leading = max((a, b), key=lambda v: (v.rank, not v.is_constant, len(v.stored)))
    order = leading.order
    found = []
    for value in (a, b):
        if value.is_constant and value is not leading:
            array = aligned(value, order)
            found.append(node.weight(value, array=array))
            continue
        shape = (1,) * (len(order) - value.rank) + tuple(value.shape)
        found.append(
            (value if value.rank == len(order) else value.reshaped(shape)).stored_as(order)
        )
    return found[0], found[1], order


def binary(function: str, layer: type[Layer] | None = None, whole: str = "") -> Translator:
    """Translate an operator of two operands by a function, or by a layer where that says more.

    `whole` is the kind of `fastcnn.ops.integer_binary` that does the same with integers.
    """

    def translate(node: Node) -> Value:
        a, b = node.input(0), node.input(1)
        left, right, order = broadcast(node, a, b)
        if is_whole(left, right):
            return node.value(node.op("integer_binary", left, right, whole), order)
        both = isinstance(left, KerasTensor) and isinstance(right, KerasTensor)
        if layer is not None and both and left is not right:
            return node.value(node.layer(layer, [left, right]), order)
        return node.value(node.op(function, left, right), order)

    return translate


def variadic(function: str, layer: type[Layer] | None = None, whole: str = "") -> Translator:
    """Translate an operator of any number of operands, two at a time."""
    pair = binary(function, layer, whole)

    def translate(node: Node) -> Value:
        result = node.input(0)
        everything = list(node.inputs)
        for value in everything[1:]:
            node.inputs = [result, value]
            result = pair(node)
        return result

    return translate


add = binary("add", Add, "add")
subtract = binary("subtract", Subtract, "sub")
multiply = binary("multiply", Multiply, "mul")
divide = binary("divide", whole="div")
maximum = variadic("maximum", Maximum, "maximum")
minimum = variadic("minimum", Minimum, "minimum")
total = variadic("add", Add, "add")


def mean(node: Node) -> Value:
    """Translate Mean of several operands."""
    count = len(node.inputs)
    x: Value = total(node)
    return x.like(node.op("multiply", x.tensor, 1.0 / count))


def where(node: Node) -> Value:
    """Translate Where."""
    condition, a, b = (node.input(i) for i in range(3))
    rank = max(v.rank for v in (condition, a, b))
    leading = max(
        (v for v in (a, b, condition)), key=lambda v: (v.rank, not v.is_constant, len(v.stored))
    )
    order = leading.order
    operands: list[Any] = []
    for value in (condition, a, b):
        if value.is_constant:
            operands.append(node.weight(value, f"x{len(operands)}", array=aligned(value, order)))
        else:
            shape = (1,) * (rank - value.rank) + tuple(value.shape)
            operands.append(value.reshaped(shape).stored_as(order))
    return node.value(node.op("where", *operands), order)
