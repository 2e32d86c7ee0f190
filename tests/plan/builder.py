"""Graphs for tests: a small wrapper around the core's graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn import _C


class Net:
    """Collects nodes; `run` compiles and runs them on one set of inputs."""

    def __init__(self) -> None:
        self.graph = _C.Graph()
        self.rng = np.random.default_rng(0)

    def input(self, *shape: int) -> int:
        return self.graph.input(shape)

    def variable(self, *shape: int, positive: bool = False) -> int:
        value = self.rng.standard_normal(shape).astype(np.float32)
        return self.graph.variable(_C.Variable(np.abs(value) + 0.5 if positive else value))

    def add(self, op: str, *inputs: int, **attrs: Any) -> int:
        return self.graph.add(op, list(inputs), attrs)[0]

    def conv(self, x: int, filters: int, size: int = 3, bias: bool = False, **attrs: Any) -> int:
        w = self.variable(size, size, self.graph.shape(x)[3], filters)
        extra = [self.variable(filters)] if bias else []
        return self.add("conv2d", x, w, *extra, **{"padding": "same", **attrs})

    def batch_norm(self, x: int) -> int:
        c = self.graph.shape(x)[-1]
        affine = [self.variable(c) for _ in range(3)]
        return self.add("batch_norm", x, *affine, self.variable(c, positive=True))

    def compile(self, *outputs: int, **options: Any) -> _C.Plan:
        self.graph.set_outputs(outputs)
        return _C.compile(self.graph, **options)


def random_inputs(plan: _C.Plan, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape, _ in plan.input_types]


def ops_of(plan: _C.Plan) -> list[str]:
    return [step["op"] for step in plan.steps()]


def assert_same_as_described(net: Net, *outputs: int) -> _C.Plan:
    """The optimised plan computes what the graph as described computes; returns the former."""
    fast = net.compile(*outputs)
    plain = net.compile(*outputs, optimize=False)
    inputs = random_inputs(fast)
    for a, b in zip(fast.run(inputs), plain.run(inputs), strict=True):
        np.testing.assert_allclose(
            a, b, rtol=0, atol=2e-5 * max(1.0, float(np.abs(b).max(initial=0)))
        )
    return fast
