"""Pooling over windows and over whole pictures."""

from __future__ import annotations

from typing import Any

from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.operators import volumes
from fastcnn.io.onnx.operators._windows import as_pictures, from_pictures, window
from fastcnn.io.onnx.operators.logic import EXACT
from fastcnn.io.onnx.values import Value
from fastcnn.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)


def max_pool(node: Node) -> Any:
    """Translate MaxPool."""
    x = node.input()
    if any(node.outputs[1:]):
        return volumes.max_pool_indices(node)
    if x.dtype in EXACT:
        node.inputs[0] = x.like(node.op("cast", x.tensor, "float32"))
        y = max_pool(node)
        return y.like(node.op("cast", y.tensor, x.dtype))
    if x.rank > 4:
        return volumes.max_pool_nd(node)
    win = window(node, x, node.ints("kernel_shape"))
    ceil_mode = bool(node.attribute("ceil_mode", 0))
    pictures = as_pictures(node, x)
    if win.dilation == (1, 1) and not ceil_mode:
        y = node.layer(
            MaxPooling2D, pictures, pool_size=win.size, strides=win.strides, padding=win.padding
        )
    else:
        y = node.op(
            "max_pool2d", pictures, win.size, win.strides, win.padding,
            dilation=win.dilation, ceil_mode=ceil_mode,
        )  # fmt: skip
    return from_pictures(node, y, x.rank)


def average_pool(node: Node) -> Value:
    """Translate AveragePool."""
    x = node.input()
    if x.rank > 4 or set(node.attributes.get("dilations", [1])) != {1}:
        return volumes.average_pool_nd(node)
    win = window(node, x, node.ints("kernel_shape"))
    ceil_mode = bool(node.attribute("ceil_mode", 0))
    counted = bool(node.attribute("count_include_pad", 0))
    pictures = as_pictures(node, x)
    padded = win.padding not in ("valid", ((0, 0), (0, 0)))
    if not ceil_mode and not (counted and padded):
        y = node.layer(
            AveragePooling2D, pictures, pool_size=win.size, strides=win.strides,
            padding=win.padding,
        )  # fmt: skip
    else:
        y = node.op(
            "avg_pool2d", pictures, win.size, win.strides, win.padding,
            ceil_mode=ceil_mode, count_include_pad=counted,
        )  # fmt: skip
    return from_pictures(node, y, x.rank)


def global_average_pool(node: Node) -> Value:
    """Translate GlobalAveragePool."""
    return _global(node, GlobalAveragePooling2D, "mean")


def global_max_pool(node: Node) -> Value:
    """Translate GlobalMaxPool."""
    return _global(node, GlobalMaxPooling2D, "max")


def _global(node: Node, layer: Any, function: str) -> Value:
    x = node.input()
    if x.rank == 4:
        return node.pictures(node.layer(layer, x.channels_last(), keepdims=True))
    axes = tuple(range(1, x.rank - 1))
    return node.pictures(node.op(function, x.channels_last(), axis=axes, keepdims=True))
