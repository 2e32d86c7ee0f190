"""Gradients of one's own functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.layers.layer import Layer
from fastcnn.plan import PlanCache
from fastcnn.tracing import Trace, Value
from fastcnn.variable import Variable


def value_and_grad(
    fn: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    variables: Layer | Sequence[Variable] | None = None,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """Make a function that computes `fn` and its gradient in one plan.

    Parameters
    ----------
    fn : callable
        Composed of functions of `fastcnn.ops`, losses, layers and models; returns one number,
        shape (). It is called once for every combination of shapes, with values that have a shape
        but no content yet. A layer trains in it if it is called with ``training=True``.
    argnums : int or sequence of int, optional
        The positional arguments whose gradients are wanted; the first unless `variables` is given.
    variables : layer, model, or sequence of Variable, optional
        What else: the trainable weights of a layer, or these variables.
    has_aux : bool, default False
        Whether `fn` returns ``(number, other)``: the other values are computed along.

    Returns
    -------
    callable
        ``(value, gradients)``, or ``((value, other), gradients)``. The gradients are an array for
        an integer `argnums`, a tuple for a sequence, a list for `variables`; ``(of arguments, of
        variables)`` if both are given.

    Raises
    ------
    ShapeError
        When called: `fn` does not return one number.
    UnsupportedError
        When called: it uses an op that has no gradient.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> f = fc.value_and_grad(lambda x: fc.ops.sum(x * x))
    >>> value, gradient = f(np.array([1.0, 2.0, 3.0]))
    >>> float(value), gradient.tolist()
    (14.0, [2.0, 4.0, 6.0])

    A training loop of one's own:

    >>> model = fc.Sequential([fc.Input((2,)), fc.layers.Dense(1)])
    >>> def loss(x, y):
    ...     return fc.ops.mean(fc.ops.square(model(x, training=True) - y))
    >>> step = fc.value_and_grad(loss, variables=model)
    >>> optimizer = fc.optimizers.SGD(0.1)
    >>> x, y = np.eye(2), np.ones((2, 1))
    >>> for _ in range(100):
    ...     value, gradients = step(x, y)
    ...     optimizer.apply(gradients, model.trainable_variables)
    >>> bool(value < 1e-3)
    True
    """
    if argnums is None and variables is None:
        argnums = 0
    wanted = [argnums] if isinstance(argnums, int) else list(argnums or ())

    def sources() -> list[Variable]:
        if isinstance(variables, Layer):
            return variables.trainable_weights
        return list(variables or ())

    def describe(trace: Trace, args: Any, kwargs: Any) -> Any:
        result = fn(*args, **kwargs)
        aux = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise ConfigError("value_and_grad: with has_aux, fn must return (number, other)")
            result, aux = result
        if not isinstance(result, Value):
            raise DTypeError(
                "value_and_grad: expected fn to return what functions of fastcnn.ops return, got "
                f"{type(result).__name__}"
            )
        if result.shape != ():
            raise ShapeError(
                f"value_and_grad: expected fn to return one number, got shape {result.shape}; "
                "take fastcnn.ops.sum or mean of it"
            )
        for i in wanted:
            if not 0 <= i < len(args) or not isinstance(args[i], Value):
                raise ConfigError(f"value_and_grad: expected an array as argument {i}")
        gradients = trace.gradient(result, [*(args[i] for i in wanted), *sources()])
        return result, aux if has_aux else [], gradients

    plans = PlanCache(describe, getattr(fn, "__name__", "the function"), dtype=None)

    def compute(*args: Any, **kwargs: Any) -> Any:
        compiled, arrays = plans.get(args, kwargs)
        value, aux, gradients = compiled(arrays)
        of_arguments: Any = tuple(gradients[: len(wanted)])
        if isinstance(argnums, int):
            of_arguments = gradients[0]
        of_variables = gradients[len(wanted) :]
        found = (
            of_arguments
            if variables is None
            else of_variables
            if argnums is None
            else (of_arguments, of_variables)
        )
        return ((value, aux) if has_aux else value), found

    compute.__doc__ = f"Compute {getattr(fn, '__name__', 'the function')} and its gradient."
    return compute
