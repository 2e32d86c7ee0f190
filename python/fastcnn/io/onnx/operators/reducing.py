"""Extrema of what float32 kernels do not take: of truth, of small integers and of nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.operators import reductions
from fastcnn.io.onnx.operators.logic import EXACT
from fastcnn.io.onnx.values import Value
from fastcnn.sizes import Size


def _reduced_axes(node: Node, x: Value) -> list[int]:
    given = node.numbers(1, "axes")
    if not given:
        return [] if node.attribute("noop_with_empty_axes", 0) else list(range(x.rank))
    return [node.axis(a, x.rank) for a in given]


def extremum(function: str) -> Callable[[Node], Value]:
    """Translate ReduceMax and ReduceMin."""
    reduce = reductions.reduction(function)
    last = -np.inf if function == "max" else np.inf

    def translate(node: Node) -> Value:
        x = node.input()
        dtype = x.dtype
        if dtype in EXACT:
            x = x.like(node.op("cast", x.tensor, "float32"))
        empty = [a for a in _reduced_axes(node, x) if _is_empty(x.shape[a])]
        if empty:  # of nothing, the extremum is what every number exceeds
            tensor, order = x.as_stored()
            widths = tuple((0, int(a in empty)) for a in order)
            fill = last if dtype not in EXACT else float(last > 0)
            x = node.value(node.op("pad", tensor, widths, constant_values=fill), order)
        node.inputs[0] = x
        y = reduce(node)
        return y.like(node.op("cast", y.tensor, dtype)) if dtype in EXACT else y

    return translate


def _is_empty(size: object) -> bool:
    return not isinstance(size, Size) and size == 0


def log_sum_exp(node: Node) -> Value:
    """Translate ReduceLogSumExp; of nothing it is the logarithm of 0."""
    x = node.input()
    if any(_is_empty(x.shape[a]) for a in _reduced_axes(node, x)):
        return reductions.reduce_log_sum(node)  # nothing to take exponentials of
    return reductions.reduce_log_sum_exp(node)
