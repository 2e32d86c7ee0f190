"""The layer that stands for a call of a function of `fastcnn.ops` in a functional model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _C, _tree, naming, ops
from fastcnn.errors import ConfigError
from fastcnn.layers.layer import Layer
from fastcnn.ops._dispatch import as_array
from fastcnn.plan import is_array
from fastcnn.sizes import Size, evaluate
from fastcnn.symbolic import KerasTensor, infer

_OPERAND = "__operand__"  # with the number of the input that goes there
_SIZE = "__size__"  # with an expression in sizes of inputs
_WEIGHT = "__weight__"  # with the name, shape and trainable of the weight that goes there


@dataclass(frozen=True)
class OpWeight:
    """An operand that the layer of a call shall own as a weight.

    Parameters
    ----------
    value : array
    name : str, default "weight"
        Another than those of the call's other weights.
    trainable : bool, default True
    """

    value: NDArray[np.floating[Any]]
    name: str = "weight"
    trainable: bool = True


class OpLayer(Layer):
    """A call of a function of `fastcnn.ops`, with its options and constant operands.

    Functions called on symbolic tensors make it; it is not meant to be made by hand.

    Parameters
    ----------
    function : str
        A name `fastcnn.ops` exports.
    arguments : list
        Positional arguments, ``{"__operand__": i}`` where input i goes,
        ``{"__size__": expression}`` where a number computed from the inputs' sizes goes, and
        ``{"__weight__": {"name": ..., "shape": ..., "trainable": ...}}`` where a weight goes.
    options : dict
        Keyword arguments, likewise.

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.Input((4, 4, 1), name="x")
    >>> fc.Model(x, fc.ops.max_pool2d(x)).layers[1].function
    'max_pool2d'
    """

    def __init__(
        self, function: str, arguments: Any, options: dict[str, Any], **kwargs: Any
    ) -> None:
        if function not in ops.__all__:
            raise ConfigError(f"unknown function fastcnn.ops.{function}")
        kwargs["name"] = kwargs.get("name") or naming.auto_name(function)
        super().__init__(**kwargs)
        self.function = function
        self.arguments = arguments
        self.options = options

    @classmethod
    def record(cls, function: str, args: Any, kwargs: Any, name: str | None = None) -> Any:
        """Make the layer and call it on the arguments that are symbolic tensors."""
        symbolic: list[KerasTensor] = []
        weights: list[OpWeight] = []

        def refer(x: KerasTensor) -> int:
            for index, known in enumerate(symbolic):
                if known is x:
                    return index
            symbolic.append(x)
            return len(symbolic) - 1

        def place(x: Any) -> Any:
            if isinstance(x, KerasTensor):
                return {_OPERAND: refer(x)}
            if isinstance(x, Size):
                return {_SIZE: x.describe(refer)}
            if isinstance(x, OpWeight):
                weights.append(x)
                shape = tuple(int(n) for n in x.value.shape)
                return {_WEIGHT: {"name": x.name, "shape": shape, "trainable": x.trainable}}
            if isinstance(x, _C.Variable):
                raise ConfigError(
                    f"{function}: expected symbolic tensors and arrays, got a Variable: a model "
                    "saves the weights of layers, so make a layer whose call does this"
                )
            if not is_array(x):
                return x
            array = as_array(x, None)  # integers stay: they may be indices
            return array if array.dtype.kind in "iub" else as_array(array)

        arguments, options = _tree.map_structure(place, (list(args), kwargs))
        layer = cls(function, arguments, options, name=name)
        outputs = layer(*symbolic)
        own = layer._own_variables()
        for weight in weights:
            own[weight.name].assign(weight.value)
        return outputs

    def build(self, input_shape: Any) -> None:
        """Make the weights that are among the arguments."""

        def visit(value: Any) -> None:
            if isinstance(value, dict) and set(value) == {_WEIGHT}:
                weight = value[_WEIGHT]
                self.add_weight(
                    weight["shape"], "zeros", trainable=weight["trainable"], name=weight["name"]
                )
            elif isinstance(value, (dict, list, tuple)):
                for item in value.values() if isinstance(value, dict) else value:
                    visit(item)

        visit((self.arguments, self.options))

    def call(self, *inputs: Any) -> Any:
        """Apply the function."""
        if any(isinstance(x, KerasTensor) for x in inputs):
            return infer(self._apply, inputs, {})
        return self._apply(*inputs)

    def _apply(self, *inputs: Any) -> Any:
        own = self._own_variables()

        def fill(value: Any) -> Any:
            if isinstance(value, dict):
                if set(value) == {_OPERAND}:
                    return inputs[value[_OPERAND]]
                if set(value) == {_SIZE}:
                    return evaluate(value[_SIZE], [x.shape for x in inputs])
                if set(value) == {_WEIGHT}:
                    return own[value[_WEIGHT]["name"]]
                return {key: fill(item) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                return type(value)(fill(item) for item in value)
            return value

        return getattr(ops, self.function)(*fill(self.arguments), **fill(self.options))
