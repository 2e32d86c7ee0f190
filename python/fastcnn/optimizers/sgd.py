"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn.errors import ConfigError
from fastcnn.layers._arguments import number
from fastcnn.optimizers.optimizer import Optimizer, decaying
from fastcnn.tracing import Value
from fastcnn.variable import Variable


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for.

    ``velocity = momentum * velocity - learning_rate * gradient``, ``w += velocity``; with Nesterov
    momentum ``w += momentum * velocity - learning_rate * gradient``.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule, default 0.01
    momentum : float, default 0.0
    nesterov : bool, default False
    **kwargs
        As for `Optimizer`.

    References
    ----------
    I. Sutskever, J. Martens, G. Dahl, G. Hinton: On the importance of initialization and momentum
    in deep learning. ICML 2013.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.optimizers.SGD(0.1, momentum=0.9, nesterov=True).get_config()["momentum"]
    0.9
    """

    _own = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum = number("SGD", "momentum", momentum)
        if not 0 <= self.momentum <= 1:
            raise ConfigError(f"SGD: momentum: expected a number from 0 to 1, got {momentum!r}")
        self.nesterov = bool(nesterov)

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the velocities."""
        if self.momentum:
            for variable in variables:
                self.add_variable_from_reference(variable, "momentum")

    @decaying
    def update_step(self, gradient: Value, variable: Variable, learning_rate: Value) -> None:
        """Assign to a variable and its velocity what they become."""
        self._update(
            "sgd_update",
            variable,
            ["momentum"] if self.momentum else [],
            [gradient, learning_rate],
            momentum=self.momentum,
            nesterov=self.nesterov,
        )
