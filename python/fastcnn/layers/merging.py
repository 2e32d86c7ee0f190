"""Layers that take a list of inputs, and the functions of their names."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from fastcnn import ops
from fastcnn.errors import ShapeError
from fastcnn.layers.layer import Layer


class _Merge(Layer):
    """Combines two inputs or more, element by element, by a function of two."""

    at_least = 1
    function: Callable[[Any, Any], Any]

    def build(self, input_shape: Any) -> None:
        """Check that there are enough inputs."""
        count = 1 if _is_one_shape(input_shape) else len(input_shape)
        if _is_one_shape(input_shape) or count < self.at_least:
            raise ShapeError(
                f'layer "{self.name}": expected a list of at least {self.at_least} inputs, got '
                f"{count}"
            )

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        rank = max(len(x.shape) for x in inputs)
        return functools.reduce(type(self).function, [_with_rank(x, rank) for x in inputs])


def _is_one_shape(shape: Any) -> bool:
    return not isinstance(shape, (list, tuple)) or not isinstance(shape[0], (list, tuple))


def _with_rank(x: Any, rank: int) -> Any:
    """Insert axes of size 1 after the batch, as Keras does before it broadcasts."""
    missing = rank - len(x.shape)
    if not missing:
        return x
    known = [1 if axis < missing else n for axis, n in enumerate((0,) * missing + x.shape[1:])]
    return ops.reshape(x, (-1, *known))


class Add(_Merge):
    """Sum of the inputs.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.Add()([np.ones(2), np.ones(2)])
    array([2., 2.], dtype=float32)
    """

    function = staticmethod(lambda a, b: ops.add(a, b))


class Subtract(_Merge):
    """First input minus second."""

    at_least = 2
    function = staticmethod(lambda a, b: ops.subtract(a, b))

    def build(self, input_shape: Any) -> None:
        """Check that there are two inputs."""
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ShapeError(f'layer "{self.name}": expected 2 inputs, got {len(input_shape)}')


class Multiply(_Merge):
    """Product of the inputs."""

    function = staticmethod(lambda a, b: ops.multiply(a, b))


class Maximum(_Merge):
    """Largest of the inputs."""

    function = staticmethod(lambda a, b: ops.maximum(a, b))


class Minimum(_Merge):
    """Smallest of the inputs."""

    function = staticmethod(lambda a, b: ops.minimum(a, b))


class Average(Add):
    """Average of the inputs."""

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.multiply(super().call(inputs), 1.0 / len(inputs))


class Concatenate(Layer):
    """The inputs one after another along an axis.

    Parameters
    ----------
    axis : int, default -1

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.Concatenate()([np.ones((1, 2)), np.zeros((1, 1))])
    array([[1., 1., 0.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        """Check that the inputs are a list."""
        if _is_one_shape(input_shape):
            raise ShapeError(f'layer "{self.name}": expected a list of inputs, got one')

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.concatenate(inputs, axis=self.axis)


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Add` to a list of tensors."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Subtract` to a list of two tensors."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Multiply` to a list of tensors."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Average` to a list of tensors."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Maximum` to a list of tensors."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Minimum` to a list of tensors."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """Apply `Concatenate` to a list of tensors."""
    return Concatenate(axis=axis, **kwargs)(inputs)
