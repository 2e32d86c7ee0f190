"""Gradients of what only moves numbers: the adjoint of each is exact."""

from typing import Any

import numpy as np
import pytest

from fastcnn import _C

from .harness import gradients

CASES = [
    ("slice", (5, 7), {"begin": (1, 2), "size": (3, 4), "step": (1, 1)}),
    ("slice", (5, 9, 3), {"begin": (4, 0, 1), "size": (3, 3, 2), "step": (-2, 4, 1)}),
    ("slice", (4, 3), {"begin": (1, 2), "size": (0, 1), "step": (1, 1)}),
    ("transpose", (2, 3, 4, 5), {"axes": (3, 0, 2, 1)}),
    ("broadcast_to", (3, 1, 2), {"shape": (4, 3, 5, 2)}),
    ("reshape", (2, 6), {"shape": (3, 4)}),
    ("pad", (2, 3, 4), {"pads": (0, 0, 1, 2, 0, 3)}),
    ("pad", (4, 5), {"pads": (3, 2, 0, 4), "mode": "reflect"}),
    ("pad", (4, 5), {"pads": (3, 2, 1, 4), "mode": "symmetric"}),
    ("pad", (4, 5), {"pads": (3, 2, 1, 4), "mode": "edge"}),
    ("space_to_depth", (2, 4, 6, 3), {"block_size": 2}),
    ("depth_to_space", (2, 2, 3, 8), {"block_size": 2, "mode": "CRD"}),
    ("slice_gradient", (3, 2), {"shape": (5, 7), "begin": (0, 6), "size": (3, 2), "step": (2, -3)}),
]


def forward(op: str, x: np.ndarray, attrs: dict[str, Any]) -> np.ndarray:
    graph = _C.Graph()
    graph.set_outputs(graph.add(op, [graph.input(x.shape)], attrs))
    return _C.compile(graph).run([x])[0]


@pytest.mark.parametrize(("op", "shape", "attrs"), CASES, ids=lambda v: str(v).replace(" ", ""))
def test_the_gradient_is_the_adjoint(op: str, shape: tuple[int, ...], attrs: dict) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 9, shape).astype(np.float32)  # sums of these are exact
    y = forward(op, x, attrs)
    upstream = rng.integers(-9, 9, y.shape).astype(np.float32)
    (gradient,) = gradients(op, [x], attrs, [upstream])
    for _ in range(3):
        direction = rng.integers(-9, 9, shape).astype(np.float32)
        assert (forward(op, direction, attrs) * upstream).sum() == (gradient * direction).sum()


def test_each_part_of_a_concatenation_gets_its_part() -> None:
    parts = [np.ones((2, n, 3), np.float32) for n in (1, 4, 2)]
    upstream = np.arange(2 * 7 * 3, dtype=np.float32).reshape(2, 7, 3)
    found = gradients("concat", parts, {"axis": 1}, [upstream])
    np.testing.assert_array_equal(np.concatenate(found, axis=1), upstream)
    (only,) = gradients("concat", parts, {"axis": 1}, [upstream], wrt=[2])
    np.testing.assert_array_equal(only, upstream[:, 5:])
