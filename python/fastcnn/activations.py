"""Activations by name, with Keras' names; the functions themselves are `fastcnn.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcnn import ops, serialization
from fastcnn.errors import ConfigError

_NAMES = (
    "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu",
    "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
    "softsign", "swish", "tanh",
)  # fmt: skip


def linear(x: Any) -> Any:
    """Return `x`."""
    return x


def get(identifier: Any) -> Callable[[Any], Any]:
    """Find an activation by name; callables and layers pass through, None is `linear`.

    Raises
    ------
    ConfigError
        There is no activation of that name.

    Examples
    --------
    >>> get(None).__name__
    'linear'
    """
    if identifier is None or identifier == "linear":
        return linear
    if isinstance(identifier, dict):
        return serialization.deserialize_layer(identifier)  # type: ignore[no-any-return]
    if isinstance(identifier, str):
        found = serialization.find_custom_object(identifier)
        if found is None and identifier in _NAMES:
            found = getattr(ops, identifier, None)
        if found is None:
            known = [name for name in _NAMES if hasattr(ops, name)]
            raise ConfigError(
                f"unknown activation {identifier!r}; expected linear, {', '.join(known)}, "
                "a function or a layer"
            )
        identifier = found
    if not callable(identifier):
        raise ConfigError(
            f"expected an activation's name, a function or a layer, got {identifier!r}"
        )
    return identifier  # type: ignore[no-any-return]


def serialize(activation: Any) -> Any:
    """Describe an activation so that `get` finds it.

    Examples
    --------
    >>> serialize(get(None))
    'linear'
    """
    return getattr(activation, "__name__", activation)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(ops, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
