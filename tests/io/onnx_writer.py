"""Writes small ONNX files by hand: what exporters do not, and what nobody should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence["int | str | None"]


def node(op_type: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """A node; names are separated by spaces, and "-" is an absent input."""
    names = [[("" if n == "-" else n) for n in text.split()] for text in (inputs, outputs)]
    return helper.make_node(op_type, *names, name=f"the_{op_type}", **attributes)


def graph_model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Shape],
    outputs: Sequence[str] = ("y",),
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
) -> Any:
    """A ModelProto; constants of Python numbers are float32 or int64."""
    initializers = []
    for name, value in (constants or {}).items():
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        initializers.append(numpy_helper.from_array(array, name))
    names: Counter[str] = Counter()
    for one in nodes:
        names[one.name] += 1
        one.name += f"_{names[one.name]}" if names[one.name] > 1 else ""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


def write(path: Path, model: Any) -> Path:
    """Write a model."""
    path.write_bytes(model.SerializeToString())
    return path


def small_models() -> list[Any]:
    """Models of a few kilobytes that between them use much of the reader."""
    rng = np.random.default_rng(0)

    one = numpy_helper.from_array(np.ones(1, np.float32))

    def weights(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    classifier = graph_model(
        [
            node("Conv", "x w b", "c", pads=[1, 1, 1, 1], strides=[2, 2]),
            node("BatchNormalization", "c g b m v", "n", epsilon=1e-3),
            node("Sigmoid", "n", "s"),
            node("Mul", "n s", "r"),
            node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
            node("Shape", "p", "shape"),
            node("Gather", "shape zero", "n0"),
            node("Unsqueeze", "n0 axis", "n1"),
            node("Concat", "n1 minus", "target", axis=0),
            node("Reshape", "p target", "f"),
            node("Gemm", "f fc bias", "l", transB=1),
            node("Softmax", "l", "y", axis=-1),
        ],
        {"x": ["n", 3, 8, 8]},
        constants={
            "w": weights(4, 3, 3, 3), "b": weights(4), "g": weights(4), "m": weights(4),
            "v": np.abs(weights(4)), "zero": 0, "axis": [0], "minus": [-1], "fc": weights(5, 16),
            "bias": weights(5),
        },
    )  # fmt: skip
    pictures = graph_model(
        [
            node("Pad", "x pads", "p", mode="reflect"),
            node("ConvTranspose", "p w", "t", strides=[2, 2], output_padding=[1, 1], group=2),
            node("PRelu", "t slope", "a"),
            node("Split", "a sizes", "left right", axis=1),
            node("Concat", "right left", "c", axis=1),
            node("Reshape", "c groups", "g"),
            node("Transpose", "g", "s", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "s back", "z"),
            node("Resize", "z - scales", "u", mode="nearest", nearest_mode="floor",
                 coordinate_transformation_mode="asymmetric"),
            node("Slice", "u starts ends axes steps", "o"),
            node("ReduceMean", "o", "k", axes=[2, 3]),
            node("Sub", "o k", "y"),
        ],
        {"x": [1, 4, 6, 6]},
        constants={
            "pads": [0, 0, 1, 1, 0, 0, 1, 1], "w": weights(4, 3, 2, 2), "slope": weights(6, 1, 1),
            "sizes": [2, 4], "groups": [0, 2, 3, 17, 17], "back": [0, 6, 17, 17],
            "scales": np.array([1, 1, 2, 2], np.float32), "starts": [1], "ends": [-1],
            "axes": [3], "steps": [2],
        },
    )  # fmt: skip
    shapes = graph_model(
        [
            node("Shape", "x", "shape"),
            node("ConstantOfShape", "three", "ones", value=one),
            node("Range", "zero four one", "range"),
            node("Cast", "range", "floats", to=1),
            node("Tile", "floats two", "tiled"),
            node("Expand", "tiled wide", "grid"),
            node("Slice", "shape zeros minus", "head"),
            node("ReduceProd", "head", "count", keepdims=1),
            node("Concat", "count minus", "target", axis=0),
            node("Reshape", "x target", "flat"),
            node("MatMul", "flat grid", "m"),
            node("Where", "mask m half", "w"),
            node("Pow", "w half", "p"),
            node("Add", "p ones", "y"),
        ],
        {"x": ["n", 2]},
        constants={
            "three": [8], "zero": 0, "four": 4, "one": 1, "two": [2], "wide": [2, 8],
            "zeros": [0], "minus": [-1], "mask": np.arange(8) > 3, "half": 0.5,
        },
    )  # fmt: skip
    return [classifier, pictures, shapes]
