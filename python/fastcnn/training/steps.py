"""The steps of training and evaluation, each one plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree, ops
from fastcnn.errors import ShapeError
from fastcnn.optimizers import LBFGS, Optimizer
from fastcnn.plan import Compiled, PlanCache
from fastcnn.tracing import Trace, Value
from fastcnn.training.objective import Objective
from fastcnn.variable import Variable

if TYPE_CHECKING:
    from fastcnn.model import Model

Reduce = Callable[[NDArray[np.float32]], Any]


class Steps:
    """What is done with one batch of samples.

    Parameters
    ----------
    model : Model
    optimizer : Optimizer
    objective : Objective
    seed : int
        Of the random numbers of training: those of a step are a function of it and of the number of
        steps that the optimizer has made.
    recompute : {None, "activations", "segments"}
        See `Model.compile`.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        objective: Objective,
        seed: int,
        recompute: str | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.objective = objective
        self.seed = seed
        self._batch: list[NDArray[Any]] = []
        name = f'model "{model.name}"'

        def plans(
            describe: Callable[..., Any], training: bool, differentiates: bool = False
        ) -> PlanCache:
            otherwise = None
            if differentiates and recompute is not None:
                # What a recomputation needs may be more than it spares: the lesser plan is taken.
                otherwise = partial(describe, recompute=recompute)
            return PlanCache(
                describe,
                name,
                None,
                model,
                lambda: Trace(training, self.random_key),
                capacity=8,
                otherwise=otherwise,
            )

        self._train = plans(self._describe_train, True, differentiates=True)
        self._test = plans(self._describe_test, False)
        self._gradients = plans(self._describe_gradients, True, differentiates=True)
        self._update = plans(self._describe_update, True)

    def random_key(self) -> NDArray[np.int64]:
        """Give the key of the random numbers of the next step."""
        return np.array([self.seed % 2**63, self.optimizer.iterations], np.int64)

    # ---- what the plans are of -------------------------------------------------------------------

    def describe_loss(self, trace: Trace, args: Any) -> Value:
        """Add the model and its loss to a graph."""
        ((x, y, sample_weight),) = args
        y_pred = self.model._call_traced(trace, (x,), {}, self.model._root_scope)
        added = [*trace.losses, *self.model.losses]
        return self.objective.describe(y, y_pred, sample_weight, added)

    def _describe_train(
        self, trace: Trace, args: Any, kwargs: Any, recompute: str | None = None
    ) -> Any:
        loss = self.describe_loss(trace, args)
        variables = self.model.trainable_weights
        self.optimizer.describe(trace, trace.gradient(loss, variables, recompute), variables)
        return [loss]

    def _describe_test(self, trace: Trace, args: Any, kwargs: Any) -> Any:
        return [self.describe_loss(trace, args)]

    def _describe_gradients(
        self, trace: Trace, args: Any, kwargs: Any, recompute: str | None = None
    ) -> Any:
        loss = self.describe_loss(trace, args)
        gradients = trace.gradient(loss, self.model.trainable_weights, recompute)
        return [loss, ops.concatenate([ops.reshape(g, (-1,)) for g in gradients], axis=0)]

    def _describe_update(self, trace: Trace, args: Any, kwargs: Any) -> Any:
        (flat,) = args
        variables = self.model.trainable_weights
        gradients, start = [], 0
        for v in variables:
            piece = ops.slice(flat, (start,), (v.size,))
            gradients.append(ops.reshape(piece, tuple(v.shape)))
            start += v.size
        self.optimizer.describe(trace, gradients, variables)
        return []

    # ---- steps -----------------------------------------------------------------------------------

    def train(self, batch: Any, reduce: Reduce | None = None) -> float:
        """Make a step of training, and give its loss.

        Parameters
        ----------
        batch : tuple of x, y, sample_weight
            Structures of arrays; those that are None are left out.
        reduce : callable, optional
            Gets all gradients, one after the other in one float32 array, before they are used. It
            changes them in place, or returns others: the sum over machines, for example.
        """
        if isinstance(self.optimizer, LBFGS):
            return self._minimize(self.optimizer, batch, reduce)
        if reduce is None:
            compiled, arrays = self._compile(self._train, batch)
            (loss,) = compiled.run(arrays)
        else:
            compiled, arrays = self._compile(self._gradients, batch)
            loss, flat = compiled.run(arrays)
            reduced = reduce(flat)
            if reduced is not None:
                if np.shape(reduced) != flat.shape:
                    raise ShapeError(
                        f"reduce: expected gradients of shape {flat.shape}, got {np.shape(reduced)}"
                    )
                flat = np.ascontiguousarray(reduced, np.float32)
            update, given = self._update.get((flat,), {})
            update.run(given)
        self.optimizer.note_step()
        return float(loss)

    def _flat_gradient(
        self, batch: Any, reduce: Reduce | None
    ) -> tuple[float, NDArray[np.float32]]:
        compiled, arrays = self._compile(self._gradients, batch)
        loss, flat = compiled.run(arrays)
        reduced = None if reduce is None else reduce(flat)
        if reduced is not None:
            if np.shape(reduced) != flat.shape:
                raise ShapeError(
                    f"reduce: expected gradients of shape {flat.shape}, got {np.shape(reduced)}"
                )
            flat = np.ascontiguousarray(reduced, np.float32)
        return float(loss), flat

    def _minimize(self, optimizer: LBFGS, batch: Any, reduce: Reduce | None) -> float:
        # The gradient that a step ends with is the next one's first, if that has the same batch.
        arrays = [a for a in _tree.flatten(batch) if a is not None]
        if len(arrays) != len(self._batch) or not all(map(np.array_equal, arrays, self._batch)):
            optimizer.forget()
            self._batch = arrays
        variables = self.model.trainable_weights
        if not variables:
            self.model._compile((batch[0],), {})  # makes the weights
            variables = self.model.trainable_weights
        return optimizer.minimize(lambda: self._flat_gradient(batch, reduce), variables)

    def test(self, batch: Any) -> float:
        """Compute the loss and the metrics of a batch, and give the loss."""
        compiled, arrays = self._compile(self._test, batch)
        (loss,) = compiled.run(arrays)
        return float(loss)

    def _compile(self, plans: PlanCache, batch: Any) -> tuple[Compiled, list[NDArray[Any]]]:
        found = plans.get((tuple(batch),), {})
        self.objective.check_labels(batch[1])  # describing the plan has told which are right
        return found

    def peak_bytes(self) -> int:
        """Tell how many bytes the plan of the last step of training needs besides the weights."""
        plan = self._train.latest() or self._gradients.latest()
        return 0 if plan is None else plan.arena_bytes

    def state(self) -> Sequence[Variable]:
        """List what a step may change."""
        return [*self.model.weights, *self.optimizer.variables]
