"""Normalisation by given statistics or by those of the data; channels are the last axis."""

from __future__ import annotations

from typing import Any

from fastcnn.errors import ConfigError
from fastcnn.ops._dispatch import apply_op

__all__ = [
    "batch_norm_training",
    "batch_normalization",
    "group_normalization",
    "instance_normalization",
    "l2_normalize",
    "layer_normalization",
    "local_response_normalization",
    "moving_average",
]


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int = -1,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset``, a number a channel each.

    Parameters
    ----------
    x : array, float32, shape (..., c)
    mean, variance : array, float32, shape (c,)
    axis : int, default -1
        The last.
    offset, scale : array, float32, shape (c,), optional
        0 and 1 unless given.
    epsilon : float, default 0.001

    Returns
    -------
    array, float32, of x's shape

    Raises
    ------
    ShapeError
        If a vector has not one number for each channel.
    ConfigError
        If `axis` is not the last, or epsilon is negative.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.batch_normalization(np.ones((1, 2)), [0.0, 1.0], [4.0, 1.0], epsilon=0.0)
    array([[0.5, 0. ]], dtype=float32)
    """
    if axis not in (-1, getattr(x, "ndim", 0) - 1):
        raise ConfigError(f"batch_normalization: axis: expected the last, -1, got {axis!r}")
    return apply_op(
        "batch_norm",
        [x, scale, offset, mean, variance],
        epsilon=epsilon,
        scale=scale is not None,
        center=offset is not None,
    )


def batch_norm_training(
    x: Any, scale: Any = None, offset: Any = None, epsilon: float = 1e-3
) -> tuple[Any, Any, Any]:
    """Normalise each channel by the mean and variance of the data themselves.

    Parameters
    ----------
    x : array, float32, shape (..., c)
    scale, offset : array, float32, shape (c,), optional
        1 and 0 unless given.
    epsilon : float, default 0.001

    Returns
    -------
    array, float32, of x's shape
        ``(x - mean) / sqrt(variance + epsilon) * scale + offset``
    array, float32, shape (c,)
        The mean.
    array, float32, shape (c,)
        The variance, of n values the n-th part of the squared deviations.

    References
    ----------
    S. Ioffe, C. Szegedy: Batch Normalization. ICML 2015, algorithm 1.

    Examples
    --------
    >>> import fastcnn as fc
    >>> y, mean, variance = fc.ops.batch_norm_training([[1.0], [3.0]], epsilon=0.0)
    >>> y.tolist(), mean.tolist(), variance.tolist()
    ([[-1.0], [1.0]], [2.0], [1.0])
    """
    y, mean, variance, *_ = apply_op(
        "batch_norm_training",
        [x, scale, offset],
        epsilon=epsilon,
        scale=scale is not None,
        center=offset is not None,
    )
    return y, mean, variance


def moving_average(old: Any, new: Any, momentum: float = 0.99) -> Any:
    """Move an average towards a new value: ``momentum * old + (1 - momentum) * new``.

    Parameters
    ----------
    old, new : array, float32, of one shape
    momentum : float, default 0.99
        What the old value counts.

    Returns
    -------
    array, float32, of their shape

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.ops.moving_average([0.0, 4.0], [8.0, 8.0], momentum=0.75).tolist()
    [2.0, 5.0]
    """
    return apply_op("moving_average", [old, new], momentum=momentum)


def group_normalization(
    x: Any, groups: int = 32, gamma: Any = None, beta: Any = None, epsilon: float = 1e-3
) -> Any:
    """Each sample's channels, in groups of neighbours, brought to mean 0 and variance 1.

    Parameters
    ----------
    x : array, float32, shape (n, ..., c)
    groups : int, default 32
        A divisor of c; -1: one group a channel, which is `instance_normalization`.
    gamma, beta : array, float32, shape (c,), optional
        Factor and offset of each channel; 1 and 0 unless given.
    epsilon : float, default 0.001
        Added to the variance.

    Returns
    -------
    array, float32, of x's shape

    Raises
    ------
    ShapeError
        If `x` has fewer than two axes, or gamma or beta has not one number for each channel.
    ConfigError
        If `groups` does not divide the channels.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> x = np.array([[1.0, 3.0, 10.0, 30.0]])
    >>> fc.ops.group_normalization(x, groups=2, epsilon=0.0)
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """
    return _from_data("group_norm", x, gamma, beta, epsilon, groups=groups)


def instance_normalization(
    x: Any, gamma: Any = None, beta: Any = None, epsilon: float = 1e-3
) -> Any:
    """Each channel of each sample brought to mean 0 and variance 1.

    Parameters
    ----------
    x : array, float32, shape (n, ..., c)
    gamma, beta : array, float32, shape (c,), optional
        Factor and offset of each channel; 1 and 0 unless given.
    epsilon : float, default 0.001
        Added to the variance.

    Returns
    -------
    array, float32, of x's shape

    Raises
    ------
    ShapeError
        If `x` has fewer than two axes, or gamma or beta has not one number for each channel.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.instance_normalization(np.array([[[1.0], [3.0]]]), epsilon=0.0)
    array([[[-1.],
            [ 1.]]], dtype=float32)
    """
    return _from_data("instance_norm", x, gamma, beta, epsilon)


def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float = 1e-3
) -> Any:
    """The last axes brought to mean 0 and variance 1.

    Parameters
    ----------
    x : array, float32
    gamma, beta : array, float32, of the shape of these axes, optional
        Factor and offset of each element; 1 and 0 unless given.
    axis : int or sequence of int, default -1
        The last axis or the last few.
    epsilon : float, default 0.001
        Added to the variance.

    Returns
    -------
    array, float32, of x's shape

    Raises
    ------
    ShapeError
        If gamma or beta has not the shape of these axes.
    ConfigError
        If `axis` names others than the last.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.layer_normalization(np.array([[1.0, 3.0], [5.0, 9.0]]), epsilon=0.0)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    return _from_data("layer_norm", x, gamma, beta, epsilon, axis=axis)


def _from_data(op: str, x: Any, gamma: Any, beta: Any, epsilon: float, **attrs: Any) -> Any:
    return apply_op(
        op,
        [x, gamma, beta],
        epsilon=epsilon,
        scale=gamma is not None,
        center=beta is not None,
        **attrs,
    )


def l2_normalize(x: Any, axis: Any = -1, epsilon: float = 1e-12) -> Any:
    """Vectors along an axis, divided by their Euclidean length: TensorFlow's ``l2_normalize``.

    Parameters
    ----------
    x : array, float32
    axis : int or sequence of int, default -1
        Several must be neighbours.
    epsilon : float, default 1e-12
        What the square of a length counts as at least; zeros stay zeros.

    Returns
    -------
    array, float32, of x's shape

    Raises
    ------
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.l2_normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    return apply_op("l2_normalize", [x], axis=axis, epsilon=epsilon)


def local_response_normalization(
    x: Any, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """``x / (k + alpha / size * sum(x ** 2)) ** beta``, summed over neighbouring channels.

    Torch's, ONNX's and Caffe's formula. TensorFlow's ``depth_radius`` is ``size // 2``, its alpha
    is ``alpha / size`` here, and its bias is `k`.

    Parameters
    ----------
    x : array, float32, shape (..., c)
    size : int, default 5
        How many channels to sum over, x's own in the middle: an odd number.
    alpha, beta, k : float

    Returns
    -------
    array, float32, of x's shape

    Raises
    ------
    ConfigError
        If `size` is even or not positive.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.local_response_normalization(np.ones((1, 3)), size=3, alpha=9.0, beta=0.5).round(3)
    array([[0.378, 0.316, 0.378]], dtype=float32)
    """
    return apply_op("lrn", [x], size=size, alpha=alpha, beta=beta, bias=k)
