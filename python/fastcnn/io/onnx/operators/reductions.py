"""Operators that make one number of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.values import Value


def reduction(function: str) -> Callable[[Node], Value]:
    """Translate a Reduce operator by a function of `fastcnn.ops`."""

    def translate(node: Node) -> Value:
        def compute(tensor: Any, places: tuple[int, ...]) -> Any:
            return node.op(function, tensor, axis=places, keepdims=True)

        return _reduce(node, compute)

    return translate


def reduce_l2(node: Node) -> Value:
    """Translate ReduceL2."""

    def compute(tensor: Any, places: tuple[int, ...]) -> Any:
        y = node.op("square", tensor)
        return node.op("sqrt", node.op("sum", y, axis=places, keepdims=True))

    return _reduce(node, compute)


def reduce_l1(node: Node) -> Value:
    """Translate ReduceL1."""

    def compute(tensor: Any, places: tuple[int, ...]) -> Any:
        return node.op("sum", node.op("absolute", tensor), axis=places, keepdims=True)

    return _reduce(node, compute)


def reduce_sum_square(node: Node) -> Value:
    """Translate ReduceSumSquare."""

    def compute(tensor: Any, places: tuple[int, ...]) -> Any:
        return node.op("sum", node.op("square", tensor), axis=places, keepdims=True)

    return _reduce(node, compute)


def reduce_log_sum(node: Node) -> Value:
    """Translate ReduceLogSum."""

    def compute(tensor: Any, places: tuple[int, ...]) -> Any:
        return node.op("log", node.op("sum", tensor, axis=places, keepdims=True))

    return _reduce(node, compute)


def reduce_log_sum_exp(node: Node) -> Value:
    """Translate ReduceLogSumExp, without overflow."""

    def compute(tensor: Any, places: tuple[int, ...]) -> Any:
        peak = node.op("max", tensor, axis=places, keepdims=True)
        y = node.op("exp", node.op("subtract", tensor, peak))
        return node.op("add", node.op("log", node.op("sum", y, axis=places, keepdims=True)), peak)

    return _reduce(node, compute)


def argmax(node: Node) -> Value:
    """Translate ArgMax."""
    if node.attribute("select_last_index", 0):
        raise node.unsupported("select_last_index")
    x = node.input()
    axis = node.axis(node.attribute("axis", 0), x.rank)
    tensor, order = x.as_stored()
    result = node.value(node.op("argmax", tensor, axis=order.index(axis), keepdims=True), order)
    return result if node.attribute("keepdims", 1) else _without(result, [axis])


def _reduce(node: Node, compute: Callable[[Any, tuple[int, ...]], Any]) -> Value:
    x = node.input()
    given = node.numbers(1, "axes")
    if not given:
        if node.attribute("noop_with_empty_axes", 0):
            return x
        given = list(range(x.rank))
    axes = sorted({node.axis(a, x.rank) for a in given}) if x.rank else []
    if not axes:
        return x
    tensor, order = x.as_stored()
    places = tuple(sorted(order.index(axis) for axis in axes))
    result = node.value(compute(tensor, places), order)
    return result if node.attribute("keepdims", 1) else _without(result, axes)


def _without(x: Value, axes: list[int]) -> Value:
    return x.reshaped([n for axis, n in enumerate(x.shape) if axis not in axes])
