"""Winograd's F(2 x 2, 3 x 3) with dot products of bfloat16, against what it is said to compute.

Between its transforms the factors are rounded to bfloat16. A model of that, whose transforms are
those of the kernel in float32 and whose sums are exact, leaves only the errors of float32 sums, so
the kernels are held to far less than what `medium` promises.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fastcnn import _C
from tests.harness import (
    Case,
    assert_within,
    dot_bound,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.ops.test_bf16_storage import rounded

OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, 1]], np.float64)
KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float64)


def rows_of(op: str) -> list[str]:
    return [k for k in kernel_rows(op, "cpu") if "bf16_winograd2" in k]


def input_transform(d: np.ndarray) -> np.ndarray:
    """Along the first axis."""
    return np.stack([d[0] - d[2], d[2] + d[1], d[2] - d[1], d[3] - d[1]])


def kernel_transform(g: np.ndarray) -> np.ndarray:
    half = np.float32(0.5)
    even, odd = (g[0] + g[2]) * half, g[1] * half
    return np.stack([g[0], even + odd, even - odd, g[2]])


def gradient_transform(y: np.ndarray) -> np.ndarray:
    return np.stack([y[0], y[0] + y[1], y[0] - y[1], y[1]])


def twice(transform: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Along the first axis, then along the second; rounded to bfloat16."""
    y = transform(x).swapaxes(0, 1)
    return rounded(transform(np.ascontiguousarray(y)).swapaxes(0, 1)).astype(np.float64)


def tiles_of(x: np.ndarray, size: int, before: int) -> np.ndarray:
    """(size, size, tiles, channels): windows of `size` pixels, two from one to the next."""
    _, height, width, _ = x.shape
    rows, columns = -(-height // 2), -(-width // 2)
    ends = [
        (before, 2 * n + size - 2 - before - length)
        for n, length in ((rows, height), (columns, width))
    ]
    padded = np.pad(x, ((0, 0), *ends, (0, 0)))
    tiles = np.array(
        [
            [padded[:, i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2] for j in range(size)]
            for i in range(size)
        ]
    )
    return tiles.reshape(size, size, -1, x.shape[3])


@pytest.mark.parametrize("kernel", rows_of("conv2d"))
@pytest.mark.parametrize(
    ("shape", "filters"),
    [
        ((1, 8, 8, 2), 1),
        ((2, 9, 15, 34), 41),  # tails of pairs, of filters, of tiles
        ((1, 14, 13, 160), 16),  # a panel of one tile
        ((1, 13, 13, 130), 70),  # longer sums than a short one, the last step with one pair
        ((3, 28, 28, 96), 32),  # several blocks
        ((1, 7, 7, 512), 48),  # staged
    ],
)
def test_convolution(kernel: str, shape: tuple[int, ...], filters: int) -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal(shape).astype(np.float32)
    w = rng.standard_normal((3, 3, shape[3], filters)).astype(np.float32)
    v, u = twice(input_transform, tiles_of(x, 4, 1)), twice(kernel_transform, w)
    shared = "ai,ijtf,bj->abtf"
    exact = np.einsum(shared, OUTPUT, v @ u, OUTPUT)
    magnitudes = np.einsum(shared, abs(OUTPUT), abs(v) @ abs(u), abs(OUTPUT))
    (y,) = run_kernel(kernel, Case("conv2d", (x.shape, w.shape), {"padding": "same"}), [x, w])
    inside = tiles_of(np.ones((*shape[:3], filters)), 2, 0) > 0
    bound = dot_bound(magnitudes, shape[3])
    assert_within(tiles_of(y, 2, 0)[inside], exact[inside], bound[inside])


@pytest.mark.parametrize("kernel", rows_of("conv2d_weight_gradient"))
@pytest.mark.parametrize(
    ("shape", "filters"),
    [
        ((1, 5, 7, 3), 5),  # an odd number of tiles
        ((2, 9, 15, 35), 41),
        ((3, 28, 30, 70), 33),  # several blocks, chunks and parts
    ],
)
def test_weight_gradient(kernel: str, shape: tuple[int, ...], filters: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal(shape).astype(np.float32)
    dy = rng.standard_normal((*shape[:3], filters)).astype(np.float32)
    v, d = twice(input_transform, tiles_of(x, 4, 1)), twice(gradient_transform, tiles_of(dy, 2, 0))
    shared = "ia,ijcf,jb->abcf"
    exact = np.einsum(shared, KERNEL, v.swapaxes(2, 3) @ d, KERNEL)
    magnitudes = np.einsum(shared, abs(KERNEL), abs(v).swapaxes(2, 3) @ abs(d), abs(KERNEL))
    attrs = {"kernel_size": (3, 3), "padding": "same"}
    (dw,) = run_kernel(kernel, Case("conv2d_weight_gradient", (x.shape, dy.shape), attrs), [x, dy])
    assert_within(dw, exact, dot_bound(magnitudes, v.shape[2]))


@pytest.mark.parametrize("op", ["conv2d", "conv2d_weight_gradient"])
def test_same_bits_at_any_thread_count(op: str) -> None:
    for kernel in rows_of(op):
        for shape in ((2, 15, 26, 96), (1, 8, 8, 320)):
            other = (3, 3, shape[3], 70) if op == "conv2d" else (*shape[:3], 70)
            attrs = {"padding": "same"} | ({} if op == "conv2d" else {"kernel_size": (3, 3)})
            same_bits_at_any_thread_count(Case(op, (shape, other), attrs), kernel=kernel)


@pytest.mark.parametrize("kernel", rows_of("conv2d"))
def test_pairs_need_an_even_number_of_channels(kernel: str) -> None:
    graph = _C.Graph()
    operands = [graph.input(s, "float32") for s in ((1, 9, 9, 33), (3, 3, 33, 8))]
    graph.set_outputs(graph.add("conv2d", operands, {"padding": "same"}))
    with pytest.raises(Exception, match="an even number of channels only"):
        _C.compile(graph, kernel=kernel, precision="medium")
