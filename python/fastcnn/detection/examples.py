"""Pictures with the boxes of what is in them: what detectors are trained and judged with."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.data._order import Purpose, check_seed, generator
from fastcnn.errors import ConfigError, FileFormatError, ShapeError, advised


@dataclass(frozen=True, eq=False)
class Example:
    """A picture, and the boxes of what is in it.

    Parameters
    ----------
    path : str
        The picture's file.
    boxes : array, float64, shape (n, 4)
        (x1, y1, x2, y2) in pixels of the picture.
    labels : array, int64, shape (n,)
        The class of each box, as a number.
    difficult : array of bool, shape (n,), optional
        Pascal VOC: hard to see. Not trained with, and neither right nor wrong to find.
    crowd : array of bool, shape (n,), optional
        COCO: a group of things in one box; likewise.
    areas : array, float64, shape (n,), optional
        COCO: of the thing's outline, by which it counts as small, medium or large; else of the box.
    name : str or int, optional
        What the annotations call the picture; its file's name unless given.

    Raises
    ------
    ShapeError
        There is not one of each for every box.

    Examples
    --------
    >>> Example("a.jpg", [[0, 0, 10, 20]], [1]).areas
    array([200.])
    """

    path: str
    boxes: Any
    labels: Any
    difficult: Any = None
    crowd: Any = None
    areas: Any = None
    name: str | int = ""

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, np.float64)
        boxes = boxes.reshape(-1, 4) if boxes.size == 0 else boxes
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ShapeError(f"Example: boxes: expected shape (n, 4), got {boxes.shape}")
        n = len(boxes)
        sizes = boxes[:, 2:] - boxes[:, :2]
        rest: dict[str, tuple[Any, Any]] = {
            "labels": (self.labels, np.int64),
            "difficult": (np.zeros(n) if self.difficult is None else self.difficult, np.bool_),
            "crowd": (np.zeros(n) if self.crowd is None else self.crowd, np.bool_),
            "areas": (sizes.prod(1) if self.areas is None else self.areas, np.float64),
        }
        object.__setattr__(self, "boxes", boxes)
        for key, (value, dtype) in rest.items():
            array = np.asarray(value).astype(dtype)
            if array.shape != (n,):
                raise ShapeError(f"Example: {key}: expected shape ({n},), got {array.shape}")
            object.__setattr__(self, key, array)
        if self.name == "":
            object.__setattr__(self, "name", os.path.basename(self.path))


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples, and the names of their classes; `load_voc`, `load_coco` and `load_yolo` make it.

    Parameters
    ----------
    examples : sequence of Example
    class_names : sequence of str

    Examples
    --------
    >>> found = Examples([Example(f"{i}.jpg", [[0, 0, 9, 9 + i]], [0]) for i in range(10)], ["cat"])
    >>> training, validation = found.split(0.2, seed=1)
    >>> len(training), len(validation), found[0].path, found.boxes.shape
    (8, 2, '0.jpg', (10, 4))
    """

    examples: Sequence[Example]
    class_names: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index]

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """All boxes, shape (n, 4)."""
        return np.concatenate([np.zeros((0, 4)), *(e.boxes for e in self.examples)])

    @property
    def most_boxes(self) -> int:
        """How many boxes a picture has at most."""
        return max((len(e.boxes) for e in self.examples), default=0)

    def only(self, indices: Sequence[int] | NDArray[np.intp]) -> Examples:
        """Keep some of the pictures."""
        return Examples([self.examples[i] for i in indices], self.class_names)

    def count(self) -> dict[str, int]:
        """Count the boxes of each class."""
        labels = np.concatenate([np.zeros(0, np.int64), *(e.labels for e in self.examples)])
        counts = np.bincount(labels, minlength=len(self.class_names))
        return dict(zip(self.class_names, counts.tolist(), strict=True))

    def split(self, validation_split: float, seed: int | None = None) -> tuple[Examples, Examples]:
        """Divide the pictures at random, by the seed and nothing else.

        Parameters
        ----------
        validation_split : float
            The share that is held back from training.
        seed : int, optional

        Returns
        -------
        (Examples, Examples)
            For training and for validation, each in the order they had.

        Raises
        ------
        ConfigError
            Nothing would be left for one of them.
        """
        if not (isinstance(validation_split, (int, float)) and 0 < validation_split < 1):
            raise ConfigError(
                f"split: validation_split: expected a share between 0 and 1, got "
                f"{validation_split!r}"
            )
        count = len(self)
        held = round(count * validation_split)
        if not 0 < held < count:
            raise ConfigError(f"split: {count} pictures are too few for {validation_split:g}")
        order = generator(check_seed("split", seed), Purpose.SPLIT).permutation(count)
        return self.only(np.sort(order[held:])), self.only(np.sort(order[:held]))


class BoxChecker:
    """Checks the boxes of annotations as they are read; collects what is to be left out.

    Parameters
    ----------
    on_error : {"raise", "skip"}
    """

    def __init__(self, on_error: str) -> None:
        if on_error not in ("raise", "skip"):
            raise ConfigError(f'on_error: expected "raise" or "skip", got {on_error!r}')
        self._on_error = on_error
        self._left_out: list[str] = []

    def check(
        self, where: str, box: Sequence[float], size: tuple[float, float] | None
    ) -> list[float] | None:
        """Give a box (x1, y1, x2, y2), cut to the picture's (height, width); None leaves it out.

        Raises
        ------
        FileFormatError
            It has no area, or none in the picture.
        """
        x1, y1, x2, y2 = box
        reason = None
        if not np.isfinite(box).all():
            reason = "expected finite coordinates"
        elif x2 <= x1 or y2 <= y1:
            reason = "expected a box with an area"
        elif size is not None:
            height, width = size
            x1, x2 = max(x1, 0.0), min(x2, float(width))
            y1, y2 = max(y1, 0.0), min(y2, float(height))
            if x2 <= x1 or y2 <= y1:
                reason = f"expected a box in a picture of {width:g} x {height:g}"
        if reason is None:
            return [x1, y1, x2, y2]
        given = ", ".join(f"{value:g}" for value in box)
        message = f"{where}: {reason}, got ({given})"
        if self._on_error == "raise":
            raise advised(FileFormatError(message), 'on_error="skip" leaves such boxes out')
        self._left_out.append(message)
        return None

    def warn(self, where: str) -> None:
        """Tell what was left out, if anything was."""
        if self._left_out:
            shown = self._left_out[:20]
            more = len(self._left_out) - len(shown)
            warnings.warn(
                f"{where}: left out {len(self._left_out)} boxes:\n" + "\n".join(shown)
                + (f"\nand {more} more" if more else ""),
                stacklevel=3,
            )  # fmt: skip


def number_classes(found: Mapping[str, int], class_names: Sequence[str] | None) -> list[str]:
    """Decide which classes there are: those given, or those found, sorted."""
    if class_names is None:
        return sorted(found)
    if isinstance(class_names, str) or len(set(class_names)) != len(class_names):
        raise ConfigError(f"class_names: expected different names, got {class_names!r}")
    return list(class_names)
