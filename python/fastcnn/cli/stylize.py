"""``fastcnn stylize``: a picture in, the same in the style of another out."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastcnn import config
from fastcnn.errors import ConfigError
from fastcnn.io.images import save_image
from fastcnn.style import Progress, StyleTransfer


@dataclass(frozen=True)
class Job:
    """What the command was given; see its help.

    Attributes
    ----------
    options : dict
        Of `StyleTransfer`.
    """

    content: Path
    styles: list[Path]
    output: Path
    style_weights: list[float] | None
    masks: list[Path] | None
    preview_every: int
    state: Path | None
    precision: str | None
    options: dict[str, Any]


def stylize(job: Job, quiet: bool) -> dict[str, Any]:
    """Paint the picture, write it, and give a summary in plain data.

    Raises
    ------
    FastcnnError
        Something that was given does not work; nothing is written then.
    KeyboardInterrupt
        Ctrl-C. The last preview and state are whole.
    """
    _check_output(job.output)
    last: list[Progress] = []

    def note(progress: Progress) -> None:
        last[:] = [progress]

    start = time.perf_counter()
    with nullcontext() if job.precision is None else config.set_float32_precision(job.precision):
        paint = StyleTransfer(**job.options)
        picture = paint(
            job.content,
            list(job.styles),
            style_weights=job.style_weights,
            masks=job.masks,
            callback=note,
            preview=job.output if job.preview_every else None,
            preview_every=job.preview_every or 1,
            state=job.state,
            verbose=0 if quiet else 1,
        )
    save_image(job.output, picture)
    seconds = time.perf_counter() - start
    costs = last[0].costs._asdict() if last else {}
    return {
        "file": os.fspath(job.output),
        "height": picture.shape[0],
        "width": picture.shape[1],
        "iterations": sum(paint.iterations),
        "seconds": round(seconds, 2),
        "costs": costs,
        "threads": config.get_num_threads(),
    }


def _check_output(output: Path) -> None:
    """Refuse before hours of work what could not be written after them."""
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"):
        raise ConfigError(
            f"{output}: expected a suffix such as .png or .jpg, got {output.suffix!r}"
        )


def print_json(summary: dict[str, Any]) -> None:
    """Write one JSON object to stdout."""
    sys.stdout.write(json.dumps(summary, indent=2, allow_nan=False) + "\n")


def print_summary(summary: dict[str, Any]) -> None:
    """Tell what was made in one line."""
    print(
        f"Painted: {summary['file']}, {summary['width']} x {summary['height']}, "
        f"{summary['iterations']} iterations in {summary['seconds']:.0f} s"
    )
