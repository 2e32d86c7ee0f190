"""Problems of the activation and binary rooms: odd lengths, every way to broadcast."""

from tests.harness import Case

_SHAPES = ((1,), (), (7,), (0, 3), (2, 3, 5, 7), (33_001,))

ACTIVATION_KINDS = (
    "linear",
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
UNARY_KINDS = (
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "square",
    "abs",
    "negative",
    "reciprocal",
    "softplus",
    "gelu",
    "gelu_tanh",
    "mish",
    "floor",
    "ceil",
    "round",
    "sign",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "erf",
)
ACTIVATIONS = [
    *(Case("activation", ((33,),), {"activation": kind}) for kind in ACTIVATION_KINDS),
    *(Case("activation", (shape,), {"activation": "silu"}) for shape in _SHAPES),
    Case("activation", ((20,),), {"activation": "leaky_relu", "alpha": -0.5}),
    Case("activation", ((20,),), {"activation": "elu", "alpha": 2.0}),
]
UNARY = [
    *(Case("unary", ((33,),), {"kind": kind}) for kind in UNARY_KINDS),
    *(Case("unary", (shape,), {"kind": "square"}) for shape in _SHAPES),
    Case("unary", ((40,),), {"kind": "clip", "min": -0.5, "max": 0.25}),
    Case("unary", ((40,),), {"kind": "clip", "max": 0.25}),
    Case("unary", ((40,),), {"kind": "thresholded_relu", "threshold": 0.5, "slope": 0.25}),
]

_PAIRS = (
    ((), ()),
    ((5,), ()),
    ((), (19,)),
    ((2, 3, 5, 7), (2, 3, 5, 7)),
    ((33_001,), (33_001,)),
    ((0, 4), (1, 4)),
    ((2, 4, 5, 3), (3,)),  # a bias of few channels
    ((3,), (2, 200, 1, 3)),
    ((2, 3, 4, 70), (70,)),
    ((2, 3, 4, 5), (2, 1, 1, 5)),  # a gate for each sample and channel
    ((2, 30, 40, 5), (2, 1, 1, 5)),
    ((2, 3, 4, 65), (2, 1, 1, 65)),
    ((2, 3, 4, 5), (2, 3, 4, 1)),  # a mask for each pixel
    ((2, 3, 4, 5), (1, 3, 1, 5)),
    ((4, 1), (1, 6)),
    ((2, 1, 3, 1, 2, 1, 3, 1), (1, 2, 1, 3, 1, 2, 1, 3)),
    ((9000,), (2, 1)),
)
BINARY = [
    *(Case("add", shapes) for shapes in _PAIRS),
    *(Case(op, shapes) for op in ("sub", "div") for shapes in _PAIRS[4:10:2]),
    *(Case(op, ((3, 1, 21), (1, 2, 21))) for op in ("mul", "maximum", "minimum")),
    *(
        Case("add", ((2, 5, 37), (37,)), {"activation": kind})
        for kind in ACTIVATION_KINDS
        if kind != "linear"
    ),
    Case("mul", ((2, 5, 3), (3,)), {"activation": "leaky_relu", "alpha": 0.1}),
    Case("prelu", ((2, 5, 6, 21), (21,))),
    Case("prelu", ((2, 5, 6, 3), (5, 6, 3))),
    Case("prelu", ((2, 5, 6, 3), (5, 1, 1))),
]

# For timing: ResNet's residual additions, a squeeze-excite gate, activations of MobileNet.
BENCHMARK = [
    Case("add", ((1, 56, 56, 256), (1, 56, 56, 256)), {"activation": "relu"}),
    Case("add", ((1, 7, 7, 2048), (1, 7, 7, 2048)), {"activation": "relu"}),
    Case("add", ((1, 224, 224, 3), (3,))),
    Case("mul", ((1, 56, 56, 72), (1, 1, 1, 72))),
    Case("activation", ((1, 112, 112, 64),), {"activation": "relu"}),
    Case("activation", ((1, 112, 112, 64),), {"activation": "silu"}),
    Case("activation", ((1, 112, 112, 64),), {"activation": "hard_swish"}),
    Case("unary", ((1, 14, 14, 512),), {"kind": "gelu"}),
]
