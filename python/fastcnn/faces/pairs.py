"""Whether two pictures show the same person."""

from __future__ import annotations

from typing import NamedTuple

from fastcnn import ops
from fastcnn._checks import number
from fastcnn.faces._pictures import Picture
from fastcnn.faces.encoders import Encoder, encode, encoder

__all__ = ["Verification", "verify"]


class Verification(NamedTuple):
    """The answer of `verify`.

    Attributes
    ----------
    same : bool
        Whether the distance is at most the threshold.
    distance : float
    threshold : float
    metric : str
        Of the distance, as `fastcnn.ops.cdist` names it.
    model : str
        The encoder's name.
    """

    same: bool
    distance: float
    threshold: float
    metric: str
    model: str


def verify(
    a: Picture,
    b: Picture,
    model: str | Encoder = "dlib",
    *,
    threshold: float | None = None,
    faces: str = "one",
    aligned: bool = False,
    min_face_size: float = 20.0,
) -> Verification:
    """Tell whether two pictures show the same person.

    Parameters
    ----------
    a, b : path, bytes or array
        As of `fastcnn.faces.detect`.
    model : str or Encoder, default "dlib"
        See `fastcnn.faces.encoder`.
    threshold : float, optional
        The largest distance that counts as the same; the encoder's unless given.
    faces, aligned, min_face_size
        See `fastcnn.faces.encode`.

    Returns
    -------
    Verification

    Raises
    ------
    FaceError
        A picture has no face, several, or too small a one. The message names the picture.
    FastcnnError
        As `fastcnn.faces.encode`.

    Examples
    --------
    >>> verify("camera.jpg", "passport.jpg").same  # doctest: +SKIP
    True
    """
    chosen = encoder(model)
    limit = chosen.threshold if threshold is None else number("verify", "threshold", threshold)
    first, second = (
        encode(picture, chosen, faces=faces, aligned=aligned, min_face_size=min_face_size)
        for picture in (a, b)
    )
    distance = float(ops.cdist(first, second, chosen.metric)[0, 0])
    return Verification(distance <= limit, distance, limit, chosen.metric, chosen.name)
