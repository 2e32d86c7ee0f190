"""Problems of random numbers: all tails of registers and tasks, keys with every bit in use."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.harness import Case

KEY = (-7_046_029_254_386_353_131, 5_577_006_791_947_779_410)


@dataclass(frozen=True)
class KeyCase(Case):
    """Like `Case`; the last operand is an int64 key."""

    key: tuple[int, int] = KEY

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        return [*super().inputs(seed)[:-1], np.array(self.key, np.int64)]


def _dropout(shape: tuple[int, ...], rate: float = 0.4, **attrs: Any) -> Case:
    return KeyCase("dropout", (shape, (2,)), {"rate": rate, **attrs})


def _drawn(op: str, shape: tuple[int, ...], **attrs: Any) -> Case:
    return KeyCase(op, ((2,),), {"shape": shape, **attrs})


_SHAPES = ((), (0, 3), (3,), (5, 13), (64,), (127,), (3, 40_001))

DROPOUT = [
    *(_dropout(shape) for shape in _SHAPES),
    *(_dropout((200,), rate) for rate in (0.0, 1e-9, 0.999, 1.0)),
    _dropout((70,), stream=2**32 - 1, seed=12345),
]
UNIFORM = [
    *(_drawn("random_uniform", shape) for shape in _SHAPES),
    _drawn("random_uniform", (300,), low=-3.0, high=0.1, stream=7, seed=-1),
    _drawn("random_uniform", (30,), low=2.0, high=2.0),
    _drawn("random_uniform", (40_000,), low=1.0, high=1.0000002),
]
NORMAL = [
    *(_drawn("random_normal", shape) for shape in _SHAPES),
    _drawn("random_normal", (300,), mean=-3.0, stddev=0.5, stream=7, seed=2**63 - 1),
    _drawn("random_normal", (30,), mean=2.0, stddev=0.0),
]

# For timing: the features before a classifier, one stage of a network.
BENCHMARK = [
    _dropout((64, 4096), 0.5),
    _dropout((16, 56, 56, 64), 0.2),
    _drawn("random_uniform", (1000, 1000)),
    _drawn("random_normal", (1000, 1000)),
]
