"""Layers and their arguments as plain data, and back.

A layer is ``{"class_name": ..., "config": {...}}``. What is read back may come from anywhere: only
classes of `fastcnn.layers` and those the caller names or registered are ever made.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import ConfigError, FileFormatError
from fastcnn.naming import to_snake_case

if TYPE_CHECKING:
    from fastcnn.layers.layer import Layer

T = TypeVar("T")
C = TypeVar("C", bound="Configurable")

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

_registered: dict[str, Any] = {}
_custom: ContextVar[Mapping[str, Any]] = ContextVar("fastcnn_custom_objects")
_budget: ContextVar[list[int]] = ContextVar("fastcnn_weight_budget")

_TUPLE, _ARRAY = "__tuple__", "__array__"
_KEPT = ("int64", "int32", "uint8", "int8", "bool")  # dtypes of arrays that are not made float32
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


def custom_objects() -> Mapping[str, Any]:
    """List the objects that files may refer to here by names, besides those registered."""
    return _custom.get({})


def find_custom_object(name: Any) -> Any:
    """Look a name up among the caller's objects; None when there is none."""
    if not isinstance(name, str):
        return None
    return _custom.get({}).get(name, _registered.get(name))


# ---- objects that are described by their arguments ----------------------------------------------


class Configurable:
    """Base of what is described by its arguments: each is kept as an attribute of its name.

    Examples
    --------
    >>> class Scale(Configurable):
    ...     def __init__(self, factor=2.0):
    ...         self.factor = factor
    >>> Scale(3.0), Scale.from_config(Scale().get_config())
    (Scale(factor=3.0), Scale(factor=2.0))
    """

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal object."""
        config = {}
        for parameter in inspect.signature(type(self).__init__).parameters.values():
            if parameter.name == "self" or parameter.kind in _VARIADIC:
                continue
            if not hasattr(self, parameter.name):
                raise ConfigError(
                    f"{type(self).__name__}: keep the argument {parameter.name!r} as an attribute "
                    "of that name, or define get_config"
                )
            config[parameter.name] = serialize(getattr(self, parameter.name))
        return config

    @classmethod
    def from_config(cls: type[C], config: Mapping[str, Any]) -> C:
        """Make one from what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def serialize_object(value: Any) -> Any:
    """Describe an object by its class and arguments, a class or function by its name.

    Examples
    --------
    >>> import fastcnn as fc
    >>> serialize_object(fc.initializers.Constant(2.0))
    {'class_name': 'Constant', 'config': {'value': 2.0}}
    """
    if isinstance(value, type):
        return {"class_name": value.__name__, "config": {}}
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    return getattr(value, "__name__", value)


def find_object(identifier: Any, kind: str, known: Mapping[str, Any]) -> Any:
    """Find or make an object by its name or description; classes are instantiated.

    Parameters
    ----------
    identifier : str, dict, class, object or function
        A name, what `serialize_object` returned, or the thing itself.
    kind : str
        What errors call it.
    known : mapping of str to class or function
        By names in any case, besides the caller's custom objects.

    Raises
    ------
    ConfigError
        There is none of that name, or its arguments do not fit.
    """
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": {}}
    config: Mapping[str, Any] = {}
    if isinstance(identifier, dict):
        name, config = identifier.get("class_name"), identifier.get("config") or {}
        found = find_custom_object(name)
        if found is None and isinstance(name, str):
            found = known.get(name) or known.get(to_snake_case(name))
        if found is None:
            names = ", ".join(sorted(n for n in known if n == n.lower()))
            raise ConfigError(f"unknown {kind} {name!r}; expected one of {names}, or one's own")
        identifier = found
    if isinstance(identifier, type):
        make = getattr(identifier, "from_config", None)
        try:
            return make(config) if make is not None and config else identifier(**config)
        except TypeError as error:
            raise ConfigError(f"{kind} {identifier.__name__}: {error}") from error
    if callable(identifier):
        return identifier
    raise ConfigError(
        f"expected the name of a {kind}, its config or a callable, got {identifier!r}"
    )


def names_of(classes: Iterable[type], **aliases: type) -> dict[str, type]:
    """List classes by their names, in snake case as well, and by further names.

    Examples
    --------
    >>> sorted(names_of([int], whole=int))
    ['int', 'whole']
    """
    found = {name: cls for cls in classes for name in (cls.__name__, to_snake_case(cls.__name__))}
    return {**found, **aliases}


# ---- layers and arguments ------------------------------------------------------------------------


def serialize(value: Any) -> Any:
    """Describe an argument: a number, a text, an initializer, an activation, a layer."""
    from fastcnn import activations
    from fastcnn.layers.layer import Layer

    if isinstance(value, Layer):
        return serialize_layer(value)
    if isinstance(value, Configurable):
        return serialize_object(value)
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
        if name == "PostprocessedModel":
            from fastcnn.io.onnx.postprocessing import PostprocessedModel

            cls = PostprocessedModel
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
        dtype = value.dtype.name if value.dtype.name in _KEPT else "float32"
        numbers = np.asarray(value, dtype).ravel().tolist()
        return {_ARRAY: numbers, "shape": list(value.shape), "dtype": dtype}
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
        dtype = value.get("dtype", "float32")
        if dtype != "float32" and dtype not in _KEPT:
            raise ValueError(f"expected an array of float32 or integers, got {dtype!r}")
        array: NDArray[Any] = np.asarray(value[_ARRAY], dtype)
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
