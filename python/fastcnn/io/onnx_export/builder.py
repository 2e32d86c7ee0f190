"""The nodes of an ONNX graph, and how each tensor's axes lie in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.io.onnx_export.recording import Recording, Shape, Step, Tensor
from fastcnn.ops._dispatch import run_op

DTYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9, "float64": 11}
"""The numbers that ONNX gives to dtypes."""

LAST, FIRST = "channels_last", "channels_first"
"""The layouts of a tensor of four axes; all others lie as they do here."""

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
AXIS_IN_FIRST = (0, 2, 3, 1)  # of each axis of (n, h, w, c): where it is in (n, c, h, w)

Emit = Callable[["Builder", Step], None]


class Builder:
    """Collects nodes and initialisers.

    A tensor of four axes has a name for each layout that something asked for; a node that changes
    the layout is added when the first does.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    initializers : dict of str to array
    opset : int
    """

    def __init__(self, onnx: Any, opset: int, recording: Recording) -> None:
        self._helper = onnx.helper
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: dict[str, NDArray[Any]] = {}
        self._taken: set[str] = set()
        self._shared: dict[Any, str] = {}
        self._scope = ""
        self.input_names = [self.fresh(name) for name in recording.input_names]
        self.output_names = [self.fresh(name) for name in recording.output_names]

    # ---- steps ---------------------------------------------------------------------------------

    def add(self, step: Step, operators: Mapping[str, Emit]) -> None:
        """Add the nodes of a step; what does not depend on the data is computed now."""
        self._scope = step.scope
        arrays = [x.constant for x in step.inputs if x.constant is not None]
        fixed = all(a == step.attributes[0] for a in step.attributes)
        if arrays and len(arrays) == len(step.inputs) and fixed:
            results = run_op(step.op, arrays, step.attributes[0])
            for tensor, array in zip(step.outputs, results, strict=True):
                tensor.constant = array
            return
        if step.op not in operators:
            raise step.decline("it has no counterpart there")
        operators[step.op](self, step)

    def begin(self, tensor: Tensor, name: str, layout: str) -> tuple[str, str, Shape]:
        """Make a tensor an input of the graph; return its name, dtype and shape."""
        self.put(tensor, name, layout)
        return name, tensor.dtype, _arranged(tensor, layout)

    def end(self, tensor: Tensor, name: str, layout: str) -> tuple[str, str, Shape]:
        """Make a tensor an output of the graph; return its name, dtype and shape."""
        self._scope = ""
        made = self.name(tensor, layout)
        source = next((node for node in self.nodes if made in node.output), None)
        if source is None or made in self.output_names:
            self.nodes.append(self._helper.make_node("Identity", [made], [name], name=name))
            return name, tensor.dtype, _arranged(tensor, layout)
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if n == made else n for n in names]
        for key, known in tensor.names.items():
            tensor.names[key] = name if known == made else known
        return name, tensor.dtype, _arranged(tensor, layout)

    # ---- names and values ----------------------------------------------------------------------

    def fresh(self, hint: str) -> str:
        """Give a name that nothing has, like the hint."""
        name, count = hint, 0
        while name in self._taken:
            count += 1
            name = f"{hint}_{count}"
        self._taken.add(name)
        return name

    def constant(self, array: Any, hint: str = "constant", dtype: Any = None) -> str:
        """Give the name of an initialiser; small ones that are equal are one."""
        array = np.asarray(array, dtype=dtype, order="C")
        if array.nbytes > 256:
            name = self.fresh(hint)
            self.initializers[name] = array
            return name
        key = (array.tobytes(), array.shape, array.dtype.str, hint)
        if key not in self._shared:
            self._shared[key] = self.fresh(hint)
            self.initializers[self._shared[key]] = array
        return self._shared[key]

    def ints(self, values: Any, hint: str = "sizes") -> str:
        """Give the name of an initialiser of 64-bit integers."""
        return self.constant(values, hint, np.int64)

    def number(self, value: float) -> str:
        """Give the name of an initialiser that is one number."""
        return self.constant(value, "number", np.float32)

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; give the name of its result, or a list of several."""
        name = self.fresh(f"{self._scope}/{op}" if self._scope else op)
        results = [name] + [self.fresh(f"{name}:{i}") for i in range(1, outputs)]
        kept = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(self._helper.make_node(op, list(inputs), results, name=name, **kept))
        return name if outputs == 1 else results

    def name(self, x: Tensor, layout: str = LAST) -> str:
        """Give what a tensor is called in a layout."""
        if x.rank != 4:
            layout = LAST
        if layout not in x.names:
            if x.constant is not None:
                array = x.constant if layout == LAST else x.constant.transpose(TO_FIRST)
                x.names[layout] = self.constant(array, x.label or "constant")
            elif layout == FIRST:
                x.names[layout] = self.node("Transpose", [x.names[LAST]], perm=TO_FIRST)
            else:
                x.names[layout] = self.node("Transpose", [x.names[FIRST]], perm=TO_LAST)
        return x.names[layout]

    def permuted(self, x: Tensor, axes: Sequence[int], shape: Sequence[int] | None = None) -> str:
        """Give what a tensor is called with its axes in another order, then under a shape."""
        if x.constant is not None:
            array = x.constant.transpose(axes)
            return self.constant(
                array if shape is None else array.reshape(shape), x.label or "constant"
            )
        name = self.node("Transpose", [self.name(x)], perm=list(axes))
        return name if shape is None else str(self.node("Reshape", [name, self.ints(shape)]))

    def operand(self, x: Tensor, rank: int, layout: str) -> str:
        """Give what a tensor is called where it meets one of a rank and layout and is broadcast."""
        if x.rank == 4 or layout == LAST or rank != 4 or x.rank == 0:
            return self.name(x, layout)
        shape = (1,) * (4 - x.rank) + x.shape
        if x.constant is not None:
            array = x.constant.reshape(shape).transpose(TO_FIRST)
            while array.ndim > 1 and array.shape[0] == 1:
                array = array[0]
            return self.constant(array, x.label or "constant")
        axes = self.ints(range(4 - x.rank))
        return str(
            self.node(
                "Transpose", [self.node("Unsqueeze", [self.name(x), axes])], perm=list(TO_FIRST)
            )
        )

    def layout(self, *tensors: Tensor) -> str:
        """Give the layout in which most of what is computed from these is: that of the first."""
        for x in tensors:
            if x.rank == 4 and x.constant is None:
                return FIRST if FIRST in x.names else LAST
        return LAST

    def put(self, tensor: Tensor, name: str, layout: str = LAST) -> None:
        """Say that a name is a tensor, in a layout."""
        tensor.names[layout if tensor.rank == 4 else LAST] = name


def _arranged(tensor: Tensor, layout: str) -> Shape:
    if tensor.rank == 4 and layout == FIRST:
        return tuple(tensor.shape[axis] for axis in TO_FIRST)
    return tensor.shape
