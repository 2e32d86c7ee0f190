"""The interface of `onnx.backend`: ONNX models and nodes, run by fastcnn.

Needs the package onnx (``pip install fastcnn[onnx]``).

Examples
--------
>>> import fastcnn.io.onnx_backend as backend
>>> backend.supports_device("CPU"), backend.supports_device("CUDA")
(True, False)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, FileFormatError, UnsupportedError
from fastcnn.io.onnx import reading
from fastcnn.io.onnx.importer import Importer
from fastcnn.io.onnx.values import Order
from fastcnn.model import Model

import_optional("onnx", extra="onnx")

from onnx import ModelProto, NodeProto, TensorProto, checker, helper  # noqa: E402
from onnx.backend import base  # noqa: E402

__all__ = ["FastcnnBackend", "FastcnnBackendRep", "is_compatible", "prepare", "run_model"]
__all__ += ["run_node", "supports_device"]

_MOST_MODELS = 16  # that are kept for inputs which decide what a model is

# Inputs that a layer takes as an option, a shape or a weight: which ones, by operator.
_FIXED: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Clip": (1, 2),
    "ConstantOfShape": (0,),
    "Conv": (1, 2),
    "ConvInteger": (1, 2, 3),
    "ConvTranspose": (1, 2),
    "DequantizeLinear": (1, 2),
    "Dropout": (1, 2),
    "Expand": (1,),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "MatMulInteger": (1, 2, 3),
    "MaxUnpool": (2,),
    "NonMaxSuppression": (2, 3, 4),
    "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7, 8),
    "QLinearMatMul": (1, 2, 3, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
    "Range": (0, 1, 2),
    "ReduceL1": (1,),
    "ReduceL2": (1,),
    "ReduceLogSum": (1,),
    "ReduceLogSumExp": (1,),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceMin": (1,),
    "ReduceProd": (1,),
    "ReduceSum": (1,),
    "ReduceSumSquare": (1,),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}


class _Compiled:
    """A model for given values of the fixed inputs, and what its outputs become."""

    def __init__(
        self,
        proto: ModelProto,
        constants: Mapping[str, NDArray[Any]],
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        importer = Importer(proto, input_shapes=shapes, constants=constants)
        inputs, values = importer.trace()
        self._constants = [None if v is None else v.constant for v in values]
        self._model: Model | None = None
        self._orders: list[Order] = []
        if importer.late:
            model = importer.postprocessed(inputs, values, "onnx")
            orders = importer.output_orders
            self._orders = [() if name else orders[index] for name, index in model.gives]
            self._model = model
        else:
            outputs = [
                importer.output(info.name, value, inputs)
                for info, value in zip(proto.graph.output, values, strict=True)
                if value is not None and not value.is_constant
            ]
            self._orders = importer.output_orders
            if outputs:
                self._model = Model(inputs, outputs, name="onnx")
        self._input_orders = importer.input_orders

    def run(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Compute the outputs, with ONNX's order of axes."""
        computed: Any = []
        if self._model is not None:
            given = [
                np.asarray(array, np.float32).transpose(order)
                for array, order in zip(arrays, self._input_orders, strict=True)
            ]
            results = self._model.predict_on_batch(given if len(given) > 1 else given[0])
            results = results if isinstance(results, list) else [results]
            computed = [
                y.transpose(np.argsort(order)) if len(order) else y
                for y, order in zip(results, self._orders, strict=True)
            ]
        rest = iter(computed)
        return [next(rest) if constant is None else constant for constant in self._constants]


class FastcnnBackendRep(base.BackendRep):
    """A prepared model; `run` computes its outputs.

    Parameters
    ----------
    model : onnx.ModelProto
    """

    def __init__(self, model: ModelProto) -> None:
        graph = model.graph
        known = {tensor.name for tensor in graph.initializer}
        self._proto = model
        self._inputs = [info.name for info in graph.input if info.name not in known]
        for info in (*graph.input, *graph.output):
            if not info.type.HasField("tensor_type"):
                raise UnsupportedError(f"{info.name!r}: expected a tensor")
        kinds = [info.type.tensor_type.elem_type for info in graph.output]
        self._outputs = [helper.tensor_dtype_to_np_dtype(k) if k else None for k in kinds]
        # No elements is what a shape may say, though to an importer a size of 0 is one unknown.
        self._empty = {
            info.name
            for info in graph.input
            if any(
                d.HasField("dim_value") and not d.dim_value for d in info.type.tensor_type.shape.dim
            )
        }
        self._fixed = _fixed_inputs(model)
        self._compiled: OrderedDict[Any, _Compiled] = OrderedDict()
        if not self._fixed.intersection(self._inputs) and not self._empty:
            self._for_inputs({})

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Compute the outputs.

        Parameters
        ----------
        inputs : sequence of array, or dict of str to array
            In the order of the graph's inputs, or by their names.
        **kwargs
            Accepted for the interface's sake.

        Returns
        -------
        tuple of array

        Raises
        ------
        ConfigError
            There are more inputs than the graph has, or fewer.
        UnsupportedError
            The model has an operator, or an option of one, that is not supported.
        """
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        if not isinstance(inputs, Mapping):
            if len(inputs) != len(self._inputs):
                raise ConfigError(f"expected {len(self._inputs)} inputs, got {len(inputs)}")
            inputs = dict(zip(self._inputs, inputs, strict=True))
        if missing := [name for name in self._inputs if name not in inputs]:
            raise ConfigError(f"expected inputs {self._inputs}, got none for {missing}")
        arrays = {name: np.asarray(inputs[name]) for name in self._inputs}
        compiled = self._for_inputs(arrays)
        results = compiled.run([a for name, a in arrays.items() if name not in self._fixed])
        return tuple(np.asarray(y, dtype) for y, dtype in zip(results, self._outputs, strict=True))

    def _for_inputs(self, arrays: Mapping[str, NDArray[Any]]) -> _Compiled:
        constants = {n: reading.usual(array) for n, array in arrays.items() if n in self._fixed}
        shapes = {n: a.shape for n, a in arrays.items() if n in self._empty and n not in constants}
        values = [(name, a.shape, a.dtype.str, a.tobytes()) for name, a in constants.items()]
        key = (tuple(values), tuple(shapes.items()))
        if key not in self._compiled:
            self._compiled[key] = _Compiled(self._proto, constants, shapes)
            if len(self._compiled) > _MOST_MODELS:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return self._compiled[key]


def _fixed_inputs(model: ModelProto) -> set[str]:
    """Find the values on which options, shapes and weights of layers depend."""
    fixed: set[str] = set()
    for node in reversed(model.graph.node):
        places = _FIXED.get(node.op_type, ())
        if fixed.intersection(node.output) and node.op_type not in ("Shape", "Size"):
            places = tuple(range(len(node.input)))
        fixed.update(node.input[i] for i in places if i < len(node.input) and node.input[i])
    return fixed


class FastcnnBackend(base.Backend):
    """fastcnn as a backend of ONNX.

    Inputs on which the shape of a result depends, and weights that are inputs, make a model of
    their own for each of their values; the latest few are kept.
    """

    @classmethod
    def is_compatible(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether the model can be prepared."""
        try:
            cls.prepare(model, device, **kwargs)
        except (UnsupportedError, FileFormatError):
            return False
        return True

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> FastcnnBackendRep:
        """Make a model of an ONNX model.

        Raises
        ------
        UnsupportedError
            Another device than the CPU; an operator, or an option of one, that is not supported:
            the message names the node. What depends on inputs is found out at `run`.
        FileFormatError
            The model is malformed.
        """
        if not cls.supports_device(device):
            raise UnsupportedError(f"expected device CPU, got {device}")
        try:
            super().prepare(model, device, **kwargs)
        except checker.ValidationError as error:
            raise FileFormatError(str(error)) from error
        return FastcnnBackendRep(model)

    @classmethod
    def run_model(
        cls, model: ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any
    ) -> tuple[Any, ...]:
        """Compute the outputs of a model."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Compute the outputs of one node."""
        super().run_node(node, inputs, device, outputs_info, **kwargs)
        names = [name for name in node.input if name]
        arrays = [np.asarray(x) for x in inputs]
        opset = kwargs.get("opset_version")
        given = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(names, arrays, strict=True)
        ]
        results = [
            helper.make_tensor_value_info(
                name,
                helper.np_dtype_to_tensor_dtype(np.dtype(outputs_info[i][0]))
                if outputs_info is not None
                else TensorProto.UNDEFINED,
                None,
            )
            for i, name in enumerate(name for name in node.output if name)
        ]
        graph = helper.make_graph([node], node.name or node.op_type, given, results)
        imports = [helper.make_opsetid(node.domain, opset)] if opset else None
        model = helper.make_model(graph, opset_imports=imports)
        return FastcnnBackendRep(model).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether models can run there: on the CPU."""
        return str(device).split(":")[0] == "CPU"


is_compatible = FastcnnBackend.is_compatible
prepare = FastcnnBackend.prepare
run_model = FastcnnBackend.run_model
run_node = FastcnnBackend.run_node
supports_device = FastcnnBackend.supports_device
