"""Models and weights in files.

A model's file is a safetensors file: the tensors under the names of layers and weights, the
configuration as JSON in the metadata. Nothing in it is ever executed; classes of one's own are
made only if they are passed as `custom_objects` or registered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fastcnn import serialization
from fastcnn.errors import ConfigError, FastcnnError, FileAccessError, FileFormatError
from fastcnn.layers.layer import Layer, _map_shapes
from fastcnn.serialization import (
    custom_object_scope,
    deserialize_layer,
    register_keras_serializable,
    serialize_layer,
)
from fastcnn.symbolic import KerasTensor, shapes_only
from fastcnn.variable import Variable

if TYPE_CHECKING:
    from fastcnn.quantization import Quantization

__all__ = [
    "clone_model",
    "custom_object_scope",
    "deserialize_layer",
    "load_model",
    "load_weights",
    "model_from_json",
    "named_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_layer",
]

StrPath = str | os.PathLike[str]

_FORMAT, _VERSION = "fastcnn.model", "1"

OPTIMIZER = "optimizer//"
"""What the names of an optimizer's state begin with: no layer has an empty name."""


def named_weights(layer: Layer) -> dict[str, Variable]:
    """List all weights of a layer or model under the names files give them.

    A name is made of the layers' names from the outside to the inside, the outermost left out, and
    the weight's own: ``"conv1/kernel"``. A layer named automatically counts as the n-th of its
    class in its model, so a model built twice in one process has the same names twice.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.Sequential([fc.Input((4,)), fc.layers.BatchNormalization(name="bn")])
    >>> list(named_weights(model))
    ['bn/gamma', 'bn/beta', 'bn/moving_mean', 'bn/moving_variance']
    """
    named: dict[str, Variable] = {}
    seen: set[int] = set()

    def visit(layer: Layer, prefix: str) -> None:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        for name, variable in layer._own_variables().items():
            if id(variable) not in seen:
                seen.add(id(variable))
                named[prefix + name] = variable
        for name, child in layer._children().items():
            visit(child, f"{prefix}{name}/")

    visit(layer, "")
    return named


def save_weights(model: Layer, filepath: StrPath, overwrite: bool = True) -> None:
    """Write the weights of a layer or model to a safetensors file, whole or not at all."""
    _write(model, filepath, None, overwrite)


def save_model(
    model: Layer, filepath: StrPath, overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write a model to one file that `load_model` reads, whole or not at all.

    Parameters
    ----------
    model : Model
    filepath : str or os.PathLike
    overwrite : bool, default True
        Whether a file of that name is replaced.
    include_optimizer : bool, default True
        Also write what the model was compiled with and how far it was trained: training goes on
        from the file to the same bits.

    Raises
    ------
    ConfigError
        A layer's configuration cannot be written: it needs a ``get_config``.
    FileAccessError
        The file cannot be written, or exists and is not to be replaced.
    MissingDependencyError
        The package ``safetensors`` is not installed.
    """
    metadata = {"format": _FORMAT, "version": _VERSION, "config": describe(model)}
    state: dict[str, NDArray[Any]] = {}
    if include_optimizer and getattr(model, "compiled", False):
        from fastcnn.training import saving as training

        metadata["training"], state = training.describe(model)
    _write(model, filepath, metadata, overwrite, state)


def describe(model: Layer) -> str:
    """Write as JSON what a model is and which inputs it is built for."""
    description = {"model": serialize_layer(model), "call_shapes": _symbolic_shapes(model)}
    quantization = getattr(model, "_quantization", None)
    if quantization is not None:
        description["quantization"] = quantization.get_config()
    class_names = getattr(model, "class_names", None)
    if class_names is not None:
        description["class_names"] = list(class_names)
    heads = getattr(model, "heads", None)
    if heads is not None:
        description["heads"] = [_head_config(head) for head in heads]
    return serialization.to_json(description)


def _head_config(head: Any) -> dict[str, Any]:
    from fastcnn.detection.heads import Head

    if not isinstance(head, Head):
        raise ConfigError(f"heads: expected a Head, got {type(head).__name__}")
    return head.get_config()


def _complete(model: Layer, description: Mapping[str, Any]) -> Quantization | None:
    """Let a model know its classes; give how it is quantised, which fixes its weights."""
    names = description.get("class_names")
    if names is not None:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FileFormatError(f"expected class_names to be texts, got {type(names).__name__}")
        vars(model)["class_names"] = names
    heads = description.get("heads")
    if heads is not None:
        from fastcnn.detection.heads import Head

        if not isinstance(heads, list):
            raise FileFormatError(f"expected heads to be descriptions, got {type(heads).__name__}")
        vars(model)["heads"] = [Head.from_config(head) for head in heads]
    if "quantization" not in description:
        return None
    from fastcnn.model import Model
    from fastcnn.quantization import Quantization

    if not isinstance(model, Model):
        raise FileFormatError("expected a model, since it is quantised")
    return Quantization.from_config(description["quantization"])


def _symbolic_shapes(model: Layer) -> Any:
    """Give the shapes a model was first called with, the batch left open if it may be."""
    if model._call_shapes is None:
        return None
    if getattr(model, "_graph", None) is not None:
        return [model.input_shape]  # type: ignore[attr-defined]
    return [_map_shapes(lambda s: (None, *s[1:]), shapes) for shapes in model._call_shapes]


def _write(
    model: Layer,
    filepath: StrPath,
    metadata: dict[str, str] | None,
    overwrite: bool,
    state: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    from fastcnn.io.safetensors_files import save_safetensors

    if not overwrite and os.path.lexists(filepath):
        raise FileAccessError(f"{os.fspath(filepath)}: exists already, and overwrite is False")
    if not model.built:
        raise ConfigError(
            f'"{model.name}" has no weights yet: call it on data or on an Input first'
        )
    tensors = {name: variable.view() for name, variable in named_weights(model).items()}
    save_safetensors(filepath, {**tensors, **(state or {})}, metadata)


def load_weights(
    model: Layer, filepath: StrPath, skip_mismatch: bool = False, by_name: bool = False
) -> None:
    """Read weights into a layer or model that has them already.

    Parameters
    ----------
    model : Layer
    filepath : str or os.PathLike
        What `save_weights` or `save_model` wrote, any safetensors file with these names, or a
        file of Keras, whose layers are matched by names or in order.
    skip_mismatch : bool, default False
        Leave weights alone which the file lacks or has in another shape.
    by_name : bool, default False
        Of a file of Keras: give weights to those layers alone that the file has too.

    Raises
    ------
    FileFormatError
        It is no such file, or its names and shapes are not the model's. Nothing has changed then.
    """
    from fastcnn.io.keras import assign_keras_weights, is_keras_file
    from fastcnn.io.safetensors_files import load_safetensors

    if not model.built:
        raise ConfigError(
            f'"{model.name}" has no weights yet: call it on data or on an Input first'
        )
    if is_keras_file(filepath):
        assign_keras_weights(model, filepath, by_name=by_name, skip_mismatch=skip_mismatch)
        return
    if by_name:
        raise ConfigError("by_name is for files of Keras; others are matched by name always")
    tensors = load_safetensors(filepath)
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(OPTIMIZER)}
    assign_weights(model, own, str(os.fspath(filepath)), skip_mismatch)


def assign_weights(
    model: Layer, tensors: Mapping[str, NDArray[Any]], path: str, skip_mismatch: bool = False
) -> None:
    """Give the weights of a model the values under their names; all of them, or none."""
    weights = named_weights(model)
    missing, extra = weights.keys() - tensors.keys(), tensors.keys() - weights.keys()
    if (missing or extra) and not skip_mismatch:
        raise FileFormatError(
            f"{path}: expected the weights of {model.name!r}; "
            f"missing: {_some(missing)}; not the model's: {_some(extra)}"
        )
    fitting = {}
    for name in weights.keys() & tensors.keys():
        variable, tensor = weights[name], tensors[name]
        if tensor.shape == tuple(variable.shape) and tensor.dtype.kind == "f":
            fitting[name] = tensor
        elif not skip_mismatch:
            raise FileFormatError(
                f"{path}: {name}: expected floating-point numbers of shape "
                f"{tuple(variable.shape)}, got {tensor.dtype} of shape {tensor.shape}"
            )
    for name, tensor in fitting.items():
        weights[name].assign(tensor)


def _some(names: Any) -> str:
    shown = ", ".join(sorted(names)[:5]) or "none"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def load_model(
    filepath: StrPath, custom_objects: Mapping[str, Any] | None = None, compile: bool = True
) -> Any:
    """Read a model that `Model.save` wrote, or Keras.

    Parameters
    ----------
    filepath : str or os.PathLike
        A file of Keras is read by `fastcnn.io.load_keras`.
    custom_objects : mapping of str to class or function, optional
        Layers, losses and functions of one's own that the model uses, by name.
    compile : bool, default True
        Whether a model that was saved compiled is, and goes on to train where it was.

    Returns
    -------
    Model

    Raises
    ------
    MissingFileError
        There is no such file.
    FileFormatError
        It is damaged, no model's file, or refers to classes that are not known.
    MissingDependencyError
        The package ``safetensors`` is not installed.

    Examples
    --------
    >>> import os, tempfile, fastcnn as fc
    >>> path = os.path.join(tempfile.mkdtemp(), "model.fastcnn")
    >>> fc.Sequential([fc.Input((8, 8, 3)), fc.layers.MaxPooling2D()]).save(path)
    >>> fc.load_model(path).output_shape
    (None, 4, 4, 3)
    """
    from fastcnn.io._files import path_of
    from fastcnn.io.keras import is_keras_file, load_keras
    from fastcnn.io.safetensors_files import load_safetensors, load_safetensors_metadata

    path = path_of(filepath)
    if is_keras_file(filepath):
        return load_keras(filepath, custom_objects)
    metadata = load_safetensors_metadata(filepath)
    if metadata.get("format") != _FORMAT:
        raise FileFormatError(
            f"{path}: expected a model that Model.save wrote; a file of weights is read by "
            "load_weights of a model"
        )
    if metadata.get("version") != _VERSION:
        raise FileFormatError(
            f"{path}: expected version {_VERSION} of the format, got {metadata.get('version')!r}"
        )
    tensors = load_safetensors(filepath)
    state = {name: tensors.pop(name) for name in list(tensors) if name.startswith(OPTIMIZER)}
    with custom_object_scope(custom_objects):
        try:
            description = serialization.from_json(metadata.get("config", ""))
            if not isinstance(description, dict) or (
                set(description) - {"quantization", "class_names", "heads"}
                != {"model", "call_shapes"}
            ):
                raise FileFormatError("expected a configuration of model and call_shapes")
            with serialization.weights_follow(sum(t.size for t in tensors.values())):
                model = deserialize_layer(description["model"])
                _build(model, description["call_shapes"])
                quantization = _complete(model, description)
        except (FastcnnError, RecursionError) as error:
            raise FileFormatError(f"{path}: {error}") from error
        assign_weights(model, tensors, path)
        if quantization is not None:
            quantization.apply_to(model)
        if compile and "training" in metadata:
            from fastcnn.training import saving as training

            training.restore(model, metadata["training"], state, path)
    return model


def _build(model: Layer, call_shapes: Any) -> None:
    """Make the weights of a model that knows no input of its own."""
    if call_shapes is None or not isinstance(call_shapes, list):
        return
    try:
        with shapes_only():
            model(*(_map_shapes(KerasTensor, shapes) for shapes in call_shapes))
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        raise ConfigError(f"the model cannot be built for inputs {call_shapes}: {error}") from error


def model_from_json(text: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a model from what `Model.to_json` wrote, with new weights."""
    with custom_object_scope(custom_objects):
        return deserialize_layer(serialization.from_json(text))


def clone_model(model: Layer) -> Any:
    """Make a model with the same layers and new weights; of a quantised model, one of floats.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.MaxPooling2D()])
    >>> fc.saving.clone_model(model).output_shape
    (None, 4, 4, 3)
    """
    return restore(own_classes(model), describe(model), None)


def own_classes(model: Layer) -> dict[str, type[Layer]]:
    """List the classes of a model's layers that are not fastcnn's, by name."""
    return {
        type(layer).__name__: type(layer)
        for layer in model._walk()
        if not type(layer).__module__.startswith("fastcnn.")
    }


def restore(classes: Mapping[str, Any], text: str, weights: list[NDArray[Any]] | None) -> Any:
    """Make a model from what `describe` wrote, with given or new weights."""
    with custom_object_scope(classes):
        description = serialization.from_json(text)
        model = deserialize_layer(description["model"])
        _build(model, description["call_shapes"])
        quantization = _complete(model, description)
    if weights is not None:
        model.set_weights(weights)
        if quantization is not None:  # its ranges are those of these weights, and of no others
            quantization.apply_to(model)
    return model
