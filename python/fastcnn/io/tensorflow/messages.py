"""The messages of ``graph.proto``, as far as a frozen graph needs them, for the package protobuf.

They are described here rather than taken from TensorFlow, which need not be installed, and in a
pool of their own, so that they do not meet TensorFlow's where it is.
"""

from __future__ import annotations

import functools
from typing import Any

from fastcnn._optional import import_optional
from fastcnn.errors import FileFormatError

_PACKAGE = "fastcnn.tensorflow"

DTYPES = {
    "DT_FLOAT": 1, "DT_DOUBLE": 2, "DT_INT32": 3, "DT_UINT8": 4, "DT_INT16": 5, "DT_INT8": 6,
    "DT_STRING": 7, "DT_COMPLEX64": 8, "DT_INT64": 9, "DT_BOOL": 10, "DT_QINT8": 11,
    "DT_QUINT8": 12, "DT_QINT32": 13, "DT_BFLOAT16": 14, "DT_QINT16": 15, "DT_QUINT16": 16,
    "DT_UINT16": 17, "DT_COMPLEX128": 18, "DT_HALF": 19, "DT_RESOURCE": 20, "DT_VARIANT": 21,
    "DT_UINT32": 22, "DT_UINT64": 23,
}  # fmt: skip

# Of each message: name, number, type and whether it is repeated of its fields.
_MESSAGES: dict[str, list[tuple[str, int, str, bool]]] = {
    "Dim": [("size", 1, "int64", False), ("name", 2, "string", False)],
    "TensorShapeProto": [("dim", 2, "Dim", True), ("unknown_rank", 3, "bool", False)],
    "TensorProto": [
        ("dtype", 1, "DataType", False),
        ("tensor_shape", 2, "TensorShapeProto", False),
        ("tensor_content", 4, "bytes", False),
        ("float_val", 5, "float", True),
        ("double_val", 6, "double", True),
        ("int_val", 7, "int32", True),
        ("string_val", 8, "bytes", True),
        ("int64_val", 10, "int64", True),
        ("bool_val", 11, "bool", True),
        ("half_val", 13, "int32", True),
    ],
    "ListValue": [
        ("s", 2, "bytes", True),
        ("i", 3, "int64", True),
        ("f", 4, "float", True),
        ("b", 5, "bool", True),
        ("type", 6, "DataType", True),
        ("shape", 7, "TensorShapeProto", True),
    ],
    "AttrValue": [
        ("list", 1, "ListValue", False),
        ("s", 2, "bytes", False),
        ("i", 3, "int64", False),
        ("f", 4, "float", False),
        ("b", 5, "bool", False),
        ("type", 6, "DataType", False),
        ("shape", 7, "TensorShapeProto", False),
        ("tensor", 8, "TensorProto", False),
    ],
    "NodeDef": [
        ("name", 1, "string", False),
        ("op", 2, "string", False),
        ("input", 3, "string", True),
        ("attr", 5, "NodeDef.AttrEntry", True),
    ],
    "GraphDef": [("node", 1, "NodeDef", True)],
}


def parse_graph(data: bytes) -> Any:
    """Read a serialised GraphDef.

    Raises
    ------
    FileFormatError
        It is none.
    MissingDependencyError
        The package ``protobuf`` is not installed.
    """
    graph = _graph_class()()
    try:
        graph.ParseFromString(data)
    except import_optional("google.protobuf.message", extra="tensorflow").DecodeError as error:
        raise FileFormatError(f"expected a graph of TensorFlow: {error}") from error
    return graph


def graph_from_json(value: Any) -> Any:
    """Make a GraphDef of what JSON says.

    Raises
    ------
    FileFormatError
        It is none.
    MissingDependencyError
        The package ``protobuf`` is not installed.
    """
    json_format = import_optional("google.protobuf.json_format", extra="tensorflow")
    graph = _graph_class()()
    try:
        json_format.ParseDict(value, graph, ignore_unknown_fields=True)
    except (json_format.Error, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FileFormatError(f"expected a graph of TensorFlow in JSON: {error}") from error
    return graph


@functools.cache
def _graph_class() -> Any:
    descriptor_pb2, descriptor_pool, message_factory = (
        import_optional(f"google.protobuf.{name}", extra="tensorflow")
        for name in ("descriptor_pb2", "descriptor_pool", "message_factory")
    )
    file = descriptor_pb2.FileDescriptorProto(
        name="fastcnn/tensorflow/graph.proto", package=_PACKAGE, syntax="proto3"
    )
    types = file.enum_type.add(name="DataType")
    types.value.add(name="DT_INVALID", number=0)
    for name, number in DTYPES.items():
        types.value.add(name=name, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field)
    node = next(message for message in file.message_type if message.name == "NodeDef")
    entry = node.nested_type.add(name="AttrEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", 1, "string", False)
    _add_field(entry, "value", 2, "AttrValue", False)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.GraphDef"))


def _add_field(message: Any, name: str, number: int, kind: str, repeated: bool) -> None:
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if kind[0].islower():
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    else:
        field.type = field.TYPE_ENUM if kind == "DataType" else field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
