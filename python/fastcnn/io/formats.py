"""The formats of files that are read, and how a file's format is found: by its content."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fastcnn.errors import FileFormatError, MissingWeightsError
from fastcnn.io._files import StrPath, naming, open_binary, path_of

_HEAD = 4096

_ZIP = b"PK\x03\x04"
_HDF5 = b"\x89HDF\r\n\x1a\n"
# What torch's older format begins with: a pickle of a number of ten bytes.
_TORCH = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"


class Format(NamedTuple):
    """A format of files.

    Attributes
    ----------
    name, title : str
        What commands and what people call it.
    weights, model : str
        The functions that read its arrays and its model, ``"module:function"``; "" for none.
    """

    name: str
    title: str
    weights: str = ""
    model: str = ""

    def load_weights(self, path: StrPath) -> dict[str, Any]:
        """Read the arrays of a file."""
        if not self.weights:
            raise FileFormatError(
                f"{os.fspath(path)}: the weights of {self.title} have no names; load its model"
            )
        arrays: dict[str, Any] = _function(self.weights)(path)
        return arrays

    def load_model(self, path: StrPath) -> Any:
        """Read the model in a file."""
        if not self.model:
            raise FileFormatError(f"{os.fspath(path)}: {self.title} holds weights and no model")
        return _function(self.model)(path)


FORMATS = {
    entry.name: entry
    for entry in (
        Format(
            "safetensors",
            "safetensors",
            "fastcnn.io.safetensors_files:load_safetensors",
        ),
        Format(
            "fastcnn",
            "a model of fastcnn",
            "fastcnn.io.safetensors_files:load_safetensors",
            "fastcnn.saving:load_model",
        ),
        Format("torch", "a file of torch.save", "fastcnn.io.torch_files:load_torch"),
        Format(
            "keras",
            "a file of Keras",
            "fastcnn.io.keras:load_keras_weights",
            "fastcnn.io.keras:load_keras",
        ),
        Format("onnx", "ONNX", "fastcnn.io.formats:load_onnx_weights", "fastcnn.io.onnx:load_onnx"),
        Format(
            "tensorflow",
            "a frozen graph of TensorFlow",
            "fastcnn.io.tensorflow.graphdef:load_graphdef_weights",
            "fastcnn.io.tensorflow.graphdef:load_graphdef",
        ),
        Format(
            "tfjs",
            "a model of TensorFlow.js",
            "fastcnn.io.tensorflow.tfjs:load_tfjs_weights",
            "fastcnn.io.tensorflow.tfjs:load_tfjs",
        ),
        Format("darknet", "a network of Darknet", "", "fastcnn.io.formats:load_darknet_pair"),
        Format(
            "dlib",
            "a network of dlib",
            "fastcnn.io.dlib_files:load_dlib_weights",
            "fastcnn.io.dlib_files:load_dlib",
        ),
        Format(
            "openface",
            "a folder of OpenFace's CSV files",
            "fastcnn.io.openface:load_openface_weights",
            "fastcnn.io.openface:load_openface",
        ),
    )
}


def format_of(path: StrPath) -> Format:
    """Find the format of a file, or of a folder.

    Raises
    ------
    MissingWeightsError
        There is nothing of that name.
    FileAccessError
        It cannot be read.
    FileFormatError
        Its format is not known.
    """
    path = path_of(path)
    if os.path.isdir(path):
        if Path(path, "conv1_w.csv").is_file():
            return FORMATS["openface"]
        raise MissingWeightsError(
            f"{path}: expected a regular file, or a folder of OpenFace; this folder has "
            "no file conv1_w.csv"
        )
    with open_binary(path, missing=MissingWeightsError) as file:
        head = file.read(_HEAD)
    for name, matches in _SIGNS:
        if matches(head, path):
            return FORMATS[name]
    raise FileFormatError(
        f"{path}: expected {', '.join(f.title for f in FORMATS.values())}; got {head[:8]!r}..."
    )


def load_darknet_pair(path: StrPath) -> Any:
    """Read a Darknet configuration or weights, with the other half beside it under the same name.

    A configuration may be alone.
    """
    from fastcnn.io.darknet import load_darknet

    base = Path(os.fspath(path))
    cfg, weights = base.with_suffix(".cfg"), base.with_suffix(".weights")
    if base.suffix == ".weights":
        return load_darknet(cfg, base)
    return load_darknet(base, weights if weights.is_file() else None)


def load_onnx_weights(path: StrPath) -> dict[str, Any]:
    """Read the initialisers of an ONNX file, under their names."""
    from fastcnn.io.onnx.reading import read_model, tensor_array

    with naming(path):
        tensors = read_model(path).graph.initializer
        folder = os.path.dirname(os.path.abspath(path))
        return {tensor.name: tensor_array(tensor, folder) for tensor in tensors}


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _is_fastcnn(head: bytes, path: StrPath) -> bool:
    from fastcnn.io.safetensors_files import load_safetensors_metadata

    return (
        _is_safetensors(head)
        and b'"__metadata__"' in head
        and load_safetensors_metadata(path).get("format") == "fastcnn.model"
    )


def _is_safetensors(head: bytes) -> bool:
    # The length of its header, then the header in JSON; as a number, letters would be huge.
    return head[8:9] == b"{" and head[7:8] == b"\0"


def _is_keras(head: bytes, path: StrPath) -> bool:
    from fastcnn.io.keras import is_keras_file

    return head.startswith(_HDF5) or (head.startswith(_ZIP) and is_keras_file(path))


def _is_json(head: bytes, path: StrPath) -> bool:
    text = head.lstrip()
    return text[:1] in (b"{", b"[") and not _is_cfg(head, path)


def _is_cfg(head: bytes, path: StrPath) -> bool:
    return re.search(rb"^\s*\[(net|network)\]", head, re.MULTILINE) is not None


def _is_darknet_weights(head: bytes, path: StrPath) -> bool:
    versions = [int.from_bytes(head[at : at + 4], "little") for at in (0, 4)]
    return os.fspath(path).endswith(".weights") and max(versions) < 1000


# In this order; formats without a sign of their own come last.
_SIGNS: tuple[tuple[str, Callable[[bytes, StrPath], bool]], ...] = (
    ("keras", _is_keras),
    ("torch", lambda head, path: head.startswith(_ZIP) or _TORCH in head[:64]),
    ("dlib", lambda head, path: head[:2] == b"\1\1" and head[4:9] == b"loss_"),
    ("fastcnn", _is_fastcnn),
    ("safetensors", lambda head, path: _is_safetensors(head)),
    ("darknet", lambda head, path: _is_cfg(head, path) or _is_darknet_weights(head, path)),
    ("tfjs", _is_json),
    # Protocol buffers: the version of a ModelProto, the first node of a GraphDef.
    ("onnx", lambda head, path: head[:1] == b"\x08"),
    ("tensorflow", lambda head, path: head[:1] == b"\x0a"),
)
