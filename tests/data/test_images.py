"""Folders of pictures: what is found, how it is divided, decoded and refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.data import image_dataset_from_directory
from fastcnn.errors import (
    ConfigError,
    FileAccessError,
    FileFormatError,
    MissingDependencyError,
    MissingFileError,
)
from fastcnn.io import load_image, resize_image, save_image

pillow = pytest.importorskip("PIL.Image", reason="reads pictures")


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("fastcnn-data")]


def make(folder: Path, classes: dict[str, int], size: tuple[int, int] = (12, 10)) -> Path:
    rng = np.random.default_rng(0)
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            save_image(folder / name / f"{i:03}.png", rng.integers(0, 256, (*size, 3), np.uint8))
    return folder


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return make(tmp_path / "pets", {"dog": 7, "cat": 13})


def of(directory: Path, **options: Any) -> Any:
    options = {"image_size": (8, 8), "verbose": False, "seed": 1, "batch_size": 4, **options}
    return image_dataset_from_directory(directory, **options)


def content(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    batches = list(dataset)
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def test_batches(pets: Path) -> None:
    dataset = of(pets, shuffle=False)
    assert dataset.class_names == ["cat", "dog"] and len(dataset) == 5
    assert dataset.file_paths == sorted(map(str, pets.rglob("*.png")))
    images, labels = content(dataset)
    assert images.shape == (20, 8, 8, 3) and images.dtype == np.float32
    assert labels.tolist() == [0] * 13 + [1] * 7 and labels.dtype == np.int32
    for image, path in zip(images, dataset.file_paths, strict=True):
        np.testing.assert_array_equal(image, resize_image(load_image(path), (8, 8)))


def test_order_is_a_function_of_seed_and_epoch(pets: Path) -> None:
    first = [content(of(pets, workers=n, prefetch=p)) for n, p in ((0, 1), (1, 3), (4, 1), (2, 2))]
    for images, labels in first[1:]:
        np.testing.assert_array_equal(images, first[0][0])
        np.testing.assert_array_equal(labels, first[0][1])
    dataset = of(pets)
    epochs = [content(dataset)[1].tolist() for _ in range(3)]
    assert epochs[0] == first[0][1].tolist() and len({tuple(e) for e in epochs}) == 3
    resumed = of(pets, workers=3)
    resumed.set_epoch(2)
    assert content(resumed)[1].tolist() == epochs[2]
    assert content(of(pets, seed=2))[1].tolist() != epochs[0]


def test_label_modes(pets: Path) -> None:
    options = {"shuffle": False, "batch_size": 20}
    _, one_hot = next(iter(of(pets, label_mode="categorical", **options)))
    assert one_hot.shape == (20, 2) and one_hot[0].tolist() == [1, 0] and one_hot.dtype == "f4"
    _, binary = next(iter(of(pets, label_mode="binary", class_names=["dog", "cat"], **options)))
    assert binary.ravel().tolist() == [0] * 7 + [1] * 13 and binary.shape == (20, 1)
    assert next(iter(of(pets, label_mode=None, **options))).shape == (20, 8, 8, 3)
    assert next(iter(of(pets, labels=None, **options))).shape == (20, 8, 8, 3)
    given = of(pets, labels=list(range(20)), **options)
    assert next(iter(given))[1].tolist() == list(range(20)) and given.class_names[-1] == "19"
    image, label = next(iter(of(pets, **{**options, "batch_size": None})))
    assert image.shape == (8, 8, 3) and label == 0


def test_color_modes_and_shapes(pets: Path) -> None:
    assert next(iter(of(pets, color_mode="grayscale")))[0].shape == (4, 8, 8, 1)
    assert next(iter(of(pets, color_mode="rgba")))[0].shape == (4, 8, 8, 4)
    for options in (
        {"interpolation": "nearest"},
        {"interpolation": "lanczos3"},
        {"antialias": False},
        {"image_size": (3, 30)},
    ):
        assert next(iter(of(pets, **options)))[0].shape[0] == 4


def test_aspect_ratio(tmp_path: Path) -> None:
    make(tmp_path, {"a": 1, "b": 1}, size=(20, 40))
    picture = load_image(tmp_path / "a" / "000.png")
    (cropped,) = of(tmp_path, crop_to_aspect_ratio=True, shuffle=False, image_size=(20, 20))
    np.testing.assert_array_equal(cropped[0][0], picture[:, 10:30])
    (padded,) = of(tmp_path, pad_to_aspect_ratio=True, shuffle=False, image_size=(40, 40))
    np.testing.assert_array_equal(padded[0][0, 10:30], picture)
    assert not padded[0][0, :10].any() and not padded[0][0, 30:].any()


def test_splits(tmp_path: Path) -> None:
    make(tmp_path, {"a": 40, "b": 20, "c": 10}, size=(2, 2))
    options = {"validation_split": 0.2, "test_split": 0.1}
    parts = of(tmp_path, subset="all", **options)
    paths = [part.file_paths for part in parts]
    assert [len(p) for p in paths] == [49, 14, 7]
    assert len(set().union(*paths)) == 70
    assert [np.bincount(part.labels).tolist() for part in parts] == [
        [28, 14, 7], [8, 4, 2], [4, 2, 1],
    ]  # fmt: skip
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        for shuffle in (False, True):
            assert of(tmp_path, subset=name, shuffle=shuffle, **options).file_paths == (
                part.file_paths
            )
    assert len(of(tmp_path, subset="both", **options)) == 2
    other = of(tmp_path, subset="training", **{**options, "seed": 2})
    assert other.file_paths != paths[0] and len(other.file_paths) == 49
    # Only what is trained on is shuffled.
    assert content(parts[1])[1].tolist() == parts[1].labels.tolist()
    assert content(parts[0])[1].tolist() != parts[0].labels.tolist()


def test_says_what_it_found(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of(pets, verbose=True, validation_split=0.25, subset="both")
    assert capsys.readouterr().out == (
        "Found 20 files belonging to 2 classes.\nUsing 15 files for training, 5 for validation.\n"
    )
    of(pets, verbose=True, labels=None)
    assert capsys.readouterr().out == "Found 20 files.\n"


def test_what_is_passed_over(pets: Path) -> None:
    (pets / ".checkpoints").mkdir()
    (pets / "cat" / ".hidden.png").write_bytes(b"")
    (pets / "cat" / "note.txt").write_text("no picture")
    (pets / "loose.png").write_bytes((pets / "cat" / "000.png").read_bytes())
    (pets / "cat" / "deep").mkdir()
    (pets / "cat" / "000.png").rename(pets / "cat" / "deep" / "x.PNG")
    assert len(of(pets).file_paths) == 20


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_links(pets: Path) -> None:
    (pets / "cat" / "again").symlink_to(pets, target_is_directory=True)
    assert len(of(pets).file_paths) == 20
    # It ends: what was listed already, the cats, is not listed again.
    assert len(of(pets, follow_links=True).file_paths) == 20 + 7


def test_exif_orientation(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        exif = pillow.Exif()
        exif[0x0112] = 6
        pillow.fromarray(np.zeros((10, 20, 3), np.uint8)).save(
            tmp_path / name / "turned.jpg", exif=exif
        )
    pad = of(tmp_path, pad_to_aspect_ratio=True, image_size=(20, 10))
    assert pad.file_paths and load_image(pad.file_paths[0]).shape == (20, 10, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_mode": "text"}, "label_mode"),
        ({"color_mode": "cmyk"}, "color_mode"),
        ({"interpolation": "cubic"}, "interpolation"),
        ({"interpolation": "bicubic", "antialias": False}, "antialias"),
        ({"batch_size": 0}, "batch_size"),
        ({"image_size": 8}, "image_size"),
        ({"image_size": (8, 0)}, "image_size"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "one of"),
        ({"class_names": ["cat", "bird"]}, "bird"),
        ({"class_names": ["cat", "cat"]}, "different"),
        ({"labels": [0, 1]}, "20 pictures, but 2 labels"),
        ({"labels": "given"}, "labels"),
        ({"labels": [0.5] * 20}, "labels"),
        ({"labels": [0] * 20}, "two classes"),
        ({"labels": [1] * 20, "class_names": ["a"]}, "inferred"),
        ({"validation_split": 1.5, "subset": "both"}, "validation_split"),
        ({"validation_split": 0.5, "test_split": 0.5, "subset": "all"}, "leave something"),
        ({"validation_split": 0.2}, "subset"),
        ({"validation_split": 0.2, "subset": "test"}, "subset"),
        ({"validation_split": 0.01, "subset": "both"}, "too few"),
        ({"validation_split": 0.2, "subset": "training", "seed": None}, "overlap"),
        ({"subset": "training"}, "validation_split"),
        ({"on_error": "ignore"}, "on_error"),
        ({"workers": -1}, "workers"),
        ({"seed": "a"}, "seed"),
        ({"data_format": "channels_first"}, "channels_last"),
    ],
)
def test_wrong_arguments(pets: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        of(pets, **options)


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        of(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileAccessError, match="file"):
        of(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no folders"):
        of(tmp_path / "empty")
    with pytest.raises(ConfigError, match="found none"):
        of(tmp_path / "empty", labels=None)
    one = make(tmp_path / "one", {"only": 3})
    with pytest.raises(ConfigError, match=r"two classes.*only"):
        of(one)
    with pytest.raises(ConfigError, match="two classes"):
        of(one, label_mode="binary", class_names=["only"])
    assert len(of(one, class_names=["only"])) == len(of(one, label_mode=None)) == 1
    (one / "other").mkdir()
    with pytest.raises(ConfigError, match="other"):
        of(one)


def damage(folder: Path) -> list[str]:
    """A truncated JPEG, text named .jpg and a file of no bytes."""
    save_image(
        folder / "cat" / "x.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), "u1")
    )
    whole = (folder / "cat" / "x.jpg").read_bytes()
    (folder / "cat" / "x.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "cat" / "y.jpg").write_text("not a picture")
    (folder / "dog" / "z.jpg").write_bytes(b"")
    return [str(folder / p) for p in ("cat/x.jpg", "cat/y.jpg", "dog/z.jpg")]


def test_damaged_pictures_are_named(pets: Path) -> None:
    bad = damage(pets)
    dataset = of(pets, shuffle=False, batch_size=100)
    with pytest.raises(FileFormatError, match="3 pictures cannot be read") as caught:
        next(iter(dataset))
    assert all(path in str(caught.value) for path in bad) and "skip" in str(caught.value)
    assert not workers()
    small = of(pets, shuffle=False, batch_size=1)
    seen = []
    with pytest.raises(FileFormatError, match=r"a picture cannot be read.*\n.*x\.jpg"):
        for x, _ in small:
            seen.append(x)
    assert len(seen) == 13 and not workers()
    assert [path for path, _ in fc.data.find_damaged(dataset.file_paths)] == bad


def test_damaged_pictures_are_skipped_on_request(pets: Path) -> None:
    bad = damage(pets)
    with pytest.warns(UserWarning, match="left out 3 of 23 pictures") as caught:
        dataset = of(pets, on_error="skip")
    assert len(caught) == 1 and all(path in str(caught[0].message) for path in bad)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert len(content(dataset)[0]) == 20
    assert not set(bad) & set(dataset.file_paths)
    (pets / "cat" / "000.png").unlink()
    with pytest.raises(FileFormatError, match=r"can no longer.*\n.*000\.png: no such file") as gone:
        list(dataset)
    assert "on_error" not in str(gone.value)  # what is set already helps nobody


def test_nothing_but_damaged_pictures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_text("")
    with pytest.raises(FileFormatError, match="none of the pictures"):
        of(tmp_path, on_error="skip")


def test_cache_reads_once_and_still_shuffles(pets: Path) -> None:
    dataset = of(pets).cache()
    first, second = content(dataset), content(dataset)
    fresh = of(pets)
    for images, labels in (first, second):
        expected = content(fresh)
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(labels, expected[1])
    for path in dataset.file_paths:
        Path(path).unlink()
    assert sorted(content(dataset)[1].tolist()) == sorted(first[1].tolist())


def test_threads_end_when_iteration_stops(pets: Path) -> None:
    for _ in of(pets, workers=3):
        break
    assert not workers()
    iterator = iter(of(pets, workers=3).map(lambda x, y: x).prefetch(2))
    next(iterator)
    assert workers()
    iterator.close()
    assert not workers()
    with pytest.raises(ZeroDivisionError):
        for _ in of(pets, workers=3):
            raise ZeroDivisionError
    assert not workers()


def in_python(program: str, *arguments: Any, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_ctrl_c_and_leaving_early(pets: Path) -> None:
    program = """
import signal, sys, time, fastcnn as fc
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
dataset = fc.data.image_dataset_from_directory(sys.argv[1], verbose=False, batch_size=1, workers=2)
try:
    while True:
        for batch in dataset:
            print("going", flush=True)
            time.sleep(0.01)
except KeyboardInterrupt:
    import threading
    print("left", threading.active_count(), flush=True)
iterator = iter(dataset)
next(iterator)  # and the process ends in the middle of it
"""
    process = in_python(program, pets)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0 and err == "" and out.splitlines()[-1] == "left 1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork(pets: Path) -> None:
    program = """
import os, sys, fastcnn as fc
dataset = fc.data.image_dataset_from_directory(sys.argv[1], verbose=False, batch_size=1, workers=2)
iterator = iter(dataset)
next(iterator)
child = os.fork()
if child == 0:
    assert len(list(dataset)) == 20
    try:
        list(iterator)
    except fc.errors.UnsupportedError:
        os._exit(7)
    os._exit(1)
assert len(list(iterator)) == 19
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    process = in_python(program, pets)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 7, err


def test_without_pillow(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingDependencyError, match=r"fastcnn\[images\]"):
        of(pets)


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, {"a": 30, "b": 30}, size=(4, 4))
    loaded = []
    monkeypatch.setattr("fastcnn.data.images.load_image", _counting(load_image, loaded))
    iterator = iter(of(tmp_path, workers=4, prefetch=2, batch_size=5))
    next(iterator)
    assert len(loaded) <= 5 + 2 * 5
    assert len(list(iterator)) == 11 and len(loaded) == 60


def _counting(function: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return function(*arguments)

    return counted
