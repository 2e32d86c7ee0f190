"""Plans of layers and models: compiled for given shapes, kept for the next call, printable."""

from __future__ import annotations

import html
import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import _C, _tree, config, cuda
from fastcnn.errors import DTypeError, ShapeError
from fastcnn.ops._dispatch import as_array, as_numbers, device_of, run_plan
from fastcnn.ops._shape import as_list
from fastcnn.tracing import Trace, Value

if TYPE_CHECKING:
    from fastcnn.autotune import TimingCache

# Plans of one model for different shapes share their packed weights; each has an arena of its own.
_CAPACITY = 16

_changes = 0


def note_change() -> None:
    """Tell that a layer which plans describe is not what it was: they are made anew."""
    global _changes
    _changes += 1


def is_array(x: Any) -> bool:
    """Whether `x` is an operand rather than an option: an array of any library."""
    return isinstance(x, (np.ndarray, ShapeOf)) or any(
        hasattr(x, name)
        for name in ("__dlpack__", "__array_interface__", "__array__", "__cuda_array_interface__")
    )


class Compiled(NamedTuple):
    """A plan, the structure its outputs are returned in, and what gives its last inputs."""

    plan: _C.Plan
    structure: Any
    feeds: tuple[Callable[[], NDArray[Any]], ...] = ()

    def run(
        self, arrays: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]] | None = None
    ) -> list[NDArray[Any]]:
        """Run it on a call's arrays; give the outputs in order."""
        return run_plan(self.plan, [*arrays, *(feed() for feed in self.feeds)], outputs)

    def __call__(self, arrays: Sequence[NDArray[Any]]) -> Any:
        """Run it and give the outputs in their structure."""
        return _tree.pack(self.structure, self.run(arrays))


class PlanCache:
    """The plans of one function of arrays; the least recently used goes when there are too many.

    Parameters
    ----------
    describe : callable
        ``describe(trace, args, kwargs)`` adds the function to a graph and gives its results.
    otherwise : callable, optional
        Describes the same function in another way, taken where its plan needs less memory.
    name : str
        What errors call it.
    dtype : str or None, default "float32"
        What arrays are converted to. None: integers stay, all others become float32.
    options : object, optional
        Its ``precision`` and ``device``, where they are not None, are those of the plans; what is
        set at the call unless given. Its ``_quantization`` says how they compute in 8 bits.
    trace : callable, default `Trace`
        What begins a graph.
    """

    def __init__(
        self,
        describe: Callable[[Trace, Any, Any], Any],
        name: str,
        dtype: str | None = "float32",
        options: Any = None,
        trace: Callable[[], Trace] = Trace,
        capacity: int = _CAPACITY,
        otherwise: Callable[[Trace, Any, Any], Any] | None = None,
    ) -> None:
        self._describe = describe
        self._otherwise = otherwise
        self._name = name
        self._dtype = dtype
        self._options = options
        self._trace = trace
        self._capacity = capacity
        self._plans: OrderedDict[Any, Compiled] = OrderedDict()
        self._constants = _C.ConstantCache()
        self._lock = threading.RLock()

    def get(self, args: Any, kwargs: Any) -> tuple[Compiled, list[Any]]:
        """Find or make the plan for a call, and give the call's arrays as it takes them."""
        arrays: list[Any] = []
        given: Any

        def describe(x: Any) -> Any:
            if not is_array(x):
                return (type(x), x)  # 1, 1.0 and True are equal but not the same option
            if isinstance(x, ShapeOf):
                return x
            arrays.append(self._as_array(x))
            return ShapeOf(arrays[-1].shape, arrays[-1].dtype.name)

        precision = getattr(self._options, "precision", None) or config.get_float32_precision()
        timings = config.get_autotune()
        alone = len(args) == 1 and not kwargs and self._dtype is not None
        if alone and isinstance(args[0], (np.ndarray, ShapeOf)):
            given = args[0].shape  # what most calls are
            if isinstance(args[0], np.ndarray):
                arrays.append(self._as_array(args[0]))
        else:
            given = _tree.signature((args, kwargs), describe)
        device = device_of(arrays, getattr(self._options, "device", None) or config.get_device())
        key = (given, precision, timings, device, _C.max_isa(), _changes)
        with self._lock:
            found = self._plans.get(key)
            if found is not None and not found.plan.is_stale():
                self._plans.move_to_end(key)
                return found, arrays
            made = self._compile(args, kwargs, precision, timings, device)
            if self._otherwise is not None:
                other = self._compile(args, kwargs, precision, timings, device, self._otherwise)
                if other.plan.arena_bytes < made.plan.arena_bytes:
                    made = other
            self._drop_outdated()
            # Building a layer while it is traced counts as a change of what it is.
            self._plans[(given, precision, timings, device, _C.max_isa(), _changes)] = made
            while len(self._plans) > self._capacity:
                self._plans.popitem(last=False)
            return made, arrays

    def _as_array(self, x: Any) -> Any:
        if cuda.is_device_array(x):
            return cuda.as_operand(x, self._dtype)
        return as_numbers(x) if self._dtype is None else as_array(x, self._dtype)

    def _drop_outdated(self) -> None:
        # Nobody asks for them again, and each holds an arena and the weights as they were.
        for key, compiled in list(self._plans.items()):
            if key[-1] != _changes or compiled.plan.is_stale():
                del self._plans[key]

    def trace(
        self, args: Any, kwargs: Any, describe: Callable[[Trace, Any, Any], Any] | None = None
    ) -> tuple[Trace, Any]:
        """Describe the function for a call; give the structure of its outputs, too."""
        trace = self._trace()

        def symbolic(x: Any) -> Any:
            if not is_array(x):
                return x
            if isinstance(x, ShapeOf):
                return trace.input(x.shape, x.dtype)
            dtype = self._dtype or self._as_array(x).dtype.name
            return trace.input(_shape(x), dtype)

        args, kwargs = _tree.map_structure(symbolic, (args, kwargs))
        with trace:
            outputs = (describe or self._describe)(trace, args, kwargs)
        leaves = _tree.flatten(outputs)
        for leaf in leaves:
            if not isinstance(leaf, Value):
                raise DTypeError(
                    f"{self._name} returned {type(leaf).__name__} where a tensor was "
                    "expected; it must return what functions of fastcnn.ops return"
                )
        trace.finish(leaves)
        return trace, outputs

    def _compile(
        self,
        args: Any,
        kwargs: Any,
        precision: str,
        timings: TimingCache | None,
        device: str,
        describe: Callable[[Trace, Any, Any], Any] | None = None,
    ) -> Compiled:
        trace, outputs = self.trace(args, kwargs, describe)
        quantization = getattr(self._options, "_quantization", None)
        plan = _C.compile(
            trace.graph,
            precision=precision,
            cache=self._constants,
            timings=timings._timings if timings is not None else None,
            quantization=None if quantization is None else quantization.spec(),
            device=device,
        )
        return Compiled(plan, _tree.map_structure(lambda _: None, outputs), tuple(trace.feeds))

    def latest(self) -> _C.Plan | None:
        """The plan used last, if there is one."""
        with self._lock:
            return next(reversed(self._plans.values())).plan if self._plans else None


@dataclass(frozen=True)
class ShapeOf:
    """The place of an array of which only the shape and the dtype matter."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @staticmethod
    def given(owner: str, shape: Any) -> ShapeOf:
        """Stand for an array of a shape that a caller wrote down.

        Raises
        ------
        ShapeError
            It is no sequence of whole numbers.
        """
        try:
            sizes = tuple(map(operator.index, shape))
        except TypeError:
            sizes = None
        if sizes is None or any(abs(n) >= 2**63 for n in sizes):
            raise ShapeError(
                f"{owner}: expected shapes of whole numbers, the batch first, such as "
                f"(1, 224, 224, 3), got {shape!r}"
            )
        return ShapeOf(sizes)


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


class Plan:
    """How a model is computed for given shapes: which kernels, in which order, in what memory.

    `Model.plan` returns it.

    Attributes
    ----------
    input_shapes, output_shapes : list of tuple
    arena_bytes : int
        Memory for everything between the input and the output, and for what kernels need meanwhile.
        Not in it is what each thread keeps for all plans of the process, mostly a megabyte or two.
    constant_bytes : int
        Memory for packed weights.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.Sequential([fc.Input((32, 32, 3)), fc.layers.MaxPooling2D()])
    >>> plan = model.plan((1, 32, 32, 3))
    >>> plan.output_shapes, len(plan)
    ([(1, 16, 16, 3)], 1)
    """

    def __init__(self, plan: _C.Plan) -> None:
        self._plan = plan
        self._steps = plan.steps()

    @property
    def steps(self) -> list[_C.PlanStep]:
        """For each step what `describe` shows, and its workspace and the kernels declined.

        ``"dtype"`` is how the result is stored: at ``medium`` what layers hand to each other may be
        bfloat16. ``"precision"`` is the level that the step needs, which is ``medium`` where it
        reads or writes bfloat16. ``"notes"`` say what is computed in the same pass (``"bias"``,
        which is also what batch norm becomes, ``"add"``, an activation), and ``"in place"`` of a
        concatenation whose operands are computed where they belong, so that nothing is copied.
        """
        return self._steps

    @property
    def input_shapes(self) -> list[tuple[int, ...]]:
        """The shapes it takes."""
        return [tuple(shape) for shape, _ in self._plan.input_types]

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """The shapes it gives."""
        return [tuple(shape) for shape, _ in self._plan.output_types]

    @property
    def arena_bytes(self) -> int:
        """Memory for everything between the input and the output, without that of threads."""
        return self._plan.arena_bytes

    @property
    def constant_bytes(self) -> int:
        """Memory for packed weights."""
        return self._plan.constant_bytes

    @property
    def flops(self) -> int:
        """Floating-point operations of one run, a fused multiply-add being two."""
        return sum(step["flops"] for step in self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def run(self, inputs: Sequence[Any]) -> list[NDArray[Any]]:
        """Run it on arrays of exactly `input_shapes`."""
        return self._plan.run(self._arrays(inputs))

    def profile(self, inputs: Sequence[Any]) -> list[int]:
        """Run it once and tell the nanoseconds of each step."""
        return self._plan.profile(self._arrays(inputs))

    def _arrays(self, inputs: Sequence[Any]) -> list[NDArray[Any]]:
        arrays = [as_array(x) for x in as_list("plan", "inputs", inputs)]
        if [x.shape for x in arrays] != self.input_shapes:
            raise ShapeError(
                f"plan: expected inputs of shapes {self.input_shapes}, "
                f"got {[x.shape for x in arrays]}"
            )
        return arrays

    def describe(self, verbose: bool = False) -> str:
        """Draw the steps as a table.

        Parameters
        ----------
        verbose : bool, default False
            Also list the better kernels each step passed over, and why.
        """
        rows = [_HEADER, *(_cells(step) for step in self._steps)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
        lines = []
        for number, row in enumerate(rows):
            cells = zip(row, widths, _ALIGN, strict=True)
            lines.append("  ".join(align(cell, width) for cell, width, align in cells).rstrip())
            if number == 0:
                lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
            elif verbose:
                declined = self._steps[number - 1]["declined"]
                lines.extend(f"      not {kernel}: {reason}" for kernel, reason in declined)
        return "\n".join([*lines, self._totals()])

    def _totals(self) -> str:
        return (
            f"{len(self)} steps, {with_unit(self.flops, 'FLOP')}, "
            f"arena {with_unit(self.arena_bytes, 'B')}, "
            f"constants {with_unit(self.constant_bytes, 'B')}"
        )

    def __repr__(self) -> str:
        return f"<Plan {self.input_shapes} -> {self.output_shapes}, {self._totals()}>"

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        rows = [_cells(step) for step in self._steps]
        return html_table(_HEADER, rows) + f"<p>{html.escape(self._totals())}</p>"


_HEADER = ("step", "op", "kernel", "in", "out", "dtype", "precision", "FLOP", "bytes", "notes")
_ALIGN: tuple[Callable[[str, int], str], ...] = (*(str.ljust,) * 7, *(str.rjust,) * 2, str.ljust)


def _cells(step: _C.PlanStep) -> tuple[str, ...]:
    return (
        step["name"] or "-",
        step["op"],
        step["kernel"],
        "x".join(map(str, step["inputs"][0])) if step["inputs"] else "-",
        " ".join("x".join(map(str, shape)) for shape in step["outputs"]),
        step["dtype"],
        step["precision"],
        with_unit(step["flops"], ""),
        with_unit(step["bytes"], ""),
        ", ".join(step["notes"]),
    )


def with_unit(number: int, unit: str) -> str:
    """Write a number with a metric prefix.

    Examples
    --------
    >>> with_unit(3_860_000_000, "FLOP"), with_unit(12, "B")
    ('3.86 GFLOP', '12 B')
    """
    for power, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return f"{number / 10**power:.3g} {prefix}{unit}"
    return f"{number} {unit}".rstrip()


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table for a notebook."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', header)}</thead><tbody>{body}</tbody></table>"
