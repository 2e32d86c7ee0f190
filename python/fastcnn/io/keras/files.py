"""The three containers that Keras writes, as a configuration and layers with weights."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FastcnnError, FileFormatError, MissingWeightsError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.io._hdf5_reader import MAGIC, Hdf5Reader, Node

_ZIP_MAGIC = b"PK\x03\x04"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MOST_JSON = 2**26
_MOST_INFLATED = 64  # bytes of an entry for each byte of the archive, at most

# Groups of Keras 3 that stand for no layer but for where layers are kept.
_CONTAINERS = {"layers", "_layer_checkpoint_dependencies", "vars"}
# What is no weight of a model.
_STATE = {"optimizer", "optimizer_weights", "seed_generator"}


@dataclass(eq=False)
class FileLayer:
    """The weights of one layer.

    Attributes
    ----------
    path : tuple of str
        The names of the models around it, the outermost left out, and its own.
    keys : tuple of str
        What Keras 3 calls it in the file; empty in older files.
    names : list of str
        Of the weights: ``"kernel"``, or their number in Keras 3's files of weights.
    arrays : list of array
    """

    path: tuple[str, ...]
    keys: tuple[str, ...]
    names: list[str]
    arrays: list[NDArray[Any]]


def is_keras_file(path: StrPath) -> bool:
    """Tell whether a file begins like HDF5, or is an archive that Keras wrote."""
    with open_binary(path, missing=MissingWeightsError) as file:
        head = file.read(len(MAGIC))
        if head == MAGIC:
            return True
        if not head.startswith(_ZIP_MAGIC):
            return False
        with _archive_faults(), zipfile.ZipFile(file) as archive:
            return _CONFIG in archive.namelist()


class KerasFile:
    """An open file.

    Parameters
    ----------
    reader : Hdf5Reader
        The weights.
    text : str or None
        The configuration in JSON, where it does not lie beside the weights.
    """

    def __init__(self, reader: Hdf5Reader, text: str | None = None) -> None:
        self._reader = reader
        self._text = text

    def config(self) -> dict[str, Any] | None:
        """Give the configuration of the model; None in a file of weights."""
        text = self._text
        if text is None:
            text = self._reader.root.attributes.get("model_config")
        if text is None:
            return None
        if not isinstance(text, str) or len(text) > _MOST_JSON:
            raise FileFormatError(f"expected a configuration of at most {_MOST_JSON} characters")
        try:
            config = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FileFormatError(f"expected a configuration in JSON: {error}") from error
        if not isinstance(config, dict):
            raise FileFormatError(f"expected a configuration, got {text[:80]!r}")
        return config

    def layers(self) -> list[FileLayer]:
        """Read the layers that have weights, in the file's order."""
        root = self._reader.root
        group = root.children.get("model_weights", root)
        names = _names(group, "layer_names")
        found = self._keras2(group, names) if names is not None else self._keras3(root)
        return [layer for layer in found if layer.arrays]

    def _keras2(self, group: Node, names: list[str]) -> Iterator[FileLayer]:
        """Read what Keras 2 wrote, and Keras 3 does under the suffix .h5."""
        for name in [*names, "top_level_model_weights"]:
            layer = _find(group, name)
            if layer is None:
                if name in names:
                    raise FileFormatError(f"there is no layer {name!r}, which the file lists")
                continue
            parts: dict[tuple[str, ...], FileLayer] = {}
            for weight in _names(layer, "weight_names") or []:
                node = _find(layer, weight)
                if node is None or not node.is_array:
                    raise FileFormatError(f"there is no weight {weight!r} in the layer {name!r}")
                *inner, leaf = weight.split("/")
                path = (name, *[part for part in inner if part != name])
                part = parts.setdefault(path, FileLayer(path, (), [], []))
                part.names.append(_leaf(leaf))
                part.arrays.append(self._reader.read(node))
            yield from parts.values()

    def _keras3(self, root: Node) -> Iterator[FileLayer]:
        """Read what Keras 3 writes: groups for layers, in them a group of numbered weights."""

        def visit(node: Node, path: tuple[str, ...], keys: tuple[str, ...]) -> Iterator[FileLayer]:
            weights = node.children.get("vars")
            if weights is not None and keys:
                name = weights.attributes.get("name")
                path = (*path, name if isinstance(name, str) and name else keys[-1])
            if weights is not None:
                numbers = sorted(
                    (n for n, w in weights.children.items() if w.is_array and _is_number(n)),
                    key=int,
                )
                arrays = [self._reader.read(weights.children[n]) for n in numbers]
                if arrays and keys:
                    yield FileLayer(path, keys, numbers, arrays)
            for key, child in node.children.items():
                if key in _STATE or child is weights:
                    continue
                yield from visit(child, path, keys if key in _CONTAINERS else (*keys, key))

        if not any(node.path.rpartition("/")[2] == "vars" for node in root.walk()):
            raise FileFormatError("expected weights as Keras writes them")
        yield from visit(root, (), ())


@contextmanager
def opened(path: StrPath) -> Iterator[KerasFile]:
    """Open a file of Keras; errors name it."""
    with naming(path), open_binary(path, missing=MissingWeightsError) as file:
        head = file.read(len(MAGIC))
        if head == MAGIC:
            yield KerasFile(Hdf5Reader(file))
        elif head.startswith(_ZIP_MAGIC):
            yield _archive(file)
        else:
            raise FileFormatError(f"expected a file that Keras wrote, got {head!r}...")


def _archive(file: BinaryIO) -> KerasFile:
    size = file.seek(0, os.SEEK_END)
    limit = _MOST_INFLATED * size + 2**16
    with _archive_faults(), zipfile.ZipFile(file) as archive:
        text = _entry(archive, _CONFIG, min(limit, _MOST_JSON)).decode("utf-8")
        weights = _entry(archive, _WEIGHTS, limit)
    return KerasFile(Hdf5Reader(BytesIO(weights)), text)


@contextmanager
def _archive_faults() -> Iterator[None]:
    """Report whatever the zip reader raises on damaged archives as one kind of error."""
    try:
        yield
    except FastcnnError:
        raise
    except Exception as error:
        raise FileFormatError(f"expected an archive that Keras wrote: {error}") from error


def _entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if name not in archive.namelist():
        raise FileFormatError(f"expected an archive with {name!r}")
    with archive.open(name) as entry:
        data = entry.read(limit + 1)
    if len(data) > limit:
        raise FileFormatError(f"{name!r} is larger than {limit} bytes")
    return data


def _names(group: Node, attribute: str) -> list[str] | None:
    """Give a list of names; Keras 2 cuts long ones into numbered attributes."""
    found = group.attributes.get(attribute)
    if found is None:
        if f"{attribute}0" not in group.attributes:
            return None
        found = []
        while (part := group.attributes.get(f"{attribute}{len(found)}")) is not None:
            found.append(part)
        found = [name for part in found if isinstance(part, list) for name in part]
    # An empty list is stored as one of numbers.
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        return []
    return found


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 9


def _find(group: Node, path: str) -> Node | None:
    if path in group.children:
        return group.children[path]
    node: Node | None = group
    for part in path.split("/"):
        node = node.children.get(part) if node is not None else None
    return node


# Of Keras 1 and of the files of its applications: "block1_conv1_W_1:0", "bn_conv1_running_std:0".
_OLD_LEAVES = {
    "W": "kernel",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}
_OLD_LEAF = re.compile(rf".*_({'|'.join(_OLD_LEAVES)})(_\d+)?")


def _leaf(name: str) -> str:
    """Give the name of a weight without what names the layer and the tensor.

    Examples
    --------
    >>> _leaf("kernel:0"), _leaf("block1_conv1_W_1:0")
    ('kernel', 'kernel')
    """
    name = name.partition(":")[0]
    match = _OLD_LEAF.fullmatch(name)
    return _OLD_LEAVES[match[1]] if match else name


def load_keras_weights(path: StrPath) -> dict[str, NDArray[Any]]:
    """Read the arrays of a file of Keras, under the names of layers and weights."""
    with opened(path) as file:
        return {
            "/".join((*layer.path, name)): np.asarray(array)
            for layer in file.layers()
            for name, array in zip(layer.names, layer.arrays, strict=True)
        }
