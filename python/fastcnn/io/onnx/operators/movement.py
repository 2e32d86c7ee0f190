"""Operators that move, rename, join or leave out elements and compute nothing."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from fastcnn.errors import FileFormatError
from fastcnn.io.onnx.importer import Node, check_elements
from fastcnn.io.onnx.values import Value
from fastcnn.layers.merging import Concatenate
from fastcnn.sizes import Size, product, quotient, same
from fastcnn.symbolic import KerasTensor


def identity(node: Node) -> Value:
    """Translate operators that change nothing here."""
    return node.input().like(node.input().tensor)


def cast(node: Node) -> Value:
    """Translate Cast; among the types that a model computes in there is only float32."""
    import onnx

    x = node.input()
    to = node.attribute("to", 1)
    kinds = onnx.TensorProto
    if to in (kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16):
        if id(x.tensor) in node.home.whole:  # an input, which is float32 already
            return x.like(node.home.whole[id(x.tensor)])
        return x if x.dtype == "float32" else x.like(node.op("cast", x.tensor, "float32"))
    names = {
        kinds.INT64: "int64", kinds.INT32: "int32", kinds.UINT8: "uint8", kinds.INT8: "int8",
        kinds.BOOL: "bool", kinds.INT16: "int32", kinds.UINT16: "int32", kinds.UINT32: "int64",
        kinds.UINT64: "int64",
    }  # fmt: skip
    if to not in names:
        raise node.unsupported(f"a cast to {kinds.DataType.Name(to)}")
    return x.like(node.op("cast", x.tensor, names[to]))


def transpose(node: Node) -> Value:
    """Translate Transpose: axes get other names, elements stay."""
    x = node.input()
    permutation = node.ints("perm") if "perm" in node.attributes else [*range(x.rank)][::-1]
    if sorted(permutation) != list(range(x.rank)):
        raise FileFormatError(f"expected each of {x.rank} axes once, got {permutation}")
    return x.transposed(permutation)


def reshape(node: Node) -> Value:
    """Translate Reshape."""
    x = node.input()
    target = node.numbers(1, "shape")
    if target is None:
        raise FileFormatError("expected a shape")
    target = node.home.with_batch(target)
    return x.reshaped(resolve(x.shape, target, bool(node.attribute("allowzero", 0))))


def resolve(shape: Any, target: list[Any], allow_zero: bool = False) -> list[Any]:
    """Replace 0 (as it was) and -1 (what is left) in the shape that a Reshape asks for."""
    sizes = [n if isinstance(n, Size) else operator.index(n) for n in target]
    if not allow_zero:
        if any(n == 0 and i >= len(shape) for i, n in enumerate(sizes)):
            raise FileFormatError(f"expected a size for every new axis, got {target}")
        sizes = [shape[i] if not isinstance(n, Size) and n == 0 else n for i, n in enumerate(sizes)]
    open_axes = [i for i, n in enumerate(sizes) if not isinstance(n, Size) and n == -1]
    if len(open_axes) > 1 or any(not isinstance(n, Size) and n < -1 for n in sizes):
        raise FileFormatError(f"expected a shape, got {target}")
    if open_axes:
        left = quotient(
            product(shape), product([n for i, n in enumerate(sizes) if i not in open_axes])
        )
        if left is None:
            raise FileFormatError(f"cannot reshape {tuple(shape)} to {target}")
        sizes[open_axes[0]] = left
    return sizes


def flatten(node: Node) -> Value:
    """Translate Flatten."""
    x = node.input()
    axis = node.attribute("axis", 1)
    if not -x.rank <= axis <= x.rank:
        raise FileFormatError(f"expected an axis among {x.rank}, got {axis}")
    axis = axis % x.rank if axis < 0 else axis
    return x.reshaped([product(x.shape[:axis]), product(x.shape[axis:])])


def squeeze(node: Node) -> Value:
    """Translate Squeeze."""
    x = node.input()
    axes = node.numbers(1, "axes")
    if axes is None:
        gone = {i for i, n in enumerate(x.shape) if same(n, 1)}
    else:
        gone = {node.axis(a, x.rank) for a in axes}
    if any(not same(x.shape[i], 1) for i in gone):
        raise FileFormatError(f"expected axes of size 1 among {x.shape}, got {sorted(gone)}")
    return x.reshaped([n for i, n in enumerate(x.shape) if i not in gone])


def unsqueeze(node: Node) -> Value:
    """Translate Unsqueeze."""
    x = node.input()
    axes = node.numbers(1, "axes") or []
    rank = x.rank + len(axes)
    new = {node.axis(a, rank) for a in axes}
    if len(new) != len(axes):
        raise FileFormatError(f"expected different axes, got {axes}")
    old = iter(x.shape)
    return x.reshaped([1 if i in new else next(old) for i in range(rank)])


def concat(node: Node) -> Value:
    """Translate Concat."""
    values = [node.input(i) for i in range(len(node.inputs))]
    if len(values) == 1:
        return values[0]
    rank = values[0].rank
    if any(v.rank != rank for v in values):
        raise FileFormatError(f"expected operands alike in all axes but one, got {values}")
    axis = node.axis(node.attributes.get("axis", 1), rank)
    leading = max(values, key=lambda v: (not v.is_constant, len(v.stored)))
    order = leading.order
    tensors = [v.stored_as(order) for v in values]
    place = order.index(axis)
    if all(isinstance(t, KerasTensor) for t in tensors):
        place = -1 if place == rank - 1 else place
        return node.value(node.layer(Concatenate, tensors, axis=place), order)
    operands = [
        node.weight(v, f"x{i}", array=t) if v.is_constant else t
        for i, (v, t) in enumerate(zip(values, tensors, strict=True))
    ]
    return node.value(node.op("concatenate", operands, axis=place), order)


def split(node: Node) -> list[Value]:
    """Translate Split."""
    x = node.input()
    axis = node.axis(node.attribute("axis", 0), x.rank)
    tensor, order = x.as_stored()
    size = x.shape[axis]
    parts = node.numbers(1, "split")
    count = len(parts) if parts is not None else node.attribute("num_outputs", len(node.outputs))
    if count < 1 or count > len(node.outputs):
        raise FileFormatError(f"expected {len(node.outputs)} parts, got {count}")
    if isinstance(size, Size):
        raise node.unsupported("a split of an axis whose size the data decide")
    if parts is None:
        each = -(-size // count)
        parts = [each] * (count - 1) + [size - each * (count - 1)]
    if sum(parts) != size or min(parts) < 0:
        raise FileFormatError(f"expected parts of {size} in all, got {parts}")
    bounds = np.cumsum(parts)[:-1].tolist()
    if count == 1:
        return [x]
    pieces = node.op("split", tensor, tuple(bounds), axis=order.index(axis))
    return [node.value(piece, order) for piece in pieces]


def slice_(node: Node) -> Value:
    """Translate Slice."""
    x = node.input()
    starts = node.numbers(1, "starts") or []
    ends = node.numbers(2, "ends") or []
    axes = node.numbers(3, "axes") or list(range(len(starts)))
    steps = node.numbers(4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise FileFormatError("expected a start, an end, an axis and a step for each part")
    begin: list[Any] = [0] * x.rank
    sizes: list[Any] = list(x.shape)
    strides = [1] * x.rank
    backwards = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = node.axis(axis, x.rank)
        size = x.shape[axis]
        if step == -1 and not isinstance(size, Size) and len(range(size)[start:end:step]) == size:
            backwards.append(axis)
            continue
        if isinstance(step, Size) or (step < 0 and isinstance(size, Size)):
            raise node.unsupported(f"steps {steps}")
        begin[axis], sizes[axis] = _part(node, start, end, step, size)
        strides[axis] = step
    tensor, order = x.as_stored()
    if backwards:
        tensor = node.op("flip", tensor, tuple(order.index(axis) for axis in backwards))
    whole = all(same(n, m) for n, m in zip(sizes, x.shape, strict=True))
    if whole and all(step == 1 for step in strides):
        return node.value(tensor, order)
    tensor = node.op(
        "slice", tensor, tuple(begin[a] for a in order), tuple(sizes[a] for a in order),
        strides=tuple(strides[a] for a in order) if any(s != 1 for s in strides) else None,
    )  # fmt: skip
    return node.value(tensor, order)


def _part(node: Node, start: Any, end: Any, step: int, size: Any) -> tuple[Any, Any]:
    """Give the first index and the count of a slice."""
    if not any(isinstance(n, Size) for n in (start, end, size)):
        found = range(size)[start:end:step]
        return (found.start if len(found) else 0), len(found)

    def bounded(n: Any) -> Any:
        if not isinstance(n, Size) and n < 0:
            return Size.apply("max", 0, size + n)
        if same(n, 0):
            return 0
        return Size.apply("min", n, size)

    first, last = bounded(start), bounded(end)
    if same(last, size):
        last = size
    count = last - first if not same(first, 0) else last
    return first, count if step == 1 else -(-count // step)


def pad(node: Node) -> Value:
    """Translate Pad."""
    x = node.input()
    widths = node.numbers(1, "pads") or []
    mode = node.attribute("mode", "constant")
    if node.opset < 11:
        fill = node.attribute("value", 0.0)
    else:
        given = node.numbers(2)
        fill = float(given[0]) if given else 0.0
    axes = [node.axis(a, x.rank) for a in node.numbers(3) or range(x.rank)]
    if len(widths) != 2 * len(axes) or any(isinstance(n, Size) for n in widths):
        raise node.unsupported(f"pads {widths} for {x.rank} axes")
    pairs = [(0, 0)] * x.rank
    for i, axis in enumerate(axes):
        pairs[axis] = (int(widths[i]), int(widths[i + len(axes)]))
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise FileFormatError(f"mode: unknown {mode!r}")
    tensor, order = x.as_stored()
    cropped = [(max(0, -a), max(0, -b)) for a, b in pairs]
    if any(a or b for a, b in cropped):
        shape = [n - a - b for n, (a, b) in zip(x.shape, cropped, strict=True)]
        tensor = node.op(
            "slice", tensor, tuple(cropped[a][0] for a in order), tuple(shape[a] for a in order)
        )
    grown = [(max(0, a), max(0, b)) for a, b in pairs]
    if mode == "wrap":
        return node.value(_wrapped(node, tensor, [grown[a] for a in order]), order)
    if any(a or b for a, b in grown):
        tensor = node.op(
            "pad", tensor, tuple(grown[a] for a in order), mode=mode, constant_values=fill
        )
    return node.value(tensor, order)


def _wrapped(node: Node, tensor: Any, widths: list[tuple[int, int]]) -> Any:
    """Put the end of each axis before it, and its beginning after it."""
    for place, (before, after) in enumerate(widths):
        sizes = node.home.sizes(tensor)
        size = sizes[place]
        if isinstance(size, Size) or not before + after:
            if before + after:
                raise node.unsupported("mode 'wrap' of an axis whose size the data decide")
            continue
        if not 0 <= max(before, after) <= size:
            raise FileFormatError(f"cannot wrap {max(before, after)} elements of {size}")
        parts = []
        for first, count in ((size - before, before), (0, size), (0, after)):
            if count:
                begin = [0] * len(sizes)
                begin[place], sizes[place] = first, count
                parts.append(node.op("slice", tensor, tuple(begin), tuple(sizes)))
        tensor = node.op("concatenate", parts, axis=place)
    return tensor


def expand(node: Node) -> Value:
    """Translate Expand."""
    x = node.input()
    target = node.numbers(1) or []
    rank = max(x.rank, len(target))
    x = x.reshaped((1,) * (rank - x.rank) + tuple(x.shape))
    wanted = [1] * (rank - len(target)) + list(target)
    shape = [n if same(m, 1) else m for n, m in zip(x.shape, wanted, strict=True)]
    if all(same(n, m) for n, m in zip(shape, x.shape, strict=True)):
        return x
    if x.is_constant and not any(isinstance(n, Size) for n in shape):
        check_elements(product(shape))
    tensor, order = x.as_stored()
    return node.value(node.op("broadcast_to", tensor, tuple(shape[a] for a in order)), order)


def gather(node: Node) -> Value:
    """Translate Gather by one index, or by indices that are known."""
    x = node.input()
    index = node.constant(1)
    axis = node.axis(node.attribute("axis", 0), x.rank)
    size = x.shape[axis]
    places = [n + size if not isinstance(n, Size) and n < 0 else n for n in index.ravel().tolist()]
    if not isinstance(size, Size) and any(
        not isinstance(n, Size) and not 0 <= n < size for n in places
    ):
        raise FileFormatError(f"expected indices below {size}, got {places[:8]}")
    tensor, order = x.as_stored()
    place = order.index(axis)

    def part(first: Any, count: int, stride: int = 1) -> Any:
        begin = [0] * x.rank
        sizes = [x.shape[a] for a in order]
        begin[place], sizes[place] = first, count
        strides = [1] * x.rank
        strides[place] = stride
        return node.op("slice", tensor, tuple(begin), tuple(sizes), strides=tuple(strides))

    if not places:
        raise node.unsupported("no indices")
    steps = {b - a for a, b in itertools.pairwise(places)}
    if len(places) == 1 or (len(steps) == 1 and min(steps) > 0):
        taken = part(places[0], len(places), steps.pop() if steps else 1)
    else:
        if len(places) > 4096:
            raise node.unsupported(f"{len(places)} indices")
        taken = node.op("concatenate", [part(n, 1) for n in places], axis=place)
    result = node.value(taken, order)
    shape = result.shape
    return result.reshaped([*shape[:axis], *index.shape, *shape[axis + 1 :]])
