"""Folders and files of annotations, whatever is in them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fastcnn.errors import FileAccessError, FileFormatError, MissingFileError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.io.images import IMAGE_SUFFIXES

_MOST_TEXT = 2**24


def folder_of(directory: StrPath) -> str:
    """Give the path of a folder that is there."""
    folder = os.fspath(directory)
    if not os.path.isdir(folder):
        kind = FileAccessError if os.path.exists(folder) else MissingFileError
        raise kind(f"{folder}: expected a folder")
    return folder


def first_folder(folder: str, names: Sequence[str]) -> str | None:
    """Find the first of these folders in another."""
    paths = (os.path.join(folder, name) for name in names)
    return next((path for path in paths if os.path.isdir(path)), None)


def names_in(folder: str, suffix: str = "") -> list[str]:
    """List the files of a folder whose names end so and do not start with a dot, sorted."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise FileAccessError(f"{folder}: {error}") from error
    return sorted(name for name in names if name[0] != "." and name.lower().endswith(suffix))


def pictures_by_stem(folder: str) -> dict[str, str]:
    """The pictures of a folder by their names without suffix."""
    found = {}
    for name in names_in(folder):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in IMAGE_SUFFIXES:
            found[stem] = name
    return found


def read_file(path: str, most: int) -> bytes:
    """Read a file that is not larger than it could be."""
    with open_binary(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise FileFormatError(f"expected an annotation of at most {most} bytes, got more")
    return data


def read_text(path: str) -> str:
    """Read a file of text; errors name it."""
    with naming(path):
        try:
            return read_file(path, _MOST_TEXT).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FileFormatError(f"expected text in UTF-8: {error}") from error
