"""Where a loss that is no number comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn import _C, _tree
from fastcnn.errors import NumericsError
from fastcnn.tracing import Trace
from fastcnn.training.steps import Steps


class Checked:
    """Steps of training of which one that gives no finite loss is undone and explained."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def train(self, batch: Any, reduce: Any = None) -> float:
        """Make a step, or change nothing and raise.

        Raises
        ------
        NumericsError
            The loss is NaN or infinite. The weights are those before the step.
        """
        steps = self._steps
        key, number = steps.random_key(), steps.optimizer.iterations
        before = [(v, v.numpy()) for v in steps.state()]
        trackers = [(v, v.numpy()) for m in steps.objective.metrics for v in m.variables]
        loss = steps.train(batch, reduce)
        if np.isfinite(loss):
            return loss
        for variable, value in [*before, *trackers]:
            variable.assign(value)
        steps.optimizer.iterations = number
        where = first_bad_value(steps, batch, key)
        raise NumericsError(
            f"step {number + 1}: the loss is {loss}; {where}. The weights are those before the step"
        )


def first_bad_value(steps: Steps, batch: Any, key: Any) -> str:
    """Tell where in the forward pass the first NaN or infinity appears."""
    for name, array in zip(("x", "y", "sample_weight"), batch, strict=True):
        for leaf in _tree.flatten(array):
            if leaf is not None and not np.isfinite(leaf).all():
                return f"there are NaN or infinite values in {name} already"
    for variable in steps.model.weights:
        if not np.isfinite(variable.view()).all():
            return f"the weight {variable.path} holds NaN or infinite values already"
    trace = Trace(True, lambda: key)
    arrays = [a for a in _tree.flatten(batch) if a is not None]
    args = _tree.map_structure(
        lambda a: None if a is None else trace.input(a.shape, a.dtype.name), tuple(batch)
    )
    with trace:
        loss = steps.describe_loss(trace, (args,))
    trace._updates.clear()
    trace.finish([loss])
    plan = _C.compile(trace.graph, optimize=False, observe="values")
    results = plan.run([*arrays, *(feed() for feed in trace.feeds)])
    for name, array in zip(plan.output_names, results, strict=True):
        if not np.isfinite(array).all():
            return f'NaN or infinite values appear first in the result of "{name or "the loss"}"'
    return "they appear in no layer's result"
