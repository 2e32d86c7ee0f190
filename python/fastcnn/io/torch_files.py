"""Reading the tensors of torch's ``.pth`` / ``.pt`` files, without torch and without running them.

Two formats exist. Since version 1.6 torch writes a zip archive with the description as a pickle
and one uncompressed entry per storage; before, it wrote pickles one behind the other, followed
by the storages. Both are read by the pickle reader of this package, which calls nothing.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FastcnnError, FileFormatError, MissingWeightsError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.io._pickle_reader import MAX_BYTES, PickleReader
from fastcnn.io._torch_tensors import (
    NAMES,
    Array,
    StorageRef,
    StorageTable,
    TensorRef,
    find_tensors,
)

ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_NUMBER = 0x1950A86A20F9469CFC6C
# The number as a pickle holds it: ten bytes, behind the instruction LONG1.
LEGACY_MAGIC = b"\x8a\x0a" + _LEGACY_NUMBER.to_bytes(10, "little")

# Tensors may share storages (tied weights), so that the arrays take more room than the file. Many
# times more is an attack: one large storage under thousands of names.
_MAX_GROWTH = 8


def load_torch(path: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read the tensors of a file that ``torch.save`` wrote.

    The file is never executed: its pickle is read by an interpreter that can make only
    dictionaries, lists, numbers, strings and tensors. Anything else in it is refused.

    Parameters
    ----------
    path : str or os.PathLike
        A ``.pth`` or ``.pt`` file (the name does not matter) with a dictionary of tensors: a
        ``state_dict``, or a checkpoint that holds one as ``state_dict``, ``model_state_dict``,
        ``model`` or ``net``. Dictionaries inside dictionaries give names joined with dots;
        entries that are no tensors are left out.

    Returns
    -------
    dict of str to numpy.ndarray
        Contiguous, writable arrays that share no memory, with the file's names, shapes and
        layouts (convolution kernels are OIHW) in the file's order. bfloat16 becomes float32;
        float16, float32, float64, int8 to int64, uint8 and bool stay what they are.

    Raises
    ------
    MissingWeightsError
        There is no such file.
    FileAccessError
        The file cannot be read.
    FileFormatError
        The file is damaged, is not torch's, or holds more than tensors.

    Examples
    --------
    >>> weights = load_torch("resnet20.pth")  # doctest: +SKIP
    >>> weights["conv1.weight"].shape  # doctest: +SKIP
    (16, 3, 3, 3)
    """
    with naming(path), open_binary(path, missing=MissingWeightsError) as file:
        head = file.read(64)
        file.seek(0)
        if head.startswith(ZIP_MAGIC):
            return _load_zip(file)
        if LEGACY_MAGIC in head:
            return _load_legacy(file)
        raise FileFormatError(f"expected a file written by torch.save, got {head[:8]!r}...")


def _load_zip(file: BinaryIO) -> dict[str, Array]:
    with _zip_faults(), zipfile.ZipFile(file) as archive:
        folder = _folder_of(archive)
        big_endian = _is_big_endian(archive, folder)
        description = _read_entry(archive, f"{folder}data.pkl", MAX_BYTES)
        table = StorageTable()
        value = PickleReader(BytesIO(description), NAMES, table.load_persistent).run()

        def read_storage(storage: StorageRef, out: memoryview) -> None:
            with _open_entry(archive, f"{folder}data/{storage.key}", len(out)) as entry:
                _read_into(entry, out)

        return _load_tensors(find_tensors(value), read_storage, _size_of(file), big_endian)


def _load_legacy(file: BinaryIO) -> dict[str, Array]:
    table = StorageTable()

    def read_pickle() -> object:
        return PickleReader(file, NAMES, table.load_persistent).run()

    number, version, system = read_pickle(), read_pickle(), read_pickle()
    if number != _LEGACY_NUMBER or version != 1001:
        # Not shown in the message: a hostile file may hold a value too deep to be printed.
        raise FileFormatError("expected torch's older format, version 1001, got another version")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise FileFormatError("expected a file written on a little-endian machine")
    tensors = find_tensors(read_pickle())
    file_size = _size_of(file)
    starts = _find_legacy_storages(file, read_pickle(), table, file_size)

    def read_storage(storage: StorageRef, out: memoryview) -> None:
        file.seek(starts[storage.key])
        _read_into(file, out)

    return _load_tensors(tensors, read_storage, file_size, big_endian=False)


def _find_legacy_storages(
    file: BinaryIO, keys: object, table: StorageTable, file_size: int
) -> dict[str, int]:
    """Return where each storage's elements begin: they follow in the order of `keys`."""
    if not isinstance(keys, list) or len(keys) != len(table.by_key):
        raise FileFormatError("expected a list of the storages behind the description")
    starts: dict[str, int] = {}
    for key in keys:
        storage = table.by_key.get(key) if isinstance(key, str) else None
        if storage is None or key in starts:
            raise FileFormatError("expected the list of storages to match the description")
        count = int.from_bytes(file.read(8), "little", signed=True)
        if count != storage.numel:
            raise FileFormatError(
                f"expected {storage.numel} elements in storage {key!r}, got {count}"
            )
        starts[key] = file.tell()
        end = starts[key] + storage.stored_bytes
        if end > file_size:
            raise FileFormatError(
                f"cut off in storage {key!r}: expected {end - file_size} bytes more"
            )
        file.seek(end)
    return starts


def _load_tensors(
    tensors: dict[str, TensorRef],
    read_storage: Callable[[StorageRef, memoryview], None],
    file_size: int,
    big_endian: bool,
) -> dict[str, Array]:
    """Read every storage once and cut the tensors out of it."""
    total = sum(tensor.loaded_bytes for tensor in tensors.values())
    if total > _MAX_GROWTH * file_size:
        raise FileFormatError(
            f"expected tensors of at most {_MAX_GROWTH} times the file's {file_size} bytes, "
            f"got {total}"
        )
    by_storage: dict[StorageRef, list[str]] = {}
    for name, tensor in tensors.items():
        by_storage.setdefault(tensor.storage, []).append(name)
    stored = sum(storage.stored_bytes for storage in by_storage)
    if stored > file_size:
        raise FileFormatError(f"cut off: expected {stored} bytes of tensors, got {file_size}")
    arrays: dict[str, Array] = {}
    for storage, names in by_storage.items():
        raw = np.empty(storage.numel, storage.type.stored.newbyteorder(">" if big_endian else "<"))
        read_storage(storage, raw.view(np.uint8).data)
        elements = storage.type.decode(raw)
        for name in names:
            view = tensors[name].view(elements)
            if len(names) == 1 and view.flags.c_contiguous and view.size == elements.size:
                arrays[name] = elements.reshape(view.shape)
            else:  # keep arrays apart that share a storage, and let go of one mostly unused
                arrays[name] = np.array(view, order="C")
    return {name: arrays[name] for name in tensors}


def _read_into(file: BinaryIO, out: memoryview) -> None:
    filled = 0
    while filled < len(out):
        count = file.readinto(out[filled:])  # type: ignore[attr-defined]
        if not count:
            raise FileFormatError(f"cut off: expected {len(out) - filled} bytes more")
        filled += count


def _size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


# The archive. Entries are looked up by name and read into memory; none is ever unpacked to a
# path, so their names can do no harm.


def _folder_of(archive: zipfile.ZipFile) -> str:
    """Return the folder, with its slash, that holds the description."""
    names = [n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl")]
    if len(names) != 1:
        raise FileFormatError(
            f"expected a zip archive written by torch.save, with one data.pkl, got {len(names)}"
        )
    folder = names[0].removesuffix("data.pkl")
    if f"{folder}constants.pkl" in archive.namelist():
        raise FileFormatError(
            "expected tensors, got a TorchScript program; save its state_dict() instead"
        )
    return folder


def _is_big_endian(archive: zipfile.ZipFile, folder: str) -> bool:
    if f"{folder}byteorder" not in archive.namelist():
        return False  # torch before 2.1 wrote no mark, and little-endian files only
    mark = _read_entry(archive, f"{folder}byteorder", 16)
    if mark not in (b"little", b"big"):
        raise FileFormatError(f"expected byte order 'little' or 'big', got {mark!r}")
    return mark == b"big"


def _open_entry(archive: zipfile.ZipFile, name: str, size: int) -> BinaryIO:
    """Open an entry of exactly `size` bytes.

    torch compresses nothing. With compressed entries refused, no entry holds more bytes than
    the file does.
    """
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise FileFormatError(f"expected uncompressed entries, as torch writes, got {name!r}")
    if entry.file_size != size:
        raise FileFormatError(f"expected {size} bytes in {name!r}, got {entry.file_size}")
    return archive.open(entry)  # type: ignore[return-value]


def _read_entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    size = archive.getinfo(name).file_size
    if size > limit:
        raise FileFormatError(f"expected at most {limit} bytes in {name!r}, got {size}")
    with _open_entry(archive, name, size) as entry:
        return entry.read()


@contextmanager
def _zip_faults() -> Iterator[None]:
    """Turn whatever `zipfile` raises on a damaged archive into FileFormatError.

    Besides BadZipFile it lets errors of what it calls escape (struct, codecs, seek ...); no
    list of them is documented.
    """
    try:
        yield
    except FastcnnError:
        raise
    except KeyError as error:
        raise FileFormatError(f"expected an entry that is missing: {error.args[0]}") from error
    except Exception as error:
        raise FileFormatError(f"damaged zip archive: {error}") from error
