"""Pictures and their boxes, changed together: placed, mirrored, in other colours.

What happens to a picture is drawn from a generator that belongs to it, so that threads may work on
several at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks
from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError
from fastcnn.io.resize import resize_image

Picture = NDArray[np.uint8]

GREY = 128  # of what no picture covers

# From RGB to luma and two differences of colours (NTSC's YIQ): hue is an angle in the plane of the
# two, saturation a length.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True)
class Augmentation:
    """How pictures are changed at random, and their boxes with them.

    Parameters
    ----------
    flip : {"horizontal", "vertical", "horizontal_and_vertical", None}, default "horizontal"
        Mirror, or not, with equal probability, each way by a decision of its own.
    scale : (float, float), default (0.75, 1.33)
        Show the picture so many times as large as it would fit; a part of it, if it is larger.
    stretch : float, default 1.1
        Width over height grows or shrinks by up to this factor.
    hue : float, default 0.02
        Turn colours by up to this share of the whole circle.
    saturation, value : float, default 1.4
        Make colours more or less vivid, and brighter or darker, by up to this factor.
    min_visible : float, default 0.35
        A box of which a smaller share is left in the picture is not to be found any more, nor is
        it a mistake to find it.

    Raises
    ------
    ConfigError
        Arguments are out of their ranges.

    Examples
    --------
    >>> Augmentation(flip="horizontal_and_vertical", hue=0.0).scale
    (0.75, 1.33)
    """

    flip: str | None = "horizontal"
    scale: tuple[float, float] = (0.75, 1.33)
    stretch: float = 1.1
    hue: float = 0.02
    saturation: float = 1.4
    value: float = 1.4
    min_visible: float = 0.35

    def __post_init__(self) -> None:
        who = "Augmentation"
        flips = ("horizontal", "vertical", "horizontal_and_vertical", None)
        _checks.one_of(who, "flip", self.flip, flips)
        low, high = (_checks.number(who, "scale", v, 0.05, 20.0) for v in self.scale)
        if low > high:
            raise ConfigError(f"{who}: scale: expected the smaller first, got {self.scale}")
        for name in ("stretch", "saturation", "value"):
            _checks.number(who, name, getattr(self, name), at_least=1.0, at_most=10.0)
        _checks.number(who, "hue", self.hue, 0.0, 0.5)
        _checks.number(who, "min_visible", self.min_visible, 0.0, 1.0)

    def __call__(
        self,
        picture: Picture,
        boxes: NDArray[np.float64],
        size: tuple[int, int],
        random: np.random.Generator,
    ) -> tuple[Picture, NDArray[np.float64], NDArray[np.float64]]:
        """Change a picture.

        Parameters
        ----------
        picture : array, uint8, shape (h, w, 3)
        boxes : array, shape (n, 4)
            (x1, y1, x2, y2) in its pixels.
        size : (int, int)
            The height and the width that are wanted.
        random : numpy.random.Generator

        Returns
        -------
        picture : array, uint8, of that size
        boxes : array, shape (n, 4)
            What is seen of them.
        visible : array, shape (n,)
            The share that is seen of each.
        """
        h, w = picture.shape[:2]
        height, width = size
        fit = min(width / w, height / h)
        low, high = (math.log(v) for v in self.scale)
        zoom = fit * math.exp(random.uniform(low, high))
        shape = math.exp(random.uniform(-1, 1) * math.log(self.stretch) / 2)
        full_w, full_h = w * zoom * shape, h * zoom / shape
        left, top = (
            random.uniform(min(free, 0), max(free, 0)) for free in (width - full_w, height - full_h)
        )
        colours = self._colours(random)
        across, down = random.integers(0, 2, 2)
        picture, boxes, visible = place(picture, boxes, size, (left, top, full_w, full_h))
        if colours is not None:
            picture = recolour(picture, colours)
        flip = self.flip or ""
        if across and "horizontal" in flip:
            picture = picture[:, ::-1]
            boxes = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [width, 0, width, 0]
        if down and "vertical" in flip:
            picture = picture[::-1]
            boxes = boxes[:, [0, 3, 2, 1]] * [1, -1, 1, -1] + [0, height, 0, height]
        return picture, boxes, visible

    def _colours(self, random: np.random.Generator) -> NDArray[np.float64] | None:
        """Draw a matrix (3, 3) that turns colours into others."""
        angle = 2 * math.pi * self.hue * random.uniform(-1, 1)
        vivid, bright = (
            math.exp(random.uniform(-1, 1) * math.log(v)) for v in (self.saturation, self.value)
        )
        if angle == 0 and vivid == bright == 1:
            return None
        c, s = vivid * math.cos(angle), vivid * math.sin(angle)
        turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        matrix: NDArray[np.float64] = bright * np.linalg.inv(_TO_YIQ) @ turn @ _TO_YIQ
        return matrix


def place(
    picture: Picture,
    boxes: NDArray[np.float64],
    size: tuple[int, int],
    where: tuple[float, float, float, float],
) -> tuple[Picture, NDArray[np.float64], NDArray[np.float64]]:
    """Show a picture in a rectangle of another, which may be larger, with grey around it.

    Parameters
    ----------
    picture : array, uint8, shape (h, w, 3)
    boxes : array, shape (n, 4)
        In its pixels.
    size : (int, int)
        Height and width of the result.
    where : (float, float, float, float)
        Left, top, width and height of the rectangle; the nearest is taken that begins and ends at
        borders of pixels.

    Returns
    -------
    picture, boxes, visible
        As of `Augmentation`.
    """
    (h, w), (height, width) = picture.shape[:2], size
    left, top, full_w, full_h = where
    x0, x1, out_x0, out_x1 = _span(w, width, left, full_w)
    y0, y1, out_y0, out_y1 = _span(h, height, top, full_h)
    part = resize_image(picture[y0:y1, x0:x1], (out_y1 - out_y0, out_x1 - out_x0))
    if part.shape[:2] != (height, width):
        room = np.full((height, width, picture.shape[2]), GREY, np.uint8)
        room[out_y0:out_y1, out_x0:out_x1] = part
        part = room
    step_x, step_y = (out_x1 - out_x0) / (x1 - x0), (out_y1 - out_y0) / (y1 - y0)
    corner, out_corner = np.array([x0, y0] * 2), np.array([out_x0, out_y0] * 2)
    moved = (boxes - corner) * np.array([step_x, step_y] * 2) + out_corner
    seen = np.clip(moved, 0, [width, height, width, height])
    areas = (moved[:, 2:] - moved[:, :2]).prod(1)
    visible = (seen[:, 2:] - seen[:, :2]).prod(1) / np.maximum(areas, 1e-12)
    return part, seen, visible


def _span(length: int, room: int, start: float, full: float) -> tuple[int, int, int, int]:
    """Which pixels of an axis are shown, and between which pixels of the result."""
    step = full / length
    first = min(max(math.floor(-start / step), 0), length - 1)
    last = max(min(math.ceil((room - start) / step), length), first + 1)
    begin = min(max(round(start + first * step), 0), room - 1)
    end = max(min(round(start + last * step), room), begin + 1)
    return first, last, begin, end


def recolour(picture: Picture, matrix: Any) -> Picture:
    """Multiply each pixel's colours with a matrix (3, 3), rounded and kept in 0 to 255."""
    pillow = import_optional("PIL.Image", extra="images")
    rows = np.concatenate([np.asarray(matrix, np.float64), np.zeros((3, 1))], axis=1)
    changed = pillow.fromarray(np.ascontiguousarray(picture)).convert("RGB", rows.ravel().tolist())
    return np.asarray(changed)
