"""What changes weights so that a loss falls, under Keras' names."""

from __future__ import annotations

from typing import Any

from fastcnn.errors import ConfigError
from fastcnn.naming import to_snake_case
from fastcnn.optimizers import schedules
from fastcnn.optimizers.adam import Adam, AdamW
from fastcnn.optimizers.lbfgs import LBFGS
from fastcnn.optimizers.optimizer import Optimizer
from fastcnn.optimizers.rmsprop import RMSprop
from fastcnn.optimizers.sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

_CLASSES = (SGD, RMSprop, Adam, AdamW, LBFGS)


def get(identifier: Any) -> Optimizer:
    """Find an optimizer by its name, class or configuration; one that is given is returned.

    Raises
    ------
    ConfigError
        There is none of this name.

    Examples
    --------
    >>> get("adam").learning_rate
    0.001
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        made: Optimizer = identifier()  # type: ignore[call-arg]
        return made
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return deserialize({"class_name": identifier, "config": {}})


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Describe an optimizer, without its state, as plain data."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: Any) -> Optimizer:
    """Make an optimizer from what `serialize` returned."""
    from fastcnn.serialization import find_custom_object

    name = config.get("class_name") if isinstance(config, dict) else config
    cls = find_custom_object(name)
    if cls is None:
        known = {c.__name__: c for c in _CLASSES}
        names = {to_snake_case(key): c for key, c in known.items()}
        names |= {key.lower(): c for key, c in known.items()}
        cls = known.get(name) or names.get(name) if isinstance(name, str) else None
    if not (isinstance(cls, type) and issubclass(cls, Optimizer)):
        raise ConfigError(
            f"expected an optimizer, its class or one of {sorted(c.__name__ for c in _CLASSES)}, "
            f"got {name!r}"
        )
    made: Optimizer = cls.from_config(dict(config.get("config", {})))
    return made
