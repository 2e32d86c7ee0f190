"""What lies in boxes of pictures, at one size."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn.errors import ShapeError
from fastcnn.ops._dispatch import apply_op
from fastcnn.ops._shape import shape_of
from fastcnn.ops._window import SizeLike
from fastcnn.ops.manipulation import reshape, slice

__all__ = ["roi_align"]


def roi_align(
    x: Any,
    boxes: Any,
    output_size: SizeLike,
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = False,
    *,
    box_indices: Any = None,
    mode: str = "avg",
) -> Any:
    """Cut boxes out of pictures, each at the same size, by averages of bilinear samples.

    Parameters
    ----------
    x : array, float32, shape (n, h, w, c)
    boxes : array, float32, shape (k, 4) or (k, 5)
        (x1, y1, x2, y2), after the number of the picture in the second form.
    output_size : int or (int, int)
        oh and ow.
    spatial_scale : float
        Pixels of `x` for each unit of the boxes.
    sampling_ratio : int
        Samples of an output along each axis; 0 or less: one for each pixel that it covers.
    aligned : bool
        Whether the centre of a pixel, and not its corner, lies at whole coordinates.
    box_indices : array of integers, shape (k,), optional
        The picture of each box of the first form; the first by default.
    mode : {"avg", "max"}
        What becomes of an output's samples.

    Returns
    -------
    array, float32, shape (k, oh, ow, c)

    Raises
    ------
    ShapeError
        If the boxes have another shape.
    ConfigError
        If the sizes are not positive.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> fc.ops.roi_align(x, [[0, 0, 2, 4]], 2, aligned=True)[0, :, :, 0]
    array([[ 2.,  3.],
           [10., 11.]], dtype=float32)
    """
    shape = shape_of(boxes)
    if len(shape) != 2 or shape[1] not in (4, 5):
        raise ShapeError(f"roi_align: expected boxes of shape (k, 4) or (k, 5), got {shape}")
    if shape[1] == 5:
        first = slice(boxes, (0, 0), (shape[0], 1))
        box_indices = reshape(first, (shape[0],))
        boxes = slice(boxes, (0, 1), (shape[0], 4))
    if box_indices is None:
        box_indices = np.zeros(shape[0], np.int64)
    elif str(getattr(box_indices, "dtype", "")) != "int64":
        box_indices = apply_op("cast", [box_indices], None, dtype="int64")
    return apply_op(
        "roi_align",
        [x, boxes, box_indices],
        ["float32", "float32", "int64"],
        output_size=output_size,
        spatial_scale=float(spatial_scale),
        sampling_ratio=max(0, sampling_ratio),
        aligned=bool(aligned),
        mode=mode,
    )
