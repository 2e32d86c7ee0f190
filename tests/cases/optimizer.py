"""Problems of optimizer steps: every combination of state, all sizes of tails."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from tests.harness import Case


@dataclass(frozen=True)
class StepCase(Case):
    """Like `Case`, with averages of squares that are none below zero, and likely scalars."""

    squares: tuple[int, ...] = ()

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        arrays = super().inputs(seed)
        for i in self.squares:
            arrays[i] = np.abs(arrays[i])
        scalars = [i for i, a in enumerate(arrays) if a.ndim == 0 and i > 1][-2:]
        for i, value in zip(scalars, (0.01, 0.75), strict=False):
            arrays[i] = np.array(value, np.float32)
        return arrays


def _step(op: str, shape: tuple[int, ...], states: int, decay: bool, **attrs: Any) -> Case:
    squares = {"rmsprop_update": (1,), "adam_update": (2, 3)[: states - 1]}.get(op, ())
    return StepCase(op, (shape,) * (states + 2) + ((),) * (1 + decay), attrs, squares)


def _sgd(shape: tuple[int, ...], momentum: float, nesterov: bool, decay: bool) -> Case:
    return _step("sgd_update", shape, momentum != 0, decay, momentum=momentum, nesterov=nesterov)


def _rmsprop(shape: tuple[int, ...], momentum: float, centered: bool, decay: bool) -> Case:
    states = 1 + centered + (momentum != 0)
    return _step("rmsprop_update", shape, states, decay, momentum=momentum, centered=centered)


def _adam(shape: tuple[int, ...], amsgrad: bool, decay: bool) -> Case:
    return _step("adam_update", shape, 2 + amsgrad, decay, amsgrad=amsgrad)


_SHAPES = ((1,), (0, 3), (7,), (3, 3, 5, 8), (16_385,))

STEPS = [
    *(_sgd((37,), *options) for options in product((0.0, 0.9, 1.0), (False, True), (False, True))),
    *(_rmsprop((37,), *options) for options in product((0.0, 0.5), (False, True), (False, True))),
    *(_adam((37,), *options) for options in product((False, True), (False, True))),
    *(_sgd(shape, 0.9, False, True) for shape in _SHAPES),
    *(_rmsprop(shape, 0.9, True, True) for shape in _SHAPES),
    *(_adam(shape, True, True) for shape in _SHAPES),
    _step("rmsprop_update", (20,), 1, False, rho=0.0, epsilon=0.5),
    _step("adam_update", (20,), 2, False, beta_1=0.0, beta_2=0.5, epsilon=0.25),
]
AVERAGES = [
    *(Case("moving_average", (shape, shape), {"momentum": 0.99}) for shape in ((), *_SHAPES)),
    *(Case("moving_average", ((9,), (9,)), {"momentum": m}) for m in (0.0, 0.3, 1.0)),
]

# For timing: the weights of a convolution of ResNet-50's last stage.
BENCHMARK = [
    _sgd((3, 3, 512, 512), 0.0, False, False),
    _sgd((3, 3, 512, 512), 0.9, False, True),
    _rmsprop((3, 3, 512, 512), 0.9, True, True),
    _adam((3, 3, 512, 512), False, True),
    Case("moving_average", ((3, 3, 512, 512),) * 2, {}),
]
