"""What is in a file of weights or a model, of whichever format."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fastcnn import _tree
from fastcnn.errors import FastcnnError, MissingDependencyError
from fastcnn.io._files import StrPath
from fastcnn.io.formats import format_of
from fastcnn.plan import with_unit


@dataclass(frozen=True)
class TensorEntry:
    """A tensor as the file has it.

    Attributes
    ----------
    name : str
    dtype : str
        As it is read; see the format's reader.
    shape : tuple of int
    bytes : int
        In memory.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class GraphEntry:
    """What a model is made of.

    Attributes
    ----------
    name : str
    inputs, outputs : dict of str to tuple
        Shapes by the names of layers; None for what the data decide.
    layers : dict of str to int
        How many there are of each type, the most frequent first. Functions of `fastcnn.ops` count
        under their names.
    parameters : int
    """

    name: str
    inputs: dict[str, tuple[int | None, ...]]
    outputs: dict[str, tuple[int | None, ...]]
    layers: dict[str, int]
    parameters: int


@dataclass(frozen=True)
class Inspection:
    """What is in a file; ``print`` it, or take it apart.

    Attributes
    ----------
    file, format : str
        The path, and the format's name: "onnx", "torch" ...
    size : int
        Bytes on the disk; of a folder, of the files in it.
    tensors : list of TensorEntry
        Names, layouts and dtypes are the file's own.
    model : GraphEntry or None
        None where the file holds weights alone, or `problem` says why.
    problem : str or None
        Why the model in the file cannot be made here.
    """

    file: str
    format: str
    size: int
    tensors: list[TensorEntry] = field(default_factory=list)
    model: GraphEntry | None = None
    problem: str | None = None

    @property
    def parameters(self) -> int:
        """The number of elements of all floating-point tensors."""
        sizes = 0
        for tensor in self.tensors:
            count = 1
            for n in tensor.shape:
                count *= n
            sizes += count if tensor.dtype.startswith("float") else 0
        return sizes

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as plain data, for JSON."""
        return {**asdict(self), "parameters": self.parameters}

    def __str__(self) -> str:
        lines = [f"{self.file}: {self.format}, {with_unit(self.size, 'B')}"]
        if self.model is not None:
            lines += _describe(self.model)
        if self.problem is not None:
            lines.append(f"No model: {self.problem}")
        if self.tensors:
            total = with_unit(sum(tensor.bytes for tensor in self.tensors), "B")
            lines.append(
                f"{len(self.tensors)} tensors, {self.parameters:,} parameters, {total} in memory:"
            )
            width = min(max(len(tensor.name) for tensor in self.tensors), 72)
            for t in self.tensors:
                shape = "x".join(map(str, t.shape)) or "-"
                lines.append(f"  {t.name.ljust(width)}  {t.dtype:<8} {shape}")
        return "\n".join(lines)


def inspect(path: StrPath) -> Inspection:
    """Tell what is in a file: tensors, shapes, sizes, and the model if there is one.

    Parameters
    ----------
    path : str or os.PathLike
        Any file that `load_weights_file` or one of the readers of models takes.

    Returns
    -------
    Inspection
        It prints as a table, and has ``to_dict``.

    Raises
    ------
    MissingWeightsError
        There is no such file.
    FileFormatError
        It is damaged, or of a format that is not known.
    MissingDependencyError
        The format needs an optional package.

    Examples
    --------
    >>> import tempfile, fastcnn as fc
    >>> path = tempfile.mkdtemp() + "/model.fastcnn"
    >>> fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(2, 3, name="conv")]).save(path)
    >>> report = inspect(path)
    >>> report.format, [tensor.name for tensor in report.tensors], report.model.layers
    ('fastcnn', ['conv/bias', 'conv/kernel'], {'Conv2D': 1})
    """
    form = format_of(path)
    tensors = []
    if form.weights:
        arrays = form.load_weights(path)
        tensors = [TensorEntry(n, a.dtype.name, a.shape, a.nbytes) for n, a in arrays.items()]
    graph, problem = None, None
    if form.model:
        try:
            model = form.load_model(path)
            graph = _graph(model)
            if not form.weights:
                tensors = [
                    TensorEntry(v.path, v.dtype, tuple(v.shape), 4 * v.size) for v in model.weights
                ]
        except MissingDependencyError:
            raise
        except FastcnnError as error:
            if not tensors:
                raise
            problem = str(error)
    return Inspection(os.fspath(path), form.name, _size(path), tensors, graph, problem)


def _size(path: StrPath) -> int:
    if os.path.isdir(path):
        return sum(file.stat().st_size for file in Path(path).iterdir() if file.is_file())
    return os.stat(path).st_size


def _graph(model: Any) -> GraphEntry:
    from fastcnn.layers.core import InputLayer
    from fastcnn.layers.op_layer import OpLayer

    layers = [layer for layer in model.layers if not isinstance(layer, InputLayer)]
    kinds = Counter(
        layer.function if isinstance(layer, OpLayer) else type(layer).__name__ for layer in layers
    )

    def shapes(tensors: Any) -> dict[str, tuple[int | None, ...]]:
        return {x.node.layer.name: tuple(x.shape) for x in _tree.flatten(tensors)}

    return GraphEntry(
        model.name,
        shapes(model.inputs),
        shapes(model.outputs),
        dict(kinds.most_common()),
        model.count_params(),
    )


def _describe(graph: GraphEntry) -> list[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in graph.layers.items())
    lines = [f'Model "{graph.name}", {graph.parameters:,} parameters']
    for role, shapes in (("Input", graph.inputs), ("Output", graph.outputs)):
        lines += [f"  {role:<7} {name}: {shape}" for name, shape in shapes.items()]
    return [*lines, f"  Layers  {kinds}"]
