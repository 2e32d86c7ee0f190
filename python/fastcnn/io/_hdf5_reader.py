"""Reading HDF5 files of weights, in Python.

The HDF5 library is not made for files of people one does not trust: a few changed bytes can crash
the process. What Keras writes needs a small part of the format, the one that h5py writes unless it
is told otherwise: version 0 or 1 of the superblock, groups with symbol tables, numbers stored
whole or in chunks, compressed by deflate or not. This reader knows that part. Every offset and
length is checked against the file, nothing is visited twice, and links lead nowhere.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError

MAGIC = b"\x89HDF\r\n\x1a\n"

_NOWHERE = 2**64 - 1
_MOST_OBJECTS = 200_000
_MOST_DEPTH = 64
_MOST_RANK = 32
_MOST_SIZE = 2**40  # along one axis
_MOST_ATTRIBUTE = 2**26
# Bytes of all arrays for each byte of the file, at most; weights hardly compress.
_MOST_GROWTH = 64

_SPACE, _TYPE, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE, _CONTINUED, _TABLE = (
    0x01, 0x03, 0x07, 0x08, 0x0B, 0x0C, 0x10, 0x11,
)  # fmt: skip
_LINK_INFO, _LINK = 0x02, 0x06
_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3


@dataclass(eq=False)
class Node:
    """A group or an array of the file.

    Attributes
    ----------
    path : str
        ``"layers/conv2d/vars/0"``; of the root ``""``.
    attributes : dict of str to value
        Texts, lists of texts and numbers; others are left out.
    children : dict of str to Node
        Of a group, in the file's order.
    is_array : bool
    """

    path: str
    attributes: dict[str, Any] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)
    is_array: bool = False
    _messages: list[tuple[int, bytes]] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """Give this and everything inside, groups before what they hold."""
        yield self
        for child in self.children.values():
            yield from child.walk()


class Hdf5Reader:
    """The tree of an HDF5 file.

    Parameters
    ----------
    file : binary file
        Seekable; it stays open as long as arrays are read.

    Attributes
    ----------
    root : Node

    Raises
    ------
    FileFormatError
        The file is damaged, or uses a part of the format that is not read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self._visited: set[int] = set()
        self._heaps: dict[int, dict[int, bytes]] = {}
        self._budget = _MOST_GROWTH * self._size + 2**16
        self._readable = _MOST_GROWTH * self._size + 2**16  # parts may be referred to repeatedly
        self._base = 0
        self.root = self._object(self._root_address(), "", 0)

    # ---- bytes ---------------------------------------------------------------------------------

    def _take(self, offset: int, size: int) -> bytes:
        offset += self._base
        if not (0 <= offset <= self._size and 0 <= size <= self._size - offset):
            raise FileFormatError(
                f"expected {size} bytes at {offset} of HDF5, the file has {self._size}"
            )
        self._readable -= size
        if self._readable < 0:
            raise FileFormatError("parts of HDF5 are referred to again and again")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise FileFormatError(f"expected {size} bytes at {offset}, got {len(data)}")
        return data

    def _visit(self, address: int, what: str) -> None:
        if address in self._visited:
            raise FileFormatError(f"the {what} at {address} of HDF5 is referred to twice")
        self._visited.add(address)
        if len(self._visited) > _MOST_OBJECTS:
            raise FileFormatError(f"expected at most {_MOST_OBJECTS} objects in HDF5")

    def _signed(self, address: int, signature: bytes, size: int) -> bytes:
        data = self._take(address, size)
        if not data.startswith(signature):
            raise FileFormatError(f"expected {signature!r} at {address} of HDF5, got {data[:4]!r}")
        return data

    def _root_address(self) -> int:
        head = self._take(0, 96 if self._size >= 96 else self._size)
        if not head.startswith(MAGIC) or len(head) < 96:
            raise FileFormatError(f"expected an HDF5 file, got {head[:8]!r}...")
        version = head[8]
        if version not in (0, 1):
            raise FileFormatError(
                f"the superblock of HDF5 has version {version}, which is not read; h5repack "
                "--low=0 --high=0, or h5py without libver, writes version 0"
            )
        if head[13:15] != b"\x08\x08":
            raise FileFormatError("expected offsets and lengths of 8 bytes in HDF5")
        start = 24 if version == 0 else 28
        (self._base,) = struct.unpack_from("<Q", head, start)
        if self._base != 0:
            raise FileFormatError("expected HDF5 that begins with the file")
        (end,) = struct.unpack_from("<Q", head, start + 16)
        if end > self._size:
            raise FileFormatError(f"expected {end} bytes of HDF5, the file has {self._size}")
        return int(struct.unpack_from("<Q", self._take(0, start + 72), start + 40)[0])

    # ---- objects -------------------------------------------------------------------------------

    def _object(self, address: int, path: str, depth: int) -> Node:
        if depth > _MOST_DEPTH:
            raise FileFormatError(f"expected groups of HDF5 at most {_MOST_DEPTH} deep")
        self._visit(address, "object")
        node = Node(path)
        for kind, data in self._messages(address):
            if kind == _ATTRIBUTE:
                name, value = self._attribute(data)
                if value is not None:
                    node.attributes[name] = value
            elif kind == _TABLE:
                tree, heap = _unpack("<QQ", data)
                for name, child in self._entries(tree, heap):
                    inside = f"{path}/{name}" if path else name
                    if name in node.children:
                        raise FileFormatError(f"HDF5 has two objects {inside!r}")
                    node.children[name] = self._object(child, inside, depth + 1)
            elif kind in (_LINK, _LINK_INFO):
                raise FileFormatError(
                    f"{path or 'the root'!r} of HDF5 is a group of a newer kind, which is not read"
                )
            elif kind in (_SPACE, _TYPE, _EXTERNAL, _LAYOUT, _FILTERS):
                node._messages.append((kind, data))
                node.is_array |= kind == _LAYOUT
        return node

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        version, _, count, _, size = _unpack("<BBHII", self._take(address, 16))
        if version != 1:
            raise FileFormatError(f"expected an object of HDF5 at {address}")
        blocks = [(address + 16, size)]
        while blocks:
            start, size = blocks.pop(0)
            block = self._take(start, size)
            at = 0
            while at + 8 <= len(block) and count > 0:
                kind, length, flags = struct.unpack_from("<HHB", block, at)
                data = block[at + 8 : at + 8 + length]
                if len(data) != length:
                    raise FileFormatError(f"a message at {start + at} of HDF5 is cut off")
                at += 8 + length
                count -= 1
                if kind == _CONTINUED:
                    where, length = _unpack("<QQ", data)
                    self._visit(where, "block")
                    blocks.append((where, length))
                elif kind == 0 or (flags & 2 and kind not in (_TYPE, _SPACE, _ATTRIBUTE)):
                    continue
                elif flags & 2:
                    raise FileFormatError("types of HDF5 that objects share are not read")
                else:
                    yield kind, data

    def _entries(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        """Give the names and addresses that a group holds; links are left out."""
        size, _, where = _unpack("<QQQ", self._signed(heap, b"HEAP", 32)[8:])
        names = self._take(where, size)
        for leaf in self._leaves(tree, 0, 8):
            _, _, count = _unpack("<BBH", self._signed(leaf, b"SNOD", 8)[4:])
            table = self._take(leaf + 8, 40 * count)
            for i in range(count):
                name_at, address, cache = struct.unpack_from("<QQI", table, 40 * i)
                end = names.find(b"\0", name_at)
                if end < 0:
                    raise FileFormatError("a name of HDF5 has no end")
                if cache != 2 and address != _NOWHERE:
                    yield _text(names[name_at:end]), address

    def _leaves(self, tree: int, kind: int, key_size: int) -> Iterator[Any]:
        """Give what the leaves of a B-tree point to; of chunks, with their keys."""
        waiting = [(tree, -1)]
        while waiting:
            address, expected = waiting.pop()
            if address == _NOWHERE:
                continue
            self._visit(address, "tree")
            node_kind, level, used = _unpack("<BBH", self._signed(address, b"TREE", 8)[4:])
            if node_kind != kind or (expected >= 0 and level != expected):
                raise FileFormatError(f"the tree at {address} of HDF5 is damaged")
            step = key_size + 8
            table = self._take(address + 24, used * step)
            pairs = [
                (table[i : i + key_size], _unpack("<Q", table[i + key_size : i + step])[0])
                for i in range(0, len(table), step)
            ]
            if level:
                waiting.extend((child, level - 1) for _, child in reversed(pairs))
            else:
                for key, child in pairs:
                    self._visit(child, "leaf")
                    yield child if kind == 0 else (key, child)

    # ---- attributes ----------------------------------------------------------------------------

    def _attribute(self, data: bytes) -> tuple[str, Any]:
        version, _, name_size, type_size, space_size = _unpack("<BBHHH", data[:8])
        if version not in (1, 2, 3):
            raise FileFormatError(f"an attribute of HDF5 has version {version}")
        at = 9 if version == 3 else 8
        parts = []
        for size in (name_size, type_size, space_size):
            parts.append(data[at : at + size])
            at += (size + 7) // 8 * 8 if version == 1 else size
        name = _text(parts[0].split(b"\0")[0])
        shape, kind = _shape(parts[2]), _type(parts[1])
        if shape is None or kind is None:
            return name, None
        count = math.prod(shape)
        if count > _MOST_ATTRIBUTE or count * kind.size > len(data) - at:
            raise FileFormatError(f"the attribute {name!r} of HDF5 is cut off")
        raw = data[at : at + count * kind.size]
        if kind.dtype is not None:
            array = np.frombuffer(raw, kind.dtype).reshape(shape)
            return name, array.item() if not shape else array.tolist()
        texts = [self._string(raw[i : i + kind.size], kind) for i in range(0, len(raw), kind.size)]
        return name, texts if shape else texts[0]

    def _string(self, raw: bytes, kind: _Type) -> str:
        if kind.variable:
            length, address, index = _unpack("<IQI", raw)
            raw = b"" if length == 0 else self._heap(address).get(index, b"")[:length]
        return _text(raw.split(b"\0")[0])

    def _heap(self, address: int) -> dict[int, bytes]:
        """Read a collection of texts of any length."""
        if address not in self._heaps:
            (size,) = _unpack("<Q", self._signed(address, b"GCOL", 16)[8:])
            self._visit(address, "heap")
            block, at = self._take(address, size), 16
            objects: dict[int, bytes] = {}
            while at + 16 <= len(block):
                index, _, _, length = struct.unpack_from("<HHIQ", block, at)
                if index == 0:
                    break
                objects[index] = block[at + 16 : at + 16 + length]
                at += 16 + (length + 7) // 8 * 8
            self._heaps[address] = objects
        return self._heaps[address]

    # ---- arrays --------------------------------------------------------------------------------

    def read(self, node: Node) -> NDArray[Any]:
        """Read an array: contiguous, writable, with numbers in this machine's order."""
        try:
            array = self._read(dict(node._messages))
        except FileFormatError as error:
            raise FileFormatError(f"{node.path!r}: {error}") from error
        native: NDArray[Any] = np.require(array, array.dtype.newbyteorder("="), ["C", "W"])
        return native

    def _read(self, messages: dict[int, bytes]) -> NDArray[Any]:
        if _EXTERNAL in messages:
            raise FileFormatError("arrays of HDF5 in other files are not read")
        kind = _type(messages.get(_TYPE, b""))
        shape = _shape(messages.get(_SPACE, b""))
        if kind is None or kind.dtype is None or shape is None:
            raise FileFormatError("expected an array of numbers")
        size = math.prod(shape) * kind.size
        self._budget -= size
        if self._budget < 0:
            raise FileFormatError(
                f"expected at most {_MOST_GROWTH} times as much data as the file has bytes"
            )
        layout = messages[_LAYOUT]
        version, place = _unpack("<BB", layout[:2])
        if version != 3:
            raise FileFormatError(f"the layout of an array has version {version}, not 3")
        if place == 2:
            return self._read_chunks(layout, messages.get(_FILTERS), kind, shape)
        if place == 1:
            where, stored = _unpack("<QQ", layout[2:])
        else:
            where, stored = 0, _unpack("<H", layout[2:4])[0]
        if stored < size or (where == _NOWHERE and size):
            raise FileFormatError(f"expected {size} bytes for shape {shape}, got {stored}")
        raw = layout[4 : 4 + size] if place == 0 else self._take(where, size) if size else b""
        if len(raw) != size:
            raise FileFormatError(f"expected {size} bytes for shape {shape}, got {len(raw)}")
        whole: NDArray[Any] = np.frombuffer(raw, kind.dtype).reshape(shape).copy()
        return whole

    def _read_chunks(
        self, layout: bytes, pipeline: bytes | None, kind: _Type, shape: tuple[int, ...]
    ) -> NDArray[Any]:
        rank = len(shape)
        (dimensions, tree) = _unpack("<BQ", layout[2:11])
        if dimensions != rank + 1:
            raise FileFormatError(f"expected chunks of {rank} axes, got {dimensions - 1}")
        *chunk, element = _unpack(f"<{dimensions}I", layout[11:])
        if element != kind.size or any(c == 0 for c in chunk):
            raise FileFormatError(f"chunks of {chunk} with {element} bytes do not fit the array")
        size = math.prod(chunk) * kind.size
        if size > self._budget + 2**20:
            raise FileFormatError(f"chunks of {size} bytes are larger than the file")
        filters = _filters(pipeline)
        array = np.empty(shape, kind.dtype)
        wanted = math.prod(-(-n // c) for n, c in zip(shape, chunk, strict=True))
        seen: set[tuple[int, ...]] = set()
        for key, where in self._leaves(tree, 1, 8 + 8 * dimensions):
            stored, mask, *offsets = _unpack(f"<II{dimensions}Q", key)
            start = tuple(offsets[:-1])
            if any(o >= n or o % c for o, n, c in zip(start, shape, chunk, strict=True)):
                raise FileFormatError(f"a chunk at {start} lies outside shape {shape}")
            seen.add(start)
            raw = _unfilter(self._take(where, stored), filters, mask, size, kind.size)
            block = np.frombuffer(raw, kind.dtype).reshape(chunk)
            ends = [min(o + c, n) for o, c, n in zip(start, chunk, shape, strict=True)]
            place = tuple(slice(o, e) for o, e in zip(start, ends, strict=True))
            array[place] = block[tuple(slice(0, p.stop - p.start) for p in place)]
        if len(seen) != wanted:
            raise FileFormatError(f"expected {wanted} chunks, got {len(seen)}")
        return array


# ---- descriptions of types, shapes, filters ------------------------------------------------------


@dataclass(frozen=True)
class _Type:
    """What an element is: a number of a dtype, or a text of fixed or any length."""

    size: int
    dtype: np.dtype[Any] | None = None
    variable: bool = False


_FLOATS = {2: (5, 10), 4: (8, 23), 8: (11, 52)}  # bits of exponent and mantissa


def _type(data: bytes) -> _Type | None:
    """Read a type; None where it is neither a number nor a text."""
    head, bits, _, _, size = _unpack("<BBBBI", data[:8])
    order = ">" if bits & 1 else "<"
    kind = head & 15
    if size == 0:
        return None
    if kind == 0 and size in (1, 2, 4, 8):
        return _Type(size, np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}"))
    if kind == 1 and size in _FLOATS and len(data) >= 16 and data[12 + 1] == _FLOATS[size][0]:
        return _Type(size, np.dtype(f"{order}f{size}"))
    if kind == 3:
        return _Type(size)
    if kind == 9 and bits & 15 == 1 and size == 16:
        return _Type(size, variable=True)
    return None


def _shape(data: bytes) -> tuple[int, ...] | None:
    """Read a shape; None for an array that has none."""
    version, rank, _, kind = _unpack("<BBBB", data[:4])
    if version not in (1, 2) or rank > _MOST_RANK:
        raise FileFormatError(f"a shape of HDF5 has version {version} and {rank} axes")
    if version == 2 and kind == 2:
        return None
    start = 8 if version == 1 else 4
    shape = tuple(int(n) for n in _unpack(f"<{rank}Q", data[start : start + 8 * rank]))
    if any(n > _MOST_SIZE for n in shape):
        raise FileFormatError(f"expected an array of HDF5 of a sensible shape, got {shape}")
    return shape


def _filters(data: bytes | None) -> list[int]:
    """List the filters that arrays passed, in order."""
    if data is None:
        return []
    version, count = _unpack("<BB", data[:2])
    at = 8 if version == 1 else 2
    found = []
    for _ in range(count):
        (number,) = _unpack("<H", data[at : at + 2])
        named = version == 1 or number >= 256
        if named:
            name_size, _, values = _unpack("<HHH", data[at + 2 : at + 8])
            at += 8 + (name_size + 7) // 8 * 8 if version == 1 else 8 + name_size
        else:
            _, values = _unpack("<HH", data[at + 2 : at + 6])
            at += 6
        at += 4 * values + (4 if version == 1 and values % 2 else 0)
        if number not in (_DEFLATE, _SHUFFLE, _CHECKSUM):
            raise FileFormatError(f"filter {number} of HDF5 is not read; deflate and shuffle are")
        found.append(number)
    return found


def _unfilter(raw: bytes, filters: list[int], mask: int, size: int, item: int) -> bytes:
    """Undo the filters of a chunk, which then has `size` bytes."""
    for i, number in reversed(list(enumerate(filters))):
        if mask >> i & 1:
            continue
        if number == _DEFLATE:
            inflate = zlib.decompressobj()
            try:
                raw = inflate.decompress(raw, size + 8)
            except zlib.error as error:
                raise FileFormatError(f"a chunk is damaged: {error}") from error
        elif number == _CHECKSUM:
            raw = raw[:-4]
        elif len(raw) == size:
            raw = np.frombuffer(raw, np.uint8).reshape(item, -1).T.tobytes()
    if len(raw) != size:
        raise FileFormatError(f"expected chunks of {size} bytes, got {len(raw)}")
    return raw


def _unpack(form: str, data: bytes) -> Any:
    size = struct.calcsize(form)
    if len(data) < size:
        raise FileFormatError("a part of HDF5 is cut off")
    return struct.unpack_from(form, data)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"a text of HDF5 is no UTF-8: {raw[:40]!r}") from error
