"""Problems of the resize and space_depth rooms."""

from tests.harness import Case

COORDINATES = ("half_pixel", "align_corners", "asymmetric")
_SHAPES = ((1, 1, 1, 1), (2, 5, 7, 3), (1, 4, 6, 21), (1, 9, 3, 64), (0, 4, 4, 2))
_SIZES = ((1, 1), (10, 14), (3, 5), (13, 4), (9, 18))

BILINEAR = [
    Case("resize", (shape,), {"size": size, "coordinate": coordinate})
    for shape in _SHAPES
    for size in _SIZES
    for coordinate in COORDINATES
]
NEAREST = [Case("resize", c.shapes, {**c.attrs, "interpolation": "nearest"}) for c in BILINEAR]

SPACE_DEPTH = [
    Case(op, (shape,), {"block_size": block, "mode": mode})
    for op, shapes in (
        ("space_to_depth", ((2, 12, 6, 3), (1, 6, 18, 16), (0, 6, 6, 2))),
        ("depth_to_space", ((2, 3, 5, 36), (1, 2, 1, 72), (0, 3, 3, 36))),
    )
    for shape in shapes
    for block in (1, 2, 3)
    for mode in ("DCR", "CRD")
]

# For timing: a decoder's enlargement, a segmentation head's, a detector's, and shuffled pixels.
BENCHMARK = [
    Case("resize", ((1, 32, 32, 256),), {"size": (64, 64)}),
    Case("resize", ((1, 64, 64, 21),), {"size": (512, 512), "coordinate": "align_corners"}),
    Case("resize", ((1, 160, 160, 1),), {"size": (320, 320)}),
    Case("resize", ((1, 480, 640, 3),), {"size": (224, 224)}),
    Case("resize", ((1, 26, 26, 128),), {"size": (52, 52), "interpolation": "nearest"}),
    Case("space_to_depth", ((1, 26, 26, 64),), {"block_size": 2}),
    Case("depth_to_space", ((1, 64, 64, 256),), {"block_size": 2, "mode": "CRD"}),
]

RESIZE_GRADIENT = [
    Case(
        "resize_gradient",
        ((c.shapes[0][0], *c.attrs["size"], c.shapes[0][3]),),
        {
            **{k: v for k, v in c.attrs.items() if k != "size"},
            "input_size": c.shapes[0][1:3],
        },
    )
    for c in [*BILINEAR, *NEAREST]
]
GRADIENT_BENCHMARK = [
    Case("resize_gradient", ((4, 64, 64, 256),), {"input_size": (32, 32)}),
    Case(
        "resize_gradient",
        ((4, 128, 128, 64),),
        {"input_size": (64, 64), "interpolation": "nearest"},
    ),
]
BENCHMARK += GRADIENT_BENCHMARK
