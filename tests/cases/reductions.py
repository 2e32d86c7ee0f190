"""Problems of the reduce room: every set of axes, rows and columns longer than a chunk."""

from itertools import chain, combinations
from typing import Any

from tests.harness import Case

_SETS = list(chain.from_iterable(combinations(range(4), n) for n in range(5)))
_PROBLEMS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    *(((2, 3, 5, 19), {"axis": axes}) for axes in _SETS),
    ((), {}),
    ((7,), {}),
    ((1, 1), {"axis": 0}),
    ((5, 70), {"axis": -1, "keepdims": True}),
    ((3, 5, 70), {"axis": 1, "keepdims": True}),
    ((100_003,), {}),
    ((2, 70_001), {"axis": 1}),
    ((2500, 3), {"axis": 0}),
    ((2, 1100, 70), {"axis": 1}),
    ((3, 2, 600, 2, 9), {"axis": (1, 3)}),
    ((2, 40, 3, 900), {"axis": (1, 3)}),
    ((4, 50, 3, 40, 5), {"axis": (1, 3)}),
    ((2, 1, 7, 1, 130), {"axis": (1, 2)}),
    ((0, 4), {"axis": 1}),
]
_EMPTY: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((0, 4), {"axis": 0}),
    ((3, 0), {"axis": 1}),
    ((2, 0, 3), {"axis": 1}),
    ((0,), {}),
]

REDUCE = [
    Case(op, (shape,), attrs)
    for op in ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min")
    for shape, attrs in _PROBLEMS
]
REDUCE += [
    Case(op, (shape,), attrs) for op in ("reduce_sum", "reduce_mean") for shape, attrs in _EMPTY
]
REDUCE += [
    Case("reduce_prod", (shape,), attrs)
    for shape, attrs in [((2, 3, 4), {"axis": 1}), ((9,), {}), *_EMPTY]
]
ARGMAX = [Case("argmax", (shape,), attrs) for shape, attrs in _PROBLEMS]

# For timing: global pooling of ResNet and MobileNet, class indices of a mask, sums of a loss.
BENCHMARK = [
    Case("reduce_mean", ((1, 7, 7, 2048),), {"axis": (1, 2)}),
    Case("reduce_mean", ((8, 56, 56, 72),), {"axis": (1, 2)}),
    Case("reduce_max", ((1, 112, 112, 64),), {"axis": (1, 2)}),
    Case("reduce_sum", ((1_000_000,),)),
    Case("reduce_sum", ((512, 4096),), {"axis": 0}),
    Case("argmax", ((1, 240, 180, 12),), {"axis": -1}),
    Case("argmax", ((32, 1000),), {"axis": -1}),
]
