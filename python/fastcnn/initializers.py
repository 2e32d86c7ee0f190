"""First values of weights, with the names and formulas of Keras.

Random numbers come from a counter-based generator: the n-th random weight made after
``fastcnn.set_random_seed(s)`` depends on `s` and `n` only, so the same program gives the same
weights on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import serialization
from fastcnn._random import generator
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.serialization import Configurable

_TRUNCATED_STDDEV = 0.87962566103423978  # of a standard normal cut at two standard deviations

Shape = Sequence[int]


class Initializer(Configurable):
    """Base of the initializers; a subclass defines ``__call__(shape, dtype=None)``.

    Examples
    --------
    >>> class Halves(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return np.full(shape, 0.5, np.float32)
    >>> get(Halves())((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        raise TypeError(f"{type(self).__name__} defines no __call__(shape, dtype=None)")


class Constant(Initializer):
    """Every element has one value, or the values of an array that broadcasts to the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        value = np.asarray(self.value, np.float32)
        try:
            return np.array(np.broadcast_to(value, tuple(shape)))
        except ValueError:
            raise ShapeError(
                f"Constant: expected a value that fills shape {tuple(shape)}, got {value.shape}"
            ) from None


class Zeros(Initializer):
    """Every element is 0."""

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        return np.zeros(tuple(shape), np.float32)


class Ones(Initializer):
    """Every element is 1."""

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        return np.ones(tuple(shape), np.float32)


class RandomNormal(Initializer):
    """Normal distribution. An integer `seed` gives the same values at every call."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        values = generator(self.seed).standard_normal(tuple(shape), np.float32)
        return np.asarray(values * np.float32(self.stddev) + np.float32(self.mean))


class TruncatedNormal(RandomNormal):
    """Normal distribution whose values beyond two standard deviations are drawn again."""

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        random = generator(self.seed)
        values = random.standard_normal(tuple(shape), np.float32).reshape(-1)
        (beyond,) = np.nonzero(np.abs(values) > 2)
        while beyond.size:
            values[beyond] = random.standard_normal(beyond.size, np.float32)
            beyond = beyond[np.abs(values[beyond]) > 2]
        values = values * np.float32(self.stddev) + np.float32(self.mean)
        return np.asarray(values.reshape(tuple(shape)))


class RandomUniform(Initializer):
    """Uniform distribution. An integer `seed` gives the same values at every call."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        self.minval = minval
        self.maxval = maxval
        self.seed = seed

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        values = generator(self.seed).random(tuple(shape), np.float32)
        return np.asarray(
            values * np.float32(self.maxval - self.minval) + np.float32(self.minval), np.float32
        )


class VarianceScaling(Initializer):
    """Random values whose variance follows from the number of inputs and outputs of a unit.

    Parameters
    ----------
    scale : float, default 1.0
        Factor of the variance.
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        What the variance is divided by.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        ``"truncated_normal"`` unless given.
    seed : int, optional
        Gives the same values at every call.

    Examples
    --------
    >>> VarianceScaling(2.0, seed=0)((3, 3, 16, 32)).std().round(2)
    np.float32(0.12)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        if scale <= 0:
            raise ConfigError(f"expected a scale > 0, got {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ConfigError(f'expected mode "fan_in", "fan_out" or "fan_avg", got {mode!r}')
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ConfigError(
                'expected distribution "truncated_normal", "untruncated_normal" or "uniform", '
                f"got {distribution!r}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.seed = seed

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        fan_in, fan_out = compute_fans(shape)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, fans[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return RandomUniform(-limit, limit, self.seed)(shape)
        stddev = math.sqrt(variance)
        if self.distribution == "untruncated_normal":
            return RandomNormal(0.0, stddev, self.seed)(shape)
        return TruncatedNormal(0.0, stddev / _TRUNCATED_STDDEV, self.seed)(shape)


class _Scaled(VarianceScaling):
    """A variance scaling that has a name of its own."""

    arguments: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.arguments, seed=seed)


class GlorotUniform(_Scaled):
    """Uniform, variance 2 / (fan_in + fan_out)."""

    arguments = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal, variance 2 / (fan_in + fan_out)."""

    arguments = (1.0, "fan_avg", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform, variance 1 / fan_in."""

    arguments = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal, variance 1 / fan_in."""

    arguments = (1.0, "fan_in", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform, variance 2 / fan_in."""

    arguments = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal, variance 2 / fan_in."""

    arguments = (2.0, "fan_in", "truncated_normal")


class Orthogonal(Initializer):
    """Rows or columns, whichever are fewer, are orthogonal once all but the last axis are one."""

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = gain
        self.seed = seed

    def __call__(self, shape: Shape, dtype: Any = None) -> NDArray[np.float32]:
        """Make an array of a shape."""
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal: expected two axes or more, got shape {tuple(shape)}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        q, r = np.linalg.qr(generator(self.seed).standard_normal(tall))
        q *= np.sign(np.diag(r))
        matrix = q if rows >= columns else q.T
        return np.asarray(self.gain * matrix, np.float32).reshape(tuple(shape))


def compute_fans(shape: Shape) -> tuple[int, int]:
    """Count the inputs and outputs of one unit of a weight.

    Examples
    --------
    >>> compute_fans((3, 3, 16, 32)), compute_fans((10, 5)), compute_fans((7,))
    ((144, 288), (10, 5), (7, 7))
    """
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


_KNOWN = serialization.names_of(
    (
        Constant, Zeros, Ones, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling,
        GlorotUniform, GlorotNormal, LecunUniform, LecunNormal, HeUniform, HeNormal, Orthogonal,
    ),
    normal=RandomNormal,
    uniform=RandomUniform,
    one=Ones,
    zero=Zeros,
)  # fmt: skip


def get(identifier: Any) -> Callable[..., Any] | None:
    """Find an initializer by name, configuration or array; callables and None pass through.

    Parameters
    ----------
    identifier : str, dict, callable, array or None
        ``"he_normal"``, ``"HeNormal"``, what `serialize` returned, an instance or its class, or
        an array that is the value itself.

    Examples
    --------
    >>> get("glorot_uniform")
    GlorotUniform(seed=None)
    >>> get({"class_name": "Constant", "config": {"value": 2.0}})
    Constant(value=2.0)
    """
    if identifier is None:
        return None
    if isinstance(identifier, (str, dict)) or callable(identifier):
        return serialization.find_object(identifier, "initializer", _KNOWN)  # type: ignore[no-any-return]
    try:
        return Constant(np.asarray(identifier, np.float32))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"expected the name of an initializer, a callable or numbers, got {identifier!r}"
        ) from error


def serialize(initializer: Any) -> Any:
    """Describe an initializer so that `get` makes an equal one.

    Examples
    --------
    >>> serialize(get("zeros"))
    {'class_name': 'Zeros', 'config': {}}
    """
    return serialization.serialize_object(initializer)
