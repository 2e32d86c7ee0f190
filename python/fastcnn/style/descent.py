"""The picture as a variable, and the plan of the steps that change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn.errors import ConfigError, FileFormatError, ShapeError
from fastcnn.optimizers import LBFGS, Optimizer
from fastcnn.plan import Compiled, Plan, PlanCache
from fastcnn.style.objective import Costs, Objective
from fastcnn.variable import Variable

Picture = NDArray[np.float32]

# An arena beyond this is exchanged for one that keeps less and computes more, if that is smaller by
# enough.
_ENOUGH_BYTES = 4 * 2**30
_WORTH = 0.8

_HISTORY = "history/"


class Descent:
    """Makes the costs of a picture fall.

    A step of a first-order optimizer is one plan: network, costs, gradient with respect to the
    picture, and the update of the picture and the optimizer's state in place. L-BFGS, whose steps
    may need several values of the costs, runs a plan of costs and gradient for each.

    Parameters
    ----------
    objective : Objective
    picture : array, float32, shape (1, h, w, 3)
        Where to begin.
    optimizer : Optimizer
        Without state.
    recompute : {"auto", None, "activations", "segments"}, default "auto"
        As for `Model.compile`, but done whether it saves memory or not; "auto" lets "segments" save
        memory where a step would need more than 4 GiB, and would need a fifth less.
    """

    def __init__(
        self,
        objective: Objective,
        picture: Picture,
        optimizer: Optimizer,
        recompute: str | None = "auto",
    ) -> None:
        self.objective = objective
        self.optimizer = optimizer
        self.picture = Variable(picture, name="picture")
        self._recompute = None if recompute == "auto" else recompute
        self._may_recompute = recompute == "auto"
        self._seen: dict[float, Costs] = {}
        if not isinstance(optimizer, LBFGS):
            self.picture.constraint = lambda x: ops.clip(x, 0.0, 255.0)
        self._plans = self._no_plans()

    # ---- what the plans are of -------------------------------------------------------------------

    def _describe_step(self, trace: Any, args: Any, kwargs: Any) -> Any:
        costs = self.objective.describe(trace.value_of(self.picture))
        gradients = trace.gradient(costs.total, [self.picture], self._recompute)
        if isinstance(self.optimizer, LBFGS):
            return [*costs, *gradients]
        self.optimizer.describe(trace, gradients, [self.picture])
        return list(costs)

    def _no_plans(self) -> PlanCache:
        return PlanCache(self._describe_step, "a step of style transfer", capacity=1)

    def _compiled(self) -> tuple[Compiled, list[NDArray[Any]]]:
        compiled, arrays = self._plans.get((), {})
        if self._may_recompute:
            self._may_recompute = False
            if compiled.plan.arena_bytes > _ENOUGH_BYTES:
                keeping, self._plans, self._recompute = self._plans, self._no_plans(), "segments"
                less, arrays = self._plans.get((), {})
                if less.plan.arena_bytes < _WORTH * compiled.plan.arena_bytes:
                    return less, arrays
                self._plans, self._recompute = keeping, None
        return compiled, arrays

    # ---- steps -----------------------------------------------------------------------------------

    def step(self) -> Costs:
        """Change the picture, and give the costs it had before."""
        if isinstance(self.optimizer, LBFGS):
            total = self.optimizer.minimize(self._evaluate, [self.picture])
            found = self._seen[total]
            # The next step begins where one of the last evaluations was.
            last = list(self._seen.items())[-self.optimizer.max_evaluations - 2 :]
            self._seen = dict(last)
            return found
        compiled, arrays = self._compiled()
        costs = Costs(*map(float, compiled.run(arrays)))
        self.optimizer.note_step()
        return costs

    def _evaluate(self) -> tuple[float, NDArray[np.float32]]:
        compiled, arrays = self._compiled()
        *costs, gradient = compiled.run(arrays)
        found = Costs(*map(float, costs))
        self._seen.pop(found.total, None)  # what is seen again becomes the latest
        self._seen[found.total] = found
        return found.total, gradient.reshape(-1)

    def plan(self) -> Plan:
        """Show the plan of a step."""
        return Plan(self._compiled()[0].plan)

    def profile(self) -> list[int]:
        """Run the plan of a step once, and tell the nanoseconds of each of its steps."""
        compiled, arrays = self._compiled()
        return compiled.plan.profile([*arrays, *(feed() for feed in compiled.feeds)])

    # ---- state -----------------------------------------------------------------------------------

    def save_state(self) -> dict[str, NDArray[Any]]:
        """Copy the picture and all that the next step depends on."""
        arrays: dict[str, NDArray[Any]] = {"picture": self.picture.numpy()}
        if isinstance(self.optimizer, LBFGS):
            history = self.optimizer.save_history()
            arrays |= {_HISTORY + name: array for name, array in history.items()}
            if "loss" in history:
                arrays["costs"] = np.array(self._seen[float(history["loss"])])
        else:
            arrays |= self.optimizer.save_state()
        return arrays

    def load_state(self, arrays: Mapping[str, NDArray[Any]], iterations: int) -> None:
        """Go on from what `save_state` returned.

        Raises
        ------
        FileFormatError
            The arrays are those of another picture or optimizer.
        """
        state = dict(arrays)
        try:
            self.picture.assign(state.pop("picture"))
            if isinstance(self.optimizer, LBFGS):
                if "costs" in state:
                    costs = Costs(*state.pop("costs").tolist())
                    self._seen = {costs.total: costs}
                history = {name.removeprefix(_HISTORY): array for name, array in state.items()}
                self.optimizer.load_history(history)
                self.optimizer.iterations = iterations
            else:
                self.optimizer.load_state([self.picture], state, iterations)
        except (KeyError, TypeError, ConfigError, ShapeError) as error:
            raise FileFormatError(f"the state does not fit: {error}") from error
