"""Data sets of arrays, files and generators, and what is made of them."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.data import ArrayDataset, Dataset, HDF5Dataset, from_generator
from fastcnn.errors import (
    ConfigError,
    DTypeError,
    FastcnnError,
    FileAccessError,
    FileFormatError,
    MissingFileError,
    ShapeError,
)

X = np.arange(20.0, dtype=np.float32).reshape(10, 2)
Y = np.arange(10)


def numbers(n: int) -> Dataset:
    return from_generator(lambda: iter(range(n)), n)


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("fastcnn-data")]


def test_arrays_in_order() -> None:
    dataset = ArrayDataset(X, Y, batch_size=4)
    assert len(dataset) == 3
    for _ in range(2):
        batches = list(dataset)
        np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), X)
        assert [len(y) for _, y in batches] == [4, 4, 2]
    x, y = next(iter(dataset))
    assert np.shares_memory(x, X) and y.dtype == Y.dtype
    assert len(ArrayDataset(X, Y, batch_size=4, drop_remainder=True)) == 2
    assert len(list(ArrayDataset(X, Y, batch_size=4, drop_remainder=True))) == 2


def test_shuffled_orders_are_functions_of_seed_and_epoch() -> None:
    def orders(dataset: Dataset, epochs: int) -> list[list[int]]:
        return [np.concatenate([y for _, y in dataset]).tolist() for _ in range(epochs)]

    dataset = ArrayDataset(X, Y, batch_size=3, shuffle=True, seed=5)
    first = orders(dataset, 3)
    assert len({tuple(order) for order in first}) == 3
    assert all(sorted(order) == Y.tolist() for order in first)
    for x, y in dataset:
        np.testing.assert_array_equal(x, X[y])
    again = ArrayDataset(X, Y, batch_size=3, shuffle=True, seed=5)
    again.set_epoch(1)
    assert orders(again, 2) == first[1:]
    assert orders(ArrayDataset(X, Y, batch_size=3, shuffle=True, seed=6), 3) != first
    # Known values: an order must not change between versions or machines.
    assert first[0] == [3, 6, 9, 7, 5, 0, 1, 4, 2, 8]


def test_seed_of_the_process() -> None:
    def order() -> list[int]:
        return np.concatenate(list(ArrayDataset(Y, shuffle=True))).tolist()

    fc.set_random_seed(3)
    first, second = order(), order()
    assert first != second
    fc.set_random_seed(3)
    assert [order(), order()] == [first, second]


def test_structures() -> None:
    dataset = ArrayDataset({"a": X, "b": X[:, :1]}, (Y, Y), np.ones(10), batch_size=8)
    inputs, targets, weights = list(dataset)[1]
    assert inputs["a"].shape == (2, 2) and inputs["b"].shape == (2, 1)
    assert targets[1].tolist() == [8, 9] and weights.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X, Y[:9]), ShapeError, r"\(10, 2\), \(9,\)"),
        ((1.0,), ShapeError, "first axis"),
        ((X, None, Y), ConfigError, "sample_weight"),
        ((np.array(["a"]),), DTypeError, "real numbers"),
        ((X, Y, None, 0), ConfigError, "batch_size"),
        ((X, Y, None, 4, True, -1), ConfigError, "seed"),
    ],
)
def test_wrong_arrays(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ArrayDataset(*arguments)


def test_take_skip_map_batch_unbatch() -> None:
    dataset = numbers(10)
    assert list(dataset.take(3)) == [0, 1, 2] and len(dataset.take(30)) == 10
    assert list(dataset.skip(8)) == [8, 9] and len(dataset.skip(8).take(1)) == 1
    assert list(dataset.take(0)) == list(dataset.skip(-1)) == [] and len(dataset.skip(-1)) == 0
    assert list(dataset.take(-1)) == list(range(10))
    assert list(dataset.map(lambda n: n * n).take(3)) == [0, 1, 4]
    assert [b.tolist() for b in dataset.batch(4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(dataset.batch(4)) == 3 and len(dataset.batch(4, drop_remainder=True)) == 2
    assert len(list(dataset.batch(4, drop_remainder=True))) == 2
    pairs = list(ArrayDataset(X, Y, batch_size=4).unbatch())
    assert len(pairs) == 10 and pairs[9][1] == 9
    with pytest.raises(TypeError, match="not known"):
        len(dataset.batch(4).unbatch())


def test_map_in_threads_keeps_order_settings_and_bounds() -> None:
    taken = []

    def source() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    def slow(n: int) -> tuple[int, str, str]:
        return n, fc.get_float32_precision(), threading.current_thread().name

    with fc.set_float32_precision("high"):
        iterator = iter(from_generator(source).map(slow, num_parallel_calls=3))
        first = next(iterator)
    assert first[:2] == (0, "high") and first[2].startswith("fastcnn-data")
    assert len(taken) <= 6
    assert [n for n, _, _ in iterator] == list(range(1, 100))
    assert not workers()


def test_cache_asks_once() -> None:
    calls = []
    dataset = numbers(4).map(lambda n: calls.append(n) or n).cache()  # type: ignore[func-returns-value]
    assert list(dataset.take(2)) == [0, 1]  # not all: nothing is kept
    assert list(dataset) == list(dataset) == [0, 1, 2, 3]
    assert calls == [0, 1, 0, 1, 2, 3]


def test_shuffle_through_a_buffer() -> None:
    dataset = numbers(50).shuffle(8, seed=1)
    first, second = list(dataset), list(dataset)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    assert max(first[:5]) < 13
    dataset.set_epoch(0)
    assert list(dataset) == first
    still = numbers(50).shuffle(8, seed=1, reshuffle_each_iteration=False)
    assert list(still) == list(still) == first


def test_prefetch_runs_ahead_and_no_further() -> None:
    made = []
    reached = threading.Event()

    def source() -> Iterator[int]:
        for i in range(20):
            made.append(i)
            if i == 3:
                reached.set()
            yield i

    iterator = iter(from_generator(source).prefetch(3))
    assert next(iterator) == 0
    assert reached.wait(10)
    assert len(made) <= 5
    assert list(iterator) == list(range(1, 20))
    assert not workers()


def test_threads_end_with_the_iteration() -> None:
    closed = []

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    dataset = from_generator(source).map(lambda n: n, num_parallel_calls=2).prefetch(2).take(500)
    for n in dataset:
        if n == 3:
            break
    assert not workers() and closed == [True]
    iterator = iter(dataset)
    next(iterator)
    del iterator
    assert not workers()


def test_errors_arrive_where_they_belong() -> None:
    def fails(n: int) -> int:
        if n == 2:
            raise KeyError("two")
        return n

    for dataset in (
        numbers(5).map(fails),
        numbers(5).map(fails, num_parallel_calls=2),
        numbers(5).map(fails).prefetch(4),
    ):
        seen = []
        with pytest.raises(KeyError, match="two"):
            for n in dataset:
                seen.append(n)
        assert seen == [0, 1] and not workers()


def test_generators_must_be_functions() -> None:
    with pytest.raises(DTypeError, match="only once"):
        from_generator(iter([1]))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not known"):
        len(from_generator(lambda: [1]))
    assert list(from_generator(lambda: [1])) == [1]
    with pytest.raises(TypeError, match="defines no elements"):
        next(iter(Dataset()))


def test_data_sets_are_copied_and_pickled() -> None:
    dataset = ArrayDataset(X, Y, batch_size=4, shuffle=True, seed=2).cache().prefetch(2)
    copy = pickle.loads(pickle.dumps(dataset))
    for (a, b), (c, d) in zip(dataset, copy, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    with pytest.raises(AttributeError):
        _ = copy.no_such_name


def test_models_take_them() -> None:
    model = fc.Sequential([fc.Input((2,)), fc.layers.Dense(3)])
    np.testing.assert_array_equal(
        model.predict(ArrayDataset(X, Y, batch_size=4).prefetch()), model.predict(X, batch_size=4)
    )


# ---- HDF5 --------------------------------------------------------------------------------------


@pytest.fixture
def h5(tmp_path: Path) -> Path:
    h5py = pytest.importorskip("h5py", reason="reads HDF5")
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["train_set_x"] = np.arange(10 * 4 * 4 * 3, dtype=np.uint8).reshape(10, 4, 4, 3)
        file["train_set_y"] = np.arange(10)
        file["group/few"] = np.zeros(3)
        file["text"] = np.array([b"a"] * 10)
        file["one"] = 1.0
    return path


def test_hdf5(h5: Path) -> None:
    dataset = HDF5Dataset(h5, batch_size=4)
    x, y = dataset.arrays()
    assert len(dataset) == 3 and x.shape == (10, 4, 4, 3) and x.dtype == np.uint8
    np.testing.assert_array_equal(np.concatenate([b for b, _ in dataset]), x)
    shuffled = HDF5Dataset(h5, batch_size=4, shuffle=True, seed=1)
    seen = []
    for a, b in shuffled:
        np.testing.assert_array_equal(a, x[b])
        seen += b.tolist()
    assert sorted(seen) == y.tolist() and seen != y.tolist()
    memory = ArrayDataset(x, y, batch_size=4, shuffle=True, seed=1)
    assert np.concatenate([b for _, b in memory]).tolist() == seen
    assert next(iter(HDF5Dataset(h5, y=None))).shape == (10, 4, 4, 3)


def test_wrong_hdf5(h5: Path, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"data\.h5: .*'x'.*'group/few', 'one'"):
        HDF5Dataset(h5, x="x")
    with pytest.raises(FileFormatError, match=r"first axis.*\(3,\)"):
        HDF5Dataset(h5, y="group/few")
    with pytest.raises(FileFormatError, match="first axis"):
        HDF5Dataset(h5, x="one", y=None)
    with pytest.raises(FileFormatError, match="expected an array 'group'"):
        HDF5Dataset(h5, y="group")
    with pytest.raises(DTypeError, match="text"):
        HDF5Dataset(h5, y="text")
    with pytest.raises(MissingFileError, match=r"none\.h5"):
        HDF5Dataset(tmp_path / "none.h5")
    with pytest.raises(FileAccessError, match="regular file"):
        HDF5Dataset(tmp_path)
    for name, content in (("empty.h5", b""), ("text.h5", b"not HDF5" * 100)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=name):
            HDF5Dataset(tmp_path / name)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(h5.read_bytes()[:-200])
    with pytest.raises(FileFormatError, match=r"cut\.h5"):
        list(HDF5Dataset(cut))


def test_hostile_hdf5(h5: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good = h5.read_bytes()
    for i in range(150):
        bad = bytearray(good)
        for place in rng.integers(len(bad), size=rng.integers(1, 6)):
            bad[place] = rng.integers(256)
        path = tmp_path / f"{i}.h5"
        path.write_bytes(bad)
        try:
            list(HDF5Dataset(path, shuffle=True, seed=1))
        except FastcnnError as error:
            assert str(path) in str(error)


def test_hdf5_that_claims_to_be_huge(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="reads HDF5")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("train_set_x", (2**50, 2**10), "f4", chunks=(1024, 1024))
    with pytest.raises(FileFormatError, match="more than such a file holds"):
        HDF5Dataset(tmp_path / "x.h5", y=None)
