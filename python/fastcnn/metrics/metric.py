"""The base of the metrics, and the sums they keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree, initializers, naming, ops
from fastcnn.errors import ConfigError, UnsupportedError
from fastcnn.losses._tensors import as_float
from fastcnn.serialization import Configurable
from fastcnn.tracing import Value
from fastcnn.variable import Variable

_AT_ONCE = 2**20
_MOST_PARTS = 100


class Accumulator(Variable):
    """A variable to which much is added: what rounding takes from its sum is kept beside it.

    A float32 stops counting at 2**24, which a training epoch of segmentation has more pixels than.
    This one counts on to 2**48.

    References
    ----------
    D. E. Knuth: The Art of Computer Programming, volume 2, section 4.2.2, theorem B (the error of a
    sum as a number).

    Examples
    --------
    >>> count = Accumulator(2.0**24)
    >>> for _ in range(3):
    ...     count.assign_add(1.0)
    >>> float(count.numpy()) - 2**24
    3.0
    """

    def __init__(self, value: Any, **options: Any) -> None:
        super().__init__(value, trainable=False, **options)
        self._lost = Variable(np.zeros(self.shape), trainable=False, name="lost")

    def assign(self, value: Any) -> None:
        """Replace the value by another of the same shape."""
        super().assign(value)
        nothing: Any = np.zeros(self.shape)
        if isinstance(value, Value):
            nothing = value.trace.value_of(nothing)
        self._lost.assign(nothing)

    def assign_add(self, value: Any) -> None:
        """Add to the value."""
        value = as_float(value)
        total = ops.add(self, value)
        added = ops.subtract(total, self)  # what `value` became in the sum
        lost = ops.add(ops.subtract(self, ops.subtract(total, added)), ops.subtract(value, added))
        lost = ops.add(self._lost, lost)
        super().assign(total)
        self._lost.assign(lost)

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value."""
        self.assign_add(as_float(value) * -1.0)

    def numpy(self) -> NDArray[np.float64]:
        """Give the sum in float64."""
        total, lost = super().numpy().astype(np.float64), self._lost.numpy()
        return np.asarray(total + np.where(np.isfinite(total), lost, 0.0))


class Metric(Configurable):
    """Base of the metrics: sums over batches, from which a result is computed.

    One's own makes its sums with `add_variable`, adds to them in ``update_state``, with functions
    of `fastcnn.ops`, and computes ``result``. In a training step ``update_state`` is in the plan.

    Parameters
    ----------
    dtype : str, optional
        ``"float32"``.
    name : str, optional
        The class's name in snake case unless given.

    Examples
    --------
    >>> import fastcnn as fc
    >>> class Largest(fc.metrics.Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.value = self.add_variable((), "zeros", name="value")
    ...
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         error = fc.ops.max(fc.ops.absolute(y_true - y_pred))
    ...         self.value.assign(fc.ops.maximum(self.value, error))
    ...
    ...     def result(self):
    ...         return self.value
    >>> largest = Largest()
    >>> largest.update_state(np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    >>> float(largest.result().numpy())
    0.5
    """

    _variables: list[Accumulator]

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        cls = type(self).__name__
        if dtype not in (None, "float32"):
            raise UnsupportedError(f"{cls}: expected dtype float32, got {dtype!r}")
        self.name = name or naming.auto_name(naming.to_snake_case(cls))
        self.dtype = "float32"
        self._variables = []

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: str | None = None,
        aggregation: str | None = None,
        name: str | None = None,
    ) -> Accumulator:
        """Make a sum that belongs to the metric.

        Parameters
        ----------
        shape : sequence of int
            A scalar's, ``()``, unless given.
        initializer : str, callable or array, default "zeros"
            See `fastcnn.initializers.get`.
        dtype, aggregation
            Accepted for Keras' sake.
        name : str, optional
        """
        if "_variables" not in vars(self):
            raise ConfigError(
                f"{type(self).__name__}: call super().__init__() before anything else"
            )
        make = initializers.get("zeros" if initializer is None else initializer)
        assert make is not None
        name = name or "variable"
        variable = Accumulator(make(tuple(shape)), name=name, path=f"{self.name}/{name}")
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = None,
        dtype: str | None = None,
        name: str | None = None,
    ) -> Accumulator:
        """Make a sum that belongs to the metric: `add_variable` by another name."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """The metric's sums, and those of metrics in its attributes."""
        inner = [x for x in _tree.flatten(list(vars(self).values())) if isinstance(x, Metric)]
        return [*self._variables, *(v for metric in inner for v in metric.variables)]

    def reset_state(self) -> None:
        """Begin anew."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape))

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch to the sums."""
        raise TypeError(f"{type(self).__name__} defines no update_state")

    def result(self) -> Any:
        """Compute the metric of all batches since the last reset.

        Returns
        -------
        float, array, Variable, or dict of them
            A dictionary's are metrics of their own, under its names, where models are trained.
        """
        raise TypeError(f"{type(self).__name__} defines no result")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch to the sums, and give the metric of all batches so far."""
        if any(isinstance(x, Value) for x in _tree.flatten((args, kwargs))):
            raise ConfigError(
                f"{self.name}: within a graph a metric has no result yet; call update_state there "
                "and result() after the run"
            )
        self.update_state(*args, **kwargs)
        return self.result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def parts(rows: int, numbers: int) -> list[tuple[int, int]]:
    """Cut rows, for each of which so many numbers are made, into parts that stay in the cache.

    Returns
    -------
    list of (int, int)
        The first row of each part, and how many it has. There are at most a hundred or so: each
        adds nodes to the graph.
    """
    step = max(1, _AT_ONCE // max(1, numbers), -(-rows // _MOST_PARTS))
    return [(start, min(step, rows - start)) for start in range(0, rows, step)] or [(0, 0)]


def ratio(a: Any, b: Any) -> Any:
    """``a / b`` in float64, and 0 where b is 0; a Python float for numbers."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(all="ignore"):
        found = np.where(b == 0, 0.0, a / np.where(b == 0, 1.0, b))
    return plain(found)


def plain(x: Any) -> Any:
    """A Python float for an array of shape (), else the array."""
    x = np.asarray(x, np.float64)
    return float(x) if x.shape == () else x
