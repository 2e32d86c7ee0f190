"""Faces as vectors: encoders behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.model import Model


@dataclass(frozen=True)
class Encoder:
    """A network that turns aligned faces into vectors; near vectors are of one person.

    Attributes
    ----------
    name : str
        "dlib", "facenet" or "openface".
    model : Model
    image_size : int
        Height and width of the aligned faces ("chips") it takes.
    embedding_size : int
        Length of its vectors.
    metric : str
        A metric of `fastcnn.ops.cdist`.
    threshold : float
        The distance under which two faces are taken for one person's.
    preprocess : callable
        From RGB chips of 0 to 255 to what the model takes.
    """

    name: str
    model: Model
    image_size: int
    embedding_size: int
    metric: str
    threshold: float
    preprocess: Callable[[Any], Any]

    def encode_chips(self, chips: Any) -> NDArray[np.float32]:
        """Turn chips (n, image_size, image_size, 3) into vectors (n, embedding_size)."""
        raise NotImplementedError


def encoder(name: str | Encoder = "dlib", weights: Any = None) -> Encoder:
    """Find an encoder by its name: "dlib" (128-d), "facenet" (512-d), "openface" (128-d)."""
    raise NotImplementedError


def encode(
    images: Any, model: str | Encoder = "dlib", *, faces: str = "one", aligned: bool = False
) -> NDArray[np.float32]:
    """Encode one face of each picture -> (n, embedding_size) float32.

    `images` is a path, an array (h, w, 3), or a list of these; `faces` is "one" (exactly one, else
    an error) or "largest"; `aligned=True`: the pictures are chips already, (n, s, s, 3).
    """
    raise NotImplementedError
