"""Reading .onnx files: the message, its tensors, and what must hold before anything is made."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import FileFormatError, UnsupportedError
from fastcnn.io._files import StrPath, naming, open_binary

OLDEST_OPSET = 7
_MOST_NODES = 200_000
_MOST_AXES = 32
_LONGEST_AXIS = 2**40
_INLINE_FIELDS = {  # where TensorProto keeps elements that are not in raw_data
    "float_data",
    "int32_data",
    "int64_data",
    "double_data",
    "uint64_data",
    "string_data",
}


def onnx() -> Any:
    """Import the onnx package."""
    return import_optional("onnx", extra="onnx")


def read_model(path: StrPath) -> Any:
    """Read a file's ModelProto and check what concerns all of it.

    Parameters
    ----------
    path : str or os.PathLike

    Raises
    ------
    MissingFileError, FileAccessError
        It cannot be read.
    FileFormatError
        It is not ONNX, or damaged.
    UnsupportedError
        Its operator set is older or newer than those known.
    """
    with open_binary(path) as file:
        return parse_model(file.read())


def parse_model(data: bytes) -> Any:
    """Make a ModelProto of bytes, as `read_model` does."""
    package = onnx()
    decode_error: Any = import_optional("google.protobuf.message", extra="onnx").DecodeError
    try:
        model = package.ModelProto.FromString(data)
    except (decode_error, ValueError, RecursionError) as error:
        raise FileFormatError(f"expected an ONNX model: {error}") from error
    if not model.HasField("graph") or not model.opset_import:
        raise FileFormatError("expected an ONNX model, got no graph or no operator set")
    if len(model.graph.node) > _MOST_NODES:
        raise FileFormatError(f"expected at most {_MOST_NODES} nodes")
    _check_names(model.graph)
    opset = opset_of(model)
    newest = package.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise UnsupportedError(f"expected opset {OLDEST_OPSET} to {newest}, got {opset}")
    return model


def _check_names(graph: Any) -> None:
    """Refuse names that are no text: protobuf gives bytes for what is not UTF-8."""
    graphs = [graph]
    while graphs:
        one = graphs.pop()
        names = [one.name]
        for info in (*one.input, *one.output, *one.initializer):
            names.append(info.name)
        for info in one.input:
            names += [dim.dim_param for dim in info.type.tensor_type.shape.dim]
        for node in one.node:
            names += [node.name, node.op_type, node.domain, *node.input, *node.output]
            for attribute in node.attribute:
                names.append(attribute.name)
                if attribute.HasField("g"):
                    graphs.append(attribute.g)
        for tensor in one.initializer:
            names += [text for item in tensor.external_data for text in (item.key, item.value)]
        if not all(isinstance(name, str) for name in names):
            raise FileFormatError("expected names in UTF-8")


def opset_of(model: Any) -> int:
    """Tell which version of ONNX's own operators a model uses."""
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    return int(max(versions, default=0))


def tensor_array(tensor: Any, folder: str | None = None) -> NDArray[Any]:
    """Read a TensorProto; in memory it is no larger than in the file.

    Parameters
    ----------
    tensor : onnx.TensorProto
    folder : str, optional
        Where files of external data lie. None: there may be none.

    Raises
    ------
    FileFormatError
        Its sizes do not fit its data, or a file of data is outside the folder or too short.
    UnsupportedError
        Its elements are no numbers.
    """
    package = onnx()
    with naming(f"tensor {tensor.name!r}"):
        shape = tuple(tensor.dims)
        if len(shape) > _MOST_AXES or any(not 0 <= n <= _LONGEST_AXIS for n in shape):
            raise FileFormatError(f"expected a possible shape, got {shape[:_MOST_AXES]}")
        count = math.prod(shape)
        try:
            dtype = package.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        except (KeyError, TypeError, ValueError) as error:
            raise FileFormatError(f"unknown type {tensor.data_type}") from error
        if tensor.data_type == package.TensorProto.STRING:
            raise UnsupportedError(f"tensor {tensor.name!r}: expected numbers, got strings")
        if tensor.data_location == package.TensorProto.EXTERNAL:
            return _external(tensor, np.dtype(dtype), shape, folder)
        packed = package.TensorProto.DataType.Name(tensor.data_type).endswith(
            ("INT4", "INT2", "E2M1")
        )
        if tensor.HasField("raw_data"):
            held = len(tensor.raw_data)
            wanted = held if packed else count * np.dtype(dtype).itemsize
        else:
            held = max(len(getattr(tensor, name)) for name in _INLINE_FIELDS)
            wanted = held if packed else count * (2 if np.dtype(dtype).kind == "c" else 1)
        if held != wanted or (packed and count > 8 * held):
            raise FileFormatError(f"expected {count} elements for shape {shape}, got other data")
        try:
            array = np.asarray(package.numpy_helper.to_array(tensor))
        except Exception as error:  # the package raises what its many paths happen to
            raise FileFormatError(f"unreadable: {error}") from error
        if array.shape != shape:
            raise FileFormatError(f"expected shape {shape}, got {array.shape}")
        return usual(array)


# Integers that a model does not compute with, and those that hold their numbers.
WIDER = {"int16": "int32", "uint16": "int32", "uint32": "int64", "uint64": "int64"}


def usual(array: NDArray[Any]) -> NDArray[Any]:
    """Types that a model has: small floats become float32, small integers int8, others wider."""
    if array.dtype.name in WIDER:
        return array.astype(WIDER[array.dtype.name])
    if array.dtype.kind in "biuf" and array.dtype != np.float16:
        return array
    name = array.dtype.name
    if name == "uint4" or name == "uint2":
        return array.astype(np.uint8)
    if name in ("int4", "int2"):
        return array.astype(np.int8)
    if array.dtype.kind == "c":
        raise UnsupportedError(f"expected real numbers, got {name}")
    return array.astype(np.float32)


def _external(
    tensor: Any, dtype: np.dtype[Any], shape: tuple[int, ...], folder: str | None
) -> NDArray[Any]:
    entries = {item.key: item.value for item in tensor.external_data}
    location = entries.get("location", "")
    try:
        offset = int(entries.get("offset", "0") or 0)
        length = int(entries["length"]) if entries.get("length") else None
    except ValueError as error:
        raise FileFormatError(f"external data: {error}") from error
    path = _inside(folder, location)
    wanted = math.prod(shape) * dtype.itemsize
    with open_binary(path) as file:
        held = os.fstat(file.fileno()).st_size
        if offset < 0 or length not in (None, wanted) or offset + wanted > held:
            raise FileFormatError(
                f"external data {location!r}: expected {wanted} bytes at {offset}, got a file of "
                f"{held} and length {length}"
            )
        file.seek(offset)
        data = file.read(wanted)
    return usual(np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape).astype(dtype))


def _inside(folder: str | None, location: str) -> str:
    """Give the path of a file of external data, which must lie in the model's folder or below."""
    if folder is None or not location or "\0" in location:
        raise FileFormatError("expected its data in the file")
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, location))
    if os.path.isabs(location) or os.path.commonpath([root, path]) != root:
        raise FileFormatError(f"external data {location!r} lies outside the model's folder")
    return path


def external_bytes(graph: Any, folder: str | None) -> int:
    """Tell how many bytes the files of external data hold that a graph refers to."""
    files = set()
    for tensor in graph.initializer:
        for item in tensor.external_data:
            if item.key == "location":
                with suppress(FileFormatError):
                    files.add(_inside(folder, item.value))
    return sum(os.path.getsize(path) for path in files if os.path.isfile(path))


def attribute_value(attribute: Any, folder: str | None = None) -> Any:
    """Give an attribute as a number, text, array, list of these, or GraphProto."""
    kinds = onnx().AttributeProto
    kind = attribute.type
    if kind == kinds.FLOAT:
        return float(attribute.f)
    if kind == kinds.INT:
        return int(attribute.i)
    if kind == kinds.STRING:
        return attribute.s.decode("utf-8", "replace")
    if kind == kinds.TENSOR:
        return tensor_array(attribute.t, folder)
    if kind == kinds.GRAPH:
        return attribute.g
    if kind == kinds.FLOATS:
        return [float(x) for x in attribute.floats]
    if kind == kinds.INTS:
        return [int(x) for x in attribute.ints]
    if kind == kinds.STRINGS:
        return [x.decode("utf-8", "replace") for x in attribute.strings]
    raise UnsupportedError(f"attribute {attribute.name!r} of type {kind}")
