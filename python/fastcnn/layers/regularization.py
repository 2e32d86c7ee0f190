"""Layers that disturb their input while training, so that a model does not rely on details."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastcnn import ops, random
from fastcnn.errors import ConfigError
from fastcnn.layers._arguments import number
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer


class _Random(Layer):
    """What all have: a seed, and that outside of training the input passes unchanged."""

    def __init__(self, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self._generator = random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the layer."""
        return self._disturb(inputs) if training else inputs

    def _disturb(self, inputs: Any) -> Any:
        raise TypeError(f"{type(self).__name__} defines no _disturb(self, inputs)")


class Dropout(_Random):
    """Sets values to zero at random while training; outside of training, its input unchanged.

    Parameters
    ----------
    rate : float
        The share that is dropped, 0 to 1.
    noise_shape : sequence of int or None, optional
        Of what is drawn: values are dropped together along axes where it has 1. None stands for the
        size of the input.
    seed : int, optional

    References
    ----------
    N. Srivastava et al.: Dropout: A Simple Way to Prevent Neural Networks from Overfitting. JMLR
    2014.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> y = fc.layers.Dropout(0.5, seed=1)(np.ones((1, 100)), training=True)
    >>> np.unique(y)
    array([0., 2.], dtype=float32)
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate(self, rate)
        self.noise_shape = noise_shape

    def _disturb(self, inputs: Any) -> Any:
        if self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, self._noise_shape(inputs), self._generator)

    def _noise_shape(self, inputs: Any) -> Any:
        return self.noise_shape


class SpatialDropout2D(Dropout):
    """`Dropout` of whole channels.

    Parameters
    ----------
    rate : float
        The share that is dropped, 0 to 1.
    data_format : str, optional
        ``"channels_last"``.
    seed : int, optional

    References
    ----------
    J. Tompson et al.: Efficient Object Localization Using Convolutional Networks. CVPR 2015.
    """

    def __init__(
        self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed=seed, data_format=data_format, **kwargs)
        self.data_format = "channels_last"
        self.input_spec = InputSpec(ndim=4)

    def _noise_shape(self, inputs: Any) -> Any:
        n, _, _, c = inputs.shape
        return (n, 1, 1, c)


class GaussianDropout(_Random):
    """Multiplies by normal numbers around 1 while training.

    Parameters
    ----------
    rate : float
        0 to below 1: their deviation is ``sqrt(rate / (1 - rate))``.
    seed : int, optional

    References
    ----------
    N. Srivastava et al.: Dropout: A Simple Way to Prevent Neural Networks from Overfitting. JMLR
    2014, section 10.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate(self, rate)
        if self.rate == 1:
            raise ConfigError("GaussianDropout: expected a rate below 1, got 1")

    def _disturb(self, inputs: Any) -> Any:
        stddev = math.sqrt(self.rate / (1 - self.rate))
        noise = random.normal(inputs.shape, 1.0, stddev, seed=self._generator)
        return ops.multiply(inputs, noise)


class GaussianNoise(_Random):
    """Adds normal numbers around 0 while training.

    Parameters
    ----------
    stddev : float
        Their deviation.
    seed : int, optional
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.stddev = number("GaussianNoise", "stddev", stddev)
        if not self.stddev >= 0:
            raise ConfigError(f"GaussianNoise: expected a stddev >= 0, got {stddev!r}")

    def _disturb(self, inputs: Any) -> Any:
        return ops.add(inputs, random.normal(inputs.shape, 0.0, self.stddev, seed=self._generator))


def _rate(layer: Layer, rate: Any) -> float:
    name = type(layer).__name__
    if not 0 <= number(name, "rate", rate) <= 1:
        raise ConfigError(f"{name}: expected a rate from 0 to 1, got {rate!r}")
    return float(rate)
