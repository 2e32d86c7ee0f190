"""load_image and save_image over every kind of picture file."""

from __future__ import annotations

import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn.errors import (
    ConfigError,
    DTypeError,
    FileAccessError,
    FileFormatError,
    MissingFileError,
    ShapeError,
)
from fastcnn.io import image_size, load_image, save_image
from tests.shared_data import shared_path

pillow = pytest.importorskip("PIL.Image", reason="writes the pictures to be read")

LEVELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def encode(picture: Any, format_name: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, format=format_name, **options)
    return file.getvalue()


def test_sources(tmp_path: Path) -> None:
    data = encode(pillow.fromarray(LEVELS))
    path = tmp_path / "picture"
    path.write_bytes(data)
    with open(path, "rb") as file:
        for source in (path, str(path), data, BytesIO(data), file):
            image = load_image(source)
            np.testing.assert_array_equal(image, LEVELS)
            assert image.dtype == np.uint8 and image.flags.writeable and image.flags.c_contiguous
        assert not file.closed


def test_modes() -> None:
    data = encode(pillow.fromarray(LEVELS))
    assert load_image(data, "L").shape == (5, 7, 1)
    assert load_image(data, "RGBA")[..., 3].tolist() == [[255] * 7] * 5
    with pytest.raises(ConfigError, match="CMYK"):
        load_image(data, "CMYK")  # type: ignore[arg-type]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int, tmp_path: Path) -> None:
    upright = LEVELS[..., 0]
    transposed = orientation >= 5
    # Exif: how a viewer must turn the stored picture, written as the inverse of what it does.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = pillow.Exif()
    exif[0x0112] = orientation
    data = encode(pillow.fromarray(np.ascontiguousarray(stored)), exif=exif)
    (tmp_path / "turned.png").write_bytes(data)
    assert image_size(tmp_path / "turned.png") == (5, 7)
    image = load_image(data)
    assert image.shape == (5, 7, 3) and (stored.shape == (7, 5)) == transposed
    np.testing.assert_array_equal(image[..., 0], upright)


def test_sixteen_bits_keep_the_upper_eight() -> None:
    levels = np.array([[0, 255, 256, 0x8000, 0xFFFF]], np.uint16)
    for format_name in ("PNG", "TIFF"):
        image = load_image(encode(pillow.fromarray(levels), format_name))
        assert image[0, :, 1].tolist() == [0, 0, 1, 128, 255]


def test_levels_without_a_known_range() -> None:
    floats = encode(pillow.fromarray(np.ones((2, 2), np.float32)), "TIFF")
    integers = encode(pillow.fromarray(np.full((2, 2), 2**20, np.int32)), "TIFF")
    for data in (floats, integers):
        with pytest.raises(FileFormatError):
            load_image(data)


@pytest.mark.parametrize(
    ("mode", "format_name"),
    [("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "GIF"), ("CMYK", "TIFF"), ("RGBA", "WEBP")],
)
def test_colour_models(mode: str, format_name: str) -> None:
    grey = np.full((4, 6, 3), 255, np.uint8)
    picture = pillow.fromarray(grey).convert(mode)
    options = {"lossless": True} if format_name == "WEBP" else {}
    np.testing.assert_array_equal(load_image(encode(picture, format_name, **options)), grey)


def test_alpha_is_dropped_without_a_warning() -> None:
    red = np.full((2, 2, 4), (255, 0, 0, 0), np.uint8)
    palette = pillow.fromarray(red[..., :3]).quantize(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(encode(pillow.fromarray(red)))[0, 0].tolist() == [255, 0, 0]
        data = encode(palette, transparency=bytes([0, 128, 255, 255]))
        assert load_image(data)[0, 0].tolist() == [255, 0, 0]


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    data = bytearray(encode(pillow.fromarray(LEVELS)))
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=r"bomb\.png"):
        load_image(path)
    with pytest.raises(FileFormatError, match="at most 34 pixels, got 7 x 5"):
        load_image(encode(pillow.fromarray(LEVELS)), max_pixels=34)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP", "TIFF"])
def test_truncated_pictures(tmp_path: Path, format_name: str) -> None:
    data = encode(pillow.fromarray(np.tile(LEVELS, (20, 20, 1))), format_name)
    path = tmp_path / "half.img"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FileFormatError, match=r"half\.img: expected a picture"):
        load_image(path)


def test_sizes_of_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(FileFormatError, match=r"a\.png: expected a picture"):
        image_size(tmp_path / "a.png")
    with pytest.raises(MissingFileError, match="none"):
        image_size(tmp_path / "none.png")


@pytest.mark.parametrize("read", [load_image, image_size])
def test_what_is_no_picture_is_told_without_pillows_objects(read: Any, tmp_path: Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("no picture")
    with pytest.raises(FileFormatError, match=r"text\.jpg: .* begins like none") as caught:
        read(path)
    assert "_io" not in str(caught.value)


def test_formats_that_run_programs_are_not_opened() -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    with pytest.raises(FileFormatError):
        load_image(postscript)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="none"):
        load_image(tmp_path / "none.png")
    with pytest.raises(FileAccessError):
        load_image(tmp_path)
    with pytest.raises(DTypeError):
        load_image(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_saved_pictures_come_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    path = tmp_path / "picture.png"
    save_image(path, image)
    loaded = load_image(path, {1: "L", 3: "RGB", 4: "RGBA"}[1 if image.ndim == 2 else shape[2]])  # type: ignore[arg-type]
    np.testing.assert_array_equal(loaded.reshape(shape), image)
    save_image(path, image[::-1, ::-1])  # any strides


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    good = np.zeros((4, 4, 4), np.uint8)
    path = tmp_path / "picture.png"
    not_pictures: list[Any] = [good.astype(np.float32), [[1]]]
    for image in not_pictures:
        with pytest.raises(DTypeError):
            save_image(path, image)
    for image in (good[..., :2], good[0, 0], good[:0]):
        with pytest.raises(ShapeError):
            save_image(path, image)
    for name in ("picture", "picture.eps", "picture.jpg"):  # JPEG has no alpha
        with pytest.raises(ConfigError, match=name):
            save_image(tmp_path / name, good)
    assert list(tmp_path.iterdir()) == []


def test_real_pictures() -> None:
    for path in sorted(shared_path("data", "imagenet_samples").glob("*.jpg"))[:5]:
        image = load_image(path)
        assert image.ndim == 3 and image.shape[2] == 3 and image.std() > 10
