"""Activations that have arguments, or weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from fastcnn import initializers, ops
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers._arguments import number
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer


def _not_negative(layer: str, name: str, value: Any) -> float:
    if not (given := number(layer, name, value)) >= 0:
        raise ConfigError(f"{layer}: {name}: expected a number >= 0, got {value!r}")
    return given


class ReLU(Layer):
    """``x`` where it is at least `threshold`, at most `max_value`; a slope below the threshold.

    Parameters
    ----------
    max_value : float, optional
        No bound unless given.
    negative_slope : float, default 0.0
        Below the threshold: ``negative_slope * (x - threshold)``.
    threshold : float, default 0.0

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.ReLU(max_value=6)(np.array([-1.0, 3.0, 8.0]))
    array([0., 3., 6.], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = (
            None if max_value is None else _not_negative("ReLU", "max_value", max_value)
        )
        self.negative_slope = _not_negative("ReLU", "negative_slope", negative_slope)
        self.threshold = _not_negative("ReLU", "threshold", threshold)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.relu(
            inputs,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )


class LeakyReLU(Layer):
    """``x`` where it is positive, ``negative_slope * x`` elsewhere.

    Parameters
    ----------
    negative_slope : float, default 0.3
        Also called ``alpha``, its name before Keras 3.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = _not_negative("LeakyReLU", "negative_slope", negative_slope)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.leaky_relu(inputs, negative_slope=self.negative_slope)


class PReLU(Layer):
    """``x`` where it is positive, a learned ``alpha * x`` elsewhere.

    Parameters
    ----------
    alpha_initializer : str or callable, default "zeros"
    shared_axes : int or sequence of int, optional
        Axes along which alpha is the same; ``(1, 2)`` gives one number a channel.
    """

    _weight_options: ClassVar = {"alpha": "alpha"}

    def __init__(
        self, alpha_initializer: Any = "zeros", shared_axes: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        if shared_axes is not None:
            shared_axes = list(shared_axes) if isinstance(shared_axes, Sequence) else [shared_axes]
        self.shared_axes = shared_axes
        self.alpha: Any = None

    def build(self, input_shape: Any) -> None:
        """Make alpha, of the input's shape without the batch, 1 along shared axes."""
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1 if axis > 0 else axis] = 1
        if None in shape:
            raise ShapeError(
                f'layer "{self.name}": expected known sizes along axes that are not shared, got '
                f"shape {tuple(input_shape)}"
            )
        self.alpha = self.add_weight(shape, self.alpha_initializer, name="alpha")
        kept = {i + 1: n for i, n in enumerate(shape) if n != 1}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=kept)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.prelu(inputs, self.alpha)


class ELU(Layer):
    """``x`` where it is positive, ``alpha * (exp(x) - 1)`` elsewhere.

    Parameters
    ----------
    alpha : float, default 1.0
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = number("ELU", "alpha", alpha)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.elu(inputs, alpha=self.alpha)


class Softmax(Layer):
    """Positive values that sum to 1 along an axis.

    Parameters
    ----------
    axis : int, default -1
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return ops.softmax(inputs, axis=self.axis)
