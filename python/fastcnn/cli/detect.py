"""``fastcnn detect``: pictures in, boxes around objects out."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fastcnn.data._workers import ending, in_order
from fastcnn.data.dataset import default_workers
from fastcnn.detection import Detections, Detector, heads_from_anchors
from fastcnn.errors import ConfigError, FastcnnError, FileAccessError, FileFormatError
from fastcnn.io._files import open_binary
from fastcnn.io.darknet import load_darknet
from fastcnn.io.formats import format_of
from fastcnn.io.images import IMAGE_SUFFIXES, load_image, save_image

_MAX_TEXT = 2**20
_KEPT_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}

Picture = NDArray[np.uint8]


class Result(NamedTuple):
    """A picture, and what was found in it, or why it could not be read."""

    file: str
    size: tuple[int, int]
    detections: Detections | None
    error: str = ""
    drawn: str = ""


def load_detector(
    model: Path,
    weights: Path | None = None,
    names: Path | None = None,
    anchors: Path | None = None,
    cells: bool = False,
    resize: str = "letterbox",
) -> Detector:
    """Make a detector of files.

    Raises
    ------
    FastcnnError
        A file cannot be read, or they do not fit each other.
    """
    file = format_of(model)
    if weights is None:
        network = file.load_model(model)
    elif file.name == "darknet":
        network = load_darknet(model, weights)
    else:
        raise ConfigError(f"--weights is for Darknet's networks; {model} is {file.title}")
    heads = None
    if anchors is not None:
        text = _text(anchors).replace(",", " ").split()
        try:
            numbers = [float(number) for number in text]
        except ValueError as error:
            raise FileFormatError(f"{anchors}: expected numbers: {error}") from error
        if len(numbers) % 2 or not numbers:
            raise FileFormatError(
                f"{anchors}: expected a width and a height of each anchor, got {len(numbers)} "
                "numbers"
            )
        heads = heads_from_anchors(
            network, list(zip(numbers[::2], numbers[1::2], strict=True)), cells=cells
        )
    elif network.heads is None:
        raise ConfigError(f"{model}: does not tell what its outputs mean; give its --anchors")
    known = None if names is None else [line.strip() for line in _text(names).split("\n")]
    while known and not known[-1]:
        known.pop()
    return Detector(network, known, heads=heads, resize=resize)


def _text(path: Path) -> str:
    with open_binary(path) as file:
        data = file.read(_MAX_TEXT + 1)
    if len(data) > _MAX_TEXT:
        raise FileFormatError(f"{path}: expected a text of at most {_MAX_TEXT} bytes")
    return data.decode("utf-8-sig", "replace")


def detect_in(
    files: Sequence[str], detector: Detector, output: Path | None = None, **options: Any
) -> list[Result]:
    """Find objects in picture files; one that cannot be read does not stop the others.

    Parameters
    ----------
    files : sequence of str
    detector : Detector
    output : Path, optional
        Where pictures with boxes are written: a folder, or for one picture a file.
    **options
        As of `Detector.stream`.

    Returns
    -------
    list of Result
        One for each file, in their order.
    """
    targets = dict.fromkeys(files, None) if output is None else _targets(files, output)
    results: dict[str, Result] = {}
    waiting: deque[tuple[str, Picture]] = deque()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with (
        Progress(
            *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal,
            transient=True,
        ) as bar,
        ending(in_order(_read, files, default_workers(), 16)) as read,
    ):  # fmt: skip
        task = bar.add_task("Detecting", total=len(files))

        def pictures() -> Iterator[Picture]:
            for file, (picture, error) in zip(files, read, strict=True):
                if picture is None:
                    results[file] = Result(file, (0, 0), None, error)
                    bar.advance(task)
                else:
                    waiting.append((file, picture))
                    yield picture

        for found in detector.stream(pictures(), **options):
            file, picture = waiting.popleft()
            target = targets[file]
            if target is not None:
                save_image(target, found.draw(picture))
            height, width = picture.shape[:2]
            results[file] = Result(file, (height, width), found, drawn=target or "")
            bar.advance(task)
    return [results[file] for file in files]


def _read(file: str) -> tuple[Picture | None, str]:
    try:
        return load_image(file), ""
    except FastcnnError as error:
        return None, str(error)


def _targets(files: Sequence[str], output: Path) -> dict[str, str]:
    """Where each file's picture is to be written; never to a file that is read."""
    if len(files) == 1 and output.suffix.lower() in IMAGE_SUFFIXES and not output.is_dir():
        found = {files[0]: os.fspath(output)}
    else:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileAccessError(f"{output}: expected a folder to write to: {error}") from error
        found, taken = {}, set[str]()
        for file in files:
            stem, suffix = os.path.splitext(os.path.basename(file))
            if suffix.lower() not in _KEPT_SUFFIXES:
                suffix = ".png"
            name, number = stem + suffix, 1
            while name.lower() in taken:
                number += 1
                name = f"{stem}_{number}{suffix}"
            taken.add(name.lower())
            found[file] = os.fspath(output / name)
    sources = {os.path.realpath(file) for file in files}
    for target in found.values():
        if os.path.realpath(target) in sources:
            raise ConfigError(f"{target}: would be written over; give another --output")
    return found


def print_json(results: Iterable[Result]) -> None:
    """Write one JSON list to stdout."""
    described = []
    for result in results:
        entry: dict[str, Any] = {"file": result.file}
        if result.detections is None:
            entry["error"] = result.error
        else:
            entry["height"], entry["width"] = result.size
            entry["detections"] = result.detections.get_config()
            if result.drawn:
                entry["drawn"] = result.drawn
        described.append(entry)
    # ASCII, so that any terminal and any file name will do; NaN is no JSON.
    sys.stdout.write(json.dumps(described, indent=2, allow_nan=False) + "\n")


def print_table(results: Sequence[Result]) -> None:
    """Draw on stdout: each picture's name above a row for each box."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for result in results:
        found = result.detections
        if found is None:
            continue
        console.print(Text(result.file, style="cyan", overflow="fold"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for i in range(len(found)):
            corners = ", ".join(f"{side:.0f}" for side in found.boxes[i])
            table.add_row(Text(found.name(i), style="bold"), f"{found.scores[i]:.1%}", corners)
        console.print(Padding(table if len(found) else Text("nothing found"), (0, 0, 0, 2)))
        if result.drawn:
            console.print(Text(f"  Drawn: {result.drawn}", overflow="fold"))
