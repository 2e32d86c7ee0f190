"""A network as an ONNX file, with nodes named like our layers, for ONNX Runtime and OpenVINO."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from benchmarks.networks import Tape
from benchmarks.translate import Step, translate

OPSET = 17


def onnx_bytes(tape: Tape) -> bytes:
    """The model, from "input" (n, c, h, w); fixed shapes."""
    nodes, weights = [], []
    steps = translate(tape)
    names = _value_names(tape, steps)
    for number, step in enumerate(steps):
        inputs = [names[i] for i in step.inputs]
        for i, array in enumerate(step.arrays):
            inputs.append(f"w{number}_{i}")
            weights.append(numpy_helper.from_array(np.ascontiguousarray(array), inputs[-1]))
        nodes += _nodes(step, inputs, names[step.output], weights)
    taken: set[str] = set()
    for node in nodes:
        while node.name in taken:
            node.name += "+"
        taken.add(node.name)
    n, h, w, c = tape.shapes[tape.input]
    out = tape.shapes[tape.output]
    if len(out) == 4:
        out = (out[0], out[3], out[1], out[2])
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, (n, c, h, w))],
        [helper.make_tensor_value_info(names[tape.output], TensorProto.FLOAT, out)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return bytes(model.SerializeToString())


def _value_names(tape: Tape, steps: list[Step]) -> dict[int, str]:
    """A name for each value that starts with the layer that a runtime fuses its step into.

    Profiles name fused nodes by their results.
    """
    names = {tape.input: "input"}
    places = {step.output: place for place, step in enumerate(steps)}
    for step in steps:
        if step.kind in ("relu", "relu6", "leaky_relu", "add", "batch_norm", "scale"):
            last = max(step.inputs, key=lambda value: places.get(value, -1))
            names[step.output] = f"{names[last]}/{step.kind}"
        else:
            names[step.output] = step.name
    return names


def _nodes(step: Step, inputs: list[str], output: str, weights: list[Any]) -> list[Any]:
    top, bottom, left, right = step.pads
    window = {"strides": step.strides, "pads": (top, left, bottom, right)}

    def node(kind: str, operands: list[str] = inputs, result: str = output, **attrs: Any) -> Any:
        return helper.make_node(kind, operands, [result], name=step.name, **attrs)

    match step.kind:
        case "conv":
            window |= {"dilations": step.dilation, "kernel_shape": step.window}
            return [node("Conv", group=step.groups, **window)]
        case "conv_transpose":
            window |= {"dilations": step.dilation, "kernel_shape": step.window}
            return [node("ConvTranspose", **window)]
        case "max_pool":
            return [node("MaxPool", kernel_shape=step.window, **window)]
        case "batch_norm":
            return [node("BatchNormalization", epsilon=step.number)]
        case "relu":
            return [node("Relu")]
        case "leaky_relu":
            return [node("LeakyRelu", alpha=step.number)]
        case "relu6":
            weights += [numpy_helper.from_array(np.float32(v), f"{output}_{v}") for v in (0, 6)]
            return [node("Clip", [*inputs, f"{output}_0", f"{output}_6"])]
        case "average":
            pooled = f"{output}_pooled"
            return [node("GlobalAveragePool", result=pooled), node("Flatten", [pooled])]
        case "dense":
            return [node("Gemm", transB=1)]
        case "flatten":
            moved = f"{output}_nhwc"
            return [
                node("Transpose", result=moved, perm=(0, 2, 3, 1)),
                node("Flatten", [moved]),
            ]
        case "pad":
            amounts = np.array((0, 0, top, left, 0, 0, bottom, right), np.int64)
            weights.append(numpy_helper.from_array(amounts, f"{output}_pads"))
            return [node("Pad", [*inputs, f"{output}_pads"])]
        case "space_to_depth":
            return [node("SpaceToDepth", blocksize=int(step.number))]
        case "concat":
            return [node("Concat", axis=1)]
        case "add":
            return [node("Add")]
        case "scale":
            factor = np.array([step.number], np.float32)
            weights.append(numpy_helper.from_array(factor, f"{output}_factor"))
            return [node("Mul", [*inputs, f"{output}_factor"])]
    raise NotImplementedError(step.kind)
