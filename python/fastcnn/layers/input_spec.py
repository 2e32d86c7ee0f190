"""What a layer demands of its inputs' shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastcnn import _tree
from fastcnn.errors import DTypeError, ShapeError


class InputSpec:
    """The rank and sizes a layer can take; assigned to a layer's ``input_spec``.

    Parameters
    ----------
    shape : sequence of int or None, optional
        The sizes wanted; None takes any.
    ndim, min_ndim, max_ndim : int, optional
        The number of axes wanted, or its bounds.
    axes : mapping of int to int, optional
        The sizes wanted of some axes.

    Examples
    --------
    >>> InputSpec(ndim=4).check("conv2d", (None, 3))
    Traceback (most recent call last):
    fastcnn.errors.ShapeError: layer "conv2d": expected an input with 4 axes, got shape (None, 3)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
    ) -> None:
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = dict(axes or {})

    def check(self, layer: str, shape: Sequence[int | None], which: str = "an input") -> None:
        """Raise ShapeError, naming the layer, unless a shape fits."""

        def refuse(expected: str) -> ShapeError:
            return ShapeError(
                f'layer "{layer}": expected {which} {expected}, got shape {tuple(shape)}'
            )

        ndim = len(shape)
        if self.ndim is not None and ndim != self.ndim:
            raise refuse(f"with {self.ndim} axes")
        if self.min_ndim is not None and ndim < self.min_ndim:
            raise refuse(f"with at least {self.min_ndim} axes")
        if self.max_ndim is not None and ndim > self.max_ndim:
            raise refuse(f"with at most {self.max_ndim} axes")
        for axis, size in self.axes.items():
            if size is not None and (not -ndim <= axis < ndim or shape[axis] not in (size, None)):
                raise refuse(f"whose axis {axis} has size {size}")
        if self.shape is not None:
            agree = len(self.shape) == ndim and all(
                a is None or b is None or a == b for a, b in zip(self.shape, shape, strict=True)
            )
            if not agree:
                raise refuse(f"of shape {self.shape}")


def check_inputs(layer: str, specs: Any, inputs: Any) -> None:
    """Check what a layer is called on against its ``input_spec``: one spec, or one for each."""
    if specs is None:
        return
    leaves = _tree.flatten(inputs)
    specs = _tree.flatten(specs)
    if len(leaves) != len(specs):
        raise ShapeError(f'layer "{layer}": expected {len(specs)} inputs, got {len(leaves)}')
    for index, (spec, x) in enumerate(zip(specs, leaves, strict=True)):
        if not hasattr(x, "shape"):
            raise DTypeError(f'layer "{layer}": expected a tensor or an array, got {x!r}')
        if spec is not None:
            spec.check(layer, x.shape, "an input" if len(specs) == 1 else f"input {index}")
