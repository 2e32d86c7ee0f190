"""The classifications alone, as one picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from fastcnn._optional import import_optional
from fastcnn.cli.classify import Result, classify_photos
from fastcnn.io import atomic_write, center_crop, load_image
from fastcnn.io._files import StrPath

# Photos of things, in colour; the portrait among scikit-image's pictures is left out.
_PICTURES = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")

_COLUMNS = 4
_CLASSES = 3
_LONGEST = 24
_INK, _GREY, _BAR, _TRACK = "#1f2933", "#66737f", "#2a78b5", "#e8edf1"


def classify_samples(photos: Sequence[str] = ()) -> list[Result]:
    """Classify photos, or a few pictures of scikit-image.

    Raises
    ------
    MissingDependencyError
        scikit-image is not installed.
    MissingWeightsError
        The package with the weights is not installed.
    """
    return classify_photos(photos or sample_photos(), "efficientnet_lite0", top=_CLASSES)


def sample_photos(names: Sequence[str] = _PICTURES) -> list[str]:
    """Tell where pictures of scikit-image lie.

    Raises
    ------
    MissingDependencyError
        scikit-image is not installed.
    """
    folder = import_optional("skimage.data", extra="demo").data_dir
    return [os.path.join(folder, name) for name in names]


def draw_results(results: Sequence[Result], output: StrPath) -> None:
    """Draw each photo above the classes that were seen in it.

    Parameters
    ----------
    results : sequence of Result
    output : str or os.PathLike
        A ``.png``, ``.pdf`` or ``.svg`` file.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.
    FileAccessError
        The file cannot be written.
    """
    # Figure without pyplot: no window, and no state of the caller's is touched.
    figure = import_optional("matplotlib.figure", extra="demo").Figure
    rows = -(-len(results) // _COLUMNS)
    page = figure(figsize=(2.9 * _COLUMNS, 3.95 * rows), dpi=150, layout="constrained")
    page.get_layout_engine().set(w_pad=0.14, h_pad=0.1, wspace=0.03, hspace=0.03)
    grid = page.add_gridspec(2 * rows, _COLUMNS, height_ratios=[3.0, 0.95] * rows)
    for place, result in enumerate(results):
        row, column = divmod(place, _COLUMNS)
        _draw_photo(page.add_subplot(grid[2 * row, column]), result.file)
        _draw_bars(page.add_subplot(grid[2 * row + 1, column]), result)
    with atomic_write(output) as partial:
        page.savefig(partial)


def _draw_photo(axes: Any, file: str) -> None:
    """What the network saw: the middle square."""
    photo = load_image(file)
    side = min(photo.shape[:2])
    axes.imshow(center_crop(photo, (side, side)), interpolation="lanczos")
    axes.axis("off")


def _draw_bars(axes: Any, result: Result) -> None:
    for place, prediction in enumerate(result.predictions):
        colour, weight = (_INK, "bold") if place == 0 else (_GREY, "normal")
        style = {"fontsize": 9.5, "color": colour, "fontweight": weight, "va": "bottom"}
        label = prediction.label
        if len(label) > _LONGEST:
            label = label[: _LONGEST - 1] + "…"
        axes.text(0, place - 0.12, label, ha="left", **style)
        axes.text(1, place - 0.12, f"{prediction.probability:.0%}", ha="right", **style)
        axes.barh(place, 1, 0.16, color=_TRACK)
        axes.barh(place, prediction.probability, 0.16, color=_BAR)
    axes.set(xlim=(0, 1), ylim=(len(result.predictions) - 0.75, -0.75))
    axes.axis("off")
