"""What weights must keep to: projections applied after every step of training, named as in Keras.

A layer takes them as ``kernel_constraint``, ``bias_constraint`` ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcnn import ops, serialization
from fastcnn._checks import number
from fastcnn.errors import ConfigError

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "get", "serialize"]

_EPSILON = 1e-7  # added to a norm that is divided by


class Constraint(serialization.Configurable):
    """Base of the constraints: a function, made of `fastcnn.ops`, from a weight to what it becomes.

    Any such function may be given instead; what derives from this can also be saved.

    Examples
    --------
    >>> import fastcnn as fc
    >>> class Ternary(fc.constraints.Constraint):
    ...     def __call__(self, w):
    ...         return fc.ops.clip(w, -1.0, 1.0)
    >>> Ternary()([-3.0, 0.5])
    array([-1. ,  0.5], dtype=float32)
    """

    def __call__(self, w: Any) -> Any:
        """Compute what a weight becomes."""
        raise TypeError(f"{type(self).__name__} defines no __call__(self, w)")


class NonNeg(Constraint):
    """No number is negative.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.constraints.NonNeg()([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """

    def __call__(self, w: Any) -> Any:
        """Compute what a weight becomes."""
        return ops.maximum(w, 0.0)


class MinMaxNorm(Constraint):
    """Vectors have a Euclidean length between two bounds.

    Parameters
    ----------
    min_value, max_value : float, default 0.0 and 1.0
    rate : float, default 1.0
        The share of the way to the bound that a step goes.
    axis : int or sequence of int, default 0
        Along which the vectors lie: 0 for the kernel of a dense layer, (0, 1, 2) for the filters of
        a convolution.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.constraints.MinMaxNorm(min_value=1.0, max_value=2.0)([[3.0, 0.3], [4.0, 0.4]]).round(4)
    array([[1.2, 0.6],
           [1.6, 0.8]], dtype=float32)
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0
    ) -> None:
        self.min_value = number("MinMaxNorm", "min_value", min_value, at_least=0)
        self.max_value = number("MinMaxNorm", "max_value", max_value, at_least=0)
        self.rate = number("MinMaxNorm", "rate", rate, at_least=0, at_most=1)
        self.axis = axis
        if self.min_value > self.max_value:
            raise ConfigError(
                f"MinMaxNorm: expected min_value <= max_value, got {min_value!r} > {max_value!r}"
            )

    def __call__(self, w: Any) -> Any:
        """Compute what a weight becomes."""
        norm = _norm(w, self.axis)
        desired = ops.clip(norm, self.min_value, self.max_value) * self.rate
        return _scaled(w, norm, desired + norm * (1.0 - self.rate))


class MaxNorm(Constraint):
    """Vectors have at most a given Euclidean length.

    Parameters
    ----------
    max_value : float, default 2
    axis : int or sequence of int, default 0
        As for `MinMaxNorm`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.constraints.MaxNorm(1.0)([[3.0, 0.3], [4.0, 0.4]]).round(4)
    array([[0.6, 0.3],
           [0.8, 0.4]], dtype=float32)
    """

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value = number("MaxNorm", "max_value", max_value, at_least=0)
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        """Compute what a weight becomes."""
        norm = _norm(w, self.axis)
        return _scaled(w, norm, ops.clip(norm, None, self.max_value))


class UnitNorm(Constraint):
    """Vectors have the Euclidean length 1.

    Parameters
    ----------
    axis : int or sequence of int, default 0
        As for `MinMaxNorm`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.constraints.UnitNorm()([[3.0], [4.0]])
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        """Compute what a weight becomes."""
        return _scaled(w, _norm(w, self.axis), 1.0)


def _norm(w: Any, axis: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


def _scaled(w: Any, norm: Any, desired: Any) -> Any:
    return ops.multiply(w, ops.divide(desired, ops.add(norm, _EPSILON)))


_KNOWN = serialization.names_of((MaxNorm, MinMaxNorm, NonNeg, UnitNorm))


def get(identifier: Any) -> Callable[[Any], Any] | None:
    """Find a constraint by its name, class or configuration; functions and None pass through.

    Raises
    ------
    ConfigError
        There is none of that name, or its arguments do not fit.

    Examples
    --------
    >>> get("max_norm"), get({"class_name": "UnitNorm", "config": {"axis": 1}})
    (MaxNorm(max_value=2.0, axis=0), UnitNorm(axis=1))
    """
    if identifier is None:
        return None
    return serialization.find_object(identifier, "constraint", _KNOWN)  # type: ignore[no-any-return]


def serialize(constraint: Any) -> Any:
    """Describe a constraint so that `get` makes an equal one.

    Examples
    --------
    >>> serialize(NonNeg())
    {'class_name': 'NonNeg', 'config': {}}
    """
    return serialization.serialize_object(constraint)
