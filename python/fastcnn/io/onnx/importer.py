"""The walk over an ONNX graph that makes a model of it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree, ops, serialization
from fastcnn.errors import (
    FastcnnError,
    FileAccessError,
    FileFormatError,
    MissingDependencyError,
    UnsupportedError,
)
from fastcnn.io.onnx import postprocessing, reading
from fastcnn.io.onnx.patterns import Groups
from fastcnn.io.onnx.values import Order, Value, channels_last
from fastcnn.layers.core import Identity, Input
from fastcnn.layers.layer import Layer
from fastcnn.layers.op_layer import OpLayer, OpWeight
from fastcnn.model import Model
from fastcnn.sizes import Size, quotient, same
from fastcnn.symbolic import KerasTensor, infer

# Numbers in all constants that are computed while a model is described, besides some for each byte
# of the file: what it computes of parameters is of their size, all else is small.
MOST_ELEMENTS = 2**21
_INLINE = 16  # a constant of at most so many numbers is an argument, not a weight

# Operators that see channels in axis 1: an input that one of them reads is a picture.
_SPATIAL = {
    "AveragePool", "BatchNormalization", "Conv", "ConvInteger", "ConvTranspose", "DepthToSpace",
    "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GroupNormalization",
    "InstanceNormalization", "LRN", "LpPool", "MaxPool", "MaxRoiPool", "MaxUnpool", "QLinearConv",
    "Resize", "RoiAlign", "SpaceToDepth", "Upsample",
}  # fmt: skip

# Operators after which one knows no more about the meaning of axes.
_ANY_AXES = {
    "Add", "Cast", "Clip", "Concat", "DequantizeLinear", "Div", "Dropout", "DynamicQuantizeLinear",
    "Identity", "Mul", "Pad", "QuantizeLinear", "Relu", "Shape", "Sigmoid", "Slice", "Split", "Sub",
    "Tanh",
}  # fmt: skip

# What each size that the data decide is in two imagined runs: batches, then other axes. No two
# are alike, and sizes of pictures survive strides.
_BATCHES = ((31, 53), (37, 59), (41, 61), (43, 67))
_OTHERS = tuple((1024 + 256 * i, 2176 + 512 * i) for i in range(64))


class Importer:
    """Makes a model of one GraphProto.

    Parameters
    ----------
    proto : onnx.ModelProto
    folder : str, optional
        Where files of external data lie.
    input_shapes : mapping of str to sequence of int or None, optional
        Shapes of inputs, as ONNX counts their axes, instead of those in the file.
    constants : mapping of str to array, optional
        Inputs that are known now: they become weights, shapes and options of layers.
    open_batch : bool, default False
        Whether a batch that the file fixes at 1 may be any: `run` fails where a value does not have
        one part for each picture.

    Attributes
    ----------
    opset : int
    batch : Size or None
        What the batch is if it was opened; a size of 1 that a Reshape asks for is the batch then.
    input_orders, output_orders : list of tuple of int
        Which of ONNX's axes the axes of the model's inputs and outputs are.
    """

    def __init__(
        self,
        proto: Any,
        folder: str | None = None,
        input_shapes: Mapping[str, Sequence[int | None]] | None = None,
        constants: Mapping[str, NDArray[Any]] | None = None,
        open_batch: bool = False,
    ) -> None:
        self.graph = proto.graph
        self.opset = reading.opset_of(proto)
        self.folder = folder
        self._held = proto.ByteSize() + reading.external_bytes(proto.graph, folder)
        self.input_shapes = dict(input_shapes or {})
        self.constants = dict(constants or {})
        self.whole: dict[int, KerasTensor] = {}  # by a cast's result: the input that it cast
        self.late: list[Any] = []  # nodes that run after the model
        self._late_names: set[str] = set()  # of the values that they give
        self.planes: dict[int, tuple[int, ...]] = {}  # by indices of maxima: the picture's size
        self.open_batch = open_batch
        self.batch: Any = None
        self.values: dict[str, Value] = {}
        self.input_orders: list[Order] = []
        self.output_orders: list[Order] = []
        self.shared: dict[Any, Layer] = {}  # layers that several nodes may call, by their weights
        self._names: dict[str, int] = {}
        self._symbols: dict[str, tuple[int, int]] = {}
        self._initializers: dict[str, Any] = {}

    # ---- what Value needs ------------------------------------------------------------------------

    def sizes(self, tensor: Any) -> list[Any]:
        """Tell a tensor's sizes: int, or `Size` where the data decide."""
        if None not in tensor.shape:
            return [int(n) for n in tensor.shape]
        if tensor.samples is None:
            raise UnsupportedError(f"the sizes of {tensor!r} cannot be followed; give input_shapes")
        return [
            int(n) if n is not None else Size.of(tensor, axis, [s[axis] for s in tensor.samples])
            for axis, n in enumerate(tensor.shape)
        ]

    def reshape(self, tensor: Any, shape: Sequence[Any]) -> Any:
        """Give the same elements in the same order another shape."""
        if isinstance(tensor, np.ndarray):
            return tensor.reshape(tuple(shape))
        present = self.sizes(tensor)
        if len(present) == len(shape) and all(
            n is m
            or n == m
            or (isinstance(n, Size) and isinstance(m, Size) and n.samples == m.samples)
            for n, m in zip(present, shape, strict=True)
        ):
            return tensor
        open_axes = [i for i, n in enumerate(shape) if isinstance(n, Size)]
        if len(open_axes) == 1 and 0 not in shape:
            shape = [-1 if isinstance(n, Size) else n for n in shape]
        return self.op("reshape", tensor, tuple(shape))

    def transpose(self, tensor: Any, permutation: Sequence[int]) -> Any:
        """Move axes."""
        if isinstance(tensor, np.ndarray):
            return np.ascontiguousarray(tensor.transpose(permutation))
        return self.op("transpose", tensor, tuple(permutation))

    # ---- making tensors --------------------------------------------------------------------------

    def op(self, function: str, *args: Any, name: str = "", **options: Any) -> Any:
        """Call a function of `fastcnn.ops`; at once where all operands are constants."""
        if any(isinstance(x, KerasTensor) for x in _tree.flatten((args, options))):
            return OpLayer.record(function, args, options, name=self.unique(name or function))
        args, options = _tree.map_structure(
            lambda x: x.value if isinstance(x, OpWeight) else x, (args, options)
        )
        # Its size is asked first: a file must not make us compute without end.
        stand_ins = _tree.map_structure(
            lambda x: (
                KerasTensor(x.shape, x.dtype.name)
                if isinstance(x, np.ndarray) and x.dtype.kind in "fiub" and x.ndim
                else x
            ),
            (args, options),
        )
        call = getattr(ops, function)
        if any(isinstance(x, KerasTensor) for x in _tree.flatten(stand_ins)):
            found = infer(getattr(call, "__wrapped__", call), *stand_ins)
            check_elements(sum(math.prod(x.shape) for x in _tree.flatten(found)))
        return call(*args, **options)

    def unique(self, name: str) -> str:
        """Give a name that no layer of the model has, from one the file has or a function's."""
        name = readable_name(name)
        count = self._names.get(name, -1) + 1
        self._names[name] = count
        if not count:
            return name
        return self.unique(f"{name}_{count}")

    # ---- the walk --------------------------------------------------------------------------------

    def run(self) -> Model:
        """Translate the graph."""
        graph = self.graph
        inputs, values = self.trace()
        if not inputs:
            raise UnsupportedError("a graph without inputs")
        if not values:
            raise FileFormatError("expected a graph with outputs")
        name = re.sub(r"[^\w.-]+", "_", graph.name).strip("_") or "onnx"
        if self.late:
            return self.postprocessed(inputs, values, name)
        outputs = [
            self.output(info.name, value, inputs)
            for info, value in zip(graph.output, values, strict=True)
            if value is not None
        ]
        return Model(
            inputs[0] if len(inputs) == 1 else inputs,
            outputs[0] if len(outputs) == 1 else outputs,
            name=name,
        )

    def postprocessed(
        self, inputs: list[KerasTensor], values: Sequence[Value | None], name: str
    ) -> postprocessing.PostprocessedModel:
        """Make a model that ends with the late nodes."""
        outputs: list[KerasTensor] = []
        reads: list[tuple[str, Order]] = []
        gives: list[tuple[str, int]] = []
        for info, value in zip(self.graph.output, values, strict=True):
            gives.append((info.name, 0) if value is None else ("", len(outputs)))
            if value is not None:
                outputs.append(self.output(info.name, value, inputs))
                reads.append(("", ()))
        known: dict[str, NDArray[Any]] = {}
        made = {output for node in self.late for output in node.output}
        for read in dict.fromkeys(i for node in self.late for i in node.input if i):
            if read in made:
                continue
            value = self.find(read)
            if value.is_constant:
                known[read] = value.plain()
                continue
            outputs.append(self.output(read, value, inputs))
            reads.append((read, self.output_orders[-1]))
        late_outputs = [
            info.name for info, v in zip(self.graph.output, values, strict=True) if v is None
        ]
        steps = postprocessing.graph_of(self.late, known, late_outputs, self.opset)
        return postprocessing.PostprocessedModel(
            inputs[0] if len(inputs) == 1 else inputs, outputs, name,
            steps=steps, reads=reads, gives=gives,
        )  # fmt: skip

    def trace(self) -> tuple[list[KerasTensor], list[Value | None]]:
        """Translate the nodes.

        Returns
        -------
        inputs : list of KerasTensor
            Of a model.
        values : list of Value or None
            The graph's outputs; None for those that are known only after the model has run, by
            the nodes in `late`.
        """
        graph = self.graph
        nodes = self._needed_nodes()
        for tensor in graph.initializer:
            self._initializers[tensor.name] = tensor
        if len(graph.sparse_initializer):
            raise UnsupportedError("sparse initializers")
        for name, array in self.constants.items():
            self._held += array.nbytes
            self.define(name, Value.of(self, array)._with(array.dtype.kind == "f"))
        inputs = [
            self._input(info, nodes)
            for info in graph.input
            if info.name not in self._initializers and info.name not in self.constants
        ]
        # Weights start as zeros, and there may be no more of them than the file has bytes.
        weights = serialization.weights_follow(self._held + 4096 * (len(nodes) + 1))
        with weights, _bounded_constants(self._held):
            self._translate(nodes)
            late = self._late_names
            return inputs, [
                None if info.name in late else self.find(info.name) for info in graph.output
            ]

    def _needed_nodes(self) -> list[Any]:
        """Leave out what no output depends on."""
        needed = {info.name for info in self.graph.output}
        kept = []
        for node in reversed(Groups(self.graph).replace(self.graph.node)):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(node.input)
                for attribute in node.attribute:
                    if attribute.HasField("g"):
                        needed.update(_outer_names(attribute.g))
        return kept[::-1]

    def _translate(self, nodes: Sequence[Any]) -> None:
        from fastcnn.io.onnx.operators import OPERATORS
        from fastcnn.io.onnx.operators.constants import FOLDERS, fold, only_constant

        for proto in nodes:
            if self._late_names.intersection(proto.input) or self._is_late(proto):
                self._late_names.update(name for name in proto.output if name)
                self.late.append(proto)
                continue
            node = Node(self, proto)
            domain = "" if proto.domain == "ai.onnx" else proto.domain
            translate = OPERATORS.get(f"{domain}.{proto.op_type}" if domain else proto.op_type)
            if translate is None and not domain and proto.op_type in FOLDERS:
                translate = only_constant
            if translate is None:
                raise node.unsupported("this operator is not supported")
            with _naming_node(node):
                results = fold(node) or translate(node)
                results = results if isinstance(results, list) else [results]
                for name, value in zip(proto.output, results, strict=False):
                    self.define(name, value)
                if any(proto.output[len(results) :]):
                    raise node.unsupported(f"output {len(results)}")

    def _is_late(self, proto: Any) -> bool:
        """Whether the data decide how many results a node gives."""
        return proto.op_type in postprocessing.LATE and not all(
            self.find(name).is_constant for name in proto.input if name
        )

    def inline(self, graph: Any) -> list[Value]:
        """Translate a graph inside a node, which sees the values around it."""
        for tensor in graph.initializer:
            if tensor.name in self._initializers or tensor.name in self.values:
                raise FileFormatError(f"the value {tensor.name!r} is defined twice")
            self._initializers[tensor.name] = tensor
        self._translate(graph.node)
        return [self.find(info.name) for info in graph.output]

    def with_batch(self, shape: list[Any]) -> list[Any]:
        """Give a shape that a node asks for with the batch that was opened for its first 1."""
        opened = self.batch is not None and shape and same(shape[0], 1)
        return [self.batch, *shape[1:]] if opened else shape

    def define(self, name: str, value: Value) -> None:
        """Let a name of the file stand for a value."""
        if not name:
            return
        if name in self.values or name in self._initializers:
            raise FileFormatError(f"the value {name!r} is defined twice")
        if self.batch is not None and not value.is_constant:
            # Whatever mixes pictures, or counts on there being one, shows in the shape.
            sizes = [n for n in value.shape if isinstance(n, Size)]
            if sum(quotient(n, self.batch) is not None for n in sizes) != 1:
                raise UnsupportedError(f"{value} has not one part for each picture")
        value.name = value.name or name
        self.values[name] = value

    def find(self, name: str) -> Value:
        """Give the value of a name of the file."""
        if name not in self.values and name in self._initializers:
            array = reading.tensor_array(self._initializers[name], self.folder)
            value = Value.of(self, array)
            value.trainable = array.dtype.kind == "f"
            value.name = name
            self.values[name] = value
        if name in self._late_names:
            raise UnsupportedError(f"{name!r} is known only after the model has run")
        if name not in self.values:
            raise FileFormatError(f"the value {name!r} is used before it is defined")
        return self.values[name]

    def type_of(self, value: Value) -> str:
        """Tell of which type the file says a tensor or an input is; "" of what nodes compute."""
        kinds = reading.onnx().TensorProto.DataType
        tensor = self._initializers.get(value.name)
        kind = tensor.data_type if tensor is not None else 0
        for info in self.graph.input:
            if info.name == value.name and tensor is None:
                kind = info.type.tensor_type.elem_type
        return kinds.Name(kind).lower() if kind and kind in kinds.values() else ""

    # ---- inputs and outputs ----------------------------------------------------------------------

    def _input(self, info: Any, nodes: Sequence[Any]) -> KerasTensor:
        kind = info.type.tensor_type
        if not info.type.HasField("tensor_type") or not kind.HasField("shape"):
            raise UnsupportedError(f"input {info.name!r}: expected a tensor of known rank")
        shape: list[int | None] = []
        samples = []
        given = self.input_shapes.get(info.name)
        if given is not None and len(given) != len(kind.shape.dim):
            raise FileFormatError(
                f"input {info.name!r}: expected a shape of {len(kind.shape.dim)} axes, got {given}"
            )
        if len(kind.shape.dim) > 8:
            raise UnsupportedError(f"input {info.name!r}: expected at most 8 axes")
        for axis, dim in enumerate(kind.shape.dim):
            fixed = dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
            if given is not None:
                fixed = given[axis]
            elif self.open_batch and axis == 0:
                fixed = None
            if fixed is not None and fixed > 2**31:
                raise FileFormatError(f"input {info.name!r}: impossible size {fixed}")
            shape.append(fixed)
            samples.append(
                self._sample(
                    "" if self.open_batch and not axis else dim.dim_param or f"{info.name}/{axis}",
                    axis,
                )
                if fixed is None
                else (fixed, fixed)
            )
        order = self._input_order(info.name, len(shape), nodes)
        tensor = Input(
            batch_shape=tuple(shape[axis] for axis in order), name=self.unique(info.name)
        )
        tensor.samples = tuple(tuple(samples[axis][run] for axis in order) for run in range(2))
        self.input_orders.append(order)
        value = Value.of(self, self._of_type(info, tensor), order)
        if self.open_batch and self.batch is None:
            self.batch = value.shape[0]
        self.define(info.name, value)
        return tensor  # type: ignore[no-any-return]

    def _of_type(self, info: Any, tensor: KerasTensor) -> KerasTensor:
        """Inputs of a model are float32: make one what the file says it is."""
        names = reading.onnx().TensorProto
        kind = info.type.tensor_type.elem_type
        if kind in (names.FLOAT, names.DOUBLE, names.FLOAT16, names.BFLOAT16):
            return tensor
        name = names.DataType.Name(kind).lower() if kind in names.DataType.values() else str(kind)
        name = reading.WIDER.get(name, name)
        if name not in ("int64", "int32", "uint8", "int8", "bool"):
            raise UnsupportedError(f"input {info.name!r} of type {name}")
        cast = self.op("cast", tensor, name, name=f"{info.name}_{name}")
        self.whole[id(cast)] = tensor
        return cast  # type: ignore[no-any-return]

    def _sample(self, symbol: str, axis: int) -> tuple[int, int]:
        if symbol not in self._symbols:
            pool = _OTHERS if axis else _BATCHES
            taken = set(self._symbols.values())
            free = next((pair for pair in pool if pair not in taken), None)
            if free is None:
                raise UnsupportedError("more sizes of inputs that the data decide than expected")
            self._symbols[symbol] = free
        return self._symbols[symbol]

    def _input_order(self, name: str, rank: int, nodes: Sequence[Any]) -> Order:
        """Decide whether an input is a picture, by the operators that read it first."""
        if rank < 3:
            return tuple(range(rank))
        reached = {name}
        readers: set[str] = set()
        for node in nodes:
            if reached.intersection(node.input):
                readers.add(node.op_type)
                if node.op_type in _ANY_AXES:
                    reached.update(output for output in node.output if output)
        # Of rank 4, all are pictures but those that are transposed first: (n, h, w, c) elsewhere.
        if readers & _SPATIAL or (rank == 4 and readers - _ANY_AXES != {"Transpose"}):
            return channels_last(rank)
        return tuple(range(rank))

    def output(self, name: str, value: Value, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """Give the tensor of the model that is an output of the graph, and note its order."""
        if value.is_constant:
            raise UnsupportedError(f"the output {name!r} is a constant")
        order = value.order
        if order != channels_last(value.rank):
            order = tuple(range(value.rank))
        if self.batch is not None and not same(value.shape[0], self.batch):
            raise UnsupportedError(f"the output {name!r} has not one part for each picture")
        self.output_orders.append(order)
        tensor = value.stored_as(order)
        if any(tensor is x for x in inputs):
            tensor = Identity(name=self.unique(name))(tensor)
        return tensor  # type: ignore[no-any-return]


class Node:
    """One node of the graph, as its translator sees it.

    Attributes
    ----------
    op_type, name : str
    home : Importer
    opset : int
    inputs : list of Value or None
    outputs : list of str
    attributes : dict
    """

    def __init__(self, home: Importer, proto: Any) -> None:
        self.home = home
        self.op_type: str = proto.op_type
        self.name: str = proto.name or (proto.output[0] if proto.output else "")
        self.opset = home.opset
        self.outputs = list(proto.output)
        self.attributes: dict[str, Any] = {}
        with _naming_node(self):
            for attribute in proto.attribute:
                value = reading.attribute_value(attribute, home.folder)
                self.attributes[attribute.name] = value
            self.inputs = [home.find(name) if name else None for name in proto.input]

    # ---- what the file says ----------------------------------------------------------------------

    def attribute(self, name: str, default: Any = None) -> Any:
        """Give an attribute, checked to be of the default's type."""
        value = self.attributes.get(name, default)
        wanted = type(default)
        if default is not None and type(value) is not wanted:
            if wanted is float and type(value) is int:
                return float(value)
            raise FileFormatError(f"attribute {name}: expected {wanted.__name__}, got {value!r}")
        return value

    def ints(self, name: str, count: int | None = None, default: int | None = None) -> list[int]:
        """Give an attribute that is a list of integers; so many defaults where it is absent."""
        value = self.attributes.get(name)
        if value is None:
            if default is None or count is None:
                raise FileFormatError(f"attribute {name} is missing")
            return [default] * count
        if not isinstance(value, list) or not all(type(x) is int for x in value):
            raise FileFormatError(f"attribute {name}: expected integers, got {value!r}")
        if count is not None and len(value) != count:
            raise FileFormatError(f"attribute {name}: expected {count} integers, got {value!r}")
        return value

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def input(self, index: int = 0) -> Value:
        """Give an input that must be there."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise FileFormatError(f"input {index} is missing")
        return value

    def constant(self, index: int) -> NDArray[Any]:
        """Give an input that must be known now."""
        array = self.input(index).constant
        if array is None:
            raise self.unsupported(f"expected input {index} to be constant")
        return array

    def numbers(self, index: int, attribute: str | None = None) -> list[Any] | None:
        """Give numbers that are an input in newer operator sets and were an attribute in older.

        Returns
        -------
        list of int, float or `Size`, or None where they are absent
        """
        if attribute is not None and attribute in self.attributes:
            value = self.attributes[attribute]
            return list(value) if isinstance(value, list) else [value]
        if not self.has(index):
            return None
        found: list[Any] = self.constant(index).ravel().tolist()
        return found

    def axis(self, value: Any, rank: int) -> int:
        """Count an axis from the front."""
        if not isinstance(value, int) or not -rank <= value < max(rank, 1):
            raise FileFormatError(f"expected an axis among {rank}, got {value!r}")
        return value % rank if rank else 0

    def unsupported(self, reason: str) -> UnsupportedError:
        """Make the error that names the operator and the node."""
        return UnsupportedError(f"node {self.name!r} ({self.op_type}): {reason}")

    # ---- making its results ----------------------------------------------------------------------

    def value(self, tensor: Any, order: Sequence[int] | None = None) -> Value:
        """Make the value of a tensor whose axis i is ONNX's axis ``order[i]``."""
        return Value.of(self.home, tensor, order)

    def pictures(self, tensor: Any) -> Value:
        """Make the value of a tensor that has channels in its last axis."""
        return Value.of(self.home, tensor, channels_last(len(tensor.shape)))

    def op(self, function: str, *args: Any, **options: Any) -> Any:
        """Call a function of `fastcnn.ops` under the node's name."""
        return self.home.op(function, *args, name=self.name, **options)

    def layer(self, cls: type[Layer], *inputs: Any, **config: Any) -> Any:
        """Make a layer of the node's name and call it."""
        return cls(**config, name=self.home.unique(self.name))(*inputs)

    def weighted(
        self, cls: type[Layer], x: Any, weights: Mapping[str, Value | NDArray[Any]], **config: Any
    ) -> Any:
        """Make a layer, call it and set its weights; nodes with the same kernel share one.

        Parameters
        ----------
        cls : type of Layer
        x : KerasTensor or array
        weights : mapping of str to array
            Values of the layer's attributes of these names, in the layer's layout.
        **config
            Arguments of the layer.
        """
        home = self.home
        arrays = {name: np.asarray(value, np.float32) for name, value in weights.items()}
        # Equal parameters of other layers may be one in the file only because they are equal.
        sources = tuple(v.name for v in self.inputs[1:] if v is not None and v.is_constant)
        key = (cls, sources, repr(sorted(config.items())), len(x.shape), x.shape[-1])
        shared = (
            home.shared.get(key) if "kernel" in weights and isinstance(x, KerasTensor) else None
        )
        if shared is not None and all(
            np.array_equal(getattr(shared, name).numpy(), array) for name, array in arrays.items()
        ):
            return shared(x)
        layer = cls(**config, name=home.unique(self._weight_name()))
        result = layer(x)
        for name, array in arrays.items():
            variable = getattr(layer, name)
            if tuple(variable.shape) != array.shape:
                raise FileFormatError(
                    f"expected {name} of shape {tuple(variable.shape)}, got {array.shape}"
                )
            variable.assign(array)
        if isinstance(x, np.ndarray):
            return layer(x)
        home.shared[key] = layer
        return result

    def weight(
        self, value: Value | NDArray[Any], name: str = "weight", *, array: Any = None
    ) -> Any:
        """Make a constant an operand of `op`: a weight, or the numbers where they are few.

        Parameters
        ----------
        value : Value or array
            What the file has; a parameter of the file can be trained.
        name : str
        array : array, optional
            The numbers in the order wanted; the value's own unless given.
        """
        trainable = isinstance(value, Value) and value.trainable
        if array is None:
            array = value.constant if isinstance(value, Value) else value
        if array.dtype.kind != "f" or array.size <= 1 or (array.size <= _INLINE and not trainable):
            return array
        return OpWeight(np.asarray(array, np.float32), name, trainable)

    def _weight_name(self) -> str:
        """Name a layer after its parameter, ``conv1.weight``, or else after the node."""
        for value in self.inputs[1:]:
            if value is not None and value.trainable:
                stem = re.sub(r"[._/](weight|kernel|W|gamma|scale)(:0)?$", "", value.name)
                if stem != value.name and not stem.startswith("onnx::"):
                    return stem
                break
        return self.name


def readable_name(name: str) -> str:
    """Make the name of a layer of a node's name.

    Examples
    --------
    >>> readable_name("/layer1/layer1.0/conv1/Conv")
    'layer1.0.conv1'
    >>> readable_name("node_relu_3"), readable_name("/Add")
    ('node_relu_3', 'Add')
    """
    parts = [re.sub(r"[^\w.-]+", "_", part)[:128] for part in name.split("/") if part]
    if (
        len(parts) > 1
        and re.fullmatch(r"[A-Z]\w*", parts[-1])
        and not re.search(r"_\d+$", parts[-1])
    ):
        parts.pop()
    kept = [
        part
        for part, after in zip(parts, [*parts[1:], ""], strict=True)
        if not after.startswith(part + ".")
    ]
    return ".".join(kept)[-256:] or "node"


_budget: ContextVar[list[int]] = ContextVar("fastcnn_onnx_constants")


def check_elements(count: int) -> None:
    """Refuse constants that a file makes larger than any it may need."""
    left = _budget.get([MOST_ELEMENTS])
    if count > left[0]:
        raise FileFormatError(f"expected constants of {left[0]} more elements at most, got {count}")
    left[0] -= count


@contextmanager
def _bounded_constants(held: int) -> Iterator[None]:
    """Within the block, count what `check_elements` is asked; `held`: the bytes of the file."""
    token = _budget.set([MOST_ELEMENTS + 4 * held])
    try:
        yield
    finally:
        _budget.reset(token)


def _outer_names(graph: Any) -> Iterator[str]:
    for node in graph.node:
        yield from node.input
    for info in graph.output:
        yield info.name


@contextmanager
def _naming_node(node: Node) -> Iterator[None]:
    """Report whatever a node of a file makes go wrong as a fault of the file, with its name."""
    try:
        yield
    except (FileAccessError, MissingDependencyError, UnsupportedError) as error:
        if f"node {node.name!r}" in str(error):
            raise
        raise type(error)(f"node {node.name!r} ({node.op_type}): {error}") from error
    except FastcnnError as error:
        if isinstance(error, FileFormatError) and str(error).startswith("node "):
            raise
        raise FileFormatError(f"node {node.name!r} ({node.op_type}): {error}") from error
    except (
        ArithmeticError, AttributeError, IndexError, KeyError, MemoryError, RecursionError,
        TypeError, ValueError,
    ) as error:  # fmt: skip
        raise FileFormatError(
            f"node {node.name!r} ({node.op_type}): malformed: {type(error).__name__}: {error}"
        ) from error


def import_model(
    path: str | os.PathLike[str],
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
) -> tuple[Model, Importer]:
    """Read a file and translate it, with any number of pictures a batch where that is possible."""
    proto = reading.read_model(path)
    folder = os.path.dirname(os.path.abspath(os.fspath(path)))
    if not input_shapes and _fixes_batch(proto.graph):
        importer = Importer(proto, folder, open_batch=True)
        try:
            return importer.run(), importer
        except FastcnnError:
            pass  # this graph does not permit it
    importer = Importer(proto, folder, input_shapes)
    return importer.run(), importer


def _fixes_batch(graph: Any) -> bool:
    """Whether every input has a first axis of size 1 by decree."""
    known = {tensor.name for tensor in graph.initializer}
    shapes = [i.type.tensor_type.shape.dim for i in graph.input if i.name not in known]
    return bool(shapes) and all(len(dims) > 1 and dims[0].dim_value == 1 for dims in shapes)
