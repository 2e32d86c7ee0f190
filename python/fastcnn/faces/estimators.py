"""Encoders of faces as scikit-learn's transformers."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import one_of
from fastcnn._optional import import_optional
from fastcnn.errors import DTypeError, ShapeError
from fastcnn.faces._pictures import as_pictures
from fastcnn.faces.encoders import encode
from fastcnn.model import Model

_base: Any = import_optional("sklearn.base", extra="sklearn")
_validation: Any = import_optional("sklearn.utils.validation", extra="sklearn")

__all__ = ["FaceEncoder"]


class FaceEncoder(
    _base.ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc] # scikit-learn has no types
    _base.TransformerMixin,  # type: ignore[misc]
    _base.BaseEstimator,  # type: ignore[misc]
):
    """From pictures of faces to encodings, as the first step of a scikit-learn pipeline.

    A support vector machine or nearest neighbours after it make a classifier of people. Nothing is
    learnt by `fit`: the encoder is trained already.

    Parameters
    ----------
    encoder : str, fastcnn.faces.Encoder, Model or callable, default "dlib"
        As for `fastcnn.faces.encode`; or a model from pictures of one size, of 0 to 255, to their
        encodings; or a function from a list of pictures to their encodings, (n, dimension).
    faces : {"one", "largest"}, default "one"
        Pictures must show one face; or the largest is taken. As for `fastcnn.faces.encode`.
    aligned : bool, default False
        Whether the pictures are faces that were cut out and aligned already.
    normalize : bool, default False
        Whether encodings are divided by their length, so that only their direction counts.

    Attributes
    ----------
    embedding_size_ : int
        The length of the encodings.
    n_features_in_ : int
        The same, when it was fitted with encodings.

    Notes
    -----
    `X` may be pictures: a list of paths or of arrays (height, width, 3), or an array of shape (n,
    height, width, 3). Or encodings that were computed before, an array of shape (n, dimension):
    they pass through, and are only normalised, if that is wanted. So a grid search need not look at
    the pictures again and again.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> def mean_colour(pictures):
    ...     return np.stack([picture.mean((0, 1)) for picture in pictures])
    >>> red, blue = np.zeros((2, 8, 8, 3), np.uint8)
    >>> red[..., 0] = blue[..., 2] = 200
    >>> encoder = fc.faces.FaceEncoder(mean_colour, normalize=True)
    >>> people = make_pipeline(encoder, KNeighborsClassifier(1)).fit([red, blue], ["Ada", "Grace"])
    >>> people.predict([blue // 2]).tolist()
    ['Grace']
    """

    def __init__(
        self,
        encoder: Any = "dlib",
        *,
        faces: str = "one",
        aligned: bool = False,
        normalize: bool = False,
    ) -> None:
        self.encoder = encoder
        self.faces = faces
        self.aligned = aligned
        self.normalize = normalize

    def fit(self, X: Any, y: Any = None) -> FaceEncoder:
        """Learn how long encodings are.

        Parameters
        ----------
        X : pictures or encodings
            Of pictures the first is encoded.
        y : ignored
        """
        one_of("FaceEncoder", "faces", self.faces, ("one", "largest"))
        pictures = _pictures(X)
        if pictures is None:
            self.embedding_size_ = int(self._encodings(X, reset=True).shape[1])
        else:
            self.embedding_size_ = int(self._encode(pictures[:1]).shape[1])
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Encode.

        Parameters
        ----------
        X : pictures or encodings

        Returns
        -------
        numpy.ndarray, float32 or float64, shape (n, embedding_size_)

        Raises
        ------
        FastcnnError
            A picture cannot be read, or does not show one face; see `fastcnn.faces.encode`.
        """
        _validation.check_is_fitted(self)
        pictures = _pictures(X)
        rows = self._encodings(X, reset=False) if pictures is None else self._encode(pictures)
        if rows.shape[1] != self.embedding_size_:
            raise ShapeError(
                f"FaceEncoder: expected encodings of {self.embedding_size_} numbers, got shape "
                f"{rows.shape}"
            )
        if not self.normalize:
            return rows
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[Any] = np.divide(rows, length, out=np.zeros_like(rows), where=length != 0)
        return unit

    def _encode(self, pictures: list[Any]) -> NDArray[Any]:
        if isinstance(self.encoder, Model):
            arrays = list(as_pictures("FaceEncoder", pictures))
            if len({picture.shape for picture in arrays}) > 1:
                raise ShapeError(
                    "FaceEncoder: a model takes pictures of one size, got "
                    f"{sorted({picture.shape for picture in arrays})}"
                )
            found = self.encoder.predict(np.stack(arrays).astype(np.float32), verbose=0)
        elif callable(self.encoder):
            found = self.encoder(pictures)
        else:
            found = encode(pictures, self.encoder, faces=self.faces, aligned=self.aligned)
        rows = np.asarray(found)
        if rows.ndim != 2 or len(rows) != len(pictures) or rows.dtype.kind != "f":
            raise DTypeError(
                f"FaceEncoder: encoder: expected a float array of shape ({len(pictures)}, "
                f"dimension) for {len(pictures)} pictures, got {rows.dtype}, shape {rows.shape}"
            )
        return rows

    def _encodings(self, X: Any, reset: bool) -> NDArray[Any]:
        """Encodings that were given; scikit-learn says what is wrong with them."""
        fitted_with_pictures = not reset and not hasattr(self, "n_features_in_")
        dtypes = [np.float64, np.float32]
        if fitted_with_pictures:
            found = _validation.check_array(X, dtype=dtypes, estimator=self)
        else:
            found = _validation.validate_data(self, X, reset=reset, dtype=dtypes)
        rows: NDArray[Any] = found
        return rows

    @property
    def _n_features_out(self) -> int:
        return self.embedding_size_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _pictures(X: Any) -> list[Any] | None:
    """List the pictures; None: these are numbers."""
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) == 4:
        return list(np.asarray(X))
    if isinstance(X, (list, tuple)) or (shape is not None and len(shape) == 1):
        listed = list(X)
        if listed and all(_is_picture(x) for x in listed):
            return listed
    return None


def _is_picture(x: Any) -> bool:
    return isinstance(x, (str, os.PathLike)) or len(getattr(x, "shape", ())) == 3
