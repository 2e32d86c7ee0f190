"""atomic_write: the whole file or the old one."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from fastcnn.errors import FileAccessError
from fastcnn.io import atomic_write

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions and links of POSIX")


def test_creates_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    for text in ("first", "second"):
        with atomic_write(target) as partial:
            assert partial.parent == tmp_path and partial.suffix == ".txt"
            partial.write_text(text)
            assert not target.exists() or target.read_text() == "first"
        assert target.read_text() == text
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_everything_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(error), atomic_write(target) as partial:
        partial.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_text() == "old"


def test_a_failed_replacement_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no space"), atomic_write(tmp_path / "file") as partial:
        partial.write_text("whole")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_take_it(tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "none" / "file", "a\0b"):
        with pytest.raises(FileAccessError), atomic_write(target):
            pytest.fail("the block must not run")


def test_the_longest_name(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 250 + ".txt")
    with atomic_write(target) as partial:
        partial.write_text("whole")
    assert target.read_text() == "whole"


@posix
def test_permissions(tmp_path: Path) -> None:
    target = tmp_path / "file"
    before = os.umask(0o027)
    try:
        with atomic_write(target):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    target.chmod(0o604)
    with atomic_write(target):
        pass
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@posix
def test_permissions_where_a_writer_replaces_the_file(tmp_path: Path) -> None:
    """As that of safetensors does, with a temporary file that others cannot read."""
    before = os.umask(0o022)
    try:
        for target, kept in ((tmp_path / "new", 0o644), (tmp_path / "old", 0o604)):
            if kept != 0o644:
                target.touch()
                target.chmod(kept)
            with atomic_write(target) as partial:
                own = tmp_path / "own"
                own.touch(mode=0o600)
                own.replace(partial)
            assert stat.S_IMODE(target.stat().st_mode) == kept
    finally:
        os.umask(before)


@posix
def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    with atomic_write(link) as partial:
        partial.write_text("new")
    assert link.is_symlink() and real.read_text() == "new"
