"""Tiles: the same as the whole picture where they see enough, seams that fade, any size, errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.segmentation import iter_tiled, predict_tiled

rng = np.random.default_rng(0)
RADIUS = 24  # of the receptive field of two halvings, rounded up to a multiple of their strides


@pytest.fixture(scope="module")
def network() -> fc.Model:
    return fc.applications.UNet(None, 3, 4, 2, classifier_activation=None)


def identity(channels: int = 3) -> fc.Model:
    x = fc.Input((None, None, channels))
    return fc.Model(x, fc.layers.Rescaling(1.0)(x))


@pytest.mark.parametrize("blend", ["hann", "linear", "none"])
def test_tiles_that_see_enough_give_what_the_whole_picture_gives(
    network: fc.Model, blend: str
) -> None:
    x = rng.random((96, 132, 3), np.float32)
    whole = network.predict(x[None])[0]
    tiled = predict_tiled(network, x, tile=(64, 80), overlap=8, margin=RADIUS, blend=blend)
    inside = np.s_[RADIUS:-RADIUS, RADIUS:-RADIUS]  # zeros are around the whole, mirrors the tiles
    np.testing.assert_allclose(tiled[inside], whole[inside], atol=5e-6)
    assert np.abs(tiled - whole).max() > 1e-3


def test_without_padding_the_whole_result_is_that_of_the_mirrored_picture() -> None:
    """The paper's way: what is missing around the picture is mirrored."""
    model = fc.applications.UNet(None, 3, 4, 2, padding="valid", classifier_activation=None)
    x = rng.random((52, 100, 3), np.float32)
    mirrored = np.pad(x, ((20, 20), (20, 20), (0, 0)), mode="reflect")
    whole = model.predict(mirrored[None])[0]
    tiled = predict_tiled(model, x, tile=(92, 92), overlap=4)
    assert whole.shape == tiled.shape == (52, 100, 3)
    np.testing.assert_allclose(tiled, whole, atol=5e-6)


@pytest.mark.parametrize(
    "shape", [(1, 1), (5, 3), (31, 32), (32, 33), (33, 57), (100, 17), (64, 1)]
)
@pytest.mark.parametrize("overlap", [0, 5, 16])
def test_weights_add_up_to_one_everywhere(shape: tuple[int, int], overlap: int) -> None:
    x = rng.random((*shape, 3), np.float32)
    for blend in ("hann", "linear", "none"):
        for margin in (None, 0):
            tiled = predict_tiled(identity(), x, 32, overlap, margin=margin, blend=blend)
            np.testing.assert_allclose(tiled, x, atol=1e-6)


def test_neighbours_fade_into_each_other() -> None:
    """Tiles that give their number: from one to the next it grows steadily."""
    seen: list[int] = []

    def number(tile: np.ndarray) -> np.ndarray:
        seen.append(len(seen))
        return np.full(tile.shape, len(seen) - 1, np.float32)

    x = np.zeros((16, 56, 1), np.uint8)
    line = predict_tiled(identity(1), x, 16, 6, preprocess=number)[0, :, 0]
    assert seen == [0, 1, 2, 3, 4]
    assert (np.diff(line) >= 0).all() and (np.diff(line) < 0.3).all()
    np.testing.assert_allclose(line[[0, 9, 16, 19]], [0, 0, 1, 1], atol=1e-6)


def test_classes_rows_and_progress(network: fc.Model) -> None:
    x = rng.integers(0, 256, (70, 50, 3)).astype(np.uint8)
    scores = predict_tiled(network, x, 32, 8)
    told: list[tuple[int, int]] = []
    rows = list(
        iter_tiled(network, x, 32, 8, argmax=True, progress=lambda *state: told.append(state))
    )
    assert [top for top, _ in rows] == [0, 24, 48]
    classes = np.concatenate([part for _, part in rows])
    assert classes.dtype == np.uint8
    np.testing.assert_array_equal(classes, scores.argmax(-1))
    assert told == [(i, 6) for i in range(1, 7)]


def test_a_picture_on_disk_is_read_in_parts(network: fc.Model) -> None:
    class Watched:
        """An array that remembers the most rows that were asked for."""

        shape, ndim, most = (200, 40, 3), 3, 0

        def __getitem__(self, where: slice) -> np.ndarray:
            self.most = max(self.most, where.stop - where.start)
            return np.full((where.stop - where.start, 40, 3), 7, np.uint8)

    watched = Watched()
    assert predict_tiled(network, watched, 32, 8).shape == (200, 40, 3)
    assert watched.most == 32


def test_the_models_own_size_is_the_tile() -> None:
    model = fc.applications.UNet((16, 24, 3), 2, 2, 1)
    assert predict_tiled(model, np.zeros((20, 50, 3))).shape == (20, 50, 2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"overlap": 17}, ConfigError, "at most 16"),
        ({"margin": 16}, ConfigError, "leaves nothing"),
        ({"tile": 0}, ConfigError, "tile"),
        ({"tile": (1, 2, 3)}, ConfigError, "a number or"),
        ({"blend": "gauss"}, ConfigError, "'hann', 'linear', 'none'"),
    ],
)
def test_what_leaves_nothing_is_refused(
    options: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        iter_tiled(identity(), np.zeros((40, 40, 3)), **{"tile": 32, **options})


def test_what_is_no_picture_or_no_such_model_is_refused() -> None:
    for picture in (np.zeros((0, 4, 3)), np.zeros((4, 4)), [[1]]):
        with pytest.raises(ShapeError, match="expected a picture"):
            predict_tiled(identity(), picture, 8)
    classifier = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Flatten(), fc.layers.Dense(2)])
    with pytest.raises(ShapeError, match="scores"):
        predict_tiled(classifier, np.zeros((8, 8, 3)))
    x = fc.Input((8, 8, 3))
    smaller = fc.Model(x, fc.layers.Cropping2D(((0, 1), (0, 1)))(x))
    with pytest.raises(ShapeError, match="as much on both sides"):
        predict_tiled(smaller, np.zeros((8, 8, 3)))


_LARGE = """
import resource, sys, time
import numpy as np, fastcnn as fc

def mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

file, height, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = fc.applications.UNet(None, 11, 8, 4, batch_norm=True, up="bilinear")
picture = np.lib.format.open_memmap(file, "w+", np.uint8, (height, width, 3))
before, start = mib(), time.perf_counter()
classes = fc.segmentation.predict_tiled(
    model, picture, 512, 64, argmax=True, preprocess=lambda tile: tile / np.float32(255)
)
assert classes.shape == (height, width)
print(mib() - before, time.perf_counter() - start)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_picture(tmp_path: Path) -> None:
    """24 million pixels, whose scores alone would be a gigabyte."""
    found = []
    for size in (("1000", "6000"), ("4000", "6000")):
        result = subprocess.run(
            [sys.executable, "-c", _LARGE, str(tmp_path / "picture.npy"), *size],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        mib, seconds = map(float, result.stdout.split())
        print(f"{' x '.join(size)}: {mib:.0f} MiB, {seconds:.1f} s")
        found.append(mib)
    assert found[1] < 700
    assert found[1] - found[0] < 150  # the result is 23 MiB, pages of the file that were read 69
