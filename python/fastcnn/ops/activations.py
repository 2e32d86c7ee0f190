"""Activation functions, element by element, with Keras' names and meanings; softmax."""

from __future__ import annotations

from typing import Any

from fastcnn.ops._dispatch import apply_op
from fastcnn.ops.math import absolute, add, clip, divide, exp, multiply

__all__ = [
    "elu",
    "exponential",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "leaky_relu",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]


def relu(
    x: Any,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Any:
    """``x`` where it is at least `threshold`, ``negative_slope * (x - threshold)`` below.

    Parameters
    ----------
    x : array, float32
    negative_slope, threshold : float, default 0.0
    max_value : float, optional
        No bound unless given.

    Returns
    -------
    array, float32, of x's shape
        NaN where `x` is NaN.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.relu(np.array([-1.0, 0.5, 8.0]), max_value=6)
    array([0. , 0.5, 6. ], dtype=float32)
    """
    if threshold != 0.0:
        y = apply_op(
            "unary", [x], kind="thresholded_relu", threshold=threshold, slope=negative_slope
        )
    elif negative_slope != 0.0:
        y = leaky_relu(x, negative_slope)
    elif max_value == 6.0:
        return relu6(x)
    else:
        y = apply_op("activation", [x], activation="relu")
    return y if max_value is None else clip(y, None, max_value)


def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.relu6(np.array([-1.0, 3.0, 8.0]))
    array([0., 3., 6.], dtype=float32)
    """
    return apply_op("activation", [x], activation="relu6")


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` where it is not negative, ``negative_slope * x`` elsewhere.

    Parameters
    ----------
    x : array, float32
    negative_slope : float, default 0.2

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.leaky_relu(np.array([-1.0, 2.0]))
    array([-0.2,  2. ], dtype=float32)
    """
    return apply_op("activation", [x], activation="leaky_relu", alpha=negative_slope)


def prelu(x: Any, alpha: Any) -> Any:
    """``x`` where it is not negative, ``alpha * x`` elsewhere.

    Parameters
    ----------
    x : array, float32
    alpha : array, float32
        Broadcast to x's shape: ``(c,)`` for a slope a channel.

    Returns
    -------
    array, float32, of x's shape

    Raises
    ------
    ShapeError
        If `alpha` does not broadcast to x's shape.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.prelu(np.array([[-1.0, -2.0], [3.0, 4.0]]), [0.5, 0.25])
    array([[-0.5, -0.5],
           [ 3. ,  4. ]], dtype=float32)
    """
    return apply_op("prelu", [x, alpha])


def elu(x: Any, alpha: float = 1.0) -> Any:
    """``x`` where it is not negative, ``alpha * (exp(x) - 1)`` elsewhere.

    Parameters
    ----------
    x : array, float32
    alpha : float, default 1.0

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.elu(np.array([-1.0, 2.0])).round(4)
    array([-0.6321,  2.    ], dtype=float32)
    """
    return apply_op("activation", [x], activation="elu", alpha=alpha)


def selu(x: Any) -> Any:
    """``scale * elu(x, alpha)`` with the constants of self-normalising networks.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.selu(np.array([-1.0, 2.0])).round(4)
    array([-1.1113,  2.1014], dtype=float32)
    """
    return multiply(elu(x, 1.6732632423543772), 1.0507009873554805)


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.sigmoid(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.2689, 0.5   , 0.7311], dtype=float32)
    """
    return apply_op("activation", [x], activation="sigmoid")


def hard_sigmoid(x: Any) -> Any:
    """``relu6(x + 3) / 6``, Keras 3's definition.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.hard_sigmoid(np.array([-4.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75], dtype=float32)
    """
    return apply_op("activation", [x], activation="hard_sigmoid")


def tanh(x: Any) -> Any:
    """Hyperbolic tangent.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.tanh(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.7616,  0.    ,  0.7616], dtype=float32)
    """
    return apply_op("activation", [x], activation="tanh")


def silu(x: Any) -> Any:
    """``x * sigmoid(x)``, also called swish.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.silu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.2689,  0.    ,  0.7311], dtype=float32)
    """
    return apply_op("activation", [x], activation="silu")


def hard_silu(x: Any) -> Any:
    """``x * relu6(x + 3) / 6``, also called hard swish.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.hard_silu(np.array([-4.0, 0.0, 1.5]))
    array([-0.   ,  0.   ,  1.125], dtype=float32)
    """
    return apply_op("activation", [x], activation="hard_swish")


swish = silu
hard_swish = hard_silu


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x * Phi(x)``, Phi the normal distribution function.

    Parameters
    ----------
    x : array, float32
    approximate : bool, default False
        Whether to use the approximation by tanh. False is the default of Keras' and torch's
        activations; ``keras.ops.gelu`` has True.

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.gelu(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413], dtype=float32)
    """
    return apply_op("unary", [x], kind="gelu_tanh" if approximate else "gelu")


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, without overflow.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.softplus(np.array([-1.0, 0.0, 100.0])).round(4)
    array([  0.3133,   0.6931, 100.    ], dtype=float32)
    """
    return apply_op("unary", [x], kind="softplus")


def softsign(x: Any) -> Any:
    """``x / (1 + |x|)``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.softsign(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75], dtype=float32)
    """
    return divide(x, add(absolute(x), 1.0))


def mish(x: Any) -> Any:
    """``x * tanh(softplus(x))``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.mish(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.3034,  0.    ,  0.8651], dtype=float32)
    """
    return apply_op("unary", [x], kind="mish")


def exponential(x: Any) -> Any:
    """``exp(x)``.

    Parameters
    ----------
    x : array, float32

    Returns
    -------
    array, float32, of x's shape

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.exponential(np.array([0.0, 1.0])).round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    return exp(x)


def softmax(x: Any, axis: int = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along an axis, without overflow.

    Parameters
    ----------
    x : array, float32
    axis : int, default -1

    Returns
    -------
    array, float32, of x's shape
        Positive values that sum to 1. A row that holds NaN or inf, or only -inf, is NaN.

    Raises
    ------
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.softmax(np.array([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ], dtype=float32)
    """
    return apply_op("softmax", [x], axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of `softmax`, without its loss of digits.

    Parameters
    ----------
    x : array, float32
    axis : int, default -1

    Returns
    -------
    array, float32, of x's shape
        NaN where `softmax` is.

    Raises
    ------
    ConfigError
        If `x` has no such axis.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.ops.log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.], dtype=float32)
    """
    return apply_op("log_softmax", [x], axis=axis)
