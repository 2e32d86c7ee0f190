"""Suppression of boxes that say the same again: non-maximum suppression and its kin.

A box is (x1, y1, x2, y2). Boxes are taken by decreasing score, equal scores by increasing index; a
score that is NaN never passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastcnn import _checks
from fastcnn.errors import ConfigError, DTypeError, ShapeError, UnsupportedError
from fastcnn.ops._dispatch import apply_op, as_array
from fastcnn.ops._shape import as_list, as_number
from fastcnn.ops.boxes import box_iou

__all__ = ["batched_nms", "matrix_nms", "nms", "soft_nms", "weighted_boxes_fusion"]

_BLOCK = 512  # boxes whose overlap with all others is held at once


def _or_none(op: str, score_threshold: Any) -> float | None:
    if score_threshold is None:
        return None
    return as_number(op, "score_threshold", score_threshold)


def _classes(op: str, idxs: Any) -> np.ndarray:
    array = as_array(idxs, None)
    if array.dtype.kind == "f" and array.size:
        raise DTypeError(f"{op}: idxs: expected integers, got dtype {array.dtype}")
    return array.astype(np.int64, copy=False)


def _class_of_each(op: str, idxs: Any, count: int) -> np.ndarray:
    classes = np.zeros(count, np.int64) if idxs is None else _classes(op, idxs)
    if classes.shape != (count,):
        raise ShapeError(f"{op}: idxs must have shape {(count,)}, got {classes.shape}")
    return classes


def _boxes_and_scores(op: str, boxes: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    b, s = as_array(boxes), as_array(scores)
    if b.ndim != 2 or b.shape[1] != 4:
        raise ShapeError(f"{op}: boxes must have shape (n, 4), got {b.shape}")
    if s.shape != b.shape[:1]:
        raise ShapeError(f"{op}: scores must have shape {b.shape[:1]}, got {s.shape}")
    return b, s


def _by_class(
    suppress: Callable[[Any, Any], Any], boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and scores of what is kept of each class, class by class."""
    kept, values = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    order = np.argsort(classes, kind="stable")
    ends = np.flatnonzero(classes[order[1:]] != classes[order[:-1]]) + 1
    for members in np.split(order, ends):
        # Powers of two, so that few plans do for any number of boxes.
        room = 1 << max(len(members) - 1, 0).bit_length()
        b, s = np.zeros((room, 4), np.float32), np.full(room, np.nan, np.float32)
        b[: len(members)], s[: len(members)] = boxes[members], scores[members]
        indices, new = suppress(b, s)
        kept.append(members[indices])
        values.append(new)
    return np.concatenate(kept), np.concatenate(values)


def _cut(op: str, results: Any) -> Any:
    """The first `count` entries of an op's results, whose last one is the count."""
    *arrays, count = results
    if not isinstance(count, np.ndarray):
        raise UnsupportedError(
            f"{op}: the length of the result depends on the data, so it cannot be part of a model; "
            "apply it to what the model predicts"
        )
    return [a[: int(count[0])].copy() for a in arrays]


def nms(
    boxes: Any,
    scores: Any,
    iou_threshold: float = 0.5,
    *,
    score_threshold: float | None = None,
    max_output: int | None = None,
    kind: str = "iou",
) -> Any:
    """Greedy non-maximum suppression: keep a box unless a kept one overlaps it more.

    Boxes are taken by decreasing score, equal scores by increasing index. The result is exactly
    that of comparing every pair, and the same on every machine.

    Parameters
    ----------
    boxes : array, float32, shape (n, 4)
        With areas in the range that `box_iou` tells. Boxes too small or too large for it, infinite
        ones and those with a NaN neither drop others nor are dropped.
    scores : array, float32, shape (n,)
        A box whose score is NaN is never kept.
    iou_threshold : float
        A box is dropped when its IoU with a kept box is greater.
    score_threshold : float, optional
        Only boxes of a greater score are looked at.
    max_output : int, optional
        Stop after so many boxes.
    kind : {"iou", "diou"}
        What is compared with the threshold: IoU, or distance IoU, which keeps things of one size
        that stand behind each other (Zheng et al., "Distance-IoU Loss", 2020, section 3.3).

    Returns
    -------
    array, int64, shape (k,)
        Indices of the boxes kept, by decreasing score.

    Raises
    ------
    ShapeError
        If `boxes` is not of shape (n, 4) or `scores` not of shape (n,).
    ConfigError
        If `iou_threshold` is not in [0, 1], `max_output` is negative, or `kind` is unknown.

    Examples
    --------
    >>> import fastcnn as fc
    >>> boxes = [[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]]
    >>> fc.ops.nms(boxes, [0.5, 0.9, 0.1])
    array([1, 2])
    """
    results = apply_op(
        "nms",
        [boxes, scores],
        iou_threshold=as_number("nms", "iou_threshold", iou_threshold),
        score_threshold=_or_none("nms", score_threshold),
        max_output=max_output,
        kind=kind,
    )
    return _cut("nms", results)[0]


def batched_nms(
    boxes: Any,
    scores: Any,
    idxs: Any,
    iou_threshold: float = 0.5,
    *,
    score_threshold: float | None = None,
    max_output: int | None = None,
    kind: str = "iou",
) -> Any:
    """Non-maximum suppression within each class.

    Parameters
    ----------
    boxes, scores, iou_threshold, score_threshold, kind
        As in `nms`.
    idxs : array of integers, shape (n,)
        The class of each box; boxes of different classes do not suppress each other.
    max_output : int, optional
        Keep so many boxes of all classes together: those of the highest scores.

    Returns
    -------
    array, int64, shape (k,)
        Indices of the boxes kept, by decreasing score.

    Raises
    ------
    ShapeError, ConfigError
        As in `nms`.
    DTypeError
        If `idxs` does not hold integers.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.batched_nms([[0, 0, 2, 2], [0, 0, 2, 2]], [0.9, 0.8], [0, 1])
    array([0, 1])
    """
    if not hasattr(idxs, "__fastcnn_apply__"):
        idxs = _classes("batched_nms", idxs)
    results = apply_op(
        "nms",
        [boxes, scores, idxs],
        ["float32", "float32", "int64"],
        iou_threshold=as_number("batched_nms", "iou_threshold", iou_threshold),
        score_threshold=_or_none("batched_nms", score_threshold),
        max_output=max_output,
        kind=kind,
    )
    return _cut("batched_nms", results)[0]


def soft_nms(
    boxes: Any,
    scores: Any,
    iou_threshold: float = 0.3,
    *,
    idxs: Any = None,
    sigma: float = 0.5,
    score_threshold: float = 0.001,
    method: str = "gaussian",
    max_output: int | None = None,
) -> Any:
    """Soft non-maximum suppression: overlapping boxes lose score instead of being dropped.

    Bodla et al., "Soft-NMS", 2017.

    Parameters
    ----------
    boxes, scores
        As in `nms`.
    iou_threshold : float
        ``"linear"`` only: boxes that overlap more lose score.
    idxs : array of integers, shape (n,), optional
        The class of each box: only boxes of its own class take score from it.
    sigma : float
        ``"gaussian"`` only: the larger, the gentler.
    score_threshold : float
        A box is dropped as soon as its score is not greater.
    method : {"gaussian", "linear"}
        Multiply scores by exp(-iou^2 / sigma), or by 1 - iou.
    max_output : int, optional
        Stop after so many boxes.

    Returns
    -------
    indices : array, int64, shape (k,)
        The boxes kept, by decreasing new score.
    scores : array, float32, shape (k,)
        Their new scores.

    Raises
    ------
    ShapeError, ConfigError
        As in `nms`.
    DTypeError
        If `idxs` does not hold integers.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.soft_nms([[0, 0, 2, 2], [4, 4, 6, 6]], [0.5, 0.9])[0]
    array([1, 0])
    """
    options: dict[str, Any] = {
        "iou_threshold": as_number("soft_nms", "iou_threshold", iou_threshold),
        "sigma": as_number("soft_nms", "sigma", sigma),
        "score_threshold": as_number("soft_nms", "score_threshold", score_threshold),
        "method": method,
        "max_output": max_output,
    }

    def soften(boxes: Any, scores: Any) -> Any:
        return tuple(_cut("soft_nms", apply_op("soft_nms", [boxes, scores], **options)))

    if idxs is None:
        return soften(boxes, scores)
    b, s = _boxes_and_scores("soft_nms", boxes, scores)
    kept, values = _by_class(soften, b, s, _class_of_each("soft_nms", idxs, len(b)))
    best = np.lexsort((kept, -values))[:max_output]
    return kept[best], values[best]


def matrix_nms(
    boxes: Any,
    scores: Any,
    idxs: Any = None,
    *,
    sigma: float = 2.0,
    score_threshold: float = 0.001,
    method: str = "gaussian",
    max_output: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix non-maximum suppression: all boxes lose score at once, none waits for another.

    A box loses score to each better one of its class, the less the more that one is itself a
    duplicate: Wang et al., "SOLOv2", 2020, section 3.3.

    Parameters
    ----------
    boxes, scores
        As in `nms`.
    idxs : array of integers, shape (n,), optional
        The class of each box; one class unless given.
    sigma : float
        ``"gaussian"`` only: the larger, the harder.
    score_threshold : float
        A box is dropped if its score, the first or the new one, is not greater.
    method : {"gaussian", "linear"}
        Scores decay by f(IoU with the better box) / f(that one's greatest IoU with still better
        ones), the least such ratio; f(x) is exp(-sigma x^2) or 1 - x.
    max_output : int, optional
        Give so many boxes: those of the highest new scores.

    Returns
    -------
    indices : array, int64, shape (k,)
        The boxes kept, by decreasing new score.
    scores : array, float32, shape (k,)
        Their new scores.

    Raises
    ------
    ShapeError, ConfigError
        As in `nms`.
    DTypeError
        If `idxs` does not hold integers.

    Examples
    --------
    >>> import fastcnn as fc
    >>> boxes = [[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]]
    >>> kept, new = fc.ops.matrix_nms(boxes, [0.5, 0.9, 0.4])
    >>> kept.tolist(), [round(score, 2) for score in new.tolist()]
    ([1, 2, 0], [0.9, 0.4, 0.14])
    """
    name = "matrix_nms"
    b, s = _boxes_and_scores(name, boxes, scores)
    classes = _class_of_each(name, idxs, len(b))
    _checks.one_of(name, "method", method, ("gaussian", "linear"))
    sigma = _checks.number(name, "sigma", sigma, at_least=0.0)
    limit = as_number(name, "score_threshold", score_threshold)
    if max_output is not None:
        _checks.positive_int(name, "max_output", max_output, at_least=0)

    order = np.flatnonzero(s > limit)
    order = order[np.lexsort((order, -s[order], classes[order]))]
    ends = np.flatnonzero(classes[order[1:]] != classes[order[:-1]]) + 1
    new = s.copy()
    for members in np.split(order, ends):
        new[members] *= _matrix_decay(b[members], sigma if method == "gaussian" else None)
    best = order[np.lexsort((order, -new[order]))]
    best = best[new[best] > limit][:max_output].astype(np.int64)
    return best, new[best]


def _matrix_decay(boxes: np.ndarray, sigma: float | None) -> np.ndarray:
    """What the score of each box of one class is multiplied by; the best box comes first."""
    n = len(boxes)
    rank = np.arange(n)
    own = np.zeros(n, np.float32)  # the greatest IoU of each box with a better one
    decay = np.ones(n, np.float32)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        iou = box_iou(boxes[:stop], boxes[start:stop])
        iou[~((rank[:stop, None] < rank[start:stop]) & (iou == iou))] = 0
        own[start:stop] = iou.max(axis=0)
        worst = own[:stop, None]
        if sigma is not None:  # the least ratio of exponentials is that of the greatest difference
            decay[start:stop] = np.exp(-sigma * (iou * iou - worst * worst).max(axis=0, initial=0))
        else:
            # What is a duplicate altogether takes nothing: what it repeats does that.
            share = np.divide(1 - iou, 1 - worst, out=np.ones_like(iou), where=worst < 1)
            decay[start:stop] = share.min(axis=0, initial=1)
    return decay


def weighted_boxes_fusion(
    boxes_list: Sequence[Any],
    scores_list: Sequence[Any],
    labels_list: Sequence[Any],
    weights: Sequence[float] | None = None,
    iou_threshold: float = 0.55,
    *,
    score_threshold: float = 0.0,
    conf_type: str = "avg",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted boxes fusion: boxes of several models that agree become their average.

    Solovyev et al., "Weighted boxes fusion", 2021; arguments as in the authors' package
    ``ensemble-boxes``, but boxes may be in pixels.

    Parameters
    ----------
    boxes_list : sequence of arrays, float32, shape (n_i, 4)
        The boxes of each model. Those without area, or not finite, are left out.
    scores_list : sequence of arrays, float32, shape (n_i,)
    labels_list : sequence of arrays of integers, shape (n_i,)
        Only boxes of one class are fused.
    weights : sequence of float, optional
        What each model's scores are multiplied by; 1 unless given.
    iou_threshold : float
        A box joins the fused one that it overlaps most, if by more than this.
    score_threshold : float
        Boxes of no greater score are left out.
    conf_type : {"avg", "max"}
        The fused score: the mean, less for boxes that few of the models see; or the maximum.

    Returns
    -------
    boxes : array, float32, shape (k, 4)
    scores : array, float32, shape (k,)
        Decreasing.
    labels : array, int64, shape (k,)

    Raises
    ------
    ShapeError, ConfigError, DTypeError
        The lists do not fit each other, or an argument is out of its range.

    Examples
    --------
    >>> import fastcnn as fc
    >>> boxes, scores, labels = fc.ops.weighted_boxes_fusion(
    ...     [[[0, 0, 4, 4]], [[0, 0, 4, 6]]], [[0.75], [0.25]], [[7], [7]]
    ... )
    >>> boxes.tolist(), scores.tolist(), labels.tolist()
    ([[0.0, 0.0, 4.0, 4.5]], [0.5], [7])
    """
    name = "weighted_boxes_fusion"
    given = {"boxes_list": boxes_list, "scores_list": scores_list, "labels_list": labels_list}
    lists = [as_list(name, key, values) for key, values in given.items()]
    factors = np.ones(len(lists[0])) if weights is None else as_array(weights, "float64")
    if factors.ndim != 1 or {len(values) for values in lists} != {len(factors)}:
        raise ConfigError(
            f"{name}: expected as many boxes, scores, labels and weights as models, got "
            f"{[*map(len, lists), factors.size]}"
        )
    if not (np.isfinite(factors) & (factors > 0)).all():
        raise ConfigError(f"{name}: weights: expected positive numbers, got {factors.tolist()}")
    _checks.one_of(name, "conf_type", conf_type, ("avg", "max"))
    limit = _checks.number(name, "iou_threshold", iou_threshold, 0.0, 1.0)
    least = as_number(name, "score_threshold", score_threshold)
    parts = []
    for boxes, scores, labels, factor in zip(*lists, factors, strict=True):
        b, s = _boxes_and_scores(name, boxes, scores)
        c = _class_of_each(name, labels, len(b))
        good = (s > least) & np.isfinite(b).all(axis=1) & (b[:, 2:] > b[:, :2]).all(axis=1)
        parts.append((b[good], s[good].astype(np.float64) * factor, c[good]))
    b, s, c = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((np.arange(len(s)), -s, c))
    found = [(np.zeros((0, 4), np.float32), np.zeros(0), np.zeros(0, np.int64))]
    for members in np.split(order, np.flatnonzero(c[order[1:]] != c[order[:-1]]) + 1):
        fused, weight, best, count = _fused(b[members], s[members], limit)
        if conf_type == "max":
            score = best / factors.max()
        else:
            score = weight / count * np.minimum(count, len(factors)) / factors.sum()
        found.append((fused, score, np.repeat(c[members[:1]], len(fused))))
    fused, score, label = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(-score, kind="stable")
    return fused[order], score[order].astype(np.float32), label[order]


def _fused(
    boxes: np.ndarray, scores: np.ndarray, iou_threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Join boxes of one class, by decreasing score, to those they overlap most.

    Returns the fused boxes, and of each the sum, the maximum and the number of scores.
    """
    n = len(boxes)
    room = 1 << max(n - 1, 0).bit_length()
    fused = np.zeros((room, 4), np.float32)  # those not there yet overlap nothing
    sums, weight, best = np.zeros((n, 4)), np.zeros(n), np.zeros(n)
    members = np.zeros(n, np.int64)
    count = 0
    for i in range(n):
        near = min(16 << (count // 16).bit_length(), room)  # few shapes, and few boxes in vain
        overlap = box_iou(boxes[i : i + 1], fused[:near])[0]
        at = int(overlap.argmax())
        if not overlap[at] > iou_threshold:
            at, count = count, count + 1
            best[at] = scores[i]
        sums[at] += scores[i] * boxes[i]
        weight[at] += scores[i]
        members[at] += 1
        fused[at] = sums[at] / weight[at]
    return fused[:count], weight[:count], best[:count], members[:count]
