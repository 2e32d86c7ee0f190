"""Conv and ConvTranspose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.operators import volumes
from fastcnn.io.onnx.operators._windows import as_pictures, from_pictures, pads, two, window
from fastcnn.io.onnx.values import Value
from fastcnn.layers.convolutional import Conv2D, Conv2DTranspose, DepthwiseConv2D
from fastcnn.sizes import Size


def conv(node: Node) -> Value:
    """Translate Conv: a Conv2D or DepthwiseConv2D where the weights are constant."""
    x, w = node.input(0), node.input(1)
    if x.rank > 4:
        return volumes.conv_3d(node)
    channels, filters = _known(node, x.shape[1]), _known(node, w.shape[0])
    if w.rank != x.rank:
        raise FileFormatError(f"expected weights of {x.rank} axes, got {w.shape}")
    kernel_shape = [_known(node, n) for n in w.shape[2:]]
    if node.attributes.get("kernel_shape", kernel_shape) != kernel_shape:
        raise FileFormatError(f"kernel_shape does not fit weights {w.shape}")
    win = window(node, x, kernel_shape)
    groups = node.attribute("group", 1)
    if groups < 1 or filters % groups or channels != groups * _known(node, w.shape[1]):
        raise FileFormatError(f"weights {w.shape} in {groups} groups do not fit {x.shape}")
    pictures = as_pictures(node, x)
    bias = node.input(2) if node.has(2) else None
    if not w.is_constant or (bias is not None and not bias.is_constant):
        kernel = as_kernel(w.plain() if w.is_constant else w)
        y = node.op(
            "conv2d", pictures, kernel, None if bias is None else bias.plain(),
            strides=win.strides, padding=win.padding, dilation=win.dilation, groups=groups,
        )  # fmt: skip
        return from_pictures(node, y, x.rank)
    options: dict[str, Any] = {
        "kernel_size": win.size,
        "strides": win.strides,
        "padding": win.padding,
        "dilation_rate": win.dilation,
        "use_bias": bias is not None,
    }
    kernel = as_kernel(w.plain())
    weights = {"kernel": kernel}
    if bias is not None:
        weights["bias"] = bias.plain()
    if groups == channels > 1:
        multiplier = filters // groups
        weights["kernel"] = kernel.reshape(*win.size, channels, multiplier)
        y = node.weighted(
            DepthwiseConv2D, pictures, weights, depth_multiplier=multiplier, **options
        )
    else:
        y = node.weighted(Conv2D, pictures, weights, filters=filters, groups=groups, **options)
    return from_pictures(node, y, x.rank)


def as_kernel(w: Any) -> Any:
    """(m, c, kh, kw) as (kh, kw, c, m); of one dimension, a row of windows."""
    if isinstance(w, Value):
        order = (*range(2, w.rank), 1, 0)
        kernel = w.stored_as(order)
        if w.rank == 3:
            k, c, m = w.home.sizes(kernel)
            kernel = w.home.reshape(kernel, [1, k, c, m])
        return kernel
    array: NDArray[Any] = np.ascontiguousarray(np.transpose(w, (*range(2, w.ndim), 1, 0)))
    return array[None] if w.ndim == 3 else array


def conv_transpose(node: Node) -> Value:
    """Translate ConvTranspose: a Conv2DTranspose where there is one group."""
    x, w = node.input(0), node.input(1)
    if x.rank > 4:
        return volumes.conv_transpose_3d(node)
    channels = _known(node, x.shape[1])
    if w.rank != x.rank or _known(node, w.shape[0]) != channels:
        raise FileFormatError(f"weights {w.shape} do not fit {x.shape}")
    count = x.rank - 2
    groups = node.attribute("group", 1)
    filters = groups * _known(node, w.shape[1])
    if groups < 1 or channels % groups:
        raise FileFormatError(f"{channels} channels in {groups} groups")
    size = two(node, [_known(node, n) for n in w.shape[2:]], 1)
    strides = two(node, node.ints("strides", count, 1), 1)
    dilation = two(node, node.ints("dilations", count, 1), 1)
    extra = two(node, node.ints("output_padding", count, 0), 0)
    extent = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    padding, extra = _transpose_padding(node, x, extent, strides, extra)
    pictures = as_pictures(node, x)
    bias = node.input(2) if node.has(2) else None
    constant = w.is_constant and (bias is None or bias.is_constant)
    if groups == 1 and constant:
        weights = {"kernel": as_kernel(w.plain())}
        if bias is not None:
            weights["bias"] = bias.plain()
        y = node.weighted(
            Conv2DTranspose, pictures, weights, filters=filters, kernel_size=size,
            strides=strides, padding=padding, output_padding=extra, dilation_rate=dilation,
            use_bias=bias is not None,
        )  # fmt: skip
    else:
        kernel = as_kernel(w.plain()) if w.is_constant else as_kernel(w)
        y = node.op(
            "conv2d_transpose", pictures,
            node.weight(w, "kernel", array=kernel) if w.is_constant else kernel,
            None if bias is None else node.weight(bias, "bias") if constant else bias.plain(),
            strides=strides, padding=padding, output_padding=extra, dilation=dilation,
            groups=groups,
        )  # fmt: skip
    return from_pictures(node, y, x.rank)


def _transpose_padding(
    node: Node, x: Value, extent: list[int], strides: tuple[int, int], extra: tuple[int, int]
) -> tuple[Any, tuple[int, int]]:
    """Find what is cut off on each side, and how much is added at the end."""
    count = x.rank - 2
    mode = node.attribute("auto_pad", "NOTSET")
    wanted = node.attributes.get("output_shape")
    if wanted is None and mode in ("NOTSET", "VALID"):
        return (pads(node, count) if mode == "NOTSET" else ((0, 0), (0, 0))), extra
    if wanted is not None:
        output = (1, *node.ints("output_shape"))[-2:]
        sizes = (1, *x.shape[2:])[-2:]
        if len(output) != 2 or any(isinstance(n, Size) for n in sizes):
            raise node.unsupported("output_shape with unknown sizes of the input")
        cut = [
            s * (n - 1) + e + k - o
            for s, n, e, k, o in zip(strides, sizes, extra, extent, output, strict=True)
        ]
    else:
        cut = [k + e - s for k, e, s in zip(extent, extra, strides, strict=True)]
    sides = []
    added = []
    for total, more in zip(cut, extra, strict=True):
        less, total = max(0, -total), max(0, total)
        half = total // 2
        sides.append((half, total - half) if mode == "SAME_UPPER" else (total - half, half))
        added.append(more + less)
    return (sides[0], sides[1]), (added[0], added[1])


def _known(node: Node, size: Any) -> int:
    if isinstance(size, Size):
        raise node.unsupported("a number of channels that the data decide")
    return int(size)
