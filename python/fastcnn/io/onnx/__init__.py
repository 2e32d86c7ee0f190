"""ONNX files as models.

`load_onnx` reads the file (`reading`), walks its graph (`importer`) and asks the table of operators
(`operators.OPERATORS`) for a translator of each node; `values` keeps track of how tensors are
stored, and `patterns` finds groups of nodes that are one function here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastcnn.io._files import StrPath, naming
from fastcnn.io.onnx.importer import import_model
from fastcnn.model import Model


def load_onnx(
    path: StrPath, input_shapes: Mapping[str, Sequence[int | None]] | None = None
) -> Model:
    """Make a model of an ONNX file.

    Parameters
    ----------
    path : str or os.PathLike
        Opset 7 or newer. Files of external data are read if they lie in the same folder or below.
    input_shapes : mapping of str to sequence of int or None, optional
        Shapes for inputs, in ONNX's order of axes, instead of those in the file. Unless given, a
        batch of 1 is taken for any batch wherever the graph computes each picture by itself.

    Returns
    -------
    Model
        A functional model of ordinary layers: it predicts, trains, quantises and saves. Pictures,
        (n, c, h, w) in ONNX, are (n, h, w, c), inputs and outputs among them; so are signals.

    Raises
    ------
    MissingFileError, FileAccessError
        The file cannot be read.
    FileFormatError
        It is damaged, or not ONNX.
    UnsupportedError
        It has an operator, or an option of one, that is not supported; the message names the node.
    MissingDependencyError
        The package onnx is not installed.
    """
    with naming(path):
        return import_model(path, input_shapes)[0]
