"""Keras' configurations as models of fastcnn's layers."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastcnn import _tree, ops
from fastcnn.errors import ConfigError, FileFormatError, UnsupportedError
from fastcnn.layers.core import Input
from fastcnn.layers.layer import Layer
from fastcnn.model import Model
from fastcnn.naming import to_snake_case
from fastcnn.sequential import Sequential
from fastcnn.serialization import find_custom_object, find_layer_class

_MOST_CALLS = 20_000

_MODELS = ("Functional", "Model")
# Keras 2's name for calls of TensorFlow's functions, and what these are called here.
_TENSORFLOW = {
    "__operators__.add": "add",
    "concat": "concatenate",
    "clip_by_value": "clip",
    "image.resize": "resize",
    "math.add": "add",
    "math.divide": "divide",
    "math.l2_normalize": "l2_normalize",
    "math.maximum": "maximum",
    "math.minimum": "minimum",
    "math.multiply": "multiply",
    "math.reduce_max": "max",
    "math.reduce_mean": "mean",
    "math.reduce_sum": "sum",
    "math.sigmoid": "sigmoid",
    "math.softplus": "softplus",
    "math.subtract": "subtract",
    "math.tanh": "tanh",
    "math.truediv": "divide",
    "nn.depth_to_space": "depth_to_space",
    "nn.relu": "relu",
    "nn.relu6": "relu6",
    "nn.sigmoid": "sigmoid",
    "nn.silu": "silu",
    "nn.softmax": "softmax",
    "nn.space_to_depth": "space_to_depth",
    "reshape": "reshape",
}
# Keras 3's operations that have another name here.
_OPERATIONS = {"true_divide": "divide", "amax": "max", "amin": "min"}
# Options that change nothing, whatever they are, or where they have this value.
_WITHOUT_EFFECT = {
    "renorm_momentum", "batch_input_shape", "batch_shape", "ragged", "sparse", "autocast",
    "implementation", "seed",
}  # fmt: skip
_AS_HERE = {"fill_mode": "constant", "fill_value": 0.0, "data_format": "channels_last"}
_RENAMED = {"LeakyReLU": {"alpha": "negative_slope"}}


def model_from(config: Mapping[str, Any]) -> Any:
    """Make a model from the configuration that Keras wrote for it.

    Raises
    ------
    UnsupportedError
        It has a layer or an option that fastcnn lacks.
    ConfigError, FileFormatError
        It makes no sense.
    """
    made = _layer(config)
    if not isinstance(made, Model):
        raise FileFormatError(f"expected a model, got a {type(made).__name__}")
    return made


# ---- layers --------------------------------------------------------------------------------------


def _layer(entry: Any) -> Any:
    """Make a layer, a model, or what stands for a function, from its description."""
    if not isinstance(entry, dict) or "class_name" not in entry:
        raise FileFormatError(f"expected a layer's class_name and config, got {str(entry)[:80]!r}")
    kind, config = entry["class_name"], entry.get("config")
    if kind == "Sequential":
        return _sequential(config)
    if not isinstance(config, dict):
        raise FileFormatError(f"{kind}: expected its config, got {str(config)[:80]!r}")
    if kind in _MODELS and "input_layers" in config:
        return _functional(config)
    name = config.get("name") or entry.get("name")
    custom = _custom(entry)
    if custom is not None:
        return custom.from_config(_arguments(config))
    if kind == "Lambda":
        raise UnsupportedError(
            f'layer "{name}": a Lambda is code, which is never taken from a file; pass a layer of '
            'your own as custom_objects={"Lambda": the class}, or replace it before saving'
        )
    if kind == "TFOpLambda":
        return _Function(str(name), _TENSORFLOW.get(config.get("function", ""), ""), {})
    if str(entry.get("module", "")).startswith(("keras.src.ops", "keras.ops")):
        options = {k: v for k, v in _arguments(config).items() if k != "name"}
        function = to_snake_case(str(kind))
        return _Function(str(name), _OPERATIONS.get(function, function), options)
    if kind == "InputLayer":
        return Input(batch_shape=_input_shape(config), name=name).node.layer
    try:
        cls = find_layer_class(kind)
    except ConfigError as error:
        raise UnsupportedError(f'layer "{name}": {error}') from error
    return _make(cls, config)


def _custom(entry: Mapping[str, Any]) -> Any:
    """Find a class of the caller's: by its name, or as it was registered."""
    registered = entry.get("registered_name")
    names = [registered, str(registered).rpartition(">")[2], entry["class_name"]]
    found = next((c for c in map(find_custom_object, names) if c is not None), None)
    return found if isinstance(found, type) and issubclass(found, Layer) else None


def _make(cls: type[Layer], config: Mapping[str, Any]) -> Layer:
    """Make a layer of fastcnn's with the options it has."""
    name = config.get("name")
    renamed = _RENAMED.get(cls.__name__, {})
    accepted = _accepted(cls)
    options = {}
    for key, value in _arguments(config).items():
        key = renamed.get(key, key)
        if key in accepted:
            options[key] = _usable(f'layer "{name}"', key, value)
        elif value and key not in _WITHOUT_EFFECT and _AS_HERE.get(key) != value:
            raise UnsupportedError(f'layer "{name}": {cls.__name__} has no option {key}={value!r}')
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    if shape:
        options["input_shape"] = tuple(shape[1:])
    try:
        return cls(**options)
    except (ConfigError, UnsupportedError) as error:
        raise UnsupportedError(f'layer "{name}": {error}') from error


def _accepted(cls: type[Layer]) -> set[str]:
    """Name the arguments of a class."""
    own = set(inspect.signature(cls.__init__).parameters) - {"self", "kwargs"}
    weights = {
        f"{prefix}_{option}"
        for prefix in cls._weight_options.values()
        for option in ("regularizer", "constraint")
    }
    return own | weights | {"name", "trainable", "activity_regularizer", "data_format"}


def _usable(layer: str, key: str, value: Any) -> Any:
    """Refuse an unknown activation; leave an unknown initialiser out: the file has the values."""
    from fastcnn import activations, initializers

    if key == "activation":
        try:
            return activations.get(value)
        except ConfigError as error:
            raise UnsupportedError(f"{layer}: {error}") from error
    if not key.endswith("_initializer"):
        return value
    try:
        return initializers.get(value)
    except ConfigError:
        return "zeros"


def _arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the arguments of a layer to the form they have here; its dtype is checked."""
    policy = config.get("dtype")
    if isinstance(policy, dict):
        policy = (policy.get("config") or {}).get("name")
    if policy not in (None, "float32"):
        raise UnsupportedError(f'layer "{config.get("name")}": expected float32, got {policy!r}')
    return {key: _value(value) for key, value in config.items() if key != "dtype"}


def _value(value: Any) -> Any:
    """Read an argument: a number, a text, or an object with its class and arguments."""
    if isinstance(value, list):
        return [_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind is None:
        return {key: _value(item) for key, item in value.items()}
    if kind == "function":
        return config
    if kind == "__tuple__":
        return tuple(_value(item) for item in value.get("items", ()))
    if kind in ("__numpy__", "__tensor__"):
        return np.asarray((config or {}).get("value"), np.float32)
    if str(kind).startswith("__") or not isinstance(config, dict):
        raise UnsupportedError(f"an argument of the kind {kind!r} is not read")
    if "layers" in str(value.get("module", "")):
        return _layer(value)
    kept = {key: _value(item) for key, item in config.items() if item is not None}
    return {"class_name": kind, "config": kept}


def _input_shape(config: Mapping[str, Any]) -> tuple[Any, ...]:
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list):
        raise FileFormatError(f"expected the shape of an input, got {shape!r}")
    return tuple(shape)


# ---- models --------------------------------------------------------------------------------------


def _sequential(config: Any) -> Sequential:
    entries = config if isinstance(config, list) else config.get("layers")
    if not isinstance(entries, list) or len(entries) > _MOST_CALLS:
        raise FileFormatError("expected a list of layers")
    described: Mapping[str, Any] = {} if isinstance(config, list) else config
    layers = [_layer(entry) for entry in entries]
    if any(isinstance(layer, _Function) for layer in layers):
        raise UnsupportedError(f'"{described.get("name")}": functions within a Sequential')
    model = Sequential(layers, described.get("trainable", True), described.get("name"))
    shape = described.get("build_input_shape")
    if not model.built and isinstance(shape, list):
        model = Sequential(
            [Input(batch_shape=tuple(shape)), *layers], model.trainable, described.get("name")
        )
    return model


@dataclass(frozen=True)
class _Reference:
    """A tensor: which result of which call of which layer."""

    layer: str
    call: int
    index: int


@dataclass(frozen=True)
class _Function:
    """A function of `fastcnn.ops` in the place of a layer."""

    name: str
    function: str
    options: dict[str, Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.function not in ops.__all__:
            raise UnsupportedError(
                f'layer "{self.name}": a function that fastcnn.ops lacks ({self.function!r})'
            )
        kept = {k: v for k, v in kwargs.items() if k != "name" and v is not None}
        second = (kept.pop("y"),) if "y" in kept else ()  # TensorFlow's name
        try:
            result = getattr(ops, self.function)(*args, *second, **{**self.options, **kept})
        except TypeError as error:
            raise UnsupportedError(
                f'layer "{self.name}": {self.function} with options that it lacks: {error}'
            ) from error
        for tensor in _tree.flatten(result):
            tensor.node.layer.name = self.name
        return result


@dataclass(eq=False)
class _Call:
    layer: str
    args: Any
    kwargs: Any


def _functional(config: Mapping[str, Any]) -> Model:
    layers: dict[str, Any] = {}
    calls: list[_Call] = []
    for entry in config["layers"]:
        layer = _layer(entry)
        name = entry.get("name") or (entry.get("config") or {}).get("name")
        if not isinstance(name, str) or name in layers:
            raise FileFormatError(f"expected layers of different names, got {name!r} again")
        layers[name] = layer
        found = entry.get("inbound_nodes") or []
        calls.extend(_Call(name, *_parse_call(node)) for node in found)
    if len(calls) > _MOST_CALLS:
        raise FileFormatError(f"expected at most {_MOST_CALLS} calls of layers")
    tensors = _run(layers, calls)

    def find(reference: Any) -> Any:
        return tensors(reference) if isinstance(reference, _Reference) else reference

    inputs, outputs = (
        _map(find, _parse_ends(config[key])) for key in ("input_layers", "output_layers")
    )
    return Model(inputs, outputs, name=config.get("name"), trainable=config.get("trainable", True))


def _run(layers: Mapping[str, Any], calls: list[_Call]) -> Callable[[_Reference], Any]:
    """Call the layers, each when what it reads is there; give what finds their results."""
    made: dict[str, list[list[Any]]] = {
        name: [[layer.output]] if hasattr(layer, "batch_shape") else []
        for name, layer in layers.items()
    }
    offsets = _offsets(layers, calls)

    def at(reference: _Reference) -> tuple[str, int]:
        return reference.layer, reference.call - offsets.get(reference.layer, 0)

    def find(reference: _Reference) -> Any:
        name, number = at(reference)
        results = made.get(name, [])
        if not (0 <= number < len(results) and 0 <= reference.index < len(results[number])):
            raise FileFormatError(f"a call refers to a result of {name!r} that there is not")
        return results[number][reference.index]

    waiting: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    missing = [0] * len(calls)
    counts: defaultdict[str, int] = defaultdict(int)
    own: list[tuple[str, int]] = []
    for number, call in enumerate(calls):
        own.append((call.layer, counts[call.layer]))
        counts[call.layer] += 1
        needs = {at(r) for r in _references((call.args, call.kwargs))}
        if own[-1][1] > 0:  # the calls of one layer are counted in their order
            needs.add((call.layer, own[-1][1] - 1))
        for name, place in needs:
            if not 0 <= place < len(made.get(name, [])):
                waiting[name, place].append(number)
                missing[number] += 1
    ready = [number for number, count in enumerate(missing) if count == 0][::-1]
    done = 0
    while ready:
        number = ready.pop()
        call = calls[number]
        args, kwargs = (
            _map(lambda x: find(x) if isinstance(x, _Reference) else x, x)
            for x in (call.args, call.kwargs)
        )
        made[call.layer].append(_tree.flatten(layers[call.layer](*args, **kwargs)))
        done += 1
        for waiter in reversed(waiting.pop(own[number], [])):
            missing[waiter] -= 1
            if missing[waiter] == 0:
                ready.append(waiter)
    if done != len(calls):
        raise FileFormatError("calls of layers wait for each other, or for what there is not")
    return find


def _offsets(layers: Mapping[str, Any], calls: list[_Call]) -> dict[str, int]:
    """Find the models whose calls are counted from 1: the first made the model itself."""
    counts: defaultdict[str, int] = defaultdict(int)
    last: defaultdict[str, int] = defaultdict(int)
    for call in calls:
        counts[call.layer] += 1
        for reference in _references((call.args, call.kwargs)):
            last[reference.layer] = max(last[reference.layer], reference.call)
    return {
        name: 1
        for name, layer in layers.items()
        if isinstance(layer, Model) and last[name] == counts[name] > 0
    }


def _parse_call(node: Any) -> tuple[Any, Any]:
    """Give the arguments of a call, in which tensors are references."""
    if isinstance(node, dict):  # Keras 3
        kwargs = {k: _tensors(v) for k, v in (node.get("kwargs") or {}).items()}
        return tuple(_tensors(x) for x in node.get("args") or ()), _said(kwargs)
    if not isinstance(node, list) or not node:
        raise FileFormatError(f"expected a call of a layer, got {str(node)[:80]!r}")
    if isinstance(node[0], str):  # a function of TensorFlow
        node = [node]
    tensors = [_reference(item) for item in node]
    kwargs = {k: _reference_or_value(v) for item in node for k, v in _options(item).items()}
    return (tensors[0] if len(tensors) == 1 else tensors,), _said(kwargs)


def _said(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Keras writes although nobody said it."""
    unsaid = ("mask", "training", "name")
    return {k: v for k, v in kwargs.items() if not (k in unsaid and v in (None, False))}


def _options(item: list[Any]) -> dict[str, Any]:
    return item[3] if len(item) > 3 and isinstance(item[3], dict) else {}


def _reference(item: Any) -> _Reference:
    known = isinstance(item, list) and len(item) >= 3 and isinstance(item[0], str)
    if not known or not all(isinstance(n, int) for n in item[1:3]):
        raise FileFormatError(f"expected a layer, a call and a result, got {str(item)[:80]!r}")
    return _Reference(item[0], item[1], item[2])


def _reference_or_value(value: Any) -> Any:
    if isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str):
        return _reference(value)
    return _value(value)


def _tensors(value: Any) -> Any:
    """Read an argument of a call of Keras 3."""
    if isinstance(value, list):
        return [_tensors(item) for item in value]
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return _reference((value.get("config") or {}).get("keras_history"))
    if isinstance(value, dict) and value.get("class_name") is None:
        return {key: _tensors(item) for key, item in value.items()}
    return _value(value)


def _parse_ends(ends: Any) -> Any:
    """Read the inputs or outputs of a model: a tensor, or a list or dictionary of them."""
    if isinstance(ends, dict):
        return {key: _parse_ends(item) for key, item in ends.items()}
    if isinstance(ends, list) and ends and isinstance(ends[0], str):
        return _reference(ends)
    if isinstance(ends, list) and ends:
        found = [_parse_ends(item) for item in ends]
        return found[0] if len(found) == 1 else found
    raise FileFormatError(f"expected the ends of a model, got {str(ends)[:80]!r}")


def _map(function: Callable[[Any], Any], structure: Any) -> Any:
    return _tree.map_structure(function, structure)


def _references(structure: Any) -> list[_Reference]:
    return [x for x in _tree.flatten(structure) if isinstance(x, _Reference)]
