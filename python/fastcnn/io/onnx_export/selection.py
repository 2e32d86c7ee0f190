"""What picks numbers by where they are or how large, and mixes neighbours."""

from __future__ import annotations

import numpy as np

from fastcnn.io.onnx_export.builder import AXIS_IN_FIRST, DTYPES, FIRST, Builder
from fastcnn.io.onnx_export.recording import Step, Tensor


def _axis(g: Builder, x: Tensor, axis: int) -> tuple[str, int]:
    """Give the layout of a tensor, and an axis in it."""
    layout, axis = g.layout(x), axis % x.rank
    return layout, AXIS_IN_FIRST[axis] if layout == FIRST else axis


def take(g: Builder, step: Step) -> None:
    x, indices = step.inputs
    axis = step.get("axis") % x.rank
    g.put(step.output, g.node("Gather", [g.name(x), g.name(indices)], axis=axis))


def take_along_axis(g: Builder, step: Step) -> None:
    x, indices = step.inputs
    layout, axis = _axis(g, x, step.get("axis", -1))
    y = g.node("GatherElements", [g.name(x, layout), g.name(indices, layout)], axis=axis)
    g.put(step.output, y, layout)


def topk(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    layout, axis = _axis(g, x, step.get("axis", -1))
    results = g.node(
        "TopK",
        [g.name(x, layout), g.ints([step.get("k")])],
        outputs=2,
        axis=axis,
        largest=int(step.get("largest", True)),
    )
    for tensor, name in zip(step.outputs, results, strict=True):
        g.put(tensor, name, layout)


def resample(g: Builder, step: Step) -> None:
    """Mix neighbours along an axis: a product with a matrix that is nearly all zeros."""
    x, indices, weights = step.inputs
    if indices.constant is None or weights.constant is None:
        raise step.decline("its filters depend on the data")
    layout, axis = _axis(g, x, step.get("axis"))
    size = x.shape[step.get("axis") % x.rank]
    if size is None:
        raise step.decline("its filters depend on the sizes of the data")
    matrix = np.zeros((len(indices.constant), size), np.float32)
    for row, (places, shares) in enumerate(zip(indices.constant, weights.constant, strict=True)):
        for place, share in zip(places, shares, strict=True):
            if 0 <= place < size:
                matrix[row, place] += share
    name = g.name(x, layout)
    if axis == x.rank - 1:
        y = g.node("MatMul", [name, g.constant(matrix.T, "filters")])
    elif axis == x.rank - 2:
        y = g.node("MatMul", [g.constant(matrix, "filters"), name])
    else:
        order = [*(i for i in range(x.rank) if i != axis), axis]
        y = g.node("Transpose", [name], perm=order)
        y = g.node("MatMul", [y, g.constant(matrix.T, "filters")])
        y = g.node("Transpose", [y], perm=list(np.argsort(order)))
    g.put(step.output, y, layout)


def roi_align(g: Builder, step: Step) -> None:
    x, boxes, indices = step.inputs
    height, width = step.pair("output_size")
    if g.opset < 16:
        raise step.decline("it needs opset 16 or later")
    if step.get("mode", "avg") != "avg":
        # ONNX takes the largest of weighted neighbours, not of interpolated samples.
        raise step.decline('it has another meaning of mode="max"')
    y = g.node(
        "RoiAlign",
        [g.name(x, FIRST), g.name(boxes), g.name(indices)],
        output_height=height,
        output_width=width,
        sampling_ratio=step.get("sampling_ratio", 0),
        spatial_scale=float(step.get("spatial_scale", 1.0)),
        coordinate_transformation_mode="half_pixel"
        if step.get("aligned", False)
        else "output_half_pixel",
    )
    g.put(step.output, y, FIRST)


def integer_binary(g: Builder, step: Step) -> None:
    layout, kind = g.layout(*step.inputs), step.get("kind")
    operands = [g.operand(x, step.output.rank, layout) for x in step.inputs]
    logic = step.inputs[0].dtype == "bool"
    if logic and kind in _LOGIC:
        g.put(step.output, g.node(_LOGIC[kind], operands), layout)
        return
    if logic or kind not in _INTEGERS:
        raise step.decline(f"{kind!r} of {step.inputs[0].dtype} has no counterpart there")
    # Not every runtime has these for narrow integers.
    wide = [g.node("Cast", [x], to=DTYPES["int64"]) for x in operands]
    if kind in ("mod", "fmod"):
        y = g.node("Mod", wide, fmod=int(kind == "fmod"))
    elif kind == "not_equal":
        y = g.node("Not", [g.node("Equal", wide)])
    else:
        y = g.node(_INTEGERS[kind], wide)
    if step.output.dtype not in ("bool", "int64"):
        y = g.node("Cast", [y], to=DTYPES[step.output.dtype])
    g.put(step.output, y, layout)


_LOGIC = {"and": "And", "or": "Or", "xor": "Xor", "equal": "Equal"}
_INTEGERS = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "mod": "Mod",
    "fmod": "Mod",
    "maximum": "Max",
    "minimum": "Min",
    "equal": "Equal",
    "not_equal": "Not",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "less_equal": "LessOrEqual",
}
