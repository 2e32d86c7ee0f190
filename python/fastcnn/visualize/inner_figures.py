"""Figures of what is inside: maps, filters, patterns, heat over pictures, points, fields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import number, positive_int
from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.io._files import StrPath
from fastcnn.ops._dispatch import as_array
from fastcnn.visualize._figures import GREY, INK, new_figure, quiet, saved, shades, short
from fastcnn.visualize.receptive_fields import ReceptiveField

Picture = NDArray[np.uint8]

_GAP = 1  # pixels between the parts of a mosaic
_SMALLEST = 24  # pixels of the larger side of a part; smaller ones are enlarged
_COLUMNS = 4
_WIDEST = 16  # parts in a row of a mosaic
# Okabe and Ito's colours, which people of any colour vision tell apart; then Matplotlib's.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")


def as_picture(pattern: Any) -> Picture:
    """Make signed patterns visible: zero is grey, the largest magnitudes black and white.

    Parameters
    ----------
    pattern : array, shape (..., h, w, c)
        What `deconvnet`, `guided_backprop` or a signed `saliency` give; also filters. Each is
        scaled by itself, to the magnitude that 0.5 % of its numbers exceed.

    Returns
    -------
    numpy.ndarray
        uint8 of the same shape.

    Examples
    --------
    >>> as_picture(np.array([[[-2.0], [0.0], [2.0]]])).ravel()
    array([  1, 128, 255], dtype=uint8)
    """
    array = as_array(pattern)
    if array.ndim < 3:
        raise ShapeError(f"as_picture: expected shape (..., h, w, c), got {array.shape}")
    if array.size == 0:
        return array.astype(np.uint8)
    reach = np.quantile(np.abs(array), 0.995, axis=(-3, -2, -1), keepdims=True)
    reach = np.where(reach > 0, reach, np.maximum(np.abs(array).max(), 1e-30))
    picture: Picture = (128 + 127 * np.clip(array / reach, -1, 1)).astype(np.uint8)
    return picture


def overlay(picture: Any, heat: Any, *, strength: float = 0.7, colormap: str = "turbo") -> Picture:
    """Lay a heat map over a picture.

    Parameters
    ----------
    picture : array, shape (h, w, 1 | 3 | 4)
        uint8, or floats from 0 to 1 or from 0 to 255.
    heat : array, shape (h, w)
        Its largest number gets the hottest colour, and what is not positive none.
    strength : float, default 0.7
        How much of the picture the hottest colour covers, 0 to 1.
    colormap : str, default "turbo"
        One of Matplotlib's.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (h, w, 3).

    Raises
    ------
    ShapeError
        The sizes differ.
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> overlay(np.zeros((2, 2, 3), np.uint8), np.eye(2)).shape
    (2, 2, 3)
    """
    colours = import_optional("matplotlib", extra="plot").colormaps
    if colormap not in colours:
        raise ConfigError(f"overlay: colormap: expected one of Matplotlib's, got {colormap!r}")
    given, warm = as_array(picture, None), as_array(heat)
    if given.ndim != 3 or given.shape[2] not in (1, 3, 4) or given.shape[:2] != warm.shape:
        raise ShapeError(
            f"overlay: expected a picture and its heat, got shapes {given.shape} and {warm.shape}"
        )
    share = number("overlay", "strength", strength, at_least=0, at_most=1)
    base = np.broadcast_to(np.atleast_3d(shades(given))[..., :3], (*warm.shape, 3))
    top = float(warm.max(initial=0.0))
    level = np.clip(warm / top, 0, 1) if top > 0 else np.zeros_like(warm)
    cover = (share * np.sqrt(level))[..., None]
    mixed = base * (1 - cover) + colours[colormap](level)[..., :3] * cover
    warmed: Picture = (255 * mixed + 0.5).astype(np.uint8)
    return warmed


def mosaic(pictures: Any, columns: int | None = None) -> Picture:
    """Join pictures of one size in rows, with white lines between them.

    Parameters
    ----------
    pictures : array, uint8, shape (n, h, w, c)
    columns : int, optional
        About as many as rows unless given.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (rows * (h + 1) - 1, columns * (w + 1) - 1, c).

    Examples
    --------
    >>> mosaic(np.zeros((5, 2, 2, 3), np.uint8), columns=3).shape
    (5, 8, 3)
    """
    parts = as_array(pictures, "uint8")
    if parts.ndim != 4 or 0 in parts.shape:
        raise ShapeError(f"mosaic: expected pictures of shape (n, h, w, c), got {parts.shape}")
    count, height, width, channels = parts.shape
    across = positive_int("mosaic", "columns", columns or math.ceil(math.sqrt(count)))
    down = -(-count // across)
    whole = np.full((down * across, height + _GAP, width + _GAP, channels), 255, np.uint8)
    whole[:count, :height, :width] = parts
    joined = whole.reshape(down, across, height + _GAP, width + _GAP, channels).swapaxes(1, 2)
    framed: Picture = joined.reshape(down * (height + _GAP), -1, channels)
    return framed[:-_GAP, :-_GAP]


def _enlarged(parts: Picture) -> Picture:
    """Repeat the pixels of small pictures, so that the lines between them stay thin."""
    times = -(-_SMALLEST // max(parts.shape[1:3]))
    return parts.repeat(times, axis=1).repeat(times, axis=2)


def _stretched(maps: NDArray[Any]) -> Picture:
    """Bring each map (n, h, w) to the range from 0 to 255."""
    low = maps.min(axis=(1, 2), keepdims=True)
    spread = maps.max(axis=(1, 2), keepdims=True) - low
    level = (maps - low) / np.where(spread > 0, spread, 1)
    stretched: Picture = (255 * level).astype(np.uint8)
    return stretched


def draw_feature_maps(
    maps: Mapping[str, Any] | Any,
    *,
    picture: int = 0,
    max_maps: int = 32,
    save: StrPath | None = None,
) -> Any:
    """Draw a grid of feature maps for each layer, every map from its darkest to its brightest.

    Parameters
    ----------
    maps : dict of str to array, or array
        What `feature_maps` gives, (n, h, w, c) each; others among them are left out.
    picture : int, default 0
        Which of the n.
    max_maps : int, default 32
        Of each layer, the first.
    save : str or os.PathLike, optional
        A ``.png``, ``.pdf`` or ``.svg`` file to write.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        There are no maps, or not of so many pictures.
    FileAccessError
        The file cannot be written.
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> figure = fc.visualize.draw_feature_maps({"edges": np.random.rand(1, 6, 6, 8)})
    """
    named = maps if isinstance(maps, Mapping) else {"feature maps": maps}
    arrays = {name: as_array(array) for name, array in named.items()}
    shown = {name: array for name, array in arrays.items() if array.ndim == 4}
    most = positive_int("draw_feature_maps", "max_maps", max_maps)
    if not shown or any(not 0 <= picture < len(array) for array in shown.values()):
        raise ShapeError(
            f"draw_feature_maps: expected maps (n, h, w, c) of more than {picture} pictures, got "
            f"{ {name: array.shape for name, array in arrays.items()} }"
        )
    colours = import_optional("matplotlib", extra="plot").colormaps["viridis"]
    grids = []
    for array in shown.values():
        levels = _stretched(array[picture].transpose(2, 0, 1)[:most])
        parts = (255 * colours(levels)[..., :3]).astype(np.uint8)
        grids.append(mosaic(_enlarged(parts), min(len(parts), _WIDEST)))
    heights = [10 * grid.shape[0] / grid.shape[1] + 0.35 for grid in grids]
    figure = new_figure(10, sum(heights))
    places = figure.subplots(len(grids), 1, squeeze=False, height_ratios=heights).ravel()
    for axes, grid, (name, array) in zip(places, grids, shown.items(), strict=True):
        axes.imshow(grid, interpolation="nearest", aspect="equal")
        _title(axes, name, f"{array.shape[1]} x {array.shape[2]} x {array.shape[3]}")
        axes.axis("off")
    return saved(figure, save)


def _title(axes: Any, name: str, more: str = "") -> None:
    axes.set_title(name, loc="left", fontsize=10, fontweight="bold", color=INK)
    if more:
        axes.set_title(more, loc="right", fontsize=9, color=GREY)


def draw_filters(filters: Any, *, save: StrPath | None = None) -> Any:
    """Draw filters as small pictures; those of other than 1 or 3 channels channel by channel.

    Parameters
    ----------
    filters : array, shape (filters, h, w, channels)
        What the function `filters` gives.
    save : str or os.PathLike, optional
        As for `draw_feature_maps`.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> figure = fc.visualize.draw_filters(np.random.randn(16, 7, 7, 3))
    """
    array = as_array(filters)
    if array.ndim != 4 or 0 in array.shape:
        raise ShapeError(f"draw_filters: expected (filters, h, w, channels), got {array.shape}")
    columns = None
    if array.shape[3] not in (1, 3):  # a row for each filter
        array = array[:_WIDEST, ..., : 2 * _WIDEST]
        columns = array.shape[3]
        array = array.transpose(0, 3, 1, 2).reshape(-1, *array.shape[1:3], 1)
    grid = mosaic(_enlarged(as_picture(array)), columns)
    figure = new_figure(6, 6 * grid.shape[0] / grid.shape[1])
    axes = figure.subplots()
    axes.imshow(_grey(grid), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.axis("off")
    return saved(figure, save)


def _grey(picture: NDArray[Any]) -> NDArray[Any]:
    return picture[..., 0] if picture.shape[-1] == 1 else picture


def draw_pictures(
    pictures: Any,
    titles: Sequence[str] | None = None,
    *,
    columns: int = _COLUMNS,
    save: StrPath | None = None,
) -> Any:
    """Draw pictures in a grid, such as patterns, overlays, or what excites units most.

    Parameters
    ----------
    pictures : sequence of array, each of shape (h, w, 1 | 3 | 4)
        uint8, or floats from 0 to 1 or from 0 to 255; of other ranges the smallest becomes black
        and the largest white. Sizes may differ.
    titles : sequence of str, optional
    columns : int, default 4
    save : str or os.PathLike, optional
        As for `draw_feature_maps`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        There is no picture, or not as many titles.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> pattern = np.random.randn(2, 8, 8, 3)
    >>> figure = fc.visualize.draw_pictures(fc.visualize.as_picture(pattern), ["a", "b"])
    """
    arrays = [as_array(picture, None) for picture in pictures]
    names = [""] * len(arrays) if titles is None else [str(title) for title in titles]
    if not arrays or len(names) != len(arrays):
        raise ShapeError(
            f"draw_pictures: expected pictures and as many titles, got {len(arrays)}, {len(names)}"
        )
    for array in arrays:
        if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
            raise ShapeError(f"draw_pictures: expected (h, w, 1 | 3 | 4), got {array.shape}")
    across = min(positive_int("draw_pictures", "columns", columns), len(arrays))
    down = -(-len(arrays) // across)
    tallest = max(array.shape[0] / array.shape[1] for array in arrays)
    figure = new_figure(2.6 * across, (2.6 * min(tallest, 2) + 0.3) * down)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, array, name in zip(grid, arrays, names, strict=False):
        axes.imshow(shades(array), cmap="gray", vmin=0, vmax=1)
        if any(names):
            axes.set_title(name or " ", loc="left", fontsize=9, color=INK)
    return saved(figure, save)


def draw_projection(
    points: Any,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    *,
    save: StrPath | None = None,
) -> Any:
    """Draw points in a plane, those of a class in one colour.

    Parameters
    ----------
    points : array, shape (n, 2)
        What `project` gives.
    labels : array of n integers, optional
    class_names : sequence of str, optional
        Numbers unless given.
    save : str or os.PathLike, optional
        As for `draw_feature_maps`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        There is not a label for each point, or not a name for each label.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> figure = fc.visualize.draw_projection(np.random.rand(6, 2), [0, 0, 0, 1, 1, 1])
    """
    array = as_array(points)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ShapeError(f"draw_projection: expected points (n, 2), got {array.shape}")
    classes = np.zeros(len(array), int) if labels is None else np.asarray(labels).astype(int)
    if classes.shape != (len(array),):
        raise ShapeError(f"draw_projection: expected {len(array)} labels, got {classes.shape}")
    known = np.unique(classes)
    if class_names is not None and len(known) and known.max() >= len(class_names):
        raise ShapeError(f"draw_projection: expected a name for class {known.max()}")
    many = import_optional("matplotlib", extra="plot").colormaps["turbo"]
    figure = new_figure(6.4, 5)
    axes = figure.subplots()
    for place, number_ in enumerate(known):
        chosen = array[classes == number_]
        colour = _COLOURS[place] if len(known) <= len(_COLOURS) else many(place / (len(known) - 1))
        name = str(number_) if class_names is None else short(str(class_names[number_]))
        axes.scatter(chosen[:, 0], chosen[:, 1], s=22, color=colour, label=name, linewidths=0)
    quiet(axes)
    axes.grid(color="#e3e8ec", lw=0.8)
    axes.set_axisbelow(True)
    if labels is not None:
        columns = 1 + (len(known) - 1) // 20
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=9,
                    labelcolor=INK, ncols=columns, handletextpad=0.2)  # fmt: skip
    return saved(figure, save)


def draw_receptive_fields(
    picture: Any, fields: Sequence[ReceptiveField], *, save: StrPath | None = None
) -> Any:
    """Draw over a picture what the middle pixel of each layer sees of it.

    Parameters
    ----------
    picture : array, shape (h, w, 1 | 3 | 4)
        At the size for which the fields were computed.
    fields : sequence of ReceptiveField
        What `receptive_fields` gives, or some of it; of equal ones the first is drawn.
    save : str or os.PathLike, optional
        As for `draw_feature_maps`.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((32, 32, 3)), fc.layers.Conv2D(4, 3)])
    >>> fields = fc.visualize.receptive_fields(model)
    >>> figure = fc.visualize.draw_receptive_fields(np.zeros((32, 32, 3)), fields)
    """
    array = as_array(picture, None)
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ShapeError(f"draw_receptive_fields: expected (h, w, 1 | 3 | 4), got {array.shape}")
    patches = import_optional("matplotlib.patches", extra="plot")
    colours = import_optional("matplotlib", extra="plot").colormaps["turbo"]
    distinct = list({field.size: field for field in reversed(fields)}.values())[::-1]
    figure = new_figure(7.5, 5)
    axes = figure.subplots()
    axes.imshow(shades(array), cmap="gray", vmin=0, vmax=1)
    middle = [side / 2 for side in array.shape[:2]]
    for place, field in enumerate(distinct):
        near = [
            round((at - first) / step) if step else 0
            for at, first, step in zip(middle, field.offset, field.stride, strict=True)
        ]
        top, left, bottom, right = field.box(near[0], near[1])
        colour = colours(0.1 + 0.85 * place / max(1, len(distinct) - 1))
        axes.add_patch(
            patches.Rectangle(
                (left - 0.5, top - 0.5), right - left, bottom - top, fill=False, lw=1.6,
                color=colour, label=f"{field.layer}: {field.size[0]} x {field.size[1]}",
            )
        )  # fmt: skip
    axes.axis("off")
    # The layout keeps room for the legend on the right of the axes. A picture that is narrower than
    # they are goes to their left edge, for in their middle the legend beside it left that room.
    axes.set_anchor("W")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8,
                labelcolor=INK)  # fmt: skip
    return saved(figure, save)
