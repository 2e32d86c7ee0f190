"""Resize with every filter, rounding and coordinate that ONNX knows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node, check_elements
from fastcnn.io.onnx.operators import image
from fastcnn.io.onnx.values import Value
from fastcnn.ops.resampling import filter_taps, positions
from fastcnn.sizes import Size, same


def resize(node: Node) -> Value:
    """Translate Resize and Upsample: by the function of that name where it does the same."""
    return image.resize(node) if _is_usual(node) else resize_any(node)


def _is_usual(node: Node) -> bool:
    """Whether `fastcnn.ops.resize` takes the same pixels and weighs them alike."""
    x = node.input()
    asked = _Asked(node)
    if any(isinstance(n, Size) for n in (*x.shape[2:], *asked.factors, *asked.sizes)):
        return True  # there is no other way
    moves = asked.moves(node)
    exact = all(size * scale == outputs for _, size, outputs, scale in moves)
    return (
        x.rank in (3, 4)
        and exact
        and all(axis >= 2 for axis, *_ in moves)
        and asked.mode in ("nearest", "linear", "bilinear")
        and asked.coordinate != "half_pixel_symmetric"
        and asked.coordinate != "tf_crop_and_resize"
        and not any(node.attribute(name, 0) for name in ("antialias", "exclude_outside"))
        and asked.policy == "stretch"
        and not (asked.coordinate == "pytorch_half_pixel" and any(m == 1 for _, _, m, _ in moves))
        and (
            asked.mode != "nearest"
            or (asked.coordinate == "asymmetric" and asked.rounding == "floor")
            or (
                asked.coordinate == "half_pixel"
                and asked.rounding.startswith("round")
                and all(size and outputs % size == 0 for _, size, outputs, _ in moves)
            )
        )
    )


class _Asked:
    """What a node asks for, whatever its operator set."""

    def __init__(self, node: Node) -> None:
        x = node.input()
        old = node.op_type == "Upsample" or node.opset < 11
        self.mode = node.attribute("mode", "nearest")
        coordinate = node.attribute("coordinate_transformation_mode", "half_pixel")
        self.coordinate = "asymmetric" if old else coordinate
        self.rounding = "floor" if old else node.attribute("nearest_mode", "round_prefer_floor")
        self.policy = node.attribute("keep_aspect_ratio_policy", "stretch")
        self.factors = node.numbers(1 if old else 2, "scales") or []
        self.sizes = [] if old else node.numbers(3) or []
        self.axes = [node.axis(a, x.rank) for a in node.attributes.get("axes", range(x.rank))]
        if self.sizes and self.axes[0] == 0:
            self.sizes = node.home.with_batch(self.sizes)
        self.region = [(0.0, 1.0)] * x.rank  # by axis: what tf_crop_and_resize cuts out
        if bool(self.factors) == bool(self.sizes):
            raise FileFormatError("expected either scales or sizes")
        if len(self.factors or self.sizes) != len(self.axes):
            raise FileFormatError(f"expected a number for each of {len(self.axes)} axes")
        if self.coordinate == "tf_crop_and_resize":
            given = node.numbers(1) or []
            if len(given) != 2 * len(self.axes):
                raise FileFormatError(f"roi: expected {2 * len(self.axes)} numbers, got {given}")
            for i, axis in enumerate(self.axes):
                self.region[axis] = given[i], given[i + len(self.axes)]

    def moves(self, node: Node) -> list[tuple[int, int, int, float]]:
        """Give (axis, size, outputs, outputs for an element) where something changes."""
        shape = node.input().shape
        found = []
        if self.sizes and self.policy != "stretch":
            if self.policy not in ("not_larger", "not_smaller"):
                raise FileFormatError(f"keep_aspect_ratio_policy: unknown {self.policy!r}")
            ratios = [m / shape[a] for a, m in zip(self.axes, self.sizes, strict=True)]
            ratio = min(ratios) if self.policy == "not_larger" else max(ratios)
            found = [(a, shape[a], math.floor(shape[a] * ratio + 0.5), ratio) for a in self.axes]
        elif self.sizes:
            for axis, wanted in zip(self.axes, self.sizes, strict=True):
                if not same(shape[axis], wanted):
                    found.append((axis, shape[axis], wanted, wanted / shape[axis]))
        else:
            for axis, factor in zip(self.axes, self.factors, strict=True):
                if factor <= 0:
                    raise FileFormatError(f"expected positive scales, got {self.factors}")
                if factor != 1:
                    found.append((axis, shape[axis], math.floor(shape[axis] * factor), factor))
        known = {axis for axis, *_ in found}
        for axis in self.axes:
            if axis not in known and self.region[axis] != (0.0, 1.0) and shape[axis] != 1:
                found.append((axis, shape[axis], shape[axis], 1.0))
        return found


def resize_any(node: Node) -> Value:
    """Translate Resize and Upsample an axis at a time, where `image.resize` has no function."""
    x = node.input()
    asked = _Asked(node)
    moves = asked.moves(node)
    if any(isinstance(n, Size) for move in moves for n in move):
        raise node.unsupported(f"mode {asked.mode!r} of sizes that the data decide")
    tensor, order = x.as_stored()
    inside: list[tuple[int, Any]] = []
    for axis, size, outputs, scale in moves:
        place = order.index(axis)
        if size < 1 or outputs < 1:
            raise FileFormatError(f"cannot resize {size} to {outputs}")
        check_elements(outputs << 10)  # a side of 2^17 elements is enough
        at = positions(asked.coordinate, size, outputs, scale, asked.region[axis])
        if asked.coordinate == "tf_crop_and_resize":
            inside.append((place, (at >= 0) & (at <= size - 1)))
        if asked.mode == "nearest":
            index = np.clip(_rounded(asked.rounding, at), 0, size - 1).astype(np.int64)
            tensor = node.op("take", tensor, index, axis=place)
            continue
        kinds = {"linear": "bilinear", "bilinear": "bilinear", "cubic": "bicubic"}
        if asked.mode not in kinds:
            raise FileFormatError(f"mode: unknown {asked.mode!r}")
        shrunk = min(1.0, scale) if node.attribute("antialias", 0) else 1.0
        check_elements(int(outputs * (4 / shrunk + 4)))
        indices, weights = filter_taps(
            at, size, kinds[asked.mode], scale=shrunk,
            cubic=node.attribute("cubic_coeff_a", -0.75),
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


def _rounded(mode: str, at: Any) -> Any:
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
