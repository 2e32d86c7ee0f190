"""Every reader, given damaged files, returns arrays or raises one of our errors."""

from __future__ import annotations

from collections import OrderedDict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from fastcnn.io import load_image, load_safetensors, load_torch, load_weights_file
from tests.io.mutations import check, damaged, fuzzed
from tests.io.safetensors_writer import entry, safetensors_file


def torch_files(*, legacy: bool) -> list[bytes]:
    torch = pytest.importorskip("torch", reason="writes the files to be damaged")
    base = torch.arange(60.0).reshape(3, 4, 5)
    checkpoint = {
        "epoch": 3,
        "state_dict": OrderedDict(
            a=base, b=base[1].t(), c=torch.ones(3).bfloat16(), d=torch.tensor([True, False])
        ),
    }
    file = BytesIO()
    torch.save(checkpoint, file, _use_new_zipfile_serialization=not legacy)
    return [file.getvalue()]


def safetensors_files() -> list[bytes]:
    library = pytest.importorskip("safetensors.numpy", reason="writes the files to be damaged")
    tensors = {"a": np.arange(12.0).reshape(3, 4), "b/bias": np.ones(3, np.float16)}
    data: bytes = library.save(tensors, {"kind": "test"})
    header = {"a": entry("F32", [1], 0, 4), "b": entry("BF16", [2, 3], 4, 16)}
    return [data, safetensors_file(header, bytes(range(16)))]


def pictures() -> list[bytes]:
    pillow = pytest.importorskip("PIL.Image", reason="writes the files to be damaged")
    levels = np.random.default_rng(0).integers(0, 256, (17, 23, 3), np.uint8)
    picture = pillow.fromarray(levels)
    exif = pillow.Exif()
    exif[0x0112] = 6
    files = []
    for name, mode, options in [
        ("PNG", "RGB", {}),
        ("PNG", "P", {"transparency": 0}),
        ("PNG", "I;16", {}),
        ("JPEG", "RGB", {"exif": exif}),
        ("JPEG", "CMYK", {"progressive": True}),
        ("BMP", "RGB", {}),
        ("GIF", "P", {}),
        ("PPM", "L", {}),
        ("WEBP", "RGBA", {}),
        ("TIFF", "RGB", {"exif": exif}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ]:
        file = BytesIO()
        source = pillow.fromarray(levels[..., 0].astype("u2")) if mode == "I;16" else picture
        converted = source if mode == "I;16" else source.convert(mode)
        converted.save(file, format=name, **options)
        files.append(file.getvalue())
    return files


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_torch(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "weights.pth"

    @fuzzed()
    @given(damaged(torch_files(legacy=legacy)))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: load_torch(path))

    run()


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"

    @fuzzed()
    @given(damaged(safetensors_files()))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: load_safetensors(path))

    run()


def test_unknown_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    heads = [b"", b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", b"{"]

    @fuzzed()
    @given(st.sampled_from(heads), st.binary(max_size=200))
    def run(head: bytes, tail: bytes) -> None:
        path.write_bytes(head + tail)
        check(lambda: load_weights_file(path))

    run()


def test_images() -> None:
    @fuzzed()
    @given(damaged(pictures()), st.sampled_from(["RGB", "L", "RGBA"]))
    def run(data: bytes, mode: str) -> None:
        check(lambda: load_image(data, mode))  # type: ignore[arg-type]

    run()
