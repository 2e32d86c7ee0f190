"""The layer that stands for a call of a function of `fastcnn.ops` in a functional model."""

from __future__ import annotations

from typing import Any

from fastcnn import _C, _tree, naming, ops
from fastcnn.errors import ConfigError
from fastcnn.layers.layer import Layer
from fastcnn.ops._dispatch import as_array
from fastcnn.plan import is_array
from fastcnn.symbolic import KerasTensor

_OPERAND = "__operand__"  # with the number of the input that goes there


class OpLayer(Layer):
    """A call of a function of `fastcnn.ops`, with its options and constant operands.

    Functions called on symbolic tensors make it; it is not meant to be made by hand.

    Parameters
    ----------
    function : str
        A name `fastcnn.ops` exports.
    arguments : list
        Positional arguments, ``{"__operand__": i}`` where input i goes.
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
    def record(cls, function: str, args: Any, kwargs: Any) -> Any:
        """Make the layer and call it on the arguments that are symbolic tensors."""
        symbolic: list[KerasTensor] = []

        def place(x: Any) -> Any:
            if isinstance(x, KerasTensor):
                symbolic.append(x)
                return {_OPERAND: len(symbolic) - 1}
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
        return cls(function, arguments, options)(*symbolic)

    def call(self, *inputs: Any) -> Any:
        """Apply the function."""

        def fill(value: Any) -> Any:
            if isinstance(value, dict):
                if set(value) == {_OPERAND}:
                    return inputs[value[_OPERAND]]
                return {key: fill(item) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                return type(value)(fill(item) for item in value)
            return value

        return getattr(ops, self.function)(*fill(self.arguments), **fill(self.options))
