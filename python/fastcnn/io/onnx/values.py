"""Values of an ONNX graph, and where their elements lie.

ONNX says what the axes of a tensor mean: pictures are (n, c, h, w). Here they are stored as
(n, h, w, c), and nothing is moved until an operator needs another order. To that end a value's axes
are products of *atoms*, and atoms are stored in an order of their own::

    a picture             axes [n] [c] [h] [w]       stored n h w c
    flattened             axes [n] [c h w]           stored n h w c
    in groups (reshaped)  axes [n] [g] [k] [h] [w]   stored n h w g k
    groups transposed     axes [n] [k] [g] [h] [w]   stored n h w g k

Reshape, Transpose, Flatten, Squeeze and Unsqueeze only rename. An axis of size 1 has no atoms.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError
from fastcnn.sizes import Size, product, quotient, same

if TYPE_CHECKING:
    from fastcnn.io.onnx.importer import Importer

Order = tuple[int, ...]


class Atom:
    """A part of an axis that is never divided; told apart by identity."""

    __slots__ = ("size",)

    def __init__(self, size: Any) -> None:
        self.size = size


def channels_last(rank: int) -> Order:
    """Give the order in which pictures are stored: axis 1 after all others.

    Examples
    --------
    >>> channels_last(4)
    (0, 2, 3, 1)
    """
    return (0, *range(2, rank), 1) if rank >= 3 else tuple(range(rank))


def _axis(size: Any) -> tuple[Atom, ...]:
    return () if same(size, 1) else (Atom(size),)


class Value:
    """A tensor of the graph: a constant, or something that the data decide.

    Parameters
    ----------
    home : Importer
    tensor : KerasTensor or numpy.ndarray
        A constant may be an array of objects: integers some of which are `Size`.
    axes : sequence of sequence of Atom
        What each of the tensor's axes, as ONNX counts them, is made of.
    stored : sequence of Atom
        The same atoms in the order in which `tensor` holds them.
    trainable : bool
        Whether it is a constant that the file calls a parameter.
    """

    def __init__(
        self,
        home: Importer,
        tensor: Any,
        axes: Sequence[Sequence[Atom]],
        stored: Sequence[Atom],
        trainable: bool = False,
    ) -> None:
        self.home = home
        self.tensor = tensor
        self.axes = tuple(tuple(axis) for axis in axes)
        self.stored = tuple(stored)
        self.trainable = trainable
        self.name = ""  # in the file
        self._arranged: dict[tuple[Atom, ...], Any] = {self.stored: tensor}

    @classmethod
    def of(cls, home: Importer, tensor: Any, order: Sequence[int] | None = None) -> Value:
        """Make the value of a tensor whose axis i is ONNX's axis ``order[i]``."""
        sizes = home.sizes(tensor)
        places = range(len(sizes)) if order is None else order
        axes: list[tuple[Atom, ...]] = [()] * len(sizes)
        for size, place in zip(sizes, places, strict=True):
            axes[place] = _axis(size)
        return cls(home, tensor, axes, [atom for place in places for atom in axes[place]])

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes of its axes as ONNX counts them: int, or `Size` where the data decide."""
        return tuple(product([atom.size for atom in axis]) for axis in self.axes)

    @property
    def rank(self) -> int:
        """The number of its axes."""
        return len(self.axes)

    @property
    def is_constant(self) -> bool:
        """Whether it is known while the model is described."""
        return isinstance(self.tensor, np.ndarray)

    @property
    def constant(self) -> NDArray[Any] | None:
        """Its elements in ONNX's order if they are known."""
        return self.plain() if self.is_constant else None

    @property
    def dtype(self) -> str:
        """The name of the type of its elements."""
        return str(self.tensor.dtype)

    # ---- its elements in some order --------------------------------------------------------------

    def stored_as(self, order: Sequence[int]) -> Any:
        """Give a tensor whose axis i is ONNX's axis ``order[i]``; elements move if they must."""
        tensor = self._in_order([atom for axis in order for atom in self.axes[axis]])
        shape = self.shape
        return self.home.reshape(tensor, [shape[axis] for axis in order])

    def plain(self) -> Any:
        """Give a tensor with ONNX's own order of axes."""
        return self.stored_as(range(self.rank))

    def channels_last(self) -> Any:
        """Give a tensor whose axis 1 is the last."""
        return self.stored_as(channels_last(self.rank))

    def as_stored(self) -> tuple[Any, Order]:
        """Give a tensor, and which of ONNX's axes its axes are, such that the least moves."""
        order = self.order
        return self.stored_as(order), order

    @property
    def order(self) -> Order:
        """The order of ONNX's axes in which the elements lie, as far as there is one."""
        usual = channels_last(self.rank), tuple(range(self.rank))
        for order in usual:
            if tuple(atom for axis in order for atom in self.axes[axis]) == self.stored:
                return order
        places = {atom: place for place, atom in enumerate(self.stored)}
        first: list[int] = []
        for axis in self.axes:  # an axis of size 1 goes after the one before it
            first.append(places[axis[0]] if axis else first[-1] if first else -1)
        return tuple(sorted(range(self.rank), key=lambda axis: first[axis]))

    def _in_order(self, wanted: Sequence[Atom]) -> Any:
        wanted = tuple(wanted)
        if wanted not in self._arranged:
            # Atoms that are neighbours before and after move as one.
            follows = dict(itertools.pairwise(wanted))
            runs: list[list[Atom]] = []
            for atom in self.stored:
                if runs and follows.get(runs[-1][-1]) is atom:
                    runs[-1].append(atom)
                else:
                    runs.append([atom])
            place = {run[0]: index for index, run in enumerate(runs)}
            permutation = [place[atom] for atom in wanted if atom in place]
            split = self.home.reshape(
                self.tensor, [product([atom.size for atom in run]) for run in runs]
            )
            self._arranged[wanted] = self.home.transpose(split, permutation)
        return self._arranged[wanted]

    # ---- the same elements under other names -----------------------------------------------------

    def like(self, tensor: Any) -> Value:
        """Make a value of another tensor of the same sizes, stored as this one is."""
        return Value(self.home, tensor, self.axes, self.stored)

    def _renamed(self, axes: Sequence[Sequence[Atom]], stored: Sequence[Atom]) -> Value:
        return Value(self.home, self.tensor, axes, stored, self.trainable)

    def transposed(self, permutation: Sequence[int]) -> Value:
        """Let axis i be what was axis ``permutation[i]``."""
        return self._renamed([self.axes[axis] for axis in permutation], self.stored)

    def reshaped(self, shape: Sequence[Any]) -> Value:
        """Let the same elements have another shape, without -1."""
        if not same(product(shape), product(self.shape)):
            raise FileFormatError(f"cannot reshape {self.shape} to {tuple(shape)}")
        found = self._divide(shape)
        if found is not None:
            return found
        tensor = self.home.reshape(self.plain(), shape)
        return Value.of(self.home, tensor)._with(self.trainable)

    def _with(self, trainable: bool) -> Value:
        self.trainable = trainable
        return self

    def _divide(self, shape: Sequence[Any]) -> Value | None:
        """Distribute the atoms over the axes of a new shape; None where that is not possible."""
        stored = list(self.stored)
        remaining = [atom for axis in self.axes for atom in axis]
        axes: list[list[Atom]] = []
        for wanted in shape:
            axis: list[Atom] = []
            while not same(wanted, 1):
                if not remaining:
                    return None
                atom = remaining[0]
                left = quotient(wanted, atom.size)
                if left is not None:
                    axis.append(remaining.pop(0))
                    wanted = left
                    continue
                inner = quotient(atom.size, wanted)
                if inner is None:
                    return None
                slow, fast = Atom(wanted), Atom(inner)
                place = stored.index(atom)
                stored[place : place + 1] = [slow, fast]
                remaining[0] = fast
                axis.append(slow)
                wanted = 1
            axes.append(axis)
        return None if remaining else self._renamed(axes, stored)

    def permutation_of(self, axes: Sequence[int]) -> NDArray[np.int64] | None:
        """Tell in which order axes that become one are stored.

        Returns
        -------
        array of int64, or None
            Element i, as stored, is element ``result[i]`` in ONNX's order; None where the elements
            of these axes do not lie together, or their number is not known.
        """
        logical = [atom for axis in axes for atom in self.axes[axis]]
        if any(isinstance(atom.size, Size) for atom in logical):
            return None
        places = [place for place, atom in enumerate(self.stored) if atom in set(logical)]
        if places and places != list(range(places[0], places[-1] + 1)):
            return None
        index = np.arange(math.prod(atom.size for atom in logical)).reshape(
            [atom.size for atom in logical]
        )
        moved = index.transpose([logical.index(self.stored[place]) for place in places])
        return np.ravel(moved)

    def __repr__(self) -> str:
        kind = "constant" if self.is_constant else "value"
        return f"<{kind} {self.name} {self.shape}>"
