"""Frozen graphs: a GraphDef whose variables have become constants (``.pb``)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError, MissingWeightsError, UnsupportedError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.io.tensorflow.constants import Budget, decode
from fastcnn.io.tensorflow.graphs import Graph
from fastcnn.io.tensorflow.messages import parse_graph
from fastcnn.io.tensorflow.operators import HANDLERS
from fastcnn.model import Model

_MAX_FILE = 2**31 - 1  # what protobuf reads


def load_graphdef(
    path: StrPath,
    inputs: str | Sequence[str] | None = None,
    outputs: str | Sequence[str] | None = None,
    *,
    input_shape: Any = None,
) -> Model:
    """Make a model of a frozen TensorFlow graph.

    Parameters
    ----------
    path : str or os.PathLike
        A serialised GraphDef without variables.
    inputs : str or sequence of str, optional
        Nodes to feed: the Placeholders unless given. One inside the graph cuts off what is before.
    outputs : str or sequence of str, optional
        Nodes whose results the model gives: those that nothing reads unless given.
    input_shape : tuple, or dict of node name to tuple, optional
        (height, width, channels) of the input where the graph leaves it open.

    Returns
    -------
    Model
        With layers named after the nodes, slashes as underscores; a bias belongs to the layer
        before it, and a batch normalisation that is written out as arithmetic is a layer, too.
        The batch is open whatever size the graph was frozen for. Placeholders of a truth value,
        which ask whether the network is in training, are False.

    Raises
    ------
    MissingWeightsError
        There is no such file.
    FileFormatError
        It is damaged, or no graph.
    UnsupportedError
        An operator has no layer here; the message names operator and node.
    MissingDependencyError
        The package ``protobuf`` is not installed.

    Examples
    --------
    >>> facenet = load_graphdef("graph_final.pb")  # doctest: +SKIP
    >>> facenet.predict(faces).shape  # doctest: +SKIP
    (5, 512)
    """
    data = _read(path)
    with naming(path):
        graph = Graph(
            parse_graph(data),
            HANDLERS,
            size=len(data),
            inputs=[inputs] if isinstance(inputs, str) else inputs,
            outputs=[outputs] if isinstance(outputs, str) else outputs,
            input_shape=input_shape,
        )
        return graph.model(os.path.splitext(os.path.basename(os.fspath(path)))[0])


def load_graphdef_weights(path: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read the constants of a frozen graph, under the names of their nodes.

    Raises
    ------
    MissingWeightsError, FileFormatError, MissingDependencyError
        As `load_graphdef`.
    """
    data = _read(path)
    arrays: dict[str, NDArray[np.generic]] = {}
    with naming(path):
        budget = Budget(len(data))
        for node in parse_graph(data).node:
            if node.op == "Const":
                try:
                    arrays[node.name] = decode(node.attr["value"].tensor, budget)
                except UnsupportedError:  # texts
                    continue
                except ValueError as error:
                    raise FileFormatError(f"{node.name!r}: {error}") from error
        if not arrays:
            raise FileFormatError("expected a frozen graph of TensorFlow, it has no constants")
    return arrays


def _read(path: StrPath) -> bytes:
    with open_binary(path, missing=MissingWeightsError) as file:
        if os.fstat(file.fileno()).st_size > _MAX_FILE:
            raise FileFormatError(f"{os.fspath(path)}: expected at most {_MAX_FILE} bytes")
        return file.read()
