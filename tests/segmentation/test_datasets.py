"""Pictures and masks: the same change for both, the same for any threads, messages with names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, FileFormatError, MissingFileError
from fastcnn.io import save_image, save_mask
from fastcnn.segmentation import mask_dataset_from_directories

pytest.importorskip("PIL.Image", reason="reads pictures")

H, W, COUNT, VOID = 20, 28, 7, 255


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Pictures whose red level is 10 times the class, so that a mask can be told from a picture."""
    rng = np.random.default_rng(0)
    images, masks = tmp_path / "images", tmp_path / "masks"
    (images / "b").mkdir(parents=True)
    (masks / "b").mkdir(parents=True)
    for i in range(COUNT):
        mask = rng.integers(0, 5, (H // 4, W // 4)).repeat(4, 0).repeat(4, 1)
        name = f"{'b/' if i > 4 else ''}{i}.png"
        picture = np.full((H, W, 3), i, np.uint8)
        picture[..., 0] = 10 * mask
        save_image(images / name, picture)
        save_mask(masks / name, mask)
    return images, masks


def read(folders: tuple[Path, Path], **options: Any) -> fc.segmentation.MaskDataset:
    return mask_dataset_from_directories(*folders, 5, **{"seed": 3, **options})


def test_pairs(folders: tuple[Path, Path]) -> None:
    data = read(folders, batch_size=3, shuffle=False)
    assert len(data) == 3
    batches = list(data)
    assert [len(x) for x, _ in batches] == [3, 3, 1]
    for x, y in batches:
        assert (x.dtype, y.dtype) == (np.float32, np.uint8)
        np.testing.assert_array_equal(x[..., 0], 10 * y)
    assert [x[0, 0, 0, 1] for x, _ in batches] == [0, 3, 6]
    masks = list(data.masks())
    np.testing.assert_array_equal(masks[4], batches[1][1][1])


def test_what_is_random_is_so_for_both(folders: tuple[Path, Path]) -> None:
    """Of nearest pixels the classes still fit; nothing but the picture or void is seen."""
    data = read(
        folders, flip=True, scale=(0.6, 1.9), crop=(24, 24), batch_size=COUNT, ignore_class=VOID
    )
    (x, y), (_, y2) = next(iter(data)), next(iter(data))
    assert x.shape == (COUNT, 24, 24, 3) and y.shape == (COUNT, 24, 24)
    assert not np.array_equal(y, y2)  # another epoch
    assert set(np.unique(y)) <= {0, 1, 2, 3, 4, VOID} and (y == VOID).any()
    # Bilinear pixels agree with the mask away from the edges of its blocks.
    known = y != VOID
    assert np.mean(np.abs(x[..., 0] - 10.0 * y)[known] < 5) > 0.75
    flipped = [np.array_equal(a, b) for a, b in zip(y, y2, strict=True)]
    assert not any(flipped)


def test_flips_only(folders: tuple[Path, Path]) -> None:
    plain = {x[0, 0, 0, 1]: y[0] for x, y in read(folders, batch_size=1, shuffle=False)}
    turned = 0
    for x, y in read(folders, batch_size=1, flip=True):
        np.testing.assert_array_equal(x[..., 0], 10 * y)
        original = plain[x[0, 0, 0, 1]]
        assert np.array_equal(y[0], original) or np.array_equal(y[0], original[:, ::-1])
        turned += not np.array_equal(y[0], original)
    assert 0 < turned < COUNT


@pytest.mark.parametrize("cached", [False, True])
def test_neither_threads_nor_caching_change_anything(
    folders: tuple[Path, Path], cached: bool
) -> None:
    options = {"flip": True, "scale": (0.5, 2.0), "crop": (16, 16), "ignore_class": VOID}
    wanted = read(folders, workers=0, batch_size=2, **options)
    data = read(folders, workers=3, batch_size=2, **options)
    data = data.cache() if cached else data
    for _ in range(2):
        for (x, y), (x2, y2) in zip(wanted, data, strict=True):
            np.testing.assert_array_equal(x, x2)
            np.testing.assert_array_equal(y, y2)


def test_padding_is_mirrored_and_void(folders: tuple[Path, Path]) -> None:
    x, y = next(iter(read(folders, pad_to_multiple=16, ignore_class=VOID, shuffle=False)))
    assert y.shape == (COUNT, 32, 32)
    assert (y[:, H:] == VOID).all() and (y[:, :, W:] == VOID).all() and (y[:, :H, :W] < 5).all()
    np.testing.assert_array_equal(x[:, H:], x[:, :H][:, : -(32 - H) - 1 : -1])


def test_sizes(folders: tuple[Path, Path]) -> None:
    x, y = next(iter(read(folders, image_size=(40, 14))))
    assert x.shape == (COUNT, 40, 14, 3) and y.max() <= 4
    save_image(folders[0] / "0.png", np.zeros((10, 10, 3), np.uint8))
    save_mask(folders[1] / "0.png", np.zeros((10, 10), int))
    with pytest.raises(ConfigError, match=r"1\.png: is of 20 x 28 pixels, but .*0\.png"):
        list(read(folders, shuffle=False))
    with pytest.raises(ConfigError, match=r"0\.png: .* smaller than the crop .* ignore_class"):
        list(read(folders, crop=(16, 16)))


def test_messages_name_the_files(folders: tuple[Path, Path]) -> None:
    masks = folders[1]
    save_mask(masks / "2.png", np.full((H, W), 9))
    with pytest.raises(FileFormatError, match=r"2\.png: .*from 0 to 4; got 9 in 560 pixels"):
        list(read(folders))
    assert len(list(read(folders, ignore_class=9))) == 1
    save_mask(masks / "2.png", np.zeros((H, W - 1), int))
    with pytest.raises(FileFormatError, match=r"masks/2\.png: a mask of 20 x 27 .*images/2\.png"):
        list(read(folders))
    save_image(masks / "2.png", np.zeros((H, W, 3), np.uint8))
    with pytest.raises(FileFormatError, match=r"2\.png: expected a mask with a palette .* RGB"):
        list(read(folders))
    (masks / "2.png").unlink()
    with pytest.raises(MissingFileError, match=r"no mask for .*images/2\.png"):
        read(folders)
    save_image(masks / "2.bmp", np.zeros((H, W), np.uint8))
    save_mask(masks / "2.png", np.zeros((H, W), int))
    with pytest.raises(ConfigError, match=r"2\.png: .*2\.bmp is a mask of the same"):
        read(folders)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (2, 1)}, "least <= largest"),
        ({"crop": 16}, r"crop: expected \(height, width\)"),
        ({"pad_to_multiple": 16}, "needs an ignore_class"),
        ({"ignore_class": 256}, "0 to 255"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_what_has_no_meaning_is_refused(
    folders: tuple[Path, Path], options: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read(folders, **options)
