"""Writing models as ONNX files, the exchange format that other runtimes read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastcnn._optional import import_optional
from fastcnn.errors import ConfigError, FileAccessError, UnsupportedError
from fastcnn.io._files import StrPath
from fastcnn.io.atomic import atomic_write
from fastcnn.io.onnx_export.builder import DTYPES, FIRST, LAST, Builder
from fastcnn.io.onnx_export.operators import OPERATORS
from fastcnn.io.onnx_export.recording import record

if TYPE_CHECKING:
    from fastcnn.model import Model

__all__ = ["OPERATORS", "export_onnx"]

_FORMATS = {"channels_last": LAST, "channels_first": FIRST}
_OLDEST, _NEWEST = 13, 22
_MOST_BYTES = 2**31 - 2**20  # what a protobuf message can hold, and something for the nodes


def export_onnx(
    model: Model,
    path: StrPath,
    *,
    opset: int = 17,
    data_format: str = "channels_last",
) -> None:
    """Write a model as an ONNX file, whole or not at all.

    The model is written as it predicts: dropout and the like disappear. Sizes that are open in the
    model, such as the batch, are open in the file. Inside pictures are (n, c, h, w), for which
    other runtimes are made; weights are initialisers under the names that `Model.save` gives them.

    Parameters
    ----------
    model : Model
        Its outputs are made of functions of `fastcnn.ops`, in whatever layers.
    path : str or os.PathLike
    opset : int, default 17
        The version of ONNX's operators, 13 to 22.
    data_format : {"channels_last", "channels_first"}
        Whether pictures that enter and leave are (n, h, w, c), as everywhere here, or (n, c, h, w).

    Raises
    ------
    UnsupportedError
        ONNX has nothing for a function the model uses; the message names the layer.
    ConfigError
        The model has not been built, or an option has no meaning.
    FileAccessError
        The file cannot be written.
    MissingDependencyError
        The package ``onnx`` is not installed.

    Examples
    --------
    >>> import os, tempfile, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(4, 3)])
    >>> export_onnx(model, os.path.join(tempfile.mkdtemp(), "model.onnx"))  # doctest: +SKIP
    """
    if data_format not in _FORMATS:
        raise ConfigError(f"data_format: expected one of {sorted(_FORMATS)}, got {data_format!r}")
    if isinstance(opset, bool) or not isinstance(opset, int) or not _OLDEST <= opset <= _NEWEST:
        raise ConfigError(f"opset: expected {_OLDEST} to {_NEWEST}, got {opset!r}")
    onnx = import_optional("onnx", extra="onnx")
    if model._quantization is not None:
        raise UnsupportedError(
            f'"{model.name}" is quantised; export the float model it was made of'
        )
    recording = record(model)
    layout = _FORMATS[data_format]
    builder = Builder(onnx, opset, recording)
    inputs = [
        builder.begin(tensor, name, layout)
        for tensor, name in zip(recording.inputs, builder.input_names, strict=True)
    ]
    for step in recording.steps:
        builder.add(step, OPERATORS)
    outputs = [
        builder.end(tensor, name, layout)
        for tensor, name in zip(recording.outputs, builder.output_names, strict=True)
    ]
    proto = _finish(onnx, builder, model, inputs, outputs)
    with atomic_write(path) as partial:
        try:
            partial.write_bytes(proto.SerializeToString())
        except OSError as error:
            raise FileAccessError(f"{path}: cannot be written: {error}") from error


def _finish(onnx: Any, builder: Builder, model: Model, inputs: Any, outputs: Any) -> Any:
    """Join what was built to a model with inputs, outputs and notes."""
    helper = onnx.helper

    def describe(name: str, dtype: str, shape: Any) -> Any:
        dims = ["N" if n is None and axis == 0 else n for axis, n in enumerate(shape)]
        return helper.make_tensor_value_info(name, DTYPES[dtype], dims)

    size = sum(array.nbytes for array in builder.initializers.values())
    if size > _MOST_BYTES:
        raise UnsupportedError(
            f'"{model.name}": {size} bytes of weights, more than an ONNX file of one part can hold'
        )
    graph = helper.make_graph(
        builder.nodes,
        model.name,
        [describe(*given) for given in inputs],
        [describe(*given) for given in outputs],
        [onnx.numpy_helper.from_array(a, name) for name, a in builder.initializers.items()],
    )
    proto = helper.make_model(
        graph,
        producer_name="fastcnn",
        opset_imports=[helper.make_opsetid("", builder.opset)],
    )
    # Not newer than the operators ask for, so that older runtimes read it.
    proto.ir_version = min(proto.ir_version, helper.find_min_ir_version_for(proto.opset_import))
    if model.class_names is not None:
        helper.set_model_props(proto, {"class_names": json.dumps(list(model.class_names))})
    return proto
