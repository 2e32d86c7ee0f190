"""Nested lists, tuples and dictionaries: what a layer may take and give."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """List the leaves in order; a dictionary's in the order of its keys' insertion.

    Examples
    --------
    >>> flatten({"a": [1, 2], "b": (3, None)})
    [1, 2, 3, None]
    """
    leaves: list[Any] = []
    map_structure(leaves.append, structure)
    return leaves


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """Apply a function to every leaf and keep the structure.

    Examples
    --------
    >>> map_structure(lambda x: 2 * x, {"a": [1, 2], "b": (3,)})
    {'a': [2, 4], 'b': (6,)}
    """
    if isinstance(structure, list):
        return [map_structure(function, item) for item in structure]
    if isinstance(structure, tuple):
        return tuple(map_structure(function, item) for item in structure)
    if isinstance(structure, dict):
        return {key: map_structure(function, item) for key, item in structure.items()}
    return function(structure)


def pack(structure: Any, leaves: Iterable[Any]) -> Any:
    """Put leaves, in order, into the places of another structure's.

    Examples
    --------
    >>> pack([0, (0, 0)], "abc")
    ['a', ('b', 'c')]
    """
    remaining = iter(leaves)
    return map_structure(lambda _: next(remaining), structure)


def signature(structure: Any, leaf: Callable[[Any], Hashable]) -> Hashable:
    """Describe a structure and its leaves by something that can be a dictionary's key.

    Examples
    --------
    >>> signature([1, {"a": 2}], str) == signature([1, {"a": 2}], str)
    True
    """
    if isinstance(structure, (list, tuple)):
        return (type(structure).__name__, *(signature(item, leaf) for item in structure))
    if isinstance(structure, dict):
        return ("dict", *((key, signature(item, leaf)) for key, item in structure.items()))
    return leaf(structure)
