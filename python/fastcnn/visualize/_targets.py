"""What of a model is to be explained: a class, a unit of a layer, or a number of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers.layer import Layer
from fastcnn.tracing import Value
from fastcnn.visualize._inside import Array, WatchedTrace, inside


class Unit(NamedTuple):
    """A channel of a layer, everywhere or at one place.

    Attributes
    ----------
    layer : str
        The layer's name; of layers inside others ``"outer/inner"``, or only the last name where
        one alone has it.
    channel : int or sequence of int, optional
        One for all pictures or one for each. Unless given, the one that a picture excites most.
    position : None, "max", (int, int) or sequence of (int, int), default None
        None: the mean over the whole map. ``"max"``: where a picture excites it most. Numbers:
        row and column in the layer's result, one for all pictures or one for each.

    Examples
    --------
    >>> Unit("conv5_3", 17, "max")
    Unit(layer='conv5_3', channel=17, position='max')
    """

    layer: str
    channel: Any = None
    position: Any = None


Target = int | Sequence[int] | Unit | Callable[[Any], Any] | None


def class_numbers(who: str, target: Target, count: int) -> list[NDArray[np.int64]]:
    """Give the classes that a target names, one a picture: a list of one array, or an empty one."""
    if target is None or isinstance(target, Unit) or callable(target):
        return []
    classes = np.asarray(target)
    if classes.dtype.kind not in "iu" or classes.ndim > 1 or (classes < 0).any():
        raise ConfigError(
            f"{who}: target: expected a class, one for each picture, a Unit or a function, got "
            f"{target!r}"
        )
    if classes.ndim == 1 and len(classes) != count:
        raise ShapeError(f"{who}: target: expected {count} classes, got {len(classes)}")
    return [np.broadcast_to(classes, count).astype(np.int64)]


def scores(trace: WatchedTrace, output: Any, target: Target, classes: Value | None = None) -> Value:
    """Give one number a picture: how much of `target` the model sees in it.

    Of classes it is what goes into a softmax or sigmoid at the end, not the probability, which also
    rises when others fall (Simonyan et al. 2014, section 3).
    """
    if isinstance(target, Unit):
        counted = unit_maps(trace, target.layer) * unit_mask(trace, target)
        excited: Value = ops.sum(counted, axis=(1, 2))
        return excited
    if callable(target):
        found = target(output)
        if not isinstance(found, Value) or found.ndim != 1:
            raise ConfigError(
                "target: expected a function that gives a number for each picture, got "
                f"{getattr(found, 'shape', type(found).__name__)}"
            )
        return found
    return class_scores(_before_softmax(trace, output), target, classes)


def _before_softmax(trace: WatchedTrace, output: Any) -> Value:
    """Give what a softmax or sigmoid at the end of a model reads; else the output."""
    single = _single(output)
    step = trace.steps.get(single._index)
    if step and (step.op == "softmax" or step.attrs.get("activation") == "sigmoid"):
        return step.inputs[0] if len(step.inputs) == 1 else single
    return single


def _single(output: Any) -> Value:
    if not isinstance(output, Value) or output.ndim < 2:
        raise ConfigError(
            "target: expected a model with one output, a number for each class; for others give a "
            "Unit or a function of the outputs"
        )
    return output


def class_scores(output: Any, target: Target, classes: Value | None) -> Value:
    """Pick the number of a class for each picture; of the greatest, unless classes are given."""
    values = _by_class(output)
    if classes is not None and np.max(target) >= values.shape[1]:  # type: ignore[arg-type]
        raise ConfigError(f"target: expected a class below {values.shape[1]}, got {target}")
    chosen = ops.argmax(values, axis=1) if classes is None else classes
    picked: Value = ops.sum(values * ops.one_hot(chosen, values.shape[1]), axis=1)
    return picked


def _by_class(output: Any) -> Value:
    """Give (n, classes): pixels added, and of a single output, for two classes, both."""
    values = _single(output)
    if values.ndim > 2:
        values = ops.sum(values, axis=tuple(range(1, values.ndim - 1)))
    if values.shape[1] == 1:
        values = ops.concatenate([-values, values], axis=1)
    return values


def likeliest(model: Layer, x: Array) -> NDArray[np.int64]:
    """Tell the most probable class of each picture."""

    def describe(trace: WatchedTrace, x: Any, output: Any) -> Any:
        return ops.argmax(_by_class(_before_softmax(trace, output)), axis=1)

    found: NDArray[np.int64] = inside(model, describe)(x)
    return found


def unit_mask(trace: WatchedTrace, unit: Unit) -> Value:
    """Give what a unit counts of its layer's maps: factors, of shape (n, places, channels)."""
    maps = unit_maps(trace, unit.layer)
    n, places, channels = maps.shape
    if unit.channel is None and unit.position == "max":
        best = ops.argmax(ops.reshape(maps, (n, -1)), axis=1)
        mask = ops.reshape(ops.one_hot(best, places * channels), maps.shape)
    elif unit.channel is None:
        where = _places(trace, unit, maps)
        best = ops.argmax(ops.sum(maps * where, axis=1), axis=1)
        mask = where * ops.reshape(ops.one_hot(best, channels), (n, 1, channels))
    else:
        of_channel = _marks(_whole("channel", unit.channel, n, channels), channels)[:, None]
        only = ops.sum(maps * of_channel, axis=2, keepdims=True)
        mask = _places(trace, unit, only) * of_channel
    counted: Value = ops.stop_gradient(mask)
    return counted


def unit_maps(trace: WatchedTrace, layer: str) -> Value:
    """Give what a layer gives as (n, places, channels)."""
    value = trace.result(layer)
    if value.ndim not in (2, 4):
        raise ConfigError(
            f"layer {layer!r}: expected one that gives (n, h, w, c) or (n, c), got {value.shape}"
        )
    maps: Value = ops.reshape(value, (value.shape[0], -1, value.shape[-1]))
    return maps


def _places(trace: WatchedTrace, unit: Unit, maps: Value) -> Value:
    """Give factors for the places of maps (n, places, 1), one or several channels being added."""
    n, places, _ = maps.shape
    if unit.position is None:
        return trace.value_of(np.full((1, places, 1), 1 / places, np.float32))
    if isinstance(unit.position, str):
        if unit.position != "max":
            raise ConfigError(
                f"position: expected None, 'max' or (row, column), got {unit.position!r}"
            )
        best = ops.argmax(ops.reshape(maps, (n, places)), axis=1)
        found: Value = ops.reshape(ops.one_hot(best, places), (n, places, 1))
        return found
    value = trace.result(unit.layer)
    height, width = value.shape[1:3] if value.ndim == 4 else (1, 1)
    both = np.asarray(unit.position)
    if both.shape not in ((2,), (n, 2)):
        raise ShapeError(f"position: expected (row, column), or one for each picture, got {both}")
    row, column = _whole("row", both[..., 0], n, height), _whole("column", both[..., 1], n, width)
    return trace.value_of(_marks(row * width + column, places)[:, :, None])


def _whole(what: str, given: Any, count: int, end: int) -> NDArray[np.int64]:
    """Give whole numbers below `end`: one for all pictures, or one for each."""
    numbers = np.atleast_1d(np.asarray(given))
    fits = numbers.dtype.kind in "iu" and numbers.ndim == 1 and len(numbers) in (1, count)
    if not fits or (numbers < 0).any() or (numbers >= end).any():
        raise ConfigError(
            f"{what}: expected an integer from 0 to {end - 1}, or one for each of {count} "
            f"pictures, got {given!r}"
        )
    return numbers.astype(np.int64)


def _marks(numbers: NDArray[np.int64], count: int) -> Array:
    marks = np.zeros((len(numbers), count), np.float32)
    marks[np.arange(len(numbers)), numbers] = 1
    return marks
