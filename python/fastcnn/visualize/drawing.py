"""Boxes and points drawn into pictures, with torchvision's names. Pillow draws."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks
from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.ops._dispatch import as_array

Image = NDArray[np.uint8]
Color = str | tuple[int, int, int]

# Lines and letters are so wide, in shares of the picture's shorter side, and never less.
_LINE, _THINNEST = 1 / 250, 2
_LETTERS, _SMALLEST = 1 / 32, 11
_FAR = 1e6  # beyond it Pillow's integers may overflow


def class_color(label: int) -> tuple[int, int, int]:
    """Choose a colour that is the same for a class in all pictures, and unlike its neighbours'.

    Examples
    --------
    >>> class_color(0), class_color(1)
    ((255, 56, 56), (56, 255, 114))
    """
    # The golden angle: any number of hues in a row lie far apart.
    hue = label * 0.381966 % 1.0
    value = (1.0, 0.9, 0.75)[label // 12 % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.78, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_bounding_boxes(
    image: Any,
    boxes: Any,
    labels: Sequence[str | None] | None = None,
    colors: Sequence[Color] | Color | None = None,
    fill: bool = False,
    width: int | None = None,
    font: str | None = None,
    font_size: int | None = None,
) -> Image:
    """Draw boxes and what they hold.

    Parameters
    ----------
    image : array, uint8, shape (height, width, 3) or (height, width, 1)
        It stays as it is.
    boxes : array, shape (n, 4)
        (x1, y1, x2, y2) in pixels; those that are not finite or have no area are left out.
    labels : sequence of str or None, optional
        A text for each box.
    colors : color or sequence of them, optional
        Names, "#rrggbb" or (red, green, blue), one for each box or one for all; unless given, one
        for each text (without what follows the last blank: that may be a score).
    fill : bool, default False
        Whether the inside of boxes is tinted.
    width : int, optional
        Of the lines in pixels; as the picture's size asks for unless given.
    font : str, optional
        A TrueType file; Pillow's own letters unless given.
    font_size : int, optional
        In pixels; as the picture's size asks for unless given.

    Returns
    -------
    array, uint8, shape (height, width, 3)

    Raises
    ------
    ShapeError, DTypeError
        The picture or the boxes are none.
    ConfigError
        Labels or colours are not as many as boxes, or a colour or font is not known.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import fastcnn as fc
    >>> picture = np.zeros((60, 80, 3), np.uint8)
    >>> drawn = fc.visualize.draw_bounding_boxes(picture, [[10, 20, 40, 50]], colors="red", width=1)
    >>> drawn[20, 30].tolist(), drawn[30, 30].tolist()
    ([255, 0, 0], [0, 0, 0])
    """
    name = "draw_bounding_boxes"
    canvas, pen = _start(name, image)
    corners = as_array(boxes)
    if corners.ndim != 2 or corners.shape[1] != 4:
        if corners.size:
            raise ShapeError(f"{name}: boxes must have shape (n, 4), got {corners.shape}")
        corners = corners.reshape(0, 4)
    texts = list(labels) if labels is not None else [None] * len(corners)
    if len(texts) != len(corners):
        raise ConfigError(f"{name}: expected {len(corners)} labels, got {len(texts)}")
    chosen = _colors(name, colors, texts)
    side = min(canvas.size)
    line = _width(name, width, side)
    letters = _font(name, font, font_size, side)
    right, bottom = canvas.size[0] - 1, canvas.size[1] - 1
    drawn = [
        (box, color, text)
        for box, color, text in zip(corners.tolist(), chosen, texts, strict=True)
        if np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1]
    ]
    for box, color, _ in drawn:
        box = np.clip(box, -_FAR, _FAR).tolist()
        pen.rectangle(box, fill=(*color, 80) if fill else None, outline=color, width=line)
    for box, color, text in drawn:  # over all lines
        if text is None:
            continue
        left, top, wide, high = pen.textbbox((0, 0), text, font=letters)
        pad = max(line // 2, 1)
        wide, high = wide - left + 2 * pad, high - top + 2 * pad
        # Above the box if there is room, else inside of it; never outside of the picture.
        x = min(max(box[0], 0), max(right - wide, 0))
        y = box[1] - high if box[1] >= high else max(box[1], 0)
        y = min(y, max(bottom - high, 0))
        pen.rectangle((x, y, x + wide, y + high), fill=color)
        pen.text((x + pad - left, y + pad - top), text, fill=_ink(color), font=letters)
    return np.array(canvas.convert("RGB"))


def draw_keypoints(
    image: Any,
    keypoints: Any,
    connectivity: Sequence[tuple[int, int]] | None = None,
    colors: Color | None = None,
    radius: int | None = None,
    width: int | None = None,
) -> Image:
    """Draw points, such as landmarks of faces, and lines between them.

    Parameters
    ----------
    image : array, uint8, shape (height, width, 3) or (height, width, 1)
        It stays as it is.
    keypoints : array, shape (n, k, 2)
        The (x, y) in pixels of k points of each of n things; those not finite are left out.
    connectivity : sequence of (int, int), optional
        Which points of a thing are joined.
    colors : color, optional
        Of all points; unless given, one for each of the k.
    radius, width : int, optional
        Of points and lines in pixels; as the picture's size asks for unless given.

    Returns
    -------
    array, uint8, shape (height, width, 3)

    Raises
    ------
    ShapeError, DTypeError
        The picture or the points are none.
    ConfigError
        A colour is not known, or `connectivity` names a point there is not.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import fastcnn as fc
    >>> picture = np.zeros((60, 80, 3), np.uint8)
    >>> drawn = fc.visualize.draw_keypoints(picture, [[[20, 30], [50, 30]]], [(0, 1)], "yellow")
    >>> drawn[30, 20].tolist(), drawn[30, 35].tolist()
    ([255, 255, 0], [255, 255, 0])
    """
    name = "draw_keypoints"
    canvas, pen = _start(name, image)
    points = as_array(keypoints)
    if points.ndim != 3 or points.shape[2] != 2:
        raise ShapeError(f"{name}: keypoints must have shape (n, k, 2), got {points.shape}")
    count = points.shape[1]
    if colors is None:
        chosen = [class_color(i) for i in range(count)]
    else:
        chosen = [_color(name, colors)] * count
    side = min(canvas.size)
    line = _width(name, width, side)
    dot = line if radius is None else _checks.positive_int(name, "radius", radius)
    pairs = [(int(a), int(b)) for a, b in connectivity or ()]
    if any(not 0 <= i < count for pair in pairs for i in pair):
        raise ConfigError(f"{name}: connectivity: expected indices of {count} points, got {pairs}")
    for thing in points.tolist():
        seen = [np.isfinite(p).all() and np.abs(p).max() < _FAR for p in thing]
        for a, b in pairs:
            if seen[a] and seen[b]:
                pen.line((*thing[a], *thing[b]), fill=chosen[a], width=line)
        for (x, y), color, visible in zip(thing, chosen, seen, strict=True):
            if visible:
                pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=color)
    return np.array(canvas.convert("RGB"))


def _start(name: str, image: Any) -> tuple[Any, Any]:
    """A picture of Pillow to draw to, and what draws."""
    array = image if isinstance(image, np.ndarray) else as_array(image, None)
    if array.dtype != np.uint8:
        raise DTypeError(f"{name}: expected a picture of uint8, got {array.dtype}")
    if array.ndim != 3 or array.shape[2] not in (1, 3) or 0 in array.shape:
        raise ShapeError(
            f"{name}: expected a picture (height, width, 3) or (height, width, 1), got "
            f"{array.shape}"
        )
    pillow = import_optional("PIL.Image", extra="images")
    draw = import_optional("PIL.ImageDraw", extra="images")
    canvas = pillow.fromarray(np.broadcast_to(array, (*array.shape[:2], 3)).copy())
    return canvas, draw.Draw(canvas, "RGBA")


def _width(name: str, width: int | None, side: int) -> int:
    if width is None:
        return max(round(side * _LINE), _THINNEST)
    return _checks.positive_int(name, "width", width)


def _font(name: str, font: str | None, font_size: int | None, side: int) -> Any:
    size = max(round(side * _LETTERS), _SMALLEST) if font_size is None else font_size
    _checks.positive_int(name, "font_size", size)
    fonts = import_optional("PIL.ImageFont", extra="images")
    try:
        return fonts.load_default(size) if font is None else fonts.truetype(font, size)
    except TypeError:  # before Pillow 10.1 its own letters have one size
        return fonts.load_default()
    except OSError as error:
        raise ConfigError(f"{name}: font: {font} cannot be read: {error}") from error


def _color(name: str, color: Any) -> tuple[int, int, int]:
    colors = import_optional("PIL.ImageColor", extra="images")
    if isinstance(color, str):
        try:
            red, green, blue = colors.getrgb(color)[:3]
        except ValueError as error:
            raise ConfigError(f"{name}: colors: {error}") from error
        return red, green, blue
    if isinstance(color, (tuple, list)) and len(color) == 3:
        red, green, blue = (int(_checks.number(name, "colors", v, 0, 255)) for v in color)
        return red, green, blue
    raise ConfigError(f"{name}: colors: expected a name or (red, green, blue), got {color!r}")


def _colors(name: str, colors: Any, texts: Sequence[str | None]) -> list[tuple[int, int, int]]:
    if colors is None:
        kinds = [(text or "").rpartition(" ")[0] or text for text in texts]
        known = {kind: i for i, kind in enumerate(dict.fromkeys(kinds))}
        return [class_color(known[kind]) for kind in kinds]
    one = isinstance(colors, str) or (
        len(colors) == 3 and all(isinstance(v, (int, np.integer)) for v in colors)
    )
    if one:
        return [_color(name, colors)] * len(texts)
    if len(colors) != len(texts):
        raise ConfigError(f"{name}: expected {len(texts)} colors, got {len(colors)}")
    return [_color(name, color) for color in colors]


def _ink(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever is read more easily on a colour."""
    red, green, blue = color
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
