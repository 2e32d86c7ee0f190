"""Problems of the conv2d and conv2d_transpose rooms: tails, edges, strides, dilation, groups."""

from tests.harness import Case
from tests.reference.pooling import _pair, resolve_padding

ACTIVATIONS = (
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

CONV = [
    # One pixel, one channel; one row; one column; no picture at all.
    Case("conv2d", ((1, 1, 1, 1), (1, 1, 1, 1))),
    Case("conv2d", ((1, 1, 9, 3), (1, 3, 3, 5)), {"padding": "same"}),
    Case("conv2d", ((2, 9, 1, 3), (3, 1, 3, 5)), {"padding": "same"}),
    Case("conv2d", ((0, 5, 5, 2), (3, 3, 2, 4)), {"padding": "same"}),
    # Pointwise, with and without strides; tails of columns around the widths of the panels.
    *(Case("conv2d", ((1, 5, 5, 7), (1, 1, 7, n))) for n in (15, 16, 17, 33, 64, 65, 80, 130)),
    Case("conv2d", ((2, 7, 6, 19), (1, 1, 19, 24)), {"strides": (2, 3)}),
    # First layers: few channels, windows across every edge.
    Case("conv2d", ((1, 23, 22, 3), (7, 7, 3, 64)), {"strides": 2, "pads": (3, 3, 3, 3)}),
    Case("conv2d", ((2, 11, 12, 3), (3, 3, 3, 32)), {"strides": 2, "padding": "same"}),
    Case("conv2d", ((1, 8, 8, 1), (5, 5, 1, 6)), {"padding": "valid"}),
    # Few columns and many rows: tall tiles, alone in a row of the picture, across its edges, across
    # two rows, with a rest; windows that are copied and windows that are not.
    *(Case("conv2d", ((1, 6, 14, 69), (1, 1, 69, n))) for n in (7, 8, 16, 24)),
    Case("conv2d", ((2, 29, 28, 65), (1, 1, 65, 20)), {"strides": 2}),
    Case("conv2d", ((1, 6, 33, 8), (3, 3, 8, 20)), {"padding": "same"}),
    Case("conv2d", ((2, 7, 57, 9), (3, 3, 9, 8)), {"padding": "same", "strides": 2}),
    # Sums of few terms: every number of vectors; rows of more than one call, with every rest.
    *(Case("conv2d", ((1, 6, 14, 9), (1, 1, 9, n))) for n in (7, 8, 16, 24)),
    *(Case("conv2d", ((1, 3, r, 63), (1, 1, 63, n))) for r, n in ((1, 48), (5, 33), (71, 64))),
    *(Case("conv2d", ((1, 4, 211, 3), (3, 3, 3, n)), {"padding": "same"}) for n in (7, 32, 49, 66)),
    Case("conv2d", ((2, 29, 28, 5), (1, 1, 5, 20)), {"strides": 2}),
    Case("conv2d", ((1, 6, 33, 3), (3, 3, 3, 20)), {"padding": "same"}),
    Case("conv2d", ((2, 7, 57, 3), (3, 3, 3, 8)), {"padding": "same", "strides": 2}),
    Case("conv2d", ((1, 5, 44, 24), (3, 3, 24, 17)), {"padding": "same"}),
    Case("conv2d", ((1, 5, 44, 24), (3, 3, 8, 48)), {"padding": "same", "groups": 3}),
    Case("conv2d", ((1, 9, 30, 3), (2, 2, 3, 9)), {"strides": 5, "pads": (2, 2, 2, 2)}),
    # The common one, in pictures of one tile's width and others.
    *(
        Case("conv2d", ((n, s, s, c), (3, 3, c, f)), {"padding": "same"})
        for n, s, c, f in ((1, 7, 32, 64), (2, 7, 17, 48), (1, 13, 24, 40), (3, 4, 64, 16))
    ),
    Case("conv2d", ((1, 9, 9, 32), (3, 3, 32, 20)), {"strides": 2, "padding": "same"}),
    # Sums that are cut: by taps, and in the middle of the only one.
    Case("conv2d", ((1, 4, 5, 512), (3, 3, 512, 70)), {"padding": "same"}),
    Case("conv2d", ((1, 3, 3, 4200), (1, 1, 4200, 70))),
    # Windows that lie in the padding altogether, kernels larger than the picture.
    Case("conv2d", ((1, 3, 3, 5), (2, 2, 5, 9)), {"strides": 2, "pads": (4, 3, 3, 4)}),
    Case("conv2d", ((1, 2, 3, 40), (5, 7, 40, 9)), {"padding": "same"}),
    Case("conv2d", ((1, 2, 2, 6), (1, 1, 6, 9)), {"pads": (1, 2, 2, 1)}),
    # Winograd's tiles: blocks and stages, several panels, pictures that are no multiple of a tile,
    # wide padding.
    Case("conv2d", ((1, 31, 29, 21), (3, 3, 21, 70)), {"padding": "same"}),
    Case("conv2d", ((2, 15, 18, 130), (3, 3, 130, 33)), {"padding": "valid"}),
    Case("conv2d", ((1, 26, 27, 260), (3, 3, 260, 24)), {"padding": "same"}),
    Case("conv2d", ((1, 5, 6, 9), (3, 3, 9, 17)), {"pads": (3, 2, 4, 5)}),
    # Dilation and groups.
    Case("conv2d", ((1, 12, 11, 20), (3, 3, 20, 24)), {"dilation": 2, "padding": "same"}),
    Case("conv2d", ((1, 12, 11, 3), (3, 2, 3, 8)), {"dilation": (1, 3), "strides": (2, 1)}),
    Case("conv2d", ((2, 6, 6, 12), (3, 3, 3, 40)), {"groups": 4, "padding": "same"}),
    Case("conv2d", ((1, 6, 6, 64), (1, 1, 32, 66)), {"groups": 2}),
    Case("conv2d", ((1, 5, 5, 6), (3, 3, 1, 6)), {"groups": 6, "padding": "same"}),
    # Large enough for kernels that decline small problems: tails of rows, sums and columns, one
    # row of tiles, runs that are read where they lie and runs that are copied.
    *(
        Case("conv2d", ((1, r, 1, c), (1, 1, c, n)))
        for r, c, n in ((1, 64, 64), (15, 64, 65), (24, 128, 128), (33, 70, 100), (300, 140, 150))
    ),
    Case("conv2d", ((2, 7, 7, 64), (3, 3, 64, 136)), {"padding": "same"}),
    Case("conv2d", ((1, 8, 7, 40), (3, 3, 40, 130)), {"padding": "same"}),
    Case("conv2d", ((2, 13, 12, 64), (3, 3, 64, 145)), {"strides": 2, "padding": "same"}),
    Case("conv2d", ((1, 12, 11, 64), (3, 3, 64, 128)), {"dilation": 2, "padding": "same"}),
    Case("conv2d", ((1, 4, 6, 32), (5, 7, 32, 128)), {"padding": "same"}),
    Case("conv2d", ((1, 6, 6, 256), (3, 3, 256, 138)), {"padding": "same"}),
    Case("conv2d", ((1, 20, 20, 600), (1, 1, 600, 600))),
    Case("conv2d", ((1, 6, 6, 256), (1, 1, 128, 276)), {"groups": 2}),
    Case("conv2d", ((2, 6, 7, 66), (3, 3, 33, 256)), {"groups": 2, "padding": "same"}),
    # As many tiles as a GPU needs for its larger ones.
    *(Case("conv2d", ((1, 10, 13, 80 * c), (1, 1, c, 5440)), {"groups": 80}) for c in (3, 4)),
]

TRANSPOSE = [
    Case("conv2d_transpose", ((1, 1, 1, 1), (1, 1, 1, 1))),
    Case("conv2d_transpose", ((0, 3, 3, 2), (2, 2, 4, 2)), {"strides": 2}),
    # U-Net, DCGAN, a stride larger than the kernel.
    Case("conv2d_transpose", ((1, 5, 6, 32), (2, 2, 16, 32)), {"strides": 2}),
    Case("conv2d_transpose", ((2, 4, 4, 20), (5, 5, 70, 20)), {"strides": 2, "padding": "same"}),
    Case("conv2d_transpose", ((1, 4, 3, 8), (4, 4, 9, 8)), {"strides": 2, "padding": "same"}),
    Case("conv2d_transpose", ((1, 3, 4, 5), (2, 1, 6, 5)), {"strides": 3}),
    Case("conv2d_transpose", ((1, 3, 4, 5), (2, 2, 6, 5)), {"strides": 3, "padding": "same"}),
    Case("conv2d_transpose", ((1, 6, 6, 12), (3, 3, 17, 12)), {"padding": "same"}),
    # Output padding by Keras' and by torch's rule.
    Case(
        "conv2d_transpose",
        ((1, 4, 5, 6), (3, 3, 7, 6)),
        {"strides": 2, "padding": "valid", "output_padding": 1},
    ),
    Case(
        "conv2d_transpose",
        ((1, 4, 5, 6), (3, 4, 7, 6)),
        {"strides": (2, 3), "padding": "same", "output_padding": (1, 2)},
    ),
    Case(
        "conv2d_transpose",
        ((1, 4, 5, 6), (3, 3, 7, 6)),
        {"strides": 2, "pads": (1, 1, 1, 1), "output_padding": 1},
    ),
    Case("conv2d_transpose", ((1, 5, 5, 6), (4, 3, 7, 6)), {"strides": 2, "pads": (2, 0, 1, 2)}),
    # Dilation with and without a divisor in common with the stride; groups.
    Case("conv2d_transpose", ((1, 4, 5, 6), (3, 3, 7, 6)), {"strides": 2, "dilation": 2}),
    Case("conv2d_transpose", ((1, 4, 5, 6), (3, 2, 7, 6)), {"strides": 2, "dilation": 3}),
    Case("conv2d_transpose", ((1, 4, 4, 6), (3, 3, 7, 6)), {"strides": 4, "dilation": 6}),
    Case("conv2d_transpose", ((2, 4, 4, 12), (3, 3, 5, 12)), {"strides": 2, "groups": 3}),
]


def weight_gradient(case: Case) -> Case:
    """The gradient with respect to its kernel of a conv2d case."""
    x, w = case.shapes[:2]
    attrs = {k: v for k, v in case.attrs.items() if k != "activation"}
    strides, dilation = _pair(attrs.get("strides", 1)), _pair(attrs.get("dilation", 1))
    extent = tuple((k - 1) * d + 1 for k, d in zip(w[:2], dilation, strict=True))
    pads = resolve_padding(attrs, x[1:3], extent, strides)
    size = [
        (n + sum(p) - e) // s + 1 for n, p, e, s in zip(x[1:3], pads, extent, strides, strict=True)
    ]
    return Case(
        "conv2d_weight_gradient",
        (x, (x[0], *size, w[3])),
        {"kernel_size": w[:2], **attrs},
    )


WEIGHT_GRADIENT = [
    *(weight_gradient(case) for case in CONV),
    *(
        weight_gradient(Case("conv2d", shapes, attrs))
        for shapes, attrs in (
            # Several chunks of pixels, rows of several stretches, blocks that end within a picture.
            (((3, 40, 45, 20), (3, 3, 20, 40)), {"padding": "same"}),
            (((2, 3, 700, 9), (3, 3, 9, 5)), {"padding": "same"}),
            (((1, 2, 600, 3), (3, 5, 3, 33)), {"padding": "same", "strides": (1, 2)}),
            (((1, 1, 9000, 33), (1, 1, 33, 17)), {}),
            (((40, 7, 7, 300), (1, 1, 300, 290)), {}),
            # The picture with few channels is packed, whichever it is.
            (((1, 1, 9000, 17), (1, 1, 17, 33)), {}),
            (((2, 9, 7, 70), (1, 1, 70, 301)), {}),
            # Each pixel is of one tap: further panels read what the tiles of the first one keep.
            (((3, 15, 18, 21), (1, 1, 21, 70)), {"strides": 2}),
            (((2, 14, 18, 13), (2, 2, 13, 70)), {"strides": 2}),
            (((2, 13, 17, 13), (3, 2, 13, 70)), {"strides": (1, 3), "padding": "same"}),
            (((2, 9, 11, 26), (1, 1, 13, 140)), {"groups": 2, "pads": (1, 2, 3, 1)}),
            # Windows in one piece, with more padding than picture; a stride beyond the window.
            (((2, 3, 2, 2), (3, 3, 2, 9)), {"pads": (3, 4, 5, 6)}),
            (((2, 3, 2, 2), (2, 2, 2, 9)), {"pads": (3, 4, 5, 6), "strides": 4}),
        )
    ),
]

# For timing: the shapes of ResNet-50 and VGG-19 that take the time, and a U-Net's way up.
BENCHMARK = [
    Case(
        "conv2d",
        ((1, s, s, c), (k, k, c, f)),
        {"strides": st, "pads": (k // 2,) * 4, "activation": "relu"},
    )
    for s, c, k, f, st in (
        (224, 3, 7, 64, 2),
        (56, 64, 1, 64, 1),
        (56, 64, 3, 64, 1),
        (56, 64, 1, 256, 1),
        (56, 256, 1, 64, 1),
        (56, 256, 1, 512, 2),
        (28, 128, 3, 128, 1),
        (28, 512, 1, 128, 1),
        (14, 256, 3, 256, 1),
        (14, 1024, 1, 256, 1),
        (7, 512, 3, 512, 1),
        (7, 2048, 1, 512, 1),
        (224, 64, 3, 64, 1),
        (28, 512, 3, 512, 1),
    )
] + [
    Case("conv2d_transpose", ((1, 64, 64, 128), (2, 2, 64, 128)), {"strides": 2}),
]
