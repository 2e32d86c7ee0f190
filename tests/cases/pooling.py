"""Problems of the pool2d room: odd sizes, channel tails, strides, padding, dilation, ceil mode."""

from typing import Any

from fastcnn import _C
from tests.harness import Case

_SHAPES = ((1, 1, 1, 1), (2, 7, 9, 21), (1, 12, 5, 64), (3, 8, 8, 80), (0, 6, 6, 4), (1, 15, 2, 3))

WINDOWS = [
    {"pool_size": 2},
    {"pool_size": (3, 2), "strides": (1, 2), "padding": "same"},
    {"pool_size": 3, "strides": 2, "pads": (1, 0, 1, 1)},
    {"pool_size": 2, "strides": 3, "pads": (0, 1, 2, 1), "ceil_mode": True},
    {"pool_size": 3, "strides": 2, "pads": (1, 1, 1, 1), "ceil_mode": True},
]


def _fits(shape: tuple[int, ...], attrs: dict[str, Any]) -> bool:
    return shape[1] > 1 or attrs.get("padding") == "same"


MAX = [
    Case("max_pool2d", (shape,), attrs)
    for shape in _SHAPES
    for attrs in [*WINDOWS, {"pool_size": 2, "strides": 1, "dilation": 2, "pads": (1, 1, 1, 1)}]
    if _fits(shape, attrs)
]
AVERAGE = [
    Case("avg_pool2d", (shape,), {**attrs, "count_include_pad": include})
    for shape in _SHAPES
    for attrs in WINDOWS
    for include in (False, True)
    if _fits(shape, attrs)
]
ADAPTIVE = [
    Case("adaptive_avg_pool2d", (shape,), {"output_size": size})
    for shape in _SHAPES
    for size in (1, (2, 3), (7, 1), (9, 20))
]

# More channels than a block reads at once.
ADAPTIVE += [Case("adaptive_avg_pool2d", ((1, 9, 7, 132),), {"output_size": 1})]

# For timing: first pool of ResNet-50, the pools of VGG, global average as a pool.
BENCHMARK = [
    Case("max_pool2d", ((1, 112, 112, 64),), {"pool_size": 3, "strides": 2, "pads": (1, 1, 1, 1)}),
    Case("max_pool2d", ((1, 224, 224, 64),), {"pool_size": 2}),
    Case("max_pool2d", ((1, 14, 14, 512),), {"pool_size": 2}),
    Case("avg_pool2d", ((1, 56, 56, 256),), {"pool_size": 2}),
    Case("adaptive_avg_pool2d", ((1, 7, 7, 2048),), {"output_size": 1}),
]


def output_shape(case: Case) -> tuple[int, ...]:
    """What the op of a case makes, found by asking the core."""
    graph = _C.Graph()
    (y,) = graph.add(case.op, [graph.input(case.shapes[0])], case.attrs)
    return graph.shape(y)


def gradient_of(case: Case) -> Case:
    """The same problem for the op's gradient."""
    x, y = case.shapes[0], output_shape(case)
    if case.op == "max_pool2d":
        return Case("max_pool2d_gradient", (x, y, y), case.attrs)
    return Case(f"{case.op}_gradient", (y,), {**case.attrs, "input_size": x[1:3]})


MAX_GRADIENT = [gradient_of(case) for case in MAX]
AVERAGE_GRADIENT = [gradient_of(case) for case in [*AVERAGE, *ADAPTIVE]] + [
    gradient_of(Case("avg_pool2d", ((2, 7, 8, 5),), {"pool_size": 2, "strides": 1, "dilation": 3}))
]
GRADIENT_BENCHMARK = [
    gradient_of(Case(case.op, ((16, *case.shapes[0][1:]),), case.attrs)) for case in BENCHMARK
]
BENCHMARK += GRADIENT_BENCHMARK
