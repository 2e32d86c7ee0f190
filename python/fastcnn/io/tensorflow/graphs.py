"""From a GraphDef to a model: order, constants, branches; what single operators do is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn.errors import ConfigError, FastcnnError, FileFormatError, UnsupportedError
from fastcnn.io.tensorflow.constants import Budget, decode, dtype_of, fold, known_shape
from fastcnn.layers.op_layer import OpLayer
from fastcnn.model import Model
from fastcnn.serialization import weights_follow
from fastcnn.symbolic import KerasTensor

Array = NDArray[Any]
Ref = tuple[str, int]  # a node, and which of its results
Handler = Callable[["Graph", Any, list[Any]], Any]

_MAX_NODES = 200_000

PASS = {"CheckNumerics", "Identity", "PreventGradient", "Snapshot", "StopGradient"}
_CONTROL = {"Assert", "NoOp", "Print"}
_INPUTS = {"Placeholder", "PlaceholderV2"}


class _Marker:
    """Stands for a value."""


DEAD = _Marker()
"""The result of a branch that is not taken."""

_LATER = _Marker()
"""What depends on an input, while constants are computed."""


class Graph:
    """The nodes of a GraphDef, and what they became.

    Attributes
    ----------
    nodes : dict of str to NodeDef
    values : dict of str to list
        For each node that was looked at its results: arrays, symbolic tensors, `DEAD`, or the
        error that stands for a result that cannot be computed.
    batch : int or None
        The size of a batch that the graph was frozen for; the model takes any.
    """

    def __init__(
        self,
        graph: Any,
        handlers: Mapping[str, Handler],
        *,
        size: int,
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
        input_shape: Any = None,
        constants: Mapping[str, Array] | None = None,
    ) -> None:
        self.nodes: dict[str, Any] = {}
        if len(graph.node) > _MAX_NODES:
            raise FileFormatError(f"expected at most {_MAX_NODES} nodes, got {len(graph.node)}")
        for node in graph.node:
            if not node.name or self.nodes.setdefault(node.name, node) is not node:
                raise FileFormatError(f"expected a name of its own for each node: {node.name!r}")
        self.values: dict[str, list[Any]] = {}
        self.batch: int | None = None
        self._handlers = handlers
        self._budget = Budget(size)
        self._constants = constants
        self._shape = input_shape
        self._names: set[str] = set()
        self._links = {
            name: [_reference(text) for text in node.input if not text.startswith("^")]
            for name, node in self.nodes.items()
        }
        for name, links in self._links.items():
            for source, _ in links:
                if source not in self.nodes:
                    raise FileFormatError(f"{name!r} reads {source!r}, which there is not")
        self._cut = [self._given(name) for name in inputs or ()]
        wanted = [self._given(name) for name in outputs or ()]
        self._order = self._sort(wanted or list(self.nodes))
        self._kept = set(wanted)
        self._consumers: dict[str, list[str]] = {}
        for name in self._order:
            if self.nodes[name].op not in PASS | _CONTROL:
                for source, _ in self._links[name]:
                    self._consumers.setdefault(self.resolve((source, 0))[0], []).append(name)
        self._inputs: list[KerasTensor] = []
        with weights_follow(size // 4 + 2**22):
            self._evaluate()
        self._wanted = wanted or self._ends()

    def model(self, name: str) -> Model:
        """Make the model of the nodes that were asked for."""
        results = []
        for node in self._wanted:
            value = self.values[node][0]
            if isinstance(value, FastcnnError):
                raise value
            if not isinstance(value, KerasTensor):
                raise ConfigError(f"{node!r} does not depend on an input, so it is no output")
            results.append(value)
        if not results:
            raise FileFormatError("expected a graph whose results depend on a Placeholder")
        if not self._inputs:
            raise FileFormatError("expected a Placeholder among the nodes")
        used = _sources(results)
        inputs = [x for x in self._inputs if id(x) in used]
        return Model(
            inputs[0] if len(inputs) == 1 else inputs,
            results[0] if len(results) == 1 else results,
            name=name,
        )

    # ---- what operators ask --------------------------------------------------------------------

    def name_of(self, node: Any) -> str:
        """Give a layer's name to a node, without slashes, each once."""
        base = node.name.removeprefix("StatefulPartitionedCall/").replace("/", "_")[:200] or "node"
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name

    def call(self, node: Any, function: str, *args: Any, **options: Any) -> Any:
        """Call a function of `fastcnn.ops`; its layer is named after the node."""
        return OpLayer.record(function, args, options, name=self.name_of(node))

    def resolve(self, ref: Ref) -> Ref:
        """Skip nodes that give what they are given."""
        seen = 0
        while self.nodes[ref[0]].op in PASS and self._links[ref[0]] and seen < _MAX_NODES:
            ref, seen = self._links[ref[0]][0], seen + 1
        return ref

    def links(self, node: Any) -> list[Ref]:
        """Tell where the operands of a node come from."""
        return [self.resolve(ref) for ref in self._links[node.name]]

    def maker(self, ref: Ref) -> Any:
        """Give the node that makes a value."""
        return self.nodes[self.resolve(ref)[0]]

    def value(self, ref: Ref) -> Any:
        """Give a value, a marker as long as it is not known."""
        results = self.values.get(ref[0])
        if results is None:
            return _LATER
        if not 0 <= ref[1] < len(results):
            if len(results) == 1 and isinstance(results[0], (FastcnnError, _Marker)):
                return results[0]
            raise FileFormatError(f"{ref[0]!r} has no result {ref[1]}")
        return results[ref[1]]

    def next(self, node: Any) -> Any:
        """Give the only node that reads what a node gives, None if there are several."""
        readers = self._consumers.get(node.name, [])
        if len(readers) != 1 or node.name in self._kept:
            return None
        return self.nodes[readers[0]]

    def other_constant(self, reader: Any, node: Any) -> Array | None:
        """Give what a node of two operands combines with another node's result."""
        values = [self.value(ref) for ref in self.links(reader) if ref[0] != node.name]
        if len(self.links(reader)) == 2 and len(values) == 1 and isinstance(values[0], np.ndarray):
            return values[0]
        return None

    def become(self, node: Any, value: Any) -> None:
        """Note what a node gives that was computed together with one before it."""
        self.values[node.name] = [value]

    # ---- evaluation ----------------------------------------------------------------------------

    def _given(self, name: str) -> str:
        name = name.partition(":")[0]
        if name not in self.nodes:
            raise ConfigError(f"there is no node {name!r} in the graph")
        return name

    def _sort(self, wanted: list[str]) -> list[str]:
        """Order the nodes that some depend on, operands first."""
        order: list[str] = []
        state: dict[str, int] = {}
        for start in wanted:
            stack = [start]
            while stack:
                name = stack[-1]
                if state.get(name) == 2:
                    stack.pop()
                elif name in state:
                    stack.pop()
                    state[name] = 2
                    order.append(name)
                else:
                    state[name] = 1
                    if name in self._cut:
                        continue
                    for source, _ in self._links[name]:
                        if state.get(source) == 1:
                            raise UnsupportedError(f"the graph has a loop through {source!r}")
                        if source not in state:
                            stack.append(source)
        return order

    def _evaluate(self) -> None:
        # Constants first: what becomes of a node depends on what comes after it.
        for symbolic in (False, True):
            for name in self._order:
                if name in self.values:
                    continue
                node = self.nodes[name]
                operands = [] if name in self._cut else list(map(self.value, self._links[name]))
                try:
                    result = self._compute(node, operands, symbolic)
                except FastcnnError as error:
                    result = error
                except (
                    ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError,
                ) as error:  # fmt: skip
                    # An operand is missing, or is a constant where a tensor must be, or ...
                    result = FileFormatError(f"{node.op} {name!r}: {error}")
                self.values[name] = result if isinstance(result, list) else [result]
            if not symbolic:
                self.values = {
                    name: results
                    for name, results in self.values.items()
                    if not any(value is _LATER for value in results)
                }

    def _compute(self, node: Any, operands: list[Any], symbolic: bool) -> Any:
        if node.name in self._cut or node.op in _INPUTS:
            if symbolic:
                return self._input(node)
            # Whether the network is in training: it is not.
            flag = dtype_of(node.attr["dtype"].type) is np.bool_ and node.name not in self._cut
            return np.array(False) if flag else _LATER
        if node.op == "PlaceholderWithDefault":
            if dtype_of(node.attr["dtype"].type) is np.float32:
                shape = known_shape(node.attr["shape"].shape)
                if shape is None or len(shape) > 1:
                    return self._input(node) if symbolic else _LATER
            return operands[0]
        if node.op == "Const":
            return self._constant(node)
        if node.op in _CONTROL:
            return DEAD
        if node.op == "Switch":
            return _switch(node, operands)
        if node.op == "Merge":
            alive = [v for v in operands if v is not DEAD]
            if len(alive) == 1 and alive[0] is not _LATER:
                return [alive[0], np.array([v is alive[0] for v in operands].index(True), np.int32)]
            if len(alive) > 1 and not any(v is _LATER for v in alive):
                raise UnsupportedError(f"Merge {node.name!r}: of branches that are both taken")
            return _LATER if alive else DEAD
        for value in operands:
            if value is DEAD or isinstance(value, FastcnnError):
                return value
        if any(value is _LATER for value in operands):
            return _LATER
        if node.op in PASS:
            return operands[0]
        if operands and all(isinstance(v, np.ndarray) for v in operands):
            folded = fold(node, operands, self._budget)
            if folded is not None:
                return folded
        if not symbolic:
            return _LATER
        if node.op not in self._handlers:
            raise UnsupportedError(f"there is no layer for {node.op} {node.name!r}")
        try:
            return self._handlers[node.op](self, node, operands)
        except UnsupportedError as error:
            raise UnsupportedError(f"{node.op} {node.name!r}: {error}") from error
        except FastcnnError as error:
            raise FileFormatError(f"{node.op} {node.name!r}: {error}") from error

    def _constant(self, node: Any) -> Any:
        if self._constants is None:
            return decode(node.attr["value"].tensor, self._budget)
        if node.name in self._constants:
            return self._constants[node.name]
        raise FileFormatError(f"expected a weight for the node {node.name!r}")

    def _input(self, node: Any) -> Any:
        shape = self._input_shape(node)
        self.batch = node.attr["shape"].shape.dim[0].size if node.attr["shape"].shape.dim else None
        x = layers.Input(shape, name=self.name_of(node))
        self._inputs.append(x)
        return x

    def _input_shape(self, node: Any) -> tuple[int | None, ...]:
        shape = self._shape.get(node.name) if isinstance(self._shape, dict) else self._shape
        if shape is not None:
            return tuple(shape)
        described = known_shape(node.attr["shape"].shape) if "shape" in node.attr else None
        if not described:
            raise UnsupportedError(
                f"the graph does not say the shape of its input {node.name!r}: give an input_shape"
            )
        if any(n is not None and n > 2**16 for n in described[1:]):
            raise FileFormatError(f"expected the shape of a picture, got {described}")
        return described[1:]

    def _ends(self) -> list[str]:
        """Find the nodes that nothing reads and that depend on an input."""
        read = {ref[0] for name in self._order for ref in self._links[name]}
        symbolic = (KerasTensor, FastcnnError)
        return [
            name
            for name in self.nodes
            if name not in read
            and isinstance(self.values[name][0], symbolic)
            and self.nodes[name].op not in _INPUTS
        ]


def _reference(text: str) -> Ref:
    name, _, number = text.partition(":")
    if number and not (number.isdigit() and len(number) < 6):
        raise FileFormatError(f"expected a reference to a node, got {text[:100]!r}")
    return name, int(number or 0)


def _switch(node: Any, operands: list[Any]) -> Any:
    value, condition = operands
    if condition is _LATER or condition is DEAD or isinstance(condition, FastcnnError):
        return condition
    if not isinstance(condition, np.ndarray) or condition.size != 1:
        raise UnsupportedError(f"Switch {node.name!r}: expected a constant condition")
    return [DEAD, value] if condition.ravel()[0] else [value, DEAD]


def _sources(tensors: list[KerasTensor]) -> set[int]:
    """Find the tensors, by identity, that some are computed from."""
    seen: set[int] = set()
    waiting = list(tensors)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in seen:
            seen.add(id(tensor))
            waiting.extend(tensor.node.inputs if tensor.node is not None else [])
    return seen
