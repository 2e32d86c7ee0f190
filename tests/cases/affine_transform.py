"""Problems of affine_transform: sizes around registers and tables, every mode."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.harness import Case

MODES = ("constant", "nearest", "reflect", "wrap")


@dataclass(frozen=True)
class TransformCase(Case):
    """Like `Case`, with matrices that turn, scale, move, and where asked for tilt."""

    tilt: float = 0.0
    far: float = 0.3  # how far to move, in sides of the picture

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        x, m = super().inputs(seed)
        _, h, w, _ = x.shape
        m *= np.array([0.3, 0.3, self.far * w, 0.3, 0.3, self.far * h, 0, 0], np.float32)
        m[:, [0, 4]] += 1
        m[:, 6:] = self.tilt / (h + w)
        return [x, m]


def _case(shape: tuple[int, ...], tilt: float = 0.0, far: float = 0.3, **attrs: Any) -> Case:
    return TransformCase("affine_transform", (shape, (shape[0], 8)), attrs, tilt, far)


_SHAPES = ((1, 1, 1, 1), (3, 5, 7, 3), (2, 3, 64, 1), (1, 6, 65, 16), (2, 4, 9, 37), (2, 9, 130, 4))

ALL = [
    *(_case(shape, interpolation=i) for shape in _SHAPES for i in ("bilinear", "nearest")),
    *(
        _case((2, 11, 21, 3), tilt, far, fill_mode=mode, interpolation=i, fill_value=0.5)
        for mode in MODES
        for i in ("bilinear", "nearest")
        for tilt, far in ((0.0, 0.3), (0.5, 3.0))
    ),
    *(_case(shape) for shape in ((0, 5, 5, 3), (2, 0, 5, 3), (2, 5, 0, 3), (2, 5, 5, 0))),
]

# For timing: a batch of photographs and one of small pictures.
BENCHMARK = [
    _case((16, 224, 224, 3), fill_mode="reflect"),
    _case((16, 224, 224, 3), interpolation="nearest"),
    _case((64, 64, 64, 3), fill_mode="nearest"),
]
