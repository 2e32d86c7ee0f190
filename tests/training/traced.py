"""Functions composed of ops, computed as one plan instead of op by op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn.plan import PlanCache


def traced(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """`function` of the arrays, computed by one plan; integers stay integers."""
    cache = PlanCache(lambda trace, args, kwargs: function(*args), "test", dtype=None)
    compiled, given = cache.get(arrays, {})
    return compiled(given)
