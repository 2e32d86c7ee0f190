"""Layers and their arguments as plain data, and back.

A layer is ``{"class_name": ..., "config": {...}}``. What is read back may come from anywhere: only
classes of `fastcnn.layers` and those the caller names or registered are ever made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import ConfigError, FileFormatError

if TYPE_CHECKING:
    from fastcnn.layers.layer import Layer

T = TypeVar("T")

_registered: dict[str, Any] = {}
_custom: ContextVar[Mapping[str, Any]] = ContextVar("fastcnn_custom_objects")
_budget: ContextVar[list[int]] = ContextVar("fastcnn_weight_budget")

_TUPLE, _ARRAY = "__tuple__", "__array__"
_MAX_JSON = 2**26


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[T], T]:
    """Let files refer to a class or function of one's own by its name.

    Parameters
    ----------
    package : str
        Accepted for Keras' sake.
    name : str, optional
        The object's own name unless given.

    Examples
    --------
    >>> import fastcnn as fc
    >>> @fc.saving.register_keras_serializable()
    ... class Twice(fc.layers.Layer):
    ...     def call(self, x):
    ...         return x + x
    >>> find_custom_object("Twice") is Twice
    True
    """

    def register(thing: T) -> T:
        _registered[name or str(getattr(thing, "__name__", thing))] = thing
        return thing

    return register


@contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Within the block, files may refer to these objects by these names."""
    token = _custom.set({**_custom.get({}), **(custom_objects or {})})
    try:
        yield
    finally:
        _custom.reset(token)


def find_custom_object(name: Any) -> Any:
    """Look a name up among the caller's objects; None when there is none."""
    if not isinstance(name, str):
        return None
    return _custom.get({}).get(name, _registered.get(name))


# ---- layers and arguments ------------------------------------------------------------------------


def serialize(value: Any) -> Any:
    """Describe an argument of a layer: a number, a text, an initializer, an activation, a layer."""
    from fastcnn import activations, initializers
    from fastcnn.layers.layer import Layer

    if isinstance(value, Layer):
        return serialize_layer(value)
    if isinstance(value, initializers.Initializer):
        return initializers.serialize(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [serialize(item) for item in value]
    if isinstance(value, tuple):
        return tuple(serialize(item) for item in value)
    if isinstance(value, dict):
        return {key: serialize(item) for key, item in value.items()}
    if callable(value):
        return activations.serialize(value)
    return value


def serialize_layer(layer: Layer) -> dict[str, Any]:
    """Describe a layer or model, without its weights, for `deserialize_layer` to make its like."""
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


def find_layer_class(name: Any) -> type[Layer]:
    """Find a layer's class by its name.

    Raises
    ------
    ConfigError
        There is none in `fastcnn.layers`, nor in the caller's custom objects.
    """
    from fastcnn import layers
    from fastcnn.layers.layer import Layer
    from fastcnn.layers.op_layer import OpLayer
    from fastcnn.model import Model
    from fastcnn.sequential import Sequential

    cls = find_custom_object(name)
    if cls is None and isinstance(name, str):
        cls = {c.__name__: c for c in (Model, Sequential, OpLayer)}.get(name)
        if cls is None and name in layers.__all__:
            cls = getattr(layers, name)
    if isinstance(cls, type) and issubclass(cls, Layer):
        return cls
    raise ConfigError(
        f"unknown layer class {name!r}; a class of your own is passed as "
        f'custom_objects={{"{name}": the class}}'
    )


def deserialize_layer(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a layer or model from what `serialize_layer` returned.

    Parameters
    ----------
    config : dict
        ``{"class_name": ..., "config": {...}}``.
    custom_objects : mapping of str to class or function, optional
        What it may refer to besides fastcnn's own.

    Examples
    --------
    >>> import fastcnn as fc
    >>> config = serialize_layer(fc.layers.Dense(3, name="last"))
    >>> deserialize_layer(config)
    <Dense name=last, built=False>
    """
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ConfigError(f"expected a layer's class_name and config, got {str(config)[:200]!r}")
    with custom_object_scope(custom_objects):
        cls = find_layer_class(config.get("class_name"))
        try:
            return cls.from_config(dict(config["config"]))
        except (TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
            raise ConfigError(f"{cls.__name__}: its configuration does not fit: {error}") from error


def deserialize_argument(value: Any) -> Any:
    """Make the layers inside an argument; the rest is understood by the layer it is given to."""
    if isinstance(value, (list, tuple)):
        return type(value)(deserialize_argument(item) for item in value)
    if isinstance(value, dict):
        if set(value) == {"class_name", "config"} and _names_layer(value["class_name"]):
            return deserialize_layer(value)
        return {key: deserialize_argument(item) for key, item in value.items()}
    return value


def _names_layer(name: Any) -> bool:
    try:
        find_layer_class(name)
    except ConfigError:
        return False
    return True


# ---- JSON ----------------------------------------------------------------------------------------


def to_json(value: Any) -> str:
    """Write configurations as JSON; tuples and arrays come back as what they were."""
    return json.dumps(_encode(value))


def from_json(text: str) -> Any:
    """Read what `to_json` wrote.

    Raises
    ------
    FileFormatError
        It is not JSON, too long, too deep, or an array in it is malformed.
    """
    if len(text) > _MAX_JSON:
        raise FileFormatError(f"expected a configuration of at most {_MAX_JSON} characters")
    try:
        return _decode(json.loads(text))
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise FileFormatError(f"expected a configuration in JSON: {error}") from error


def _encode(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {_ARRAY: np.asarray(value, np.float32).ravel().tolist(), "shape": list(value.shape)}
    if isinstance(value, tuple):
        return {_TUPLE: [_encode(item) for item in value]}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    named = isinstance(value, dict) and all(isinstance(key, str) for key in value)
    if named and not {_TUPLE, _ARRAY} & set(value):
        return {key: _encode(item) for key, item in value.items()}
    raise ConfigError(
        f"a configuration holds numbers, texts, arrays, lists, tuples and dictionaries with names, "
        f"got {value!r}; define get_config and from_config"
    )


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TUPLE in value:
        return tuple(_decode(item) for item in value[_TUPLE])
    if _ARRAY in value:
        array: NDArray[np.float32] = np.asarray(value[_ARRAY], np.float32)
        return array.reshape([int(n) for n in value.get("shape", ())])
    return {key: _decode(item) for key, item in value.items()}


# ---- weights of a model that is being loaded -----------------------------------------------------


@contextmanager
def weights_follow(elements: int) -> Iterator[None]:
    """Within the block weights start as zeros, and there may be so many numbers in all.

    A file says how large its model is before its tensors prove it: this keeps a small file from
    asking for a large allocation.
    """
    token = _budget.set([elements])
    try:
        yield
    finally:
        _budget.reset(token)


def preset_weight(shape: Sequence[int]) -> NDArray[np.float32] | None:
    """Give zeros for a new weight within `weights_follow`, None elsewhere."""
    budget = _budget.get(None)
    if budget is None:
        return None
    size = 1
    for n in shape:
        size *= int(n)
    if size > budget[0]:
        raise FileFormatError(
            f"the configuration asks for a weight of shape {tuple(shape)}, more than the file holds"
        )
    budget[0] -= size
    return np.zeros(tuple(shape), np.float32)
