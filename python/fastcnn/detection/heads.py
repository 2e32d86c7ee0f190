"""The last layer of a YOLO network: what its numbers mean, and the boxes they stand for.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2016, section 2, and "YOLOv3: An
Incremental Improvement", 2018, section 2; Bochkovskiy et al., "YOLOv4", 2020, section 3.4, for
`Head.scale_xy`; Wang et al., "Scaled-YOLOv4", 2020, for `Head.activated`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastcnn import _checks, ops
from fastcnn.errors import ConfigError, ShapeError


@dataclass(frozen=True)
class Head:
    """What an output of shape (n, rows, columns, anchors * (5 + classes)) stands for.

    The picture is divided into rows x columns cells. In each, for each anchor in turn, the channels
    are: x and y of the box's centre in the cell, width and height, objectness, then the classes.

    Parameters
    ----------
    classes : int
        0 for a detector of one kind of things.
    anchors : sequence of (float, float)
        Typical (width, height) of boxes, in pixels of the network's input.
    softmax : bool, default False
        Whether a box is of one class of all (YOLOv2); else each class has a probability of its own.
    scale_xy : float, default 1.0
        How far a centre can move: 1 + 2 e lets it go out of its cell by a share e of it.
    activated : bool, default False
        Whether the network ends in a sigmoid, so that the numbers lie in [0, 1]; widths and heights
        are then (2 t)^2 times the anchor's, else exp(t) times.

    Raises
    ------
    ConfigError
        An argument is out of its range.

    Examples
    --------
    >>> Head(classes=80, anchors=[(10, 14), (23, 27), (37, 58)]).channels
    255
    """

    classes: int
    anchors: tuple[tuple[float, float], ...]
    softmax: bool = False
    scale_xy: float = 1.0
    activated: bool = False

    def __post_init__(self) -> None:
        _checks.positive_int("Head", "classes", self.classes, at_least=0)
        _checks.number("Head", "scale_xy", self.scale_xy, at_least=0.0, at_most=100.0)
        for name in ("softmax", "activated"):
            _checks.one_of("Head", name, getattr(self, name), (False, True))
        object.__setattr__(self, "anchors", _anchors(self.anchors))

    @property
    def channels(self) -> int:
        """How many channels the output has."""
        return len(self.anchors) * (5 + self.classes)

    def get_config(self) -> dict[str, Any]:
        """Give the arguments in plain data."""
        return {**asdict(self), "anchors": [list(anchor) for anchor in self.anchors]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Head:
        """Make a head of what `get_config` gave.

        Raises
        ------
        ConfigError
            It is no description of a head.
        """
        if not isinstance(config, Mapping):
            raise ConfigError(f"Head: expected a description, got {type(config).__name__}")
        try:
            return cls(**config)
        except TypeError as error:
            raise ConfigError(f"Head: {error}") from error


def _anchors(given: Any) -> tuple[tuple[float, float], ...]:
    try:
        pairs = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Head: anchors: expected pairs of numbers: {error}") from error
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ConfigError(
            f"Head: anchors: expected at least one (width, height), got shape {pairs.shape}"
        )
    if not (np.isfinite(pairs) & (pairs > 0)).all():
        raise ConfigError(f"Head: anchors: expected positive sizes, got {pairs.tolist()}")
    return tuple((float(w), float(h)) for w, h in pairs)


def heads_from_anchors(
    model: Any, anchors: Any, *, cells: bool = False, softmax: bool | None = None
) -> list[Head]:
    """Describe the heads of a model that came without a description, such as ONNX files have.

    Parameters
    ----------
    model : Model
        Its outputs have shape (n, rows, columns, channels).
    anchors : sequence of (float, float)
        Of all outputs, the smallest first: the finest grid gets these.
    cells : bool, default False
        Whether they are measured in cells of the (one) grid, as YOLOv2's; else in pixels of the
        input.
    softmax : bool, optional
        As of `Head`; unless given, True for a single output, as of YOLOv2.

    Returns
    -------
    list of Head
        One for each output. The number of classes is what the channels leave room for.

    Raises
    ------
    ConfigError, ShapeError
        Outputs and anchors do not fit each other.

    Examples
    --------
    >>> import fastcnn as fc
    >>> image = fc.Input((64, 64, 3))
    >>> x = fc.layers.Conv2D(16, 32, strides=32)(image)
    >>> heads_from_anchors(fc.Model(image, x), [(1, 1), (1, 0.5)], cells=True)
    [Head(classes=3, anchors=((32.0, 32.0), (32.0, 16.0)), softmax=True, ...)]
    """
    shapes = model.output_shape if isinstance(model.output_shape, list) else [model.output_shape]
    if any(not isinstance(shape, tuple) or len(shape) != 4 for shape in shapes):
        raise ShapeError(
            f"expected a model with outputs (n, rows, columns, channels), got {shapes}"
        )
    pairs = np.asarray(_anchors(anchors))
    count, rest = divmod(len(pairs), len(shapes))
    if rest or not count:
        raise ConfigError(
            f"expected as many anchors for each of {len(shapes)} outputs, got {pairs}"
        )
    if cells:
        if len(shapes) > 1:
            raise ConfigError("expected anchors in pixels for a model with several outputs")
        sides = [*model.input_shape[1:3], *shapes[0][1:3]]
        if None in sides:
            raise ShapeError(f"expected a model of known sizes for anchors in cells, got {sides}")
        pairs = pairs * (sides[1] / sides[3], sides[0] / sides[2])
    # From the finest grid to the coarsest.
    order = sorted(range(len(shapes)), key=lambda i: -(shapes[i][1] or 0))
    if len(shapes) > 1 and len({shape[1] for shape in shapes} - {None}) < len(shapes):
        raise ShapeError(f"expected outputs of different known sizes, got {shapes}")
    found: dict[int, Head] = {}
    for place, i in enumerate(order):
        channels, left = divmod(shapes[i][3] or 0, count)
        if left or channels < 5:
            raise ShapeError(f"{count} anchors do not fit an output of shape {shapes[i]}")
        own = _anchors(pairs[place * count : (place + 1) * count])
        found[i] = Head(channels - 5, own, len(shapes) == 1 if softmax is None else bool(softmax))
    return [found[i] for i in range(len(shapes))]


def decode(outputs: Any, heads: Sequence[Head], input_size: tuple[int, int]) -> tuple[Any, Any]:
    """Turn the outputs of a network into boxes and scores, all of them.

    Composed of functions of `fastcnn.ops`: it can be part of a model, too.

    Parameters
    ----------
    outputs : array or sequence of arrays, float32, shape (n, rows, columns, channels)
        One for each head.
    heads : sequence of Head
    input_size : (int, int)
        Height and width of the network's input.

    Returns
    -------
    boxes : array, float32, shape (n, m, 4)
        (x1, y1, x2, y2) in pixels of the input; cell by cell, in each the anchors, head by head.
    scores : array, float32, shape (n, m, classes)
        The probability of an object times that of the class; of an object where `classes` is 0.

    Raises
    ------
    ShapeError
        An output does not fit its head.
    ConfigError
        The heads are of different numbers of classes, or not as many as the outputs.

    Examples
    --------
    >>> head = Head(classes=2, anchors=[(16, 24)])
    >>> boxes, scores = decode(np.zeros((1, 2, 2, 7)), [head], (64, 64))
    >>> boxes[0, 0].tolist(), scores.shape, scores[0, 0].tolist()
    ([8.0, 4.0, 24.0, 28.0], (1, 4, 2), [0.25, 0.25])
    """
    given = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if len(given) != len(heads) or not heads:
        raise ConfigError(f"decode: expected an output for each of {len(heads)} heads")
    if len({head.classes for head in heads}) > 1:
        raise ConfigError(
            f"decode: expected heads of the same classes, got {[head.classes for head in heads]}"
        )
    parts = [_decode(x, head, input_size) for x, head in zip(given, heads, strict=True)]
    if len(parts) == 1:
        return parts[0]
    boxes, scores = (ops.concatenate(list(part), axis=1) for part in zip(*parts, strict=True))
    return boxes, scores


def _decode(output: Any, head: Head, input_size: tuple[int, int]) -> tuple[Any, Any]:
    x = output if hasattr(output, "__fastcnn_apply__") else np.asarray(output, np.float32)
    shape = tuple(x.shape)
    if len(shape) != 4 or shape[3] != head.channels or None in shape[1:3]:
        raise ShapeError(
            f"decode: expected an output of shape (n, rows, columns, {head.channels}) for "
            f"{len(head.anchors)} anchors and {head.classes} classes, got {shape}"
        )
    _, rows, columns, _ = shape
    anchors = np.asarray(head.anchors, np.float32)
    x = ops.reshape(x, (-1, rows, columns, len(anchors), 5 + head.classes))
    cuts = [2, 4, 5] if head.classes else [2, 4]
    places, sizes, objectness, *classes = ops.split(x, cuts, axis=-1)
    if head.activated:
        sizes = ops.square(sizes * 2.0) * anchors
    else:
        places, objectness = ops.sigmoid(places), ops.sigmoid(objectness)
        sizes = ops.exp(sizes) * anchors
    step = np.array([input_size[1] / columns, input_size[0] / rows], np.float32)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)[:, :, None]
    # scale * (t - 1/2) + 1/2 + cell
    corner = grid.astype(np.float32) - np.float32((head.scale_xy - 1) / 2)
    centres = (places * np.float32(head.scale_xy) + corner) * step
    half = sizes * np.float32(0.5)
    boxes = ops.concatenate([centres - half, centres + half], axis=-1)
    count = rows * columns * len(anchors)
    boxes = ops.reshape(boxes, (-1, count, 4))
    scores = objectness
    for logits in classes:
        if head.activated:
            scores = objectness * logits
        else:
            scores = objectness * (ops.softmax(logits) if head.softmax else ops.sigmoid(logits))
    return boxes, ops.reshape(scores, (-1, count, head.classes or 1))
