"""Problems of classification losses: one to many classes, tails, every dtype of labels."""

from dataclasses import dataclass

import numpy as np

from tests.harness import Case


@dataclass(frozen=True)
class LabelCase(Case):
    """Softmax cross-entropy; `labels` is a dtype, float32 for shares of each class."""

    labels: str = "int64"

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        logits = rng.standard_normal(self.shapes[0]).astype(np.float32) * 3
        *rows, classes = self.shapes[0]
        if self.labels == "float32":
            labels = rng.random(self.shapes[0]).astype(np.float32)
            labels[labels < 0.2] = 0
        else:
            labels = rng.integers(0, classes, rows).astype(self.labels)
        return [logits, labels]

    @property
    def id(self) -> str:
        return f"{super().id}{self.labels}"


_SHAPES = (
    (1,),
    (3,),
    (4, 1),
    (5, 7),
    (2, 3, 4, 21),
    (3, 16),
    (9, 33),
    (9, 300),
    (2, 1000),
    (2, 5000),
    (0, 4),
    (700, 10),
)

SOFTMAX = [
    *(LabelCase("softmax_cross_entropy", (shape,)) for shape in _SHAPES),
    *(LabelCase("softmax_cross_entropy", (shape,), {}, "float32") for shape in _SHAPES),
    LabelCase("softmax_cross_entropy", ((30, 21),), {"ignore_class": 3}, "int32"),
    LabelCase("softmax_cross_entropy", ((30, 21),), {"ignore_class": 255}, "uint8"),
    LabelCase("softmax_cross_entropy", ((30, 4),), {"ignore_class": -1}, "int64"),
]
SIGMOID = [Case("sigmoid_cross_entropy", (s, s)) for s in ((), (1,), (7, 3), (0, 2), (2, 20_001))]
SOFTMAX_GRADIENT = [
    Case(op, (shape, shape), {"axis": axis})
    for op in ("softmax_gradient", "log_softmax_gradient")
    for shape, axis in [
        ((1,), -1),
        ((7, 3), -1),
        ((3, 21), 1),
        ((2, 9_001), -1),
        ((5, 40, 21), 1),
        ((9, 3), 0),
        ((0, 4), -1),
        ((200, 33), 0),
    ]
]

# For timing: ImageNet at batch 64, a segmentation of 12 classes.
BENCHMARK = [
    LabelCase("softmax_cross_entropy", ((64, 1000),)),
    LabelCase("softmax_cross_entropy", ((4, 256, 256, 12),), {"ignore_class": 255}, "uint8"),
    Case("softmax_gradient", ((4, 256, 256, 12),) * 2),
]
