"""What moves numbers and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn.io.onnx_export.builder import AXIS_IN_FIRST, DTYPES, FIRST, LAST, TO_LAST, Builder
from fastcnn.io.onnx_export.recording import Step, Tensor

_FAR = 2**63 - 1


def reshape(g: Builder, step: Step) -> None:
    x, y = step.inputs[0], step.output
    pixel = x.rank == 4 and x.shape[1:3] == (1, 1)
    # The channels of a single pixel lie alike in both layouts.
    source = g.name(x, FIRST if pixel and FIRST in x.names else LAST)
    if y.rank == 4 and y.shape[1:3] == (1, 1):
        g.put(y, g.node("Reshape", [source, g.ints(_wanted(step, x, y, (0, 3, 1, 2)))]), FIRST)
    else:
        g.put(y, g.node("Reshape", [source, g.ints(_wanted(step, x, y, range(y.rank)))]))


def _wanted(step: Step, x: Tensor, y: Tensor, order: Sequence[int]) -> list[int]:
    """Give the sizes of a result, 0 for those that are the operand's and -1 for one other."""
    sizes: list[int] = []
    for place, axis in enumerate(order):
        n = y.shape[axis]
        if (
            n is None
            and place < x.rank
            and [p[axis] for p in y.probes] == [p[place] for p in x.probes]
        ):
            n = 0
        sizes.append(-1 if n is None else n)
    if sizes.count(-1) > 1:
        raise step.decline("several sizes depend on the data's; give the Input known sizes")
    return sizes


def transpose(g: Builder, step: Step) -> None:
    x, y = step.inputs[0], step.output
    axes = step.get("axes")
    axes = list(range(x.rank))[::-1] if axes is None else [a % x.rank for a in axes]
    layout = g.layout(x)
    if layout == FIRST:
        axes = [AXIS_IN_FIRST[axis] for axis in axes]
    if axes == list(range(x.rank)):
        g.put(y, g.name(x, layout))
    elif y.rank == 4 and axes == list(TO_LAST):
        g.put(y, g.name(x, layout), FIRST)
    else:
        g.put(y, g.node("Transpose", [g.name(x, layout)], perm=axes))


def concat(g: Builder, step: Step) -> None:
    rank, layout = step.output.rank, g.layout(*step.inputs)
    axis = step.get("axis", -1) % rank
    names = [g.name(x, layout) for x in step.inputs]
    y = g.node("Concat", names, axis=AXIS_IN_FIRST[axis] if layout == FIRST else axis)
    g.put(step.output, y, layout)


def slice_(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    layout = g.layout(x)
    starts, ends, axes, steps = [], [], [], []
    for axis in range(x.rank):
        begin, end, stride = _range(step, axis)
        if (begin, end, stride) != (0, _FAR, 1):
            starts.append(begin)
            ends.append(end)
            axes.append(AXIS_IN_FIRST[axis] if layout == FIRST else axis)
            steps.append(stride)
    name = g.name(x, layout)
    if axes:
        name = g.node("Slice", [name, *(g.ints(v, "slice") for v in (starts, ends, axes, steps))])
    g.put(step.output, name, layout)


def _range(step: Step, axis: int) -> tuple[int, int, int]:
    """Give start, end and step along an axis as ONNX counts them."""

    def forms(attributes: Any, shape: Any) -> tuple[Any, Any, Any]:
        n, begin, size = shape[axis], attributes["begin"][axis], attributes["size"][axis]
        stride = (attributes.get("step") or [1] * len(shape))[axis]
        start = _FAR if stride < 0 and begin == n - 1 else begin
        last = begin + (size - 1) * stride
        end = last + (1 if stride > 0 else -1)
        if stride > 0 and end > n - stride:
            end = _FAR
        elif stride < 0 and end < 0:
            end = -_FAR
        return start, end, (stride, n)

    found = step.each(forms)
    start, end, (stride, _) = found[0]
    if any((f[0], f[2][0]) != (start, stride) for f in found):
        raise step.decline("where it begins depends on the sizes of the data")
    if any(f[1] != end for f in found):  # perhaps always as far from the end
        distances = {f[1] - f[2][1] for f in found}
        if len(distances) != 1 or stride < 0:
            raise step.decline("where it ends depends on the sizes of the data")
        end = distances.pop()
    return start, end, stride


def pad(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    layout = g.layout(x)
    mode, pads = step.get("mode", "constant"), list(step.get("pads"))
    if mode == "symmetric":
        raise step.decline("there is no mode that repeats the first element")
    befores, afters = pads[::2], pads[1::2]
    if layout == FIRST:
        befores, afters = ([v[0], v[3], v[1], v[2]] for v in (befores, afters))
    operands = [g.name(x, layout), g.ints(befores + afters, "pads")]
    value = step.get("value")
    if mode == "constant" and value is not None:
        operands.append(g.constant(value, "number", x.dtype))
    g.put(step.output, g.node("Pad", operands, mode=mode), layout)


def same(g: Builder, step: Step) -> None:
    """Add nothing: the result is the operand, in any layout."""
    layout = g.layout(step.inputs[0])
    g.put(step.output, g.name(step.inputs[0], layout), layout)


def broadcast_to(g: Builder, step: Step) -> None:
    x, y = step.inputs[0], step.output
    sizes = []
    for axis, n in enumerate(y.shape):
        place = axis - (y.rank - x.rank)
        if place >= 0 and [p[axis] for p in y.probes] == [p[place] for p in x.probes]:
            n = 1
        if n is None:
            raise step.decline("a size depends on the data's; give the Input known sizes")
        sizes.append(n)
    g.put(y, g.node("Expand", [g.name(x), g.ints(sizes)]))


def one_hot(g: Builder, step: Step) -> None:
    labels = g.name(step.inputs[0])
    depth = step.get("depth")
    if step.inputs[0].dtype != "int64":
        labels = g.node("Cast", [labels], to=DTYPES["int64"])
    # There a negative label counts from the end; here it is a vector of zeros.
    negative = g.node("Less", [labels, g.constant(0, "number", np.int64)])
    labels = g.node("Where", [negative, g.constant(depth, "number", np.int64), labels])
    values = g.constant([0, 1], "values", np.float32)
    y = g.node("OneHot", [labels, g.constant(depth, "number", np.int64), values])
    g.put(step.output, y)
