"""Faces as vectors: several published networks behind one interface.

Two pictures of one person give vectors near each other. How near is near enough is each network's
own matter, so an encoder brings its metric and a threshold with it, and the way in which it wants
its pictures cut out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import one_of
from fastcnn.applications import facenet_nn4, inception_resnet_v1
from fastcnn.applications.pretrained import find
from fastcnn.errors import ConfigError, FaceError, ShapeError
from fastcnn.faces._pictures import Picture, Pictures, as_pictures, as_several, name_of
from fastcnn.faces.align import align_faces, crop_faces
from fastcnn.faces.mtcnn import Faces, detect
from fastcnn.io._files import StrPath
from fastcnn.model import Model

__all__ = ["Encoder", "encode", "encode_faces", "encoder"]

Array = NDArray[np.float32]

_CHIPS_AT_ONCE = 32
_MIN_FACE = 20.0
_SMALLEST_FACE = 12.0  # that MTCNN can see


@dataclass(frozen=True)
class Encoder:
    """A network that turns aligned faces into vectors; near vectors are of one person.

    Attributes
    ----------
    name : str
    model : Model
        From pictures (n, image_size, image_size, 3) to vectors (n, embedding_size).
    image_size : int
        Height and width of the pictures.
    metric : str, default "euclidean"
        How vectors are compared, a metric of `fastcnn.ops.cdist`.
    threshold : float, default 0.6
        The distance up to which two faces are taken for one person's. It fits photographs in
        general; `fastcnn.faces.calibrate_threshold` finds your own from your pictures.
    preprocess : callable, optional
        From RGB pictures of 0 to 255 (n, image_size, image_size, 3), float32, to what the model
        takes; nothing is done unless given.
    template : str or array, shape (5, 2), or None, default "dlib"
        Where landmarks lie in its pictures, see `align_faces`; None: its pictures are the boxes,
        cut out by `crop_faces`.
    margin : float, default 0.0
        For `crop_faces`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> network = fc.applications.FaceNetNN4()  # one could have trained it
    >>> mine = Encoder("mine", network, 96, preprocess=lambda x: x / 255, template="openface")
    >>> mine.encode_chips(np.full((2, 96, 96, 3), 128, np.uint8)).shape
    (2, 128)
    """

    name: str
    model: Model
    image_size: int
    metric: str = "euclidean"
    threshold: float = 0.6
    preprocess: Callable[[Array], Any] | None = None
    template: Any = "dlib"
    margin: float = 0.0

    @property
    def embedding_size(self) -> int:
        """How many numbers a vector has."""
        return int(self.model.output_shape[-1])

    def align(self, image: Picture, faces: Faces) -> NDArray[Any]:
        """Cut faces out of a picture as the network wants them: (k, image_size, image_size, 3)."""
        if self.template is None:
            return crop_faces(image, faces.boxes, self.image_size, self.margin)
        # O-Net's crops begin at whole pixels, its landmarks count from where the box begins: on
        # average half a pixel too far, which is much in a small face.
        return align_faces(image, faces.landmarks - 0.5, self.image_size, self.template)

    def encode_chips(self, chips: Any) -> Array:
        """Turn aligned faces into vectors.

        Parameters
        ----------
        chips : array, uint8 or floats from 0 to 255, shape (n, image_size, image_size, 3)

        Returns
        -------
        numpy.ndarray, float32, shape (n, embedding_size)

        Raises
        ------
        ShapeError
            The pictures have another shape.
        """
        pictures = np.asarray(chips, np.float32)
        wanted = (self.image_size, self.image_size, 3)
        if pictures.ndim != 4 or pictures.shape[1:] != wanted:
            raise ShapeError(
                f"{self.name}: expected aligned faces of shape (n, {', '.join(map(str, wanted))}), "
                f"got {pictures.shape}"
            )
        if not len(pictures):
            return np.zeros((0, self.embedding_size), np.float32)
        ready = pictures if self.preprocess is None else self.preprocess(pictures)
        vectors: Array = self.model.predict(ready, verbose=0)
        return vectors


# ---- those that are known by name ----------------------------------------------------------------


def _dlib(weights: StrPath | None) -> Encoder:
    from fastcnn.io.dlib_files import load_dlib

    return Encoder("dlib", load_dlib(find("dlib") if weights is None else weights), 150)


def _facenet(weights: StrPath | None) -> Encoder:
    from fastcnn.io.formats import format_of
    from fastcnn.io.tensorflow.graphdef import load_graphdef

    path = find("casia-webface") if weights is None else weights
    if format_of(path).name == "tensorflow":
        model = load_graphdef(path)
    else:
        model = inception_resnet_v1.InceptionResNetV1(weights=path)
    return Encoder(
        "facenet", model, 160, threshold=1.0, preprocess=inception_resnet_v1.preprocess_input,
        template=None, margin=0.25,
    )  # fmt: skip


def _openface(weights: StrPath | None) -> Encoder:
    if weights is None:
        raise ConfigError(
            'openface: expected weights, the folder of OpenFace\'s CSV files; "dlib" and "facenet" '
            "find theirs"
        )
    return Encoder(
        "openface", facenet_nn4.FaceNetNN4(weights=weights), 96, threshold=0.7,
        preprocess=facenet_nn4.preprocess_input, template="openface",
    )  # fmt: skip


_ENCODERS: Mapping[str, Callable[[StrPath | None], Encoder]] = {
    "dlib": _dlib,
    "facenet": _facenet,
    "openface": _openface,
}


def encoder(name: str | Encoder = "dlib", weights: StrPath | None = None) -> Encoder:
    """Find an encoder by its name; it is made once.

    Parameters
    ----------
    name : {"dlib", "facenet", "openface"} or Encoder, default "dlib"
        dlib's ResNet, 128 numbers; FaceNet's Inception-ResNet v1, 512 numbers (or as many as its
        weights give); OpenFace's NN4, 128 numbers. An `Encoder` is what it is.
    weights : path, optional
        A file or folder of weights instead of the published ones; "openface" needs it.

    Raises
    ------
    ConfigError
        There is none of this name, or it needs weights.
    MissingWeightsError
        The weights are not on this machine; the message tells how to get them.
    FileFormatError
        The weights are damaged, or another network's.

    Examples
    --------
    >>> encoder("dlib").embedding_size  # doctest: +SKIP
    128
    """
    if isinstance(name, Encoder):
        return name
    one_of("encoder", "name", name, tuple(_ENCODERS))
    return _made(name, None if weights is None else os.fspath(weights))


@lru_cache(maxsize=4)
def _made(name: str, weights: str | None) -> Encoder:
    return _ENCODERS[name](weights)


# ---- the front door ------------------------------------------------------------------------------


def encode_faces(
    image: Picture, model: str | Encoder = "dlib", *, min_face_size: float = _MIN_FACE
) -> tuple[Faces, Array]:
    """Find all faces of a picture, and encode each.

    Parameters
    ----------
    image : path, bytes or array
        As of `fastcnn.faces.detect`.
    model : str or Encoder, default "dlib"
        See `encoder`.
    min_face_size : float, default 20
        In pixels, at least 12.

    Returns
    -------
    faces : Faces
        The k faces, the surest first; none is no error.
    vectors : numpy.ndarray, float32, shape (k, embedding_size)

    Examples
    --------
    >>> faces, vectors = encode_faces("party.jpg")  # doctest: +SKIP
    >>> len(faces.scores), vectors.shape  # doctest: +SKIP
    (7, (7, 128))
    """
    chosen = encoder(model)
    (picture,) = as_pictures("encode_faces", [image])
    faces = detect(picture, min_face_size=min_face_size)
    return faces, chosen.encode_chips(chosen.align(picture, faces))


def encode(
    images: Pictures,
    model: str | Encoder = "dlib",
    *,
    faces: str = "one",
    aligned: bool = False,
    min_face_size: float = _MIN_FACE,
) -> Array:
    """Encode the face of each picture.

    Parameters
    ----------
    images : path, bytes or array, or a sequence of these
        As of `fastcnn.faces.detect`.
    model : str or Encoder, default "dlib"
        See `encoder`.
    faces : {"one", "largest"}
        Whether other faces in a picture are an error, or are passed over if they are smaller.
    aligned : bool, default False
        Whether the pictures are aligned faces already, (n, image_size, image_size, 3); nothing is
        looked for then.
    min_face_size : float, default 20
        Faces smaller than this, in pixels, are passed over; at least 12.

    Returns
    -------
    numpy.ndarray, float32, shape (n, embedding_size)
        A row for each picture; n is 1 for one picture.

    Raises
    ------
    FaceError
        A picture has no face, several, or too small a one. The message names the picture.
    MissingFileError, FileFormatError, ShapeError, DTypeError
        A picture cannot be read, or is none.
    ConfigError, MissingWeightsError
        As `encoder`.

    Examples
    --------
    >>> encode(["anna.jpg", "ben.jpg"]).shape  # doctest: +SKIP
    (2, 128)
    """
    one_of("encode", "faces", faces, ("one", "largest"))
    chosen = encoder(model)
    if aligned:
        single = isinstance(images, np.ndarray) and images.ndim == 3
        return chosen.encode_chips(images[None] if single else images)  # type: ignore[index,call-overload]
    given = zip(as_several(images), as_pictures("encode", images), strict=True)
    return encode_parts(
        chosen,
        (
            chosen.align(picture, find_face(picture, faces, min_face_size, name_of(image, index)))
            for index, (image, picture) in enumerate(given)
        ),
    )


def encode_parts(model: Encoder, parts: Iterable[NDArray[Any]]) -> Array:
    """Encode the aligned faces of many pictures, a batch at a time, so that few are kept."""
    vectors = [np.zeros((0, model.embedding_size), np.float32)]
    waiting: list[NDArray[Any]] = []
    for chips in parts:
        waiting.append(chips)
        if sum(map(len, waiting)) >= _CHIPS_AT_ONCE:
            vectors.append(model.encode_chips(np.concatenate(waiting)))
            waiting = []
    if waiting:
        vectors.append(model.encode_chips(np.concatenate(waiting)))
    return np.concatenate(vectors)


def find_face(picture: NDArray[Any], faces: str, min_face_size: float, name: str) -> Faces:
    """Find the one face of a picture that is asked for, or tell why there is none."""
    found = detect(picture, min_face_size=min_face_size)
    count = len(found.scores)
    if count == 0:
        height, width = picture.shape[:2]
        smaller = detect(picture, min_face_size=_SMALLEST_FACE)
        tiny = ""
        if len(smaller.scores):
            side = max(np.ptp(box.reshape(2, 2), axis=0).min() for box in smaller.boxes)
            tiny = f" of {min_face_size:g} pixels or more, only of {side:.0f}"
        raise FaceError(
            f"{name}: expected a face, found none{tiny} in {width} x {height} pixels; give a "
            "picture in which it is larger, upright and uncovered"
        )
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    if count > 1 and faces == "one":
        sizes = ", ".join(f"{w:.0f} x {h:.0f}" for w, h in sides[:5])
        raise FaceError(
            f"{name}: expected one face, found {count} ({sizes} pixels); cut one out, or ask for "
            "the largest"
        )
    return found.take([int(sides.prod(axis=1).argmax())])
