"""Sizes that only the data decide, and arithmetic on them.

Inside a model a call may depend on the size of a tensor: a picture is enlarged to the height and
width of another. `Size` stands for such a number while the model is described; `OpLayer` keeps it
as an expression and works it out when the model is traced for arrays of given shapes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fastcnn.errors import ConfigError

if TYPE_CHECKING:
    from fastcnn.symbolic import KerasTensor

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "/": operator.truediv,
    "floor": math.floor,
    "ceil": math.ceil,
    "int": int,
    "max": max,
    "min": min,
}

Number = int | float


class Size:
    """A number that is computed from sizes of tensors.

    Parameters
    ----------
    expression : int, float, or a tuple
        ``("size", tensor, axis)``, or the name of a function and its operands.
    samples : tuple of int or float
        What it is in each of a few imagined runs, in which every size that the data decide has a
        value of its own. Two numbers with the same samples are taken to be the same.

    Examples
    --------
    >>> height = Size(("size", None, 1), (512, 576))
    >>> (height * 2 + 1).samples
    (1025, 1153)
    """

    __slots__ = ("expression", "samples")

    def __init__(self, expression: Any, samples: tuple[Any, ...]) -> None:
        self.expression = expression
        self.samples = samples

    @staticmethod
    def of(tensor: KerasTensor, axis: int, samples: Sequence[int]) -> Size:
        """Stand for the size of a tensor's axis."""
        return Size(("size", tensor, axis), tuple(samples))

    @staticmethod
    def apply(function: str, *operands: Any) -> Any:
        """Apply a function by its name; what is the same in every run is a plain number."""
        count = next((len(x.samples) for x in operands if isinstance(x, Size)), 1)
        columns = zip(*(samples_of(x, count) for x in operands), strict=True)
        samples = tuple(_FUNCTIONS[function](*column) for column in columns)
        if not any(isinstance(x, Size) for x in operands):
            return samples[0]
        expression = (function, *(x.expression if isinstance(x, Size) else x for x in operands))
        return Size(expression, samples)

    def __add__(self, other: Any) -> Any:
        return Size.apply("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return Size.apply("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return Size.apply("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return Size.apply("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return Size.apply("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return Size.apply("*", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return Size.apply("//", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return Size.apply("//", other, self)

    def __truediv__(self, other: Any) -> Any:
        return Size.apply("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return Size.apply("/", other, self)

    def __neg__(self) -> Any:
        return Size.apply("-", 0, self)

    def describe(self, refer: Callable[[KerasTensor], int]) -> Any:
        """Give the expression as plain data; `refer` numbers the tensors."""

        def plain(x: Any) -> Any:
            if not isinstance(x, tuple):
                return x
            if x[0] == "size":
                return ["size", refer(x[1]), x[2]]
            return [x[0], *(plain(operand) for operand in x[1:])]

        return plain(self.expression)

    def __repr__(self) -> str:
        return f"<Size {'/'.join(map(str, self.samples))}>"


def evaluate(expression: Any, shapes: Sequence[Sequence[int]]) -> Number:
    """Work out what `Size.describe` gave.

    Parameters
    ----------
    expression : int, float or list
    shapes : sequence of shapes
        Of the tensors that it refers to by number.

    Raises
    ------
    ConfigError
        It is malformed.

    Examples
    --------
    >>> evaluate(["*", ["size", 0, 1], 2], [(1, 5, 5, 3)])
    10
    """
    if isinstance(expression, (int, float)):
        return expression
    if not isinstance(expression, (list, tuple)) or len(expression) < 2:
        raise ConfigError(f"expected a size, got {str(expression)[:200]}")
    name, *operands = expression
    if name == "size":
        return shapes[operands[0]][operands[1]]
    if not isinstance(name, str) or name not in _FUNCTIONS:
        raise ConfigError(f"expected the name of a function of sizes, got {str(name)[:200]}")
    values = [evaluate(operand, shapes) for operand in operands]
    try:
        result: Number = _FUNCTIONS[name](*values)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the size {name}{tuple(values)} cannot be worked out: {error}"
        ) from error
    return result


def samples_of(x: Any, count: int) -> tuple[Any, ...]:
    """What a number is in each imagined run."""
    return x.samples if isinstance(x, Size) else (x,) * count


def same(a: Any, b: Any) -> bool:
    """Whether two numbers are the same in every imagined run.

    Examples
    --------
    >>> same(2, 2), same(2, Size(("size", None, 0), (2, 3)))
    (True, False)
    """
    count = max(len(x.samples) if isinstance(x, Size) else 1 for x in (a, b))
    return samples_of(a, count) == samples_of(b, count)


def quotient(a: Any, b: Any) -> Any:
    """``a / b`` where that is a whole number in every imagined run, None elsewhere.

    Examples
    --------
    >>> quotient(6, 3), quotient(6, 4)
    (2, None)
    """
    count = max(len(x.samples) if isinstance(x, Size) else 1 for x in (a, b))
    pairs = list(zip(samples_of(a, count), samples_of(b, count), strict=True))
    if any(not y or x % y for x, y in pairs):
        return None
    if len({x // y for x, y in pairs}) == 1:
        return pairs[0][0] // pairs[0][1]
    return a // b


def product(values: Sequence[Any]) -> Any:
    """Multiply numbers of which some may be `Size`.

    Examples
    --------
    >>> product([2, 3, 4])
    24
    """
    total: Any = 1
    for value in values:
        total = total * value
    return total
