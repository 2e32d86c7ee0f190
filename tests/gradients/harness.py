"""Gradients of one op, as graphs give them, against finite differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastcnn import _C

Arrays = Sequence[np.ndarray]


def gradients(
    op: str,
    operands: Arrays,
    attrs: dict[str, Any],
    upstream: Arrays | None = None,
    wrt: Sequence[int] | None = None,
    precision: str = "highest",
    **options: Any,
) -> list[np.ndarray]:
    """Gradients of ``sum(upstream * op(operands))`` with respect to the operands named by `wrt`.

    `upstream` has an array for each float result, ones unless given; an array that is None leaves
    that result out. `wrt`: all float operands unless given.
    """
    graph = _C.Graph()
    values = [graph.input(a.shape, a.dtype.name) for a in operands]
    results = graph.add(op, values, attrs, "op")
    parts = []
    for k, y in enumerate(results):
        if graph.dtype(y) != "float32" or (upstream is not None and upstream[k] is None):
            continue
        if upstream is not None:
            weight = graph.constant(np.asarray(upstream[k], np.float32))
            y = graph.add("mul", [y, weight], {})[0]
        parts.append(graph.add("reduce_sum", [y], {})[0])
    loss = parts[0]
    for part in parts[1:]:
        loss = graph.add("add", [loss, part], {})[0]
    if wrt is None:
        wrt = [i for i, a in enumerate(operands) if a.dtype == np.float32]
    graph.set_outputs(graph.gradient(loss, [values[i] for i in wrt]))
    return _C.compile(graph, precision=precision, **options).run(list(operands))


def assert_gradients_match(
    op: str,
    operands: Arrays,
    attrs: dict[str, Any],
    reference: Callable[..., Any],
    *,
    wrt: Sequence[int] | None = None,
    step: float = 1e-5,
    tolerance: float = 2e-4,
    seed: int = 0,
    directions: int = 3,
) -> None:
    """Compare with central differences of `reference` along random directions.

    `reference(*operands)` computes the op in float64 and returns its result, or a tuple of its
    results (None in the place of one that has no gradient). Where the op has kinks, give operands
    that are further from them than `step`.
    """
    rng = np.random.default_rng(seed)
    wide = [a.astype(np.float64) if a.dtype == np.float32 else a for a in operands]

    def results(*arrays: np.ndarray) -> list[np.ndarray | None]:
        y = reference(*arrays)
        return list(y) if isinstance(y, tuple) else [y]

    upstream = [None if y is None else rng.standard_normal(np.shape(y)) for y in results(*wide)]
    upstream32 = [None if u is None else u.astype(np.float32) for u in upstream]
    if wrt is None:
        wrt = [i for i, a in enumerate(operands) if a.dtype == np.float32]
    found = gradients(op, operands, attrs, upstream32, wrt)  # type: ignore[arg-type]

    def loss(arrays: Sequence[np.ndarray]) -> float:
        pairs = zip(upstream32, results(*arrays), strict=True)
        return sum(
            float((u.astype(np.float64) * y).sum())
            for u, y in pairs
            if u is not None and y is not None
        )

    for gradient, i in zip(found, wrt, strict=True):
        assert gradient.shape == operands[i].shape
        for _ in range(directions):
            direction = rng.standard_normal(operands[i].shape)
            ahead = [w + step * direction if k == i else w for k, w in enumerate(wide)]
            behind = [w - step * direction if k == i else w for k, w in enumerate(wide)]
            expected = (loss(ahead) - loss(behind)) / (2 * step)
            actual = float((gradient.astype(np.float64) * direction).sum())
            scale = float(np.abs(gradient * direction).sum()) + 1e-3
            assert abs(actual - expected) <= tolerance * scale, (op, attrs, i, actual, expected)
