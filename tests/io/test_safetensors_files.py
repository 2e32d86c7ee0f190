"""Safetensors files against the library's own reader and writer, and by hand."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn.errors import (
    DTypeError,
    FileAccessError,
    FileFormatError,
    MissingFileError,
    MissingWeightsError,
)
from fastcnn.io import (
    load_safetensors,
    load_safetensors_metadata,
    load_weights_file,
    save_safetensors,
)
from tests.io.safetensors_writer import entry, safetensors_file
from tests.shared_data import shared_path

library = pytest.importorskip("safetensors.numpy", reason="the format's own library")


def test_round_trip_of_every_dtype(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    names = "bool uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64"
    arrays = {name: np.arange(6).reshape(2, 3).astype(name) for name in names.split()}
    arrays |= {"scalar": np.array(3.0), "empty": np.zeros((0, 3), np.float32)}
    save_safetensors(path, arrays, {"note": "grün"})
    for loaded in (load_safetensors(path), library.load_file(path)):
        assert loaded.keys() == arrays.keys()
        for name, array in arrays.items():
            assert loaded[name].dtype == array.dtype and loaded[name].shape == array.shape
            np.testing.assert_array_equal(loaded[name], array)
    assert load_safetensors_metadata(path) == {"note": "grün"}
    load_safetensors(path)["scalar"][...] = 1  # writable


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(12.0)[::2],
        np.arange(6.0)[::-1],
        np.arange(6, dtype=">f4"),
        np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    ],
    ids=["transposed", "strided", "reversed", "big-endian", "fortran"],
)
def test_memory_order_is_of_no_matter(tmp_path: Path, array: np.ndarray) -> None:
    path = tmp_path / "weights.safetensors"
    save_safetensors(path, {"x": array})
    np.testing.assert_array_equal(load_safetensors(path)["x"], array)


def test_no_metadata(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_safetensors(path, {"x": np.zeros(1)})
    assert load_safetensors_metadata(path) == {}


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    header = {"b": entry("BF16", [2], 0, 4), "f": entry("F32", [1, 1], 4, 8)}
    path.write_bytes(safetensors_file(header, struct.pack("<2Hf", 0x3FC0, 0xFF80, 0.1)))
    loaded = load_safetensors(path)
    assert loaded["b"].dtype == np.float32 and loaded["b"].tolist() == [1.5, -np.inf]
    assert loaded["f"].tolist() == [[np.float32(0.1)]]


def test_bfloat16_of_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="writes the file to be read")
    writer = pytest.importorskip("safetensors.torch")
    path = tmp_path / "weights.safetensors"
    tensor = torch.linspace(-3, 3, 24).reshape(4, 6).bfloat16()
    writer.save_file({"x": tensor}, path)
    np.testing.assert_array_equal(load_safetensors(path)["x"], tensor.float().numpy())


def test_real_file() -> None:
    weights = load_weights_file(shared_path("weights", "resnet50_imagenet_fp16.safetensors"))
    assert weights["conv1/kernel"].shape == (7, 7, 3, 64)
    assert weights["conv1/kernel"].dtype == np.float16
    assert weights["bn2a_branch1/gamma"].dtype == np.float32


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(7),
        bytes(8),
        b"\xff" * 100,
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 90_000_000) + b"{}",
        struct.pack("<Q", 9) + b"{" + b"[" * 8,
        struct.pack("<Q", 50_000) + b'{"a":' + b"[" * 49_995,
        safetensors_file({"x": entry("F32", [2], 0, 8)}, bytes(7)),
        safetensors_file({"x": entry("F32", [3], 0, 8)}, bytes(8)),
        safetensors_file({"x": entry("F32", [2**62, 2**62], 0, 8)}, bytes(8)),
        safetensors_file({"x": entry("F32", [2], 8, 0)}, bytes(8)),
        safetensors_file({"x": entry("F32", [-2], 0, 8)}, bytes(8)),
        safetensors_file({"x": entry("F99", [2], 0, 8)}, bytes(8)),
        safetensors_file({"x": entry("F8_E4M3", [8], 0, 8)}, bytes(8)),
        safetensors_file({"x": entry("F32", [2], 0, 8), "y": entry("F32", [2], 4, 12)}, bytes(12)),
        safetensors_file({"__metadata__": {"x": 1}}, b""),
    ],
)
def test_damaged_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=r"weights\.safetensors: expected"):
        load_safetensors(path)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    for read in (load_safetensors, load_safetensors_metadata, load_weights_file):
        with pytest.raises(MissingWeightsError, match="none"):
            read(tmp_path / "none")
        with pytest.raises(FileAccessError, match="regular file"):
            read(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_safetensors(tmp_path / "none")
    assert issubclass(MissingWeightsError, MissingFileError)


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({"x": np.zeros(2, complex)}, None),
        ({"x": np.array(["text"])}, None),
        ({"x": np.zeros(2, object)}, None),
        ({"x": [1.0, 2.0]}, None),
        ({1: np.zeros(2)}, None),
        ({"x": np.zeros(2)}, {"epoch": 1}),
    ],
)
def test_what_cannot_be_saved(tmp_path: Path, tensors: Any, metadata: Any) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(DTypeError):
        save_safetensors(path, tensors, metadata)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


def test_content_decides_the_format_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    save_safetensors(path, {"x": np.ones(2)})
    assert load_weights_file(path)["x"].tolist() == [1, 1]
    torch = pytest.importorskip("torch", reason="writes the file to be read")
    for new in (True, False):
        path = tmp_path / "weights.safetensors"
        torch.save({"x": torch.ones(2)}, path, _use_new_zipfile_serialization=new)
        assert load_weights_file(path)["x"].tolist() == [1, 1]


def test_unknown_formats_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(FileFormatError, match=r"weights\.h5: .*HDF5"):
        load_weights_file(path)
