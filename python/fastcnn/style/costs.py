"""What style transfer makes small: costs of content, of style and of roughness.

All are composed of functions of `fastcnn.ops`, so they run at once on arrays, and as nodes of the
plan of a whole step.
"""

from __future__ import annotations

from typing import Any

from fastcnn import ops
from fastcnn.errors import ShapeError
from fastcnn.ops._shape import shape_of

__all__ = ["content_cost", "layer_style_cost", "style_matrix", "total_variation_cost"]


def content_cost(content: Any, generated: Any) -> Any:
    """How far the features of a picture are from those of the content: where things are.

    ``1 / (4 h w c)`` times the sum of squared differences.

    Parameters
    ----------
    content, generated : array, float32, shape (1, h, w, c)
        What one layer says of the content picture and of the one that is made.

    Returns
    -------
    array, float32, shape ()

    Raises
    ------
    ShapeError
        The shapes differ.

    References
    ----------
    L. Gatys, A. Ecker, M. Bethge: Image Style Transfer Using Convolutional Neural Networks. CVPR
    2016, equation 1, where the factor is 1/2.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> float(fc.style.content_cost(np.zeros((1, 2, 2, 3)), np.full((1, 2, 2, 3), 2.0)))
    1.0
    """
    shape = shape_of(generated)
    if shape_of(content) != shape or len(shape) != 4:
        raise ShapeError(
            "content_cost: expected features of one shape (1, h, w, c), got "
            f"{shape_of(content)} and {shape}"
        )
    return ops.mean(ops.square(ops.subtract(generated, content))) * 0.25


def style_matrix(features: Any, guide: Any = None) -> Any:
    """Which features occur together, wherever they are: the Gram matrix, for each pixel.

    Parameters
    ----------
    features : array, float32, shape (1, h, w, c)
        What one layer says of a picture.
    guide : array, float32, shape (1, h, w, 1), optional
        Where to look: weights of the pixels whose squares sum up to 1.

    Returns
    -------
    array, float32, shape (1, c, c)
        The products of all pairs of channels, averaged over the pixels; pictures of different
        sizes have comparable ones.

    References
    ----------
    Gatys et al. 2016, equation 3; with a guide: L. Gatys, A. Ecker, M. Bethge, A. Hertzmann,
    E. Shechtman: Controlling Perceptual Factors in Neural Style Transfer. CVPR 2017, section 4.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.array([[1.0, 0.0], [1.0, 2.0]]).reshape(1, 1, 2, 2)
    >>> fc.style.style_matrix(x)
    array([[[1., 1.],
            [1., 2.]]], dtype=float32)
    """
    shape = shape_of(features)
    if guide is None:
        pixels = shape[1] * shape[2] if len(shape) == 4 else 0
        return ops.gram_matrix(features, scale=1.0 / max(pixels, 1))
    return ops.gram_matrix(ops.multiply(features, guide))


def layer_style_cost(style: Any, generated: Any) -> Any:
    """How far the style of a picture is from that of another, as one layer sees it.

    ``1 / (4 c^2)`` times the sum of squared differences of matrices that are averages over the
    pixels: what the paper has as ``1 / (4 c^2 (h w)^2)`` times that of sums.

    Parameters
    ----------
    style, generated : array, float32, shape (1, c, c)
        `style_matrix` of the style and of the picture that is made.

    Returns
    -------
    array, float32, shape ()

    Raises
    ------
    ShapeError
        The shapes differ.

    References
    ----------
    Gatys et al. 2016, equation 4.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> float(fc.style.layer_style_cost(np.zeros((1, 3, 3)), np.full((1, 3, 3), 4.0)))
    4.0
    """
    shape = shape_of(generated)
    if shape_of(style) != shape or len(shape) != 3:
        raise ShapeError(
            "layer_style_cost: expected style matrices of one shape (1, c, c), got "
            f"{shape_of(style)} and {shape}"
        )
    return ops.mean(ops.square(ops.subtract(generated, style))) * 0.25


def total_variation_cost(picture: Any) -> Any:
    """How much neighbouring pixels differ: the mean of squares, downwards plus sideways.

    Parameters
    ----------
    picture : array, float32, shape (1, h, w, 3)
        At least 2 x 2.

    Returns
    -------
    array, float32, shape ()

    Raises
    ------
    ShapeError
        `picture` has other axes, or is smaller.

    References
    ----------
    A. Mahendran, A. Vedaldi: Understanding Deep Image Representations by Inverting Them. CVPR
    2015, section 3.1, with beta = 2 (as a mean).

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> stripes = np.array([[0.0, 3.0], [0.0, 3.0]]).reshape(1, 2, 2, 1)
    >>> float(fc.style.total_variation_cost(stripes))
    9.0
    """
    shape = shape_of(picture)
    if len(shape) != 4 or min(shape[1:3]) < 2:
        raise ShapeError(
            f"total_variation_cost: expected shape (1, h, w, c) of at least 2 x 2, got {shape}"
        )

    def mean_square_of_change(axis: int) -> Any:
        fewer = tuple(size - (i == axis) for i, size in enumerate(shape))
        later = tuple(int(i == axis) for i in range(4))
        before = ops.slice(picture, (0, 0, 0, 0), fewer)
        return ops.mean(ops.square(ops.subtract(ops.slice(picture, later, fewer), before)))

    return ops.add(mean_square_of_change(1), mean_square_of_change(2))
