"""Learning rates that change from step to step, under Keras' names.

A schedule is a function of the number of steps made; an optimizer that is given one asks it before
every step.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastcnn import serialization
from fastcnn._checks import number
from fastcnn.errors import ConfigError
from fastcnn.serialization import Configurable

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]


class LearningRateSchedule(Configurable):
    """A learning rate as a function of the number of steps made.

    One's own defines ``__call__`` and keeps its arguments as attributes of their names, so that it
    can be saved.

    Examples
    --------
    >>> class Halving(LearningRateSchedule):
    ...     def __init__(self, first):
    ...         self.first = first
    ...
    ...     def __call__(self, step):
    ...         return self.first * 0.5 ** (step // 1000)
    >>> Halving(0.1)(2500), Halving(0.1).get_config()
    (0.025, {'first': 0.1})
    """

    def __call__(self, step: int) -> float:
        """Tell the learning rate of a step, the first being 0."""
        raise TypeError(f"{type(self).__name__} defines no __call__(self, step)")


class _Decay(LearningRateSchedule):
    """What most schedules have: a first learning rate, a number of steps and a name."""

    def __init__(self, initial_learning_rate: float, steps: float, name: str) -> None:
        cls = type(self).__name__
        self.initial_learning_rate = number(cls, "initial_learning_rate", initial_learning_rate)
        if not number(cls, "decay_steps", steps) > 0:
            raise ConfigError(f"{cls}: expected a number of steps > 0, got {steps!r}")
        self.name = name


class ExponentialDecay(_Decay):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    decay_rate : float
    staircase : bool, default False
        Divide without remainder: the rate falls every `decay_steps` steps.
    name : str

    Examples
    --------
    >>> import fastcnn as fc
    >>> schedule = fc.optimizers.schedules.ExponentialDecay(0.1, 100, 0.5, staircase=True)
    >>> schedule(99), schedule(100)
    (0.1, 0.05)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.decay_steps = decay_steps
        self.decay_rate = number("ExponentialDecay", "decay_rate", decay_rate)
        self.staircase = bool(staircase)

    def __call__(self, step: int) -> float:
        """Tell the learning rate of a step."""
        periods = _periods(step, self.decay_steps, self.staircase)
        return float(self.initial_learning_rate * self.decay_rate**periods)


class InverseTimeDecay(_Decay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    decay_rate : float
    staircase : bool, default False
        Divide without remainder: the rate falls every `decay_steps` steps.
    name : str

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.optimizers.schedules.InverseTimeDecay(0.1, 100, 1.0)(300)
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.decay_steps = decay_steps
        self.decay_rate = number("InverseTimeDecay", "decay_rate", decay_rate)
        self.staircase = bool(staircase)

    def __call__(self, step: int) -> float:
        """Tell the learning rate of a step."""
        periods = _periods(step, self.decay_steps, self.staircase)
        return float(self.initial_learning_rate / (1 + self.decay_rate * periods))


class PolynomialDecay(_Decay):
    """From one learning rate to another, along a power of the share of steps that remain.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    end_learning_rate : float, default 0.0001
    power : float, default 1.0
        1: a straight line.
    cycle : bool, default False
        Start anew, over twice, three times ... as many steps, instead of staying at the end.
    name : str

    Examples
    --------
    >>> import fastcnn as fc
    >>> schedule = fc.optimizers.schedules.PolynomialDecay(0.1, 100, end_learning_rate=0.0)
    >>> schedule(50), schedule(1000)
    (0.05, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.decay_steps = decay_steps
        self.end_learning_rate = number("PolynomialDecay", "end_learning_rate", end_learning_rate)
        self.power = number("PolynomialDecay", "power", power)
        self.cycle = bool(cycle)

    def __call__(self, step: int) -> float:
        """Tell the learning rate of a step."""
        steps: float = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        remaining = (1 - min(step, steps) / steps) ** self.power
        span = self.initial_learning_rate - self.end_learning_rate
        return float(span * remaining + self.end_learning_rate)


class PiecewiseConstantDecay(LearningRateSchedule):
    """One learning rate up to a step, another up to the next, and so on.

    Parameters
    ----------
    boundaries : sequence of int
        The last steps of all rates but the last; increasing.
    values : sequence of float
        The rates, one more than boundaries.
    name : str

    Examples
    --------
    >>> import fastcnn as fc
    >>> schedule = fc.optimizers.schedules.PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
    >>> schedule(100), schedule(101), schedule(201)
    (0.1, 0.01, 0.001)
    """

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"
    ) -> None:
        cls = "PiecewiseConstantDecay"
        self.boundaries = [number(cls, "boundaries", b) for b in boundaries]
        self.values = [number(cls, "values", v) for v in values]
        self.name = name
        if len(values) != len(boundaries) + 1 or self.boundaries != sorted(set(self.boundaries)):
            raise ConfigError(
                f"{cls}: expected increasing boundaries and one more value, got {boundaries!r} and "
                f"{values!r}"
            )

    def __call__(self, step: int) -> float:
        """Tell the learning rate of a step."""
        return self.values[bisect.bisect_left(self.boundaries, step)]


class CosineDecay(_Decay):
    """From a learning rate down to a share of it along half a cosine, after an optional warm-up.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Steps of the decay, after the warm-up.
    alpha : float, default 0.0
        The last learning rate, as a share of that from which the decay starts.
    name : str
    warmup_target : float, optional
        The rate that a warm-up reaches, in a straight line from `initial_learning_rate`, and from
        which the decay starts. None: no warm-up.
    warmup_steps : int, default 0

    References
    ----------
    I. Loshchilov, F. Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts. ICLR 2017.
    P. Goyal et al.: Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour. 2017 (warm-up).

    Examples
    --------
    >>> import fastcnn as fc
    >>> schedule = fc.optimizers.schedules.CosineDecay(0.0, 100, warmup_target=0.1, warmup_steps=10)
    >>> [round(schedule(step), 3) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.decay_steps = decay_steps
        self.alpha = number("CosineDecay", "alpha", alpha)
        self.warmup_target = warmup_target
        self.warmup_steps = number("CosineDecay", "warmup_steps", warmup_steps, at_least=0)

    def __call__(self, step: int) -> float:
        """Tell the learning rate of a step."""
        first, done = self.initial_learning_rate, float(step)
        if self.warmup_target is not None:
            if done < self.warmup_steps:
                return float(first + (self.warmup_target - first) * done / self.warmup_steps)
            first, done = self.warmup_target, done - self.warmup_steps
        return float(first * _cosine(min(1.0, done / self.decay_steps), self.alpha))


class CosineDecayRestarts(_Decay):
    """Decay along half a cosine, again and again, over periods of growing length.

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : int
        Steps of the first period.
    t_mul : float, default 2.0
        Factor from each period's length to the next's.
    m_mul : float, default 1.0
        Factor from each period's first learning rate to the next's.
    alpha : float, default 0.0
        The lowest learning rate, as a share of the first.
    name : str

    References
    ----------
    I. Loshchilov, F. Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts. ICLR 2017.

    Examples
    --------
    >>> import fastcnn as fc
    >>> schedule = fc.optimizers.schedules.CosineDecayRestarts(0.1, 100)
    >>> [round(schedule(step), 3) for step in (0, 50, 100, 200, 300)]
    [0.1, 0.05, 0.1, 0.05, 0.1]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        super().__init__(initial_learning_rate, first_decay_steps, name)
        self.first_decay_steps = first_decay_steps
        self.t_mul = number("CosineDecayRestarts", "t_mul", t_mul, at_least=1)
        self.m_mul = number("CosineDecayRestarts", "m_mul", m_mul)
        self.alpha = number("CosineDecayRestarts", "alpha", alpha)

    def __call__(self, step: int) -> float:
        """Tell the learning rate of a step."""
        period, start, length = 0, 0.0, float(self.first_decay_steps)
        if self.t_mul == 1:
            period = int(step // length)
            start = period * length
        else:  # few periods, and adding their lengths gives each restart its exact step
            while step >= start + length:
                period, start, length = period + 1, start + length, length * self.t_mul
        height = self.m_mul**period
        share = _cosine((step - start) / length, self.alpha, height)
        return float(self.initial_learning_rate * share)


def _periods(step: int, steps: float, whole: bool) -> float:
    periods = step / steps
    return float(math.floor(periods)) if whole else periods


def _cosine(share: float, alpha: float, height: float = 1.0) -> float:
    """Half a cosine over `alpha`, falling as `share` goes from 0 to 1."""
    return (1 - alpha) * height * 0.5 * (1 + math.cos(math.pi * share)) + alpha


_KNOWN = serialization.names_of(
    (
        CosineDecay,
        CosineDecayRestarts,
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
    )
)


def serialize(learning_rate_schedule: Any) -> Any:
    """Describe a schedule so that `deserialize` makes an equal one.

    Examples
    --------
    >>> serialize(PiecewiseConstantDecay([10], [0.1, 0.01]))["class_name"]
    'PiecewiseConstantDecay'
    """
    return serialization.serialize_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a schedule from what `serialize` returned.

    Examples
    --------
    >>> config = {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}
    >>> deserialize({"class_name": "ExponentialDecay", "config": config})(20)
    0.025
    """
    with serialization.custom_object_scope(custom_objects):
        return serialization.find_object(config, "learning rate schedule", _KNOWN)
