"""Problems of the batch_norm, norm and softmax rooms."""

from typing import Any

from tests.harness import Case


def _vectors(c: int, count: int) -> tuple[tuple[int, ...], ...]:
    return ((c,),) * count


BATCH_NORM = [
    *(
        Case("batch_norm", (shape, *_vectors(shape[-1], 4)))
        for shape in ((1, 1), (5,), (2, 7, 5, 3), (2, 5, 6, 70), (1, 300, 64), (0, 4, 8), (9, 1000))
    ),
    *(
        Case(
            "batch_norm",
            ((2, 3, 21), *_vectors(21, 2 + scale + center)),
            {"scale": scale, "center": center, "epsilon": 0.5},
        )
        for scale in (False, True)
        for center in (False, True)
    ),
]
SCALE_SHIFT = [
    *(
        Case("scale_shift", (shape, *_vectors(shape[-1], 2)))
        for shape in ((1, 1), (2, 7, 5, 3), (2, 5, 6, 70), (0, 4, 8), (700, 21))
    ),
    *(
        Case("scale_shift", ((2, 3, 37), (37,), (37,)), {"activation": kind})
        for kind in ("relu", "relu6", "elu", "hard_swish")
    ),
]


def _affine(op: str, shape: tuple[int, ...], **attrs: Any) -> Case:
    count = attrs.get("scale", True) + attrs.get("center", True)
    return Case(op, (shape, *_vectors(shape[-1], count)), attrs)


GROUP_NORM = [
    _affine("group_norm", (2, 5, 7, 12), groups=3),
    _affine("group_norm", (2, 5, 7, 64), groups=32),
    _affine("group_norm", (3, 40), groups=8, epsilon=1e-5),
    _affine("group_norm", (1, 50, 50, 70), groups=7),
    _affine("group_norm", (2, 40, 40, 6), groups=1, scale=False),
    _affine("group_norm", (1, 40, 100, 64), groups=1),
    _affine("group_norm", (0, 4, 6), groups=2),
    _affine("instance_norm", (2, 9, 8, 5), center=False),
    _affine("instance_norm", (2, 70, 70, 19), scale=False, center=False),
    _affine("instance_norm", (1, 64, 64, 32), epsilon=1e-5),
]
LAYER_NORM = [
    _affine("layer_norm", (3, 5, 70)),
    _affine("layer_norm", (4, 3), scale=False),
    _affine("layer_norm", (9, 300)),
    _affine("layer_norm", (2, 70_001), scale=False, center=False),
    _affine("layer_norm", (0, 6), center=False),
    Case("layer_norm", ((2, 5, 3, 7), (5, 3, 7), (5, 3, 7)), {"axis": (1, 2, 3)}),
    Case("layer_norm", ((2, 5, 21), (21,), (21,)), {"axis": -1}),
]
L2_NORMALIZE = [
    *(
        Case("l2_normalize", (shape,), {"axis": axis})
        for shape in ((3, 5, 70), (2, 1, 3))
        for axis in (-1, 0, 1, (0, 1), (1, 2), (0, 1, 2))
    ),
    Case("l2_normalize", ((2, 70_001),)),
    Case("l2_normalize", ((5000, 3),), {"axis": 0, "epsilon": 1e-3}),
    Case("l2_normalize", ((0, 4),)),
]
LRN = [
    Case("lrn", ((2, 3, 4, 21),), {"alpha": 1.0}),
    Case("lrn", ((2, 70),), {"size": 3, "alpha": 0.5, "beta": 0.5, "bias": 2.0}),
    Case("lrn", ((1, 2, 3),), {"size": 9, "alpha": 2.0}),
    Case("lrn", ((3, 1100),), {"size": 7, "alpha": 1.0, "beta": 1.25}),
    Case("lrn", ((3, 5),), {"size": 1, "alpha": 1.0}),
    Case("lrn", ((2, 600),), {"size": 301, "alpha": 1.0}),
    Case("lrn", ((0, 5),)),
]
LRN_GRADIENT = [Case("lrn_gradient", c.shapes * 2, c.attrs) for c in LRN]
SOFTMAX = [
    Case(op, (shape,), {"axis": axis})
    for op in ("softmax", "log_softmax")
    for shape, axis in [
        ((1,), -1),
        ((7, 3), -1),
        ((5, 2, 16), 2),
        ((3, 21), 1),
        ((9, 300), -1),
        ((2, 1000), -1),
        ((2, 9_001), -1),
        ((5, 40, 21), 1),
        ((9, 3), 0),
        ((2, 3, 4, 5), -3),
        ((0, 4), -1),
        ((200, 33), 0),
    ]
]

# For timing: style transfer's instance norms, face vectors, GoogLeNet's LRN, class scores, masks.
BENCHMARK = [
    Case("scale_shift", ((1, 56, 56, 256), (256,), (256,)), {"activation": "relu"}),
    Case("batch_norm", ((1, 224, 224, 3), *_vectors(3, 4))),
    _affine("instance_norm", (1, 256, 256, 32)),
    _affine("instance_norm", (1, 64, 64, 128)),
    _affine("group_norm", (8, 28, 28, 64), groups=32),
    _affine("layer_norm", (1, 196, 768)),
    Case("l2_normalize", ((256, 128),)),
    Case("lrn", ((1, 56, 56, 64),)),
    Case("lrn_gradient", ((8, 56, 56, 64),) * 2),
    Case("softmax", ((32, 1000),)),
    Case("softmax", ((1, 240, 180, 12),)),
]
