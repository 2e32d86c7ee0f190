"""The reader of HDF5 gives what h5py gives, and refuses what could mislead it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from fastcnn.errors import FileFormatError
from fastcnn.io._hdf5_reader import Hdf5Reader

h5py = pytest.importorskip("h5py", reason="writes HDF5 files")


def written(fill: Callable[[Any], None], **options: Any) -> bytes:
    content = BytesIO()
    with h5py.File(content, "w", **options) as file:
        fill(file)
    return content.getvalue()


def read(data: bytes) -> dict[str, Any]:
    reader = Hdf5Reader(BytesIO(data))
    return {node.path: reader.read(node) for node in reader.root.walk() if node.is_array}


ARRAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "float32": (np.arange(24, dtype=np.float32).reshape(2, 3, 4), {}),
    "float64 of the other order": (np.arange(5, dtype=">f8"), {}),
    "float16": (np.arange(5, dtype=np.float16), {}),
    "int64": (np.arange(-3, 3), {}),
    "uint8 of the other order": (np.arange(3, dtype=">u2"), {}),
    "scalar": (np.float32(2.5), {}),
    "empty": (np.zeros((0, 3), np.float32), {}),
    "chunks": (np.arange(35.0).reshape(7, 5), {"chunks": (3, 2)}),
    "deflated": (
        np.arange(700.0).reshape(70, 10),
        {"chunks": (9, 10), "compression": "gzip", "shuffle": True, "fletcher32": True},
    ),
    "many chunks": (np.arange(3000, dtype=np.int16), {"chunks": (7,)}),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    array, options = ARRAYS[name]
    (got,) = read(written(lambda file: file.create_dataset("a", data=array, **options))).values()
    assert got.dtype == np.asarray(array).dtype.newbyteorder("=") and got.flags.writeable
    np.testing.assert_array_equal(got, array)


def test_compact_arrays() -> None:
    def fill(file: Any) -> None:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3,))
        found = h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, space, plist)
        found.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(3, dtype=np.float32))

    np.testing.assert_array_equal(read(written(fill))["a"], [0, 1, 2])


def test_groups_and_attributes() -> None:
    def fill(file: Any) -> None:
        for i in range(300):
            file[f"group{i}/inner/a"] = np.full(i % 5, i)
        file["group7"].attrs.update(
            text="é", fixed=np.bytes_(b"abc"), texts=["x", "yy"], many=np.array([b"ab", b"c"]),
            number=2.5, numbers=[1, 2], empty=np.zeros(0), long="q" * 60_000, none=h5py.Empty("f"),
        )  # fmt: skip
        for i in range(40):
            file["group8"].attrs[f"attribute{i}"] = i

    data = written(fill)
    root = Hdf5Reader(BytesIO(data)).root
    assert sorted(root.children) == sorted(f"group{i}" for i in range(300))
    assert root.children["group7"].attributes == {
        "text": "é", "fixed": "abc", "texts": ["x", "yy"], "many": ["ab", "c"], "number": 2.5,
        "numbers": [1, 2], "empty": [], "long": "q" * 60_000,
    }  # fmt: skip
    assert root.children["group8"].attributes == {f"attribute{i}": i for i in range(40)}
    assert (read(data)["group299/inner/a"] == 299).all()


def test_links_lead_nowhere() -> None:
    def fill(file: Any) -> None:
        file["a"] = np.zeros(2)
        file["soft"] = h5py.SoftLink("/a")

    assert list(read(written(fill))) == ["a"]


def _loop(file: Any) -> None:
    file["outer/inner"] = np.zeros(1)
    file["outer/again"] = file["outer"]


def _elsewhere(file: Any) -> None:
    file["a"] = h5py.ExternalLink("/etc/passwd", "/")


def _external(file: Any) -> None:
    file.create_dataset("a", (4,), "f4", external=[("/etc/hostname", 0, 16)])


def _unwritten(file: Any) -> None:
    file.create_dataset("a", (1 << 20,), "f4", chunks=(1 << 20,), compression="gzip")


def _bomb(file: Any) -> None:
    data = np.zeros((1 << 20,), np.uint8)
    for i in range(100):
        file.create_dataset(f"a{i}", data=data, chunks=(1 << 20,), compression="gzip")


REFUSED: dict[str, tuple[Callable[[Any], None], str]] = {
    "a loop": (_loop, "twice"),
    "a link to another file": (_elsewhere, "newer kind"),
    "an array in another file": (_external, "other files"),
    "not written": (_unwritten, "times as much|chunks"),
    "a bomb": (_bomb, "times as much"),
    "texts": (lambda file: file.create_dataset("a", data=["x"]), "numbers"),
    "pairs": (lambda file: file.create_dataset("a", data=np.zeros(2, "f4,i4")), "numbers"),
    "a shared type": (
        lambda file: (
            file.__setitem__("t", np.dtype("f4")),
            file.create_dataset("a", (2,), file["t"]),
        )[0],
        "share",
    ),
    "another filter": (
        lambda file: file.create_dataset("a", data=np.zeros(9), chunks=(9,), compression="lzf"),
        "filter",
    ),
    "deep groups": (lambda file: file.create_group("/".join("g" * 80)), "deep"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    fill, reason = REFUSED[name]
    with pytest.raises(FileFormatError, match=reason):
        read(written(fill))


def test_newer_files_are_refused_with_a_way_out() -> None:
    with pytest.raises(FileFormatError, match="h5repack"):
        read(written(lambda file: file.__setitem__("a", np.zeros(2)), libver="latest"))


def test_lengths_are_checked() -> None:
    data = written(lambda file: file.__setitem__("a", np.zeros(2)))
    for cut in range(0, len(data), 64):
        with pytest.raises(FileFormatError):
            read(data[:cut])
    # Sizes that only lie: of the array, of its shape.
    for old, new in ((16, 8), (2, 2**40)):
        forged = data.replace(struct.pack("<Q", old), struct.pack("<Q", new))
        with pytest.raises(FileFormatError):
            read(forged)
