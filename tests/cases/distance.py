"""Problems of the distance and gram rooms: single rows, tile tails, no rows, no columns."""

from __future__ import annotations

from tests.harness import Case

METRICS = ("euclidean", "sqeuclidean", "manhattan", "inner_product", "cosine")

_SIZES = (  # rows, rows of the gallery, columns
    (1, 1, 1),
    (3, 5, 2),
    (7, 70, 16),
    (8, 65, 16),
    (13, 130, 37),
    (140, 300, 128),
    (130, 64, 15),
    (9, 17, 300),
    (2, 33, 513),
    (10, 3, 1030),
    (0, 5, 4),
    (5, 0, 4),
    (4, 6, 0),
)
CDIST = [
    Case("cdist", ((n, d), (m, d)), {"metric": metric}) for n, m, d in _SIZES for metric in METRICS
]
GRAM = [
    Case("gram_matrix", (shape,), {"scale": 0.25})
    for shape in (
        (1, 1, 1),
        (2, 7, 5, 3),
        (1, 300, 64),
        (1, 129, 48),
        (3, 16, 16, 65),
        (1, 10, 10, 130),
        (2, 3, 3, 3, 17),
        (1, 28, 28, 256),
        (1, 5000, 20),
        (1, 40, 530),
        (0, 4, 4, 3),
        (2, 0, 5),
        (2, 9, 0),
    )
]

# For timing: a verification batch, a gallery search, the style layers of VGG.
BENCHMARK = [
    Case("cdist", ((1000, 128), (1000, 128)), {"metric": "euclidean"}),
    Case("cdist", ((1000, 3), (1000, 3)), {"metric": "euclidean"}),
    Case("nearest", ((1, 128), (100_000, 128)), {"k": 1}),
    Case("nearest", ((256, 128), (100_000, 128)), {"k": 10}),
    Case("gram_matrix", ((1, 224, 224, 64),)),
    Case("gram_matrix", ((1, 112, 112, 128),)),
    Case("gram_matrix", ((1, 56, 56, 256),)),
    Case("gram_matrix", ((1, 28, 28, 512),)),
]
