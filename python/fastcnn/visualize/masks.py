"""Masks over pictures: colours of classes, overlays and legends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import number
from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.io.masks import Colours, checked_palette, voc_palette

__all__ = ["draw_legend", "draw_segmentation_masks", "palette"]

Picture = NDArray[np.uint8]

_ROWS = 256  # drawn at once: floats take four times the room of pixels

# G. J. Brostow, J. Fauqueur, R. Cipolla: Semantic object classes in video (2009); the classes and
# colours of V. Badrinarayanan, A. Kendall, R. Cipolla: SegNet (2015). The last is void.
CAMVID_CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian",
    "bicyclist",
)  # fmt: skip
_CAMVID = (
    (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
    (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192), (0, 0, 0),
)  # fmt: skip

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa",
    "train", "tv/monitor",
)  # fmt: skip

_PALETTES = {"camvid": np.array(_CAMVID, np.uint8), "voc": voc_palette()}


def palette(name: str) -> Picture:
    """Give the colours of the classes of a well-known data set.

    Parameters
    ----------
    name : {"camvid", "voc"}
        CamVid's eleven classes and void, as SegNet has them; Pascal VOC's, which go on to 256.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (classes, 3).

    Raises
    ------
    ConfigError
        There is none of this name.

    Examples
    --------
    >>> palette("camvid")[3].tolist()
    [128, 64, 128]
    """
    if name not in _PALETTES:
        raise ConfigError(f"palette: expected one of {', '.join(_PALETTES)}, got {name!r}")
    colours: Picture = _PALETTES[name].copy()
    return colours


def draw_segmentation_masks(
    image: Any, masks: Any, alpha: float = 0.8, colors: str | Colours | None = None
) -> Picture:
    """Colour the classes of a picture.

    Parameters
    ----------
    image : array, uint8, shape (h, w, 3) or (h, w, 1)
    masks : array of integers, shape (h, w), or of bool, shape (h, w) or (n, h, w)
        The class of each pixel; or where each of n things is, of which later ones lie on top.
    alpha : float, default 0.8
        From 0, the picture alone, to 1, the colours alone.
    colors : str or array of shape (n, 3), optional
        What `palette` knows, or colours from 0 to 255; those of Pascal VOC unless given, of which
        things have the second and following. Classes beyond them stay as they are: so void can.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (h, w, 3).

    Raises
    ------
    DTypeError, ShapeError, ConfigError
        The arguments are no such things, or the sizes differ.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> image, mask = np.full((1, 2, 3), 200, np.uint8), np.array([[0, 1]])
    >>> fc.visualize.draw_segmentation_masks(image, mask, 0.5, [[0, 0, 0], [100, 0, 0]]).tolist()
    [[[100, 100, 100], [150, 100, 100]]]
    """
    who = "draw_segmentation_masks"
    picture = _picture(who, image)
    alpha = number(who, "alpha", alpha, at_least=0, at_most=1)
    masks = np.asarray(masks)
    things = masks.dtype == bool
    if masks.dtype.kind not in "iub":
        raise DTypeError(f"{who}: expected masks of integers or bool, got {masks.dtype}")
    if masks.ndim not in ((2, 3) if things else (2,)) or masks.shape[-2:] != picture.shape[:2]:
        raise ShapeError(
            f"{who}: expected masks of the picture's {picture.shape[:2]} pixels, got shape "
            f"{masks.shape}"
        )
    chosen = _colours(who, colors)
    if things:
        chosen = chosen[1:] if colors is None else chosen
        labels = np.full(picture.shape[:2], -1)
        for i, mask in enumerate(masks.reshape(-1, *picture.shape[:2])):
            labels[mask] = i % len(chosen)
    else:
        labels = masks
    drawn: Picture = picture.copy()
    for top in range(0, len(picture), _ROWS):
        numbers, below = labels[top : top + _ROWS], picture[top : top + _ROWS]
        coloured = (numbers >= 0) & (numbers < len(chosen))
        painted = chosen[np.where(coloured, numbers, 0)].astype(np.float32)
        mixed = np.rint(below + np.float32(alpha) * (painted - below)).astype(np.uint8)
        np.copyto(drawn[top : top + _ROWS], mixed, where=coloured[..., None])
    return drawn


def draw_legend(
    image: Any, class_names: Sequence[str], colors: str | Colours | None = None
) -> Picture:
    """Add below a picture what its colours stand for.

    Parameters
    ----------
    image : array, uint8, shape (h, w, 3) or (h, w, 1)
    class_names : sequence of str
        Empty names are left out.
    colors : str or array of shape (n, 3), optional
        As of `draw_segmentation_masks`.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (h + height of the legend, w, 3).

    Raises
    ------
    DTypeError, ShapeError, ConfigError
        The arguments are no such things, or there are fewer colours than names.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> image = np.zeros((40, 200, 3), np.uint8)
    >>> drawn = fc.visualize.draw_legend(image, ["road", "car"], [[128, 64, 128], [64, 0, 128]])
    >>> drawn.shape[0] > 40 and drawn.shape[1] == 200
    True
    """
    picture = _picture("draw_legend", image)
    chosen = _colours("draw_legend", colors)
    if len(class_names) > len(chosen):
        raise ConfigError(
            f"draw_legend: expected a colour for each of {len(class_names)} names, got "
            f"{len(chosen)}"
        )
    pillow = import_optional("PIL.Image", extra="images")
    draw_on = import_optional("PIL.ImageDraw", extra="images").Draw
    font = import_optional("PIL.ImageFont", extra="images").load_default()
    width = picture.shape[1]
    measure = draw_on(pillow.new("RGB", (1, 1)))
    line, gap = 18, 6
    # Rows of squares with names, as many as fit.
    places: list[tuple[int, int, int, str]] = []
    x, y = gap, gap
    for i, name in enumerate(class_names):
        if not name:
            continue
        needed = line + int(measure.textlength(name, font=font)) + 2 * gap
        if x > gap and x + needed > width:
            x, y = gap, y + line
        places.append((x, y, i, name))
        x += needed
    strip = pillow.new("RGB", (width, y + line + gap), (255, 255, 255))
    draw = draw_on(strip)
    for x, y, i, name in places:
        colour = tuple(int(level) for level in chosen[i])
        draw.rectangle((x, y + 2, x + 11, y + 13), fill=colour, outline=(90, 90, 90))
        draw.text((x + line, y + 2), name, fill=(31, 41, 51), font=font)
    drawn: Picture = np.concatenate([picture, np.asarray(strip, np.uint8)])
    return drawn


def _picture(who: str, image: Any) -> Picture:
    picture = np.asarray(image)
    if picture.dtype != np.uint8:
        raise DTypeError(f"{who}: expected a picture of uint8, got {picture.dtype}")
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or 0 in picture.shape:
        raise ShapeError(f"{who}: expected a picture (h, w, 3) or (h, w, 1), got {picture.shape}")
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def _colours(who: str, colors: Any) -> Picture:
    if colors is None:
        return palette("voc")
    return palette(colors) if isinstance(colors, str) else checked_palette(who, colors)
