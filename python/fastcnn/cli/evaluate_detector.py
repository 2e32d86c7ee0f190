"""``fastcnn evaluate-detector``: how well a detector finds what people have drawn boxes around."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from fastcnn.cli.detect import load_detector
from fastcnn.detection import (
    COCOResult,
    Examples,
    detect_examples,
    evaluate_coco,
    evaluate_voc,
    load_coco,
    load_voc,
    load_yolo,
)
from fastcnn.errors import ConfigError


class ClassResult(NamedTuple):
    """How well things of a class are found.

    Attributes
    ----------
    name : str
    boxes : int
        How many there are.
    ap, ap50 : float or None
        COCO's average precision, and that at an IoU of 0.5; None where there are none.
    voc_ap50 : float or None
        Pascal VOC's.
    """

    name: str
    boxes: int
    ap: float | None
    ap50: float | None
    voc_ap50: float | None


@dataclass(frozen=True)
class Evaluation:
    """How good a detector is."""

    model: str
    directory: str
    pictures: int
    coco: COCOResult
    voc_map50: float | None
    classes: list[ClassResult]


def evaluate_detector(
    model: Path,
    directory: Path,
    annotations: Path | None = None,
    names: Path | None = None,
    iou_threshold: float = 0.45,
    resize: str = "letterbox",
    batch_size: int = 8,
    on_error: str = "raise",
    verbose: int = 1,
) -> Evaluation:
    """Let a detector look at pictures with known boxes.

    Parameters
    ----------
    model : pathlib.Path
        As of ``fastcnn detect``.
    directory : pathlib.Path
        Annotated pictures: see `read_examples`.
    annotations, names : pathlib.Path, optional
        A JSON file of COCO's form; the names of the classes.
    iou_threshold, resize, batch_size
        As of ``fastcnn detect``.
    on_error : {"raise", "skip"}, default "raise"
        What to do about boxes without an area.
    verbose : {0, 1}, default 1
        Whether to show a progress bar.

    Raises
    ------
    FastcnnError
        Something cannot be read, or does not fit.
    """
    detector = load_detector(model, names=names, resize=resize)
    known = list(detector.names)
    classes = max(detector.heads[0].classes, 1)
    if len(known) != classes:
        raise ConfigError(
            f"{model}: expected the names of its {classes} classes, got {len(known)}; give --names"
        )
    examples = read_examples(directory, annotations, known, on_error)
    found = detect_examples(
        detector, examples, iou_threshold=iou_threshold, batch_size=batch_size, verbose=verbose
    )
    coco, voc = evaluate_coco(found, examples), evaluate_voc(found, examples)
    counts = examples.count()
    return Evaluation(
        os.fspath(model),
        os.fspath(directory),
        len(examples),
        coco,
        _number(voc.mean_average_precision),
        [
            ClassResult(
                name, counts[name], _number(ap), _number(ap50), _number(entry.average_precision)
            )
            for name, ap, ap50, entry in zip(
                coco.class_names, coco.class_ap, coco.class_ap50, voc.classes, strict=True
            )
        ],
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) or value < 0 else value


def read_examples(
    directory: Path, annotations: Path | None, class_names: list[str], on_error: str
) -> Examples:
    """Read annotated pictures, of whatever form they are.

    With `annotations` it is COCO's; with XML files, in a folder of that name or beside the
    pictures, Pascal VOC's; else YOLO's text files.
    """
    if annotations is not None:
        return load_coco(annotations, directory, class_names, on_error)
    folders = [directory, directory / "annotations", directory / "Annotations"]
    if any(next(folder.glob("*.xml"), None) for folder in folders):
        return load_voc(directory, class_names=class_names, on_error=on_error)
    return load_yolo(directory, class_names, on_error)


def print_json(result: Evaluation) -> None:
    """Write one JSON object to stdout."""
    described = asdict(result)
    described["classes"] = [entry._asdict() for entry in result.classes]
    for name in ("class_names", "class_ap", "class_ap50"):
        del described["coco"][name]
    described["coco"] = {key: _number(value) for key, value in described["coco"].items()}
    sys.stdout.write(json.dumps(described, indent=2, allow_nan=False) + "\n")


def print_report(result: Evaluation) -> None:
    """Draw on stdout: a row for each class, and the means below."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("class")
    for heading in ("boxes", "AP", "AP at 0.5", "VOC's AP at 0.5"):
        table.add_column(heading, justify="right")
    for entry in result.classes:
        shares = ["-" if x is None else f"{x:.3f}" for x in (entry.ap, entry.ap50, entry.voc_ap50)]
        table.add_row(Text(entry.name), str(entry.boxes), *shares)
    console = Console()
    console.print(table)
    coco = result.coco
    of_voc = "-" if result.voc_map50 is None else f"{result.voc_map50:.3f}"
    console.print(
        f"{result.pictures} pictures: mAP {coco.ap:.3f}, at IoU 0.5 {coco.ap50:.3f}, at 0.75 "
        f"{coco.ap75:.3f}; Pascal VOC's at 0.5 {of_voc}; recall {coco.ar_100:.3f}",
        highlight=False,
    )
