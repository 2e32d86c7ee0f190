"""Operators on integers and on truth: comparisons, logic, and arithmetic that must stay whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.values import Order, Value

Translator = Callable[[Node], Any]

WHOLE = ("int64", "int32", "uint8", "int8", "bool")
EXACT = ("uint8", "int8", "bool")  # of which float32 holds every number


def is_whole(*operands: Any) -> bool:
    """Whether operands of a function are integers."""
    return all(str(getattr(x, "dtype", "")) in WHOLE for x in operands)


def broadcast(node: Node, a: Value, b: Value) -> tuple[Any, Any, Order]:
    """Give two operands that broadcast as NumPy does, and how the result is stored."""
    from fastcnn.io.onnx.operators.elementwise import broadcast as of_pictures

    return of_pictures(node, a, b)


def comparison(function: str) -> Translator:
    """Translate a comparison; the result is of bool."""

    def translate(node: Node) -> Value:
        left, right, order = broadcast(node, node.input(0), node.input(1))
        if is_whole(left, right):
            return node.value(node.op("integer_binary", left, right, function), order)
        return node.value(node.op("cast", node.op(function, left, right), "bool"), order)

    return translate


def logic(function: str) -> Translator:
    """Translate And, Or and Xor."""

    def translate(node: Node) -> Value:
        left, right, order = broadcast(node, node.input(0), node.input(1))
        return node.value(node.op(function, left, right), order)

    return translate


def not_(node: Node) -> Value:
    """Translate Not."""
    x = node.input()
    return x.like(node.op("logical_not", x.tensor))


def modulo(node: Node) -> Value:
    """Translate Mod: the sign of the divisor, or, with fmod, of the dividend."""
    kind = "fmod" if node.attribute("fmod", 0) else "mod"
    left, right, order = broadcast(node, node.input(0), node.input(1))
    if is_whole(left, right):
        return node.value(node.op("integer_binary", left, right, kind), order)
    return node.value(node.op(kind, left, right), order)


def power(node: Node) -> Value:
    """Translate Pow; the result is of the base's type."""
    left, right, order = broadcast(node, node.input(0), node.input(1))
    if is_whole(left, right):
        return node.value(node.op("integer_binary", left, right, "pow"), order)
    dtype = str(left.dtype)
    y = node.op("power", _as_float(node, left), _as_float(node, right))
    return node.value(node.op("cast", y, dtype) if is_whole(left) else y, order)


def _as_float(node: Node, x: Any) -> Any:
    return node.op("cast", x, "float32") if is_whole(x) else x


def signed(function: str) -> Translator:
    """Translate Abs, Neg and Sign."""

    def translate(node: Node) -> Value:
        x = node.input()
        if not is_whole(x.tensor):
            return x.like(node.op(function, x.tensor))
        zero = np.zeros((), x.tensor.dtype)
        if function == "sign":
            one = np.ones((), x.tensor.dtype)
            y = node.op("integer_binary", x.tensor, one, "minimum")
            return x.like(node.op("integer_binary", y, zero - one, "maximum"))
        y = node.op("integer_binary", zero, x.tensor, "sub")
        if function == "absolute":
            y = node.op("integer_binary", x.tensor, y, "maximum")
        return x.like(y)

    return translate


def is_nan(node: Node) -> Value:
    """Translate IsNaN."""
    x = node.input()
    return x.like(node.op("cast", node.op("isnan", x.tensor), "bool"))


def is_inf(node: Node) -> Value:
    """Translate IsInf."""
    x = node.input()
    ends = node.attribute("detect_positive", 1), node.attribute("detect_negative", 1)
    if ends == (0, 0):
        y = node.op("multiply", node.op("isinf", x.tensor), 0.0)
    elif all(ends):
        y = node.op("isinf", x.tensor)
    else:
        y = node.op("equal", x.tensor, np.inf if ends[0] else -np.inf)
    return x.like(node.op("cast", y, "bool"))


def cast_like(node: Node) -> Value:
    """Translate CastLike: a cast to the type of another value."""
    x, dtype = node.input(0), node.input(1).dtype
    if x.dtype == dtype or (dtype not in WHOLE and x.dtype not in WHOLE):
        return x
    return x.like(node.op("cast", x.tensor, dtype if dtype in WHOLE else "float32"))
