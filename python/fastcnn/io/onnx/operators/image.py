"""Pictures at another size, and blocks of pixels as channels."""

from __future__ import annotations

import math
from typing import Any

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.operators._windows import as_pictures, from_pictures
from fastcnn.io.onnx.values import Value
from fastcnn.layers.reshaping import DepthToSpace, SpaceToDepth
from fastcnn.sizes import Size, same

_COORDINATES = {
    "half_pixel": "half_pixel",
    "pytorch_half_pixel": "half_pixel",  # the same unless the result is one pixel
    "align_corners": "align_corners",
    "asymmetric": "asymmetric",
}


def resize(node: Node) -> Value:
    """Translate Resize and Upsample: nearest or linear, of height and width."""
    x = node.input()
    old = node.op_type == "Upsample" or node.opset < 11
    mode = node.attribute("mode", "nearest")
    coordinate = node.attribute("coordinate_transformation_mode", "half_pixel")
    coordinate = "asymmetric" if old else coordinate
    scales = node.numbers(1 if old else 2, "scales") or None
    sizes = None if old else node.numbers(3) or None
    axes = [node.axis(a, x.rank) for a in node.attributes.get("axes", range(x.rank))]
    if bool(scales) == bool(sizes):
        raise FileFormatError("expected either scales or sizes")
    given = scales or sizes or []
    if len(given) != len(axes):
        raise FileFormatError(f"expected a number for each of {len(axes)} axes, got {given}")
    if sizes and axes[0] == 0:
        given = node.home.with_batch(given)
    if scales and coordinate != "align_corners":
        x = _whole_blocks(node, x, dict(zip(axes, scales, strict=True)))
    target: list[Any] = list(x.shape)
    for axis, number in zip(axes, given, strict=True):
        target[axis] = _scaled(x.shape[axis], number) if scales else number
    if any(not same(n, m) for n, m in zip(target[:2], x.shape[:2], strict=True)):
        raise node.unsupported("another batch or number of channels")
    if all(same(n, m) for n, m in zip(target, x.shape, strict=True)):
        return x
    if sizes and node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.unsupported("keep_aspect_ratio_policy")
    if node.attribute("antialias", 0):
        raise node.unsupported("antialias")
    if coordinate not in _COORDINATES:
        raise node.unsupported(f"coordinate_transformation_mode {coordinate!r}")
    exact = scales is None or all(
        not isinstance(n, Size) and _is_exact(x.shape[axis], n)
        for axis, n in zip(axes, scales, strict=True)
    )
    if not exact and coordinate != "align_corners":
        raise node.unsupported(f"scales {scales} that do not give whole sizes of {x.shape}")
    interpolation = {"nearest": "nearest", "linear": "bilinear", "bilinear": "bilinear"}.get(mode)
    if interpolation is None:
        raise node.unsupported(f"mode {mode!r}")
    if mode == "nearest":
        _check_nearest(node, x, target, coordinate, old)
    size = tuple(([1, *target[2:]])[-2:])
    y = node.op(
        "resize", as_pictures(node, x), size, interpolation, coordinate=_COORDINATES[coordinate]
    )
    return from_pictures(node, y, x.rank)


def _is_exact(size: Any, scale: float) -> bool:
    """Whether a size times a scale is whole, whatever the data."""
    return scale % 1 == 0 or _block(scale) > 1 if isinstance(size, Size) else size * scale % 1 == 0


def _block(scale: Any) -> int:
    """Give n of a scale of 1 / n; 1 of all others."""
    n = 1 if isinstance(scale, Size) or not 0 < scale < 1 else round(1 / scale)
    return n if abs(n * scale - 1) < 1e-6 else 1


def _whole_blocks(node: Node, x: Value, scales: dict[int, Any]) -> Value:
    """Leave out what remains of open sizes behind the last block that becomes one pixel.

    The pixels lie where the scale says, not where the ratio of the sizes would put them.
    """
    blocks = [
        _block(scales.get(axis, 1)) if isinstance(n, Size) else 1 for axis, n in enumerate(x.shape)
    ]
    if max(blocks) == 1:
        return x
    wanted = [n if k == 1 else n // k * k for n, k in zip(x.shape, blocks, strict=True)]
    tensor, order = x.as_stored()
    begin = (0,) * x.rank
    return node.value(node.op("slice", tensor, begin, tuple(wanted[a] for a in order)), order)


def _scaled(size: Any, scale: Any) -> Any:
    if isinstance(size, Size) and _block(scale) > 1:
        return size // _block(scale)
    if isinstance(size, Size) or isinstance(scale, Size):
        if not isinstance(scale, Size) and scale == int(scale):
            return size * int(scale)
        return Size.apply("floor", size * scale)
    return math.floor(size * scale)


def _check_nearest(node: Node, x: Value, target: list[Any], coordinate: str, old: bool) -> None:
    """Refuse roundings that give other pixels than `fastcnn.ops.resize`."""
    rounding = "floor" if old else node.attribute("nearest_mode", "round_prefer_floor")
    whole = all(
        same(t, n) or (not isinstance(n, Size) and not isinstance(t, Size) and t % n == 0)
        or (isinstance(t, Size) and _factor(t, n))
        for t, n in zip(target[2:], x.shape[2:], strict=True)
    )  # fmt: skip
    if coordinate == "asymmetric" and rounding == "floor":
        return
    if coordinate == "half_pixel" and whole:
        return  # every rounding gives each pixel so many times
    raise node.unsupported(f"nearest with {coordinate!r} and {rounding!r}")


def _factor(target: Size, size: Any) -> bool:
    return isinstance(size, Size) and all(
        t % n == 0 for t, n in zip(target.samples, size.samples, strict=True)
    )


def depth_to_space(node: Node) -> Value:
    """Translate DepthToSpace."""
    y = node.layer(
        DepthToSpace, node.input().channels_last(), block_size=node.attribute("blocksize", 0),
        mode=node.attribute("mode", "DCR"),
    )  # fmt: skip
    return node.pictures(y)


def space_to_depth(node: Node) -> Value:
    """Translate SpaceToDepth."""
    y = node.layer(
        SpaceToDepth, node.input().channels_last(), block_size=node.attribute("blocksize", 0),
        mode=node.attribute("mode", "DCR"),
    )  # fmt: skip
    return node.pictures(y)
