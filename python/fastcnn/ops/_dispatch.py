"""The one way from a public function to the compiled core.

`apply_op` takes the operands of one op in any of three forms and does the same thing with each:

- arrays: a graph of this one node is compiled to a plan, the plan is cached and run;
- symbolic operands (values of a graph being traced, tensors of a functional model): the operand
  itself takes over through its ``__fastcnn_apply__`` method, as in NumPy's ``__array_function__``;
- `Variable`: state of a layer; read in place when it meets arrays.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastcnn import _C, config, cuda
from fastcnn.errors import ConfigError, DTypeError

if TYPE_CHECKING:
    from fastcnn.autotune import TimingCache

_SUPPORTED = ("float32", "float64", "int64", "int32", "uint8", "int8", "bool")
_BFLOAT16 = "bfloat16"  # of the package ml_dtypes; NumPy has none of its own


def as_array(x: Any, dtype: str | None = "float32") -> np.ndarray:
    """A C-contiguous array of `dtype` on the CPU, without a copy where `x` already is one.

    Parameters
    ----------
    x : array-like
        Anything with ``__dlpack__``, ``__array_interface__`` or ``__array__``; nested lists.
    dtype : str or None
        The dtype wanted; real numbers of any other kind are converted, bfloat16 of ``ml_dtypes``
        among them. None keeps the dtype.

    Raises
    ------
    DTypeError
        If `x` does not hold real numbers (complex, text, objects), or cannot become an array.
    """
    if type(x) is np.ndarray and dtype is not None and x.dtype == dtype and x.flags.c_contiguous:
        return x  # what most calls are
    if not isinstance(x, np.ndarray):
        x = _imported(x)
    if x.dtype.kind not in "fiub" and x.dtype.name != _BFLOAT16:
        raise DTypeError(f"expected an array of real numbers, got dtype {x.dtype}, shape {x.shape}")
    if dtype is None:  # by name, which makes bytes of the other order this machine's
        dtype = x.dtype.name if x.dtype.name in _SUPPORTED else "float32"
    return np.require(x, dtype=dtype, requirements="C")


def as_numbers(x: Any) -> np.ndarray:
    """`as_array`, in which integers stay what they are and all others become float32."""
    array = as_array(x, None)
    return array if array.dtype.kind in "iu" else as_array(array)


def as_operand(x: Any, dtype: str | None = "float32") -> Any:
    """`as_array`, but an array in a GPU's memory stays there."""
    return cuda.as_operand(x, dtype) if cuda.is_device_array(x) else as_array(x, dtype)


def _imported(x: Any) -> np.ndarray:
    """An array of what is none; every failure is reported in the same words."""
    # DLPack knows bfloat16, NumPy's reader of it does not.
    bfloat16 = str(getattr(x, "dtype", "")).endswith(_BFLOAT16)
    try:
        if hasattr(x, "__dlpack__") and not hasattr(x, "__array_interface__") and not bfloat16:
            return np.from_dlpack(x)
        return np.asarray(x)
    except (ValueError, TypeError, BufferError, RuntimeError, OverflowError) as error:
        kind = type(x).__name__
        advice = "; convert it to float32 first, in torch by x.float()" if bfloat16 else ""
        raise DTypeError(
            f"expected an array of real numbers, got a {kind}: {error}{advice}"
        ) from error


class _PlanCache:
    """The plans of array functions, bounded for ever-changing shapes (least recently used goes)."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._plans: OrderedDict[Any, _C.Plan] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], _C.Plan]) -> _C.Plan:
        with self._lock:
            plan = self._plans.get(key)
            if plan is not None:
                self._plans.move_to_end(key)
                return plan
        plan = make()
        with self._lock:
            self._plans[key] = plan
            if len(self._plans) > self._capacity:
                self._plans.popitem(last=False)
        return plan

    def __len__(self) -> int:
        return len(self._plans)


plan_cache = _PlanCache(capacity=256)


class _Active(threading.local):
    """The trace this thread is in, if any: there, an op on variables alone is a node too."""

    trace: Any = None


active = _Active()


def _freeze(value: Any) -> Any:
    """A key that tells apart what is equal but not the same: 1, 1.0 and True; 0.0 and -0.0."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_freeze, value))
    return (float, value.hex()) if isinstance(value, float) else (type(value), value)


def _plain(op: str, name: str, value: Any) -> Any:
    """An attribute as the core takes it: NumPy's numbers and arrays as Python's."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return tuple(_plain(op, name, v) for v in value)
    if isinstance(value, (float, str)):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    raise ConfigError(
        f"{op}: {name}: expected a bool, a number of at most 64 bits, a string or a sequence of "
        f"numbers, got {value!r}"
    )


def _compile(
    op: str,
    arrays: Sequence[np.ndarray],
    attrs: dict[str, Any],
    precision: str,
    kernel: str,
    timings: TimingCache | None,
    device: str,
) -> _C.Plan:
    graph = _C.Graph()
    operands = [graph.input(a.shape, a.dtype.name) for a in arrays]
    graph.set_outputs(graph.add(op, operands, attrs))
    known = timings._timings if timings is not None else None
    return _C.compile(graph, precision=precision, kernel=kernel, timings=known, device=device)


def device_of(arrays: Sequence[Any], chosen: str) -> str:
    """Where a call is computed: where its arrays are, if they are in a GPU's memory."""
    operands = [a for a in arrays if isinstance(a, cuda.Operand)]
    if not operands:
        return chosen
    indices = sorted({a.gpu for a in operands if a.gpu is not None})
    if len(indices) > 1:
        names = " and ".join(f"cuda:{i}" for i in indices)
        raise ConfigError(f"expected arrays of one GPU, got some on {names}; copy them to one")
    if indices:
        return config.check_device(f"cuda:{indices[0]}")
    return config.check_device("cuda") if chosen == "cpu" else chosen


def run_plan(
    plan: _C.Plan, arrays: Sequence[Any], outputs: Sequence[Any] | None = None
) -> list[Any]:
    """Run a plan on arrays of the host, or of its device."""
    if any(isinstance(a, cuda.Operand) for a in arrays):
        return cuda.run(plan, arrays)
    return plan.run(arrays, outputs)


def run_op(op: str, arrays: Sequence[Any], attrs: dict[str, Any], kernel: str = "") -> list[Any]:
    """Run one op on C-contiguous arrays; `kernel` forces that row of the op's table."""
    precision = config.get_float32_precision()
    device = device_of(arrays, config.get_device())
    timings = config.get_autotune()
    key = (
        op,
        tuple((a.shape, a.dtype.name) for a in arrays),
        tuple(sorted((k, _freeze(v)) for k, v in attrs.items())),
        precision,
        timings,
        _C.max_isa(),
        kernel,
        device,
    )
    plan = plan_cache.get(
        key, lambda: _compile(op, arrays, attrs, precision, kernel, timings, device)
    )
    return run_plan(plan, arrays)


def _kept(graph: Any, operand: Any, dtype: str | None) -> Any:
    """An operand beside a symbolic one: arrays that must not become float32 as what they are."""
    if dtype == "float32" or hasattr(operand, "__fastcnn_apply__"):
        return operand
    return graph.constant(as_numbers(operand) if dtype is None else as_array(operand, dtype))


def apply_op(
    op: str,
    inputs: Sequence[Any],
    dtypes: Sequence[str | None] | str | None = "float32",
    **attrs: Any,
) -> Any:
    """Apply one op of the compiled core to arrays, variables or symbolic operands.

    Parameters
    ----------
    op : str
        A name of ``_C.ops()``.
    inputs : sequence
        The operands in the op's order; those that are None are left out.
    dtypes : str, None, or one of these for each operand
        What array operands are converted to; None keeps an operand's dtype.
    **attrs
        The op's attributes; those that are None are left out.

    Returns
    -------
    The result, or a tuple of results if the op has several: arrays for arrays, else what the
    symbolic operands make of it.
    """
    attrs = {k: _plain(op, k, v) for k, v in attrs.items() if v is not None}
    per_input = (
        [dtypes] * len(inputs) if dtypes is None or isinstance(dtypes, str) else list(dtypes)
    )
    present = [(x, d) for x, d in zip(inputs, per_input, strict=True) if x is not None]
    for x, _ in present:
        if hasattr(x, "__fastcnn_apply__") and not isinstance(x, _C.Variable):
            return x.__fastcnn_apply__(op, [_kept(x, y, d) for y, d in present], attrs)
    if active.trace is not None and any(isinstance(x, _C.Variable) for x, _ in present):
        return active.trace.apply(op, [_kept(active.trace, x, d) for x, d in present], attrs)
    arrays = [x.view() if isinstance(x, _C.Variable) else as_operand(x, d) for x, d in present]
    results = run_op(op, arrays, attrs)
    return results[0] if len(results) == 1 else tuple(results)
