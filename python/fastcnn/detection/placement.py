"""Pictures of any shape as a network takes them, and the way back for what was found in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.io.resize import Method, Picture, resize_image
from fastcnn.ops._dispatch import as_array
from fastcnn.ops.boxes import clip_boxes_to_image

Array = NDArray[np.float32]


class Placement(NamedTuple):
    """Where a picture lies in the input of a network.

    Attributes
    ----------
    size : (int, int)
        Height and width of the picture.
    scale : (float, float)
        By how much its (width, height) grew.
    offset : (int, int)
        The (x, y) of its left upper corner in the input.
    """

    size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[int, int]

    def undo(self, points: Any) -> Array:
        """Bring points from the input to the picture.

        Parameters
        ----------
        points : array, float32, shape (..., 2)
            (x, y) in pixels of the input; a pixel's corner, not its middle, has whole numbers.

        Returns
        -------
        array, float32, shape (..., 2)

        Examples
        --------
        >>> Placement((100, 200), (0.5, 0.5), (0, 25)).undo([50, 50]).tolist()
        [100.0, 50.0]
        """
        p = as_array(points)
        if p.ndim == 0 or p.shape[-1] != 2:
            raise ShapeError(f"undo: points must have shape (..., 2), got {p.shape}")
        moved = (p - np.asarray(self.offset)) / np.asarray(self.scale)
        return np.asarray(moved, np.float32)

    def undo_boxes(self, boxes: Any) -> Array:
        """Bring boxes (x1, y1, x2, y2) from the input to the picture, cut off at its border.

        Parameters
        ----------
        boxes : array, float32, shape (..., 4)

        Returns
        -------
        array, float32, shape (..., 4)

        Examples
        --------
        >>> Placement((100, 200), (0.5, 0.5), (0, 25)).undo_boxes([-5, 25, 50, 75]).tolist()
        [0.0, 0.0, 100.0, 100.0]
        """
        b = as_array(boxes)
        if b.ndim == 0 or b.shape[-1] != 4:
            raise ShapeError(f"undo_boxes: boxes must have shape (..., 4), got {b.shape}")
        corners = self.undo(b.reshape(*b.shape[:-1], 2, 2)).reshape(b.shape)
        return clip_boxes_to_image(corners, self.size)


def letterbox(
    image: Picture,
    size: tuple[int, int],
    *,
    fill: float = 128,
    align: float = 0.5,
    method: Method = "bilinear",
) -> tuple[Picture, Placement]:
    """Make a picture as large as it can be in a given size, and fill the rest.

    Things keep their proportions, which `stretch` changes.

    Parameters
    ----------
    image : array, uint8 or floats, shape (height, width) or (height, width, channels)
    size : (int, int)
        Height and width of the result.
    fill : float, default 128
        What the rest is filled with: Darknet's grey.
    align : float, default 0.5
        Where the picture lies: 0 at the left or top, 0.5 in the middle, 1 at the right or bottom.
    method : str
        As of `fastcnn.io.resize_image`.

    Returns
    -------
    picture : array, of the dtype that `fastcnn.io.resize_image` gives
    placement : Placement

    Raises
    ------
    ShapeError, DTypeError
        `image` is no picture.
    ConfigError
        An argument is out of its range.

    Examples
    --------
    >>> picture, placement = letterbox(np.zeros((50, 200, 3), np.uint8), (100, 100))
    >>> picture[:, 0, 0].tolist() == [128] * 37 + [0] * 25 + [128] * 38
    True
    >>> placement.undo_boxes([0, 37, 100, 62]).tolist()
    [0.0, 0.0, 200.0, 50.0]
    """
    _checks.number("letterbox", "fill", fill)
    _checks.number("letterbox", "align", align, 0.0, 1.0)
    height, width = _size("letterbox", size)
    if np.ndim(image) not in (2, 3) or 0 in np.shape(image):
        raise ShapeError(
            f"letterbox: expected a picture (H, W) or (H, W, C), got {np.shape(image)}"
        )
    old = int(image.shape[0]), int(image.shape[1])
    scale = min(height / old[0], width / old[1])
    # A line of one pixel stays one.
    new = max(round(old[0] * scale), 1), max(round(old[1] * scale), 1)
    small = resize_image(image, new, method)
    top, left = int((height - new[0]) * align), int((width - new[1]) * align)
    picture = np.full((height, width, *small.shape[2:]), fill, small.dtype)
    picture[top : top + new[0], left : left + new[1]] = small
    return picture, Placement(old, (new[1] / old[1], new[0] / old[0]), (left, top))


def stretch(
    image: Picture, size: tuple[int, int], *, method: Method = "bilinear"
) -> tuple[Picture, Placement]:
    """Make a picture of a given size, its proportions whatever they become.

    Parameters
    ----------
    image, size, method
        As of `letterbox`.

    Returns
    -------
    picture, placement
        As of `letterbox`.

    Examples
    --------
    >>> picture, placement = stretch(np.zeros((50, 200, 3), np.uint8), (100, 100))
    >>> placement.undo_boxes([0, 50, 100, 100]).tolist()
    [0.0, 25.0, 200.0, 50.0]
    """
    height, width = _size("stretch", size)
    picture = resize_image(image, (height, width), method)
    old = int(image.shape[0]), int(image.shape[1])
    return picture, Placement(old, (width / old[1], height / old[0]), (0, 0))


def _size(function: str, size: Any) -> tuple[int, int]:
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ConfigError(f"{function}: size: expected (height, width), got {size!r}")
    height, width = (_checks.positive_int(function, "size", side) for side in size)
    return height, width
