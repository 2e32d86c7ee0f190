"""Learning rates that change from step to step."""

from __future__ import annotations

from typing import Any


class LearningRateSchedule:
    """A learning rate as a function of the number of steps made."""

    def __call__(self, step: int) -> float:
        """Tell the learning rate of a step, the first being 0."""
        raise TypeError(f"{type(self).__name__} defines no __call__(self, step)")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        raise TypeError(f"{type(self).__name__} defines no get_config")


def serialize(schedule: LearningRateSchedule) -> dict[str, Any]:
    """Describe a schedule as plain data."""
    return {"class_name": type(schedule).__name__, "config": schedule.get_config()}


def deserialize(config: Any) -> Any:
    """Make a schedule from what `serialize` returned."""
    raise NotImplementedError
