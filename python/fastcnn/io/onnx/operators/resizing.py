"""Resize with every filter, rounding and coordinate that ONNX knows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node
from fastcnn.io.onnx.operators import image
from fastcnn.io.onnx.values import Value
from fastcnn.ops.resampling import filter_taps, positions
from fastcnn.sizes import Size


def resize(node: Node) -> Value:
    """Translate Resize and Upsample: by the function of that name where it does the same."""
    return image.resize(node) if _is_usual(node) else resize_any(node)


def _is_usual(node: Node) -> bool:
    """Whether `fastcnn.ops.resize` takes the same pixels and weighs them alike."""
    x = node.input()
    old = node.op_type == "Upsample" or node.opset < 11
    mode = node.attribute("mode", "nearest")
    coordinate = node.attribute("coordinate_transformation_mode", "half_pixel")
    coordinate = "asymmetric" if old else coordinate
    rounding = "floor" if old else node.attribute("nearest_mode", "round_prefer_floor")
    factors = node.numbers(1 if old else 2, "scales") or []
    sizes = [] if old else node.numbers(3) or []
    axes = [node.axis(a, x.rank) for a in node.attributes.get("axes", range(x.rank))]
    if len(factors or sizes) != len(axes) or any(
        isinstance(n, Size) for n in (*x.shape[2:], *factors, *sizes)
    ):
        return True  # there is no other way
    lengths = [x.shape[axis] for axis in axes]
    targets = sizes or [math.floor(n * f) for n, f in zip(lengths, factors, strict=True)]
    pairs = [(n, m) for axis, n, m in zip(axes, lengths, targets, strict=True) if axis >= 2]
    channels = [(n, m) for axis, n, m in zip(axes, lengths, targets, strict=True) if axis < 2]
    return (
        x.rank in (3, 4)
        and mode in ("nearest", "linear", "bilinear")
        and coordinate in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
        and all(n == m for n, m in channels)
        and not any(node.attribute(name, 0) for name in ("antialias", "exclude_outside"))
        and node.attribute("keep_aspect_ratio_policy", "stretch") == "stretch"
        and all(n * f % 1 == 0 for n, f in zip(lengths, factors, strict=False))
        and not (coordinate == "pytorch_half_pixel" and any(m == 1 for _, m in pairs))
        and (
            mode != "nearest"
            or (coordinate == "asymmetric" and rounding == "floor")
            or (
                coordinate == "half_pixel"
                and all(n and m % n == 0 for n, m in pairs)
                and rounding.startswith("round")
            )
        )
    )


def resize_any(node: Node) -> Value:
    """Translate Resize and Upsample an axis at a time, where `image.resize` has no function."""
    x = node.input()
    old = node.op_type == "Upsample" or node.opset < 11
    mode = node.attribute("mode", "nearest")
    coordinate = node.attribute("coordinate_transformation_mode", "half_pixel")
    if old:
        coordinate = "asymmetric"
    axes = [node.axis(a, x.rank) for a in node.attributes.get("axes", range(x.rank))]
    factors = node.numbers(1 if old else 2, "scales") or []
    sizes = [] if old else node.numbers(3) or []
    region = [0.0] * x.rank + [1.0] * x.rank
    if coordinate == "tf_crop_and_resize":
        given = node.numbers(1) or []
        if len(given) != 2 * len(axes):
            raise FileFormatError(f"roi: expected {2 * len(axes)} numbers, got {given}")
        for i, axis in enumerate(axes):
            region[axis], region[x.rank + axis] = given[i], given[i + len(axes)]
    if bool(factors) == bool(sizes) or len(factors or sizes) != len(axes):
        raise FileFormatError(f"expected scales or sizes for {len(axes)} axes")
    if any(isinstance(n, Size) for n in [*(x.shape[a] for a in axes), *factors, *sizes]):
        raise node.unsupported(f"mode {mode!r}, {coordinate!r} of sizes that the data decide")
    targets, scales = _targets(node, [x.shape[a] for a in axes], factors, sizes)

    tensor, order = x.as_stored()
    inside: list[tuple[int, Any]] = []
    for axis, outputs, scale in zip(axes, targets, scales, strict=True):
        size, place = x.shape[axis], order.index(axis)
        cut = region[axis], region[x.rank + axis]
        if outputs == size and scale == 1 and (cut == (0.0, 1.0) or size == 1):
            continue
        if size < 1 or outputs < 1:
            raise FileFormatError(f"cannot resize {size} to {outputs}")
        at = positions(coordinate, size, outputs, scale, cut)
        if coordinate == "tf_crop_and_resize":
            inside.append((place, (at >= 0) & (at <= size - 1)))
        if mode == "nearest":
            index = np.clip(_rounded(node, at, old), 0, size - 1).astype(np.int64)
            tensor = node.op("take", tensor, index, axis=place)
            continue
        interpolation = {"linear": "bilinear", "bilinear": "bilinear", "cubic": "bicubic"}.get(mode)
        if interpolation is None:
            raise FileFormatError(f"mode: unknown {mode!r}")
        shrunk = min(1.0, scale) if node.attribute("antialias", 0) else 1.0
        indices, weights = filter_taps(
            at, size, interpolation, scale=shrunk, cubic=node.attribute("cubic_coeff_a", -0.75),
            exclude_outside=bool(node.attribute("exclude_outside", 0)),
        )  # fmt: skip
        tensor = node.op("resample", tensor, indices, weights, axis=place)
    for place, mask in inside:
        if not mask.all():
            shape = [1] * x.rank
            shape[place] = -1
            fill = node.attribute("extrapolation_value", 0.0)
            tensor = node.op("where", mask.reshape(shape).astype(np.float32), tensor, fill)
    return node.value(tensor, order)


def _targets(
    node: Node, sizes: list[int], factors: list[Any], wanted: list[Any]
) -> tuple[list[int], list[float]]:
    """Give the sizes of the result and how many outputs there are for an element, by axis."""
    if factors:
        if min(factors) <= 0:
            raise FileFormatError(f"expected positive scales, got {factors}")
        return [math.floor(n * f) for n, f in zip(sizes, factors, strict=True)], list(factors)
    ratios = [m / n if n else 1.0 for n, m in zip(sizes, wanted, strict=True)]
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return [int(m) for m in wanted], ratios
    if policy not in ("not_larger", "not_smaller"):
        raise FileFormatError(f"keep_aspect_ratio_policy: unknown {policy!r}")
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [math.floor(n * ratio + 0.5) for n in sizes], [ratio] * len(sizes)


def _rounded(node: Node, at: Any, old: bool) -> Any:
    mode = "floor" if old else node.attribute("nearest_mode", "round_prefer_floor")
    match mode:
        case "floor":
            return np.floor(at)
        case "ceil":
            return np.ceil(at)
        case "round_prefer_floor":
            return np.ceil(at - 0.5)
        case "round_prefer_ceil":
            return np.floor(at + 0.5)
    raise FileFormatError(f"nearest_mode: unknown {mode!r}")
