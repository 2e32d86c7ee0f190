"""Writing a file so that readers see the old content or the new, never a part."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fastcnn.errors import FileAccessError
from fastcnn.io._files import StrPath, path_of


@contextmanager
def atomic_write(path: StrPath) -> Iterator[Path]:
    """Give a temporary path to write to, and move it onto `path` when the block succeeds.

    The temporary file lies in the same folder and keeps the suffix (some writers choose their
    format by it). It is flushed to the disk before it takes the final name. A symbolic link is
    followed. The permissions are those of a file that is replaced, else those that `open` gives.

    Parameters
    ----------
    path : str or os.PathLike
        The file to create or replace.

    Yields
    ------
    pathlib.Path
        An empty file to fill.

    Raises
    ------
    FileAccessError
        The folder does not exist or cannot be written, the disk is full, or `path` is a folder.
    DTypeError
        `path` is none.

    Notes
    -----
    When the block raises, the temporary file is removed, an existing file stays as it was, and
    the exception goes on.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp(), "note.txt")
    >>> with atomic_write(target) as partial:
    ...     _ = partial.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = path_of(path)
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise FileAccessError(f"{path}: expected a file, this is a folder")
        partial = _create_beside(target)
        permissions = partial.stat().st_mode
    except FileAccessError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise FileAccessError(f"{path!r}: cannot be written: {error}") from error
    try:
        yield partial
        try:
            if target.exists():
                permissions = target.stat().st_mode
            # Some writers replace the file they are given by one that only its owner can read.
            partial.chmod(stat.S_IMODE(permissions))
            _flush(partial)
            os.replace(partial, target)
        except OSError as error:  # a disk may be found to be full only now
            raise FileAccessError(f"{path}: cannot be written: {error}") from error
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    _flush_folder(target.parent)


def _create_beside(target: Path) -> Path:
    """Create an empty file that no other writer has; `tempfile` would ignore the umask."""
    while True:
        # The name is cut so that the longest legal file name still leaves room for the rest.
        partial = target.with_name(f".{target.stem[:64]}-{secrets.token_hex(8)}{target.suffix}")
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return partial


def _flush(path: Path) -> None:
    # Opened for writing, because Windows flushes no file that is open for reading only.
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the new name durable too, where the system has a way to."""
    with suppress(OSError):  # Windows opens no folders; some file systems flush none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
