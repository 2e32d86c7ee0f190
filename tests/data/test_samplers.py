"""Batches of P classes with K samples each, and data sets that take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.data import ArrayDataset, HDF5Dataset, PKSampler
from fastcnn.errors import ConfigError, DTypeError, ShapeError

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(7), [20, 3, 5, 1, 9, 30, 2]))


def test_batches_have_p_classes_with_k_samples() -> None:
    sampler = PKSampler(LABELS, p=4, k=3, seed=1)
    assert len(sampler) == -(-69 // 12)
    for epoch in range(20):
        batches = list(sampler.indices(epoch))
        assert len(batches) == len(sampler)
        for batch in batches:
            found, counts = np.unique(LABELS[batch], return_counts=True)
            assert len(found) == 4 and (counts == 3).all() and 3 not in found
            large = [i for i in batch if LABELS[i] != 6]
            assert len(set(large)) == len(large)  # only the class of two repeats one


def test_classes_and_samples_take_turns() -> None:
    sampler = PKSampler(LABELS, p=4, k=3, batches=60, seed=2)
    seen = np.bincount(np.concatenate(list(sampler.indices(0))), minlength=len(LABELS))
    by_class = np.bincount(LABELS, seen)
    assert by_class[3] == 0 and set(by_class[[0, 1, 2, 4, 5, 6]]) == {120.0}  # 60 * 12 / 6
    for label in (0, 1, 2, 4, 5, 6):
        inside = seen[np.equal(LABELS, label)]
        assert inside.max() - inside.min() <= (2 if label == 6 else 1)


def test_batches_are_a_function_of_seed_and_epoch() -> None:
    def batches(seed: int, epoch: int) -> list[list[int]]:
        return [b.tolist() for b in PKSampler(LABELS, 3, 2, seed=seed).indices(epoch)]

    assert batches(1, 0) == batches(1, 0)
    assert batches(1, 0) != batches(1, 1) and batches(1, 0) != batches(2, 0)


def test_labels_may_be_texts() -> None:
    batch = next(PKSampler(list("aabbcc"), p=2, k=2, seed=0).indices(0))
    assert len(batch) == 4


def test_data_sets_take_a_sampler(tmp_path: Path) -> None:
    sampler = PKSampler(LABELS, p=3, k=2, batches=5, seed=0)
    wanted = [LABELS[b].tolist() for b in sampler.indices(0)]
    x = np.arange(len(LABELS))
    plain = ArrayDataset(x, LABELS, batch_size=8)
    chosen = plain.with_sampler(sampler)
    assert len(chosen) == 5 and [y.tolist() for _, y in chosen] == wanted
    assert len(plain) == 9 and [len(y) for _, y in plain] == [8] * 8 + [6]
    assert len(chosen.with_sampler(None)) == 9
    assert [y.tolist() for _, y in chosen] != wanted  # the next epoch
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"], file["y"] = x, LABELS
    stored = HDF5Dataset(tmp_path / "data.h5", "x", "y").with_sampler(
        PKSampler(LABELS, p=6, k=4, seed=0)  # repeats samples of the small classes
    )
    for x_batch, y_batch in stored:
        np.testing.assert_array_equal(LABELS[x_batch], y_batch)


@pytest.mark.parametrize("workers", [0, 2])
def test_folders_take_a_sampler(tmp_path: Path, workers: int) -> None:
    pytest.importorskip("PIL.Image")
    for name in range(3):
        (tmp_path / str(name)).mkdir()
        for i in range(4):
            picture = np.full((4, 4, 3), 50 * name + i, np.uint8)
            fc.io.save_image(tmp_path / str(name) / f"{i}.png", picture)
    dataset = fc.data.image_dataset_from_directory(
        tmp_path, image_size=(4, 4), batch_size=5, seed=0, verbose=False, workers=workers
    )
    sampler = PKSampler(dataset.labels, p=2, k=3, batches=4, seed=0)
    chosen = dataset.with_sampler(sampler).cache()
    assert len(chosen) == 4 and len(dataset) == 3
    for _ in range(2):
        for images, labels in chosen:
            assert images.shape == (6, 4, 4, 3) and len(set(labels.tolist())) == 2
            np.testing.assert_array_equal(images[:, 0, 0, 0] // 50, labels)
    assert [len(y) for _, y in dataset] == [5, 5, 2]


def test_mistakes_are_told() -> None:
    for labels, p, k, error in [
        ([[1, 2]], 2, 2, ShapeError), ([0, 1, 2], 2, 2, ConfigError), ([], 2, 2, ConfigError),
        ([0, 0, 1, 1], 3, 2, ConfigError), ([0, 0, 1, 1], 1, 2, ConfigError),
        ([0, 0, 1, 1], 2, 1, ConfigError),
    ]:  # fmt: skip
        with pytest.raises(error, match="PKSampler"):
            PKSampler(labels, p, k)
    with pytest.raises(DTypeError, match="sampler"):
        ArrayDataset(np.arange(3)).with_sampler(3)  # type: ignore[arg-type]
