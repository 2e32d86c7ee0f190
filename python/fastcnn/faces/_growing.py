"""An array to which rows are added."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_ROOM = 16


class GrowingArray:
    """Rows in one array that is replaced by one of twice the size when it is full.

    So n rows cost O(n) copies, however few are added at a time. What `used` returned before stays
    as it was: rows are only ever written behind it, or in a new array.

    Parameters
    ----------
    rows : numpy.ndarray
        The first rows, of which there may be none; not copied.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self._room = rows
        self._count = len(rows)

    def __len__(self) -> int:
        return self._count

    @property
    def used(self) -> NDArray[Any]:
        """A view of the rows."""
        return self._room[: self._count]

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows of the same shape."""
        end = self._count + len(rows)
        if end > len(self._room):
            size = max(_FIRST_ROOM, end, 2 * self._count)
            room = np.empty((size, *self._room.shape[1:]), self._room.dtype)
            room[: self._count] = self.used
            self._room = room
        self._room[self._count : end] = rows
        self._count = end
