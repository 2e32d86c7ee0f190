"""What convolutions and pools share: windows, their padding, and pictures of one row."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.values import Value
from fastcnn.sizes import Size

Pair = tuple[int, int]


class Window(NamedTuple):
    """A window in two dimensions, whatever the node has."""

    size: Pair
    strides: Pair
    dilation: Pair
    padding: Any  # "same", "valid" or ((top, bottom), (left, right))

    @property
    def extent(self) -> Pair:
        """The pixels from its first to its last, both included."""
        (h, w), (dh, dw) = self.size, self.dilation
        return (h - 1) * dh + 1, (w - 1) * dw + 1


def two(node: Node, values: list[int], fill: int) -> Pair:
    """Give numbers for height and width; what has one dimension is a row."""
    if len(values) == 1:
        return fill, values[0]
    if len(values) == 2:
        return values[0], values[1]
    raise node.unsupported(f"{len(values)} spatial dimensions")


def as_pictures(node: Node, x: Value) -> Any:
    """Give a tensor (n, h, w, c); a signal (n, c, l) becomes a row."""
    if x.rank == 4:
        return x.channels_last()
    if x.rank != 3:
        raise node.unsupported(f"an input of {x.rank} axes")
    n, _, size = x.shape[0], None, x.shape[2]
    return node.home.reshape(x.channels_last(), [n, 1, size, x.shape[1]])


def from_pictures(node: Node, y: Any, rank: int) -> Value:
    """Make the value of what was computed of `as_pictures`."""
    if rank == 3:
        n, _, size, channels = node.home.sizes(y)
        y = node.home.reshape(y, [n, size, channels])
    return node.pictures(y)


def window(node: Node, x: Value, size: list[int]) -> Window:
    """Read strides, dilations and padding of a node that moves a window over `x`."""
    count = x.rank - 2
    if len(size) != count:
        raise FileFormatError(f"expected a window of {count} sizes, got {size}")
    shape = two(node, size, 1)
    strides = two(node, node.ints("strides", count, 1), 1)
    dilation = two(node, node.ints("dilations", count, 1), 1)
    if min(*shape, *strides, *dilation) < 1:
        raise FileFormatError(f"expected positive sizes, got {shape}, {strides}, {dilation}")
    plain = Window(shape, strides, dilation, "valid")
    mode = node.attribute("auto_pad", "NOTSET")
    if mode == "VALID":
        return plain
    if mode == "SAME_UPPER":
        return plain._replace(padding="same")
    if mode == "SAME_LOWER":
        return plain._replace(padding=_same_lower(node, x, plain))
    if mode != "NOTSET":
        raise FileFormatError(f"auto_pad: unknown {mode!r}")
    return plain._replace(padding=pads(node, count))


def pads(node: Node, count: int) -> tuple[Pair, Pair]:
    """Read the padding in numbers."""
    values = node.ints("pads", 2 * count, 0)
    if min(values, default=0) < 0:
        raise node.unsupported(f"negative pads {values}")
    top, left = two(node, values[:count], 0)
    bottom, right = two(node, values[count:], 0)
    return (top, bottom), (left, right)


def _same_lower(node: Node, x: Value, window: Window) -> tuple[Pair, Pair]:
    """As "same", but the odd pixel comes first."""
    sizes = (1, *x.shape[2:])[-2:]
    sides = []
    for size, extent, stride in zip(sizes, window.extent, window.strides, strict=True):
        if isinstance(size, Size) and stride > 1:
            raise node.unsupported("auto_pad SAME_LOWER with strides and unknown sizes")
        total = (
            extent - 1 if stride == 1 else max(0, (-(-size // stride) - 1) * stride + extent - size)
        )
        sides.append((total - total // 2, total // 2))
    return sides[0], sides[1]
