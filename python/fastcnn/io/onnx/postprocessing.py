"""What a graph does with results whose number the data decide: after the model has run.

How many boxes NonMaxSuppression keeps is known only when they are. It, and the nodes that read what
it gives, are kept as a graph of their own; `PostprocessedModel.predict` applies their translators
to arrays.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree
from fastcnn.errors import FileFormatError
from fastcnn.functional import from_config
from fastcnn.io.onnx import reading
from fastcnn.model import Model

# Operators that give as many elements as the data have.
LATE = {"NonMaxSuppression"}

Order = Sequence[int]


class PostprocessedModel(Model):
    """A model whose `predict` ends with the part of an ONNX graph that runs on its results.

    Called as a layer, or in training, it is an ordinary model: it gives what that part reads.

    Parameters
    ----------
    inputs, outputs
        As of `Model`; the outputs are a list.
    steps : str
        The rest of the graph: a ModelProto in base64.
    reads : list of (str, list of int)
        For each output: the name that the rest of the graph has for it, or "", and the order of
        ONNX's axes in which it is stored.
    gives : list of (str, int)
        For each result of `predict`: its name in the rest of the graph, or "" and the output that
        it is.

    Examples
    --------
    >>> import fastcnn as fc
    >>> issubclass(PostprocessedModel, fc.Model)
    True
    """

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        trainable: bool = True,
        precision: str | None = None,
        *,
        steps: str,
        reads: Sequence[tuple[str, Order]],
        gives: Sequence[tuple[str, int]],
    ) -> None:
        super().__init__(inputs, outputs, name, trainable, precision)
        self.steps = steps
        self.reads = [(str(name), [int(axis) for axis in order]) for name, order in reads]
        self.gives = [(str(name), int(index)) for name, index in gives]
        try:
            data = base64.b64decode(steps, validate=True)
        except (binascii.Error, ValueError) as error:
            raise FileFormatError(f"expected the end of a graph in base64: {error}") from error
        self._proto = reading.parse_model(data)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
    ) -> Any:
        """Compute the outputs of the graph, as `Model.predict` does.

        Returns
        -------
        array, or list of arrays
            What the end of the graph gives has ONNX's own order of axes.
        """
        return self._finish(_tree.flatten(super().predict(x, batch_size, verbose, steps)))

    def predict_on_batch(self, x: Any) -> Any:
        """Compute the outputs of the graph for one batch."""
        return self._finish(_tree.flatten(self(x)))

    def _finish(self, outputs: Sequence[NDArray[Any]]) -> Any:
        read = {
            name: y.transpose(np.argsort(order)) if order else y
            for (name, order), y in zip(self.reads, outputs, strict=True)
            if name
        }
        found = run_on_arrays(self._proto, read)
        results = [found[name] if name else outputs[index] for name, index in self.gives]
        return results[0] if len(results) == 1 else results

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal model, without its weights."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "precision": self.precision,
            "steps": self.steps,
            "reads": [list(pair) for pair in self.reads],
            "gives": [list(pair) for pair in self.gives],
            **self._functional().get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a model from what `get_config` returned."""
        inputs, outputs = from_config(config)
        return cls(
            inputs, outputs, config["name"], config["trainable"], config["precision"],
            steps=config["steps"], reads=config["reads"], gives=config["gives"],
        )  # fmt: skip


def run_on_arrays(proto: Any, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Compute a graph's outputs where all of its inputs are known."""
    from fastcnn.io.onnx.importer import Importer

    _, values = Importer(proto, constants=arrays).trace()
    names = [info.name for info in proto.graph.output]
    found = {name: v.constant for name, v in zip(names, values, strict=True) if v is not None}
    return {name: array for name, array in found.items() if array is not None}


def graph_of(
    nodes: Sequence[Any], tensors: Mapping[str, NDArray[Any]], outputs: Sequence[str], opset: int
) -> str:
    """Make a graph of some nodes; give it in base64.

    Parameters
    ----------
    nodes : sequence of onnx.NodeProto
    tensors : mapping of str to array
        What they read that is known.
    outputs : sequence of str
    opset : int
    """
    onnx = reading.onnx()
    graph = onnx.helper.make_graph(
        list(nodes),
        "postprocessing",
        [],
        [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(a, order="C"), n) for n, a in tensors.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    return base64.b64encode(model.SerializeToString()).decode("ascii")
