"""L-BFGS, for losses that are the same function at every step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import ConfigError
from fastcnn.layers._arguments import number, positive_int
from fastcnn.optimizers.optimizer import Optimizer
from fastcnn.variable import Variable

Flat = NDArray[np.float64]
Closure = Callable[[], "tuple[float, NDArray[np.float32]]"]

_DECREASE, _CURVATURE = 1e-4, 0.9  # Nocedal and Wright's c1 and c2


class LBFGS(Optimizer):
    """Limited-memory quasi-Newton steps with a line search, for full batches and style transfer.

    It needs the loss to be one function: the whole data as one batch, no dropout, no augmentation.
    `Model.fit` makes one step for each batch; each may compute the loss several times.

    Parameters
    ----------
    learning_rate : float, default 1.0
        The first length tried along each direction.
    history_size : int, default 10
        From how many steps the curvature is estimated.
    max_evaluations : int, default 20
        How often a step may compute the loss.
    first_step : float, optional
        How far the first step tries to go, where nothing is known of the curvature: the sum of
        all variables' absolute changes. Unless given 1, or that of the gradient if it is smaller.
    name : str, optional

    References
    ----------
    J. Nocedal, S. Wright: Numerical Optimization, 2nd edition, algorithms 7.4 and 3.5 (with
    bisection in the place of interpolation).

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> a, b = fc.Variable(-1.2), fc.Variable(1.0)
    >>> def rosenbrock():
    ...     return 100.0 * fc.ops.square(b - a * a) + fc.ops.square(1.0 - a)
    >>> compute = fc.value_and_grad(rosenbrock, variables=[a, b])
    >>> def closure():
    ...     value, gradients = compute()
    ...     return float(value), np.array(gradients)
    >>> optimizer = fc.optimizers.LBFGS()
    >>> for _ in range(40):
    ...     loss = optimizer.minimize(closure, [a, b])
    >>> round(float(a.numpy()), 2), round(float(b.numpy()), 2)
    (1.0, 1.0)
    """

    _own = ("history_size", "max_evaluations", "first_step")

    def __init__(
        self,
        learning_rate: float = 1.0,
        history_size: int = 10,
        max_evaluations: int = 20,
        first_step: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.history_size = positive_int("LBFGS", "history_size", history_size)
        self.max_evaluations = positive_int("LBFGS", "max_evaluations", max_evaluations)
        self.first_step = (
            None if first_step is None else number("LBFGS", "first_step", first_step, at_least=0.0)
        )
        refused = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
        for key in refused:
            if getattr(self, key) is not None:
                raise ConfigError(f"LBFGS: {key} has no meaning where steps follow the curvature")
        number("LBFGS", "learning_rate", learning_rate)
        self._pairs: deque[tuple[Flat, Flat]] = deque(maxlen=self.history_size)
        self._known: tuple[float, Flat] | None = None

    def minimize(self, closure: Closure, variables: Sequence[Variable]) -> float:
        """Make one step, and give the loss before it.

        Parameters
        ----------
        closure : callable
            Computes the loss, and its gradient with respect to all variables one after the other in
            one array.
        variables : sequence of Variable
        """
        at = _gather(variables)
        loss, gradient = self._evaluate(closure) if self._known is None else self._known
        if gradient.shape != at.shape:
            raise ConfigError(
                f"LBFGS: expected a gradient of {at.size} numbers, got {gradient.shape}"
            )
        if not np.any(gradient):
            return loss
        direction = self._direction(gradient)
        slope = float(gradient @ direction)
        if slope >= 0:  # what is known of the curvature is of no use here
            self._pairs.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        length = self.learning_rate
        if not self._pairs:
            unit = 1.0 / float(np.abs(gradient).sum())
            length *= min(1.0, unit) if self.first_step is None else self.first_step * unit
        found = self._search(closure, variables, at, direction, loss, slope, length)
        step, new_loss, new_gradient = found
        change = new_gradient - gradient
        if step @ change > 1e-10 * float(change @ change):
            self._pairs.append((step, change))
        self._known = new_loss, new_gradient
        self.note_step()
        return loss

    def forget(self) -> None:
        """Say that the loss is another function, or that variables were changed."""
        self._known = None
        self._pairs.clear()

    def save_history(self) -> dict[str, NDArray[np.float64]]:
        """Copy what is known of the loss and its curvature; `save_state` has none of it."""
        arrays = {f"step/{i}": step for i, (step, _) in enumerate(self._pairs)}
        arrays |= {f"change/{i}": change for i, (_, change) in enumerate(self._pairs)}
        if self._known is not None:
            arrays |= {"loss": np.array(self._known[0]), "gradient": self._known[1]}
        return {name: array.copy() for name, array in arrays.items()}

    def load_history(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `save_history` returned, with variables that are what they were then.

        Raises
        ------
        ConfigError
            The arrays do not belong together.
        """
        size = arrays["gradient"].size if "gradient" in arrays else 0
        pairs = sum(name.startswith("step/") for name in arrays)
        names = [f"{kind}/{i}" for i in range(pairs) for kind in ("step", "change")]
        whole = all(name in arrays and arrays[name].shape == (size,) for name in names)
        if len(arrays) != 2 * pairs + 2 * ("loss" in arrays) or ("loss" in arrays) != bool(size):
            whole = False
        if not whole or pairs > self.history_size:
            raise ConfigError(
                f"LBFGS: expected at most {self.history_size} steps with their changes, the loss "
                f"and the gradient, got {', '.join(sorted(arrays)) or 'nothing'}"
            )
        self.forget()
        for i in range(pairs):
            self._pairs.append((arrays[f"step/{i}"].copy(), arrays[f"change/{i}"].copy()))
        if size:
            self._known = float(arrays["loss"]), arrays["gradient"].copy()

    @staticmethod
    def _evaluate(closure: Closure) -> tuple[float, Flat]:
        loss, gradient = closure()
        return float(loss), np.asarray(gradient, np.float64).reshape(-1)

    def _direction(self, gradient: Flat) -> Flat:
        """Apply the estimate of the inverse Hessian (the two-loop recursion)."""
        q, shares = -gradient, []
        for step, change in reversed(self._pairs):
            share = float(step @ q) / float(step @ change)
            q = q - share * change
            shares.append(share)
        if self._pairs:
            step, change = self._pairs[-1]
            q = q * (float(step @ change) / float(change @ change))
        for (step, change), share in zip(self._pairs, reversed(shares), strict=True):
            q = q + step * (share - float(change @ q) / float(step @ change))
        return q

    def _search(
        self,
        closure: Closure,
        variables: Sequence[Variable],
        at: Flat,
        direction: Flat,
        loss: float,
        slope: float,
        length: float,
    ) -> tuple[Flat, float, Flat]:
        """Find a point where the loss has fallen enough and its slope has, too."""
        low, high = 0.0, np.inf
        best: tuple[float, Flat, Flat] | None = None
        for _ in range(self.max_evaluations):
            step = _scatter(variables, at, length * direction)
            value, gradient = self._evaluate(closure)
            fallen = np.isfinite(value) and value <= loss + _DECREASE * length * slope
            if fallen and (best is None or value < best[0]):
                best = value, step, gradient
            if not fallen:
                high = length
            elif float(gradient @ direction) < _CURVATURE * slope:
                low = length
            else:
                return step, value, gradient
            length = (low + high) / 2 if np.isfinite(high) else 2 * length
        if best is None:  # no number nearby is lower: the end, as far as float32 can tell
            _scatter(variables, at, np.zeros_like(at))
            self._pairs.clear()
            value, gradient = self._evaluate(closure)
            return np.zeros_like(at), value, gradient
        value, step, gradient = best
        _scatter(variables, at, step)
        return step, value, gradient


def _gather(variables: Sequence[Variable]) -> Flat:
    return np.concatenate([v.view().reshape(-1) for v in variables]).astype(np.float64)


def _scatter(variables: Sequence[Variable], at: Flat, step: Flat) -> Flat:
    """Move the variables, and tell how far they went once rounded."""
    start = 0
    for v in variables:
        stop = start + v.size
        v.assign((at[start:stop] + step[start:stop]).reshape(v.shape))
        start = stop
    return _gather(variables) - at
