"""Keeping the colours of the content (Gatys, Bethge, Hertzmann, Shechtman: Preserving Color in
Neural Artistic Style Transfer, 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import DTypeError, ShapeError

__all__ = ["match_colors", "match_luminance", "replace_luminance"]

Picture = NDArray[Any]

# Red, green and blue to luminance (Y) and two colour differences (I, Q): NTSC.
_TO_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.595716, -0.274453, -0.321263],
        [0.211456, -0.522591, 0.311135],
    ]
)
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def match_colors(picture: Picture, like: Picture) -> NDArray[np.uint8]:
    """Give a picture the mean and the covariance of another's colours.

    Parameters
    ----------
    picture, like : numpy.ndarray
        uint8, RGB, of shape (h, w, 3), of any sizes.

    Returns
    -------
    numpy.ndarray
        uint8, of the shape of `picture`. Of all linear maps with these statistics it is the
        symmetric one, ``C^1/2 S^-1/2``.

    Raises
    ------
    ShapeError, DTypeError
        An array is no such picture.

    References
    ----------
    Gatys et al., Preserving Color, section 3 (colour histogram matching, "Image Analogies").

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.random.default_rng(0).integers(0, 256, (8, 8, 1)).repeat(3, axis=2)
    >>> green = np.full((2, 2, 3), (0, 200, 0), np.uint8)
    >>> match_colors(grey.astype(np.uint8), green)[0, 0]
    array([  0, 200,   0], dtype=uint8)
    """
    source, target = _colors("match_colors", picture), _colors("match_colors", like)
    own, wanted = (np.cov(x, rowvar=False, bias=True) for x in (source, target))
    change = _power(wanted, 0.5) @ _power(own, -0.5)
    matched = (source - source.mean(0)) @ change.T + target.mean(0)
    return _levels(matched.reshape(picture.shape))


def match_luminance(picture: Picture, like: Picture) -> NDArray[np.uint8]:
    """Make a picture grey, with the mean and the deviation of another's luminance.

    Parameters
    ----------
    picture, like : numpy.ndarray
        uint8, RGB, of shape (h, w, 3), of any sizes.

    Returns
    -------
    numpy.ndarray
        uint8, of the shape of `picture`, with three equal channels.

    Raises
    ------
    ShapeError, DTypeError
        An array is no such picture.

    References
    ----------
    Gatys et al., Preserving Color, section 4 (luminance-only transfer).

    Examples
    --------
    >>> import numpy as np
    >>> red = np.full((2, 2, 3), (200, 0, 0), np.uint8)
    >>> match_luminance(red, red)[0, 0].tolist()
    [60, 60, 60]
    """
    own, wanted = (_colors("match_luminance", x) @ _TO_YIQ[0] for x in (picture, like))
    spread = wanted.std() / own.std() if own.std() > 0 else 0.0
    matched = (own - own.mean()) * spread + wanted.mean()
    return _levels(np.repeat(matched[:, None], 3, axis=1).reshape(picture.shape))


def replace_luminance(colors: Picture, luminance: Picture) -> NDArray[np.uint8]:
    """Join the colours of one picture and the luminance of another.

    Parameters
    ----------
    colors, luminance : numpy.ndarray
        uint8, RGB, of one shape (h, w, 3).

    Returns
    -------
    numpy.ndarray
        uint8, of the same shape.

    Raises
    ------
    ShapeError, DTypeError
        An array is no such picture, or their shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> red, grey = np.full((2, 1, 1, 3), 60, np.uint8)
    >>> red[...] = (200, 0, 0)
    >>> replace_luminance(red, grey)[0, 0].tolist()
    [200, 0, 0]
    """
    kept, taken = (_colors("replace_luminance", x) @ _TO_YIQ.T for x in (colors, luminance))
    if colors.shape != luminance.shape:
        raise ShapeError(
            f"replace_luminance: expected pictures of one shape, got {colors.shape} and "
            f"{luminance.shape}"
        )
    kept[:, 0] = taken[:, 0]
    return _levels((kept @ _FROM_YIQ.T).reshape(colors.shape))


def _colors(who: str, picture: Picture) -> NDArray[np.float64]:
    """The pixels of a picture, one a row."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8:
        raise DTypeError(
            f"{who}: expected an array of uint8, got {getattr(picture, 'dtype', type(picture))}"
        )
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ShapeError(f"{who}: expected RGB of shape (h, w, 3), nowhere 0, got {picture.shape}")
    return picture.reshape(-1, 3).astype(np.float64)


def _power(covariance: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A power of a symmetric matrix; directions in which nothing varies are left out."""
    values, vectors = np.linalg.eigh(covariance)
    small = values <= 1e-9 * max(float(values.max()), 1.0)
    powers = np.where(small, 0.0, np.where(small, 1.0, values) ** exponent)
    found: NDArray[np.float64] = (vectors * powers) @ vectors.T
    return found


def _levels(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(values.clip(0, 255)).astype(np.uint8)
    return levels
