"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn.errors import ConfigError
from fastcnn.layers._arguments import number
from fastcnn.optimizers.optimizer import Optimizer, decaying
from fastcnn.tracing import Value
from fastcnn.variable import Variable


class RMSprop(Optimizer):
    """Gradients divided by the root of the average of their squares.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule, default 0.001
    rho : float, default 0.9
        How slowly the average changes.
    momentum : float, default 0.0
    epsilon : float, default 1e-7
        Added to the average below the root.
    centered : bool, default False
        Subtract the squared average gradient: the variance instead of the second moment.
    **kwargs
        As for `Optimizer`.

    References
    ----------
    T. Tieleman, G. Hinton: Lecture 6.5 - RMSProp. COURSERA: Neural Networks for Machine Learning,
    2012.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.optimizers.RMSprop().learning_rate
    0.001
    """

    _own = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = number("RMSprop", "rho", rho)
        self.momentum = number("RMSprop", "momentum", momentum)
        self.epsilon = number("RMSprop", "epsilon", epsilon, at_least=0)
        if not (0 <= self.rho <= 1 and 0 <= self.momentum <= 1):
            raise ConfigError(
                f"RMSprop: expected rho and momentum from 0 to 1, got {rho!r} and {momentum!r}"
            )
        self.centered = bool(centered)

    def _state_names(self) -> list[str]:
        return [
            "velocity",
            *(["average_gradient"] if self.centered else []),
            *(["momentum"] if self.momentum else []),
        ]

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the averages and velocities."""
        for variable in variables:
            for name in self._state_names():
                self.add_variable_from_reference(variable, name)

    @decaying
    def update_step(self, gradient: Value, variable: Variable, learning_rate: Value) -> None:
        """Assign to a variable and its state what they become."""
        self._update(
            "rmsprop_update",
            variable,
            self._state_names(),
            [gradient, learning_rate],
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            centered=self.centered,
        )
