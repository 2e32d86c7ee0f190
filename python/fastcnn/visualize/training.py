"""Curves of training, confusion matrices, and examples with what was seen in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.io._files import StrPath
from fastcnn.layers._arguments import positive_int
from fastcnn.ops._dispatch import as_array
from fastcnn.visualize._figures import (
    GREY,
    INK,
    new_figure,
    quiet,
    saved,
    shades,
    short,
    short_and_distinct,
)

# Okabe and Ito's blue and vermilion, which people of any colour vision tell apart.
_TRAINING, _VALIDATION = "#0072b2", "#d55e00"

_COLUMNS = 3
_MOST_CELLS = 50  # more classes than this leave no room for numbers, nor for all names
_SMALLEST = 4.5  # points of a letter that can be read

Classes = NDArray[np.intp]


def history(
    history: Any, metrics: Sequence[str] | None = None, *, save: StrPath | None = None
) -> Any:
    """Draw the loss and the metrics of every epoch.

    Parameters
    ----------
    history : History or dict of str to list of float
        What `Model.fit` returned. Of a dict, a curve with fewer numbers than others is taken for
        one that was measured every so many epochs.
    metrics : sequence of str, optional
        Such as ``["loss", "accuracy"]``; all of them unless given.
    save : str or os.PathLike, optional
        A ``.png``, ``.pdf`` or ``.svg`` file to write.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        There is nothing to draw.
    FileAccessError
        The file cannot be written.
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> import fastcnn as fc
    >>> curves = {"loss": [2.1, 1.2, 0.7], "val_loss": [2.0, 1.4, 1.1]}
    >>> figure = fc.visualize.history(curves, save="history.png")
    """
    curves: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    if not isinstance(curves, Mapping):
        raise DTypeError(f"history: expected a History or a dict, got {type(history).__name__}")
    names = [name for name in curves if name.removeprefix("val_") == name]
    names += [name[4:] for name in curves if name.startswith("val_") and name[4:] not in curves]
    names = [name for name in names if name != "learning_rate" or _changes(curves[name])]
    if metrics is not None:
        unknown = [name for name in metrics if name not in names]
        if unknown:
            raise ConfigError(f"history: expected metrics among {names}, got {unknown}")
        names = list(metrics)
    if not names or not any(len(curve) for curve in curves.values()):
        raise ConfigError("history: expected at least one epoch")
    columns = min(len(names), _COLUMNS)
    rows = -(-len(names) // columns)
    figure = new_figure(4.4 * columns, 3.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        _draw_curves(axes, name, history, curves)
    for axes in grid[len(names) :]:
        axes.axis("off")
    return saved(figure, save)


def _changes(values: Sequence[float]) -> bool:
    return any(value != values[0] for value in values)


def _epochs(history: Any, curves: Mapping[str, Sequence[float]], key: str) -> NDArray[np.intp]:
    """The epochs, counted from 1, that the numbers of a curve are of."""
    count = len(curves[key])
    known = getattr(history, "epochs", {}).get(key, ())
    if len(known) != count:  # a dict, Keras' own History, or lists that were joined
        longest = max(map(len, curves.values()))
        places = getattr(history, "epoch", ())
        places = places if len(places) == longest else range(longest)
        every = longest // count
        known = places[every - 1 :: every][:count]
    return np.asarray(known, np.intp) + 1


def _draw_curves(axes: Any, name: str, history: Any, curves: Mapping[str, Sequence[float]]) -> None:
    ticker = import_optional("matplotlib.ticker", extra="plot")
    shown = []
    for key, label, colour, style in (
        (name, "training", _TRAINING, "-"),
        (f"val_{name}", "validation", _VALIDATION, "--"),
    ):
        values = np.asarray(curves.get(key, ()), float)
        if values.size:
            marker = "o" if len(values) <= 12 else None
            steps = "steps-mid" if name == "learning_rate" else "default"
            axes.plot(
                _epochs(history, curves, key),
                values,
                style,
                drawstyle=steps,
                color=colour,
                label=label,
                marker=marker,
                ms=4,
                lw=1.8,
            )
            shown.append((label, colour, values[-1]))
    axes.set_xlim(left=max(axes.get_xlim()[0], 0.5))  # there is no epoch 0
    axes.set_title(name.replace("_", " "), loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel("epoch", color=GREY)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    if name == "learning_rate":
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(axis="y", color="#e3e8ec", lw=0.8)
    axes.set_axisbelow(True)
    quiet(axes)
    if len(shown) > 1:
        axes.legend(frameon=False, fontsize=9, labelcolor=INK, handlelength=2.4)


def confusion_matrix(
    y_true: Any,
    y_pred: Any,
    class_names: Sequence[str] | None = None,
    *,
    save: StrPath | None = None,
) -> Any:
    """Draw how often each class was taken for each.

    Parameters
    ----------
    y_true : array
        Classes as numbers, or one-hot.
    y_pred : array
        Classes as numbers, or what the model gives for each class; of one output for two
        classes, a probability.
    class_names : sequence of str, optional
        Numbers unless given.
    save : str or os.PathLike, optional
        A ``.png``, ``.pdf`` or ``.svg`` file to write.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError
        The arrays are not classes, or differ in their number.
    FileAccessError
        The file cannot be written.
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> import fastcnn as fc
    >>> figure = fc.visualize.confusion_matrix([0, 1, 1], [0, 1, 0], ["cat", "dog"])
    """
    true, seen, _ = _both("confusion_matrix", y_true, y_pred)
    names = _names("confusion_matrix", class_names, true, seen)
    count = len(names)
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (true, seen), 1)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)

    side = min(max(2.6 + 0.42 * count, 4.2), 14)
    figure = new_figure(side + 0.6, side)
    axes = figure.subplots()
    picture = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(picture, ax=axes, fraction=0.045, pad=0.03, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0 %", "50 %", "100 %"], fontsize=8, color=GREY)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    cell = 72 * (side - 2) / count  # about so many points wide, beside the names
    size = min(10, 1.4 * cell / len(str(table.max())))
    if count <= _MOST_CELLS and size >= _SMALLEST:
        for (row, column), number in np.ndenumerate(table):
            if number:
                colour = "white" if share[row, column] > 0.55 else INK
                axes.text(
                    column, row, str(number), ha="center", va="center", color=colour, fontsize=size
                )
    places = range(count) if count <= _MOST_CELLS else range(0, count, -(-count // 25))
    cut = short_and_distinct(names)
    labels = [cut[i] for i in places]
    size = min(9, max(6, 0.4 * cell))
    upright = max(map(len, labels)) <= 3
    axes.set_xticks(places, labels, fontsize=size, rotation=0 if upright else 45,
                    ha="center" if upright else "right", rotation_mode="anchor")  # fmt: skip
    axes.set_yticks(places, labels, fontsize=size)
    axes.set_xlabel("seen", color=GREY)
    axes.set_ylabel("true", color=GREY)
    right = int(np.trace(table))
    axes.set_title(
        f"{right} of {len(true)} right: {right / max(len(true), 1):.1%}",
        loc="left", fontsize=11, fontweight="bold", color=INK,
    )  # fmt: skip
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=min(1.2, cell / 25))
    axes.tick_params(which="both", length=0, colors=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return saved(figure, save)


def examples(
    images: Any,
    y_true: Any,
    y_pred: Any,
    class_names: Sequence[str] | None = None,
    wrong_only: bool = True,
    *,
    max_examples: int = 20,
    title: str | None = None,
    save: StrPath | None = None,
) -> Any:
    """Draw pictures with what was seen in them and what they are.

    Parameters
    ----------
    images : array
        Of shape (n, height, width, 1 | 3 | 4): uint8, or floats from 0 to 1 or from 0 to 255; of
        other ranges the smallest becomes black and the largest white.
    y_true, y_pred, class_names
        As of `confusion_matrix`.
    wrong_only : bool, default True
        Only those in which the wrong thing was seen; the surest first, where probabilities are
        given.
    max_examples : int, default 20
    title : str, optional
        How many are wrong, or right, unless given.
    save : str or os.PathLike, optional
        A ``.png``, ``.pdf`` or ``.svg`` file to write.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError
        The arrays are not pictures and classes, or differ in their number.
    FileAccessError
        The file cannot be written.
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> images = np.zeros((3, 8, 8, 3), np.uint8)
    >>> figure = fc.visualize.examples(images, [0, 1, 1], [0, 1, 0], ["cat", "dog"])
    """
    true, seen, sure = _both("examples", y_true, y_pred)
    names = _names("examples", class_names, true, seen)
    pictures = as_array(images, None)
    if pictures.ndim != 4 or pictures.shape[3] not in (1, 3, 4) or len(pictures) != len(true):
        raise ShapeError(
            f"examples: expected {len(true)} pictures, shape (n, height, width, 1 | 3 | 4), got "
            f"{pictures.shape}"
        )
    shown = np.flatnonzero(true != seen) if wrong_only else np.arange(len(true))
    found = len(shown)
    if wrong_only and sure is not None:
        shown = shown[np.argsort(-sure[shown], kind="stable")]
    shown = shown[: positive_int("examples", "max_examples", max_examples)]

    columns = min(max(len(shown), 3), 5)
    rows = max(-(-len(shown) // columns), 1)
    figure = new_figure(2.0 * columns, 2.55 * rows + 0.45)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.08)
    if title is None:
        few = "" if len(shown) in (found, 0) else f", {len(shown)} of them here"
        what, count = ("wrong", found) if wrong_only else ("right", int((true == seen).sum()))
        title = f"{count} of {len(true)} {what}{few}"
    figure.suptitle(
        title,
        x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK,
    )  # fmt: skip
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, index in zip(grid, shown, strict=False):
        picture = shades(pictures[index])
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        certainty = "" if sure is None else f" ({sure[index]:.0%})"
        right = true[index] == seen[index]
        mark, colour = ("✓", _TRAINING) if right else ("✗", _VALIDATION)
        text = {"xy": (0, 0), "xycoords": "axes fraction", "textcoords": "offset points",
                "ha": "left", "va": "top", "fontsize": 9}  # fmt: skip
        axes.annotate(
            f"{mark} {short(names[seen[index]])}{certainty}",
            xytext=(0, -3), color=colour, fontweight="bold", **text,
        )  # fmt: skip
        # Also where it is empty, so that all rows are equally high.
        axes.annotate(
            " " if right else f"is {short(names[true[index]])}",
            xytext=(0, -16), color=GREY, **text,
        )  # fmt: skip
    return saved(figure, save)


def _both(who: str, y_true: Any, y_pred: Any) -> tuple[Classes, Classes, NDArray[Any] | None]:
    """Give true and seen classes, and how sure of it the model was, if it is known."""
    true, _ = _classes(who, "y_true", y_true)
    seen, sure = _classes(who, "y_pred", y_pred)
    if len(true) != len(seen):
        raise ShapeError(f"{who}: expected as many y_true as y_pred, got {len(true)}, {len(seen)}")
    return true, seen, sure


def _classes(who: str, name: str, given: Any) -> tuple[Classes, NDArray[Any] | None]:
    array = as_array(given, None)
    if array.ndim == 2 and array.shape[1] > 1:
        best = array.max(1)
        probable = array.min(initial=0) >= 0 and array.max(initial=0) <= 1 + 1e-3
        return array.argmax(1), best if probable else None
    array = array.reshape(-1) if array.ndim == 2 else array
    if array.ndim != 1:
        raise ShapeError(f"{who}: {name}: expected shape (n,) or (n, classes), got {array.shape}")
    whole = array.dtype.kind in "iub" or (array == np.floor(array)).all()
    if not whole and array.min() >= 0 and array.max() <= 1:  # of one output for two classes
        return (array > 0.5).astype(np.intp), np.maximum(array, 1 - array)
    if not whole or (array < 0).any():
        raise DTypeError(f"{who}: {name}: expected classes as integers >= 0, or probabilities")
    return array.astype(np.intp), None


def _names(who: str, given: Sequence[str] | None, true: Classes, seen: Classes) -> list[str]:
    count = int(max(true.max(initial=0), seen.max(initial=0))) + 1
    if given is None:
        return [str(i) for i in range(count)]
    if len(given) < count:
        raise ShapeError(f"{who}: class_names: expected at least {count} names, got {len(given)}")
    return [str(name) for name in given]
