"""Tracing: running Python code on symbolic values to describe a graph.

A `Value` stands for a tensor of a graph under construction. Functions of `fastcnn.ops` that meet
one add a node instead of computing, so a layer's ``call`` describes itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _C, _random
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.ops._dispatch import active, as_array


class Operators:
    """Arithmetic for what stands for a tensor: each operator applies the op of its name."""

    # NumPy arrays on the left of an operator must leave it to us.
    __array_ufunc__ = None

    __fastcnn_apply__: Callable[..., Any]  # (op, inputs, attrs), defined by each subclass

    def __add__(self, other: Any) -> Any:
        return self.__fastcnn_apply__("add", [self, other], {})

    def __radd__(self, other: Any) -> Any:
        return self.__fastcnn_apply__("add", [other, self], {})

    def __sub__(self, other: Any) -> Any:
        return self.__fastcnn_apply__("sub", [self, other], {})

    def __rsub__(self, other: Any) -> Any:
        return self.__fastcnn_apply__("sub", [other, self], {})

    def __mul__(self, other: Any) -> Any:
        return self.__fastcnn_apply__("mul", [self, other], {})

    def __rmul__(self, other: Any) -> Any:
        return self.__fastcnn_apply__("mul", [other, self], {})

    def __truediv__(self, other: Any) -> Any:
        return self.__fastcnn_apply__("div", [self, other], {})

    def __rtruediv__(self, other: Any) -> Any:
        return self.__fastcnn_apply__("div", [other, self], {})

    def __neg__(self) -> Any:
        return self.__fastcnn_apply__("mul", [self, -1.0], {})


class Value(Operators):
    """A tensor of a graph being traced: shape and dtype are known, its content is not.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
    """

    def __init__(self, trace: Trace, index: int) -> None:
        self._trace = trace
        self._index = index
        self.shape: tuple[int, ...] = trace.graph.shape(index)
        self.dtype: str = trace.graph.dtype(index)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def trace(self) -> Trace:
        """The graph it belongs to."""
        return self._trace

    def constant(self, array: NDArray[Any]) -> Value:
        """An array of any dtype as a value of the same graph."""
        return self._trace.constant(array)

    def __fastcnn_apply__(self, op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        return self._trace.apply(op, inputs, attrs)

    def __getitem__(self, index: Any) -> Value:
        """Take a part as of an array: by integers, slices, ``...`` and None.

        Raises
        ------
        IndexError
            An integer lies outside of its axis, or there are more than axes.
        ConfigError
            An index is something else.
        """
        given = list(index) if isinstance(index, tuple) else [index]
        used = sum(x is not None and x is not Ellipsis for x in given)
        if given.count(Ellipsis) > 1 or used > self.ndim:
            raise IndexError(f"{index!r} has too many indices for shape {self.shape}")
        at = given.index(Ellipsis) if Ellipsis in given else len(given)
        given[at : at + 1] = [slice(None)] * (self.ndim - used)
        begin: list[int] = []
        size: list[int] = []
        step: list[int] = []
        shape: list[int] = []
        for one in given:
            if one is None:
                shape.append(1)
                continue
            n = self.shape[len(begin)]
            if isinstance(one, slice):
                part = range(*one.indices(n))
                shape.append(len(part))
            elif isinstance(one, (int, np.integer)) and not isinstance(one, bool):
                if not -n <= one < n:
                    raise IndexError(f"index {one} lies outside of an axis of {n}")
                part = range(one % n, one % n + 1)
            else:
                raise ConfigError(f"expected integers, slices, ... or None as index, got {one!r}")
            begin.append(part.start if part else 0)
            size.append(len(part))
            step.append(part.step)
        found = self
        if tuple(size) != self.shape or any(one < 0 for one in step):
            attrs = {"begin": begin, "size": size, "step": step}
            found = self._trace.apply("slice", [self], attrs)
        if tuple(shape) != found.shape:
            found = self._trace.apply("reshape", [found], {"shape": shape})
        return found

    def __repr__(self) -> str:
        return f"<Value shape={self.shape} dtype={self.dtype}>"


class Trace:
    """A graph under construction. `name` is given to the nodes added while it is set.

    In a ``with`` block ops on variables alone add nodes too, instead of computing at once.

    Parameters
    ----------
    training : bool, default False
        Whether layers that act otherwise in training do.
    random_key : callable, default `fastcnn._random.next_key`
        What gives the key of the run's random numbers, asked once a run.

    Attributes
    ----------
    feeds : list of callable
        What gives the graph's last inputs at each run.
    losses : list of Value
        What layers and weights add to the loss, one number each.
    """

    def __init__(
        self, training: bool = False, random_key: Callable[[], NDArray[Any]] = _random.next_key
    ) -> None:
        self.graph = _C.Graph()
        self.name = ""
        self.training = training
        self.feeds: list[Callable[[], NDArray[Any]]] = []
        self.losses: list[Value] = []
        self._random_key = random_key
        self._key: Value | None = None
        self._streams = 0
        self._updates: dict[_C.Variable, Value] = {}
        self._outer: Any = None

    def __enter__(self) -> Trace:
        self._outer, active.trace = active.trace, self
        return self

    def __exit__(self, *error: object) -> None:
        active.trace = self._outer

    def input(self, shape: Sequence[int], dtype: str = "float32") -> Value:
        """Add an operand that every run is given."""
        if self.feeds:
            raise ConfigError("inputs come before what a graph feeds itself")
        return Value(self, self.graph.input(shape, dtype))

    def feed(self, shape: Sequence[int], dtype: str, supply: Callable[[], NDArray[Any]]) -> Value:
        """Add an operand that `supply` gives at the start of every run."""
        self.feeds.append(supply)
        return Value(self, self.graph.input(shape, dtype))

    def random_key(self) -> tuple[Value, int]:
        """Give the operand and the number by which a random op draws: other numbers every run.

        The operand is the key of the run, an int64 array (2,). The number, a stream, is another
        for everybody who asks, and the same whenever the same program is traced.
        """
        if self._key is None:
            self._key = self.feed((2,), "int64", self._random_key)
        self._streams += 1
        return self._key, self._streams

    def draw(
        self,
        shape: Sequence[int],
        make: Callable[[np.random.Generator], NDArray[Any]],
        seed: int | None = None,
    ) -> Value:
        """Add an operand of a few random numbers, drawn anew at the start of every run.

        Parameters
        ----------
        shape : sequence of int
        make : callable
            Given NumPy's generator of the run, it returns them as an array.
        seed : int, optional
            Draw by it and the number of the run only, whatever the seed of the run is.
        """
        self._streams += 1
        stream = self._streams

        def supply() -> NDArray[Any]:
            first, count = (int(number) for number in self._random_key())
            entropy = [first, count, stream] if seed is None else [seed, count]
            return np.require(make(_random.generator(entropy)), np.float32, "C")

        return self.feed(shape, "float32", supply)

    def value_of(self, x: Any) -> Value:
        """`x` as a value of this graph: itself, a variable, or an array made a constant.

        A variable that was assigned before stands for what it was assigned.
        """
        if isinstance(x, Value):
            if x._trace is not self:
                raise ConfigError("an op was given values of two different graphs")
            return x
        if isinstance(x, _C.Variable):
            pending = self._updates.get(x)
            return Value(self, self.graph.variable(x)) if pending is None else pending
        return Value(self, self.graph.constant(as_array(x)))

    def constant(self, array: NDArray[Any]) -> Value:
        """An array as a value of this graph, of whatever dtype it is."""
        return Value(self, self.graph.constant(array))

    def apply(self, op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """Add a node, and give its result or the tuple of them."""
        operands = [self.value_of(x)._index for x in inputs]
        results = [Value(self, i) for i in self.graph.add(op, operands, attrs, self.name)]
        return results[0] if len(results) == 1 else tuple(results)

    def assign(self, variable: _C.Variable, value: Any) -> None:
        """Let a variable have another value at the end of a run, and for what is added later."""
        value = self.value_of(value)
        if value.shape != tuple(variable.shape):
            raise ShapeError(
                f"{getattr(variable, 'path', 'a variable')}: expected a value of shape "
                f"{tuple(variable.shape)}, got {value.shape}"
            )
        self._updates[variable] = value

    def gradient(
        self, target: Any, sources: Sequence[Any], recompute: str | None = None
    ) -> list[Value]:
        """Add the gradients of one number with respect to values and variables.

        `recompute` says what of the forward pass is not kept: see `Model.compile`.
        """
        sources = [
            self.graph.variable(x) if isinstance(x, _C.Variable) else self.value_of(x)._index
            for x in sources
        ]
        found = self.graph.gradient(self.value_of(target)._index, sources, recompute or "")
        return [Value(self, i) for i in found]

    def called(self, path: str, outputs: Any) -> None:
        """Is told what each layer gave, layers inside others first; `path` joins their names."""

    def finish(self, outputs: Sequence[Any]) -> None:
        """Say what a run gives; from then on the graph can be compiled."""
        self.graph.set_outputs([self.value_of(v)._index for v in outputs])
        for variable, value in self._updates.items():
            self.graph.assign(variable, value._index)
        self._updates.clear()
