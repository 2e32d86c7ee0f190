"""resize_image against torch's interpolation, and center_crop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.io import center_crop, resize_image

pytest.importorskip("PIL.Image", reason="resize_image uses Pillow")

PICTURE = np.random.default_rng(0).random((23, 31, 3), np.float32)
SIZES = [(23, 31), (7, 9), (50, 40), (1, 1), (12, 60)]


def interpolate(image: np.ndarray, size: tuple[int, int], **options: Any) -> np.ndarray:
    torch = pytest.importorskip("torch", reason="an independent implementation")
    batch = torch.from_numpy(image).permute(2, 0, 1)[None]
    out = torch.nn.functional.interpolate(batch, size, align_corners=False, **options)
    result: np.ndarray = out[0].permute(1, 2, 0).numpy()
    return result


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("antialias", [True, False])
def test_bilinear(size: tuple[int, int], antialias: bool) -> None:
    expected = interpolate(PICTURE, size, mode="bilinear", antialias=antialias)
    result = resize_image(PICTURE, size, antialias=antialias)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_bicubic(size: tuple[int, int]) -> None:
    expected = interpolate(PICTURE, size, mode="bicubic", antialias=True)
    np.testing.assert_allclose(resize_image(PICTURE, size, "bicubic"), expected, atol=1e-5)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos", "area", "nearest"])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_bytes_are_the_rounded_floats(method: Any, channels: int | None) -> None:
    shape = (23, 31) if channels is None else (23, 31, channels)
    # Away from 0 and 255, where Pillow clips between its two passes
    image = np.random.default_rng(1).integers(64, 192, shape, np.uint8)
    result = resize_image(image, (11, 13), method)
    assert result.dtype == np.uint8 and result.shape == (11, 13, *shape[2:])
    floats = resize_image(image.astype(np.float64), (11, 13), method)
    # Pillow's fixed-point weights, in two passes that each round to a byte
    assert np.abs(result - floats).max() <= 1.5


def test_bytes_without_antialias() -> None:
    image = np.random.default_rng(1).integers(0, 256, (23, 31, 3), np.uint8)
    floats = resize_image(image.astype(np.float32), (40, 8), antialias=False)
    np.testing.assert_array_equal(resize_image(image, (40, 8), antialias=False), np.rint(floats))


def test_nearest_makes_no_new_values() -> None:
    mask = np.random.default_rng(1).integers(0, 12, (23, 31), np.uint8)
    for size in SIZES:
        assert set(resize_image(mask, size, "nearest").ravel()) <= set(mask.ravel())
    np.testing.assert_array_equal(resize_image(mask, (46, 62), "nearest")[::2, ::2], mask)


def test_views_are_taken() -> None:
    view = PICTURE[::2, ::-1]
    view.flags.writeable = False
    expected = resize_image(np.ascontiguousarray(view), (8, 8))
    np.testing.assert_array_equal(resize_image(view, (8, 8)), expected)


def test_refused() -> None:
    for image in (PICTURE[0, 0], PICTURE[None], PICTURE[:0]):
        with pytest.raises(ShapeError):
            resize_image(image, (4, 4))
    for image in (PICTURE.astype(np.int32), [[1.0]]):
        with pytest.raises(DTypeError):
            resize_image(image, (4, 4))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="positive"):
        resize_image(PICTURE, (0, 4))
    with pytest.raises(ConfigError, match="gauss"):
        resize_image(PICTURE, (4, 4), "gauss")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="antialias"):
        resize_image(PICTURE, (4, 4), "bicubic", antialias=False)


def test_center_crop() -> None:
    image = np.arange(6 * 7).reshape(6, 7)
    np.testing.assert_array_equal(center_crop(image, (3, 4)), image[1:4, 1:5])
    np.testing.assert_array_equal(center_crop(PICTURE, (23, 31)), PICTURE)
    assert np.shares_memory(center_crop(PICTURE, (5, 5)), PICTURE)
    for size in ((7, 7), (6, 8)):
        with pytest.raises(ShapeError, match="at least"):
            center_crop(image, size)
    with pytest.raises(ConfigError):
        center_crop(image, (0, 1))
