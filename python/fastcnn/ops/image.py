"""Pictures at another size or place: resizing, cropping, matrices, blocks of pixels as channels."""

from __future__ import annotations

from typing import Any

from fastcnn.errors import ConfigError, ShapeError
from fastcnn.ops._dispatch import apply_op
from fastcnn.ops._shape import as_ints, shape_of
from fastcnn.ops._window import SizeLike
from fastcnn.ops.manipulation import broadcast_to, expand_dims, slice, squeeze
from fastcnn.ops.resampling import resized

__all__ = [
    "affine_transform",
    "crop_images",
    "depth_to_space",
    "pixel_shuffle",
    "pixel_unshuffle",
    "resize",
    "space_to_depth",
]


def resize(
    x: Any,
    size: SizeLike,
    interpolation: str = "bilinear",
    *,
    coordinate: str = "half_pixel",
    antialias: bool = False,
) -> Any:
    """Pictures at another size.

    Parameters
    ----------
    x : array, shape (n, h, w, c)
        Any dtype for ``"nearest"``, else float32.
    size : int or (int, int)
        oh and ow.
    interpolation : {"bilinear", "nearest", "bicubic"}
        Bicubic filters are torch's: of slope -0.75, or -0.5 with `antialias`, as Pillow's.
    coordinate : {"half_pixel", "align_corners", "asymmetric"}
        Where pixel i of the result lies: at ``(i + 0.5) * h / oh - 0.5`` (Keras; torch's
        ``align_corners=False``), at ``i * (h - 1) / (oh - 1)`` (torch's ``align_corners=True``), or
        at ``i * h / oh`` (torch's mode ``"nearest"``; TensorFlow 1).
    antialias : bool
        Whether filters grow where pictures shrink, so that every pixel counts. Not for
        ``"nearest"``.

    Returns
    -------
    array, shape (n, oh, ow, c)

    Raises
    ------
    ShapeError
        If `x` is not of rank 4, or its pictures are empty.
    ConfigError
        If `size` is not positive, or a word is unknown.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
    >>> fc.ops.resize(x, (2, 4))[0, :, :, 0]
    array([[0.  , 0.25, 0.75, 1.  ],
           [2.  , 2.25, 2.75, 3.  ]], dtype=float32)
    >>> fc.ops.resize(x, (2, 4), "nearest")[0, :, :, 0]
    array([[0., 0., 1., 1.],
           [2., 2., 3., 3.]])
    """
    if interpolation == "bicubic" or (antialias and interpolation == "bilinear"):
        wanted = as_ints("resize", "size", size)
        height, width = wanted * 2 if len(wanted) == 1 else (*wanted, 0)[:2]
        shape = shape_of(x)
        if len(wanted) > 2 or not (0 < height < 2**31 and 0 < width < 2**31):
            raise ConfigError(f"resize: size: expected positive (height, width), got {size!r}")
        if len(shape) != 4 or 0 in shape[1:3]:
            raise ShapeError(f"resize: expected pictures that are not empty, got shape {shape}")
        if coordinate not in ("half_pixel", "align_corners", "asymmetric"):
            raise ConfigError(
                "resize: coordinate: expected one of 'half_pixel', 'align_corners', 'asymmetric', "
                f"got {coordinate!r}"
            )
        return resized(x, (height, width), interpolation, coordinate, antialias)
    if antialias:
        raise ConfigError(f"resize: antialias: there is no filter for {interpolation!r}")
    return apply_op(
        "resize",
        [x],
        dtypes="float32" if interpolation == "bilinear" else None,
        size=size,
        interpolation=interpolation,
        coordinate=coordinate,
    )


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> Any:
    """Pictures turned, scaled, moved or tilted: each pixel comes from where a matrix says.

    With the row (a, b, c, d, e, f, g, h) of `transform`, the pixel at column x and row y of the
    result comes from column ``(a x + b y + c) / k`` and row ``(d x + e y + f) / k`` of the picture,
    where ``k = g x + h y + 1``.

    Parameters
    ----------
    images : array, shape (n, h, w, c) or (h, w, c)
    transform : array, shape (n, 8) or (8,)
        One row for each picture, or one for all.
    interpolation : {"bilinear", "nearest"}
    fill_mode : {"constant", "nearest", "reflect", "wrap"}
        What lies beyond the border: `fill_value`, the outermost pixels, the mirrored picture
        (``d c b a | a b c d | d c b a``), or the picture again.
    fill_value : float

    Returns
    -------
    array of the images' shape

    Raises
    ------
    ShapeError
        If there are not 8 numbers, or as many rows as pictures.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.arange(4.0).reshape(1, 1, 4, 1)
    >>> fc.ops.affine_transform(x, [1, 0, 0.5, 0, 1, 0, 0, 0], fill_mode="nearest").ravel()
    array([0.5, 1.5, 2.5, 3. ], dtype=float32)
    """
    shape = shape_of(images)
    if len(shape) not in (3, 4):
        raise ShapeError(
            f"affine_transform: expected pictures (n, h, w, c) or (h, w, c), got shape {shape}"
        )
    if len(shape_of(transform)) == 1:
        transform = broadcast_to(transform, (shape[0] if len(shape) == 4 else 1, 8))
    pictures = images if len(shape) == 4 else expand_dims(images, 0)
    moved = apply_op(
        "affine_transform",
        [pictures, transform],
        interpolation=interpolation,
        fill_mode=fill_mode,
        fill_value=float(fill_value),
    )
    return moved if len(shape) == 4 else squeeze(moved, 0)


def crop_images(
    x: Any,
    top_cropping: int = 0,
    left_cropping: int = 0,
    target_height: int | None = None,
    target_width: int | None = None,
) -> Any:
    """A rectangle of pictures.

    Parameters
    ----------
    x : array, any dtype, shape (n, h, w, c)
    top_cropping, left_cropping : int
        Its first row and column.
    target_height, target_width : int, optional
        Its size; what is left of the picture by default.

    Returns
    -------
    array, shape (n, target_height, target_width, c)

    Raises
    ------
    ShapeError
        If the rectangle does not lie inside the pictures.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.crop_images(np.zeros((1, 8, 8, 3)), 2, 1, target_height=4).shape
    (1, 4, 7, 3)
    """
    shape = shape_of(x)
    if len(shape) != 4:
        raise ConfigError(f"crop_images: expected pictures (n, h, w, c), got shape {shape}")
    n, h, w, c = shape
    top, left = as_ints("crop_images", "top and left", (top_cropping, left_cropping))
    size = (
        h - top if target_height is None else target_height,
        w - left if target_width is None else target_width,
    )
    return slice(x, (0, top, left, 0), (n, *size, c))


def space_to_depth(x: Any, block_size: int = 2, *, mode: str = "DCR") -> Any:
    """Blocks of pixels as the channels of one pixel.

    Parameters
    ----------
    x : array, any dtype, shape (n, h, w, c)
    block_size : int
        b, which divides h and w.
    mode : {"DCR", "CRD"}
        Where channel i of pixel (r, s) of a block goes: to ``(r * b + s) * c + i`` (TensorFlow,
        Keras, Darknet's reorganisation by blocks) or to ``(i * b + r) * b + s`` (torch's
        ``pixel_unshuffle``).

    Returns
    -------
    array, shape (n, h / b, w / b, c * b * b)

    Raises
    ------
    ShapeError
        If b does not divide h and w.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.space_to_depth(np.arange(4.0).reshape(1, 2, 2, 1))
    array([[[[0., 1., 2., 3.]]]])
    """
    return apply_op("space_to_depth", [x], dtypes=None, block_size=block_size, mode=mode)


def depth_to_space(x: Any, block_size: int = 2, *, mode: str = "DCR") -> Any:
    """Channels as blocks of pixels; the inverse of `space_to_depth`.

    Parameters
    ----------
    x : array, any dtype, shape (n, h, w, c)
    block_size : int
        b, whose square divides c.
    mode : {"DCR", "CRD"}
        As in `space_to_depth`.

    Returns
    -------
    array, shape (n, h * b, w * b, c / (b * b))

    Raises
    ------
    ShapeError
        If b * b does not divide c.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.depth_to_space(np.arange(4.0).reshape(1, 1, 1, 4))[0, :, :, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    return apply_op("depth_to_space", [x], dtypes=None, block_size=block_size, mode=mode)


def pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    """`depth_to_space` in torch's order of channels: (n, h, w, c r r) to (n, h r, w r, c).

    Parameters
    ----------
    x : array, any dtype, of rank 4
    upscale_factor : int
        r, at least 1.

    Returns
    -------
    array of the same dtype

    Raises
    ------
    ShapeError
        If the sizes are no multiples of what r asks for.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.pixel_shuffle(np.zeros((1, 2, 2, 8)), 2).shape
    (1, 4, 4, 2)
    """
    return depth_to_space(x, upscale_factor, mode="CRD")


def pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    """`space_to_depth` in torch's order of channels: (n, h r, w r, c) to (n, h, w, c r r).

    Parameters
    ----------
    x : array, any dtype, of rank 4
    downscale_factor : int
        r, at least 1.

    Returns
    -------
    array of the same dtype

    Raises
    ------
    ShapeError
        If the sizes are no multiples of what r asks for.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.pixel_unshuffle(np.zeros((1, 4, 4, 2)), 2).shape
    (1, 2, 2, 8)
    """
    return space_to_depth(x, downscale_factor, mode="CRD")
