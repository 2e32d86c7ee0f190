"""MTCNN: three small networks that find faces and their landmarks, each asked about less and less.

Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment using Multitask Cascaded
Convolutional Networks", 2016. P-Net looks at windows of 12 x 12 pixels of the picture at many
sizes, R-Net at what P-Net proposes, at 24 x 24, and O-Net at what R-Net lets pass, at 48 x 48.

Networks and steps are those of facenet-pytorch, whose weights are used: boxes keep the habit of the
authors' Matlab programs to count pixels from 1, and crops are cut off at the picture's border.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers, ops
from fastcnn._checks import number
from fastcnn.applications.weights import PRETRAINED, find, load_into
from fastcnn.errors import ConfigError
from fastcnn.faces._pictures import Picture, Pictures, Several, as_pictures, is_one
from fastcnn.io._files import StrPath
from fastcnn.model import Model

__all__ = ["MTCNN", "Faces", "ONet", "PNet", "RNet", "detect"]

Array = NDArray[np.float32]
Tensor = Any

_WINDOW, _STRIDE = 12, 2  # of P-Net
_CROPS_AT_ONCE = 32


class Faces(NamedTuple):
    """The faces of a picture, the surest first.

    Attributes
    ----------
    boxes : numpy.ndarray, float32, shape (k, 4)
        x1, y1, x2, y2 in pixels. They may reach beyond the picture.
    landmarks : numpy.ndarray, float32, shape (k, 5, 2)
        x, y of the eye that is left in the picture, of the right one, of the tip of the nose, of
        the left and of the right corner of the mouth.
    scores : numpy.ndarray, float32, shape (k,)
        How sure O-Net is, 0 to 1.
    """

    boxes: Array
    landmarks: Array
    scores: Array

    def take(self, indices: Any) -> Faces:
        """The faces of these indices, in their order."""
        return Faces(self.boxes[indices], self.landmarks[indices], self.scores[indices])


# ---- the networks --------------------------------------------------------------------------------


def PNet(weights: StrPath | None = None) -> Model:  # noqa: N802 - in Keras' way
    """Make P-Net, which proposes: 6,632 weights.

    Parameters
    ----------
    weights : None, "pnet" or path, default None
        Random; the published ones (package facenet-pytorch); or a file that
        `fastcnn.io.load_weights_file` reads.

    Returns
    -------
    Model
        From RGB pictures (n, h, w, 3) of 0 to 255 to, for windows of 12 x 12 pixels, two pixels
        apart: the probability of a face (n, h', w', 2; the second channel), and by what shares of
        its size each edge of the window (x1, y1, x2, y2) is to be moved (n, h', w', 4).

    Examples
    --------
    >>> [output.shape for output in PNet().outputs]
    [(None, None, None, 2), (None, None, None, 4)]
    """
    x = image = layers.Input((None, None, 3))
    x = _prelu(layers.Conv2D(10, 3, name="conv1")(_normalize(x)), 1)
    # "same" adds pixels at the lower right border only, where they are needed: Caffe's rounding up.
    x = layers.MaxPooling2D(2, padding="same", name="pool1")(x)
    x = _prelu(layers.Conv2D(16, 3, name="conv2")(x), 2)
    x = _prelu(layers.Conv2D(32, 3, name="conv3")(x), 3)
    scores = layers.Conv2D(2, 1, activation="softmax", name="conv4_1")(x)
    shifts = layers.Conv2D(4, 1, name="conv4_2")(x)
    return _load(Model(image, [scores, shifts], name="pnet"), weights)


def RNet(weights: StrPath | None = None) -> Model:  # noqa: N802 - in Keras' way
    """Make R-Net, which refines: 100,178 weights.

    Parameters
    ----------
    weights : None, "rnet" or path, default None
        As of `PNet`.

    Returns
    -------
    Model
        From RGB pictures (n, 24, 24, 3) of 0 to 255 to the probability of a face (n, 2; the second)
        and shifts of the edges (n, 4) as P-Net's.

    Examples
    --------
    >>> [output.shape for output in RNet().outputs]
    [(None, 2), (None, 4)]
    """
    x = image = layers.Input((24, 24, 3))
    x = _prelu(layers.Conv2D(28, 3, name="conv1")(_normalize(x)), 1)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    x = _prelu(layers.Conv2D(48, 3, name="conv2")(x), 2)
    x = layers.MaxPooling2D(3, strides=2, name="pool2")(x)
    x = _prelu(layers.Conv2D(64, 2, name="conv3")(x), 3)
    x = _prelu(layers.Dense(128, name="dense4")(_flatten(x)), 4)
    scores = layers.Dense(2, activation="softmax", name="dense5_1")(x)
    shifts = layers.Dense(4, name="dense5_2")(x)
    return _load(Model(image, [scores, shifts], name="rnet"), weights)


def ONet(weights: StrPath | None = None) -> Model:  # noqa: N802 - in Keras' way
    """Make O-Net, which decides and finds the landmarks: 389,040 weights.

    Parameters
    ----------
    weights : None, "onet" or path, default None
        As of `PNet`.

    Returns
    -------
    Model
        From RGB pictures (n, 48, 48, 3) of 0 to 255 to the probability of a face (n, 2; the
        second), shifts of the edges (n, 4) as P-Net's, and the landmarks (n, 10): five x, then five
        y, as shares of the window.

    Examples
    --------
    >>> [output.shape for output in ONet().outputs]
    [(None, 2), (None, 4), (None, 10)]
    """
    x = image = layers.Input((48, 48, 3))
    x = _prelu(layers.Conv2D(32, 3, name="conv1")(_normalize(x)), 1)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    x = _prelu(layers.Conv2D(64, 3, name="conv2")(x), 2)
    x = layers.MaxPooling2D(3, strides=2, name="pool2")(x)
    x = _prelu(layers.Conv2D(64, 3, name="conv3")(x), 3)
    x = layers.MaxPooling2D(2, name="pool3")(x)
    x = _prelu(layers.Conv2D(128, 2, name="conv4")(x), 4)
    x = _prelu(layers.Dense(256, name="dense5")(_flatten(x)), 5)
    scores = layers.Dense(2, activation="softmax", name="dense6_1")(x)
    shifts = layers.Dense(4, name="dense6_2")(x)
    landmarks = layers.Dense(10, name="dense6_3")(x)
    return _load(Model(image, [scores, shifts, landmarks], name="onet"), weights)


def _normalize(x: Tensor) -> Tensor:
    return layers.Rescaling(1 / 128, -127.5 / 128, name="normalize")(x)


def _prelu(x: Tensor, number: int) -> Tensor:
    shared = (1, 2) if len(x.shape) == 4 else None
    return layers.PReLU("zeros", shared_axes=shared, name=f"prelu{number}")(x)


def _flatten(x: Tensor) -> Tensor:
    """Columns first: the networks were trained on Matlab's arrays."""
    return layers.Flatten(name="flatten")(layers.Permute((2, 1, 3), name="permute")(x))


def _load(model: Model, weights: StrPath | None) -> Model:
    if weights is not None:
        known = isinstance(weights, str) and weights in PRETRAINED
        load_into(model, find(str(weights)) if known else weights)
    return model


# ---- the cascade ---------------------------------------------------------------------------------


class MTCNN:
    """Finds faces of any size, with their five landmarks.

    Parameters
    ----------
    min_face_size : float, default 20
        Height, in pixels, of the smallest faces looked for; at least 12. The time grows with the
        picture's area divided by its square.
    thresholds : sequence of three floats, default (0.6, 0.7, 0.7)
        What P-Net, R-Net and O-Net must be sure of to let a window pass, 0 to 1.
    factor : float, default 0.709
        By which the picture shrinks from one size P-Net looks at to the next; its area halves.
    networks : sequence of three models, optional
        P-Net, R-Net and O-Net; with the published weights unless given.

    Raises
    ------
    ConfigError
        A number is out of its range.
    MissingWeightsError
        The weights are not on this machine; the message tells how to get them.

    Examples
    --------
    >>> detector = MTCNN(min_face_size=40)  # doctest: +SKIP
    >>> detector("portrait.jpg").boxes  # doctest: +SKIP
    array([[ 84.2,  51.9, 201.5, 200.7]], dtype=float32)
    """

    def __init__(
        self,
        min_face_size: float = 20.0,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        networks: Sequence[Model] | None = None,
    ) -> None:
        self.min_face_size = number("MTCNN", "min_face_size", min_face_size, _WINDOW)
        self.thresholds = _three(thresholds)
        self.factor = number("MTCNN", "factor", factor, 0.1, 0.95)
        if networks is None:
            networks = PNet("pnet"), RNet("rnet"), ONet("onet")
        elif len(networks) != 3:
            raise ConfigError(f"MTCNN: networks: expected three, got {len(networks)}")
        self._pnet, self._rnet, self._onet = networks

    @overload
    def __call__(self, images: Picture) -> Faces: ...
    @overload
    def __call__(self, images: Several) -> list[Faces]: ...

    def __call__(self, images: Pictures) -> Faces | list[Faces]:
        """Find the faces of pictures, as `detect` does."""
        found = [self._detect(picture) for picture in as_pictures("detect", images)]
        return found[0] if is_one(images) else found

    def _detect(self, picture: NDArray[np.uint8] | Array) -> Faces:
        image = np.ascontiguousarray(picture, np.float32)
        boxes = self._propose(image)
        boxes = self._refine(image, boxes)
        return self._decide(image, boxes)

    def _scales(self, height: int, width: int) -> list[float]:
        """By what the picture is resized, so that faces of every size fill P-Net's window."""
        scale = _WINDOW / self.min_face_size
        smaller = min(height, width) * scale
        scales = []
        while smaller >= _WINDOW:
            scales.append(scale)
            scale *= self.factor
            smaller *= self.factor
        return scales

    def _propose(self, image: Array) -> Array:
        """Boxes that may be faces, square, shape (k, 4)."""
        height, width = image.shape[:2]
        threshold = self.thresholds[0]
        found: list[tuple[Array, Array, Array]] = []
        for scale in self._scales(height, width):
            size = int(height * scale + 1), int(width * scale + 1)
            scores, shifts = self._pnet(ops.adaptive_avg_pool2d(image[None], size))
            rows, columns = np.nonzero(scores[0, :, :, 1] >= threshold)
            corner = np.stack([columns, rows], axis=1).astype(np.float32) * _STRIDE + 1
            corner = np.concatenate([corner, corner + (_WINDOW - 1)], axis=1)
            boxes = np.floor(corner / np.float32(scale))
            sure = scores[0, rows, columns, 1]
            kept = ops.nms(boxes, sure, 0.5)
            found.append((boxes[kept], sure[kept], shifts[0, rows, columns][kept]))
        if not found:
            return np.zeros((0, 4), np.float32)
        boxes, sure, shift = (np.concatenate(parts) for parts in zip(*found, strict=True))
        kept = ops.nms(boxes, sure, 0.7)
        return _square(_shifted(boxes[kept], shift[kept], 0))

    def _refine(self, image: Array, boxes: Array) -> Array:
        """Those R-Net takes for faces, moved, square."""
        boxes, crops = _crop(image, boxes, 24)
        scores, shifts = _compute(self._rnet, crops)
        passed = scores[:, 1] > self.thresholds[1]
        boxes, sure, shifts = boxes[passed], scores[passed, 1], shifts[passed]
        kept = ops.nms(boxes, sure, 0.7)
        return _square(_shifted(boxes[kept], shifts[kept], 1))

    def _decide(self, image: Array, boxes: Array) -> Faces:
        """Those O-Net takes for faces, with landmarks."""
        boxes, crops = _crop(image, boxes, 48)
        scores, shifts, points = _compute(self._onet, crops)
        passed = scores[:, 1] > self.thresholds[2]
        boxes, sure = boxes[passed], scores[passed, 1]
        size = (boxes[:, 2:] - boxes[:, :2] + 1)[:, None]
        shares = points[passed].reshape(-1, 2, 5).swapaxes(1, 2)
        landmarks = shares * size + (boxes[:, None, :2] - 1)
        boxes = _shifted(boxes, shifts[passed], 1)
        kept = _nms_by_smaller(boxes, sure, 0.7)
        return Faces(boxes[kept], landmarks[kept], sure[kept])


def _three(thresholds: Sequence[float]) -> tuple[float, ...]:
    given = list(thresholds) if np.iterable(thresholds) else [thresholds]
    if len(given) != 3:
        raise ConfigError(f"MTCNN: thresholds: expected three numbers, got {thresholds!r}")
    return tuple(number("MTCNN", "thresholds", t, 0, 1) for t in given)


def _compute(network: Model, crops: Array) -> list[Array]:
    """A network's outputs, computed so many pictures at a time that few plans are ever made."""
    if not len(crops):
        return [np.zeros((0, int(output.shape[-1] or 0)), np.float32) for output in network.outputs]
    count = len(crops)
    size = min(_CROPS_AT_ONCE, 1 << (count - 1).bit_length())
    if count % size:
        crops = np.concatenate([crops, np.zeros((-count % size, *crops.shape[1:]), np.float32)])
    parts = [network(crops[i : i + size]) for i in range(0, len(crops), size)]
    return [np.concatenate(outputs)[:count] for outputs in zip(*parts, strict=True)]


def _shifted(boxes: Array, shifts: Array, extra: int) -> Array:
    """Boxes whose edges are moved by shares of their size; `extra` for counting edge pixels."""
    size = boxes[:, 2:] - boxes[:, :2] + extra
    moved: Array = boxes + shifts * np.concatenate([size, size], axis=1)
    return moved


def _square(boxes: Array) -> Array:
    """Squares about the same centres, as large as the longer sides."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([corner, corner + side], axis=1)


def _crop(image: Array, boxes: Array, size: int) -> tuple[Array, Array]:
    """The boxes that lie in the picture, and what is in them, at one size, by areas."""
    height, width = image.shape[:2]
    edges = np.clip(np.nan_to_num(np.trunc(boxes)), -1e6, 1e6).astype(np.int64)
    left, top = np.maximum(edges[:, 0], 1) - 1, np.maximum(edges[:, 1], 1) - 1
    right, bottom = np.minimum(edges[:, 2], width), np.minimum(edges[:, 3], height)
    inside = np.flatnonzero((right > left) & (bottom > top))
    crops = np.empty((len(inside), size, size, 3), np.float32)
    for crop, i in zip(crops, inside, strict=True):
        part = image[None, top[i] : bottom[i], left[i] : right[i]]
        crop[...] = ops.adaptive_avg_pool2d(part, size)[0]
    return boxes[inside], crops


def _nms_by_smaller(boxes: Array, scores: Array, threshold: float) -> NDArray[np.int64]:
    """Non-maximum suppression by the share of the smaller box that is covered: one of two boxes
    inside each other goes, however different they are. For the few boxes that come last."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2] + 1, 0)
    area = size[:, 0] * size[:, 1]
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        low = np.maximum(boxes[i, :2], boxes[kept, :2])
        high = np.minimum(boxes[i, 2:], boxes[kept, 2:])
        common = np.maximum(high - low + 1, 0).prod(axis=1)
        if not np.any(common > threshold * np.minimum(area[i], area[kept])):
            kept.append(int(i))
    return np.array(kept, np.int64)


# ---- the front door ------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _detector(min_face_size: float, thresholds: tuple[float, ...], factor: float) -> MTCNN:
    return MTCNN(min_face_size, thresholds, factor)


@overload
def detect(
    images: Picture, *, min_face_size: float = ..., thresholds: Sequence[float] = ...,
    factor: float = ...,
) -> Faces: ...  # fmt: skip
@overload
def detect(
    images: Several, *, min_face_size: float = ..., thresholds: Sequence[float] = ...,
    factor: float = ...,
) -> list[Faces]: ...  # fmt: skip


def detect(
    images: Pictures,
    *,
    min_face_size: float = 20.0,
    thresholds: Sequence[float] = (0.6, 0.7, 0.7),
    factor: float = 0.709,
) -> Faces | list[Faces]:
    """Find the faces of pictures, with MTCNN and its published weights.

    Parameters
    ----------
    images : path, bytes or array, or a sequence of these
        What `fastcnn.io.load_image` reads, or RGB pictures of 0 to 255, uint8 or floats, of shape
        (h, w, 3), (h, w) or (h, w, 1). An array (n, h, w, 3) is n pictures.
    min_face_size, thresholds, factor
        See `MTCNN`.

    Returns
    -------
    Faces or list of Faces
        ``boxes`` (k, 4), ``landmarks`` (k, 5, 2), ``scores`` (k,); k is 0 where no face is found.

    Raises
    ------
    MissingFileError, FileFormatError, ShapeError, DTypeError
        A picture cannot be read, or is none.
    ConfigError
        A number is out of its range.
    MissingWeightsError
        The weights are not on this machine; the message tells how to get them.

    Examples
    --------
    >>> boxes, landmarks, scores = detect("portrait.jpg")  # doctest: +SKIP
    >>> boxes.shape, landmarks.shape, scores.shape  # doctest: +SKIP
    ((1, 4), (1, 5, 2), (1,))
    """
    size, shrink = (
        number("MTCNN", "min_face_size", min_face_size),
        number("MTCNN", "factor", factor),
    )
    return _detector(size, _three(thresholds), shrink)(images)
