"""Models seen from inside: what every layer gives, and gradients by other rules."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.layers.layer import Layer
from fastcnn.ops._dispatch import as_array
from fastcnn.plan import PlanCache
from fastcnn.tracing import Trace, Value

Array = NDArray[np.float32]
Rule = Literal["guided", "deconvnet"]

_RECTIFIERS = ("relu", "relu6")
_MOST_NAMES = 12


class Step(NamedTuple):
    """One node of the graph: its op and attributes, the values it reads."""

    op: str
    inputs: list[Value]
    attrs: dict[str, Any]


class _Cut(NamedTuple):
    """A rectifier at which the way of gradients ends: what it reads, what it gives, and the end."""

    before: Value
    usual: Value
    after: Value


class WatchedTrace(Trace):
    """A trace that remembers what each layer gave and how each value was made.

    Parameters
    ----------
    rule : {"guided", "deconvnet"}, optional
        How `backward` passes rectifiers. The gradient's own rule lets through what comes from
        above where the rectifier was open. ``"deconvnet"`` (Zeiler & Fergus 2014, section 2.1)
        rectifies what comes from above instead, wherever it was open; ``"guided"`` (Springenberg
        et al. 2015, section 3.4) does both.

    Attributes
    ----------
    results : dict of str to Value
        What each layer gave, by its path, in the order of the calls.
    steps : dict of int to Step
        How each value was made, by the value's number.
    """

    def __init__(self, rule: Rule | None = None) -> None:
        super().__init__()
        self.results: dict[str, Any] = {}
        self.steps: dict[int, Step] = {}
        self._rule = rule
        self._cuts: list[_Cut] = []

    def called(self, path: str, outputs: Any) -> None:
        """Remember what a layer gave."""
        if path:  # the model itself has none
            self.results.pop(path, None)  # of several calls the last one's
            self.results[path] = outputs

    def apply(self, op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """Add a node and remember it; behind rectifiers end the way of gradients if need be."""
        if self._rule is None or attrs.get("activation") not in _RECTIFIERS:
            return self._add(op, inputs, attrs)
        activation = {"activation": attrs["activation"]}
        if op == "activation":
            before = self.value_of(inputs[0])
        else:  # it is part of a product
            product = {key: value for key, value in attrs.items() if key not in activation}
            before = self._add(op, inputs, product)
        usual = self._add("activation", [before], activation)
        after: Value = self._add("stop_gradient", [usual], {})
        self._cuts.append(_Cut(before, usual, after))
        return after

    def _add(self, op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        operands = [self.value_of(x) for x in inputs]
        made = super().apply(op, operands, attrs)
        for value in made if isinstance(made, tuple) else (made,):
            self.steps[value._index] = Step(op, operands, attrs)
        return made

    def backward(self, target: Value, source: Value) -> Value:
        """Go back from one number to what it was computed from, by the rule of this trace.

        The graph is in pieces that end at rectifiers. From the last rectifier to the first, the
        usual gradient leads back to it through the pieces behind it; what the rule makes of that
        is the factor of a sum whose gradient leads on.
        """
        reached = self._ancestors(target)
        for before, usual, after in reversed(self._cuts):
            if after._index not in reached:
                continue
            (above,) = self.gradient(target, [after])
            rectified = self._add("activation", [above], {"activation": "relu"})
            factor = self._add("stop_gradient", [rectified], {})
            target = target + ops.sum((usual if self._rule == "guided" else before) * factor)
        return self.gradient(target, [source])[0]

    def _ancestors(self, target: Value) -> set[int]:
        found: set[int] = set()
        waiting = [target]
        while waiting:
            value = waiting.pop()
            if value._index not in found:
                found.add(value._index)
                waiting += self.steps[value._index].inputs if value._index in self.steps else []
        return found

    def result(self, layer: str) -> Value:
        """Find what a layer gave by its path, or by its name where only one has it.

        Raises
        ------
        ConfigError
            No layer has this name, several have it, or the layer gives several tensors.
        """
        paths = [layer] if layer in self.results else self._ending(layer)
        if len(paths) != 1:
            if paths:
                raise ConfigError(f"layer {layer!r}: expected a single one, found {paths}")
            near = difflib.get_close_matches(layer, self.results, _MOST_NAMES, 0.5)
            listed = ", ".join(near or list(self.results)[:_MOST_NAMES])
            more = "" if len(near or self.results) < _MOST_NAMES else " ..."
            raise ConfigError(
                f"expected a layer of the model, such as {listed}{more}; got {layer!r}"
            )
        value = self.results[paths[0]]
        if not isinstance(value, Value):
            raise ConfigError(f"layer {layer!r}: expected one that gives a single tensor")
        return value

    def _ending(self, name: str) -> list[str]:
        return [path for path in self.results if path.endswith(f"/{name}")]

    def last_maps(self) -> str:
        """Name the last layer that gives feature maps of more than one pixel.

        Raises
        ------
        ConfigError
            There is none.
        """
        for path, value in reversed(self.results.items()):
            if isinstance(value, Value) and value.ndim == 4 and min(value.shape[1:3]) > 1:
                return path
        raise ConfigError("expected a model with a layer that gives feature maps (n, h, w, c)")


Describe = Callable[..., Any]


def inside(model: Layer, describe: Describe, rule: Rule | None = None) -> Callable[..., Any]:
    """Make a function of a picture and other arrays that runs a model and what `describe` adds.

    Parameters
    ----------
    model : Layer
        It takes one tensor.
    describe : callable
        ``describe(trace, x, output, *others)`` adds to the graph what is wanted, and returns it.
    rule : {"guided", "deconvnet"}, optional
        See `WatchedTrace`.
    """
    if not isinstance(model, Layer):
        raise DTypeError(f"expected a model, got {type(model).__name__}")

    def whole(trace: WatchedTrace, args: Any, kwargs: Any) -> Any:
        x, *others = args
        output = model._call_traced(trace, (x,), {}, model._root_scope)
        return describe(trace, x, output, *others)

    # Gradients need floats: of a quantised model, those it was made of.
    options = None if getattr(model, "_quantization", None) is not None else model
    plans = PlanCache(
        whole,  # type: ignore[arg-type]  # the trace is the one made here
        f'model "{model.name}"',
        dtype=None,
        options=options,
        trace=lambda: WatchedTrace(rule),
    )

    def run(*arrays: Any) -> Any:
        compiled, given = plans.get(arrays, {})
        return compiled(given)

    return run


def pictures(who: str, x: Any) -> Array:
    """Give pictures as the model takes them, (n, h, w, c)."""
    array = as_array(x)
    if array.ndim != 4 or 0 in array.shape:
        raise ShapeError(f"{who}: expected pictures of shape (n, h, w, c), got {array.shape}")
    return array
