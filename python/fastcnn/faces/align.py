"""Faces upright, centred and at one size: what encoders were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn._checks import number, one_of, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.faces._pictures import Picture, as_pictures

__all__ = ["align_faces", "crop_faces", "face_template", "similarity_transform"]

Points = NDArray[np.float64]

_SIDE_STEP = 32  # working pictures are of such multiples, so that few plans are made


class _Template(NamedTuple):
    """Where the five landmarks of an aligned face lie, as shares of its side."""

    points: tuple[tuple[float, float], ...]
    padding: float  # usual border around that square, as a share of it
    offset: float  # of the coordinate of a pixel's centre against its number


_TEMPLATES: Mapping[str, _Template] = {
    # Means of the landmarks that dlib's get_face_chip_details has for its 68 points: of the six
    # around each eye, of the tip of the nose and the corners of the mouth.
    "dlib": _Template(
        ((0.225492, 0.215990), (0.754761, 0.215990), (0.490127, 0.515625), (0.254149, 0.780233),
         (0.726104, 0.780233)), 0.25, 0.5,
    ),
    # Deng et al., "ArcFace", 2019: in pixels of 112 x 112 pictures.
    "arcface": _Template(
        ((0.341916, 0.461574), (0.656534, 0.459834), (0.500225, 0.640505), (0.370976, 0.824692),
         (0.631517, 0.823251)), 0.0, 0.0,
    ),
    # Likewise means of the 68 points of OpenFace's template (Amos et al., 2016).
    "openface": _Template(
        ((0.277371, 0.167284), (0.706148, 0.159000), (0.492094, 0.422107), (0.307110, 0.641850),
         (0.695414, 0.634143)), 0.0, 0.0,
    ),
}  # fmt: skip


def face_template(
    style: str = "dlib", size: int = 150, padding: float | None = None
) -> NDArray[np.float64]:
    """Where the landmarks of an aligned face lie.

    Parameters
    ----------
    style : {"dlib", "arcface", "openface"}
        dlib's face chips, ArcFace's pictures (112 pixels), or OpenFace's (96 pixels).
    size : int, default 150
        Height and width of the aligned picture.
    padding : float, optional
        The border on each side, as a share of what it surrounds: 0.25 for "dlib" and 0 for the
        others unless given.

    Returns
    -------
    numpy.ndarray, float64, shape (5, 2)
        x, y in pixels, whole numbers at their centres: eyes, nose, corners of the mouth, in the
        order of `Faces.landmarks`.

    Raises
    ------
    ConfigError
        An argument is out of its range.

    Examples
    --------
    >>> face_template("arcface", 112).round(1).tolist()[0]
    [38.3, 51.7]
    """
    one_of("face_template", "style", style, tuple(_TEMPLATES))
    positive_int("face_template", "size", size)
    template = _TEMPLATES[style]
    border = template.padding if padding is None else number("face_template", "padding", padding, 0)
    points = (np.array(template.points) + border) / (1 + 2 * border)
    return points * size - template.offset


def similarity_transform(source: Any, target: Any) -> NDArray[np.float64]:
    """Turn, scale and move points so that they come as near to others as they can.

    Least squares, without reflection: Umeyama, "Least-Squares Estimation of Transformation
    Parameters Between Two Point Patterns", 1991. In a plane it is one division of complex numbers.

    Parameters
    ----------
    source : array, shape (m, 2) or (k, m, 2)
        x, y of two points or more, once or several times.
    target : array, shape (m, 2) or (k, m, 2)
        Where they should be.

    Returns
    -------
    numpy.ndarray, float64, shape (2, 3) or (k, 2, 3)
        Matrices M: x, y goes to ``M @ (x, y, 1)``.

    Raises
    ------
    ShapeError
        The arrays have other shapes.
    ConfigError
        Numbers are not finite, or all points of a source are the same.

    Examples
    --------
    >>> similarity_transform([[0, 0], [1, 0]], [[5, 5], [5, 7]]).round(9).tolist()
    [[0.0, -2.0, 5.0], [2.0, 0.0, 5.0]]
    """
    a, b = _as_points("source", source), _as_points("target", target)
    if a.shape[-2:] != b.shape[-2:]:
        raise ShapeError(
            f"similarity_transform: expected as many target points, got shapes {a.shape} and "
            f"{b.shape}"
        )
    z, w = a[..., 0] + 1j * a[..., 1], b[..., 0] + 1j * b[..., 1]
    centre_z, centre_w = z.mean(axis=-1, keepdims=True), w.mean(axis=-1, keepdims=True)
    spread = (np.abs(z - centre_z) ** 2).sum(axis=-1)
    if not np.all(spread > 0):
        raise ConfigError("similarity_transform: expected source points that differ")
    turn = (np.conj(z - centre_z) * (w - centre_w)).sum(axis=-1) / spread
    move = centre_w[..., 0] - turn * centre_z[..., 0]
    rows = [turn.real, -turn.imag, move.real, turn.imag, turn.real, move.imag]
    return np.stack(np.broadcast_arrays(*rows), axis=-1).reshape(*turn.shape, 2, 3)


def align_faces(
    image: Picture, landmarks: Any, size: int = 150, template: Any = "dlib"
) -> NDArray[Any]:
    """Cut faces out of a picture, turned, scaled and moved so that landmarks lie where they should.

    Where a face is larger than the result, every pixel of it counts. What lies beyond the picture
    is black.

    Parameters
    ----------
    image : path, bytes or array
        As of `fastcnn.faces.detect`.
    landmarks : array, shape (k, m, 2) or (m, 2)
        x, y of the landmarks of k faces, for instance `Faces.landmarks`.
    size : int, default 150
        Height and width of the results.
    template : str or array, shape (m, 2), default "dlib"
        A style of `face_template`, or the points themselves.

    Returns
    -------
    numpy.ndarray, shape (k, size, size, 3)
        uint8 for a file or uint8, else float32.

    Raises
    ------
    ShapeError, DTypeError, ConfigError
        An argument does not fit.
    MissingFileError, FileFormatError
        The picture cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.full((90, 120, 3), 200, np.uint8)
    >>> align_faces(picture, [[40, 30], [70, 30], [55, 45], [45, 60], [65, 60]], 112).shape
    (1, 112, 112, 3)
    """
    positive_int("align_faces", "size", size)
    if isinstance(template, str):
        template = face_template(template, size)
    wanted = _as_points("template", template)
    found = _as_points("landmarks", landmarks, most=3).reshape(-1, *np.shape(landmarks)[-2:])
    (picture,) = as_pictures("align_faces", [image])
    if not len(found):
        return _no_chips(picture, size)
    matrices = similarity_transform(wanted, found)
    if not (np.linalg.det(matrices[:, :, :2]) > 1e-12).all():
        raise ConfigError("align_faces: landmarks: expected points that differ")
    return _extract(picture, matrices, size)


def crop_faces(image: Picture, boxes: Any, size: int = 160, margin: float = 0.0) -> NDArray[Any]:
    """Cut boxes out of a picture, each stretched to a square.

    Parameters
    ----------
    image : path, bytes or array
        As of `fastcnn.faces.detect`.
    boxes : array, shape (k, 4) or (4,)
        x1, y1, x2, y2.
    size : int, default 160
    margin : float, default 0.0
        By what share of its sides a box grows first, half of it on each side.

    Returns
    -------
    numpy.ndarray, shape (k, size, size, 3)
        As of `align_faces`.

    Raises
    ------
    ShapeError, DTypeError, ConfigError
        An argument does not fit, or a box is empty.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.full((90, 120, 3), 200, np.uint8)
    >>> crop_faces(picture, [20, 10, 70, 80], 96, margin=0.2).shape
    (1, 96, 96, 3)
    """
    positive_int("crop_faces", "size", size)
    number("crop_faces", "margin", margin, 0)
    edges = np.asarray(boxes, np.float64)
    if edges.ndim not in (1, 2) or edges.shape[-1] != 4:
        raise ShapeError(f"crop_faces: boxes: expected shape (k, 4) or (4,), got {edges.shape}")
    edges = edges.reshape(-1, 4)
    sides = edges[:, 2:] - edges[:, :2]
    if not (np.isfinite(edges).all() and (sides > 0).all()):
        raise ConfigError("crop_faces: boxes: expected finite numbers, x1 < x2 and y1 < y2")
    (picture,) = as_pictures("crop_faces", [image])
    if not len(edges):
        return _no_chips(picture, size)
    grown = sides * (1 + margin)
    corner = (edges[:, :2] + edges[:, 2:] - grown) / 2
    matrices = np.zeros((len(edges), 2, 3))
    matrices[:, 0, 0], matrices[:, 1, 1] = (grown / size).T
    matrices[:, :, 2] = corner + 0.5 * grown / size - 0.5
    return _extract(picture, matrices, size)


def _no_chips(picture: NDArray[Any], size: int) -> NDArray[Any]:
    dtype = np.uint8 if picture.dtype == np.uint8 else np.float32
    return np.zeros((0, size, size, 3), dtype)


def _as_points(name: str, given: Any, most: int = 3) -> Points:
    points = np.asarray(given, np.float64)
    if points.ndim not in range(2, most + 1) or points.shape[-1] != 2 or points.shape[-2] < 2:
        raise ShapeError(
            f"{name}: expected points of shape (m, 2) or (k, m, 2), m >= 2, got {points.shape}"
        )
    if not np.isfinite(points).all():
        raise ConfigError(f"{name}: expected finite numbers")
    return points


def _extract(picture: NDArray[Any], matrices: Points, size: int) -> NDArray[Any]:
    """What matrices find in a picture: pixel (x, y) of a result lies at ``matrix @ (x, y, 1)``."""
    chips = np.stack([_extract_one(picture, matrix, size) for matrix in matrices])
    if picture.dtype == np.uint8:
        return np.clip(np.rint(chips), 0, 255).astype(np.uint8)
    return chips


def _extract_one(picture: NDArray[Any], matrix: Points, size: int) -> NDArray[np.float32]:
    corners = np.array([[0, 0, 1], [size - 1, 0, 1], [0, size - 1, 1], [size - 1, size - 1, 1.0]])
    reached = corners @ matrix.T
    step = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))  # pixels from one to the next
    border = 2 * max(step, 1.0) + 1
    limit = np.array(picture.shape[1::-1])
    low = np.clip(np.floor(reached.min(axis=0) - border), 0, limit).astype(int)
    high = np.clip(np.ceil(reached.max(axis=0) + border) + 1, 0, limit).astype(int)
    if (high <= low).any():
        return np.zeros((size, size, 3), np.float32)
    part = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]], np.float32)
    matrix = matrix - np.array([[0, 0, low[0]], [0, 0, low[1]]])
    if step > 1:  # first without aliases, then turned
        lengths = high - low
        sides = np.maximum(np.rint(lengths / step), 1).astype(int)
        part = ops.resize(part[None], (int(sides[1]), int(sides[0])), antialias=True)[0]
        shrink = (sides / lengths)[:, None]
        matrix = matrix * shrink
        matrix[:, 2] += (shrink[:, 0] - 1) / 2
    room = [max(size, -(-n // _SIDE_STEP) * _SIDE_STEP) for n in part.shape[:2]]
    work = np.zeros((*room, 3), np.float32)
    work[: part.shape[0], : part.shape[1]] = part
    turned = ops.affine_transform(work, [*matrix.ravel(), 0.0, 0.0])
    chip: NDArray[np.float32] = turned[:size, :size]
    return chip
