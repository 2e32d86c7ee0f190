"""Names of layers and models: ``conv2d``, ``conv2d_1`` ..."""

from __future__ import annotations

import re
import threading
from collections import Counter

_used: Counter[str] = Counter()
_lock = threading.Lock()


def to_snake_case(name: str) -> str:
    """Turn a class name into the prefix of its instances' names.

    Examples
    --------
    >>> to_snake_case("BatchNormalization"), to_snake_case("Conv2D"), to_snake_case("ReLU")
    ('batch_normalization', 'conv2d', 're_lu')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """Give the next free name with a prefix.

    Examples
    --------
    >>> clear_session()
    >>> auto_name("dense"), auto_name("dense")
    ('dense', 'dense_1')
    """
    with _lock:
        count = _used[prefix]
        _used[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def clear_session() -> None:
    """Start numbering the names of layers and models anew.

    Examples
    --------
    >>> clear_session()
    >>> auto_name("dense")
    'dense'
    """
    with _lock:
        _used.clear()
