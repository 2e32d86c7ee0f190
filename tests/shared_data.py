"""Finds the real pictures and weights that are too large for the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]


def shared_path(*parts: str) -> Path:
    """Return a path in the shared folder; skip the test where it is absent.

    The folder is ``shared`` beside the repository, or the one that ``FASTCNN_TEST_DATA`` names.

    Examples
    --------
    >>> shared_path("data", "imagenet_samples").name  # doctest: +SKIP
    'imagenet_samples'
    """
    folder = Path(os.environ.get("FASTCNN_TEST_DATA") or _ROOT.parent / "shared")
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs real data: no {'/'.join(parts)} in {folder} (FASTCNN_TEST_DATA)")
    return path
