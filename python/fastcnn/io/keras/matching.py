"""Which weights of a file belong to which layer of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError, ShapeError
from fastcnn.io.keras.files import FileLayer
from fastcnn.layers.layer import Layer
from fastcnn.model import Model
from fastcnn.naming import to_snake_case
from fastcnn.variable import Variable

_ALIASES = {"depthwise_kernel": "kernel"}


@dataclass(eq=False)
class ModelLayer:
    """A layer of a model that has weights of its own.

    Attributes
    ----------
    path, keys : tuple of str
        As of `FileLayer`.
    weights : dict of str to Variable
        In Keras' order: those to be trained first.
    """

    path: tuple[str, ...]
    keys: tuple[str, ...]
    weights: dict[str, Variable]

    @property
    def name(self) -> str:
        """The names joined, for messages."""
        return "/".join(self.path)


def model_layers(model: Layer) -> list[ModelLayer]:
    """List the layers that have weights, in Keras' order."""
    found: list[ModelLayer] = []
    seen: set[int] = set()

    def visit(layer: Layer, path: tuple[str, ...], keys: tuple[str, ...]) -> None:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        own = sorted(layer._own_variables().items(), key=lambda item: not item[1].trainable)
        if own:
            found.append(ModelLayer(path, keys, dict(own)))
        for key, child in _children(layer):
            visit(child, (*path, child.name), (*keys, *key.split("/")))

    visit(model, (), ())
    return found


def _children(layer: Layer) -> list[tuple[str, Layer]]:
    """Give the layers inside with Keras 3's keys: of models, their classes, numbered."""
    if not isinstance(layer, Model) or not (layer._graph or hasattr(layer, "_stack")):
        return list(layer._children().items())
    counts: Counter[str] = Counter()
    keyed = []
    for child in layer.layers:
        key = "functional" if type(child) is Model else to_snake_case(type(child).__name__)
        counts[key] += 1
        keyed.append((f"{key}_{counts[key] - 1}" if counts[key] > 1 else key, child))
    return keyed


def assign(
    model: Layer,
    layers: Sequence[FileLayer],
    path: str,
    *,
    by_name: bool = False,
    skip_mismatch: bool = False,
    layer_of: Callable[[str], str] = lambda layer: layer,
    ignored: Collection[str] = (),
) -> None:
    """Give a model the weights of a file; all of them, or none.

    Layers are matched by their names. Where these differ, because layers that nobody named are
    numbered differently, they are matched by the keys of Keras 3, or in their order.

    Parameters
    ----------
    model : Layer
    layers : sequence of FileLayer
    path : str
        What errors call the file.
    by_name : bool, default False
        Give weights to those layers alone whose names the file has too.
    skip_mismatch : bool, default False
        Leave layers alone that the file lacks or has with other shapes.
    layer_of : callable
        From the name of a layer in the file to its name in the model.
    ignored : collection of str
        Layers of the file that the model may lack.

    Raises
    ------
    FileFormatError
        Layers are missing on one of both sides.
    ShapeError
        Weights have other shapes.
    """
    wanted = model_layers(model)
    given = [layer for layer in layers if layer_of(layer.path[-1]) not in ignored]
    named = _by_name(wanted, layers if by_name else given, layer_of)
    if by_name or skip_mismatch:
        chosen = named
        if not chosen:
            raise FileFormatError(f"{path}: expected layers with names of {model.name!r}'s")
        if skip_mismatch:
            chosen = [pair for pair in chosen if not _misfits(*pair)]
    else:
        ways = [named, _by_keys(wanted, given), _in_order(wanted, given)]
        complete = [way for way in ways if len(way) == len(wanted) == len(given)]
        fitting = [way for way in complete if not any(_misfits(*pair) for pair in way)]
        if not complete:
            raise _unmatched(model, wanted, given, named, path)
        chosen = (fitting or complete)[0]
    wrong = [misfit for pair in chosen for misfit in _misfits(*pair)]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ShapeError(f"{path}: weights do not fit {model.name!r}: {', '.join(wrong[:5])}{more}")
    for target, source in chosen:
        for variable, array in _paired(target, source):
            variable.assign(array.astype(np.float32, copy=False))


def _by_name(
    wanted: Sequence[ModelLayer], given: Sequence[FileLayer], layer_of: Callable[[str], str]
) -> list[tuple[ModelLayer, FileLayer]]:
    """Match whole paths of names, then what is left by the last name where only one has it."""
    pairs: list[tuple[ModelLayer, FileLayer]] = []
    files = {(*f.path[:-1], layer_of(f.path[-1])): f for f in given}
    left = []
    for layer in wanted:
        found = files.pop(layer.path, None)
        if found is None:
            left.append(layer)
        else:
            pairs.append((layer, found))
    names = Counter(path[-1] for path in files)
    wanting = Counter(layer.path[-1] for layer in left if layer.path)
    last = {path[-1]: f for path, f in files.items()}
    for layer in left:
        if layer.path and names[layer.path[-1]] == wanting[layer.path[-1]] == 1:
            pairs.append((layer, last[layer.path[-1]]))
    return pairs


def _by_keys(
    wanted: Sequence[ModelLayer], given: Sequence[FileLayer]
) -> list[tuple[ModelLayer, FileLayer]]:
    files = {f.keys: f for f in given if f.keys}
    return [(layer, files[layer.keys]) for layer in wanted if layer.keys in files]


def _in_order(
    wanted: Sequence[ModelLayer], given: Sequence[FileLayer]
) -> list[tuple[ModelLayer, FileLayer]]:
    """Match the first with the first; groups of Keras 3 have no order."""
    if len(wanted) != len(given) or any(f.keys for f in given):
        return []
    return list(zip(wanted, given, strict=True))


def _paired(target: ModelLayer, source: FileLayer) -> list[tuple[Variable, NDArray[Any]]]:
    """Join variables and arrays: by the names of the weights, else in their order."""
    names = [name if name in target.weights else _ALIASES.get(name, name) for name in source.names]
    pairs = list(zip(names, source.arrays, strict=True))
    if set(names) >= set(target.weights):
        by_name = dict(pairs)
        return [(v, by_name[name]) for name, v in target.weights.items()]
    # Keras counts what a Normalization layer has seen in a number of its own.
    arrays = [array for _, array in pairs if array.shape or len(pairs) == len(target.weights)]
    return list(zip(target.weights.values(), arrays, strict=False))


def _misfits(target: ModelLayer, source: FileLayer) -> list[str]:
    """Say which weights of a layer do not fit."""
    pairs = _paired(target, source)
    if len(pairs) != len(target.weights):
        return [f"{target.name}: expected {len(target.weights)} weights, got {len(source.arrays)}"]
    return [
        f"{target.name}: expected numbers of shape {tuple(variable.shape)}, got {array.dtype} of "
        f"shape {array.shape}"
        for variable, array in pairs
        if tuple(variable.shape) != array.shape or array.dtype.kind != "f"
    ]


def _unmatched(
    model: Layer,
    wanted: Sequence[ModelLayer],
    given: Sequence[FileLayer],
    pairs: Sequence[tuple[ModelLayer, FileLayer]],
    path: str,
) -> FileFormatError:
    ours, theirs = {id(a) for a, _ in pairs}, {id(b) for _, b in pairs}
    missing = [layer.name for layer in wanted if id(layer) not in ours]
    extra = ["/".join(layer.path) for layer in given if id(layer) not in theirs]

    def some(names: list[str]) -> str:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return (", ".join(names[:5]) or "none") + more

    return FileFormatError(
        f"{path}: expected the weights of {model.name!r}; layers the file lacks: {some(missing)}; "
        f"layers the model lacks: {some(extra)}; by_name=True takes what both have"
    )
