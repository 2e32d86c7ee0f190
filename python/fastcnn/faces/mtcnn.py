"""MTCNN: Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment using Multitask Cascaded
Convolutional Networks", 2016. Three small networks find faces and their five landmarks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Faces(NamedTuple):
    """The faces of a picture, the surest first.

    Attributes
    ----------
    boxes : numpy.ndarray, float32, shape (k, 4)
        x1, y1, x2, y2 in pixels.
    landmarks : numpy.ndarray, float32, shape (k, 5, 2)
        x, y of the eye that is left in the picture, of the right one, of the tip of the nose, of
        the left and of the right corner of the mouth.
    scores : numpy.ndarray, float32, shape (k,)
        How sure the last network is, 0 to 1.
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]


def detect(images: Any, **options: Any) -> Any:
    """Find the faces of a picture (Faces), or of several (a list of Faces)."""
    raise NotImplementedError
