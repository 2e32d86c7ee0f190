"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastcnn.errors import ConfigError
from fastcnn.layers._arguments import number
from fastcnn.optimizers.optimizer import Optimizer, decaying
from fastcnn.tracing import Value
from fastcnn.variable import Variable


class Adam(Optimizer):
    """Adaptive moment estimation.

    ``m`` and ``v`` are moving averages of the gradient and of its square;
    ``w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)``.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule, default 0.001
    beta_1 : float, default 0.9
    beta_2 : float, default 0.999
    epsilon : float, default 1e-7
    amsgrad : bool, default False
        Divide by the largest ``v`` so far.
    **kwargs
        As for `Optimizer`.

    References
    ----------
    D. P. Kingma, J. Ba: Adam: A Method for Stochastic Optimization. ICLR 2015; its epsilon is the
    "epsilon hat" before section 2.1. S. J. Reddi, S. Kale, S. Kumar: On the Convergence of Adam
    and Beyond. ICLR 2018.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> w = fc.Variable(np.ones(2))
    >>> optimizer = fc.optimizers.Adam(0.1)
    >>> optimizer.apply_gradients([(np.array([3.0, -0.2]), w)])
    >>> w.numpy().round(3).tolist()
    [0.8999999761581421, 1.100000023841858]
    """

    _own = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        cls = type(self).__name__
        self.beta_1 = number(cls, "beta_1", beta_1)
        self.beta_2 = number(cls, "beta_2", beta_2)
        self.epsilon = number(cls, "epsilon", epsilon, at_least=0)
        if not (0 <= self.beta_1 < 1 and 0 <= self.beta_2 < 1):
            raise ConfigError(
                f"{cls}: expected beta_1 and beta_2 from 0 to below 1, got {beta_1!r}, {beta_2!r}"
            )
        self.amsgrad = bool(amsgrad)

    def _state_names(self) -> list[str]:
        return ["momentum", "velocity", *(["velocity_hat"] if self.amsgrad else [])]

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the moments."""
        for variable in variables:
            for name in self._state_names():
                self.add_variable_from_reference(variable, name)

    def step_size(self) -> float:
        """Tell the learning rate of the next step, corrected for averages that began with 0."""
        t = self.iterations + 1
        return self.learning_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)

    @decaying
    def update_step(self, gradient: Value, variable: Variable, learning_rate: Value) -> None:
        """Assign to a variable and its state what they become."""
        self._update(
            "adam_update",
            variable,
            self._state_names(),
            [gradient, learning_rate],
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
            amsgrad=self.amsgrad,
        )


class AdamW(Adam):
    """`Adam` with a weight decay of 0.004 unless another is given.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule, default 0.001
    weight_decay : float, default 0.004
    beta_1, beta_2, epsilon, amsgrad, **kwargs
        As for `Adam`.

    References
    ----------
    I. Loshchilov, F. Hutter: Decoupled Weight Decay Regularization. ICLR 2019.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.optimizers.AdamW().weight_decay
    0.004
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs
        )
