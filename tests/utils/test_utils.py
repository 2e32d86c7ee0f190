"""Keras' helpers for pictures and classes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, DTypeError, FileFormatError, ShapeError


def test_to_categorical() -> None:
    rows = fc.utils.to_categorical(np.array([[1], [3]]), 5)
    assert rows.shape == (2, 5) and rows.argmax(1).tolist() == [1, 3] and rows.sum() == 2
    assert fc.utils.to_categorical([[0, 1], [2, 1]]).shape == (2, 2, 3)
    assert fc.utils.to_categorical(2.0).tolist() == [0, 0, 1]
    assert fc.utils.to_categorical([], 4).shape == (0, 4)
    for wrong, error in (([-1], ShapeError), ([0.5], DTypeError), (["a"], DTypeError)):
        with pytest.raises(error):
            fc.utils.to_categorical(wrong)
    with pytest.raises(ShapeError, match="from 0 to 1, got 0 to 2"):
        fc.utils.to_categorical([0, 2], 2)


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="reads pictures")
    levels = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.float32)
    path = tmp_path / "x.png"
    fc.utils.save_img(path, levels, scale=False)
    np.testing.assert_array_equal(fc.utils.img_to_array(fc.utils.load_img(path)), levels)
    fc.utils.load_img(BytesIO(path.read_bytes()))
    grey = fc.utils.img_to_array(fc.utils.load_img(path, "grayscale"), dtype=np.uint8)
    assert grey.shape == (6, 8, 1) and grey.dtype == np.uint8
    half = fc.utils.load_img(path, target_size=(3, 3), keep_aspect_ratio=True)
    assert fc.utils.img_to_array(half).shape == (3, 3, 3)
    stretched = np.array(fc.utils.array_to_img(np.linspace(-1, 1, 12).reshape(2, 6, 1)))
    assert stretched.min() == 0 and stretched.max() == 255 and stretched.shape == (2, 6)
    assert not np.array(fc.utils.array_to_img(np.full((2, 2, 3), 7.0))).any()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: fc.utils.load_img("x.png", "cmyk"), ConfigError),
        (lambda: fc.utils.load_img("x.png", interpolation="cubic"), ConfigError),
        (lambda: fc.utils.load_img(BytesIO(b"no")), FileFormatError),
        (lambda: fc.utils.img_to_array(np.zeros(3)), ShapeError),
        (lambda: fc.utils.img_to_array(np.zeros((1, 1)), "channels_first"), ConfigError),
        (lambda: fc.utils.array_to_img(np.zeros((2, 2, 2))), ShapeError),
        (lambda: fc.utils.save_img("x.png", np.zeros((2, 2, 3)), file_format="png"), ConfigError),
    ],
)
def test_wrong_pictures(call: Any, error: type[Exception]) -> None:
    pytest.importorskip("PIL.Image", reason="reads pictures")
    with pytest.raises(error):
        call()
