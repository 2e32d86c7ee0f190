"""TensorFlow.js: a description in JSON, and weights in shards beside it, often quantised."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import serialization
from fastcnn.errors import (
    FastcnnError,
    FileFormatError,
    MissingWeightsError,
    UnsupportedError,
)
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.io.tensorflow.graphs import Graph
from fastcnn.io.tensorflow.messages import graph_from_json
from fastcnn.io.tensorflow.operators import HANDLERS
from fastcnn.model import Model

Array = NDArray[Any]

_MAX_JSON = 2**26

_DTYPES: dict[str, Any] = {
    "bool": np.bool_, "float16": np.float16, "float32": np.float32, "int32": np.int32,
    "uint8": np.uint8, "uint16": np.uint16,
}  # fmt: skip


def load_tfjs(
    path: StrPath,
    *,
    outputs: Any = None,
    input_shape: Any = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Make a model of what TensorFlow.js loads.

    Parameters
    ----------
    path : str or os.PathLike
        ``model.json``, a layers model or a graph model. The shards of weights lie beside it.
    outputs, input_shape : optional
        Of a graph model, as in `load_graphdef`; those that its signature names unless given.
    custom_objects : mapping of str to class or function, optional
        Of a layers model, as in `load_keras`.

    Returns
    -------
    Model
        With layers named as in the file. Quantised weights are made float32.

    Raises
    ------
    MissingWeightsError
        The file, or a shard of its weights, does not exist.
    FileFormatError
        It is damaged, or holds weights alone: `load_weights_file` reads those.
    UnsupportedError
        A layer or an operator has no counterpart here; the message names it.
    MissingDependencyError
        The package ``protobuf`` is not installed, and it is a graph model.

    Examples
    --------
    >>> model = load_tfjs("model.json")  # doctest: +SKIP
    """
    description = _read_json(path)
    topology = description.get("modelTopology") if isinstance(description, dict) else None
    with naming(path):
        if not isinstance(topology, dict):
            raise FileFormatError(
                "expected a model, this file has weights alone; read them with load_weights_file"
            )
    arrays = _weights(path, description)
    with naming(path):
        if "node" in topology:
            return _graph_model(path, description, topology, arrays, outputs, input_shape)
        return _layers_model(topology, arrays, custom_objects)


def load_tfjs_weights(path: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read the weights that a ``model.json`` or a manifest of weights names.

    Raises
    ------
    MissingWeightsError, FileFormatError, UnsupportedError
        As `load_tfjs`.
    """
    return _weights(path, _read_json(path))


# ---- reading -------------------------------------------------------------------------------------


def _read_json(path: StrPath) -> Any:
    with open_binary(path, missing=MissingWeightsError) as file, naming(path):
        if os.fstat(file.fileno()).st_size > _MAX_JSON:
            raise FileFormatError(f"expected at most {_MAX_JSON} bytes of JSON")
        try:
            return json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise FileFormatError(f"expected a description in JSON: {error}") from error


def _weights(path: StrPath, description: Any) -> dict[str, Array]:
    with naming(path):
        manifest = (
            description.get("weightsManifest") if isinstance(description, dict) else description
        )
        if not isinstance(manifest, list) or not all(isinstance(group, dict) for group in manifest):
            raise FileFormatError("expected a weightsManifest, a list of groups of weights")
        groups = []
        for group in manifest:
            paths, weights = group.get("paths"), group.get("weights")
            if not isinstance(paths, list) or not isinstance(weights, list):
                raise FileFormatError("expected paths and weights of each group")
            groups.append(([_beside(path, name) for name in paths], weights))
    arrays: dict[str, Array] = {}
    for files, weights in groups:
        parts = []
        for shard in files:
            with open_binary(shard, missing=MissingWeightsError) as file:
                parts.append(file.read())
        with naming(path):
            _cut(b"".join(parts), weights, arrays)
    return arrays


def _beside(path: StrPath, name: Any) -> Path:
    """Find a shard, in the folder of the description or below it and nowhere else."""
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    if not parts or "\\" in name or "\0" in name or parts[0] == "/" or ".." in parts:
        raise FileFormatError(f"expected the name of a file beside this one, got {name!r}")
    return Path(os.fspath(path)).parent.joinpath(*parts)


def _cut(data: bytes, weights: list[Any], arrays: dict[str, Array]) -> None:
    """Cut the bytes of a group into its weights."""
    start = 0
    for entry in weights:
        name, shape, dtype, quantization = _described(entry)
        if name in arrays:
            raise FileFormatError(f"two weights have the name {name!r}")
        stored = np.dtype(_DTYPES[quantization.get("dtype", dtype)]).newbyteorder("<")
        end = start + math.prod(shape) * stored.itemsize
        if end > len(data):
            raise FileFormatError(f"{name!r}: cut off, {end - len(data)} bytes are missing")
        array = np.frombuffer(data[start:end], stored)
        if stored.kind == "u" and quantization:
            scale, low = quantization["scale"], quantization["min"]
            array = array.astype(np.float32) * np.float32(scale) + np.float32(low)
        wanted: Any = np.float32 if dtype == "float16" else _DTYPES[dtype]
        if dtype == "int32" and array.dtype.kind == "f":
            array = np.rint(array)
        with np.errstate(invalid="ignore"):
            arrays[name] = array.astype(wanted).reshape(shape)
        start = end
    if start != len(data):
        raise FileFormatError(f"expected {start} bytes of weights, got {len(data)}")


def _described(entry: Any) -> tuple[str, list[int], str, dict[str, Any]]:
    if not isinstance(entry, dict):
        raise FileFormatError(f"expected a weight's description, got {str(entry)[:100]}")
    name, shape, dtype = entry.get("name"), entry.get("shape"), entry.get("dtype")
    quantization = entry.get("quantization") or {}
    if not isinstance(name, str) or not isinstance(shape, list) or len(shape) > 16:
        raise FileFormatError(f"expected name and shape of a weight, got {str(entry)[:100]}")
    if not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise FileFormatError(f"{name!r}: expected a shape, got {str(shape)[:100]}")
    if not isinstance(quantization, dict):
        raise FileFormatError(f"{name!r}: expected the description of a quantization")
    for kind in (dtype, quantization.get("dtype", dtype)):
        if not isinstance(kind, str) or kind not in _DTYPES:
            raise UnsupportedError(f"{name!r}: weights of dtype {kind!r} are not read")
    if quantization and quantization.get("dtype") in ("uint8", "uint16"):
        for key in ("scale", "min"):
            value: Any = quantization.get(key)
            if type(value) not in (int, float) or not abs(value) < 3e38:
                raise FileFormatError(f"{name!r}: {key}: expected a number, got {value!r}")
    elif quantization and quantization.get("dtype") != "float16":
        raise UnsupportedError(f"{name!r}: quantization to {quantization.get('dtype')!r}")
    return name, shape, str(dtype), quantization


# ---- models --------------------------------------------------------------------------------------


def _graph_model(
    path: StrPath,
    description: dict[str, Any],
    topology: dict[str, Any],
    arrays: dict[str, Array],
    outputs: Any,
    input_shape: Any,
) -> Model:
    graph = graph_from_json({"node": topology["node"]})
    signature = description.get("signature")
    named = signature.get("outputs") if isinstance(signature, dict) else None
    if outputs is None and isinstance(named, dict):
        found = [entry.get("name") for entry in named.values() if isinstance(entry, dict)]
        outputs = [name for name in found if isinstance(name, str)] or None
    if isinstance(outputs, str):
        outputs = [outputs]
    size = sum(array.nbytes for array in arrays.values())
    try:
        return Graph(
            graph,
            HANDLERS,
            size=size,
            outputs=outputs,
            input_shape=input_shape,
            constants=arrays,
        ).model(Path(os.fspath(path)).parent.name or "model")
    except (FileFormatError, UnsupportedError):
        raise
    except FastcnnError as error:  # the signature names what there is not
        raise FileFormatError(str(error)) from error


def _layers_model(topology: dict[str, Any], arrays: dict[str, Array], custom_objects: Any) -> Any:
    from fastcnn.io.keras.configs import model_from
    from fastcnn.io.keras.files import FileLayer
    from fastcnn.io.keras.matching import assign

    config = topology.get("model_config", topology)
    if not isinstance(config, dict):
        raise FileFormatError("expected the configuration of a model")
    layers: dict[tuple[str, ...], FileLayer] = {}
    for name, array in arrays.items():
        *owner, leaf = name.split("/")
        if not owner:
            raise FileFormatError(f"expected the name of a layer and a weight, got {name!r}")
        key = tuple(owner[-1:])  # converters write the names of models around it, or do not
        layer = layers.setdefault(key, FileLayer(key, (), [], []))
        layer.names.append(leaf.partition(":")[0])
        layer.arrays.append(array)
    try:
        with (
            serialization.custom_object_scope(custom_objects),
            serialization.weights_follow(sum(array.size for array in arrays.values())),
        ):
            model = model_from(config)
    except (FileFormatError, UnsupportedError):
        raise
    except (
        FastcnnError, RecursionError, TypeError, ValueError, KeyError, IndexError,
        AttributeError, OverflowError,
    ) as error:  # fmt: skip
        raise FileFormatError(f"its configuration does not fit: {error}") from error
    assign(model, list(layers.values()), "its weights")
    return model
