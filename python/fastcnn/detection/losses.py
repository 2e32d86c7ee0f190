"""The loss of YOLO networks: where boxes are, whether there is one at all, and of which class.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2016, section 2, and "YOLOv3: An
Incremental Improvement", 2018, section 2; what the papers leave open is as in Darknet.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn import ops
from fastcnn._checks import number, one_of, positive_int
from fastcnn.detection.heads import Head, decode
from fastcnn.detection.targets import ROW
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.losses.boxes import KINDS, box_loss
from fastcnn.losses.loss import BuiltinLoss

_SQUARED = "mse"
_LARGEST = 5.0  # of the logarithm of a box's size over its anchor's: 148 times as large


class YOLOLoss(BuiltinLoss):
    """The loss of one head; a model with several is compiled with a list of them.

    Of every picture it is the sum of

    - for each true box, at the prediction responsible for it: the loss of the box, the
      cross-entropy of the objectness, and that of the class;
    - for every other prediction, the cross-entropy of the objectness with 0, unless it overlaps
      with a true box by more than `ignore_threshold`: then it is no mistake worth learning from.

    Targets are those of `TargetEncoder`.

    Parameters
    ----------
    head : Head
    input_size : (int, int)
        Height and width of the network's input.
    box : {"ciou", "diou", "giou", "iou", "mse"}, default "ciou"
        One less an overlap; or the squared error of the centre in the cell and of the logarithms of
        the sizes, times ``2 - area``, with the area as a share of the picture's: what YOLOv2 and v3
        were trained with.
    box_weight, object_weight, no_object_weight, class_weight : float
        Of the parts.
    ignore_threshold : float, default 0.6
    rescore : bool, default False
        Whether the objectness shall be the IoU of prediction and box (YOLOv2); else 1.
    label_smoothing : float, default 0.0
        The share of the class' probability that is spread over all classes.
    reduction, name, dtype
        As for `fastcnn.losses.Loss`.

    Raises
    ------
    ConfigError
        Arguments are out of their ranges, or the network ends in a sigmoid: the loss is of the
        numbers before it.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> head = fc.detection.Head(classes=2, anchors=[(16, 16), (40, 40)])
    >>> encoder = fc.detection.TargetEncoder([head], [(2, 2)], (64, 64), max_boxes=3)
    >>> loss = fc.detection.YOLOLoss(head, (64, 64))
    >>> targets = encoder([[36, 4, 60, 20]], [1])[0]
    >>> parts = loss.parts(targets[None], np.zeros((1, 2, 2, 14)))
    >>> {name: round(float(value[0]), 3) for name, value in parts.items()}
    {'box': 0.588, 'object': 0.693, 'no_object': 4.852, 'class': 1.386}
    """

    def __init__(
        self,
        head: Head,
        input_size: tuple[int, int],
        box: str = "ciou",
        box_weight: float = 1.0,
        object_weight: float = 1.0,
        no_object_weight: float = 1.0,
        class_weight: float = 1.0,
        ignore_threshold: float = 0.6,
        rescore: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(reduction, name or "yolo_loss", dtype)
        who = "YOLOLoss"
        self.head = head if isinstance(head, Head) else Head.from_config(head)
        if self.head.activated:
            raise ConfigError(
                f"{who}: expected a head of plain numbers, got one with activated=True; train the "
                "network without its last sigmoid"
            )
        height, width = input_size
        self.input_size = (
            positive_int(who, "input_size", height),
            positive_int(who, "input_size", width),
        )
        self.box = one_of(who, "box", box, (*KINDS, _SQUARED))
        self.box_weight = number(who, "box_weight", box_weight, at_least=0)
        self.object_weight = number(who, "object_weight", object_weight, at_least=0)
        self.no_object_weight = number(who, "no_object_weight", no_object_weight, at_least=0)
        self.class_weight = number(who, "class_weight", class_weight, at_least=0)
        self.ignore_threshold = number(who, "ignore_threshold", ignore_threshold, 0.0, 1.0)
        self.rescore = one_of(who, "rescore", rescore, (False, True))
        self.label_smoothing = number(who, "label_smoothing", label_smoothing, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**super().get_config(), "head": self.head.get_config()}

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of each picture."""
        parts = self.parts(y_true, y_pred)
        return (
            parts["box"] * self.box_weight
            + parts["object"] * self.object_weight
            + parts["no_object"] * self.no_object_weight
            + parts["class"] * self.class_weight
        )

    def parts(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        """Compute the parts of the loss, not weighted.

        Parameters
        ----------
        y_true : array or Value, float32, shape (n, m, 6)
            Rows (x1, y1, x2, y2, class, slot) of `TargetEncoder`.
        y_pred : array or Value, float32, shape (n, rows, columns, channels)

        Returns
        -------
        dict of str to array or Value, shape (n,)
            ``"box"``, ``"object"``, ``"no_object"`` and ``"class"``.

        Raises
        ------
        ShapeError
            Targets or predictions are of other shapes.
        """
        y_true, y_pred = self._operands(y_true, y_pred)
        n, m = self._check(tuple(y_true.shape), tuple(y_pred.shape))
        width = 5 + self.head.classes
        raw = ops.reshape(y_pred, (n, -1, width))
        places = raw.shape[1]
        boxes = self._boxes(raw, tuple(y_pred.shape))  # (n, places, 4)
        true, slot = y_true[..., :4], y_true[..., 5]
        there = ops.greater_equal(slot, 0.0)  # (n, m)

        # The predictions that are responsible for a box: one row for each row of the targets.
        first = np.arange(n, dtype=np.float32)[:, None] * np.float32(places)
        flat = ops.cast(ops.reshape(ops.maximum(slot, 0.0) + first, (n * m,)), "int64")
        own = ops.reshape(ops.take(ops.reshape(raw, (n * places, width)), flat, 0), (n, m, width))
        own_boxes = ops.reshape(ops.take(ops.reshape(boxes, (n * places, 4)), flat, 0), (n, m, 4))
        # Rows without a box get one, so that nothing is divided by its height of 0.
        empty = (1.0 - ops.expand_dims(there, -1)) * np.array([0, 0, 1, 1], np.float32)
        some = true * ops.expand_dims(there, -1) + empty

        wanted = there
        if self.rescore:
            wanted = ops.stop_gradient(1.0 - box_loss("iou", some, own_boxes)) * there
        object_loss = ops.sigmoid_cross_entropy(own[..., 4], wanted) * there

        counts = self._counts(true, ops.stop_gradient(boxes))  # (n, p), 1 or 0
        vain = ops.softplus(raw[..., 4]) * counts  # the cross-entropy with 0
        of_own = ops.reshape(ops.take(ops.reshape(vain, (n * places,)), flat, 0), (n, m))
        if self.box == _SQUARED:
            box = self._squared(some, own, flat, y_pred.shape[1:3])
        else:
            box = box_loss(self.box, some, own_boxes)
        return {
            "box": ops.sum(box * there, axis=1),
            "object": ops.sum(object_loss, axis=1),
            "no_object": ops.sum(vain, axis=1) - ops.sum(of_own * there, axis=1),
            "class": ops.sum(self._classes(y_true[..., 4], own[..., 5:]) * there, axis=1)
            if self.head.classes
            else ops.sum(there, axis=1) * 0.0,
        }

    def _check(self, true: tuple[Any, ...], given: tuple[Any, ...]) -> tuple[int, int]:
        if len(given) != 4 or given[3] != self.head.channels:
            raise ShapeError(
                f"YOLOLoss: expected predictions of shape (n, rows, columns, {self.head.channels})"
                f", got {given}"
            )
        if len(true) != 3 or true[0] != given[0] or true[2] != ROW or true[1] < 1:
            raise ShapeError(
                f"YOLOLoss: expected targets of shape ({given[0]}, m, {ROW}), as TargetEncoder "
                f"makes them, got {true}"
            )
        return true[0], true[1]

    def _boxes(self, raw: Any, shape: tuple[int, ...]) -> Any:
        """The predicted boxes, of a size that can be computed with.

        A step that is too long can give a logarithm whose exponential overflows, or is so large
        that nothing leads back. The gradient is that of the size at the bound.
        """
        sizes = raw[..., 2:4]
        sizes = sizes - ops.stop_gradient(ops.maximum(sizes - _LARGEST, 0.0))
        bounded = ops.concatenate([raw[..., :2], sizes, raw[..., 4:]], axis=-1)
        boxes, _ = decode(ops.reshape(bounded, shape), [self.head], self.input_size)
        return boxes

    def _counts(self, true: Any, boxes: Any) -> Any:
        """Which predictions overlap with no true box by more than the threshold."""
        overlaps = [
            ops.max(ops.box_iou(boxes[i], true[i]), axis=1) for i in range(true.shape[0])
        ]  # a box of a row that has none has no area, and so no overlap
        return ops.less_equal(ops.stack(overlaps, axis=0), self.ignore_threshold)

    def _squared(self, true: Any, own: Any, flat: Any, grid: Any) -> Any:
        """Squared errors in the numbers that the network gives, (n, m)."""
        rows, columns = grid
        n, m = true.shape[:2]
        anchors = np.tile(np.asarray(self.head.anchors, np.float32), (n * rows * columns, 1))
        anchor = ops.reshape(ops.take(anchors, flat, 0), (n, m, 2))
        height, width = self.input_size
        cells = np.array([columns / width, rows / height], np.float32)
        low, high = true[..., :2], true[..., 2:]
        centre = (low + high) * 0.5 * cells
        inside = centre - ops.floor(centre)
        place = (ops.sigmoid(own[..., :2]) - 0.5) * self.head.scale_xy + 0.5
        sizes = high - low
        share = sizes[..., 0] * sizes[..., 1] * (1.0 / (height * width))
        wanted = ops.log(ops.maximum(sizes, 1e-3) / anchor)
        errors = ops.square(place - inside) + ops.square(own[..., 2:4] - wanted)
        return ops.sum(errors, axis=-1) * (2.0 - share)

    def _classes(self, labels: Any, logits: Any) -> Any:
        """The cross-entropy of the classes, (n, m)."""
        classes = self.head.classes
        wanted = ops.one_hot(ops.cast(labels, "int64"), classes)
        wanted = wanted * (1.0 - self.label_smoothing) + self.label_smoothing / classes
        if self.head.softmax:
            return ops.softmax_cross_entropy(logits, wanted)
        return ops.sum(ops.sigmoid_cross_entropy(logits, wanted), axis=-1)
