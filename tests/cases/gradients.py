"""Problems of the ops that compute gradients of element-wise functions."""

from tests.cases.elementwise import ACTIVATION_KINDS, UNARY_KINDS
from tests.harness import Case

_SHAPES = ((1,), (), (7,), (0, 3), (2, 3, 5, 7), (33_001,))

ACTIVATION = [
    *(Case("activation_gradient", ((33,), (33,)), {"activation": k}) for k in ACTIVATION_KINDS),
    *(Case("activation_gradient", (s, s), {"activation": "relu"}) for s in _SHAPES),
    *(
        Case("activation_gradient", ((20,), (20,)), {"activation": kind, "alpha": alpha})
        for kind in ("leaky_relu", "elu")
        for alpha in (-0.5, 0.0, 2.0)
    ),
]
UNARY = [
    *(Case("unary_gradient", ((33,), (33,)), {"kind": kind}) for kind in UNARY_KINDS),
    *(Case("unary_gradient", (s, s), {"kind": "square"}) for s in _SHAPES),
    Case("unary_gradient", ((40,), (40,)), {"kind": "clip", "min": -0.5, "max": 0.25}),
    Case("unary_gradient", ((40,), (40,)), {"kind": "clip", "max": 0.25}),
    Case(
        "unary_gradient",
        ((40,), (40,)),
        {"kind": "thresholded_relu", "threshold": 0.5, "slope": 0.25},
    ),
]

# For timing: the activations of ResNet and MobileNet.
BENCHMARK = [
    Case("activation_gradient", ((8, 56, 56, 64),) * 2, {"activation": "relu"}),
    Case("activation_gradient", ((8, 56, 56, 64),) * 2, {"activation": "silu"}),
    Case("unary_gradient", ((8, 14, 14, 512),) * 2, {"kind": "gelu"}),
]
