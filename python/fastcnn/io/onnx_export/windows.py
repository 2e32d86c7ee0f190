"""Convolutions, pooling, resizing: what looks at the neighbourhood of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.io.onnx_export.builder import FIRST, Builder
from fastcnn.io.onnx_export.elementwise import activate
from fastcnn.io.onnx_export.recording import Step, Tensor

_HWIO_TO_OIHW = (3, 2, 0, 1)


def _pads(
    step: Step, size: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int]
) -> dict[str, Any]:
    """Give the attribute for padding: numbers, or the word where these depend on the data."""
    given = step.get("pads")
    if given is not None:
        top, bottom, left, right = given
        return {"pads": [top, left, bottom, right]}
    if step.get("padding", "valid") == "valid":
        return {"pads": [0, 0, 0, 0]}
    sizes = step.inputs[0].shape[1:3]
    befores, afters = [], []
    for n, k, s, d in zip(sizes, size, strides, dilation, strict=True):
        reach = (k - 1) * d + 1
        if n is None and s != 1:
            return {"auto_pad": "SAME_UPPER"}
        missing = max(0, reach - s if n is None or n % s == 0 else reach - n % s)
        befores.append(missing // 2)
        afters.append(missing - missing // 2)
    return {"pads": befores + afters}


def _finish(g: Builder, step: Step, y: str, operands: list[Tensor]) -> None:
    """Add residual and activation to a product in (n, c, h, w)."""
    if step.get("has_residual", False):
        y = g.node("Add", [y, g.name(operands[0], FIRST)])
    g.put(step.output, activate(g, step, y), FIRST)


def conv2d(g: Builder, step: Step) -> None:
    x, w, *rest = step.inputs
    height, width = (int(n or 0) for n in w.shape[:2])
    strides, dilation = step.pair("strides"), step.pair("dilation")
    operands = [g.name(x, FIRST), g.permuted(w, _HWIO_TO_OIHW)]
    if step.get("has_bias", len(rest) > 0 and rest[0].rank == 1):
        operands.append(g.name(rest.pop(0)))
    y = g.node(
        "Conv",
        operands,
        kernel_shape=[height, width],
        strides=strides,
        dilations=dilation,
        group=step.get("groups", 1),
        **_pads(step, (height, width), strides, dilation),
    )
    _finish(g, step, y, rest)


def depthwise_conv2d(g: Builder, step: Step) -> None:
    x, w, *rest = step.inputs
    height, width, channels, multiplier = (int(n or 0) for n in w.shape)
    strides, dilation = step.pair("strides"), step.pair("dilation")
    kernel = g.permuted(w, (2, 3, 0, 1), (channels * multiplier, 1, height, width))
    operands = [g.name(x, FIRST), kernel]
    if rest and rest[0].rank == 1:
        operands.append(g.name(rest.pop(0)))
    y = g.node(
        "Conv",
        operands,
        kernel_shape=[height, width],
        strides=strides,
        dilations=dilation,
        group=channels,
        **_pads(step, (height, width), strides, dilation),
    )
    _finish(g, step, y, rest)


def conv2d_transpose(g: Builder, step: Step) -> None:
    x, w, *rest = step.inputs
    height, width = (int(n or 0) for n in w.shape[:2])
    strides, dilation = step.pair("strides"), step.pair("dilation")
    extra = step.get("output_padding")
    extras = (None, None) if extra is None else step.pair("output_padding")
    margins = [
        _transpose_margins(step, axis, (k - 1) * d + 1, s, e)
        for axis, k, d, s, e in zip((0, 1), (height, width), dilation, strides, extras, strict=True)
    ]
    operands = [g.name(x, FIRST), g.permuted(w, _HWIO_TO_OIHW)]
    if step.get("has_bias", len(rest) > 0 and rest[0].rank == 1):
        operands.append(g.name(rest.pop(0)))
    y = g.node(
        "ConvTranspose",
        operands,
        kernel_shape=[height, width],
        strides=strides,
        dilations=dilation,
        group=step.get("groups", 1),
        pads=[before for before, _, _ in margins] + [after for _, after, _ in margins],
        output_padding=[more for _, _, more in margins],
    )
    _finish(g, step, y, rest)


def _transpose_margins(
    step: Step, axis: int, reach: int, stride: int, extra: int | None
) -> tuple[int, int, int]:
    """Give what ONNX cuts off before and after, and what it adds after, along one axis."""
    pads = step.get("pads")
    if pads is not None:
        return pads[2 * axis], pads[2 * axis + 1], extra or 0
    if step.get("padding", "valid") == "valid":
        return 0, 0, max(0, stride - reach) if extra is None else extra
    surplus = reach - stride if extra is None else reach - reach % 2 - extra
    before = max(0, surplus) // 2
    return before, max(0, surplus) - before, max(0, -surplus)


def dense(g: Builder, step: Step) -> None:
    x, w, *rest = step.inputs
    bias = rest.pop(0) if step.get("has_bias", len(rest) > 0 and rest[0].rank == 1) else None
    residual = rest[0] if rest else None
    layout = g.layout(x)
    if layout == FIRST:  # a convolution with windows of one pixel
        size, units = (int(n or 0) for n in w.shape)
        operands = [g.name(x, FIRST), g.permuted(w, (1, 0), (units, size, 1, 1))]
        y = g.node("Conv", operands + ([g.name(bias)] if bias else []), kernel_shape=[1, 1])
    elif x.rank == 2:
        y = g.node("Gemm", [g.name(x), g.name(w)] + ([g.name(bias)] if bias else []))
    else:
        y = g.node("MatMul", [g.name(x), g.name(w)])
        if bias is not None:
            y = g.node("Add", [y, g.name(bias)])
    if residual is not None:
        y = g.node("Add", [y, g.name(residual, layout)])
    g.put(step.output, activate(g, step, y), layout)


def max_pool2d(g: Builder, step: Step) -> None:
    g.put(step.output, _max_pool(g, step, outputs=1), FIRST)


def _max_pool(g: Builder, step: Step, outputs: int) -> Any:
    size, strides, dilation = _pool_window(step)
    return g.node(
        "MaxPool",
        [g.name(step.inputs[0], FIRST)],
        outputs=outputs,
        kernel_shape=size,
        strides=strides,
        dilations=dilation,
        ceil_mode=int(step.get("ceil_mode", False)),
        **_pads(step, size, strides, dilation),
    )


def max_pool2d_indices(g: Builder, step: Step) -> None:
    """Take the second result, which counts through all pictures and channels."""
    height, width = step.inputs[0].shape[1:3]
    if height is None or width is None:
        raise step.decline("the indices depend on the sizes of the data")
    _, places = _max_pool(g, step, outputs=2)
    pixels = g.constant(height * width, "number", np.int64)
    g.put(step.output, g.node("Mod", [places, pixels]), FIRST)


def max_unpool2d(g: Builder, step: Step) -> None:
    """Scatter the pixels of each channel; ONNX's own operator counts through all of them."""
    x, indices = (g.name(x, FIRST) for x in step.inputs)
    height, width = step.pair("output_size")
    rows = [g.node("Reshape", [v, g.ints([0, 0, -1])]) for v in (x, indices)]
    kept = g.node("Slice", [g.node("Shape", [x]), g.ints([0]), g.ints([2])])
    zeros = g.node(
        "Expand",
        [g.number(0), g.node("Concat", [kept, g.ints([height * width])], axis=0)],
    )
    y = g.node("ScatterElements", [zeros, rows[1], rows[0]], axis=2)
    y = g.node("Reshape", [y, g.node("Concat", [kept, g.ints([height, width])], axis=0)])
    g.put(step.output, y, FIRST)


def avg_pool2d(g: Builder, step: Step) -> None:
    size, strides, dilation = _pool_window(step)
    if dilation != (1, 1) and g.opset < 19:
        raise step.decline("dilation needs opset 19 or later")
    y = g.node(
        "AveragePool",
        [g.name(step.inputs[0], FIRST)],
        kernel_shape=size,
        strides=strides,
        dilations=None if dilation == (1, 1) else dilation,
        ceil_mode=int(step.get("ceil_mode", False)),
        count_include_pad=int(step.get("count_include_pad", False)),
        **_pads(step, size, strides, dilation),
    )
    g.put(step.output, y, FIRST)


def _pool_window(step: Step) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    size = step.pair("pool_size", 2)
    return size, step.pair("strides", size), step.pair("dilation")


def adaptive_avg_pool2d(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    height, width = step.pair("output_size")
    if (height, width) == (1, 1):
        g.put(step.output, g.node("GlobalAveragePool", [g.name(x, FIRST)]), FIRST)
        return
    h, w = x.shape[1:3]
    if h is None or w is None:
        raise step.decline("the size of its windows depends on the data's; give known sizes")
    if h % height == 0 and w % width == 0:
        size = [h // height, w // width]
        y = g.node("AveragePool", [g.name(x, FIRST)], kernel_shape=size, strides=size)
    else:  # windows of several sizes: products with matrices of shares
        columns = g.constant(_shares(w, width).T, "shares")
        y = g.node("MatMul", [g.name(x, FIRST), columns])
        y = g.node("MatMul", [g.constant(_shares(h, height), "shares"), y])
    g.put(step.output, y, FIRST)


def _shares(size: int, out: int) -> Any:
    """Give the matrix (out, size) that averages the pixels of each window along an axis."""
    matrix = np.zeros((out, size), np.float32)
    for i in range(out):
        first, last = i * size // out, -(-(i + 1) * size // out)
        matrix[i, first:last] = 1 / (last - first)
    return matrix


_NEAREST = {"half_pixel": "round_prefer_ceil", "align_corners": "round_prefer_ceil"}


def resize(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    coordinate = step.get("coordinate", "half_pixel")
    bilinear = step.get("interpolation", "bilinear") == "bilinear"
    picture = g.name(x, FIRST)

    def pair(attributes: Any) -> tuple[int, int]:
        value = attributes["size"]
        return tuple(value) if isinstance(value, (list, tuple)) else (value, value)

    scales: list[str] = []
    sizes = step.each(lambda attributes, _: pair(attributes))
    if any(size != sizes[0] for size in sizes):
        factors = step.same(
            lambda attributes, shape: [
                n / m for n, m in zip(pair(attributes), shape[1:3], strict=True)
            ],
            "its factor",
        )
        scales = [g.constant([1, 1, *factors], "scales", np.float32)]
    else:
        kept = g.node("Slice", [g.node("Shape", [picture]), g.ints([0]), g.ints([2])])
        wanted = g.node("Concat", [kept, g.ints(sizes[0])], axis=0)
        scales = ["", wanted]
    y = g.node(
        "Resize",
        [picture, "", *scales],
        coordinate_transformation_mode=coordinate,
        mode="linear" if bilinear else "nearest",
        nearest_mode=None if bilinear else _NEAREST.get(coordinate, "floor"),
    )
    g.put(step.output, y, FIRST)


def depth_to_space(g: Builder, step: Step) -> None:
    y = g.node(
        "DepthToSpace",
        [g.name(step.inputs[0], FIRST)],
        blocksize=step.get("block_size", 2),
        mode=step.get("mode", "DCR"),
    )
    g.put(step.output, y, FIRST)


def space_to_depth(g: Builder, step: Step) -> None:
    x, block = step.inputs[0], step.get("block_size", 2)
    y = g.node("SpaceToDepth", [g.name(x, FIRST)], blocksize=block)
    if step.get("mode", "DCR") == "CRD":
        channels = int(x.shape[3] or 0)
        order = np.arange(channels * block**2).reshape(block**2, channels).T.ravel()
        y = g.node("Gather", [y, g.ints(order, "order")], axis=1)
    g.put(step.output, y, FIRST)


def lrn(g: Builder, step: Step) -> None:
    x = step.inputs[0]
    if x.rank != 4:
        raise step.decline(f"expected pictures of four axes, got shape {x.shape}")
    y = g.node(
        "LRN",
        [g.name(x, FIRST)],
        size=step.get("size", 5),
        alpha=float(step.get("alpha", 1e-4)),
        beta=float(step.get("beta", 0.75)),
        bias=float(step.get("bias", 1.0)),
    )
    g.put(step.output, y, FIRST)
