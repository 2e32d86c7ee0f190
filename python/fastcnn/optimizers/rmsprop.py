"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastcnn import ops
from fastcnn.errors import ConfigError
from fastcnn.layers._arguments import number
from fastcnn.optimizers.optimizer import Optimizer, moving_average
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
        self.epsilon = number("RMSprop", "epsilon", epsilon)
        if not (0 <= self.rho <= 1 and 0 <= self.momentum <= 1):
            raise ConfigError(
                f"RMSprop: expected rho and momentum from 0 to 1, got {rho!r} and {momentum!r}"
            )
        self.centered = bool(centered)

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the averages and velocities."""
        for variable in variables:
            self.add_variable_from_reference(variable, "velocity")
            if self.momentum:
                self.add_variable_from_reference(variable, "momentum")
            if self.centered:
                self.add_variable_from_reference(variable, "average_gradient")

    def update_step(self, gradient: Value, variable: Variable, learning_rate: Value) -> None:
        """Assign to a variable and its state what they become."""
        square = self.state("velocity", variable)
        square.assign(moving_average(square, gradient * gradient, self.rho))
        spread: Any = square
        if self.centered:
            mean = self.state("average_gradient", variable)
            mean.assign(moving_average(mean, gradient, self.rho))
            spread = square - mean * mean
        change = gradient * learning_rate * ops.rsqrt(spread + self.epsilon)
        if self.momentum:
            velocity = self.state("momentum", variable)
            velocity.assign(velocity * self.momentum + change)
            variable.assign_sub(velocity)
        else:
            variable.assign_sub(change)
