"""Penalties on weights and activations that training adds to the loss, under Keras' names.

A layer takes them as ``kernel_regularizer``, ``bias_regularizer``, ``activity_regularizer`` ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn import ops, serialization
from fastcnn._checks import number, one_of
from fastcnn.errors import ShapeError

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "get", "serialize"]


class Regularizer(serialization.Configurable):
    """Base of the regularizers: a function, made of `fastcnn.ops`, from a tensor to one number.

    Any such function may be given instead; what derives from this can also be saved.

    Examples
    --------
    >>> import fastcnn as fc
    >>> class Sparse(fc.regularizers.Regularizer):
    ...     def __init__(self, strength=0.1):
    ...         self.strength = strength
    ...
    ...     def __call__(self, x):
    ...         return self.strength * fc.ops.sum(fc.ops.sqrt(fc.ops.absolute(x)))
    >>> layer = fc.layers.Dense(2, kernel_regularizer=Sparse(), kernel_initializer="ones")
    >>> layer.build((None, 5))
    >>> [round(float(loss), 4) for loss in layer.losses]
    [1.0]
    """

    def __call__(self, x: Any) -> Any:
        """Compute the penalty of a tensor."""
        raise TypeError(f"{type(self).__name__} defines no __call__(self, x)")


class L1L2(Regularizer):
    """``l1 * sum(|x|) + l2 * sum(x ** 2)``.

    Parameters
    ----------
    l1, l2 : float, default 0.0
        Not negative.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.regularizers.L1L2(l1=1.0, l2=0.5)([1.0, -2.0]))
    5.5
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = number("L1L2", "l1", l1, at_least=0)
        self.l2 = number("L1L2", "l2", l2, at_least=0)

    def __call__(self, x: Any) -> Any:
        """Compute the penalty of a tensor."""
        return L1(self.l1)(x) + L2(self.l2)(x)


class L1(Regularizer):
    """``l1 * sum(|x|)``: makes weights sparse.

    Parameters
    ----------
    l1 : float, default 0.01
        Not negative.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.regularizers.L1(0.5)([1.0, -2.0]))
    1.5
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = number("L1", "l1", l1, at_least=0)

    def __call__(self, x: Any) -> Any:
        """Compute the penalty of a tensor."""
        return ops.sum(ops.absolute(x)) * self.l1


class L2(Regularizer):
    """``l2 * sum(x ** 2)``: keeps weights small.

    Parameters
    ----------
    l2 : float, default 0.01
        Not negative.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.regularizers.L2(0.5)([1.0, -2.0]))
    2.5
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = number("L2", "l2", l2, at_least=0)

    def __call__(self, x: Any) -> Any:
        """Compute the penalty of a tensor."""
        return ops.sum(ops.square(x)) * self.l2


class OrthogonalRegularizer(Regularizer):
    """The mean absolute cosine between different rows, or columns, of a matrix, times a factor.

    Parameters
    ----------
    factor : float, default 0.01
        Not negative.
    mode : {"rows", "columns"}

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.regularizers.OrthogonalRegularizer(0.5)([[1.0, 0.0], [3.0, 4.0]]))
    0.30000001192092896
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = number("OrthogonalRegularizer", "factor", factor, at_least=0)
        self.mode = one_of("OrthogonalRegularizer", "mode", mode, ("rows", "columns"))

    def __call__(self, x: Any) -> Any:
        """Compute the penalty of a matrix."""
        shape = tuple(np.shape(x) if isinstance(x, (list, tuple)) else x.shape)
        rows = self.mode == "rows"
        if len(shape) != 2 or shape[0 if rows else 1] < 2:
            raise ShapeError(
                f"OrthogonalRegularizer: expected a matrix of at least two {self.mode}, got shape "
                f"{shape}"
            )
        unit = ops.l2_normalize(x, axis=1 if rows else 0, epsilon=1e-14)
        cosines = ops.matmul(unit, unit, transpose_a=not rows, transpose_b=rows)
        n = shape[0 if rows else 1]
        others = np.ones((n, n), np.float32) - np.eye(n, dtype=np.float32)
        return ops.sum(ops.absolute(cosines) * others) * (self.factor / (n * (n - 1)))


_KNOWN = serialization.names_of((L1, L1L2, L2, OrthogonalRegularizer), l1_l2=L1L2)


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """Find a regularizer by its name, class or configuration; functions and None pass through.

    Raises
    ------
    ConfigError
        There is none of that name, or its arguments do not fit.

    Examples
    --------
    >>> get("l2"), get({"class_name": "L1", "config": {"l1": 0.1}})
    (L2(l2=0.01), L1(l1=0.1))
    """
    if identifier == "l1_l2":  # by its name it has both parts
        return L1L2(0.01, 0.01)
    if identifier is None:
        return None
    return serialization.find_object(identifier, "regularizer", _KNOWN)  # type: ignore[no-any-return]


def serialize(regularizer: Any) -> Any:
    """Describe a regularizer so that `get` makes an equal one.

    Examples
    --------
    >>> serialize(L2(0.1))
    {'class_name': 'L2', 'config': {'l2': 0.1}}
    """
    return serialization.serialize_object(regularizer)
