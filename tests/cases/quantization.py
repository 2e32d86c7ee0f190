"""Problems of the rooms of 8-bit codes: shapes of x and of the kernel, as float cases have them."""

from tests.harness import Case

CONV_INT8 = [
    Case("conv2d_int8", ((1, 1, 1, 1), (1, 1, 1, 1))),
    Case("conv2d_int8", ((0, 5, 5, 2), (3, 3, 2, 4)), {"padding": "same"}),
    # Pointwise: read in place (channels a multiple of 64) or copied; tails of rows and columns.
    Case("conv2d_int8", ((1, 4, 4, 64), (1, 1, 64, 32))),
    Case("conv2d_int8", ((2, 7, 7, 128), (1, 1, 128, 70))),
    Case("conv2d_int8", ((1, 8, 12, 192), (1, 1, 192, 48))),
    *(Case("conv2d_int8", ((1, 5, 7, 33), (1, 1, 33, n))) for n in (15, 16, 17, 31, 33)),
    Case("conv2d_int8", ((2, 7, 6, 19), (1, 1, 19, 24)), {"strides": (2, 3)}),
    # Windows across every edge, few channels, strides, dilation, kernels larger than the picture.
    Case("conv2d_int8", ((1, 23, 22, 3), (7, 7, 3, 64)), {"strides": 2, "pads": (3, 3, 3, 3)}),
    Case("conv2d_int8", ((2, 11, 12, 3), (3, 3, 3, 32)), {"strides": 2, "padding": "same"}),
    Case("conv2d_int8", ((1, 13, 13, 40), (3, 3, 40, 33)), {"padding": "same"}),
    Case("conv2d_int8", ((3, 7, 7, 32), (3, 3, 32, 64)), {"padding": "same"}),
    Case("conv2d_int8", ((1, 9, 8, 5), (3, 3, 5, 9)), {"dilation": (2, 3), "padding": "same"}),
    Case("conv2d_int8", ((1, 2, 3, 40), (5, 7, 40, 9)), {"padding": "same"}),
    Case("conv2d_int8", ((1, 3, 3, 5), (2, 2, 5, 9)), {"strides": 2, "pads": (4, 3, 3, 4)}),
    # Windows of at most 64 codes: several tasks, strides beyond the window, none inside, rows as
    # long as the window.
    Case("conv2d_int8", ((2, 31, 40, 3), (3, 3, 3, 33)), {"padding": "same"}),
    Case("conv2d_int8", ((1, 14, 15, 4), (4, 4, 4, 16)), {"pads": (2, 0, 1, 3)}),
    Case("conv2d_int8", ((1, 17, 16, 2), (5, 3, 2, 9)), {"dilation": (2, 1), "strides": (1, 4)}),
    Case("conv2d_int8", ((1, 2, 2, 3), (3, 3, 3, 9)), {"padding": "same"}),
    Case("conv2d_int8", ((2, 9, 3, 6), (3, 3, 6, 9))),
    # Strips: windows of stride 1.
    Case("conv2d_int8", ((2, 14, 9, 64), (3, 3, 64, 40)), {"padding": "same"}),
    Case("conv2d_int8", ((1, 12, 5, 32), (3, 2, 32, 33)), {"dilation": (2, 1)}),
    Case("conv2d_int8", ((1, 3, 40, 64), (1, 5, 64, 16)), {"pads": (1, 2, 6, 3)}),
    Case("conv2d_int8", ((1, 30, 60, 64), (3, 3, 64, 64)), {"pads": (0, 1, 1, 0)}),
    # Lines of the picture: two short ones at a time, an odd one, several tiles of one, a long one.
    *(
        Case("conv2d_int8", ((2, 7, w, 64), (3, 3, 64, 40)), {"padding": "same"})
        for w in (1, 3, 7, 13, 28, 33)
    ),
    Case("conv2d_int8", ((1, 4, 300, 64), (3, 3, 64, 33)), {"padding": "same"}),
    # Runs that begin and end anywhere in a step.
    *(
        Case("conv2d_int8", ((2, 6, w, c), (3, 3, c, 40)), {"padding": "same"})
        for w, c in ((7, 8), (16, 12), (19, 20), (5, 36), (30, 44), (7, 100))
    ),
    Case("conv2d_int8", ((1, 12, 9, 28), (5, 1, 28, 33)), {"dilation": (2, 1)}),
    # Pointwise, channels a multiple of 4, tiles of rows with tails.
    Case("conv2d_int8", ((1, 14, 14, 96), (1, 1, 96, 24)), {}),
    Case("conv2d_int8", ((1, 7, 7, 16), (1, 1, 16, 100)), {}),
    Case("conv2d_int8", ((3, 5, 9, 20), (1, 1, 20, 33)), {}),
    # Several tasks by rows and by columns; long sums.
    Case("conv2d_int8", ((1, 40, 41, 16), (3, 3, 16, 33)), {"padding": "same"}),
    Case("conv2d_int8", ((1, 7, 7, 512), (3, 3, 512, 130)), {"padding": "same"}),
    Case("conv2d_int8", ((1, 1, 1, 5000), (1, 1, 5000, 200))),
]

DEPTHWISE_INT8 = [
    Case("depthwise_conv2d_int8", ((1, 1, 1, 1), (1, 1, 1, 1))),
    Case("depthwise_conv2d_int8", ((0, 5, 5, 2), (3, 3, 2, 1)), {"padding": "same"}),
    *(
        Case("depthwise_conv2d_int8", ((1, 9, 11, c), (3, 3, c, 1)), {"padding": "same"})
        for c in (7, 16, 31, 32, 33, 64, 65, 144)
    ),
    *(
        Case("depthwise_conv2d_int8", ((2, 10, 9, 40), (k, k, 40, 1)), {"strides": s, "padding": p})
        for k, s, p in ((3, 2, "same"), (5, 1, "same"), (4, (2, 3), "valid"), (7, 2, "same"))
    ),
    Case("depthwise_conv2d_int8", ((1, 9, 8, 5), (3, 3, 5, 1)), {"dilation": (2, 3)}),
    Case("depthwise_conv2d_int8", ((1, 3, 3, 5), (2, 2, 5, 1)), {"pads": (4, 3, 3, 4)}),
    Case("depthwise_conv2d_int8", ((1, 2, 3, 40), (5, 7, 40, 1)), {"padding": "same"}),
    *(
        Case("depthwise_conv2d_int8", ((1, 8, w, 70), (*k, 70, 1)), {"strides": s, "padding": p})
        for w, k, s, p in (
            (1, (3, 3), 1, "same"),
            (2, (3, 3), 2, "same"),
            (14, (4, 3), 1, "same"),
            (15, (1, 3), 2, "valid"),
            (9, (8, 5), 2, "same"),
            (12, (6, 7), 1, "same"),
        )
    ),
    Case("depthwise_conv2d_int8", ((1, 3, 3, 5), (3, 3, 5, 1)), {"pads": (6, 7, 5, 6)}),
    # Several tasks.
    Case("depthwise_conv2d_int8", ((2, 33, 30, 96), (3, 3, 96, 1)), {"padding": "same"}),
]

MAX_POOL_INT8 = [
    Case("max_pool2d_int8", ((1, 7, 9, c),), {"pool_size": 3, "strides": 2, "pads": (1, 1, 1, 1)})
    for c in (1, 31, 64, 70, 130)
] + [
    Case("max_pool2d_int8", ((2, 8, 8, 40),)),
    Case("max_pool2d_int8", ((1, 5, 5, 3),), {"ceil_mode": True}),
    Case("max_pool2d_int8", ((1, 3, 3, 3),), {"pool_size": 2, "strides": 2, "pads": (4, 3, 3, 4)}),
    Case("max_pool2d_int8", ((0, 4, 4, 3),)),
]

# For what becomes of sums: whole registers and tails of columns.
EPILOGUE = [
    Case("conv2d_int8", ((2, 5, 7, 6), (1, 1, 6, 45))),
    Case("depthwise_conv2d_int8", ((2, 5, 7, 75), (2, 3, 75, 1))),
]
