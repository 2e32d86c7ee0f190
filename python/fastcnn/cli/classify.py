"""``fastcnn classify``: photos in, the most probable classes of ImageNet out."""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import NamedTuple

from fastcnn.applications import classifier
from fastcnn.applications.imagenet import Prediction, load_and_preprocess, top_predictions
from fastcnn.errors import FileAccessError, MissingFileError
from fastcnn.io._files import StrPath
from fastcnn.io.images import IMAGE_SUFFIXES

# Photos computed at once: enough to keep all threads busy, few enough for any memory.
_BATCH = 16


class Result(NamedTuple):
    """A photo and what was seen in it, the most probable first."""

    file: str
    predictions: list[Prediction]


def find_photos(given: Iterable[str]) -> list[str]:
    """List the photos that files, folders and patterns stand for.

    Raises
    ------
    MissingFileError
        A file is not there, or a folder or pattern stands for no photo.
    """
    return [photo for name in given for photo in _expand(name)]


def _expand(name: str) -> list[str]:
    if os.path.isfile(name):
        return [name]
    if os.path.isdir(name):
        found = _photos_in(name)
        missing = f"{name}: expected a folder with photos, found none in it"
    else:
        found = glob.glob(name, recursive=True) if glob.has_magic(name) else []
        missing = f"{name}: no such photo"
    if not found:
        raise MissingFileError(missing)
    return sorted(found)


def _photos_in(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise FileAccessError(f"{folder}: {error}") from error
    return [
        os.path.join(folder, n) for n in names if os.path.splitext(n)[1].lower() in IMAGE_SUFFIXES
    ]


def classify_photos(
    photos: Sequence[str], model: str, weights: StrPath | None = None, top: int = 5
) -> list[Result]:
    """Classify photos with a network of `fastcnn.applications`.

    Parameters
    ----------
    photos : sequence of str
        Paths.
    model : str
        What `fastcnn.applications.classifier` knows.
    weights : str or os.PathLike, optional
        A file of weights; ``"imagenet"`` unless given.
    top : int, default 5
        How many classes to name of each.

    Raises
    ------
    FastcnnError
        A photo or the weights cannot be read; no photo is classified then that comes after it.
    """
    make = classifier(model)
    network = make(weights="imagenet" if weights is None else weights)
    form = make.application
    mode = form.mode_for("imagenet" if weights is None else weights)
    results: list[Result] = []
    for start in range(0, len(photos), _BATCH):
        batch = photos[start : start + _BATCH]
        pictures = load_and_preprocess(batch, size=form.size, mode=mode, method=form.method)
        predictions = top_predictions(network(pictures), top)
        results += map(Result, batch, predictions)
    return results


def print_json(results: Iterable[Result]) -> None:
    """Write one JSON list to stdout."""
    described = [
        {"file": file, "predictions": [asdict(prediction) for prediction in predictions]}
        for file, predictions in results
    ]
    # ASCII, so that any terminal and any file name will do; NaN is no JSON.
    sys.stdout.write(json.dumps(described, indent=2, allow_nan=False) + "\n")


def print_table(results: Sequence[Result]) -> None:
    """Draw on stdout: each photo's name above a row for each prediction."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    console = Console()
    widest = max((len(p.label) for result in results for p in result.predictions), default=0)
    for file, predictions in results:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(min_width=widest)
        table.add_column(min_width=6, justify="right")
        for rank, prediction in enumerate(predictions):
            table.add_row(
                Text(prediction.label, style="" if rank else "bold"),
                f"{prediction.probability:.1%}",
                ProgressBar(total=1.0, completed=prediction.probability, width=24),
            )
        console.print(Text(file, style="cyan", overflow="fold"))
        console.print(Padding(table, (0, 0, 1, 2)))
