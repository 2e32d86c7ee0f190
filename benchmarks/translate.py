"""A tape in the words of torch and ONNX: NCHW, OIHW, padding in numbers, borders folded.

The two translations (torch_network.py, onnx_network.py) then are one line a kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.networks import Node, Tape

Pads = tuple[int, int, int, int]  # top, bottom, left, right
NO_PADS: Pads = (0, 0, 0, 0)


@dataclass
class Step:
    """One operation on pictures (n, c, h, w).

    Attributes
    ----------
    kind : str
        conv, conv_transpose, batch_norm, relu, relu6, leaky_relu, max_pool, average, dense,
        flatten, add, concat, pad or space_to_depth.
    inputs : tuple of int
        Values computed before; weights are in `arrays`.
    arrays : list of numpy.ndarray
        Kernel and perhaps bias; or gamma, beta, mean and variance.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    output: int
    arrays: list[np.ndarray] = field(default_factory=list)
    strides: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    groups: int = 1
    number: float = 0.0  # epsilon, slope, block size


def translate(tape: Tape, fold: bool = True) -> list[Step]:
    """The steps of a network; raises NotImplementedError for ops no benchmarked network has.

    `fold` multiplies batch norms into the convolutions before them, as every runtime does that
    prepares a network.
    """
    steps: list[Step] = []
    folded = _foldable_borders(tape)
    for node in tape.nodes:
        if node.output in folded:
            continue
        made = _step(node, tape)
        if made.inputs[0] in folded:
            source, border = folded[made.inputs[0]]
            made.inputs = (source, *made.inputs[1:])
            top, bottom, left, right = (a + b for a, b in zip(made.pads, border, strict=True))
            made.pads = top, bottom, left, right
        steps.append(made)
        kind, slope = _fused_activation(node)
        if kind != "linear":
            inner = -1 - node.output  # the value before the activation gets a number of its own
            made.output = inner
            steps.append(Step(kind, f"{node.name}/{kind}", (inner,), node.output, number=slope))
    return _fold_batch_norms(steps) if fold else steps


def _fold_batch_norms(steps: list[Step]) -> list[Step]:
    readers = [value for step in steps for value in step.inputs]
    makers = {step.output: step for step in steps}
    kept = []
    for step in steps:
        conv = makers.get(step.inputs[0])
        foldable = step.kind == "batch_norm" and conv is not None and conv.kind == "conv"
        if not foldable or readers.count(conv.output) > 1:
            kept.append(step)
        else:
            gamma, beta, mean, variance = (a.astype(np.float64) for a in step.arrays)
            gain = gamma / np.sqrt(variance + step.number)
            bias = conv.arrays[1] if len(conv.arrays) > 1 else 0.0
            folded = conv.arrays[0] * gain[:, None, None, None], (bias - mean) * gain + beta
            conv.arrays = [a.astype(np.float32) for a in folded]
            conv.output = step.output
    return kept


def _step(node: Node, tape: Tape) -> Step:
    values = tuple(i for i in node.inputs if i not in tape.arrays)
    step = Step("", node.name or node.op, values, node.output)
    arrays = [tape.arrays[i] for i in node.inputs if i in tape.arrays]
    x = tape.shapes[node.inputs[0]]
    y = tape.shapes[node.output]
    attrs = node.attrs
    if node.op in ("conv2d", "depthwise_conv2d", "conv2d_transpose"):
        step.kind = "conv_transpose" if node.op == "conv2d_transpose" else "conv"
        step.window = arrays[0].shape[0], arrays[0].shape[1]
        step.strides = _pair(attrs.get("strides", 1))
        step.dilation = _pair(attrs.get("dilation", 1))
        step.groups = x[3] if node.op == "depthwise_conv2d" else attrs.get("groups", 1)
        step.pads = _transpose_pads(node, step) if "transpose" in node.op else _pads(node, step, x)
        step.arrays = [_filters(node.op, arrays[0]), *arrays[1:]]
    elif node.op == "max_pool2d":
        step.kind = "max_pool"
        step.window = _pair(attrs.get("pool_size", 2))
        step.strides = _pair(attrs.get("strides", step.window))
        step.pads = _pads(node, step, x)
    elif node.op == "batch_norm":
        step.kind = "batch_norm"
        channels = np.ones(x[-1], np.float32)
        gamma = arrays.pop(0) if attrs.get("scale", True) else channels
        beta = arrays.pop(0) if attrs.get("center", True) else 0 * channels
        step.arrays = [gamma, beta, *arrays]
        step.number = attrs.get("epsilon", 1e-3)
    elif node.op in ("activation", "unary"):
        step.kind, step.number = _activation(node)
    elif node.op == "reduce_mean" and sorted(attrs["axis"]) == [1, 2] and len(y) == 2:
        step.kind = "average"
    elif node.op == "dense":
        step.kind = "dense"
        step.arrays = [arrays[0].T, *arrays[1:]]
    elif node.op == "reshape" and len(x) == 4 and len(y) == 2:
        step.kind = "flatten"
    elif node.op == "pad":
        step.kind, step.pads = "pad", _border(node)
    elif node.op == "space_to_depth" and attrs.get("mode", "DCR") == "DCR":
        step.kind, step.number = "space_to_depth", attrs.get("block_size", 2)
    elif node.op == "concat" and attrs.get("axis", -1) in (-1, 3):
        step.kind = "concat"
    elif node.op == "add" and not arrays:
        step.kind = "add"
    elif node.op == "mul" and len(arrays) == 1 and arrays[0].size == 1:
        step.kind, step.number = "scale", float(arrays[0].item())
    else:
        raise NotImplementedError(f"{node.op} {node.attrs}")
    return step


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, Sequence) else (value, value)
    return int(first), int(second)


def _pads(node: Node, step: Step, x: Sequence[int]) -> Pads:
    if "pads" in node.attrs:
        top, bottom, left, right = node.attrs["pads"]
        return top, bottom, left, right
    if node.attrs.get("padding", "valid") == "valid":
        return NO_PADS
    result = []
    for n, k, s, d in zip(x[1:3], step.window, step.strides, step.dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        result += [total // 2, total - total // 2]
    return result[0], result[1], result[2], result[3]


def _transpose_pads(node: Node, step: Step) -> Pads:
    """What is cut off the full result, by TensorFlow's rule for "same"."""
    if node.attrs.get("padding", "valid") == "valid":
        return NO_PADS
    result = []
    for k, s in zip(step.window, step.strides, strict=True):
        total = max(k - s, 0)
        result += [total // 2, total - total // 2]
    return result[0], result[1], result[2], result[3]


def _filters(op: str, w: np.ndarray) -> np.ndarray:
    if op == "depthwise_conv2d":  # (h, w, c, multiplier) -> (c * multiplier, 1, h, w)
        return np.ascontiguousarray(w.transpose(2, 3, 0, 1).reshape(-1, 1, *w.shape[:2]))
    # (h, w, in, out) -> (out, in, h, w); of a transposed one (h, w, out, in) -> (in, out, h, w)
    return np.ascontiguousarray(w.transpose(3, 2, 0, 1))


def _activation(node: Node) -> tuple[str, float]:
    kind = node.attrs.get("activation") or node.attrs.get("kind") or "linear"
    if node.op == "unary" and kind == "clip" and node.attrs.get("max") == 6.0:
        return "relu6", 0.0
    if kind not in ("linear", "relu", "relu6", "leaky_relu"):
        raise NotImplementedError(f"activation {kind}")
    return kind, float(node.attrs.get("alpha", 0.2))


def _fused_activation(node: Node) -> tuple[str, float]:
    return ("linear", 0.0) if node.op in ("activation", "unary") else _activation(node)


def _border(node: Node) -> Pads:
    flat = [int(p) for p in np.ravel(node.attrs["pads"])]
    if len(flat) != 8 or flat[0] or flat[1] or flat[6] or flat[7] or node.attrs.get("value"):
        raise NotImplementedError(f"pad {node.attrs}")
    return flat[2], flat[3], flat[4], flat[5]


def _foldable_borders(tape: Tape) -> dict[int, tuple[int, Pads]]:
    """Borders that every user can take on as padding of its own: {value: (source, pads)}.

    A max pool can where what it reads is never negative: its own padding is minus infinity.
    """
    users: dict[int, list[Node]] = {}
    for node in tape.nodes:
        for value in node.inputs:
            users.setdefault(value, []).append(node)
    makers = {node.output: node for node in tape.nodes}
    found = {}
    for node in tape.nodes:
        if node.op != "pad":
            continue
        maker = makers.get(node.inputs[0])
        rectified = maker is not None and _activation(maker)[0] in ("relu", "relu6")
        takers = ["conv2d", "depthwise_conv2d", *["max_pool2d"] * rectified]
        if all(user.op in takers for user in users[node.output]):
            found[node.output] = (node.inputs[0], _border(node))
    return found
