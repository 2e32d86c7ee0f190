"""The weights of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _C
from fastcnn.errors import DTypeError, ShapeError, UnsupportedError
from fastcnn.ops._dispatch import apply_op
from fastcnn.tracing import Operators, Value


class Variable(Operators, _C.Variable):
    """State that a layer owns: an array kept by the compiled core and updated in place.

    Arithmetic with it gives arrays, or nodes of the graph of which a part is being described; what
    is assigned then, is assigned at the end of every run.

    Parameters
    ----------
    value : array-like
        The first value; stored as float32.
    trainable : bool, default True
        Whether training changes it; statistics, for example, are not trained.
    name : str, default "variable"
        What the layer calls it, such as ``"kernel"``.
    path : str, optional
        The layer's name and its own, such as ``"conv2d/kernel"``; `name` unless given.

    Attributes
    ----------
    regularizer, constraint : callable or None
        What training adds to the loss for it, and what it must keep to.
    fixed : str
        Why it can be assigned nothing, where that is so; else empty.

    Examples
    --------
    >>> import numpy as np
    >>> bias = Variable(np.zeros(3), name="bias")
    >>> bias.assign([1, 2, 3])
    >>> bias.numpy()
    array([1., 2., 3.], dtype=float32)
    >>> bias
    <Variable bias, shape=(3,), float32>
    """

    def __init__(
        self, value: Any, *, trainable: bool = True, name: str = "variable", path: str | None = None
    ) -> None:
        super().__init__(_as_float32(value))
        self.trainable = trainable
        self.name = name
        self.path = name if path is None else path
        self.regularizer: Callable[[Any], Any] | None = None
        self.constraint: Callable[[Any], Any] | None = None
        self.fixed = ""

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def assign(self, value: Any) -> None:
        """Replace the value by another of the same shape.

        Raises
        ------
        UnsupportedError
            It is `fixed`: a weight of a quantised model.
        """
        if self.fixed:
            raise UnsupportedError(f"{self.path}: {self.fixed}")
        if isinstance(value, Value):
            value.trace.assign(self, value)
            return
        array = _as_float32(value)
        if array.shape != tuple(self.shape):
            raise ShapeError(
                f"{self.path}: expected a value of shape {tuple(self.shape)}, got {array.shape}"
            )
        super().assign(array)

    def assign_add(self, value: Any) -> None:
        """Add to the value."""
        self.assign(self + value)

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value."""
        self.assign(self - value)

    def __fastcnn_apply__(self, op: str, inputs: Any, attrs: dict[str, Any]) -> Any:
        return apply_op(op, inputs, **attrs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.numpy(), dtype=dtype)

    def __repr__(self) -> str:
        return f"<Variable {self.path}, shape={tuple(self.shape)}, {self.dtype}>"


def _as_float32(value: Any) -> NDArray[np.float32]:
    # A complex number loses a part without a word when it is cast; objects may hold anything.
    if np.asarray(value).dtype.kind not in "fiub":
        raise DTypeError(f"expected real numbers, got dtype {np.asarray(value).dtype}")
    return np.require(value, dtype=np.float32, requirements="C")
