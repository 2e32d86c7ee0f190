"""Weights of the applications: where they are, and how their names and layouts become ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.applications.pretrained import PRETRAINED, Pretrained, find, home
from fastcnn.errors import FileFormatError, ShapeError
from fastcnn.io._files import StrPath
from fastcnn.io.keras import assign_keras_weights, is_keras_file
from fastcnn.io.weights import load_weights_file
from fastcnn.model import Model
from fastcnn.saving import named_weights

__all__ = ["PRETRAINED", "Pretrained", "find", "home", "load_into", "names"]

Array = NDArray[Any]


def load_into(
    model: Model,
    path: StrPath,
    *,
    layer_of: Callable[[str], str] = lambda layer: layer,
    ignored: Collection[str] = (),
    flattened: Mapping[str, int] = {},
) -> None:
    """Give a model the weights of a file, by their names.

    Names may be ours and Keras' (``conv1_conv/kernel``) or torch's (``conv1.weight``, with torch's
    layouts). Floats of any width become float32. In a file of Keras, layers that have other names
    are matched in their order.

    Parameters
    ----------
    model : Model
    path : str or os.PathLike
        What `fastcnn.io.load_weights_file` reads.
    layer_of : callable
        From the name of a layer in the file to its name in the model.
    ignored : collection of str
        Layers of the file that the model may lack.
    flattened : dict of str to int
        Of dense layers that read a flattened picture: its channels, which torch has first.

    Raises
    ------
    FileFormatError
        A weight is missing, or the file has one that the model lacks.
    ShapeError
        A weight has another shape.

    In both cases the model is what it was.
    """
    if is_keras_file(path):
        assign_keras_weights(model, path, layer_of=layer_of, ignored=ignored)
        return
    variables = named_weights(model)
    found: dict[str, Array] = {}
    unknown: list[str] = []
    for name, array in load_weights_file(path).items():
        weight, array = _translate(name, array, layer_of, variables, flattened)
        if weight in variables and weight not in found and array.dtype.kind == "f":
            found[weight] = array
        elif weight and weight.rpartition("/")[0] not in ignored:
            unknown.append(name)
    missing = [name for name in variables if name not in found]
    if missing or unknown:
        raise FileFormatError(
            f"{path}: expected the weights of {model.name}"
            f"{_listed('; missing', missing)}{_listed('; unknown', unknown)}"
        )
    shapes = [
        f"{name}: expected {tuple(variables[name].shape)}, got {array.shape}"
        for name, array in found.items()
        if array.shape != tuple(variables[name].shape)
    ]
    if shapes:
        raise ShapeError(
            f"{path}: weights of other shapes than {model.name}'s{_listed('', shapes)}"
        )
    for name, array in found.items():
        variables[name].assign(array.astype(np.float32, copy=False))


def names(path: StrPath) -> Collection[str]:
    """List the names of the weights in a file."""
    return load_weights_file(path).keys()


def _listed(title: str, names: list[str], most: int = 5) -> str:
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{title}: {', '.join(names[:most])}{more}"


_TORCH_BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def _translate(
    name: str,
    array: Array,
    layer_of: Callable[[str], str],
    variables: Mapping[str, Any],
    flattened: Mapping[str, int],
) -> tuple[str, Array]:
    """Give the weight's name and array as the model has them; "" for what no model has."""
    if "/" in name:
        layer, _, leaf = name.rpartition("/")
        leaf = leaf.removesuffix(":0")
        return f"{layer_of(layer)}/{'kernel' if leaf == 'depthwise_kernel' else leaf}", array
    given, _, leaf = name.rpartition(".")
    if leaf == "num_batches_tracked":
        return "", array
    layer = layer_of(given)
    if f"{layer}/gamma" in variables:
        return f"{layer}/{_TORCH_BATCH_NORM.get(leaf, leaf)}", array
    if (alpha := variables.get(f"{layer}/alpha")) is not None and leaf == "weight":
        # PReLU: torch has one axis, ours those of the picture, too.
        fits = array.size == alpha.size
        return f"{layer}/alpha", array.reshape(alpha.shape) if fits else array
    if leaf != "weight":
        return f"{layer}/{leaf}", array
    channels = flattened.get(layer, 0) if given != layer else 0  # ours count channels last
    if channels and array.ndim == 2 and array.shape[1] % channels == 0:
        array = array.reshape(len(array), channels, -1).swapaxes(1, 2).reshape(array.shape)
    return f"{layer}/kernel", _torch_kernel(array, variables.get(f"{layer}/kernel"))


def _torch_kernel(kernel: Array, variable: Any) -> Array:
    """Bring a kernel from torch's layout to ours."""
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}.get(kernel.ndim, range(kernel.ndim))
    if kernel.ndim == 4 and kernel.shape[1] == 1 and variable is not None:
        # Ours of a depthwise convolution is (height, width, channels, 1).
        axes = (2, 3, 1, 0) if variable.shape[2] == 1 else (2, 3, 0, 1)
    return np.transpose(kernel, tuple(axes))
