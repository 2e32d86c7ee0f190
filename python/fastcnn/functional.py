"""The graph of layers behind a functional model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastcnn import _tree, serialization
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.layers.core import Input, InputLayer
from fastcnn.layers.input_spec import InputSpec
from fastcnn.layers.layer import Layer
from fastcnn.symbolic import KerasTensor, Node

_TENSOR = "__tensor__"  # in a configuration: the number of a node, and of one of its outputs


class FunctionalGraph:
    """The calls of layers that lead from some tensors to others.

    Parameters
    ----------
    inputs, outputs : structure of KerasTensor
        A tensor, or a list, tuple or dictionary of them.
    name : str
        The model's, for messages.

    Attributes
    ----------
    nodes : list of Node
        In an order in which they can be computed; without those of inputs.
    layers : list of Layer
        In Keras' order: by the number of layers that follow, then as found from the outputs.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str) -> None:
        for role, structure in (("inputs", inputs), ("outputs", outputs)):
            for x in _tree.flatten(structure):
                if not isinstance(x, KerasTensor):
                    raise DTypeError(
                        f'model "{name}": expected {role} made of what Input and layers return, '
                        f"got {x!r}"
                    )
        flat = _tree.flatten(inputs)
        if len({id(x) for x in flat}) != len(flat) or not flat:
            raise ConfigError(f'model "{name}": expected inputs, each given once, got {flat}')
        if not all(isinstance(x.node and x.node.layer, InputLayer) for x in flat):
            inputs, outputs = _with_own_inputs(inputs, outputs, name)
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.nodes, self.layers = _sort(inputs, outputs, name)
        names = [layer.name for layer in self.layers]
        for layer_name in names:
            if names.count(layer_name) > 1:
                raise ConfigError(f'model "{name}": two layers have the name "{layer_name}"')

    @property
    def input_names(self) -> list[str]:
        """The names of the input layers."""
        return [x.node.layer.name for x in _tree.flatten(self.inputs)]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs."""
        return [x.node.layer.name for x in _tree.flatten(self.outputs)]

    def run(self, inputs: Any) -> Any:
        """Call every layer in order, on arrays or whatever stands for them."""
        values = self._match(inputs)
        for node in self.nodes:

            def find(x: Any) -> Any:
                return values[id(x)] if isinstance(x, KerasTensor) else x

            args, kwargs = _tree.map_structure(find, (node.args, node.kwargs))
            results = _tree.flatten(node.layer(*args, **kwargs))
            for tensor, value in zip(_tree.flatten(node.outputs), results, strict=True):
                values[id(tensor)] = value
        return _tree.map_structure(lambda x: values[id(x)], self.outputs)

    def _match(self, given: Any) -> dict[int, Any]:
        """Find out which input each of the given is, and whether its shape fits."""
        wanted = _tree.flatten(self.inputs)
        names = list(self.inputs) if isinstance(self.inputs, dict) else self.input_names
        if isinstance(given, dict):
            missing = [name for name in names if name not in given]
            if missing:
                raise ConfigError(
                    f'model "{self.name}": expected inputs {names}, got {sorted(given)}'
                )
            given = [given[name] for name in names]
        leaves = _tree.flatten(given)
        if len(leaves) != len(wanted):
            raise ShapeError(
                f'model "{self.name}": expected {len(wanted)} inputs {names}, got {len(leaves)}'
            )
        for tensor, value, name in zip(wanted, leaves, names, strict=True):
            which = "an input" if len(wanted) == 1 else f'the input "{name}"'
            InputSpec(shape=tensor.shape).check(self.name, value.shape, which)
        return {id(tensor): value for tensor, value in zip(wanted, leaves, strict=True)}

    def get_config(self) -> dict[str, Any]:
        """Describe layers and calls as plain data."""
        every = [x.node for x in _tree.flatten(self.inputs)] + self.nodes
        numbers = {id(node): number for number, node in enumerate(every)}

        def refer(structure: Any) -> Any:
            return _tree.map_structure(
                lambda x: (
                    {_TENSOR: [numbers[id(x.node)], x.index]} if isinstance(x, KerasTensor) else x
                ),
                structure,
            )

        return {
            "layers": [serialization.serialize_layer(layer) for layer in self.layers],
            "nodes": [
                {
                    "layer": node.layer.name,
                    "args": list(refer(node.args)),
                    "kwargs": refer(node.kwargs),
                }
                for node in every
            ],
            "inputs": refer(self.inputs),
            "outputs": refer(self.outputs),
        }


def from_config(config: dict[str, Any]) -> tuple[Any, Any]:
    """Make inputs and outputs from what `FunctionalGraph.get_config` returned."""
    layers: dict[str, Layer] = {}
    for entry in config["layers"]:
        layer = serialization.deserialize_layer(entry)
        if layer.name in layers:
            raise ConfigError(f'two layers have the name "{layer.name}"')
        layers[layer.name] = layer
    made: list[list[KerasTensor]] = []

    def find(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) != {_TENSOR}:
                return {key: find(item) for key, item in value.items()}
            node, index = value[_TENSOR]
            if not (0 <= node < len(made) and 0 <= index < len(made[node])):
                raise ConfigError(f"the call {len(made)} refers to the tensor {value[_TENSOR]}")
            return made[node][index]
        if isinstance(value, (list, tuple)):
            return type(value)(find(item) for item in value)
        return value

    for entry in config["nodes"]:
        if entry["layer"] not in layers:
            raise ConfigError(f"a call refers to the layer {entry['layer']!r}, which there is not")
        layer = layers[entry["layer"]]
        if isinstance(layer, InputLayer):
            made.append([layer.output])
        else:
            made.append(_tree.flatten(layer(*find(entry["args"]), **find(entry["kwargs"]))))
    return find(config["inputs"]), find(config["outputs"])


def _with_own_inputs(inputs: Any, outputs: Any, name: str) -> tuple[Any, Any]:
    """Call the layers again from new inputs where some are results of layers."""
    middle = FunctionalGraph.__new__(FunctionalGraph)
    middle.name, middle.inputs, middle.outputs = name, inputs, outputs
    middle.nodes, middle.layers = _sort(inputs, outputs, name)
    fresh = _tree.map_structure(
        lambda x: x if isinstance(x.node.layer, InputLayer) else Input(batch_shape=x.shape), inputs
    )
    return fresh, middle.run(_tree.flatten(fresh))


def _sort(inputs: Any, outputs: Any, name: str) -> tuple[list[Node], list[Layer]]:
    """Order the nodes between inputs and outputs, and their layers."""
    given = {id(x) for x in _tree.flatten(inputs)}
    order: list[Node] = []  # each after those it reads
    found: dict[int, int] = {}  # by layer: when it was first met on the way from the outputs
    state: dict[int, bool] = {}  # by node: whether all it reads is in `order`

    def parents(node: Node) -> Iterable[Node]:
        for tensor in node.inputs:
            if id(tensor) not in given:
                assert tensor.node is not None
                yield tensor.node

    for output in _tree.flatten(outputs):
        stack: list[tuple[Node, Any]] = []
        if output.node is None:
            raise ConfigError(f'model "{name}": the output {output!r} was not made by a layer')
        if id(output) not in given:
            stack.append((output.node, None))
        while stack:
            node, remaining = stack.pop()
            if remaining is None:
                if id(node) in state:
                    continue
                if isinstance(node.layer, InputLayer):
                    raise ConfigError(
                        f'model "{name}": the outputs depend on the input "{node.layer.name}", '
                        "which is not among the model's inputs"
                    )
                state[id(node)] = False
                found.setdefault(id(node.layer), len(found))
                remaining = iter(list(parents(node)))
            following = next(remaining, None)
            if following is None:
                state[id(node)] = True
                order.append(node)
            else:
                stack.append((node, remaining))
                stack.append((following, None))

    # The depth of a layer is how many follow it on the longest way to an output.
    node_depth: dict[int, int] = {}
    layer_depth: dict[int, int] = {}
    layers: dict[int, Layer] = {}
    for node in reversed(order):
        depth = max(node_depth.get(id(node), 0), layer_depth.get(id(node.layer), 0))
        node_depth[id(node)] = layer_depth[id(node.layer)] = depth
        layers[id(node.layer)] = node.layer
        for tensor in node.inputs:
            before = tensor.node
            assert before is not None
            node_depth[id(before)] = max(node_depth.get(id(before), 0), depth + 1)
            if id(tensor) in given and isinstance(before.layer, InputLayer):
                layer_depth[id(before.layer)] = node_depth[id(before)]
    for tensor in _tree.flatten(inputs):
        if isinstance(tensor.node.layer, InputLayer):
            layers[id(tensor.node.layer)] = tensor.node.layer
    ordered = sorted(
        layers.values(),
        key=lambda layer: (-layer_depth.get(id(layer), 0), found.get(id(layer), -1)),
    )
    return order, ordered
