"""How good a detector is on pictures with known boxes, also while it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _checks
from fastcnn.callbacks.callback import Callback
from fastcnn.callbacks.progbar import Progbar
from fastcnn.detection.detector import Detections, Detector
from fastcnn.detection.evaluation import COCOResult, evaluate_coco
from fastcnn.detection.examples import Examples
from fastcnn.errors import ConfigError


def detect_examples(
    detector: Detector,
    examples: Examples,
    score_threshold: float = 0.005,
    iou_threshold: float = 0.5,
    max_detections: int = 100,
    batch_size: int = 8,
    verbose: int = 1,
    **options: Any,
) -> list[Detections]:
    """Find objects in the pictures of examples, for `evaluate_coco` and `evaluate_voc`.

    Parameters
    ----------
    detector : Detector
    examples : Examples
    score_threshold : float, default 0.005
        Far below what one would look at: average precision counts what is hardly sure, too.
    iou_threshold : float, default 0.5
        Of suppression.
    max_detections : int, default 100
    batch_size : int, default 8
    verbose : {0, 1, 2}, default 1
        As of `fastcnn.callbacks.Progbar`.
    **options
        Further ones of `Detector.stream`.

    Returns
    -------
    list of Detections
        One for each example.

    Raises
    ------
    FileFormatError, FileAccessError
        A picture cannot be read.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.io.save_image("1.png", np.zeros((48, 64, 3), np.uint8))
    >>> examples = fc.detection.Examples([fc.detection.Example("1.png", [], [])], ["cat"])
    >>> model = fc.applications.TinyYOLOv2(classes=1, input_shape=(32, 32, 3))
    >>> len(detect_examples(fc.detection.Detector(model), examples, verbose=0))
    1
    """
    bar = Progbar(len(examples), verbose=verbose, unit_name="picture")
    found = []
    for one in detector.stream(
        (example.path for example in examples),
        score_threshold=score_threshold,
        iou_threshold=iou_threshold,
        max_detections=max_detections,
        batch_size=batch_size,
        **options,
    ):
        found.append(one)
        bar.update(len(found))
    return found


class MeanAveragePrecision(Callback):
    """Judges a detector by COCO's measures at the end of epochs of its training.

    It adds ``val_map`` and ``val_map50`` to the logs, for callbacks that come after it -
    `fastcnn.callbacks.ModelCheckpoint` with ``monitor="val_map50"``, `CSVLogger` - and prints them.

    Parameters
    ----------
    detector : Detector
        Of the model that is trained.
    examples : Examples
    every : int, default 1
        Only after so many epochs each, and after the last one.
    verbose : {0, 1}, default 1
    **options
        As of `detect_examples`.

    Attributes
    ----------
    results : dict of int to COCOResult
        By epochs, counted from 0.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.applications.TinyYOLOv2(classes=1, input_shape=(32, 32, 3))
    >>> examples = fc.detection.Examples([fc.detection.Example("1.png", [], [])], ["cat"])
    >>> judge = MeanAveragePrecision(fc.detection.Detector(model), examples, every=5)
    >>> # model.fit(..., callbacks=[judge])
    """

    def __init__(
        self,
        detector: Detector,
        examples: Examples,
        every: int = 1,
        verbose: int = 1,
        **options: Any,
    ) -> None:
        super().__init__()
        who = "MeanAveragePrecision"
        if not examples.class_names:
            raise ConfigError(f"{who}: expected examples with class_names")
        self.detector = detector
        self.examples = examples
        self.every = _checks.positive_int(who, "every", every)
        self.verbose = _checks.one_of(who, "verbose", verbose, (0, 1))
        self.options = options
        self.results: dict[int, COCOResult] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Judge the detector."""
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.every and not last:
            return
        found = detect_examples(self.detector, self.examples, verbose=0, **self.options)
        result = self.results[epoch] = evaluate_coco(found, self.examples)
        if logs is not None:
            logs["val_map"], logs["val_map50"] = result.ap, result.ap50
        if self.verbose:
            print(f"Epoch {epoch + 1}: {describe(result)}")


def describe(result: COCOResult) -> str:
    """Tell the mean average precision in a line, and that of each class at an IoU of 0.5."""
    classes: Sequence[tuple[str, float]] = list(
        zip(result.class_names, result.class_ap50, strict=True)
    )
    shown = ", ".join(f"{name} {ap:.3f}" for name, ap in classes[:10])
    more = ", ..." if len(classes) > 10 else ""
    return f"mAP {result.ap:.3f}, at IoU 0.5 {result.ap50:.3f} ({shown}{more})"
