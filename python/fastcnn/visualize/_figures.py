"""What all figures have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError
from fastcnn.io._files import StrPath
from fastcnn.io.atomic import atomic_write

INK, GREY = "#1f2933", "#66737f"

_LONGEST = 18


def new_figure(width: float, height: float) -> Any:
    """Make an empty figure, sizes in inches."""
    # Without pyplot: no window, and no state of the caller's is touched.
    figure = import_optional("matplotlib.figure", extra="plot").Figure
    return figure(figsize=(width, height), dpi=120, layout="constrained", facecolor="white")


def quiet(axes: Any) -> None:
    """Leave of a frame what helps to read numbers."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#b8c2ca")
    axes.tick_params(colors=GREY, length=3, labelsize=9)


def saved(figure: Any, path: StrPath | None) -> Any:
    """Write a figure where a path is given; return it."""
    if path is not None:
        with atomic_write(path) as partial:
            try:
                figure.savefig(partial)
            except ValueError as error:  # a suffix that names no format
                raise ConfigError(f"{path}: {error}") from error
    return figure


def shades(picture: NDArray[Any]) -> NDArray[Any]:
    """Bring a picture to the range from 0 to 1."""
    if picture.dtype == np.uint8:
        scaled = picture / 255
    else:
        low, high = float(np.nanmin(picture)), float(np.nanmax(picture))
        if low < 0 or high > 255:
            scaled = (picture - low) / (high - low if high > low else 1)
        else:
            scaled = picture / (1 if high <= 1 else 255)
    return scaled[:, :, 0] if picture.shape[2] == 1 else scaled


def short(name: str) -> str:
    """Cut out the middle of a long name: what tells names apart is often at their end."""
    if len(name) <= _LONGEST:
        return name
    half = _LONGEST // 2
    return f"{name[:half]}…{name[half + 1 - _LONGEST :]}"


def short_and_distinct(names: Sequence[str]) -> list[str]:
    """Cut long names, and number those that look like others then."""
    cut = [short(name) for name in names]
    count = Counter(cut)
    return [
        made if made == name or count[made] == 1 else f"{number} {made}"
        for number, (name, made) in enumerate(zip(names, cut, strict=True))
    ]
