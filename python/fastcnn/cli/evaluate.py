"""``fastcnn evaluate``: what a saved classifier gets right, of a folder of pictures."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastcnn as fc
from fastcnn.data import image_dataset_from_directory
from fastcnn.errors import ConfigError
from fastcnn.io._files import StrPath

_SHOWN = 20  # wrong examples, and classes in the table


class ClassResult(NamedTuple):
    """How well a class was known.

    Attributes
    ----------
    name : str
    pictures : int
        How many there are of it.
    recall, precision : float
        The share of them that was taken for it; and of those that were, the share that is. NaN
        where there are none.
    """

    name: str
    pictures: int
    recall: float
    precision: float


@dataclass(frozen=True)
class Evaluation:
    """What a model got right."""

    model: str
    directory: str
    count: int
    accuracy: float
    classes: list[ClassResult]


def evaluate(
    model_file: StrPath,
    directory: StrPath,
    batch_size: int = 32,
    on_error: str = "raise",
    confusion: Path | None = None,
    wrong: Path | None = None,
) -> Evaluation:
    """Let a model look at a folder that has a folder of pictures for each class.

    Parameters
    ----------
    model_file : str or os.PathLike
        What `Model.save` wrote: a classifier of pictures from 0 to 255, as ``fastcnn train`` makes.
    directory : str or os.PathLike
    batch_size : int, default 32
    on_error : {"raise", "skip"}, default "raise"
        What to do about pictures that cannot be read.
    confusion, wrong : pathlib.Path, optional
        Where to draw the confusion matrix, and examples of what was taken for something else.

    Raises
    ------
    FastcnnError
        The model or the folder cannot be read, or do not fit each other.
    """
    model = fc.load_model(model_file, compile=False)
    height, width, channels, outputs = _form(os.fspath(model_file), model)
    known: list[str] | None = model.class_names
    found = image_dataset_from_directory(
        directory,
        image_size=(height, width),
        color_mode={1: "grayscale", 3: "rgb", 4: "rgba"}[channels],
        class_names=_only(directory),
        batch_size=batch_size,
        shuffle=False,
        verbose=False,
        on_error=on_error,
    )
    names = found.class_names if known is None else known
    unknown = [name for name in found.class_names if name not in names]
    if unknown or len(names) != outputs:
        raise ConfigError(
            f"{os.fspath(directory)}: expected folders among the {outputs} classes of the model"
            f"{'' if known is None else f', {known}'}; got {unknown or found.class_names}"
        )
    true = np.array([names.index(name) for name in found.class_names])[found.labels]
    scores = model.predict(found.map(lambda images, labels: images))
    if scores.shape[1] == 1:  # one output for two classes
        scores = np.concatenate([1 - scores, scores], axis=1)
    seen = scores.argmax(1)
    if confusion is not None:
        fc.visualize.confusion_matrix(true, seen, names, save=confusion)
    if wrong is not None:
        _draw_wrong(found, true, scores, names, wrong)
    return Evaluation(
        os.fspath(model_file),
        os.fspath(directory),
        len(true),
        float((true == seen).mean()),
        _by_class(names, true, seen),
    )


def _only(directory: StrPath) -> list[str] | None:
    """The folder's single class, which the model may know beside others; else None."""
    try:
        with os.scandir(directory) as entries:
            folders = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    except OSError:
        return None  # what is wrong with it is told by who reads it
    return folders if len(folders) == 1 else None


def _form(path: str, model: Any) -> tuple[int, int, int, int]:
    """The size and the channels of the pictures, and the number of the classes."""
    shape = model.input_shape if model._graph is not None else None
    given = model.output_shape if model._graph is not None else None
    if (
        not isinstance(shape, tuple)
        or len(shape) != 4
        or None in shape[1:]
        or shape[3] not in (1, 3, 4)
        or not isinstance(given, tuple)
        or len(given) != 2
    ):
        raise ConfigError(
            f"{path}: expected a model that takes pictures of one size and gives classes, got "
            f"inputs of shape {shape} and outputs of shape {given}"
        )
    return shape[1], shape[2], shape[3], max(given[1], 2)


def _draw_wrong(
    found: Any, true: NDArray[Any], scores: NDArray[Any], names: list[str], path: Path
) -> None:
    """Draw the wrong examples that the model was surest of; only those pictures are kept."""
    wrong = np.flatnonzero(true != scores.argmax(1))
    surest = wrong[np.argsort(-scores[wrong].max(1), kind="stable")][:_SHOWN]
    kept: dict[int, Any] = dict.fromkeys(surest.tolist())
    number = 0
    for images, _ in found:
        for place, image in enumerate(images):
            if number + place in kept:
                kept[number + place] = image
        number += len(images)
    shape = (0, 1, 1, 3)
    pictures = np.stack([kept[i] for i in surest.tolist()]) if len(surest) else np.zeros(shape)
    few = "" if len(surest) == len(wrong) else f", the {len(surest)} it was surest of"
    title = f"{len(wrong)} of {len(true)} wrong{few}"
    fc.visualize.examples(pictures, true[surest], scores[surest], names, title=title, save=path)


def _by_class(names: list[str], true: NDArray[Any], seen: NDArray[Any]) -> list[ClassResult]:
    results = []
    for number, name in enumerate(names):
        right = int(((true == number) & (seen == number)).sum())
        there, taken = int((true == number).sum()), int((seen == number).sum())
        recall = right / there if there else float("nan")
        precision = right / taken if taken else float("nan")
        results.append(ClassResult(name, there, recall, precision))
    return results


def print_json(result: Evaluation) -> None:
    """Write one JSON object to stdout."""
    described = asdict(result)
    described["classes"] = [
        {key: None if value != value else value for key, value in entry._asdict().items()}
        for entry in result.classes
    ]
    # ASCII, so that any terminal will do; NaN is no JSON.
    sys.stdout.write(json.dumps(described, indent=2, allow_nan=False) + "\n")


def print_report(result: Evaluation) -> None:
    """Draw on stdout: a row for each class, of many the worst, and the accuracy below."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = result.classes
    title = None
    if len(shown) > _SHOWN:
        worst = sorted(shown, key=lambda c: 2.0 if np.isnan(c.recall) else c.recall)[:_SHOWN]
        shown, title = worst, f"the worst {_SHOWN} of {len(result.classes)} classes"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title, title_justify="left")
    table.add_column("class")
    for heading in ("pictures", "recall", "precision"):
        table.add_column(heading, justify="right")
    for entry in shown:
        shares = ["-" if s != s else f"{s:.1%}" for s in (entry.recall, entry.precision)]
        table.add_row(Text(entry.name), str(entry.pictures), *shares)
    console = Console()
    console.print(table)
    right = round(result.accuracy * result.count)
    console.print(f"Accuracy: {result.accuracy:.2%} ({right} of {result.count})", highlight=False)
