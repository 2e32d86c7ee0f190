"""Random numbers, under Keras' names.

Outside of layers every call draws other numbers; after ``fastcnn.set_random_seed(s)`` they are
always the same. In a layer's ``call`` each run of the model draws others, and in `Model.fit` they
depend on the seed and the number of the step only: never on threads or on what was drawn elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastcnn._random import next_key
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.layers._arguments import number
from fastcnn.ops._dispatch import active, apply_op
from fastcnn.ops._shape import as_ints, shape_of
from fastcnn.ops.math import multiply
from fastcnn.symbolic import KerasTensor
from fastcnn.tracing import Value

__all__ = ["SeedGenerator", "dropout", "normal", "uniform"]


class SeedGenerator:
    """A seed from which every call draws other numbers.

    Parameters
    ----------
    seed : int, optional
        The seed of the process (`fastcnn.set_random_seed`), or of the training, unless given.

    Examples
    --------
    >>> import fastcnn as fc
    >>> seed = fc.random.SeedGenerator(1)
    >>> first, second = fc.random.uniform((2,), seed=seed), fc.random.uniform((2,), seed=seed)
    >>> bool((first == second).any())
    False
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else _checked(seed)
        self._count = 0

    def _source(self) -> tuple[Any, dict[str, Any]]:
        trace = active.trace
        if trace is not None:
            key, stream = trace.random_key()
            return key, {"stream": stream, "seed": self.seed}
        if self.seed is None:
            return next_key(), {}
        self._count += 1
        return np.array([self.seed, self._count - 1], np.int64), {}


_process = SeedGenerator()


def _checked(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ConfigError(f"expected a seed that is an integer >= 0, got {seed!r}")
    return int(seed) % 2**63


def _source(seed: Any) -> tuple[Any, dict[str, Any]]:
    """The key operand of a random op and the attributes that go with it."""
    if seed is None:
        return _process._source()
    if isinstance(seed, SeedGenerator):
        return seed._source()
    key = np.array([_checked(seed), 0], np.int64)
    trace = active.trace
    return (key if trace is None else Value(trace, trace.graph.constant(key))), {}


def _drawn(op: str, shape: Any, dtype: str | None, seed: Any, **attrs: float) -> Any:
    if dtype not in (None, "float32"):
        raise DTypeError(f"{op}: expected dtype float32, got {dtype!r}")
    sizes = as_ints(op, "shape", shape)
    attrs = {key: number(op, key, value) for key, value in attrs.items()}
    key, source = _source(seed)
    return apply_op(op, [key], "int64", shape=sizes, **attrs, **source)


def uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: int | SeedGenerator | None = None,
) -> Any:
    """Numbers spread evenly from `minval` to below `maxval`.

    Parameters
    ----------
    shape : sequence of int
    minval, maxval : float
    dtype : str, optional
        ``"float32"``.
    seed : int or SeedGenerator, optional
        An int gives the same numbers at every call.

    Returns
    -------
    array of this shape

    Raises
    ------
    ConfigError
        If `maxval` is below `minval`.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.random.uniform((2, 3), seed=1).shape
    (2, 3)
    """
    return _drawn("random_uniform", shape, dtype, seed, low=minval, high=maxval)


def normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | SeedGenerator | None = None,
) -> Any:
    """Numbers of the normal distribution.

    Parameters
    ----------
    shape : sequence of int
    mean, stddev : float
    dtype : str, optional
        ``"float32"``.
    seed : int or SeedGenerator, optional
        An int gives the same numbers at every call.

    Returns
    -------
    array of this shape

    Raises
    ------
    ConfigError
        If `stddev` is negative.

    Examples
    --------
    >>> import fastcnn as fc
    >>> float(fc.random.normal((1000,), mean=5, seed=1).mean().round())
    5.0
    """
    return _drawn("random_normal", shape, dtype, seed, mean=mean, stddev=stddev)


def dropout(
    inputs: Any,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: int | SeedGenerator | None = None,
) -> Any:
    """Set a random share of the elements to zero, and divide the others by the share that is left.

    Parameters
    ----------
    inputs : array
    rate : float
        The share that is dropped, 0 to 1.
    noise_shape : sequence of int or None, optional
        Of what is drawn; along axes where it has 1, elements are dropped together. None stands for
        the size of `inputs`.
    seed : int or SeedGenerator, optional
        An int drops the same elements at every call.

    Returns
    -------
    array of the inputs' shape

    Raises
    ------
    ConfigError
        If `rate` is not from 0 to 1.
    ShapeError
        If `noise_shape` does not broadcast to the shape of `inputs`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> y = fc.random.dropout(np.ones((2, 1000)), 0.25, seed=1)
    >>> np.unique(y).round(3).tolist(), bool(abs((y == 0).mean() - 0.25) < 0.05)
    ([0.0, 1.3329999446868896], True)
    """
    if isinstance(inputs, KerasTensor):
        raise ConfigError("random.dropout: expected an array; in a model use layers.Dropout")
    rate = number("dropout", "rate", rate)
    shape = shape_of(inputs)
    noise = _noise_shape(noise_shape, shape)
    key, source = _source(seed)
    dtypes = ("float32", "int64")
    if noise == shape:
        return apply_op("dropout", [inputs, key], dtypes, rate=rate, **source)
    ones = np.ones(noise, np.float32)
    return multiply(inputs, apply_op("dropout", [ones, key], dtypes, rate=rate, **source))


def _noise_shape(given: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    if given is None:
        return shape
    if len(given) == len(shape):
        sizes = as_ints(
            "dropout",
            "noise_shape",
            [s if n is None else n for n, s in zip(given, shape, strict=True)],
        )
        if all(n in (1, s) for n, s in zip(sizes, shape, strict=True)):
            return sizes
    raise ShapeError(
        f"dropout: expected a noise_shape that broadcasts to {shape}, got {tuple(given)}"
    )
