"""How often classes occur, and how well each is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn._checks import one_of, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.metrics import ConfusionMatrix
from fastcnn.segmentation.datasets import MaskDataset

__all__ = ["SegmentationReport", "class_weights", "evaluate", "report"]


def class_weights(
    masks: Iterable[Any],
    num_classes: int,
    *,
    method: str = "median_frequency",
    ignore_class: int | None = None,
    power: float = 1.0,
) -> dict[int, float]:
    """Weigh classes by how rare their pixels are, for ``fit(class_weight=...)``.

    Parameters
    ----------
    masks : MaskDataset, or iterable of integer arrays
        Arrays of numbers of classes; the first axis of a single array counts the pictures.
    num_classes : int
    method : {"median_frequency", "inverse_frequency"}
        A class's frequency is its share of the pixels of those pictures that have it; the weight is
        the median of all frequencies over it. Or: its share of all pixels, and one over it, so
        scaled that a pixel's weight is 1 on average.
    ignore_class : int, optional
        A number that does not count.
    power : float, default 1.0
        To which the weights are raised: 0.5 lifts rare classes less.

    Returns
    -------
    dict of int to float
        0 for classes that do not occur.

    Raises
    ------
    ConfigError
        A mask has another number.

    References
    ----------
    D. Eigen, R. Fergus: Predicting Depth, Surface Normals and Semantic Labels with a Common
    Multi-Scale Convolutional Architecture. ICCV 2015, section 6.3.2.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> masks = np.array([[[0, 0], [0, 1]], [[0, 0], [0, 0]]])
    >>> weights = fc.segmentation.class_weights(masks, 2)
    >>> {label: round(weight, 3) for label, weight in weights.items()}
    {0: 0.643, 1: 2.25}
    """
    one_of("class_weights", "method", method, ("median_frequency", "inverse_frequency"))
    count = positive_int("class_weights", "num_classes", num_classes)
    pixels, beside, total = (np.zeros(count) for _ in range(3))
    for mask in masks.masks() if isinstance(masks, MaskDataset) else masks:
        mask = np.asarray(mask)
        labels = mask.ravel() if ignore_class is None else mask[mask != ignore_class]
        if labels.size and (labels.min() < 0 or labels.max() >= count):
            raise ConfigError(
                f"class_weights: expected classes from 0 to {count - 1}, got {labels.min()} to "
                f"{labels.max()}"
            )
        found = np.bincount(labels, minlength=count)
        pixels += found
        beside[found > 0] += labels.size
        total += labels.size
    frequency = pixels / np.maximum(beside if method == "median_frequency" else total, 1)
    there = frequency > 0
    weights = np.zeros(count)
    if there.any():
        weights[there] = np.median(frequency[there]) / frequency[there]
        if method == "inverse_frequency":
            weights[there] = 1 / (frequency[there] * there.sum())
        weights[there] **= power
    return {i: float(weight) for i, weight in enumerate(weights)}


@dataclass(frozen=True)
class SegmentationReport:
    """How well classes of pixels are found; NaN for what does not occur.

    Attributes
    ----------
    class_names : list of str
    pixels : list of int
        How many there are of each class.
    recall, precision, iou : list of float
        Of each class: the share of its pixels that is found, the share of what is taken for it that
        is, and intersection over union.
    pixel_accuracy : float
        The share of all pixels that is right.
    mean_accuracy, mean_iou : float
        The means of recall and of iou over the classes that occur.
    frequency_weighted_iou : float
        The mean of iou over the pixels.

    Notes
    -----
    Printed, it is a table. The names are those of J. Long, E. Shelhamer, T. Darrell: Fully
    Convolutional Networks for Semantic Segmentation (2015), section 5.
    """

    class_names: list[str]
    pixels: list[int]
    recall: list[float]
    precision: list[float]
    iou: list[float]
    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float
    frequency_weighted_iou: float

    def to_dict(self) -> dict[str, Any]:
        """Give all as plain data; None in place of NaN, which JSON has not."""

        def plain(value: Any) -> Any:
            if isinstance(value, list):
                return [plain(item) for item in value]
            return None if isinstance(value, float) and value != value else value

        return {key: plain(value) for key, value in asdict(self).items()}

    def __str__(self) -> str:
        width = max(len(name) for name in [*self.class_names, "class"])
        lines = [f"{'class':{width}}  {'pixels':>10}  recall  precision    IoU"]
        rows = zip(
            self.class_names, self.pixels, self.recall, self.precision, self.iou, strict=True
        )
        for name, pixels, *shares in rows:
            recall, precision, iou = ("-" if s != s else f"{s:.3f}" for s in shares)
            lines.append(f"{name:{width}}  {pixels:>10,}  {recall:>6}  {precision:>9}  {iou:>5}")
        lines.append(
            f"pixel accuracy {self.pixel_accuracy:.4f}, mean accuracy {self.mean_accuracy:.4f}, "
            f"mean IoU {self.mean_iou:.4f}, frequency weighted IoU "
            f"{self.frequency_weighted_iou:.4f}"
        )
        return "\n".join(lines)


def report(confusion_matrix: Any, class_names: Sequence[str] | None = None) -> SegmentationReport:
    """Tell how well classes are found by how often each was taken for each.

    Parameters
    ----------
    confusion_matrix : array, shape (n, n)
        True classes are the rows, as in `fastcnn.metrics.ConfusionMatrix`.
    class_names : sequence of str, optional
        Numbers unless given.

    Returns
    -------
    SegmentationReport

    Raises
    ------
    ShapeError
        The matrix is not square, or there are not as many names.

    Examples
    --------
    >>> import fastcnn as fc
    >>> print(fc.segmentation.report([[3, 1], [0, 4]], ["road", "car"]))
    class      pixels  recall  precision    IoU
    road            4   0.750      1.000  0.750
    car             4   1.000      0.800  0.800
    pixel accuracy 0.8750, mean accuracy 0.8750, mean IoU 0.7750, frequency weighted IoU 0.7750
    """
    matrix = np.asarray(confusion_matrix, np.float64)
    names = [str(i) for i in range(len(matrix))] if class_names is None else list(class_names)
    if matrix.ndim != 2 or matrix.shape != (len(names), len(names)):
        raise ShapeError(
            f"report: expected a matrix of {len(names)} x {len(names)} classes, got {matrix.shape}"
        )
    right, true, seen = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)

    def share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)

    def mean(values: NDArray[np.float64]) -> float:
        known = values[~np.isnan(values)]
        return float(known.mean()) if known.size else float("nan")

    recall, precision, iou = (
        share(right, true),
        share(right, seen),
        share(right, true + seen - right),
    )
    total = matrix.sum()
    return SegmentationReport(
        names,
        [int(n) for n in true],
        recall.tolist(),
        precision.tolist(),
        iou.tolist(),
        float(right.sum() / total) if total else float("nan"),
        mean(recall),
        mean(iou),
        float((np.nan_to_num(iou) * true).sum() / total) if total else float("nan"),
    )


def evaluate(
    model: Any,
    data: Iterable[tuple[Any, Any]],
    class_names: Sequence[str] | None = None,
    *,
    ignore_class: int | None = None,
    flip: bool = False,
) -> SegmentationReport:
    """Tell how well a model finds the classes of the pixels of a data set.

    Parameters
    ----------
    model : Model
        Gives scores (n, h, w, classes).
    data : MaskDataset, or iterable of (pictures, masks)
        Masks of shape (n, h, w).
    class_names : sequence of str, optional
        The model's own, or numbers, unless given.
    ignore_class : int, optional
        A number in the masks that does not count; that of the data set unless given.
    flip : bool, default False
        Whether the scores are the means of those of pictures and of their mirror images.

    Returns
    -------
    SegmentationReport

    Raises
    ------
    ShapeError
        Scores and masks do not fit each other, or there are no batches.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.applications.UNet(classes=2, filters=2, depth=1)
    >>> batches = [(np.zeros((1, 4, 6, 3)), np.zeros((1, 4, 6), np.uint8))]
    >>> fc.segmentation.evaluate(model, batches, ["road", "car"]).pixels
    [24, 0]
    """
    if ignore_class is None:
        ignore_class = getattr(data, "ignore_class", None)
    names = class_names if class_names is not None else getattr(model, "class_names", None)
    matrix: ConfusionMatrix | None = None
    for scores, masks in _scored(model, data, flip):
        if matrix is None:
            matrix = ConfusionMatrix(
                scores.shape[-1], ignore_class=ignore_class, sparse_y_pred=False
            )
        matrix.update_state(masks, scores)
    if matrix is None:
        raise ShapeError("evaluate: expected at least one batch")
    return report(matrix.result(), names)


def _scored(
    model: Any, data: Iterable[tuple[Any, Any]], flip: bool
) -> Iterator[tuple[NDArray[np.float32], Any]]:
    for pictures, masks in data:
        scores = model.predict_on_batch(pictures)
        if scores.ndim != 4 or scores.shape[:3] != np.shape(masks)[:3]:
            raise ShapeError(
                f"evaluate: expected scores for each pixel of masks {np.shape(masks)}, got "
                f"{scores.shape}"
            )
        if flip:
            mirrored = model.predict_on_batch(ops.flip(pictures, axis=2))
            scores = (scores + ops.flip(mirrored, axis=2)) / 2
        yield scores, masks
