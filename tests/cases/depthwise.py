"""Problems of the depthwise_conv2d room: edges on every side, channel tails, every epilogue."""

from typing import Any

import numpy as np

from tests.harness import Case
from tests.reference.depthwise import depthwise_sum

_SHAPES = (
    (1, 1, 1, 1),
    (2, 7, 9, 21),
    (1, 14, 7, 64),
    (1, 15, 12, 33),
    (3, 5, 2, 130),
    (0, 6, 6, 4),
)

_WINDOWS: list[tuple[tuple[int, int], dict[str, Any]]] = [
    ((3, 3), {"padding": "same"}),
    ((3, 3), {"strides": 2, "padding": "same"}),
    ((3, 3), {"strides": 2, "pads": (1, 1, 1, 1)}),
    ((3, 3), {"pads": (0, 4, 5, 0)}),
    ((5, 5), {"padding": "same"}),
    ((5, 5), {"strides": 2, "padding": "same"}),
    ((3, 3), {"dilation": 2, "padding": "same"}),
    ((2, 4), {"strides": (1, 3), "pads": (1, 2, 3, 0)}),
    ((7, 1), {"padding": "same"}),
]


def _case(
    x: tuple[int, ...], window: tuple[int, int], multiplier: int, extra: str, attrs: dict[str, Any]
) -> Case:
    """`extra`: which further operands there are, of "b" (bias) and "r" (residual)."""
    shapes = [x, (*window, x[3], multiplier)]
    if "b" in extra:
        shapes.append((x[3] * multiplier,))
    if "r" in extra:
        assert attrs.get("padding") == "same" and "strides" not in attrs
        shapes.append((*x[:3], x[3] * multiplier))
        attrs = {**attrs, "has_residual": True}
    return Case("depthwise_conv2d", tuple(shapes), attrs)


DEPTHWISE = [
    _case(x, window, 1, "b", attrs)
    for x in _SHAPES
    for window, attrs in _WINDOWS
    if attrs.get("padding") == "same" or x[1] > 1
]
DEPTHWISE += [
    _case((1, 6, 9, 7), window, multiplier, extra, {"padding": "same"})
    for window in ((3, 3), (5, 5), (2, 3))
    for multiplier in (1, 2, 3)
    for extra in ("", "b", "r", "br")
]

# Several tiles each way, the last of each in part, and channels beside a multiple of 32.
DEPTHWISE += [
    _case((1, 11, 10, 36), (size, size), 1, "b", {"strides": strides, "padding": "same"})
    for size in (3, 5)
    for strides in (1, 2)
]

ACTIVATIONS = [
    _case((1, 8, 9, channels), window, 1, "br", {"padding": "same", "activation": name})
    for window, channels in (((3, 3), 35), ((3, 3), 4), ((1, 3), 35))
    for name in (
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "sigmoid",
        "hard_sigmoid",
        "tanh",
        "silu",
        "hard_swish",
    )
]


def _gradients(
    x: tuple[int, ...], window: tuple[int, int], multiplier: int, attrs: dict[str, Any]
) -> list[Case]:
    """The gradients with respect to filters and picture."""
    w = (*window, x[3], multiplier)
    dy = depthwise_sum(np.zeros(x), np.zeros(w), **attrs).shape
    return [
        Case("depthwise_conv2d_weight_gradient", (x, dy), {"kernel_size": window, **attrs}),
        Case("depthwise_conv2d_data_gradient", (dy, w), {"size": x[1:3], **attrs}),
    ]


GRADIENTS = [
    case
    for x, multiplier in (*((x, 1) for x in _SHAPES), ((1, 6, 9, 7), 3), ((2, 60, 80, 9), 1))
    for window, attrs in _WINDOWS
    if attrs.get("padding") == "same" or x[1] > 1
    for case in _gradients(x, window, multiplier, attrs)
]
# Several parts of channels and chunks of rows.
GRADIENTS += _gradients((2, 70, 33, 300), (3, 3), 1, {"strides": 2, "padding": "same"})

# For timing: MobileNetV2 at 224 pixels, then what EfficientNet-Lite0 adds to it.
BENCHMARK = [
    _case((1, n, n, c), (k, k), 1, "b", {"strides": s, "padding": "same", "activation": "relu6"})
    for n, c, k, s in [
        (112, 32, 3, 1),
        (112, 96, 3, 2),
        (56, 144, 3, 1),
        (56, 144, 3, 2),
        (28, 192, 3, 1),
        (28, 192, 3, 2),
        (14, 384, 3, 1),
        (14, 576, 3, 1),
        (14, 576, 3, 2),
        (7, 960, 3, 1),
        (56, 144, 5, 2),
        (28, 240, 5, 1),
        (14, 480, 5, 1),
        (14, 672, 5, 1),
        (14, 672, 5, 2),
        (7, 1152, 5, 1),
    ]
]
