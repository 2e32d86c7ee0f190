"""What a network shall say: which box each cell and anchor of a detector is responsible for.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", 2016, section 2, and "YOLOv3: An
Incremental Improvement", 2018, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks
from fastcnn.detection.heads import Head
from fastcnn.errors import ConfigError, ShapeError

ROW = 6  # x1, y1, x2, y2, class, slot


class TargetEncoder:
    """Makes targets for `YOLOLoss` of the true boxes of a picture.

    The cell in which a box has its centre is responsible for it, with the anchor, of all heads,
    whose shape is most like the box's. If another box has that place already, the next best anchor
    takes it; if none of the cell is free, nobody does.

    Targets of a head are rows (x1, y1, x2, y2, class, slot), one for each box: which of the
    predictions of `fastcnn.detection.decode` is responsible, or -1 when it is one of another head.
    So they take a few numbers for each box, where a grid of targets takes thousands.

    Parameters
    ----------
    heads : sequence of Head
        ``model.heads``.
    grids : sequence of (int, int)
        Rows and columns of each head's output.
    input_size : (int, int)
        Height and width of the network's input.
    max_boxes : int, default 100
        How many boxes a picture has at most.
    iou_threshold : float, optional
        Make also all other anchors responsible whose shape has a greater IoU with that of the box
        (YOLOv4's ``iou_thresh``, 0.213 there): each box is then learnt by several. At most
        ``2 * max_boxes`` rows are made.

    Raises
    ------
    ConfigError
        Arguments are out of their ranges.

    Examples
    --------
    >>> head = Head(classes=2, anchors=[(16, 16), (40, 40)])
    >>> encoder = TargetEncoder([head], [(2, 2)], (64, 64), max_boxes=2)
    >>> encoder([[36, 4, 60, 20]], [1])[0].tolist()
    [[36.0, 4.0, 60.0, 20.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0, -1.0]]
    """

    def __init__(
        self,
        heads: Sequence[Head],
        grids: Sequence[tuple[int, int]],
        input_size: tuple[int, int],
        max_boxes: int = 100,
        iou_threshold: float | None = None,
    ) -> None:
        who = "TargetEncoder"
        if not heads or len(heads) != len(grids):
            raise ConfigError(
                f"{who}: expected a grid for each head, got {len(heads)} heads and {len(grids)} "
                "grids"
            )
        if len({head.classes for head in heads}) > 1:
            raise ConfigError(f"{who}: expected heads of the same classes")
        self.heads = list(heads)
        self.grids = [
            (_checks.positive_int(who, "grids", r), _checks.positive_int(who, "grids", c))
            for r, c in grids
        ]
        height, width = input_size
        self.input_size = (
            _checks.positive_int(who, "input_size", height),
            _checks.positive_int(who, "input_size", width),
        )
        self.max_boxes = _checks.positive_int(who, "max_boxes", max_boxes)
        if iou_threshold is not None:
            iou_threshold = _checks.number(who, "iou_threshold", iou_threshold, 0.0, 1.0)
        self.iou_threshold = iou_threshold
        self._anchors = np.concatenate([np.asarray(head.anchors) for head in heads])
        self._owner = [(h, a) for h, head in enumerate(heads) for a in range(len(head.anchors))]

    @classmethod
    def for_model(cls, model: Any, max_boxes: int = 100, **options: Any) -> TargetEncoder:
        """Make one that fits a model with ``model.heads`` and an input of known size.

        Raises
        ------
        ConfigError
            The model has no heads, or its input's size is not known.
        """
        if not model.heads:
            raise ConfigError("TargetEncoder: expected a model with heads, got model.heads = None")
        size = tuple(model.input_shape[1:3])
        outputs = model.output_shape if isinstance(model.output_shape, list) else [
            model.output_shape
        ]  # fmt: skip
        if None in size:
            raise ConfigError(
                f"TargetEncoder: expected a model with an input of known size, got {size}"
            )
        return cls(model.heads, [shape[1:3] for shape in outputs], size, max_boxes, **options)

    @property
    def rows(self) -> int:
        """How many rows the targets of a head have."""
        return self.max_boxes * (1 if self.iou_threshold is None else 2)

    def __call__(self, boxes: Any, labels: Any, ignored: Any = None) -> list[NDArray[np.float32]]:
        """Make the targets of one picture.

        Parameters
        ----------
        boxes : array, shape (n, 4)
            (x1, y1, x2, y2) in pixels of the network's input; n at most `max_boxes`.
        labels : array of integers, shape (n,)
        ignored : array of bool, shape (n,), optional
            For which boxes nobody is responsible: what overlaps with them is no mistake.

        Returns
        -------
        list of numpy.ndarray
            For each head, float32 of shape (`rows`, 6).

        Raises
        ------
        ShapeError
            There is not a label for each box, or there are too many boxes.
        ConfigError
            A label is none of the classes.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        labels = np.asarray(labels).reshape(-1)
        if len(boxes) != len(labels) or len(boxes) > self.max_boxes:
            raise ShapeError(
                f"TargetEncoder: expected at most {self.max_boxes} boxes with a label each, got "
                f"{len(boxes)} boxes and {len(labels)} labels; give it a larger max_boxes"
            )
        classes = max(self.heads[0].classes, 1)
        if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
            raise ConfigError(
                f"TargetEncoder: labels: expected classes from 0 to {classes - 1}, got "
                f"{labels.min()} to {labels.max()}"
            )
        targets = [np.zeros((self.rows, ROW), np.float32) for _ in self.heads]
        for target in targets:
            target[:, 5] = -1
            target[: len(boxes), :4] = boxes
            target[: len(boxes), 4] = labels
        keep = np.ones(len(boxes), np.bool_) if ignored is None else ~np.asarray(ignored, np.bool_)
        self._assign(boxes, labels, np.flatnonzero(keep), targets)
        return targets

    def _assign(
        self,
        boxes: NDArray[Any],
        labels: NDArray[Any],
        kept: NDArray[np.intp],
        targets: list[NDArray[np.float32]],
    ) -> None:
        likeness = shape_iou(boxes[:, 2:] - boxes[:, :2], self._anchors)
        order = np.argsort(-likeness, axis=1, kind="stable")
        taken: set[tuple[int, int]] = set()
        for i in kept:
            for place in order[i]:
                head, slot = self._slot(int(place), boxes[i])
                if (head, slot) not in taken:
                    taken.add((head, slot))
                    targets[head][i, 5] = slot
                    break
        if self.iou_threshold is None:
            return
        end = [len(boxes)] * len(targets)
        for i, place in np.argwhere(likeness > self.iou_threshold):
            head, slot = self._slot(int(place), boxes[i])
            if i not in kept:
                continue
            if (head, slot) not in taken and end[head] < self.rows:
                taken.add((head, slot))
                targets[head][end[head]] = [*boxes[i], labels[i], slot]
                end[head] += 1

    def _slot(self, place: int, box: NDArray[Any]) -> tuple[int, int]:
        """The head of an anchor, and its prediction in the cell where a box has its centre."""
        head, anchor = self._owner[place]
        rows, columns = self.grids[head]
        height, width = self.input_size
        column = min(max(int((box[0] + box[2]) / 2 / width * columns), 0), columns - 1)
        row = min(max(int((box[1] + box[3]) / 2 / height * rows), 0), rows - 1)
        return head, (row * columns + column) * len(self.heads[head].anchors) + anchor


def shape_iou(sizes: NDArray[Any], anchors: NDArray[Any]) -> NDArray[np.float64]:
    """IoU of boxes and anchors with the same centre, (n, k); 0 where a box has no area."""
    common = np.minimum(sizes[:, None], anchors).prod(-1)
    union = sizes.prod(-1)[:, None] + anchors.prod(-1) - common
    iou: NDArray[np.float64] = common / union
    return iou
