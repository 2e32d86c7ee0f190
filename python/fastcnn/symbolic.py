"""Tensors of functional models, and the record of what made them.

A `KerasTensor` stands for a tensor of which only the shape is known, and that only in part:
``None`` is a size to be decided by the data. A layer called on one records a `Node`. A function of
`fastcnn.ops` called on one does the same through an `OpLayer`: `fastcnn.ops` wraps every function
it exports in `recordable`, so that functions themselves never meet a `KerasTensor`.

Shapes of results are found by running the function in two scratch traces in which the unknown
sizes have different values: a size of the result that differs is unknown too. Neither functions nor
layers need a rule of their own, and a function may compute with the sizes it sees. What the sizes
were in the two traces is kept for the next call, so that sizes which belong together stay together.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fastcnn import _tree
from fastcnn.errors import DTypeError, FastcnnError
from fastcnn.tracing import Operators, Trace, Value

if TYPE_CHECKING:
    from fastcnn.layers.layer import Layer

P = ParamSpec("P")
R = TypeVar("R")

# What stands for an unknown size in the two scratch traces: first of the batch, then of other axes.
# Batches of one would broadcast; pictures must survive every stride and divide by most of them.
_PROBES = ((2, 512), (3, 576))

# What stands for one while it is followed from call to call, and the size below which it is no
# longer: two sizes that strides made small may look the same.
_SAMPLES = ((32, 512), (48, 1088))
_SMALLEST_SAMPLE = 16

_FUNCTIONS = {"sub": "subtract", "mul": "multiply", "div": "divide"}

_local = threading.local()


Samples = tuple[tuple[int, ...], tuple[int, ...]]


def usual_samples(
    shape: Sequence[int | None], sizes: Sequence[tuple[int, int]] = _SAMPLES
) -> Samples:
    """Give unknown sizes values for the scratch traces: of the batch, and of other axes."""
    first, second = (
        tuple(n if n is not None else other if axis else batch for axis, n in enumerate(shape))
        for batch, other in sizes
    )
    return first, second


class KerasTensor(Operators):
    """A tensor of a functional model: what `Input`, and layers called on one, return.

    Parameters
    ----------
    shape : sequence of int or None
        With the batch; None where the data decide.
    dtype : str, default "float32"
    name : str, optional

    Attributes
    ----------
    shape : tuple of int or None
    dtype : str
    name : str
    node : Node or None
        The call that made it.
    index : int
        Which of the call's results it is.
    samples : tuple of two shapes, or None
        Its shape in the two scratch traces, where every unknown size has a value; None when these
        would contradict those of other tensors.

    Examples
    --------
    >>> import fastcnn as fc
    >>> x = fc.Input((32, 32, 3))
    >>> fc.ops.max_pool2d(x).shape
    (None, 16, 16, 3)
    """

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: str = "float32",
        name: str | None = None,
        samples: Samples | None = None,
    ) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.name = name or "keras_tensor"
        self.samples = samples
        self.node: Node | None = None
        self.index = 0

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __fastcnn_apply__(self, op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
        from fastcnn import ops

        return getattr(ops, _FUNCTIONS.get(op, op))(*inputs, **attrs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise DTypeError(
            f"{self!r} has no values yet: it belongs to a model under construction. Use functions "
            "of fastcnn.ops instead of NumPy's, and call or predict with the model to get arrays"
        )

    def __bool__(self) -> bool:
        raise DTypeError(f"{self!r} has no value yet, so it cannot decide a condition")

    def __iter__(self) -> Iterator[Any]:
        raise DTypeError(f"{self!r} cannot be iterated over")

    def __repr__(self) -> str:
        return f"<KerasTensor {self.name}, shape={self.shape}, {self.dtype}>"


class Node:
    """One call of a layer on `KerasTensor` operands.

    Attributes
    ----------
    layer : Layer
    args, kwargs
        What the layer was called with.
    outputs
        The structure of `KerasTensor` it returned.
    """

    def __init__(self, layer: Layer, args: Any, kwargs: Any, outputs: Any) -> None:
        self.layer = layer
        self.args = args
        self.kwargs = kwargs
        # Tensors of its own: a layer may return what it was given.
        self.outputs = _tree.map_structure(
            lambda x: KerasTensor(x.shape, x.dtype, name=layer.name, samples=x.samples), outputs
        )
        for index, output in enumerate(_tree.flatten(self.outputs)):
            output.node, output.index = self, index

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic operands in order."""
        return [x for x in _tree.flatten((self.args, self.kwargs)) if isinstance(x, KerasTensor)]


def recordable(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of `fastcnn.ops` become part of functional models.

    Parameters
    ----------
    function : callable
        Takes arrays, variables and values of a trace.

    Returns
    -------
    callable
        Also takes `KerasTensor`, in arguments or in lists of them.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
        if not (_any_symbolic(args) or (kwargs and _any_symbolic(kwargs.values()))):
            return function(*args, **kwargs)
        if _in_layer():
            return infer(function, args, kwargs)
        from fastcnn.layers.op_layer import OpLayer

        return OpLayer.record(function.__name__, args, kwargs)

    return wrapper


def _any_symbolic(values: Any) -> bool:
    return any(
        isinstance(x, KerasTensor) or (isinstance(x, (list, tuple)) and _any_symbolic(x))
        for x in values
    )


def infer(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Find the shapes of a function's results, and record nothing.

    Parameters
    ----------
    function : callable
        Takes values of a trace.
    args, kwargs
        What to call it with, `KerasTensor` among it.

    Returns
    -------
    structure of KerasTensor
    """
    operands = [x for x in _tree.flatten((args, kwargs)) if isinstance(x, KerasTensor)]
    if all(x.samples is not None or None not in x.shape for x in operands):
        try:
            results = [_probe(function, args, kwargs, run) for run in _runs(operands)]
            return _merge_all(results, keep=True)
        except FastcnnError:
            if not any(None in x.shape for x in operands):
                raise
    # What was imagined of the operands does not fit together: forget it.
    shapes = {id(x): usual_samples(x.shape, _PROBES) for x in operands}
    results = []
    for run, (batch, other) in enumerate(_PROBES):
        try:
            results.append(_probe(function, args, kwargs, {k: s[run] for k, s in shapes.items()}))
        except FastcnnError as error:
            raise type(error)(
                f"{error} (operands of shapes {', '.join(str(x.shape) for x in operands)}: None "
                f"was tried as {batch} for the batch and {other} for other axes)"
            ) from error
    return _merge_all(results, keep=False)


def _runs(operands: Sequence[KerasTensor]) -> list[dict[int, tuple[int, ...]]]:
    """Give the operands' shapes in each scratch trace; one will do if all sizes are known."""
    count = 2 if any(None in x.shape for x in operands) else 1
    return [
        {id(x): x.samples[run] if x.samples is not None else _known(x.shape) for x in operands}
        for run in range(count)
    ]


def _known(shape: Sequence[int | None]) -> tuple[int, ...]:
    return tuple(n for n in shape if n is not None)


def _probe(
    function: Callable[..., Any], args: Any, kwargs: Any, shapes: dict[int, tuple[int, ...]]
) -> Any:
    trace = Trace()

    def operand(x: Any) -> Any:
        return trace.input(shapes[id(x)], x.dtype) if isinstance(x, KerasTensor) else x

    args, kwargs = _tree.map_structure(operand, (args, kwargs))
    with trace:
        result = function(*args, **kwargs)
    for x in _tree.flatten(result):
        if not isinstance(x, Value):
            name = getattr(function, "__name__", repr(function))
            raise DTypeError(f"{name} gave a {type(x).__name__} for a symbolic tensor")
    return result


def _merge_all(results: Sequence[Any], keep: bool) -> Any:
    flat = [_merge(values, keep) for values in zip(*map(_tree.flatten, results), strict=True)]
    return _tree.pack(results[0], flat)


def _merge(values: Sequence[Value], keep: bool) -> KerasTensor:
    first, last = values[0], values[-1]
    shape = [a if a == b else None for a, b in zip(first.shape, last.shape, strict=True)]
    sizes = [min(a, b) for a, b in zip(first.shape, last.shape, strict=True) if a != b]
    known = keep and min(sizes, default=_SMALLEST_SAMPLE) >= _SMALLEST_SAMPLE
    return KerasTensor(
        shape, first.dtype, samples=(first.shape, last.shape) if known or not sizes else None
    )


def _in_layer() -> bool:
    return getattr(_local, "depth", 0) > 0


@contextmanager
def shapes_only() -> Iterator[None]:
    """Within the block, calls on `KerasTensor` give shapes and record nothing."""
    _local.depth = getattr(_local, "depth", 0) + 1
    try:
        yield
    finally:
        _local.depth -= 1


@contextmanager
def recording() -> Iterator[None]:
    """Within the block, calls are recorded even if they are part of another layer's."""
    depth, _local.depth = getattr(_local, "depth", 0), 0
    try:
        yield
    finally:
        _local.depth = depth


def record(layer: Layer, args: Any, kwargs: Any, outputs: Any) -> Any:
    """Note a layer's call, unless it is part of another layer's; return its results."""
    for leaf in _tree.flatten(outputs):
        if not isinstance(leaf, KerasTensor):
            raise DTypeError(
                f'layer "{layer.name}" returned {type(leaf).__name__} for a symbolic input; '
                "its call must return what functions of fastcnn.ops or other layers return"
            )
    if _in_layer():
        return outputs
    node = Node(layer, args, kwargs, outputs)
    layer._nodes.append(node)
    return node.outputs
