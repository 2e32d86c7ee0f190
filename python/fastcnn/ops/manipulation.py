"""Functions that move data and compute nothing: shapes, order of axes, parts, joins. Any dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastcnn.errors import ConfigError, ShapeError
from fastcnn.ops._dispatch import apply_op
from fastcnn.ops._shape import as_ints, as_list, normalize_axis, shape_of

__all__ = [
    "broadcast_to",
    "concatenate",
    "expand_dims",
    "flatten",
    "flip",
    "pad",
    "reshape",
    "slice",
    "split",
    "squeeze",
    "stack",
    "stop_gradient",
    "tile",
    "transpose",
]


def reshape(x: Any, newshape: Any) -> Any:
    """The same elements in the same order under another shape.

    Parameters
    ----------
    x : array
    newshape : int or sequence of int
        One size may be -1 and is then worked out.

    Returns
    -------
    array

    Raises
    ------
    ShapeError
        If the number of elements would change.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.reshape(np.zeros((2, 3, 4)), (2, -1)).shape
    (2, 12)
    """
    return apply_op("reshape", [x], dtypes=None, shape=as_ints("reshape", "newshape", newshape))


def flatten(x: Any) -> Any:
    """All axes after the first joined into one.

    Parameters
    ----------
    x : array, any dtype, shape (n, ...)

    Returns
    -------
    array of the same dtype, shape (n, m)

    Raises
    ------
    ShapeError
        If `x` has no axes.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.flatten(np.zeros((2, 3, 4))).shape
    (2, 12)
    """
    shape = shape_of(x)
    if not shape:
        raise ShapeError("flatten: expected at least one axis (the batch), got a scalar")
    return reshape(x, (shape[0], math.prod(shape[1:])))


def expand_dims(x: Any, axis: Any) -> Any:
    """A new axis of one element before `axis` (of the result).

    Parameters
    ----------
    x : array, any dtype
    axis : int or sequence of int
        Where the new axes are in the result; negative numbers count from its end.

    Returns
    -------
    array of the same dtype

    Raises
    ------
    ConfigError
        If an axis is out of range or named twice.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.expand_dims(np.zeros((2, 3)), -1).shape
    (2, 3, 1)
    """
    shape = list(shape_of(x))
    rank = len(shape) + len(as_ints("expand_dims", "axis", axis))
    axes = sorted(normalize_axis("expand_dims", a, rank) for a in as_ints("", "axis", axis))
    if len(set(axes)) != len(axes):
        raise ConfigError(f"expand_dims: axis: expected different axes, got {axis!r}")
    for a in axes:
        shape.insert(a, 1)
    return reshape(x, shape)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Without the axes of one element, or without those named.

    Parameters
    ----------
    x : array, any dtype
    axis : int or sequence of int, optional
        The axes to drop, each of one element; all such axes by default.

    Returns
    -------
    array of the same dtype

    Raises
    ------
    ShapeError
        If an axis that is named has more than one element.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.squeeze(np.zeros((1, 3, 1))).shape
    (3,)
    """
    shape = shape_of(x)
    if axis is None:
        gone = {i for i, n in enumerate(shape) if n == 1}
    else:
        gone = {normalize_axis("squeeze", a, len(shape)) for a in as_ints("squeeze", "axis", axis)}
    if any(shape[i] != 1 for i in gone):
        raise ShapeError(f"squeeze: axis {axis!r} of shape {shape} has more than one element")
    return reshape(x, [n for i, n in enumerate(shape) if i not in gone])


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """The axes in another order.

    Parameters
    ----------
    x : array
    axes : sequence of int, optional
        Axis k of the result is axis ``axes[k]`` of `x`; reversed by default.

    Returns
    -------
    array

    Raises
    ------
    ConfigError
        If `axes` does not name each axis once.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.transpose(np.zeros((1, 5, 6, 3)), (0, 3, 1, 2)).shape
    (1, 3, 5, 6)
    """
    given = None if axes is None else as_ints("transpose", "axes", axes)
    return apply_op("transpose", [x], dtypes=None, axes=given)


def concatenate(xs: Sequence[Any], axis: int = -1) -> Any:
    """Arrays one after the other along an axis.

    Parameters
    ----------
    xs : sequence of array
        Of one dtype, their shapes equal except in `axis`.
    axis : int

    Returns
    -------
    array

    Raises
    ------
    ShapeError, DTypeError
        If the arrays do not fit together.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.concatenate([np.zeros((2, 3)), np.zeros((2, 4))]).shape
    (2, 7)
    """
    xs = as_list("concatenate", "xs", xs)
    return apply_op("concat", xs, dtypes=None, axis=axis)


def stack(xs: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape along a new axis.

    Parameters
    ----------
    xs : sequence of arrays of one shape
    axis : int
        Where the new axis is in the result.

    Returns
    -------
    array

    Raises
    ------
    ShapeError
        If the shapes differ.
    ConfigError
        If there are no arrays or the axis is out of range.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.stack([np.zeros(3), np.ones(3)], axis=1).shape
    (3, 2)
    """
    xs = as_list("stack", "xs", xs)
    axis = normalize_axis("stack", axis, len(shape_of(xs[0])) + 1)
    return concatenate([expand_dims(x, axis) for x in xs], axis)


def slice(x: Any, start_indices: Any, shape: Any, strides: Any = None) -> Any:
    """A box of an array.

    Parameters
    ----------
    x : array
    start_indices : sequence of int
        Its first element in each axis, from 0.
    shape : sequence of int
        Its size in each axis.
    strides : sequence of int, optional
        Distance in `x` between neighbours of the box, 1 by default; backwards where negative.

    Returns
    -------
    array of shape `shape`

    Raises
    ------
    ShapeError
        If the box does not lie inside `x`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.slice(np.arange(6.0), (1,), (2,), (3,))
    array([1., 4.])
    """
    return apply_op(
        "slice",
        [x],
        dtypes=None,
        begin=as_ints("slice", "start_indices", start_indices),
        size=as_ints("slice", "shape", shape),
        step=None if strides is None else as_ints("slice", "strides", strides),
    )


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """The parts of an array along an axis.

    Parameters
    ----------
    x : array
    indices_or_sections : int or sequence of int
        The number of equal parts, or where each part but the first begins.
    axis : int

    Returns
    -------
    list of array

    Raises
    ------
    ShapeError
        If the axis cannot be cut into so many equal parts.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> [part.shape for part in fc.ops.split(np.zeros((2, 7)), [3, 4], axis=1)]
    [(2, 3), (2, 1), (2, 3)]
    """
    full = shape_of(x)
    axis = normalize_axis("split", axis, len(full))
    n = full[axis]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or n % indices_or_sections:
            raise ShapeError(
                f"split: axis {axis} of shape {full} cannot be cut into {indices_or_sections} "
                "equal parts"
            )
        step = n // indices_or_sections
        cuts = [step * i for i in range(1, indices_or_sections)]
    else:
        cuts = [
            min(max(c + n if c < 0 else c, 0), n)
            for c in as_ints("split", "indices_or_sections", indices_or_sections)
        ]
    parts = []
    for first, last in zip([0, *cuts], [*cuts, n], strict=True):
        start, shape = [0] * len(full), list(full)
        start[axis], shape[axis] = first, max(0, last - first)
        parts.append(slice(x, start, shape))
    return parts


def flip(x: Any, axis: Any = None) -> Any:
    """Axes in reverse: all, or those named.

    Parameters
    ----------
    x : array, any dtype
    axis : int or sequence of int, optional
        The axes to reverse; all by default.

    Returns
    -------
    array of the same dtype and shape

    Raises
    ------
    ConfigError
        If an axis is out of range.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.flip(np.arange(3.0))
    array([2., 1., 0.])
    """
    shape = shape_of(x)
    axes = range(len(shape)) if axis is None else as_ints("flip", "axis", axis)
    turned = {normalize_axis("flip", a, len(shape)) for a in axes}
    start = [max(0, n - 1) if i in turned else 0 for i, n in enumerate(shape)]
    return slice(x, start, shape, [-1 if i in turned else 1 for i in range(len(shape))])


def pad(
    x: Any, pad_width: Any, mode: str = "constant", constant_values: float | None = None
) -> Any:
    """Elements added around an array.

    Parameters
    ----------
    x : array
    pad_width : int, (int, int) or sequence of (int, int)
        Before and after: of all axes, or of each axis.
    mode : {"constant", "edge", "reflect", "symmetric"}
        As in NumPy: `constant_values`, the nearest element, or the mirrored array without or with
        its first element repeated. A mirror is not applied twice.
    constant_values : number, optional
        0 by default.

    Returns
    -------
    array

    Raises
    ------
    ShapeError
        If an axis is too short to be mirrored so far.
    ConfigError
        If a number is negative, or the dtype of `x` cannot hold `constant_values`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.pad(np.arange(1.0, 4.0), ((2, 1),), mode="reflect")
    array([3., 2., 1., 2., 3., 2.])
    """
    rank = len(shape_of(x))
    widths = _pad_widths(pad_width, rank)
    pads = [n for pair in widths for n in pair]
    return apply_op("pad", [x], dtypes=None, pads=pads, mode=mode, value=constant_values)


def _pad_widths(pad_width: Any, rank: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, Sequence) and any(isinstance(p, Sequence) for p in pad_width):
        pairs = [as_ints("pad", "pad_width", p) for p in pad_width]
    else:
        pairs = [as_ints("pad", "pad_width", pad_width)]
    pairs = pairs * rank if len(pairs) == 1 else pairs
    widths = [p * 2 if len(p) == 1 else p for p in pairs]
    if len(widths) != rank or any(len(w) != 2 for w in widths):
        raise ConfigError(
            f"pad: pad_width: expected an integer, (before, after), or one of these for each of "
            f"{rank} axes, got {pad_width!r}"
        )
    return [(w[0], w[1]) for w in widths]


def broadcast_to(x: Any, shape: Any) -> Any:
    """The array repeated along axes of one element, and along new first axes.

    Parameters
    ----------
    x : array, any dtype
    shape : sequence of int
        Each axis of `x`, counted from the last, has this size or 1.

    Returns
    -------
    array of the same dtype, of that shape

    Raises
    ------
    ShapeError
        If `x` does not broadcast to `shape`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.broadcast_to(np.arange(3.0), (2, 3))
    array([[0., 1., 2.],
           [0., 1., 2.]])
    """
    return apply_op("broadcast_to", [x], dtypes=None, shape=as_ints("broadcast_to", "shape", shape))


def tile(x: Any, repeats: Any) -> Any:
    """The array laid side by side with itself.

    Parameters
    ----------
    x : array, any dtype
    repeats : int or sequence of int
        How often along each axis, counted from the last; `x` gets new first axes where there are
        more numbers than axes.

    Returns
    -------
    array of the same dtype

    Raises
    ------
    ConfigError
        If a number is negative.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.tile(np.arange(2.0), (2, 2))
    array([[0., 1., 0., 1.],
           [0., 1., 0., 1.]])
    """
    counts = as_ints("tile", "repeats", repeats)
    if any(n < 0 for n in counts):
        raise ConfigError(f"tile: repeats: expected numbers of at least 0, got {repeats!r}")
    shape = list(shape_of(x))
    shape = [1] * (len(counts) - len(shape)) + shape
    counts = (1,) * (len(shape) - len(counts)) + counts
    for axis, count in enumerate(counts):
        if count != 1:  # (before, the axis and what follows), the latter repeated
            before, rest = math.prod(shape[:axis]), math.prod(shape[axis:])
            x = broadcast_to(reshape(x, (before, 1, rest)), (before, count, rest))
            shape[axis] *= count
    return reshape(x, shape)


def stop_gradient(variable: Any) -> Any:
    """The same numbers, which count as constants where gradients are computed.

    Parameters
    ----------
    variable : array
        Any dtype, any shape; Keras' name of it.

    Returns
    -------
    array
        Of its dtype and shape.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> f = fc.value_and_grad(lambda x: fc.ops.sum(fc.ops.stop_gradient(x) * x))
    >>> value, gradient = f(np.array([1.0, 2.0, 3.0]))
    >>> gradient.tolist()  # of x * x it would be 2 x
    [1.0, 2.0, 3.0]
    """
    return apply_op("stop_gradient", [variable], dtypes=None)
