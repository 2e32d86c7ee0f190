"""``fastcnn inspect`` and ``fastcnn convert``: files of models and weights."""

from __future__ import annotations

import json
import os

from fastcnn.io._files import StrPath
from fastcnn.io.conversion import convert
from fastcnn.io.inspection import inspect


def print_inspection(path: StrPath, as_json: bool) -> None:
    """Print what is in a file."""
    report = inspect(path)
    print(json.dumps(report.to_dict(), indent=2) if as_json else report)


def convert_file(
    source: StrPath, target: StrPath, weights_only: bool, application: str | None
) -> None:
    """Write a file as another, and tell how large it has become."""
    convert(source, target, weights_only=weights_only, application=application)
    size = os.stat(target).st_size
    print(f"Written: {os.fspath(target)}, {size:,} bytes")
