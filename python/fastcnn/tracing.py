"""Tracing: running Python code on symbolic values to describe a graph.

A `Value` stands for a tensor of a graph under construction. Functions of `fastcnn.ops` that meet
one add a node instead of computing, so a layer's ``call`` describes itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastcnn import _C
from fastcnn.errors import ConfigError
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

    def __fastcnn_apply__(self, op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        return self._trace.apply(op, inputs, attrs)

    def __repr__(self) -> str:
        return f"<Value shape={self.shape} dtype={self.dtype}>"


class Trace:
    """A graph under construction. `name` is given to the nodes added while it is set.

    In a ``with`` block ops on variables alone add nodes too, instead of computing at once.
    """

    def __init__(self) -> None:
        self.graph = _C.Graph()
        self.name = ""
        self._outer: Any = None

    def __enter__(self) -> Trace:
        self._outer, active.trace = active.trace, self
        return self

    def __exit__(self, *error: object) -> None:
        active.trace = self._outer

    def input(self, shape: Sequence[int], dtype: str = "float32") -> Value:
        return Value(self, self.graph.input(shape, dtype))

    def value_of(self, x: Any) -> Value:
        """`x` as a value of this graph: itself, a variable, or an array made a constant."""
        if isinstance(x, Value):
            if x._trace is not self:
                raise ConfigError("an op was given values of two different graphs")
            return x
        if isinstance(x, _C.Variable):
            return Value(self, self.graph.variable(x))
        return Value(self, self.graph.constant(as_array(x)))

    def apply(self, op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        operands = [self.value_of(x)._index for x in inputs]
        results = [Value(self, i) for i in self.graph.add(op, operands, attrs, self.name)]
        return results[0] if len(results) == 1 else tuple(results)

    def set_outputs(self, values: Sequence[Any]) -> None:
        self.graph.set_outputs([self.value_of(v)._index for v in values])
