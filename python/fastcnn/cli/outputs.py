"""What commands write: whether they can is told before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from fastcnn.errors import FileAccessError
from fastcnn.io._files import make_folder_of

Given = TypeVar("Given", Path, list[Path], None)


def in_folder(given: Given) -> Given:
    """Make the folders that paths of options shall lie in; return what was given.

    Raises
    ------
    FileAccessError
        A folder cannot be made, or not be written to.
    """
    for path in _paths(given):
        make_folder_of(path)
        if not os.access(path.parent, os.W_OK):
            raise FileAccessError(f"{path}: its folder cannot be written to")
    return given


def file_to_write(given: Given) -> Given:
    """Do as `in_folder`, and refuse paths that are folders."""
    for path in _paths(given):
        if path.is_dir():
            raise FileAccessError(f"{path}: expected a file to write, this is a folder")
    return in_folder(given)


def _paths(given: Path | list[Path] | None) -> list[Path]:
    return [given] if isinstance(given, Path) else given or []
