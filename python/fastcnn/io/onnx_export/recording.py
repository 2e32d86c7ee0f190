"""A model as the list of operations that its prediction consists of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _C, _tree
from fastcnn.errors import UnsupportedError
from fastcnn.layers.layer import _map_shapes
from fastcnn.ops._dispatch import as_array
from fastcnn.plan import PlanCache, ShapeOf
from fastcnn.saving import named_weights
from fastcnn.symbolic import PROBES
from fastcnn.tracing import Trace, Value

if TYPE_CHECKING:
    from fastcnn.model import Model

Shape = tuple["int | None", ...]


@dataclass(eq=False)
class Tensor:
    """A value of the graph.

    Attributes
    ----------
    shape : tuple of int or None
        None where it depends on the data.
    probes : tuple of tuple of int
        The shapes it had in the traces.
    dtype : str
    constant : array, optional
        What it is, where it does not depend on the data.
    label : str
        The name of a weight.
    names : dict
        By layout: what it is called in the file.
    """

    shape: Shape
    probes: tuple[tuple[int, ...], ...]
    dtype: str
    constant: NDArray[Any] | None = None
    label: str = ""
    names: dict[str, str] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)


@dataclass(eq=False)
class Step:
    """An operation: an op of the core, its attributes in each trace, operands and results."""

    op: str
    scope: str
    attributes: tuple[dict[str, Any], ...]
    inputs: list[Tensor]
    outputs: list[Tensor]

    @property
    def output(self) -> Tensor:
        """The first result."""
        return self.outputs[0]

    def decline(self, reason: str) -> UnsupportedError:
        """Make the error that says why this cannot be exported."""
        return UnsupportedError(
            f'layer "{self.scope}": {self.op} cannot be exported to ONNX: {reason}'
        )

    def get(self, name: str, default: Any = None) -> Any:
        """Give an attribute, which must not depend on the sizes of the data."""
        return self.same(lambda attributes, *_: attributes.get(name, default), name)

    def pair(self, name: str, default: Any = 1) -> tuple[int, int]:
        """Give an attribute for height and width."""
        value = self.get(name, default)
        first, second = value if isinstance(value, (list, tuple)) else (value, value)
        return int(first), int(second)

    def same(self, compute: Callable[..., Any], what: str) -> Any:
        """Compute something of attributes and operands' shapes that all traces must agree on."""
        found = self.each(compute)
        if any(value != found[0] for value in found):
            raise self.decline(
                f"{what} depends on the sizes of the data; give the Input known sizes"
            )
        return found[0]

    def each(self, compute: Callable[..., Any]) -> list[Any]:
        """Compute something of attributes and operands' shapes for each trace."""
        return [
            compute(attributes, *(x.probes[i] for x in self.inputs))
            for i, attributes in enumerate(self.attributes)
        ]


@dataclass(eq=False)
class Recording:
    """What a model consists of."""

    steps: list[Step]
    inputs: list[Tensor]
    outputs: list[Tensor]
    input_names: list[str]
    output_names: list[str]


class _Recorder(Trace):
    """A trace that remembers what was added to its graph."""

    def __init__(self) -> None:
        super().__init__(random_key=_refuse_random)
        self.steps: list[tuple[str, str, dict[str, Any], list[int], list[int]]] = []
        self.inputs: list[int] = []
        self.sources: dict[int, Any] = {}  # weights and constants by their number

    def input(self, shape: Sequence[int], dtype: str = "float32") -> Value:
        value = super().input(shape, dtype)
        self.inputs.append(value._index)
        return value

    def feed(self, shape: Sequence[int], dtype: str, supply: Callable[[], Any]) -> Value:
        raise UnsupportedError(f'layer "{self.name}": random numbers cannot be exported to ONNX')

    def value_of(self, x: Any) -> Value:
        value = super().value_of(x)
        if not isinstance(x, Value):
            self.sources[value._index] = x if isinstance(x, _C.Variable) else as_array(x)
        return value

    def constant(self, array: NDArray[Any]) -> Value:
        value = super().constant(array)
        self.sources[value._index] = array
        return value

    def apply(self, op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        operands = [self.value_of(x) for x in inputs]
        results = super().apply(op, operands, attrs)
        flat = results if isinstance(results, tuple) else (results,)
        self.steps.append(
            (op, self.name, attrs, [x._index for x in operands], [x._index for x in flat])
        )
        return results


def _refuse_random() -> Any:
    raise UnsupportedError("random numbers cannot be exported to ONNX")


def record(model: Model) -> Recording:
    """Trace a model's prediction, for two sizes wherever its inputs leave a size open.

    What differs between the traces depends on the data.
    """
    structure, names = _given(model)
    unknown = any(None in x.shape for x in _tree.flatten(structure))
    recorders: list[_Recorder] = []
    results: list[list[int]] = []
    for batch, other in PROBES[: 2 if unknown else 1]:

        def probe(x: Any, batch: int = batch, other: int = other) -> ShapeOf:
            return ShapeOf(
                tuple(
                    n if n is not None else other if axis else batch
                    for axis, n in enumerate(x.shape)
                )
            )

        def describe(trace: Trace, args: Any, kwargs: Any) -> Any:
            return model._call_traced(trace, args, kwargs, model._root_scope)

        recorder = _Recorder()

        def begin(recorder: _Recorder = recorder) -> Trace:
            return recorder

        cache = PlanCache(describe, f'model "{model.name}"', trace=begin)
        _, outputs = cache.trace((_tree.map_structure(probe, structure),), {})
        recorders.append(recorder)
        results.append([x._index for x in _tree.flatten(outputs)])
    tensors = _Tensors(model, recorders)
    steps = [
        tensors.step([recorder.steps[i] for recorder in recorders])
        for i in range(len(recorders[0].steps))
    ]
    return Recording(
        steps,
        [tensors[i] for i in recorders[0].inputs],
        [tensors[i] for i in results[0]],
        names,
        _output_names(model, len(results[0])),
    )


def _given(model: Model) -> tuple[Any, list[str]]:
    """Give the shapes of a model's inputs, in their structure, and what they are called."""
    if model._graph is not None or model._call_shapes is None:
        graph = model._functional()
        return _tree.map_structure(lambda x: ShapeOf(x.shape), graph.inputs), graph.input_names
    if len(model._call_shapes) != 1:
        raise UnsupportedError(f'"{model.name}": a call with several arguments cannot be exported')
    structure = _map_shapes(_with_open_batch, model._call_shapes[0])
    count = len(_tree.flatten(structure))
    return structure, ["input"] if count == 1 else [f"input_{i}" for i in range(count)]


def _with_open_batch(shape: Any) -> Any:
    opened: Any = (None, *shape[1:])
    return ShapeOf(opened)


def _output_names(model: Model, count: int) -> list[str]:
    names = ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    return names if model._graph is None else model._graph.output_names


class _Tensors:
    """What the traces say about each value, joined."""

    def __init__(self, model: Model, recorders: Sequence[_Recorder]) -> None:
        self._model = model
        self._recorders = recorders
        self._labels = {id(v): name for name, v in named_weights(model).items()}
        self._made: dict[int, Tensor] = {}
        if len({len(recorder.steps) for recorder in recorders}) != 1:
            raise self._inconsistent()

    def _inconsistent(self) -> UnsupportedError:
        return UnsupportedError(
            f'"{self._model.name}": what it computes depends on the sizes of its inputs; give the '
            "Input known sizes to export it"
        )

    def step(self, variants: Sequence[Any]) -> Step:
        op, scope, _, operands, results = variants[0]
        if any((v[0], v[3], v[4]) != (op, operands, results) for v in variants):
            raise self._inconsistent()
        return Step(
            op,
            scope,
            tuple(v[2] for v in variants),
            [self[i] for i in operands],
            [self[i] for i in results],
        )

    def __getitem__(self, index: int) -> Tensor:
        """Give the value of a number, the same in every trace."""
        if index not in self._made:
            self._made[index] = self._join(index)
        return self._made[index]

    def _join(self, index: int) -> Tensor:
        graphs = [recorder.graph for recorder in self._recorders]
        probes = tuple(tuple(graph.shape(index)) for graph in graphs)
        if len({len(shape) for shape in probes}) != 1:
            raise self._inconsistent()
        shape = tuple(n[0] if len(set(n)) == 1 else None for n in zip(*probes, strict=True))
        tensor = Tensor(shape, probes, graphs[0].dtype(index))
        source, *others = (recorder.sources.get(index) for recorder in self._recorders)
        if isinstance(source, _C.Variable):
            tensor.label = self._labels.get(id(source), "weight")
            tensor.constant = source.view()
        elif source is not None:
            if not all(np.array_equal(source, x, equal_nan=True) for x in others if x is not None):
                raise self._inconsistent()
            tensor.constant = source
        return tensor
