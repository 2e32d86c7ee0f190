"""What computes each number by itself: activations, arithmetic, comparisons."""

from __future__ import annotations

import math
from typing import Any

from fastcnn.io.onnx_export.builder import DTYPES, FIRST, Builder
from fastcnn.io.onnx_export.recording import Step


def activate(g: Builder, step: Step, y: str) -> str:
    """Apply the activation that a step has as an attribute."""
    kind = step.get("activation", "linear")
    alpha = step.get("alpha")
    if kind == "linear":
        return y
    if kind in _PLAIN:
        return str(g.node(_PLAIN[kind], [y]))
    if kind == "relu6":
        return str(g.node("Clip", [y, g.number(0), g.number(6)]))
    if kind == "leaky_relu":
        return str(g.node("LeakyRelu", [y], alpha=0.2 if alpha is None else float(alpha)))
    if kind == "elu":
        return str(g.node("Elu", [y], alpha=1.0 if alpha is None else float(alpha)))
    if kind == "silu":
        return str(g.node("Mul", [y, g.node("Sigmoid", [y])]))
    if kind in ("hard_sigmoid", "hard_swish"):
        share = g.node("HardSigmoid", [y], alpha=1 / 6, beta=0.5)
        return share if kind == "hard_sigmoid" else str(g.node("Mul", [y, share]))
    raise step.decline(f"the activation {kind!r} has no counterpart there")


_PLAIN = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}


def activation(g: Builder, step: Step) -> None:
    layout = g.layout(*step.inputs)
    g.put(step.output, activate(g, step, g.name(step.inputs[0], layout)), layout)


def unary(g: Builder, step: Step) -> None:
    layout = g.layout(*step.inputs)
    x, kind = g.name(step.inputs[0], layout), step.get("kind")
    if kind in _UNARY:
        y = g.node(_UNARY[kind], [x])
    elif kind == "square":
        y = g.node("Mul", [x, x])
    elif kind == "rsqrt":
        y = g.node("Reciprocal", [g.node("Sqrt", [x])])
    elif kind == "clip":
        bounds = [step.get("min"), step.get("max")]
        y = g.node("Clip", [x, *("" if b is None else g.number(b) for b in bounds)])
    elif kind == "mish":
        y = g.node("Mul", [x, g.node("Tanh", [g.node("Softplus", [x])])])
    elif kind == "gelu":
        inner = g.node("Erf", [g.node("Mul", [x, g.number(math.sqrt(0.5))])])
        y = _half_of_one_more(g, x, inner)
    elif kind == "gelu_tanh":
        cube = g.node("Mul", [g.node("Mul", [x, x]), x])
        inner = g.node("Add", [x, g.node("Mul", [cube, g.number(0.044715)])])
        inner = g.node("Tanh", [g.node("Mul", [inner, g.number(math.sqrt(2 / math.pi))])])
        y = _half_of_one_more(g, x, inner)
    elif kind == "thresholded_relu":
        threshold = g.number(step.get("threshold", 0.0))
        below = g.node("Mul", [g.node("Sub", [x, threshold]), g.number(step.get("slope", 0.0))])
        y = g.node("Where", [g.node("GreaterOrEqual", [x, threshold]), x, below])
    else:
        raise step.decline(f"the function {kind!r} has no counterpart there")
    g.put(step.output, y, layout)


def _half_of_one_more(g: Builder, x: str, y: str) -> Any:
    """Give ``0.5 x (1 + y)``."""
    return g.node("Mul", [g.node("Mul", [x, g.number(0.5)]), g.node("Add", [y, g.number(1)])])


_UNARY = {
    "abs": "Abs",
    "arccos": "Acos",
    "arccosh": "Acosh",
    "arcsin": "Asin",
    "arcsinh": "Asinh",
    "arctan": "Atan",
    "arctanh": "Atanh",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "erf": "Erf",
    "exp": "Exp",
    "floor": "Floor",
    "log": "Log",
    "negative": "Neg",
    "reciprocal": "Reciprocal",
    "round": "Round",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "softplus": "Softplus",
    "sqrt": "Sqrt",
    "tan": "Tan",
}


def _broadcast(g: Builder, step: Step) -> tuple[list[str], str]:
    """Give the names of operands that are broadcast together, and the layout of the result."""
    layout, rank = g.layout(*step.inputs), step.output.rank
    return [g.operand(x, rank, layout) for x in step.inputs], layout


def binary(g: Builder, step: Step) -> None:
    operands, layout = _broadcast(g, step)
    g.put(step.output, g.node(_BINARY[step.op], operands), layout)


_BINARY = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "pow": "Pow",
    "prelu": "PRelu",
}


def remainder(g: Builder, step: Step) -> None:
    (x, y), layout = _broadcast(g, step)
    if step.op == "fmod":
        g.put(step.output, g.node("Mod", [x, y], fmod=1), layout)
        return
    whole = g.node("Floor", [g.node("Div", [x, y])])  # there only integers have this remainder
    g.put(step.output, g.node("Sub", [x, g.node("Mul", [whole, y])]), layout)


def comparison(g: Builder, step: Step) -> None:
    operands, layout = _broadcast(g, step)
    if step.op == "not_equal":
        y = g.node("Not", [g.node("Equal", operands)])
    else:
        y = g.node(_COMPARISONS[step.op], operands)
    g.put(step.output, g.node("Cast", [y], to=DTYPES["float32"]), layout)


_COMPARISONS = {
    "equal": "Equal",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "less_equal": "LessOrEqual",
}


def where(g: Builder, step: Step) -> None:
    (condition, *choices), layout = _broadcast(g, step)
    if step.inputs[0].dtype != "bool":
        condition = g.node("Cast", [condition], to=DTYPES["bool"])
    g.put(step.output, g.node("Where", [condition, *choices]), layout)


def cast(g: Builder, step: Step) -> None:
    layout = g.layout(*step.inputs)
    y = g.node("Cast", [g.name(step.inputs[0], layout)], to=DTYPES[step.get("dtype")])
    g.put(step.output, y, layout)


def batch_norm(g: Builder, step: Step) -> None:
    x, *vectors = step.inputs
    channels = int(x.shape[-1] or 0)
    scale = g.name(vectors.pop(0)) if step.get("scale", True) else _all(g, 1.0, channels)
    offset = g.name(vectors.pop(0)) if step.get("center", True) else _all(g, 0.0, channels)
    mean, variance = (g.name(v) for v in vectors[:2])
    epsilon = float(step.get("epsilon", 1e-3))
    statistics = [scale, offset, mean, variance]
    if x.rank in (2, 4):
        y = g.node("BatchNormalization", [g.name(x, FIRST), *statistics], epsilon=epsilon)
        y = activate(g, step, y)
        g.put(step.output, y, FIRST)
        return
    deviation = g.node("Sqrt", [g.node("Add", [variance, g.number(epsilon)])])
    y = g.node("Div", [g.node("Sub", [g.name(x), mean]), deviation])
    y = g.node("Add", [g.node("Mul", [y, scale]), offset])
    g.put(step.output, activate(g, step, y))


def _all(g: Builder, value: float, size: int) -> str:
    return g.constant([value] * size, "ones" if value else "zeros", "float32")
