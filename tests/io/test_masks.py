"""Masks as files: numbers stay numbers, whatever they look like."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from fastcnn.errors import ConfigError, DTypeError, FileFormatError, ShapeError
from fastcnn.io import load_image, load_mask, save_mask
from fastcnn.visualize import palette

Image = pytest.importorskip("PIL.Image", reason="reads and writes masks")

rng = np.random.default_rng(0)
MASK = rng.integers(0, 12, (9, 13)).astype(np.uint8)


def encoded(image, **options) -> bytes:
    file = BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_numbers_and_colours(tmp_path: Path, dtype: type) -> None:
    mask = MASK.astype(dtype)
    save_mask(tmp_path / "a.png", mask, palette("camvid"))
    np.testing.assert_array_equal(load_mask(tmp_path / "a.png"), mask)
    colours = palette("camvid")[mask.astype(int)]
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), colours)


def test_the_palette_is_vocs_unless_given(tmp_path: Path) -> None:
    save_mask(tmp_path / "a.png", np.full((1, 1), 255))
    assert load_image(tmp_path / "a.png").tolist() == [[[224, 224, 192]]]
    assert palette("voc")[15].tolist() == [192, 128, 128]  # person, of the development kit
    assert len({tuple(c) for c in palette("voc").tolist()}) == 256


def test_forms_of_grey() -> None:
    for image in (Image.fromarray(MASK), Image.fromarray(MASK.astype(np.uint16))):
        np.testing.assert_array_equal(load_mask(encoded(image)), MASK)
    bits = Image.fromarray(MASK > 5)
    np.testing.assert_array_equal(load_mask(encoded(bits)), MASK > 5)
    with pytest.raises(FileFormatError, match="up to 255, got 0 to 300"):
        load_mask(encoded(Image.fromarray(np.array([[0, 300]], np.uint16))))


def test_a_palette_with_transparency_is_numbers_too() -> None:
    image = Image.fromarray(MASK)
    image.putpalette(palette("voc").tobytes())
    np.testing.assert_array_equal(load_mask(encoded(image, transparency=3)), MASK)


def test_masks_in_colour() -> None:
    colours = palette("camvid")
    picture = Image.fromarray(colours[MASK])
    np.testing.assert_array_equal(load_mask(encoded(picture), colours), MASK)
    with pytest.raises(FileFormatError, match="of mode RGB; for one in colour"):
        load_mask(encoded(picture))
    strange = colours[MASK]
    strange[0, 0] = (1, 2, 3)
    with pytest.raises(FileFormatError, match=r"got \(1, 2, 3\) in 1 of 117 pixels"):
        load_mask(encoded(Image.fromarray(strange)), colours)


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(DTypeError, match="float"):
        save_mask(path, MASK.astype(float))
    with pytest.raises(ShapeError, match="shape"):
        save_mask(path, MASK[None])
    with pytest.raises(ConfigError, match="from 0 to 255"):
        save_mask(path, MASK.astype(int) - 1)
    with pytest.raises(ConfigError, match=r"\.png"):
        save_mask(tmp_path / "a.jpg", MASK)
    for colours in ([[0, 0]], [[0, 0, 256]], [[0.5, 0, 0]], np.zeros((257, 3), int)):
        with pytest.raises(ConfigError, match="palette"):
            save_mask(path, MASK, colours)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileFormatError, match="expected a picture"):
        load_mask(encoded(Image.fromarray(MASK))[:60])
    with pytest.raises(FileFormatError, match="at most 100 pixels"):
        load_mask(encoded(Image.fromarray(MASK)), max_pixels=100)
