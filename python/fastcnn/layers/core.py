"""Input, dense layers, and the layers that only pass on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from fastcnn import activations, initializers, ops
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers._arguments import positive_int
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer
from fastcnn.symbolic import KerasTensor, Node, usual_samples


class InputLayer(Layer):
    """The place where data enter a model; `Input` makes one and returns its tensor.

    Parameters
    ----------
    shape : sequence of int or None, optional
        Without the batch.
    batch_size : int, optional
        Any unless given.
    dtype : str, optional
        ``"float32"``; data of other kinds are converted.
    batch_shape : sequence of int or None, optional
        With the batch, instead of `shape` and `batch_size`.
    name : str, optional

    Examples
    --------
    >>> InputLayer((32, 32, 3)).batch_shape
    (None, 32, 32, 3)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, **kwargs)
        if (shape is None) == (batch_shape is None):
            raise ConfigError("Input: expected either shape or batch_shape")
        if batch_shape is None:
            assert shape is not None
            if not isinstance(shape, (list, tuple)):
                raise ShapeError(f"Input: expected a shape such as (32, 32, 3), got {shape!r}")
            batch_shape = (batch_size, *shape)
        for n in batch_shape:
            if n is not None:
                positive_int("Input", "size", n, at_least=0)
        self.batch_shape = tuple(batch_shape)
        self.built = True
        node = Node(
            self, (), {}, KerasTensor(self.batch_shape, samples=usual_samples(self.batch_shape))
        )
        node.outputs.name = self.name
        self._nodes.append(node)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: data enter through the model."""
        raise ConfigError(f'"{self.name}" is the input of a model and cannot be called')

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {"batch_shape": self.batch_shape, "dtype": "float32", "name": self.name}


def Input(  # noqa: N802 - Keras' name
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
) -> Any:
    """Begin a model: a symbolic tensor to call layers on.

    Parameters
    ----------
    shape, batch_size, dtype, batch_shape, name
        As for `InputLayer`.

    Returns
    -------
    KerasTensor

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.Input((None, None, 3))
    >>> fc.layers.MaxPooling2D()(x).shape
    (None, None, None, 3)
    """
    return InputLayer(shape, batch_size, dtype, batch_shape, name)._nodes[0].outputs


class Dense(Layer):
    """``activation(inputs @ kernel + bias)`` along the last axis.

    Parameters
    ----------
    units : int
        The size of the result's last axis.
    activation : str, callable or None, optional
    use_bias : bool, default True
    kernel_initializer, bias_initializer : str or callable
        ``"glorot_uniform"`` and ``"zeros"`` unless given.
    kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint : str, callable or None
        See `fastcnn.regularizers` and `fastcnn.constraints`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.layers.Dense(3, kernel_initializer="ones")(np.ones((2, 4)))
    array([[4., 4., 4.],
           [4., 4., 4.]], dtype=float32)
    """

    _weight_options: ClassVar = {"kernel": "kernel", "bias": "bias"}

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = positive_int("Dense", "units", units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.input_spec = InputSpec(min_ndim=2)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        """Make kernel (inputs, units) and bias (units)."""
        size = input_shape[-1]
        if size is None:
            raise ShapeError(
                f'layer "{self.name}": expected an input whose last size is known, got shape '
                f"{tuple(input_shape)}"
            )
        self.kernel = self.add_weight(
            shape=(size, self.units), initializer=self.kernel_initializer, name="kernel"
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,), initializer=self.bias_initializer, name="bias"
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: size})

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return self.activation(ops.dense(inputs, self.kernel, self.bias))


class Activation(Layer):
    """An activation as a layer.

    Parameters
    ----------
    activation : str or callable
        A name that `fastcnn.activations.get` knows, or a function of `fastcnn.ops`.
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return self.activation(inputs)


class Identity(Layer):
    """Its input, unchanged."""

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        return inputs
