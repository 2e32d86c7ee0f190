"""What L-BFGS knows of a loss can be kept, and gone on from to the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError


def descend(optimizer: fc.optimizers.LBFGS, x: fc.Variable, steps: int) -> None:
    compute = fc.value_and_grad(
        lambda: fc.ops.sum(fc.ops.square(fc.ops.square(x) - np.float32([1, 2, 3]))), variables=[x]
    )

    def closure() -> tuple[float, np.ndarray]:
        value, (gradient,) = compute()
        return float(value), gradient

    for _ in range(steps):
        optimizer.minimize(closure, [x])


def test_going_on_gives_the_same_bits() -> None:
    x = fc.Variable(np.float32([0.5, 0.3, 4.0]))
    optimizer = fc.optimizers.LBFGS(history_size=3)
    descend(optimizer, x, 6)
    kept, at = optimizer.save_history(), x.numpy()
    descend(optimizer, x, 3)

    again, other = fc.Variable(at), fc.optimizers.LBFGS(history_size=3)
    other.load_history(kept)
    descend(other, again, 3)
    np.testing.assert_array_equal(again.numpy(), x.numpy())

    forgetful = fc.Variable(at)
    descend(fc.optimizers.LBFGS(history_size=3), forgetful, 3)
    assert np.any(forgetful.numpy() != x.numpy())


def test_the_first_step_goes_as_far_as_it_is_told() -> None:
    for length in (0.01, 0.5):
        x = fc.Variable(np.zeros(3, np.float32) + 2)
        optimizer = fc.optimizers.LBFGS(first_step=length, max_evaluations=1)
        descend(optimizer, x, 1)
        assert float(np.abs(x.numpy() - 2).sum()) == pytest.approx(length, rel=1e-4)


def test_what_does_not_belong_together_is_refused() -> None:
    x = fc.Variable(np.float32([0.5, 0.3, 4.0]))
    optimizer = fc.optimizers.LBFGS(history_size=4)
    descend(optimizer, x, 5)
    kept = optimizer.save_history()
    for wrong in (
        {name: array for name, array in kept.items() if name != "change/1"},
        {name: array for name, array in kept.items() if name != "loss"},
        {**kept, "step/0": np.zeros(7)},
        {**kept, "other": np.zeros(3)},
    ):
        with pytest.raises(ConfigError, match="LBFGS"):
            optimizer.load_history(wrong)
    with pytest.raises(ConfigError, match="at most 2 steps"):
        fc.optimizers.LBFGS(history_size=2).load_history(kept)
    fc.optimizers.LBFGS().load_history({})
