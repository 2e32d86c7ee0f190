"""Pictures changed at random with their boxes, and batches of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.detection import (
    Augmentation,
    DetectionDataset,
    Example,
    Examples,
    Head,
    TargetEncoder,
)
from fastcnn.errors import ConfigError, FileFormatError

pytest.importorskip("PIL.Image")

SIZE = (64, 80)


def picture_with(box: tuple[int, int, int, int], size: tuple[int, int] = (60, 90)) -> np.ndarray:
    """Red where a box is, blue elsewhere."""
    picture = np.zeros((*size, 3), np.uint8)
    picture[..., 2] = 200
    x1, y1, x2, y2 = box
    picture[y1:y2, x1:x2] = (200, 0, 0)
    return picture


def bounds_of_red(picture: np.ndarray) -> list[float]:
    red = (picture[..., 0].astype(int) > 100) & (picture[..., 2].astype(int) < 100)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize("scale", [(0.5, 0.8), (1.2, 2.0)])
@pytest.mark.parametrize("flip", [None, "horizontal", "vertical", "horizontal_and_vertical"])
def test_boxes_stay_around_what_they_are_around(flip: str | None, scale: Any) -> None:
    box = (20, 15, 45, 40)
    augment = Augmentation(flip=flip, scale=scale, stretch=1.3, hue=0, saturation=1, value=1)
    seen, lefts = 0, set()
    for seed in range(25):
        random = np.random.default_rng(seed)
        picture, boxes, visible = augment(picture_with(box), np.array([box], float), SIZE, random)
        assert picture.shape == (*SIZE, 3) and 0 <= visible[0] <= 1
        if visible[0] < 0.2:
            continue
        seen += 1
        np.testing.assert_allclose(boxes[0], bounds_of_red(picture), atol=1.01)
        lefts.add(boxes[0, 0])
    assert seen > 8 and len(lefts) > 5


@pytest.mark.parametrize(
    ("flip", "ways"),
    [(None, 1), ("horizontal", 2), ("vertical", 2), ("horizontal_and_vertical", 4)],
)
def test_mirrors(flip: str | None, ways: int) -> None:
    augment = Augmentation(flip, scale=(1, 1), stretch=1, hue=0, saturation=1, value=1)
    box = np.array([(20, 5, 45, 40)], float)
    found = {
        tuple(augment(picture_with((20, 5, 45, 40)), box, (60, 90), random)[1][0])
        for random in map(np.random.default_rng, range(20))
    }
    every = {(20, 5, 45, 40), (45, 5, 70, 40), (20, 20, 45, 55), (45, 20, 70, 55)}
    assert len(found) == ways and found <= every


def test_colours_change_within_bounds() -> None:
    picture = picture_with((20, 15, 45, 40))
    grey = np.full((8, 8, 3), 100, np.uint8)
    none = np.zeros((0, 4))
    for seed in range(10):
        augment = Augmentation(scale=(1, 1), stretch=1, hue=0.1, saturation=2.0, value=1.0)
        changed, _, _ = augment(grey, none, (8, 8), np.random.default_rng(seed))
        assert np.abs(changed.astype(int) - 100).max() <= 1  # has no hue, and no saturation
        augment = Augmentation(flip=None, scale=(1, 1), stretch=1, value=1.5, hue=0, saturation=1)
        changed, _, _ = augment(grey, none, (8, 8), np.random.default_rng(seed))
        assert 100 / 1.5 - 1 <= changed.min() == changed.max() <= 151
    same = Augmentation(flip=None, scale=(1, 1), stretch=1, hue=0, saturation=1, value=1)
    changed, _, visible = same(picture, none, picture.shape[:2], np.random.default_rng(0))
    np.testing.assert_array_equal(changed, picture)
    assert visible.shape == (0,)


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    made = []
    for number, box in enumerate([(20, 15, 45, 40), (0, 0, 30, 30), (50, 20, 90, 60)]):
        path = str(tmp_path / f"{number}.png")
        fc.io.save_image(path, picture_with(box))
        boxes = [box, (1, 1, 9, 9)]
        made.append(Example(path, boxes, [number % 2, 1], difficult=[False, True]))
    return Examples(made, ["a", "b"])


def encoder(**options: Any) -> TargetEncoder:
    return TargetEncoder([Head(2, [(20, 20)])], [(4, 5)], SIZE, max_boxes=3, **options)


def test_batches(examples: Examples) -> None:
    dataset = DetectionDataset(examples, encoder(), batch_size=2, preprocess=np.asarray)
    (first, targets), (last, _) = dataset
    for scaled, _ in DetectionDataset(examples, encoder(), batch_size=2).take(1):
        np.testing.assert_allclose(scaled, first / 255, atol=1e-6)
    assert len(dataset) == 2 and first.shape == (2, *SIZE, 3) and last.shape == (1, *SIZE, 3)
    assert first.dtype == np.float32 and first.max() > 100
    # 90 x 60 fits as 80 x 53, with 5 rows of grey above.
    np.testing.assert_allclose(targets[0, 0, :4], [17.8, 18.3, 40, 40.3], atol=0.1)
    np.testing.assert_allclose(targets[0, 0, :4], bounds_of_red(first[0]), atol=1)
    assert (first[0, :5] == 128).all() and (first[0, 6] != 128).all()
    assert targets[0, :, 5].tolist() == [6, -1, -1] and targets[0, 1, 2] > 0  # difficult


def test_the_same_for_any_number_of_threads_and_after_going_on(examples: Examples) -> None:
    def batches(workers: int, epoch: int, cached: bool = False) -> list[Any]:
        dataset = DetectionDataset(
            examples, encoder(), 2, Augmentation(), shuffle=True, seed=5, workers=workers
        )
        dataset = dataset.cache() if cached else dataset
        if cached:
            list(dataset)
        dataset.set_epoch(epoch)
        return [part for batch in dataset for part in batch]

    reference = batches(0, 3)
    for other in (batches(3, 3), batches(2, 3, cached=True)):
        for a, b in zip(reference, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(reference[0], batches(0, 4)[0])


def test_damaged_pictures(examples: Examples, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"not a picture")
    dataset = DetectionDataset(examples, encoder(), batch_size=2)
    with pytest.raises(FileFormatError, match=r"1\.png"):
        list(dataset)
    with pytest.warns(UserWarning, match=r"left out 1 of 3 pictures(.|\n)*1\.png"):
        dataset = DetectionDataset(examples, encoder(), batch_size=2, on_error="skip")
    assert [x.shape[0] for x, _ in dataset] == [2]


def test_wrong_arguments(examples: Examples) -> None:
    with pytest.raises(ConfigError, match="2 classes"):
        DetectionDataset(Examples(list(examples), ["a"]), encoder())
    with pytest.raises(ConfigError, match="at least one"):
        DetectionDataset(Examples([], ["a", "b"]), encoder())
    for options in ({"scale": (2, 1)}, {"flip": "up"}, {"hue": 1}, {"stretch": 0.5}):
        with pytest.raises(ConfigError, match="Augmentation"):
            Augmentation(**options)  # type: ignore[arg-type]
