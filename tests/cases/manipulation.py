"""Problems of the rooms that move data: concat, pad, slice, transpose, broadcast_to."""

from itertools import permutations

from tests.harness import Case

TRANSPOSE = [
    Case("transpose", (shape,), {"axes": axes})
    for shape in ((3,), (5, 1), (17, 33), (2, 7, 5), (3, 20, 1, 19))
    for axes in permutations(range(len(shape)))
]
TRANSPOSE += [
    Case("transpose", (shape,), {"axes": axes})
    for shape, axes in [
        ((), ()),
        ((0, 4), (1, 0)),
        ((130, 100), (1, 0)),
        ((2, 14, 9, 70), (0, 3, 1, 2)),
        ((2, 70, 14, 9), (0, 2, 3, 1)),
        ((1, 50, 40, 3), (0, 3, 1, 2)),
        ((1, 3, 50, 40), (0, 2, 3, 1)),
        ((200, 2, 3), (0, 2, 1)),
        ((2, 3, 2, 3, 2, 3, 2, 2), (7, 0, 6, 1, 5, 2, 4, 3)),
        ((2, 1, 2, 3, 2, 3, 1, 2), (1, 3, 5, 7, 0, 2, 4, 6)),
    ]
]

CONCAT = [
    Case("concat", shapes, {"axis": axis})
    for shapes, axis in [
        (((3, 4),), 0),
        (((2, 3), (2, 5), (2, 0)), -1),
        (((1, 5, 6, 3), (1, 5, 6, 16), (1, 5, 6, 1)), 3),
        (((1, 2, 6, 3), (1, 5, 6, 3)), 1),
        (((2, 2, 6, 3), (2, 5, 6, 3)), -3),
        (tuple((4, 1, 2) for _ in range(9)), 1),
        (((0, 3), (0, 2)), 1),
        (((100_000,), (70_000,)), 0),
    ]
]

SLICE = [
    Case("slice", (shape,), {"begin": begin, "size": size, "step": step})
    for shape, begin, size, step in [
        ((5,), (1,), (3,), (1,)),
        ((5,), (4,), (5,), (-1,)),
        ((5,), (4,), (2,), (-3,)),
        ((5,), (5,), (0,), (1,)),
        ((), (), (), ()),
        ((2, 9, 11, 3), (0, 1, 2, 0), (2, 7, 5, 3), (1, 1, 1, 1)),
        ((2, 9, 11, 3), (1, 8, 0, 2), (2, 4, 6, 3), (-1, -2, 2, -1)),
        ((2, 9, 11, 20), (0, 0, 0, 3), (2, 9, 11, 17), (1, 1, 1, 1)),
        ((2, 9, 11, 20), (0, 0, 0, 0), (2, 5, 6, 20), (1, 2, 2, 1)),
        ((1, 300, 200, 4), (0, 0, 199, 0), (1, 300, 200, 4), (1, 1, -1, 1)),
        ((4, 3), (0, 0), (4, 0), (1, 1)),
    ]
]

PAD = [
    Case("pad", (shape,), {"pads": pads, "mode": mode})
    for mode in ("constant", "edge", "reflect", "symmetric")
    for shape, pads in [
        ((), ()),
        ((4,), (2, 3)),
        ((4, 3), (0, 0, 0, 0)),
        ((1, 5, 6, 3), (0, 0, 1, 2, 3, 0, 0, 0)),
        ((2, 5, 6, 20), (0, 0, 4, 4, 0, 5, 0, 0)),
        ((3, 4, 5), (1, 0, 2, 3, 1, 4)),
        ((2, 2, 3, 2, 3, 2, 2, 2), (0, 1, 1, 0, 0, 2, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1)),
        ((0, 5, 6, 3), (0, 0, 1, 1, 2, 2, 0, 0)),
    ]
]
PAD += [Case("pad", ((0, 3),), {"pads": (2, 0, 1, 1), "value": -1.5})]

BROADCAST = [
    Case("broadcast_to", (shape,), {"shape": to})
    for shape, to in [
        ((), (2, 3)),
        ((1,), (1,)),
        ((3,), (2, 3)),
        ((4, 1, 3), (2, 4, 5, 3)),
        ((1, 5, 1), (6, 5, 70)),
        ((1, 1, 1, 64), (2, 9, 8, 64)),
        ((1,), (0,)),
    ]
]

# For timing: layouts of a picture and of features, a dense block's and a U-Net's concatenation.
BENCHMARK = [
    Case("transpose", ((1, 224, 224, 3),), {"axes": (0, 3, 1, 2)}),
    Case("transpose", ((1, 3, 224, 224),), {"axes": (0, 2, 3, 1)}),
    Case("transpose", ((1, 56, 56, 256),), {"axes": (0, 3, 1, 2)}),
    Case("transpose", ((1, 256, 56, 56),), {"axes": (0, 2, 3, 1)}),
    Case("transpose", ((1024, 1024),), {"axes": (1, 0)}),
    Case("concat", ((1, 56, 56, 64), (1, 56, 56, 64)), {"axis": 3}),
    Case("concat", ((1, 28, 28, 128), (1, 28, 28, 32)), {"axis": 3}),
    Case("pad", ((1, 224, 224, 3),), {"pads": (0, 0, 3, 3, 3, 3, 0, 0)}),
    Case("pad", ((1, 56, 56, 64),), {"pads": (0, 0, 1, 1, 1, 1, 0, 0), "mode": "reflect"}),
]
