"""Writes torch's file formats by hand, so that tests can put anything into them."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO

MAGIC = 0x1950A86A20F9469CFC6C


def text(value: str) -> bytes:
    """The instruction that pushes a string."""
    data = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def integer(value: int) -> bytes:
    """The instruction that pushes an integer of up to ten bytes."""
    data = value.to_bytes(10, "little", signed=True)
    return pickle.LONG1 + bytes([len(data)]) + data


def name(module: str, attribute: str) -> bytes:
    """The instruction that pushes a global."""
    return pickle.GLOBAL + f"{module}\n{attribute}\n".encode()


def group(*items: bytes) -> bytes:
    """The instructions that push a tuple."""
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def tensor(
    shape: Sequence[int],
    strides: Sequence[int],
    *,
    offset: int = 0,
    numel: int = 6,
    key: str = "0",
    storage: str = "FloatStorage",
    legacy: bool = False,
) -> bytes:
    """The instructions that push a tensor."""
    view = (pickle.NONE,) if legacy else ()
    identifier = group(
        text("storage"), name("torch", storage), text(key), text("cpu"), integer(numel), *view
    )
    return (
        name("torch._utils", "_rebuild_tensor_v2")
        + group(
            identifier + pickle.BINPERSID,
            integer(offset),
            group(*map(integer, shape)),
            group(*map(integer, strides)),
            pickle.NEWFALSE,
            pickle.EMPTY_DICT,
        )
        + pickle.REDUCE
    )


def program(body: bytes) -> bytes:
    """A whole pickle around instructions that push one value."""
    return pickle.PROTO + b"\x02" + body + pickle.STOP


def named(tensors: Mapping[str, bytes]) -> bytes:
    """The instructions that push a dictionary."""
    items = b"".join(text(key) + value for key, value in tensors.items())
    return pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS


def zip_file(
    description: bytes,
    storages: Mapping[str, bytes] | None = None,
    *,
    byteorder: bytes | None = b"little",
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """A file of the newer format."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("model/data.pkl", description)
        if byteorder is not None:
            archive.writestr("model/byteorder", byteorder)
        for key, data in (storages or {}).items():
            archive.writestr(f"model/data/{key}", data)
    return file.getvalue()


def legacy_file(
    description: bytes, storages: Sequence[tuple[str, int, bytes]], *, little_endian: bool = True
) -> bytes:
    """A file of the older format; each storage is its key, its count and its bytes."""
    system = {"protocol_version": 1001, "little_endian": little_endian, "type_sizes": {"int": 4}}
    head = b"".join(pickle.dumps(part, protocol=2) for part in (MAGIC, 1001, system))
    keys = pickle.dumps([key for key, _, _ in storages], protocol=2)
    body = b"".join(struct.pack("<q", count) + data for _, count, data in storages)
    return head + description + keys + body
