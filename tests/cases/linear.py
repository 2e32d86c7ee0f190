"""Problems of the dense room."""

from tests.harness import Case

DENSE = [
    Case("dense", ((1, 1), (1, 1))),
    Case("dense", ((5,), (5, 3))),
    Case("dense", ((0, 4), (4, 6))),
    Case("dense", ((3, 0), (0, 6))),
    Case("dense", ((2, 3, 4, 17), (17, 33))),
    *(Case("dense", ((m, 70), (70, 100))) for m in (1, 2, 3, 6, 7, 8, 13, 50)),
    *(Case("dense", ((9, 20), (20, n))) for n in (1, 8, 15, 16, 17, 64, 65, 80, 130)),
    # A sum that is cut.
    Case("dense", ((9, 5000), (5000, 70))),
    *(Case("dense", ((m, 1300), (1300, n))) for m, n in ((1, 72), (1, 71), (3, 200), (8, 132))),
    # Large enough for kernels that decline small problems.
    *(Case("dense", s) for s in (((16, 64), (64, 48)), ((33, 200), (200, 130)))),
    Case("dense", ((40, 2500), (2500, 130))),
]

MATMUL = [
    Case("matmul", (a, b), {"transpose_a": ta, "transpose_b": tb})
    for ta, tb, a, b in (
        (False, False, (9, 20), (20, 33)),
        (True, False, (20, 9), (20, 33)),
        (False, True, (9, 20), (33, 20)),
        (True, True, (20, 9), (33, 20)),
        (False, False, (3, 9, 20), (3, 20, 33)),
        (True, True, (3, 20, 9), (3, 33, 20)),
        (False, False, (3, 9, 20), (20, 33)),
        (True, False, (3, 20, 9), (20, 33)),
        (False, False, (9, 20), (3, 20, 33)),
        (True, False, (5000, 9), (5000, 70)),
        (True, False, (20, 45), (20, 8)),
        (False, False, (2, 45, 20), (2, 20, 30)),
        (False, False, (0, 9, 20), (0, 20, 33)),
        (False, False, (4, 0), (0, 3)),
        (False, False, (130, 70), (70, 130)),
        (False, True, (3, 129, 100), (3, 65, 100)),
        (False, False, (2, 150, 64), (64, 80)),
        # As many tiles as a GPU needs for its larger ones.
        (False, False, (160, 5, 8), (160, 8, 68)),
        (True, True, (160, 8, 12), (160, 68, 8)),
    )
]

# For timing: the classifiers of ResNet-50 and VGG-19, alone and in a batch; a square product.
BENCHMARK = [
    Case("dense", ((1, 2048), (2048, 1000))),
    Case("dense", ((32, 2048), (2048, 1000))),
    Case("dense", ((1, 4096), (4096, 4096))),
    Case("matmul", ((512, 512), (512, 512))),
]
