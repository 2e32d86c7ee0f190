"""The form of ImageNet's pictures and the names of its classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastcnn.applications.imagenet import (
    decode_predictions,
    imagenet_classes,
    load_and_preprocess,
    preprocess_input,
    top_predictions,
)
from fastcnn.errors import ConfigError, DTypeError, FileFormatError, ShapeError
from fastcnn.io import load_image, save_image
from tests.shared_data import shared_path


def test_classes_are_complete_and_in_order() -> None:
    classes = imagenet_classes()
    ids = [wnid for wnid, _ in classes]
    # ImageNet's classes are numbered in the order of their ids.
    assert len(ids) == 1000 and ids == sorted(set(ids))
    assert all(name and name == name.strip() for _, name in classes)
    known = {0: "tench", 134: "crane", 281: "tabby", 517: "crane", 999: "toilet tissue"}
    assert {index: classes[index][1] for index in known} == known


def test_decode_predictions() -> None:
    scores = np.zeros((2, 1000), np.float32)
    scores[0, [7, 3, 5]] = 0.5, 0.25, 0.125
    best, tied = decode_predictions(scores, top=4)
    assert [wnid for wnid, _, _ in best] == [imagenet_classes()[i][0] for i in (7, 3, 5, 0)]
    assert [score for _, _, score in best] == [0.5, 0.25, 0.125, 0.0]
    assert [name for _, name, _ in tied] == [imagenet_classes()[i][1] for i in range(4)]
    assert all(type(score) is float for _, _, score in best)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float64"])
def test_decode_predictions_of_any_dtype(dtype: str) -> None:
    scores = np.arange(1000).clip(0, 255).astype(dtype)[None]
    assert decode_predictions(scores, top=1)[0][0][2] == 255


def test_top_predictions_tell_the_index() -> None:
    scores = np.zeros((1, 1000), np.float32)
    scores[0, [7, 3]] = 0.5, 0.25
    best, second = top_predictions(scores, top=2)[0]
    assert (best.index, second.index) == (7, 3) and type(best.index) is int
    assert (best.wnid, best.label, best.probability) == (*imagenet_classes()[7], 0.5)


def test_nan_is_never_the_best() -> None:
    scores = np.full((1, 1000), np.nan)
    scores[0, 9] = -1
    assert decode_predictions(scores, top=1)[0][0][0] == imagenet_classes()[9][0]


def test_decode_predictions_refuses() -> None:
    for shape in ((1000,), (1, 999), (1, 1, 1000)):
        with pytest.raises(ShapeError, match=r"\(N, 1000\)"):
            decode_predictions(np.zeros(shape))
    for top in (0, 1001):
        with pytest.raises(ConfigError):
            decode_predictions(np.zeros((1, 1000)), top=top)
    assert decode_predictions(np.zeros((0, 1000))) == []


def test_preprocess_input() -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.float64)
    before = x.copy()
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = {
        "caffe": x[..., ::-1] - [103.939, 116.779, 123.68],
        "tf": x / 127.5 - 1,
        "torch": (x / 255 - mean) / deviation,
        "lite": (x - 127) / 128,
    }
    for mode, values in expected.items():
        for levels in (x, x.astype(np.float32), x.astype(np.uint8)):
            result = preprocess_input(levels, mode)  # type: ignore[arg-type]
            assert result.dtype == np.float32 and result.flags.c_contiguous
            np.testing.assert_allclose(result, values, atol=2e-5)
    np.testing.assert_array_equal(x, before)


def test_preprocess_input_refuses() -> None:
    for shape in ((), (4, 4), (4, 4, 4)):
        with pytest.raises(ShapeError):
            preprocess_input(np.zeros(shape))
    for dtype in (complex, bool, object):
        with pytest.raises(DTypeError):
            preprocess_input(np.zeros((1, 3), dtype))
    with pytest.raises(ConfigError, match="keras"):
        preprocess_input(np.zeros((1, 3)), "keras")  # type: ignore[arg-type]


def write_picture(folder: Path, height: int, width: int) -> Path:
    pytest.importorskip("PIL.Image", reason="writes the picture to be read")
    rows, columns = np.mgrid[:height, :width]
    red, green = rows * 255 // max(height - 1, 1), columns * 255 // max(width - 1, 1)
    path = folder / f"{height}x{width}.png"
    save_image(path, np.stack([red, green, np.zeros_like(red)], -1).astype(np.uint8))
    return path


def test_load_and_preprocess_takes_the_middle(tmp_path: Path) -> None:
    wide, tall = write_picture(tmp_path, 100, 200), write_picture(tmp_path, 200, 100)
    batch = load_and_preprocess([wide, tall.read_bytes()], size=40, shorter_side=50, mode="lite")
    assert batch.shape == (2, 40, 40, 3) and batch.dtype == np.float32
    levels = batch * 128 + 127
    # Of 100 rows the middle 80; of 200 columns the middle 80.
    for picture, long_axis in ((levels[0], 1), (levels[1], 0)):
        for axis in (0, 1):
            ramp = picture[..., axis].mean(axis=1 - axis)
            low, high = (0.3, 0.7) if axis == long_axis else (0.1, 0.9)
            np.testing.assert_allclose(ramp[[0, -1]] / 255, [low, high], atol=0.02)


def test_load_and_preprocess_one_picture(tmp_path: Path) -> None:
    assert load_and_preprocess(write_picture(tmp_path, 7, 9)).shape == (1, 224, 224, 3)


def test_a_strip_takes_no_memory_to_speak_of(tmp_path: Path) -> None:
    """Resized as a whole, 1 x 60,000 pixels would take 12 GB."""
    strip = write_picture(tmp_path, 1, 60_000)
    green = load_and_preprocess(strip, size=8, shorter_side=256, mode="lite")[0, ..., 1] * 128 + 127
    np.testing.assert_allclose(green, 127, atol=1)


def test_load_and_preprocess_refuses(tmp_path: Path) -> None:
    path = write_picture(tmp_path, 8, 8)
    for size in (0, 257):
        with pytest.raises(ConfigError):
            load_and_preprocess(path, size=size)
    with pytest.raises(ShapeError):
        load_and_preprocess([])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(FileFormatError, match=path.name):
        load_and_preprocess(path)


def test_names_agree_with_real_pictures() -> None:
    names = dict(imagenet_classes())
    pictures = sorted(shared_path("data", "imagenet_samples").glob("*.jpg"))
    for path in pictures:
        wnid, _, name = path.stem.partition("_")
        assert names[wnid].lower() == name.replace("_", " ").lower()
    assert load_image(pictures[0]).shape[2] == 3
