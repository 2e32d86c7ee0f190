"""Opening files for the readers, with the library's own exceptions."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from fastcnn.errors import (
    DTypeError,
    FileAccessError,
    FileFormatError,
    MissingFileError,
    UnsupportedError,
)

StrPath = str | os.PathLike[str]


def path_of(given: StrPath) -> str:
    """Give a path as text.

    Raises
    ------
    DTypeError
        It is none: None, a number.
    """
    try:
        return os.fspath(given)
    except TypeError:
        raise DTypeError(f"expected a path, got {type(given).__name__}") from None


def open_binary(path: StrPath, *, missing: type[MissingFileError] = MissingFileError) -> BinaryIO:
    """Open a regular file for reading bytes.

    Folders, devices and named pipes are refused before they are opened: opening a pipe that has
    no writer would wait for ever, and a device may have no end.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    missing : type of MissingFileError, default MissingFileError
        The class to raise when nothing lies at `path`.

    Raises
    ------
    MissingFileError
        Nothing lies at `path` (raised as `missing`).
    FileAccessError
        It is not a regular file, or may not be read.
    DTypeError
        `path` is none.
    """
    path = path_of(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FileAccessError(f"{path}: expected a regular file")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise missing(f"{path}: no such file") from error
    except FileAccessError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise FileAccessError(f"{path!r}: cannot be opened: {error}") from error


def make_folder_of(path: StrPath) -> None:
    """Make the folder a file shall lie in.

    Raises
    ------
    FileAccessError
        It cannot be made.
    """
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise FileAccessError(f"{os.fspath(path)!r}: its folder cannot be made: {error}") from error


@contextmanager
def naming(name: StrPath) -> Iterator[None]:
    """Put a file's name in front of every FileFormatError or UnsupportedError leaving the block.

    The code that finds a fault deep inside a file does not know the file's name.
    """
    try:
        yield
    except (FileFormatError, UnsupportedError) as error:
        named = type(error)(f"{os.fspath(name)}: {error}")
        named.advice = error.advice
        raise named from error.__cause__
