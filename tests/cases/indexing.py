"""Problems of the rooms that pick elements: gather, top_k, max_unpool2d, roi_align, resample."""

from __future__ import annotations

import numpy as np

from tests.harness import Case


class IndexCase(Case):
    """The second operand is indices, a few of them outside; `spread` is what they index."""

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        arrays = super().inputs(seed)
        rng = np.random.default_rng([seed, 1])
        arrays[1] = rng.integers(-self.spread - 1, self.spread + 2, self.shapes[1])
        return arrays

    @property
    def spread(self) -> int:
        """How many elements there are along the axis."""
        if self.op == "max_unpool2d":
            height, width = self.attrs["output_size"]
            return int(height * width)
        if self.op == "max_unpool2d_gradient":
            return self.shapes[0][1] * self.shapes[0][2]
        if self.op.startswith("resample"):
            return self.attrs.get("size", self.shapes[0][self.attrs["axis"]])
        return self.attrs.get("size", self.shapes[0][self.attrs["axis"]])


class BoxCase(Case):
    """The second operand is boxes, the third their pictures; some are outside, empty or NaN."""

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng([seed, 2])
        count = self.shapes[1][0]
        pictures, height, width = self.picture
        corner = rng.uniform(-3, 1.1, (count, 2)) * [width, height]
        boxes = np.concatenate([corner, corner + rng.uniform(-2, 1.5 * width, (count, 2))], axis=1)
        boxes[3::5, rng.integers(0, 4)] = np.nan
        boxes[4::5] = np.clip(boxes[4::5], 0, width)
        which = rng.integers(-1, pictures + 1, count)
        return [super().inputs(seed)[0], boxes.astype(np.float32), which]

    @property
    def picture(self) -> tuple[int, int, int]:
        """Number, height and width of the pictures."""
        if "input_size" in self.attrs:
            return (self.attrs["pictures"], *self.attrs["input_size"])
        return self.shapes[0][0], self.shapes[0][1], self.shapes[0][2]


TAKE = [
    IndexCase("take", shapes, {"axis": axis})
    for shapes, axis in [
        (((5,), (3,)), 0),
        (((5, 4, 3), ()), 1),
        (((5, 4, 3), (2, 3)), -1),
        (((2, 7, 19), (9,)), 1),
        (((0, 4), (3,)), 1),
        (((4, 0), (3,)), 0),
        (((6, 5), (0,)), 0),
        (((40, 64, 5), (300,)), 1),
    ]
]
TAKE_GRADIENT = [
    IndexCase("take_gradient", ((3,), (3,)), {"axis": 0, "size": 5}),
    IndexCase("take_gradient", ((5, 2, 3, 4), (2, 3)), {"axis": 1, "size": 6}),
    IndexCase("take_gradient", ((4, 300, 33), (300,)), {"axis": 1, "size": 7}),
    IndexCase("take_gradient", ((4, 300, 70), (300,)), {"axis": 1, "size": 130}),
    IndexCase("take_gradient", ((600,), (600,)), {"axis": 0, "size": 3000}),
    IndexCase("take_gradient", ((4, 0), (0,)), {"axis": 1, "size": 7}),
]
ALONG = [
    IndexCase("take_along_axis", (x, indices), {"axis": axis})
    for x, indices, axis in [
        ((5,), (3,), 0),
        ((5, 4, 3), (5, 9, 3), 1),
        ((5, 4, 3), (5, 4, 1), -1),
        ((3, 300), (3, 4000), 1),
        ((0, 4), (0, 3), 1),
        ((2, 0, 3), (2, 2, 3), 1),
    ]
]
ALONG_GRADIENT = [
    IndexCase("take_along_axis_gradient", (shape, shape), {"axis": axis, "size": size})
    for shape, axis, size in [((3,), 0, 5), ((5, 9, 3), 1, 4), ((3, 4000), 1, 30), ((2, 0), 1, 3)]
]
TOP_K = [
    Case("topk", (shape,), {"k": k, "axis": axis, "largest": largest})
    for shape, k, axis in [
        ((1,), 1, 0),
        ((7,), 7, -1),
        ((5, 4, 3), 2, 1),
        ((3, 1000), 17, 1),
        ((2, 500, 3), 100, 1),
        ((2, 5000), 17, 1),  # more than the device sorts at once: it merges
        ((2500, 2), 2500, 0),
        ((4, 5), 0, 1),
        ((0, 5), 2, 1),
    ]
    for largest in (True, False)
]
UNPOOL = [
    IndexCase("max_unpool2d", ((2, 3, 4, 5), (2, 3, 4, 5)), {"output_size": (6, 8)}),
    IndexCase("max_unpool2d", ((1, 1, 1, 33), (1, 1, 1, 33)), {"output_size": (1, 2)}),
    IndexCase("max_unpool2d", ((0, 2, 2, 3), (0, 2, 2, 3)), {"output_size": (4, 4)}),
]
UNPOOL_GRADIENT = [
    IndexCase("max_unpool2d_gradient", ((2, 6, 8, 5), (2, 3, 4, 5))),
    IndexCase("max_unpool2d_gradient", ((1, 30, 40, 65), (1, 15, 20, 65))),
]
ROI_ALIGN = [
    BoxCase("roi_align", (x, (boxes, 4), (boxes,)), {"output_size": size, **options})
    for x, boxes, size in [((2, 12, 9, 3), 20, (3, 4)), ((1, 20, 30, 65), 7, (7, 7))]
    for options in [
        {},
        {"aligned": True, "sampling_ratio": 2},
        {"spatial_scale": 0.25, "sampling_ratio": 3},
        {"mode": "max", "aligned": True},
    ]
]
ROI_ALIGN_GRADIENT = [
    BoxCase(
        "roi_align_gradient",
        ((20, 3, 4, 5), (20, 4), (20,)),
        {"input_size": (12, 9), "pictures": 2, **options},
    )
    for options in [{}, {"aligned": True, "sampling_ratio": 2, "spatial_scale": 0.5}]
]
RESAMPLE = [
    IndexCase("resample", (x, taps, taps), {"axis": axis})
    for x, taps, axis in [
        ((5,), (9, 2), 0),
        ((2, 7, 9, 3), (4, 4), 1),
        ((2, 7, 9, 3), (20, 3), -2),
        ((3, 40, 65), (80, 4), 1),
        ((2, 5, 3), (4, 0), 1),
        ((0, 5), (4, 2), 1),
    ]
]
RESAMPLE_GRADIENT = [
    IndexCase("resample_gradient", (dy, taps, taps), {"axis": axis, "size": size})
    for dy, taps, axis, size in [
        ((9,), (9, 2), 0, 5),
        ((2, 4, 9, 3), (4, 4), 1, 7),
        ((3, 80, 65), (80, 4), 1, 40),
    ]
]

# For timing: an embedding's rows, a detector's best boxes, a decoder's way back, RoI heads, and a
# bicubic enlargement's two axes.
BENCHMARK = [
    IndexCase("take", ((10_000, 128), (512,)), {"axis": 0}),
    Case("topk", ((1, 8400),), {"k": 300}),
    IndexCase("max_unpool2d", ((1, 56, 56, 64),) * 2, {"output_size": (112, 112)}),
    BoxCase("roi_align", ((1, 50, 68, 256), (100, 4), (100,)), {"output_size": (7, 7)}),
    IndexCase("resample", ((1, 64, 64, 64), (128, 4), (128, 4)), {"axis": 1}),
    IndexCase("resample", ((1, 128, 64, 64), (128, 4), (128, 4)), {"axis": 2}),
]
