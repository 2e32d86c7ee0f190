"""Small graphs of the less usual operators: detectors, codes of 8 bits, volumes, unpooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.io.onnx_writer import graph_model, node


def _weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def detector() -> Any:
    """Boxes and scores of a small network, NonMaxSuppression, and what it selects."""
    return graph_model(
        [
            node("Conv", "x w", "c", strides=[2, 2]),
            node("Reshape", "c shape", "rows"),
            node("Transpose", "rows", "cells", perm=[0, 2, 1]),
            node("Split", "cells sizes", "corner extent logits", axis=2),
            node("Softplus", "extent", "grown"),
            node("Add", "corner grown", "far"),
            node("Concat", "corner far", "boxes", axis=2),
            node("Sigmoid", "logits", "likely"),
            node("Transpose", "likely", "scores", perm=[0, 2, 1]),
            node("NonMaxSuppression", "boxes scores most overlap least", "selected"),
            node("Gather", "selected two", "index", axis=1),
            node("Squeeze", "boxes zero", "flat"),
            node("Gather", "flat index", "kept", axis=0),
        ],
        {"x": [1, 3, 12, 12]},
        ["kept", "selected", "scores"],
        constants={
            "w": _weights(6, 3, 2, 2), "shape": [1, 6, -1], "sizes": [2, 2, 2],
            "most": [5], "overlap": np.array([0.4], np.float32),
            "least": np.array([0.3], np.float32), "two": 2, "zero": [0],
        },
    )  # fmt: skip


def unpooling() -> Any:
    """Pooling and its way back, as SegNet has them."""
    return graph_model(
        [
            node("MaxPool", "x", "p places", kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", "p w", "c", pads=[1, 1, 1, 1]),
            node("MaxUnpool", "c places", "y", kernel_shape=[2, 2], strides=[2, 2]),
        ],
        {"x": ["n", 4, 8, 6]},
        constants={"w": _weights(4, 4, 3, 3)},
    )


def quantized() -> Any:
    """Codes in front of a convolution of coded weights, and behind it."""
    rng = np.random.default_rng(0)
    return graph_model(
        [
            node("QuantizeLinear", "x xs xz", "q"),
            node("DequantizeLinear", "q xs xz", "d"),
            node("DequantizeLinear", "w ws wz", "kernel", axis=0),
            node("Conv", "d kernel bias", "c", pads=[1, 1, 1, 1]),
            node("Relu", "c", "r"),
            node("QuantizeLinear", "r ys yz", "code"),
            node("DequantizeLinear", "code ys yz", "y"),
        ],
        {"x": ["n", 3, 8, 8]},
        constants={
            "xs": np.float32(0.03), "xz": np.uint8(120), "ys": np.float32(0.05), "yz": np.uint8(0),
            "w": rng.integers(-127, 128, (5, 3, 3, 3)).astype(np.int8),
            "ws": rng.uniform(0.005, 0.02, 5).astype(np.float32), "wz": np.zeros(5, np.int8),
            "bias": _weights(5),
        },
        opset=21,
    )  # fmt: skip


def integer_network() -> Any:
    """QLinearConv twice, with codes in between."""
    rng = np.random.default_rng(1)

    def kernel(*shape: int) -> np.ndarray:
        return rng.integers(-50, 50, shape).astype(np.int8)

    return graph_model(
        [
            node("QuantizeLinear", "x s z", "q"),
            node("QLinearConv", "q s z w1 ws1 wz s1 z1 b", "h", pads=[1, 1, 1, 1]),
            node("QLinearConv", "h s1 z1 w2 ws2 wz s2 z2", "o", strides=[2, 2]),
            node("DequantizeLinear", "o s2 z2", "y"),
        ],
        {"x": ["n", 3, 8, 8]},
        constants={
            "s": np.float32(0.02), "z": np.uint8(128), "w1": kernel(4, 3, 3, 3),
            "ws1": np.array([0.01, 0.02, 0.015, 0.01], np.float32), "wz": np.int8(0),
            "s1": np.float32(0.05), "z1": np.uint8(100),
            "b": rng.integers(-500, 500, 4).astype(np.int32), "w2": kernel(2, 4, 2, 2),
            "ws2": np.float32(0.02), "s2": np.float32(0.1), "z2": np.uint8(130),
        },
        opset=21,
    )  # fmt: skip


def volumes() -> Any:
    """Convolutions and pools in three dimensions."""
    return graph_model(
        [
            node("Conv", "x w b", "c", pads=[1, 0, 1, 0, 1, 1], strides=[2, 1, 1], group=2),
            node("MaxPool", "c", "p", kernel_shape=[2, 2, 3], strides=[1, 2, 1], pads=[0] * 6),
            node("ConvTranspose", "p wt", "t", strides=[2, 1, 2], pads=[1, 0, 0, 0, 1, 1],
                 dilations=[1, 2, 1], output_padding=[1, 0, 1]),
            node("AveragePool", "t", "y", kernel_shape=[2, 3, 2], pads=[1, 0, 1, 0, 1, 0],
                 count_include_pad=0),
        ],
        {"x": [2, 4, 6, 5, 7]},
        constants={"w": _weights(6, 2, 3, 2, 3), "b": _weights(6), "wt": _weights(6, 3, 2, 2, 2)},
    )  # fmt: skip


def picking() -> Any:
    """Indices that the data decide: the best channel's pixels, of pixels the best rows."""
    return graph_model(
        [
            node("GlobalAveragePool", "x", "g"),
            node("Flatten", "g", "f"),
            node("TopK", "f k", "values best", axis=1),
            node("Unsqueeze", "best last", "wide"),
            node("Expand", "wide shape", "places"),
            node("Reshape", "x rows", "r"),
            node("GatherElements", "r places", "chosen", axis=1),
            node("Mod", "best seven", "left"),
            node("Equal", "left zero", "whole"),
            node("Cast", "whole", "flag", to=1),
            node("Unsqueeze", "flag last", "column"),
            node("Mul", "chosen column", "y"),
        ],
        {"x": [2, 9, 4, 5]},
        constants={
            "k": [3], "last": [2], "shape": [2, 3, 20], "rows": [2, 9, 20], "seven": 2, "zero": 0,
        },
    )  # fmt: skip


def filters() -> Any:
    """Resizing that needs filters, roundings and regions; wrapped borders; other norms."""
    return graph_model(
        [
            node("Pad", "x pads", "p", mode="wrap"),
            node("Resize", "p - s", "a", mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1),
            node("Resize", "a - - size", "b", mode="linear", antialias=1),
            node("Resize", "b - t", "c", mode="nearest", nearest_mode="ceil"),
            node("Resize", "c roi - crop", "d", mode="linear", extrapolation_value=2.0,
                 coordinate_transformation_mode="tf_crop_and_resize"),
            node("LpPool", "d", "y", kernel_shape=[2, 3], strides=[2, 1], pads=[0, 1, 1, 1], p=3),
        ],
        {"x": [2, 3, 9, 8]},
        constants={
            "pads": [0, 0, 1, 2, 0, 0, 3, 0], "s": np.array([1, 1, 1.7, 0.8], np.float32),
            "size": [2, 3, 11, 4], "t": np.array([1, 1, 1.5, 2.5], np.float32),
            "roi": np.array([0, 0, -0.1, 0.2, 1, 1, 0.8, 0.9], np.float32), "crop": [2, 3, 9, 7],
        },
        opset=19,
    )  # fmt: skip


def operator_models() -> list[Any]:
    """All of them."""
    return [
        detector(), unpooling(), quantized(), integer_network(), volumes(), picking(), filters(),
    ]  # fmt: skip
