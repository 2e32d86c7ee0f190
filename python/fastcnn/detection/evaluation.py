"""How good detections are: average precision as Pascal VOC and COCO define it.

Overlaps are computed in float64, other than those of `fastcnn.ops.box_iou`: where an IoU is a
threshold exactly - 3/5 of small whole numbers is common - float32 would decide otherwise than
pycocotools, whose numbers these are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks
from fastcnn.detection.examples import Example
from fastcnn.errors import ConfigError, ShapeError

Floats = NDArray[np.float64]

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}


class Found(Protocol):
    """What a detector found in a picture: `fastcnn.detection.Detections`, or the like."""

    @property
    def boxes(self) -> Any:
        """(x1, y1, x2, y2) in pixels of the picture, (n, 4)."""

    @property
    def scores(self) -> Any:
        """How sure the detector is, (n,)."""

    @property
    def labels(self) -> Any:
        """Classes, (n,)."""


@dataclass(frozen=True)
class ClassPrecision:
    """How well things of a class are found.

    Attributes
    ----------
    name : str
    count : int
        How many there are to be found.
    average_precision : float
        NaN where there are none.
    precision, recall : array
        After each detection, from the surest on.
    """

    name: str
    count: int
    average_precision: float
    precision: Floats = field(repr=False)
    recall: Floats = field(repr=False)


@dataclass(frozen=True)
class VOCResult:
    """Average precision as Pascal VOC defines it.

    Attributes
    ----------
    mean_average_precision : float
        Over the classes of which there is something to be found.
    classes : list of ClassPrecision
    """

    mean_average_precision: float
    classes: list[ClassPrecision]


@dataclass(frozen=True)
class COCOResult:
    """COCO's twelve numbers, and the average precision of each class; -1 where there is nothing.

    Attributes
    ----------
    ap, ap50, ap75 : float
        Average precision: the mean over IoU thresholds from 0.5 to 0.95, at 0.5, and at 0.75.
    ap_small, ap_medium, ap_large : float
        Of things of less than 32 x 32 pixels, up to 96 x 96, and more.
    ar_1, ar_10, ar_100 : float
        Average recall, the mean over the thresholds, with so many detections a picture.
    ar_small, ar_medium, ar_large : float
    class_names : list of str
    class_ap, class_ap50 : list of float
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar_1: float
    ar_10: float
    ar_100: float
    ar_small: float
    ar_medium: float
    ar_large: float
    class_names: list[str]
    class_ap: list[float]
    class_ap50: list[float]


def evaluate_voc(
    detections: Sequence[Found],
    examples: Sequence[Example] | Any,
    class_names: Sequence[str] | None = None,
    iou_threshold: float = 0.5,
    method: str = "area",
) -> VOCResult:
    """Compute average precision as the development kit of Pascal VOC does.

    From the surest on, each detection is right if its IoU with the true box of its class that it
    overlaps most is at least the threshold, and that box was not found before. Boxes marked as
    difficult, and crowds, count neither way.

    Parameters
    ----------
    detections : sequence of Detections
        One for each example.
    examples : Examples or sequence of Example
    class_names : sequence of str, optional
        Those of the examples unless given.
    iou_threshold : float, default 0.5
    method : {"area", "11_points"}, default "area"
        The area under the curve of precision over recall, made falling (VOC 2010 and later); or
        the mean of 11 points of it (VOC 2007).

    Returns
    -------
    VOCResult

    Raises
    ------
    ConfigError, ShapeError
        Arguments do not fit each other.

    References
    ----------
    M. Everingham et al.: The Pascal Visual Object Classes (VOC) Challenge. IJCV 2010. There the
    last pixel is part of a box; here a box from 0 to 10 is 10 wide.

    Examples
    --------
    >>> from fastcnn.detection import Detections, Example
    >>> truth = Example("1.jpg", [[0, 0, 10, 10], [20, 20, 30, 30]], [0, 0])
    >>> found = Detections(np.array([[0, 0, 10, 9], [50, 50, 60, 60]]), np.array([0.9, 0.8]),
    ...                    np.array([0, 0]))
    >>> evaluate_voc([found], [truth], ["cell"]).mean_average_precision
    0.5
    """
    who = "evaluate_voc"
    threshold = _checks.number(who, "iou_threshold", iou_threshold, 0.0, 1.0)
    _checks.one_of(who, "method", method, ("area", "11_points"))
    names = _names(who, examples, class_names)
    pairs = _pairs(who, detections, examples, len(names))
    classes = []
    for label, name in enumerate(names):
        count = 0
        scores: list[Floats] = []
        right: list[NDArray[np.int8]] = []  # 1: right, 0: wrong, -1: neither
        for (boxes, score, labels), example in pairs:
            true = example.boxes[example.labels == label]
            free = ~(example.difficult | example.crowd)[example.labels == label]
            count += int(free.sum())
            mine = np.flatnonzero(labels == label)
            mine = mine[np.argsort(-score[mine], kind="stable")]
            scores.append(score[mine])
            right.append(_judge(boxes[mine], true, free, threshold))
        all_scores = np.concatenate([np.zeros(0), *scores])
        verdict = np.concatenate([np.zeros(0, np.int8), *right])
        verdict = verdict[np.argsort(-all_scores, kind="stable")]
        tp, fp = np.cumsum(verdict == 1), np.cumsum(verdict == 0)
        precision = tp / np.maximum(tp + fp, 1)
        recall = tp / max(count, 1)
        average = _voc_average(precision, recall, method) if count else float("nan")
        classes.append(ClassPrecision(name, count, average, precision, recall))
    known = [c.average_precision for c in classes if c.count]
    return VOCResult(float(np.mean(known)) if known else float("nan"), classes)


def _judge(
    boxes: Floats, true: Floats, free: NDArray[np.bool_], threshold: float
) -> NDArray[np.int8]:
    verdict = np.zeros(len(boxes), np.int8)
    if not len(true) or not len(boxes):
        return verdict
    overlap = _iou(boxes, true, np.zeros(len(true), np.bool_))
    best = overlap.argmax(1)
    found: set[int] = set()
    for i, j in enumerate(best.tolist()):
        if overlap[i, j] < threshold:
            continue
        if not free[j]:
            verdict[i] = -1
        elif j not in found:
            verdict[i] = 1
            found.add(j)
    return verdict


def _voc_average(precision: Floats, recall: Floats, method: str) -> float:
    if method == "11_points":
        points = [precision[recall >= level] for level in np.arange(11) / 10]
        return float(np.mean([p.max() if len(p) else 0.0 for p in points]))
    falling = np.maximum.accumulate(np.append(precision, 0.0)[::-1])[::-1][:-1]
    return float((np.diff(recall, prepend=0.0) * falling).sum())


def evaluate_coco(
    detections: Sequence[Found],
    examples: Sequence[Example] | Any,
    class_names: Sequence[str] | None = None,
    max_detections: tuple[int, int, int] = (1, 10, 100),
) -> COCOResult:
    """Compute average precision and recall as COCO defines them; the numbers are pycocotools'.

    Parameters
    ----------
    detections : sequence of Detections
        One for each example, of all scores: those that are hardly sure count, too.
    examples : Examples or sequence of Example
        Their `crowd` and `areas` count.
    class_names : sequence of str, optional
        Those of the examples unless given.
    max_detections : (int, int, int), default (1, 10, 100)
        How many detections of a class count in a picture, for the three recalls; precision is that
        with the last.

    Returns
    -------
    COCOResult

    Raises
    ------
    ConfigError, ShapeError
        Arguments do not fit each other.

    References
    ----------
    T.-Y. Lin et al.: Microsoft COCO: Common Objects in Context. ECCV 2014;
    cocodataset.org/#detection-eval.

    Examples
    --------
    >>> from fastcnn.detection import Detections, Example
    >>> truth = Example("1.jpg", [[0, 0, 10, 10]], [0])
    >>> found = Detections(np.array([[0, 0, 10, 8]]), np.array([0.9]), np.array([0]))
    >>> result = evaluate_coco([found], [truth], ["cell"])
    >>> round(result.ap, 4), round(result.ap50, 4), result.ap_large
    (0.7, 1.0, -1.0)
    """
    who = "evaluate_coco"
    names = _names(who, examples, class_names)
    limits = [_checks.positive_int(who, "max_detections", limit) for limit in max_detections]
    if len(limits) != 3 or sorted(limits) != limits:
        raise ConfigError(
            f"{who}: max_detections: expected three growing numbers, got {max_detections!r}"
        )
    pairs = _pairs(who, detections, examples, len(names))
    precision = np.full((len(IOU_THRESHOLDS), len(RECALLS), len(names), len(AREAS)), -1.0)
    recall = np.full((len(IOU_THRESHOLDS), len(names), len(AREAS), len(limits)), -1.0)
    for label in range(len(names)):
        matched = [_match(found, example, label, limits[-1]) for found, example in pairs]
        for area in range(len(AREAS)):
            _accumulate(matched, label, area, limits, precision, recall)

    def mean(values: Floats) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else -1.0

    small, medium, large = (mean(precision[..., area]) for area in (1, 2, 3))
    ar_small, ar_medium, ar_large = (mean(recall[..., area, 2]) for area in (1, 2, 3))
    ar_1, ar_10, ar_100 = (mean(recall[..., 0, limit]) for limit in range(3))
    return COCOResult(
        ap=mean(precision[..., 0]),
        ap50=mean(precision[0, ..., 0]),
        ap75=mean(precision[5, ..., 0]),
        ap_small=small,
        ap_medium=medium,
        ap_large=large,
        ar_1=ar_1,
        ar_10=ar_10,
        ar_100=ar_100,
        ar_small=ar_small,
        ar_medium=ar_medium,
        ar_large=ar_large,
        class_names=list(names),
        class_ap=[mean(precision[:, :, label, 0]) for label in range(len(names))],
        class_ap50=[mean(precision[0, :, label, 0]) for label in range(len(names))],
    )


_Raw = tuple[Floats, Floats, NDArray[np.int64]]  # boxes, scores, labels
_Matched = tuple[Floats, NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]


def _match(found: _Raw, example: Example, label: int, most: int) -> _Matched:
    """Give detections to true boxes, for every threshold and range of areas.

    Returns the scores (d,), which detections have a box and which do not count, (area, threshold,
    d) each, and how many boxes count in each range of areas.
    """
    boxes, scores, labels = found
    mine = np.flatnonzero(labels == label)
    mine = mine[np.argsort(-scores[mine], kind="stable")][:most]
    boxes, scores = boxes[mine], scores[mine]
    own = example.labels == label
    true, crowd, areas = example.boxes[own], example.crowd[own], example.areas[own]
    low, high = np.array(list(AREAS.values())).T[:, :, None]
    ignored = crowd | (areas < low) | (areas > high)  # (area, g)
    shape = (len(AREAS), len(IOU_THRESHOLDS), len(boxes))
    has, skipped = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    thresholds = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)[:, None]
    if len(true):
        overlap = _iou(boxes, true, crowd)
        taken = np.zeros((*shape[:2], len(true)), np.bool_)
        for d in np.flatnonzero((overlap >= thresholds[0]).any(1)):
            # The best box of those that count, else of those that do not; of equals the last.
            open_ = (overlap[d] >= thresholds) & (~taken | crowd)
            real = open_ & ~ignored[:, None]
            candidates = np.where(real.any(-1, keepdims=True), real, open_)
            value = np.where(candidates, overlap[d], -1.0)
            best = len(true) - 1 - value[..., ::-1].argmax(-1)
            has[..., d] = candidates.any(-1)
            skipped[..., d] = has[..., d] & np.take_along_axis(ignored, best, 1)
            a, t = np.nonzero(has[..., d])
            taken[a, t, best[a, t]] = True
    size = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    outside = (size < low) | (size > high)  # (area, d)
    skipped |= ~has & outside[:, None]
    return scores, has, skipped, (~ignored).sum(1)


def _accumulate(
    matched: Sequence[_Matched],
    label: int,
    area: int,
    limits: Sequence[int],
    precision: Floats,
    recall: Floats,
) -> None:
    count = sum(int(counts[area]) for *_, counts in matched)
    if not count:
        return
    for number, limit in enumerate(limits):
        scores = np.concatenate([np.zeros(0), *(scores[:limit] for scores, *_ in matched)])
        order = np.argsort(-scores, kind="stable")
        has, skipped = (
            np.concatenate([m[which][area][:, :limit] for m in matched], axis=1)[:, order]
            for which in (1, 2)
        )
        tp = np.cumsum(has & ~skipped, axis=1, dtype=np.float64)
        fp = np.cumsum(~has & ~skipped, axis=1, dtype=np.float64)
        recall[:, label, area, number] = tp[:, -1] / count if tp.shape[1] else 0.0
        if number + 1 < len(limits):
            continue
        exact = tp / (tp + fp + np.spacing(1))
        falling = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
        falling = np.append(falling, np.zeros((len(falling), 1)), axis=1)
        for t in range(len(IOU_THRESHOLDS)):
            at = np.searchsorted(tp[t] / count, RECALLS, side="left")
            precision[t, :, label, area] = falling[t, at]


def _iou(boxes: Floats, true: Floats, crowd: NDArray[np.bool_]) -> Floats:
    """IoU of every pair; of a crowd, the share of the detection that lies in it."""
    low = np.maximum(boxes[:, None, :2], true[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], true[None, :, 2:])
    common = np.maximum(high - low, 0.0).prod(-1)
    own, other = ((b[:, 2:] - b[:, :2]).prod(1) for b in (boxes, true))
    union = own[:, None] + np.where(crowd, 0.0, other - common)
    overlap: Floats = np.divide(common, union, out=np.zeros_like(common), where=common > 0)
    return overlap


def _names(who: str, examples: Any, class_names: Sequence[str] | None) -> list[str]:
    names = getattr(examples, "class_names", None) if class_names is None else class_names
    if not names:
        raise ConfigError(f"{who}: expected class_names, since the examples have none")
    return list(names)


def _pairs(
    who: str, detections: Iterable[Found], examples: Iterable[Example], classes: int
) -> list[tuple[_Raw, Example]]:
    found, given = list(detections), list(examples)
    if len(found) != len(given):
        raise ShapeError(
            f"{who}: expected detections for each of {len(given)} examples, got {len(found)}"
        )
    pairs = []
    for one, example in zip(found, given, strict=True):
        boxes = np.asarray(one.boxes, np.float64).reshape(-1, 4)
        scores = np.asarray(one.scores, np.float64).reshape(-1)
        labels = np.asarray(one.labels).astype(np.int64).reshape(-1)
        if not len(boxes) == len(scores) == len(labels):
            raise ShapeError(
                f"{who}: {example.name}: expected a score and a label for each of {len(boxes)} "
                f"boxes, got {len(scores)} and {len(labels)}"
            )
        highest = max(labels.max(initial=0), example.labels.max(initial=0))
        if highest >= classes or min(labels.min(initial=0), example.labels.min(initial=0)) < 0:
            raise ConfigError(
                f"{who}: {example.name}: expected labels from 0 to {classes - 1}, got {highest}"
            )
        pairs.append(((boxes, scores, labels), example))
    return pairs
