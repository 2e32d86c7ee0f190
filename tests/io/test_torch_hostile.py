"""load_torch against files made to run code, to take memory or to take time."""

from __future__ import annotations

import os
import pickle
import struct
import time
import tracemalloc
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from fastcnn.errors import FileFormatError
from fastcnn.io import load_torch
from fastcnn.io._pickle_reader import MAX_BYTES, MAX_INSTRUCTIONS, PickleReader
from fastcnn.io._torch_tensors import NAMES, StorageTable
from tests.io import torch_writer as tw

SIX = struct.pack("<6f", *range(6))
MIB = 2**20


def nested_dicts(levels: int, width: int) -> bytes:
    """Dictionaries whose items are all one dictionary: `width ** levels` paths, few bytes."""
    body = tw.tensor((6,), (1,)) + pickle.BINPUT + b"\0"
    for level in range(1, levels + 1):
        inner = pickle.BINGET + bytes([level - 1])
        items = b"".join(tw.text(f"{i}") + inner for i in range(width))
        body += pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS
        body += pickle.BINPUT + bytes([level])
    return body


def copies_of_a_long_list() -> bytes:
    pair = tw.group(tw.text("k"), pickle.NONE) + pickle.BINPUT + b"\1"
    pairs = pickle.EMPTY_LIST + pickle.MARK + pair + (pickle.BINGET + b"\1") * 100_000
    pairs += pickle.APPENDS + pickle.BINPUT + b"\0"
    call = tw.name("collections", "OrderedDict") + pickle.BINGET + b"\0" + pickle.TUPLE1
    return pairs + (call + pickle.REDUCE) * 1000


def ring() -> bytes:
    return pickle.EMPTY_DICT + b"q\0" + tw.text("self") + pickle.BINGET + b"\0" + pickle.SETITEM


def deep_tuple_key() -> bytes:
    deep = pickle.EMPTY_TUPLE + pickle.TUPLE1 * 100_000
    return pickle.EMPTY_DICT + deep + pickle.NONE + pickle.SETITEM


PICKLES = {
    "memo index of 4 thousand million": pickle.EMPTY_DICT + pickle.LONG_BINPUT + b"\xff" * 4,
    "text of 4 GB": pickle.BINUNICODE + b"\xff" * 4,
    "text of an exabyte": pickle.BINUNICODE8 + b"\xff" * 7 + b"\0",
    "integer of 2 GB": pickle.LONG4 + b"\xff\xff\xff\x7f",
    "integer of 255 bytes": pickle.LONG1 + b"\xff" * 256,
    "more instructions than allowed": pickle.EMPTY_DICT * (MAX_INSTRUCTIONS + 1),
    "marks without end": pickle.MARK * 100_000,
    "exponential paths": nested_dicts(7, 200),
    "nesting beyond the limit": nested_dicts(60, 1),
    "copies of a long list": copies_of_a_long_list(),
    "ring": ring(),
    "hash of a deep tuple": deep_tuple_key(),
    "long names": tw.named({"n" * 10_000: tw.tensor((6,), (1,))}),
    "attributes of a function": tw.name("collections", "OrderedDict") + pickle.NONE + pickle.BUILD,
    "call of a storage type": tw.name("torch", "FloatStorage") + b")R",
    "call of a text": tw.text("eval") + b")R",
    "underflow": pickle.REDUCE,
    "no value": b"",
}


@pytest.mark.parametrize("body", PICKLES.values(), ids=list(PICKLES))
def test_hostile_pickles(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(tw.zip_file(tw.program(body), {"0": SIX}))
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=r"weights\.pth"):
            load_torch(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 256 * MIB
    assert time.process_time() - began < 60  # far above the second it takes: no endless walk


@pytest.mark.parametrize(
    "target",
    ["os system", "builtins eval", "builtins exec", "subprocess Popen", "torch load",
     "torch._utils _rebuild_tensor_v2.__globals__", "collections namedtuple", "fastcnn io"],
)  # fmt: skip
@pytest.mark.parametrize("stack", [False, True], ids=["GLOBAL", "STACK_GLOBAL"])
def test_nothing_is_called(tmp_path: Path, target: str, stack: bool) -> None:
    module, attribute = target.split()
    marker = tmp_path / "executed"
    function = tw.name(module, attribute)
    if stack:
        function = tw.text(module) + tw.text(attribute) + pickle.STACK_GLOBAL
    call = function + tw.group(tw.text(f"touch {marker}")) + pickle.REDUCE
    path = tmp_path / "weights.pth"
    for data in (tw.zip_file(tw.program(call)), tw.legacy_file(tw.program(call), [])):
        path.write_bytes(data)
        with pytest.raises(FileFormatError, match="never built"):
            load_torch(path)
    assert not marker.exists()


def test_a_pickled_object_with_reduce_is_not_run(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    path = tmp_path / "weights.pth"
    path.write_bytes(tw.zip_file(pickle.dumps({"x": Attack()}, 2)))
    with pytest.raises(FileFormatError):
        load_torch(path)
    assert not (tmp_path / "made").exists()


def test_a_version_too_deep_to_print(tmp_path: Path) -> None:
    number = pickle.dumps(tw.MAGIC, 2)
    deep = tw.program(pickle.EMPTY_LIST * 100_000 + pickle.APPEND * 99_999)
    path = tmp_path / "weights.pth"
    path.write_bytes(number + deep + pickle.dumps({}, 2))
    with pytest.raises(FileFormatError, match="version"):
        load_torch(path)


def test_compressed_entries(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    zeros = 256 * MIB
    description = tw.program(tw.named({"x": tw.tensor((zeros // 4,), (1,), numel=zeros // 4)}))
    bomb = tw.zip_file(description, {"0": bytes(zeros)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < MIB
    path.write_bytes(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError):
            load_torch(path)
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


def test_description_larger_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(tw.zip_file(bytes(MAX_BYTES + 1)))
    with pytest.raises(FileFormatError, match="at most"):
        load_torch(path)


def test_one_storage_under_many_names(tmp_path: Path) -> None:
    """A copy for each name would take 100 GB."""
    count = MIB
    one = tw.tensor((count,), (1,), numel=count) + pickle.BINPUT + b"\0"
    others = {f"x{i}": pickle.BINGET + b"\0" for i in range(25_000)}
    path = tmp_path / "weights.pth"
    path.write_bytes(
        tw.zip_file(tw.program(tw.named({"x": one, **others})), {"0": bytes(4 * count)})
    )
    with pytest.raises(FileFormatError, match="times the file"):
        load_torch(path)


def test_entries_that_overlap(tmp_path: Path) -> None:
    """Many entries of the directory may point at the same bytes."""
    tensors = {f"x{i}": tw.tensor((6,), (1,), key=f"{i}") for i in range(3)}
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", tw.program(tw.named(tensors)))
        archive.writestr("model/data/0", SIX)
        entry = archive.getinfo("model/data/0")
        for i in (1, 2):
            copy = zipfile.ZipInfo(f"model/data/{i}")
            copy.header_offset = entry.header_offset
            copy.CRC, copy.file_size, copy.compress_size = entry.CRC, len(SIX), len(SIX)
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
    path = tmp_path / "weights.pth"
    path.write_bytes(file.getvalue())
    with pytest.raises(FileFormatError):
        load_torch(path)


def test_names_of_entries_reach_no_path(tmp_path: Path) -> None:
    key = "../../../escaped"
    description = tw.program(tw.named({"x": tw.tensor((6,), (1,), key=key)}))
    path = tmp_path / "weights.pth"
    path.write_bytes(tw.zip_file(description, {key: SIX}))
    assert load_torch(path)["x"].tolist() == [0, 1, 2, 3, 4, 5]
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pth"]


# Programs that are nearly right reach further than random bytes.
INSTRUCTIONS = st.one_of(
    st.sampled_from(
        [b"(", b".", b"0", b"N", b"K\0", b"K\6", b"\x88", b"]", b"a", b"e", b"}", b"s", b"u", b")",
         b"\x85", b"\x86", b"\x87", b"t", b"R", b"b", b"Q", b"q\0", b"h\0", b"\x94", b"\x93",
         tw.text("state_dict"), tw.text("storage"), tw.tensor((2, 3), (3, 1)), tw.integer(2**70),
         tw.integer(-1), *(tw.name(*full_name) for full_name in NAMES)]
    ),
    st.binary(max_size=3),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(INSTRUCTIONS, max_size=40).map(b"".join))
def test_any_program_gives_a_value_or_our_error(body: bytes) -> None:
    stream = BytesIO(tw.program(body))
    with suppress(FileFormatError):
        PickleReader(stream, NAMES, StorageTable().load_persistent).run()
