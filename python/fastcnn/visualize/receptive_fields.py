"""Receptive fields: which part of the picture each layer sees, from the graph alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from fastcnn.errors import ShapeError
from fastcnn.layers.layer import Layer
from fastcnn.plan import PlanCache, ShapeOf
from fastcnn.tracing import Value
from fastcnn.visualize._inside import Step, WatchedTrace

# What computes every pixel from the pixels at the same place.
_POINTWISE = frozenset(
    [
        "activation",
        "unary",
        "add",
        "sub",
        "mul",
        "div",
        "maximum",
        "minimum",
        "prelu",
        "batch_norm",
        "scale_shift",
        "softmax",
        "log_softmax",
        "lrn",
        "layer_norm",
        "l2_normalize",
        "pow",
        "equal",
        "greater",
        "less",
        "where",
        "cast",
        "concat",
        "dropout",
        "stop_gradient",
        "greater_equal",
        "less_equal",
        "not_equal",
        "mod",
        "fmod",
    ]
)
# What looks through windows, and whether it is their product with a kernel.
_WINDOWS = {
    "conv2d": True,
    "conv2d_transpose": True,
    "depthwise_conv2d": True,
    "max_pool2d": False,
    "avg_pool2d": False,
}


class ReceptiveField(NamedTuple):
    """The part of the picture that the pixels of a layer's result depend on.

    Attributes
    ----------
    layer : str
        Its path.
    size : (int, int)
        Height and width in pixels of the picture; the picture's own where a layer sees all of it.
    stride : (float, float)
        How far apart the fields of neighbours are.
    offset : (float, float)
        Row and column of the centre of the first field, of pixel (0, 0). Fields may reach beyond
        the border, into the padding.

    Notes
    -----
    `box` tells where the field of a pixel is.
    """

    layer: str
    size: tuple[int, int]
    stride: tuple[float, float]
    offset: tuple[float, float]

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Give the field of a pixel: top, left, bottom and right; the last two are outside it.

        Examples
        --------
        >>> ReceptiveField("pool", (4, 4), (2.0, 2.0), (0.5, 0.5)).box(1, 0)
        (1, -1, 5, 3)
        """
        top, left = (
            math.floor(first + step * place - (extent - 1) / 2)
            for first, step, place, extent in zip(
                self.offset, self.stride, (row, column), self.size, strict=True
            )
        )
        return top, left, top + self.size[0], left + self.size[1]


class _Axis(NamedTuple):
    """Output i sees inputs from ``first + i * stride`` to ``last + i * stride``."""

    first: Fraction
    last: Fraction
    stride: Fraction


_Field = tuple[_Axis, _Axis] | None  # None: all of the picture
_START = _Axis(Fraction(0), Fraction(0), Fraction(1))


def receptive_fields(
    model: Layer, input_shape: Sequence[int] | None = None
) -> list[ReceptiveField]:
    """Tell for each layer which part of the picture its results depend on.

    From the last layer to the first, a window of k pixels at stride s makes the field (k - 1) times
    the product of the strides before it wider (Araujo, Norris & Sim 2019, "Computing receptive
    fields of convolutional neural networks", equations 2 and 4); where branches join, the field is
    what any of them sees.

    Parameters
    ----------
    model : Model
        It takes one tensor of pictures.
    input_shape : (n, h, w, c), optional
        The model's own unless given, open sizes being 512. It matters for ``"same"`` padding.

    Returns
    -------
    list of ReceptiveField
        Of the layers that give feature maps, in the order of the calls.

    Raises
    ------
    ShapeError
        The model's input is no picture.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.Sequential([fc.Input((32, 32, 3)), fc.layers.Conv2D(4, 3, name="conv"),
    ...                        fc.layers.MaxPooling2D(name="pool")])
    >>> for field in fc.visualize.receptive_fields(model):
    ...     print(field.layer, field.size, field.stride, field.offset)
    conv (3, 3) (1.0, 1.0) (1.0, 1.0)
    pool (4, 4) (2.0, 2.0) (1.5, 1.5)
    """
    if input_shape is None:
        own = getattr(model, "input_shape", None)
        if not isinstance(own, tuple) or len(own) != 4:
            raise ShapeError(
                f"receptive_fields: expected a model of one picture, its input is {own}"
            )
        input_shape = [n if n is not None else 512 if axis else 1 for axis, n in enumerate(own)]
    if len(input_shape) != 4:
        raise ShapeError(f"receptive_fields: expected input_shape (n, h, w, c), got {input_shape}")
    trace = WatchedTrace()

    def describe(_: Any, args: Any, kwargs: Any) -> Any:
        fields = _Fields(trace, args[0])
        output = model._call_traced(trace, args, kwargs, model._root_scope)
        found.extend(
            _describe(path, fields[value], args[0].shape)
            for path, value in trace.results.items()
            if isinstance(value, Value) and value.ndim == 4
        )
        return output

    found: list[ReceptiveField] = []
    PlanCache(describe, f'model "{model.name}"', trace=lambda: trace).trace(
        (ShapeOf(tuple(input_shape)),), {}
    )
    return found


def _describe(path: str, field: _Field, picture: tuple[int, ...]) -> ReceptiveField:
    if field is None:
        height, width = picture[1:3]
        centre = (height - 1) / 2, (width - 1) / 2
        return ReceptiveField(path, (height, width), (0.0, 0.0), centre)
    low = [math.floor(axis.first) for axis in field]
    high = [math.ceil(axis.last) for axis in field]
    return ReceptiveField(
        path,
        (high[0] - low[0] + 1, high[1] - low[1] + 1),
        (float(field[0].stride), float(field[1].stride)),
        ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2),
    )


class _Fields:
    """The fields of a trace's values, found as they are asked for."""

    def __init__(self, trace: WatchedTrace, picture: Value) -> None:
        self._trace = trace
        self._known: dict[int, Any] = {picture._index: (_START, _START)}

    def __getitem__(self, value: Value) -> _Field:
        waiting = [value]
        while waiting:
            last = waiting[-1]
            step = self._trace.steps.get(last._index)
            missing = [x for x in (step.inputs if step else ()) if not self._is_known(x)]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if not self._is_known(last):
                self._known[last._index] = self._of(step, last) if step else _Nothing
        found: Any = self._known[value._index]
        return None if found is _Nothing else found

    def _is_known(self, value: Value) -> bool:
        return value._index in self._known

    def _of(self, step: Step, result: Value) -> Any:
        """Give the field of what a step makes; `_Nothing` where no picture is looked at."""
        fields = [self._known[x._index] for x in step.inputs]
        seen = [(x, f) for x, f in zip(step.inputs, fields, strict=True) if f is not _Nothing]
        if not seen:
            return _Nothing
        if any(field is None for _, field in seen) or result.ndim != 4:
            return None
        (x, field), *others = seen
        if step.op in _POINTWISE and _is_of_channels(step.attrs.get("axis", -1)):
            for _, other in others:
                field = _joined(field, other)
            return field
        if len(others) == 0 or step.op in _WINDOWS:
            return _moved(step, x, result, field)
        return None


_Nothing = object()


def _is_of_channels(axis: Any) -> bool:
    return all(
        number in (-1, 3) for number in (axis if isinstance(axis, (list, tuple)) else (axis,))
    )


def _joined(field: _Field, other: _Field) -> _Field:
    if field is None or other is None:
        return None
    axes = []
    for a, b in zip(field, other, strict=True):
        if a.stride != b.stride:
            return None
        axes.append(_Axis(min(a.first, b.first), max(a.last, b.last), a.stride))
    return axes[0], axes[1]


def _moved(step: Step, x: Value, result: Value, field: Any) -> _Field:
    """Give the field behind a step that reads other pixels than those it makes."""
    axes = []
    for axis in (0, 1):
        window = _window(step, x.shape[1 + axis], result.shape[1 + axis], axis)
        if window is None:
            return None
        first, last, stride = window
        before = field[axis]
        axes.append(
            _Axis(
                before.first + before.stride * first,
                before.last + before.stride * last,
                before.stride * stride,
            )
        )
    return axes[0], axes[1]


def _window(step: Step, size: int, outputs: int, axis: int) -> tuple[Any, Any, Any] | None:
    """Give the first and last pixel that output 0 reads, and the stride; None where it is all."""
    attrs = step.attrs
    if step.op in _WINDOWS:
        is_product = _WINDOWS[step.op]
        kernel = step.inputs[1].shape[axis] if is_product else _of(attrs, "pool_size", axis, 2)
        reach = (kernel - 1) * _of(attrs, "dilation", axis, 1)
        stride = _of(attrs, "strides", axis, 1 if is_product else kernel)
        if step.op == "conv2d_transpose":
            # Pixel j of the result is made of pixels i with 0 <= j + before - i * stride <= reach.
            before = _before(attrs, axis, outputs, size, reach, stride)
            return Fraction(before - reach, stride), Fraction(before, stride), Fraction(1, stride)
        before = _before(attrs, axis, size, outputs, reach, stride)
        return -before, reach - before, stride
    match step.op:
        case "pad":
            first = -attrs["pads"][2 * (1 + axis)]
            return (first, first, 1) if attrs.get("mode", "constant") == "constant" else None
        case "slice":
            begin = attrs["begin"][1 + axis]
            every = attrs["step"][1 + axis] if "step" in attrs else 1
            return (begin, begin, every) if every > 0 else None
        case "space_to_depth":
            block = attrs["block_size"]
            return 0, block - 1, block
        case "depth_to_space":
            part = Fraction(1, attrs["block_size"])
            return part - 1, 0, part
        case "resize":
            coordinate = attrs.get("coordinate", "half_pixel")
            aligned = coordinate == "align_corners"
            apart = Fraction(size - aligned, max(outputs - aligned, 1))
            at = (apart - 1) / 2 if coordinate == "half_pixel" else Fraction(0)
            around = Fraction(1, 2) if attrs.get("interpolation") == "nearest" else Fraction(1)
            return at - around, at + around, apart
    return None


def _of(attrs: dict[str, Any], name: str, axis: int, default: int) -> int:
    value = attrs.get(name)
    if value is None:
        return default
    return int(value[axis] if isinstance(value, (list, tuple)) else value)


def _before(
    attrs: dict[str, Any], axis: int, inputs: int, outputs: int, reach: int, stride: int
) -> int:
    """Give the pixels of padding before the first."""
    if "pads" in attrs:
        return int(attrs["pads"][2 * axis])
    if attrs.get("padding", "valid") != "same":
        return 0
    return max(0, (outputs - 1) * stride + reach + 1 - inputs) // 2
