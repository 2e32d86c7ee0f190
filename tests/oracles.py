"""Imports the packages that tests compare with."""

from __future__ import annotations

import importlib
from typing import Any

import pytest


def import_oracle(name: str) -> Any:
    """Import a module that may be missing, or built for another torch than is installed: skip then.

    Examples
    --------
    >>> import_oracle("json").loads("1")
    1
    """
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"needs {name} (pip install --no-deps): {error}")
