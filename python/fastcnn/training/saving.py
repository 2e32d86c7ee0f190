"""How a compiled model, half trained, lies in a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from fastcnn import losses, metrics, optimizers, serialization
from fastcnn.errors import ConfigError, FastcnnError, FileFormatError
from fastcnn.io.safetensors_files import (
    load_safetensors,
    load_safetensors_metadata,
    save_safetensors,
)
from fastcnn.saving import OPTIMIZER, assign_weights, named_weights

_LOSSES, _METRICS = ("loss",), ("metrics", "weighted_metrics")


def describe(model: Any) -> tuple[str, dict[str, NDArray[Any]]]:
    """Give as JSON what a model is compiled with, and the arrays of the optimizer's state."""
    arguments = dict(model._compile_arguments)
    for keys, module in ((_LOSSES, losses), (_METRICS, metrics)):
        for key in keys:
            arguments[key] = _describe(arguments[key], module)
    steps, optimizer = model._steps, model._optimizer
    text = serialization.to_json(
        {
            **arguments,
            "optimizer": optimizers.serialize(optimizer),
            "iterations": optimizer.iterations,
            "seed": steps.seed,
        }
    )
    state = optimizer.save_state()
    return text, {OPTIMIZER + name: array for name, array in state.items()}


def _describe(given: Any, module: Any) -> Any:
    """Losses or metrics as plain data."""
    if isinstance(given, (list, tuple)):
        return [_describe(item, module) for item in given]
    if isinstance(given, dict) and "class_name" not in given:
        return {key: _describe(item, module) for key, item in given.items()}
    return given if given is None or isinstance(given, (str, dict)) else module.serialize(given)


def restore(model: Any, text: str, state: Mapping[str, NDArray[Any]], path: str) -> None:
    """Compile a model as the one that was described, and let it go on where that was.

    A loss or metric of one's own that is not known leaves the model as it is, with a warning.
    """
    try:
        found = serialization.from_json(text)
        if not isinstance(found, dict):
            raise FileFormatError("expected a description of how the model is trained")
        optimizer = optimizers.deserialize(found.get("optimizer"))
        arguments = {key: found.get(key) for key in (*_LOSSES, "loss_weights", *_METRICS)}
        arguments["recompute"] = found.get("recompute")
        seed, iterations = found.get("seed"), found.get("iterations")
        if not (isinstance(seed, int) and isinstance(iterations, int) and iterations >= 0):
            raise FileFormatError("expected a seed and a number of iterations")
        if state:
            names = {name.removeprefix(OPTIMIZER): array for name, array in state.items()}
            optimizer.load_state(model.trainable_weights, names, iterations)
        optimizer.iterations = iterations
    except (FastcnnError, TypeError, KeyError) as error:
        raise FileFormatError(f"{path}: {error}") from error
    try:
        for key in _LOSSES:
            _check(arguments[key], losses.get)
        for key in _METRICS:
            _check(arguments[key], _any_metric)
    except ConfigError as error:
        warnings.warn(f"{path}: the model is not compiled: {error}", stacklevel=3)
        return
    model._adopt(optimizer, arguments, seed)


def _check(given: Any, find: Callable[[Any], Any]) -> None:
    """Refuse what is not known now rather than when training starts."""
    if isinstance(given, (list, tuple)):
        for item in given:
            _check(item, find)
    elif isinstance(given, dict) and "class_name" not in given:
        for item in given.values():
            _check(item, find)
    elif given is not None:
        find(given)


def _any_metric(given: Any) -> Any:
    """Find a metric; one that is to fit the targets, for targets of some shape."""
    return metrics.get(given, (1,), (1,))


def save_state(model: Any, path: str, epoch: int) -> None:
    """Write what training changes, and which epoch is next; not how the model is made."""
    optimizer = model._steps.optimizer
    tensors = {name: v.numpy() for name, v in named_weights(model).items()}
    tensors |= {OPTIMIZER + name: array for name, array in optimizer.save_state().items()}
    rate = optimizer.get_config()["learning_rate"]
    facts = {
        "epoch": epoch,
        "iterations": optimizer.iterations,
        "seed": model._steps.seed,
        # A callback may have changed it; a schedule is a function of the iterations.
        "learning_rate": rate if isinstance(rate, float) else None,
    }
    save_safetensors(path, tensors, {"progress": serialization.to_json(facts)})


def load_state(model: Any, path: str) -> int:
    """Read what `save_state` wrote into a model that is compiled alike; return the epoch."""
    try:
        facts = serialization.from_json(load_safetensors_metadata(path).get("progress", "null"))
        epoch, seed, iterations = (int(facts[key]) for key in ("epoch", "seed", "iterations"))
        rate = facts["learning_rate"]
    except (FileFormatError, TypeError, KeyError, ValueError) as error:
        raise FileFormatError(f"{path}: expected a backup of training: {error}") from error
    tensors = load_safetensors(path)
    state = {name: tensors.pop(name) for name in list(tensors) if name.startswith(OPTIMIZER)}
    steps, optimizer = model._steps, model._steps.optimizer
    try:
        assign_weights(model, tensors, path)
        if state:
            names = {name.removeprefix(OPTIMIZER): array for name, array in state.items()}
            optimizer.load_state(model.trainable_weights, names, iterations)
        if rate is not None:
            optimizer.learning_rate = rate
    except FastcnnError as error:
        raise FileFormatError(f"{path}: the backup is of another model: {error}") from error
    optimizer.iterations = iterations
    steps.seed = seed
    return epoch
