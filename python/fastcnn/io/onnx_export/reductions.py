"""What computes numbers of many: sums, softmax, normalisation by the data, products, distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.io.onnx_export.builder import AXIS_IN_FIRST, FIRST, LAST, Builder
from fastcnn.io.onnx_export.recording import Step, Tensor


def _axes(step: Step, rank: int, default: Any = None) -> list[int]:
    """Give the axes of an attribute, counted from the front."""
    given = step.get("axis", default)
    if given is None:
        return list(range(rank))
    return sorted(a % rank for a in (given if isinstance(given, (list, tuple)) else [given]))


def _reduce(g: Builder, op: str, x: str, axes: list[int], keepdims: bool) -> str:
    """Add a reduction; its axes became an operand in one version of the operators or another."""
    if op == "ReduceSum" or g.opset >= 18:
        return str(g.node(op, [x, g.ints(axes, "axes")], keepdims=int(keepdims)))
    return str(g.node(op, [x], axes=axes, keepdims=int(keepdims)))


def reduction(g: Builder, step: Step) -> None:
    x, keepdims = step.inputs[0], bool(step.get("keepdims", False))
    axes = _axes(step, x.rank)
    if not axes:
        g.put(step.output, g.node("Identity", [g.name(x)]))
        return
    if x.rank == 4 and axes == [1, 2] and step.op in _GLOBAL:
        y = g.node(_GLOBAL[step.op], [g.name(x, FIRST)])
        g.put(step.output, y if keepdims else g.node("Flatten", [y], axis=1), FIRST)
        return
    layout, axes = _reduced_layout(g, x, axes, keepdims)
    g.put(step.output, _reduce(g, _REDUCE[step.op], g.name(x, layout), axes, keepdims), layout)


def _reduced_layout(
    g: Builder, x: Tensor, axes: list[int], keepdims: bool
) -> tuple[str, list[int]]:
    """Choose a layout in which the axes that are left have their order; give the axes there."""
    left = [AXIS_IN_FIRST[axis] for axis in range(4) if axis not in axes]
    if g.layout(x) == FIRST and (keepdims or left == sorted(left)):
        return FIRST, sorted(AXIS_IN_FIRST[axis] for axis in axes)
    return LAST, axes


_GLOBAL = {"reduce_mean": "GlobalAveragePool", "reduce_max": "GlobalMaxPool"}
_REDUCE = {
    "reduce_sum": "ReduceSum",
    "reduce_mean": "ReduceMean",
    "reduce_prod": "ReduceProd",
    "reduce_max": "ReduceMax",
    "reduce_min": "ReduceMin",
}


def argmax(g: Builder, step: Step) -> None:
    x, keepdims = step.inputs[0], bool(step.get("keepdims", False))
    axes = _axes(step, x.rank)
    if len(axes) == 1:
        layout, (axis,) = _reduced_layout(g, x, axes, keepdims)
        y = g.node("ArgMax", [g.name(x, layout)], axis=axis, keepdims=int(keepdims))
        g.put(step.output, y, layout)
        return
    if len(axes) != x.rank:
        raise step.decline(f"expected one axis or all, got {axes}")
    y = g.node("Reshape", [g.name(x), g.ints([-1])])
    y = g.node("ArgMax", [y], axis=0, keepdims=0)
    g.put(step.output, g.node("Reshape", [y, g.ints([1] * x.rank)]) if keepdims else y)


def softmax(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    layout = g.layout(x)
    axis = step.get("axis", -1) % x.rank
    op = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[step.op]
    y = g.node(op, [g.name(x, layout)], axis=AXIS_IN_FIRST[axis] if layout == FIRST else axis)
    g.put(step.output, y, layout)


def l2_normalize(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    layout, axes = _reduced_layout(g, x, _axes(step, x.rank, -1), True)
    name = g.name(x, layout)
    square = _reduce(g, "ReduceSum", g.node("Mul", [name, name]), axes, True)
    least = g.node("Max", [square, g.number(step.get("epsilon", 1e-12))])
    g.put(step.output, g.node("Div", [name, g.node("Sqrt", [least])]), layout)


def layer_norm(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    axes = _axes(step, x.rank, -1)
    factors = [g.name(v) for v in step.inputs[1:]]
    y = g.name(x)
    if g.opset >= 17 and step.get("scale", False):
        epsilon = float(step.get("epsilon", 1e-3))
        y = g.node("LayerNormalization", [y, *factors], axis=axes[0], epsilon=epsilon)
    else:
        y = _standardise(g, step, y, axes)
        y = _affine(g, step, y, factors)
    g.put(step.output, y)


def _standardise(g: Builder, step: Step, x: str, axes: list[int]) -> str:
    """Bring axes to mean 0 and variance 1."""
    centred = g.node("Sub", [x, _reduce(g, "ReduceMean", x, axes, True)])
    variance = _reduce(g, "ReduceMean", g.node("Mul", [centred, centred]), axes, True)
    deviation = g.node("Sqrt", [g.node("Add", [variance, g.number(step.get("epsilon", 1e-3))])])
    return str(g.node("Div", [centred, deviation]))


def _affine(g: Builder, step: Step, y: str, factors: list[str]) -> str:
    """Multiply and add what a normalisation has for that."""
    scale, center = bool(step.get("scale", False)), bool(step.get("center", False))
    if scale:
        y = g.node("Mul", [y, factors[0]])
    return str(g.node("Add", [y, factors[-1]])) if center else y


def group_norm(g: Builder, step: Step) -> None:
    """Groups of channels as the samples of a normalisation over all the rest."""
    x, channels = step.inputs[0], int(step.inputs[0].shape[-1] or 0)
    groups = channels if step.op == "instance_norm" else step.get("groups", 32)
    groups = channels if groups == -1 else groups
    if x.rank == 4:
        name, back = g.name(x, FIRST), None
    elif x.rank == 2:
        name, back = g.name(x), None
    else:
        to = [0, x.rank - 1, *range(1, x.rank - 1)]
        name = g.node("Transpose", [g.name(x)], perm=to)
        back = [0, *range(2, x.rank), 1]
    grouped = g.node("Reshape", [name, g.ints([0, groups, -1])])
    y = _standardise(g, step, grouped, [2])
    y = g.node("Reshape", [y, g.node("Shape", [name])])
    shape = (channels, *[1] * (x.rank - 2))
    factors = [
        g.constant(np.reshape(v.constant, shape), v.label or "constant")
        if v.constant is not None
        else str(g.node("Reshape", [g.name(v), g.ints(shape)]))
        for v in step.inputs[1:]
    ]
    y = _affine(g, step, y, factors)
    g.put(step.output, y if back is None else g.node("Transpose", [y], perm=back), FIRST)


def matmul(g: Builder, step: Step) -> None:
    names = []
    for x, option in zip(step.inputs, ("transpose_a", "transpose_b"), strict=True):
        if step.get(option, False):
            order = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
            names.append(g.permuted(x, order))
        else:
            names.append(g.name(x))
    g.put(step.output, g.node("MatMul", names))


def gram_matrix(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    channels = int(x.shape[-1] or 0)
    if g.layout(x) == FIRST:
        rows = g.node("Reshape", [g.name(x, FIRST), g.ints([0, channels, -1])])
        columns = g.node("Transpose", [rows], perm=[0, 2, 1])
    else:
        columns = g.node("Reshape", [g.name(x), g.ints([0, -1, channels])])
        rows = g.node("Transpose", [columns], perm=[0, 2, 1])
    y = g.node("MatMul", [rows, columns])
    g.put(step.output, g.node("Mul", [y, g.number(step.get("scale", 1.0))]))


def cdist(g: Builder, step: Step) -> None:
    metric = step.get("metric", "euclidean")
    x, y = (g.name(v) for v in step.inputs)
    if metric in ("inner_product", "cosine"):
        if metric == "cosine":
            x, y = (_unit(g, v) for v in (x, y))
        product = g.node("MatMul", [x, g.node("Transpose", [y], perm=[1, 0])])
        if metric == "cosine":
            product = g.node("Sub", [g.number(1), product])
        g.put(step.output, product)
        return
    difference = g.node(
        "Sub", [g.node("Unsqueeze", [v, g.ints([axis])]) for v, axis in ((x, 1), (y, 0))]
    )
    if metric == "manhattan":
        distance = _reduce(g, "ReduceSum", g.node("Abs", [difference]), [2], False)
    else:
        square = g.node("Mul", [difference, difference])
        distance = _reduce(g, "ReduceSum", square, [2], False)
        if metric == "euclidean":
            distance = g.node("Sqrt", [distance])
    g.put(step.output, distance)


def _unit(g: Builder, x: str) -> str:
    """Divide rows by their length; zeros stay zeros."""
    square = _reduce(g, "ReduceSum", g.node("Mul", [x, x]), [1], True)
    least = g.node("Max", [square, g.number(float(np.finfo(np.float32).tiny))])
    return str(g.node("Div", [x, g.node("Sqrt", [least])]))
