"""Models that are one layer after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import _tree, serialization
from fastcnn.errors import ConfigError, DTypeError
from fastcnn.functional import FunctionalGraph
from fastcnn.layers.core import Input, InputLayer
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer
from fastcnn.model import Model, keyed_layers
from fastcnn.plan import note_change
from fastcnn.symbolic import KerasTensor, recording


class Sequential(Model):
    """One layer after another.

    Parameters
    ----------
    layers : list, optional
        An ``Input`` first, if the weights are to be made at once rather than at the first call.
    trainable : bool, default True
    name : str, optional
    precision : {"highest", "high", "medium"}, optional
        As for `Model`.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.MaxPooling2D()])
    >>> model.add(fc.layers.MaxPooling2D())
    >>> model.output_shape
    (None, 2, 2, 3)
    """

    def __init__(
        self,
        layers: Sequence[Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        precision: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, trainable=trainable, precision=precision, **kwargs)
        self._stack: list[Layer] = []
        self._tensors: list[KerasTensor] = []  # the input, then each layer's result
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Put a layer at the end.

        Raises
        ------
        DTypeError
            It is no layer.
        ConfigError
            Another layer has its name, or it is an input and not the first.
        """
        if isinstance(layer, KerasTensor) and isinstance(
            layer.node and layer.node.layer, InputLayer
        ):
            assert layer.node is not None
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            raise DTypeError(f'Sequential "{self.name}": expected a layer, got {layer!r}')
        if any(layer.name == other.name for other in self._stack):
            raise ConfigError(
                f'Sequential "{self.name}": a layer has the name "{layer.name}" already'
            )
        if isinstance(layer, InputLayer):
            if self._stack or self._tensors:
                raise ConfigError(f'Sequential "{self.name}": expected the input to come first')
            self._begin(layer.output)
            return
        if not self._stack and not self._tensors:
            shape = _own_input_shape(layer)
            if shape is not None:
                self._begin(Input(batch_shape=shape))
        if self._tensors:
            self._extend(layer)
        self._stack.append(layer)
        self._changed()

    def pop(self) -> Layer:
        """Take the last layer away, and return it."""
        if not self._stack:
            raise ConfigError(f'Sequential "{self.name}" has no layers')
        if self._tensors:
            self._tensors.pop()
        layer = self._stack.pop()
        self._changed()
        return layer

    def _changed(self) -> None:
        self._graph = None
        self.built = bool(self._tensors)
        note_change()

    def _begin(self, tensor: KerasTensor) -> None:
        self._tensors = [tensor]
        self.input_spec = InputSpec(shape=tensor.shape)
        self._changed()

    def _extend(self, layer: Layer) -> None:
        with recording():
            result = layer(self._tensors[-1])
        if not isinstance(result, KerasTensor):
            raise DTypeError(
                f'Sequential "{self.name}": expected a layer with one result, "{layer.name}" has '
                "several"
            )
        self._tensors.append(result)

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the input."""
        return list(self._stack)

    def _functional(self) -> FunctionalGraph:
        if self._graph is None:
            if not self._tensors:
                raise ConfigError(
                    f'Sequential "{self.name}" does not know the shape of its input yet: begin '
                    "with an Input, or call it on data"
                )
            self._graph = FunctionalGraph(self._tensors[0], self._tensors[-1], self.name)
        return self._graph

    def _children(self) -> dict[str, Layer]:
        return keyed_layers(self._stack)

    def _ensure_built(self, args: Any, kwargs: Any) -> None:
        given = _tree.flatten(args[0]) if args else []
        if not self._tensors and self._stack and len(given) == 1 and hasattr(given[0], "shape"):
            self._tensors = [Input(batch_shape=(None, *given[0].shape[1:]))]
            for layer in self._stack:
                self._extend(layer)
        super()._ensure_built(args, kwargs)

    def call(self, inputs: Any) -> Any:
        """Apply the layers one after another; a list or dictionary has the one input."""
        if self._tensors and isinstance(inputs, (list, tuple, dict)):
            (inputs,) = self._functional()._match(inputs).values()
        for layer in self._stack:
            inputs = layer(inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal model, without its weights."""
        if type(self).__init__ is not Sequential.__init__:
            return super().get_config()
        return {
            "name": self.name,
            "trainable": self.trainable,
            "precision": self.precision,
            "input_shape": self._tensors[0].shape if self._tensors else None,
            "layers": [serialization.serialize_layer(layer) for layer in self._stack],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a model from what `get_config` returned."""
        if "layers" not in config or "input_shape" not in config:
            return super().from_config(config)
        known = {"name", "trainable", "precision", "input_shape", "layers"}
        if set(config) != known:
            raise ConfigError(f"expected {sorted(known)}, got {sorted(config)}")
        layers = [serialization.deserialize_layer(entry) for entry in config["layers"]]
        if config["input_shape"] is not None:
            layers.insert(0, Input(batch_shape=config["input_shape"]))
        return cls(layers, config["trainable"], config["name"], precision=config["precision"])


def _own_input_shape(layer: Layer) -> tuple[int | None, ...] | None:
    """Give the shape that a first layer was told or, being a model, has."""
    if layer._input_shape is not None:
        return layer._input_shape
    graph = layer._graph if isinstance(layer, Model) else None
    if isinstance(layer, Sequential) and layer._tensors:
        graph = layer._functional()
    tensor = graph.inputs if graph is not None else None
    return tensor.shape if isinstance(tensor, KerasTensor) else None
