"""Windows that `fastcnn.ops` has no function for: in three dimensions, and other norms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node, check_elements
from fastcnn.io.onnx.values import Value
from fastcnn.sizes import Size, product


class Axis(NamedTuple):
    """How a window moves along one axis."""

    size: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def extent(self) -> int:
        """The elements from its first to its last, both included."""
        return (self.size - 1) * self.dilation + 1

    def outputs(self, length: int, ceil_mode: bool = False) -> int:
        """Tell how many windows there are."""
        room = length + self.before + self.after - self.extent
        count = room // self.stride + 1
        # One more if elements are left over, unless it would start beyond them.
        starts = count * self.stride < length + self.before
        return count + (ceil_mode and room % self.stride > 0 and starts)


def axes_of(node: Node, x: Value, size: Sequence[int]) -> list[Axis]:
    """Read how a window of this size moves, for any number of dimensions."""
    count = x.rank - 2
    if count < 1 or len(size) != count:
        raise FileFormatError(f"expected a window of {count} sizes, got {list(size)}")
    strides = node.ints("strides", count, 1)
    dilations = node.ints("dilations", count, 1)
    pads = node.ints("pads", 2 * count, 0)
    mode = node.attribute("auto_pad", "NOTSET")
    if min(*size, *strides, *dilations) < 1 or min(pads) < 0:
        raise FileFormatError(f"expected positive sizes, got {size}, {strides}, {dilations}")
    found = []
    for i, length in enumerate(x.shape[2:]):
        axis = Axis(size[i], strides[i], dilations[i], pads[i], pads[i + count])
        if mode.startswith("SAME"):
            if isinstance(length, Size):
                raise node.unsupported(f"auto_pad {mode} of sizes that the data decide")
            wanted = -(-length // axis.stride)
            total = max(0, (wanted - 1) * axis.stride + axis.extent - length)
            less, more = total // 2, total - total // 2
            sides = (less, more) if mode == "SAME_UPPER" else (more, less)
            axis = axis._replace(before=sides[0], after=sides[1])
        elif mode == "VALID":
            axis = axis._replace(before=0, after=0)
        elif mode != "NOTSET":
            raise FileFormatError(f"auto_pad: unknown {mode!r}")
        found.append(axis)
    return found


Pool = Callable[[Any, Sequence[Axis]], Any]


def by_pairs(node: Node, x: Value, axes: Sequence[Axis], pool: Pool) -> Value:
    """Apply a pool that is one per axis: over two axes of pictures at a time.

    `pool` takes a tensor (n, h, w, c) and the windows along h and w.
    """
    tensor = x.channels_last()
    sizes = node.home.sizes(tensor)
    still = Axis(1, 1, 1, 0, 0)
    windows = list(axes)
    while windows:
        # The last axes that are left, and after them what was pooled before, as channels.
        pair = windows[-2:]
        done = len(axes) - len(windows)
        first = 1 + len(windows) - len(pair)
        ahead, rest = sizes[:first], sizes[first + len(pair) : first + len(pair) + done]
        middle = sizes[first : first + len(pair)]
        inner = [*rest, sizes[-1]]
        if len(pair) == 1:
            middle, pair = [*middle, 1], [*pair, still]
        flat = node.home.reshape(tensor, [product(ahead), *middle, product(inner)])
        pooled = pool(flat, pair)
        new = node.home.sizes(pooled)[1:3][: len(windows[-2:])]
        sizes = [*ahead, *new, *inner]
        tensor = node.home.reshape(pooled, sizes)
        windows = windows[:-2]
    return node.pictures(tensor)


def _options(pair: Sequence[Axis]) -> dict[str, Any]:
    return {
        "pool_size": tuple(a.size for a in pair),
        "strides": tuple(a.stride for a in pair),
        "padding": tuple((a.before, a.after) for a in pair),
        "dilation": tuple(a.dilation for a in pair),
    }


def max_pool_nd(node: Node) -> Value:
    """Translate MaxPool in three dimensions."""
    x = node.input()
    ceil_mode = bool(node.attribute("ceil_mode", 0))

    def pool(tensor: Any, pair: Sequence[Axis]) -> Any:
        return node.op("max_pool2d", tensor, ceil_mode=ceil_mode, **_options(pair))

    return by_pairs(node, x, axes_of(node, x, node.ints("kernel_shape")), pool)


def average_pool_nd(node: Node) -> Value:
    """Translate AveragePool in any number of dimensions, with any options."""
    x = node.input()
    ceil_mode = bool(node.attribute("ceil_mode", 0))
    counted = bool(node.attribute("count_include_pad", 0))

    def pool(tensor: Any, pair: Sequence[Axis]) -> Any:
        return node.op(
            "avg_pool2d", tensor, ceil_mode=ceil_mode, count_include_pad=counted, **_options(pair)
        )

    return by_pairs(node, x, axes_of(node, x, node.ints("kernel_shape")), pool)


def lp_pool(node: Node) -> Value:
    """Translate LpPool: the root of the sum of powers."""
    x = node.input()
    axes = axes_of(node, x, node.ints("kernel_shape"))
    ceil_mode = bool(node.attribute("ceil_mode", 0))
    powers = x.like(_power(node, x.tensor))

    def pool(tensor: Any, pair: Sequence[Axis]) -> Any:
        sides = []
        for axis, length in zip(pair, node.home.sizes(tensor)[1:3], strict=True):
            after = axis.after
            if ceil_mode:
                if isinstance(length, Size):
                    raise node.unsupported("ceil_mode of sizes that the data decide")
                last = (axis.outputs(length, ceil_mode) - 1) * axis.stride + axis.extent
                after = max(after, last - length - axis.before)
            sides.append((axis.before, after))
        if any(side != (0, 0) for side in sides):
            tensor = node.op("pad", tensor, ((0, 0), *sides, (0, 0)))
        options = {**_options(pair), "padding": "valid"}
        count = float(pair[0].size * pair[1].size)
        return node.op("multiply", node.op("avg_pool2d", tensor, **options), count)

    y = by_pairs(node, powers, axes, pool)
    return y.like(_root(node, y.tensor))


def global_lp_pool(node: Node) -> Value:
    """Translate GlobalLpPool."""
    x = node.input()
    tensor = _power(node, x.channels_last())
    places = tuple(range(1, x.rank - 1))
    return node.pictures(_root(node, node.op("sum", tensor, axis=places, keepdims=True)))


def _order(node: Node) -> int:
    p = node.attribute("p", 2)
    if p < 1:
        raise FileFormatError(f"p: expected at least 1, got {p}")
    return int(p)


def _power(node: Node, tensor: Any) -> Any:
    p = _order(node)
    if p == 2:
        return node.op("square", tensor)
    size = node.op("absolute", tensor)
    return size if p == 1 else node.op("power", size, float(p))


def _root(node: Node, tensor: Any) -> Any:
    p = _order(node)
    if p == 2:
        return node.op("sqrt", tensor)
    return tensor if p == 1 else node.op("power", tensor, 1.0 / p)


# ---- maxima and where they were ------------------------------------------------------------------


def max_pool_indices(node: Node) -> list[Value]:
    """Translate MaxPool that also tells where the maxima are."""
    x = node.input()
    if x.rank not in (3, 4):
        raise node.unsupported(f"indices of {x.rank - 2} dimensions")
    axes = axes_of(node, x, node.ints("kernel_shape"))
    channels_last = x.channels_last()
    n, *spatial, channels = node.home.sizes(channels_last)
    if x.rank == 3:
        axes, spatial = [Axis(1, 1, 1, 0, 0), *axes], [1, *spatial]
        channels_last = node.home.reshape(channels_last, [n, *spatial, channels])
    y, indices = node.op(
        "max_pool2d", channels_last, ceil_mode=bool(node.attribute("ceil_mode", 0)),
        return_indices=True, **_options(axes),
    )  # fmt: skip
    readers = [other for other in node.home.graph.node if node.outputs[1] in other.input]
    is_output = any(info.name == node.outputs[1] for info in node.home.graph.output)
    pairs = (y, indices)
    if x.rank == 3:
        pairs = tuple(
            node.home.reshape(t, [s for i, s in enumerate(node.home.sizes(t)) if i != 1])
            for t in pairs
        )
    result, found = (node.pictures(t) for t in pairs)
    if not is_output and all(other.op_type == "MaxUnpool" for other in readers):
        node.home.planes[id(found.tensor)] = tuple(spatial)
        return [result, found]
    if any(isinstance(size, Size) for size in (n, *spatial, channels)):
        raise node.unsupported("indices into a batch whose size the data decide")
    tensor = found.tensor
    if node.attribute("storage_order", 0):
        height, width = (np.int64(size).reshape(()) for size in spatial)
        row = node.op("integer_binary", tensor, width, "div")
        column = node.op("integer_binary", tensor, width, "mod")
        column = node.op("integer_binary", column, height, "mul")
        tensor = node.op("integer_binary", row, column, "add")
    check_elements((n * channels) << 7)
    first = np.arange(n * channels, dtype=np.int64).reshape(n, *[1] * (x.rank - 2), channels)
    tensor = node.op("integer_binary", tensor, first * product(spatial), "add")
    return [result, found.like(tensor)]


def max_unpool(node: Node) -> Value:
    """Translate MaxUnpool."""
    x, indices = node.input(0), node.input(1)
    if x.rank not in (3, 4):
        raise node.unsupported(f"{x.rank - 2} dimensions")
    axes = axes_of(node, x, node.ints("kernel_shape"))
    if any(isinstance(n, Size) for n in x.shape[2:]):
        raise node.unsupported("sizes that the data decide")
    size = [
        (n - 1) * a.stride + a.size - a.before - a.after
        for n, a in zip(x.shape[2:], axes, strict=True)
    ]
    wanted = node.numbers(2)
    wanted = [int(n) for n in wanted][2:] if wanted else size
    if min(size) < 1 or len(wanted) != len(size) or min(wanted) < 1:
        raise FileFormatError(f"cannot unpool to {size}, {wanted}")
    tensor, where = x.channels_last(), indices.channels_last()
    plane = node.home.planes.get(id(indices.tensor))
    if plane is None:
        whole = np.int64(product(size)).reshape(())
        where = node.op("integer_binary", where, whole, "mod")
        plane = (1, *size)[-2:]
    if x.rank == 3:
        tensor, where = (
            node.home.reshape(t, [s[0], 1, *s[1:]])
            for t, s in ((t, node.home.sizes(t)) for t in (tensor, where))
        )
    y = node.op("max_unpool2d", tensor, where, plane)
    target = (1, *wanted)[-2:]
    sides = [(0, max(0, m - n)) for n, m in zip(plane, target, strict=True)]
    if any(after for _, after in sides):
        y = node.op("pad", y, ((0, 0), *sides, (0, 0)))
    n, *spatial, channels = node.home.sizes(y)
    if any(m < s for m, s in zip(target, spatial, strict=True)):
        y = node.op("slice", y, (0, 0, 0, 0), (n, *target, channels))
    if x.rank == 3:
        y = node.home.reshape(y, [n, target[1], channels])
    return node.pictures(y)


# ---- convolutions in three dimensions ------------------------------------------------------------


def conv_3d(node: Node) -> Value:
    """Translate Conv in three dimensions: the sum of convolutions of its slices."""
    x, w = node.input(0), node.input(1)
    if x.rank != 5 or w.rank != 5 or not w.is_constant:
        raise node.unsupported("weights of this shape, or that the data decide")
    kernel = w.plain()
    depth, *pair = axes_of(node, x, kernel.shape[2:])
    tensor = x.channels_last()
    if depth.before or depth.after:
        sides = ((0, 0), (depth.before, depth.after), (0, 0), (0, 0), (0, 0))
        tensor = node.op("pad", tensor, sides)
    n, length, height, width, channels = node.home.sizes(tensor)
    if isinstance(length, Size):
        raise node.unsupported("a depth that the data decide")
    count = Axis(depth.size, depth.stride, depth.dilation, 0, 0).outputs(length)
    total = None
    for k in range(depth.size):
        part = node.op(
            "slice", tensor, (0, k * depth.dilation, 0, 0, 0), (n, count, height, width, channels),
            strides=(1, depth.stride, 1, 1, 1),
        )  # fmt: skip
        flat = node.home.reshape(part, [product([n, count]), height, width, channels])
        weight = np.ascontiguousarray(kernel[:, :, k].transpose(2, 3, 1, 0))
        y = node.op(
            "conv2d", flat, node.weight(w, f"kernel_{k}", array=weight),
            strides=tuple(a.stride for a in pair), dilation=tuple(a.dilation for a in pair),
            padding=tuple((a.before, a.after) for a in pair), groups=node.attribute("group", 1),
        )  # fmt: skip
        total = y if total is None else node.op("add", total, y)
    if node.has(2):
        total = node.op("add", total, node.weight(node.input(2), "bias"))
    _, height, width, channels = node.home.sizes(total)
    return node.pictures(node.home.reshape(total, [n, count, height, width, channels]))


def conv_transpose_3d(node: Node) -> Value:
    """Translate ConvTranspose in three dimensions: slices of the kernel, one after the other."""
    x, w = node.input(0), node.input(1)
    if x.rank != 5 or w.rank != 5 or not w.is_constant:
        raise node.unsupported("weights of this shape, or that the data decide")
    if "output_shape" in node.attributes or node.attribute("auto_pad", "NOTSET") != "NOTSET":
        raise node.unsupported("output_shape or auto_pad in three dimensions")
    kernel = w.plain()
    depth, *pair = axes_of(node, x, kernel.shape[2:])
    extra = node.ints("output_padding", 3, 0)
    n, length, height, width, channels = node.home.sizes(x.channels_last())
    if isinstance(length, Size):
        raise node.unsupported("a depth that the data decide")
    flat = node.home.reshape(x.channels_last(), [product([n, length]), height, width, channels])
    full = (length - 1) * depth.stride + depth.extent + extra[0]
    total = None
    for k in range(depth.size):
        weight = np.ascontiguousarray(kernel[:, :, k].transpose(2, 3, 1, 0))
        y = node.op(
            "conv2d_transpose", flat, node.weight(w, f"kernel_{k}", array=weight),
            strides=tuple(a.stride for a in pair), dilation=tuple(a.dilation for a in pair),
            padding=tuple((a.before, a.after) for a in pair), output_padding=tuple(extra[1:]),
            groups=node.attribute("group", 1),
        )  # fmt: skip
        _, height, width, channels = node.home.sizes(y)
        # Zeros between the slices, and before and after them.
        y = node.home.reshape(y, [n, length, 1, height, width, channels])
        spread = ((0, 0), (0, 0), (0, depth.stride - 1), (0, 0), (0, 0), (0, 0))
        y = node.op("pad", y, spread) if depth.stride > 1 else y
        y = node.home.reshape(y, [n, length * depth.stride, height, width, channels])
        first = k * depth.dilation
        after = full - first - length * depth.stride
        y = node.op("pad", y, ((0, 0), (first, max(0, after)), (0, 0), (0, 0), (0, 0)))
        if after < 0:
            y = node.op("slice", y, (0,) * 5, (n, full, height, width, channels))
        total = y if total is None else node.op("add", total, y)
    if depth.before or depth.after:
        kept = full - depth.before - depth.after
        begin = (0, depth.before, 0, 0, 0)
        total = node.op("slice", total, begin, (n, kept, height, width, channels))
    if node.has(2):
        total = node.op("add", total, node.weight(node.input(2), "bias"))
    return node.pictures(total)
