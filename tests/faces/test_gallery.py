"""Galleries: who is known, who is nearest, what a file brings back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import fastcnn as fc
from fastcnn.errors import (
    ConfigError,
    DTypeError,
    FastcnnError,
    FileFormatError,
    MissingFileError,
    ShapeError,
)
from fastcnn.faces import Gallery, Match, gallery as gallery_module
from fastcnn.io import load_safetensors, load_safetensors_metadata, save_safetensors
from tests.io.mutations import check, damaged, fuzzed

D = 24


def people(n: int, each: int = 1, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Names and unit vectors, `each` of a person close together."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(n, D)), each, axis=0)
    rows = centres + 0.05 * rng.normal(size=(n * each, D))
    names = [f"person {i}" for i in range(n) for _ in range(each)]
    return names, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def by_hand(
    names: list[str], rows: np.ndarray, query: np.ndarray, metric: str, k: int
) -> list[Match]:
    """The nearest people, from distances in float64."""
    a, b = rows.astype(np.float64), query.astype(np.float64)
    distances = {
        "euclidean": np.sqrt(((a - b) ** 2).sum(1)),
        "sqeuclidean": ((a - b) ** 2).sum(1),
        "manhattan": np.abs(a - b).sum(1),
        "cosine": 1 - a @ b / np.linalg.norm(a, axis=1) / np.linalg.norm(b),
    }[metric]
    best: dict[str, float] = {}
    for i in np.argsort(distances, kind="stable"):
        best.setdefault(names[i], float(distances[i]))
    return [Match(name, distance) for name, distance in best.items()][:k]


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "manhattan", "cosine"])
@pytest.mark.parametrize("k", [1, 3, 100])
def test_search_finds_the_nearest_people(metric: str, k: int) -> None:
    names, rows = people(20, each=5)
    gallery = Gallery(metric)
    gallery.add(names, rows)
    queries = people(20, seed=1)[1][:7]
    for found, query in zip(gallery.search(queries, k), queries, strict=True):
        wanted = by_hand(names, rows, query, metric, k)
        assert [m.name for m in found] == [m.name for m in wanted]
        np.testing.assert_allclose(
            [m.distance for m in found], [m.distance for m in wanted], rtol=1e-5
        )


def test_one_with_many_encodings_does_not_hide_the_others() -> None:
    gallery = Gallery()
    gallery.add("many", np.linspace(0, 1, 200)[:, None] * np.ones(D))
    gallery.add(["near", "far"], [[2.0] * D, [3.0] * D])
    assert [m.name for m in gallery.search(np.zeros(D), k=3)[0]] == ["many", "near", "far"]


def test_one_encoding_each_is_enough() -> None:
    names, rows = people(50, each=2)
    gallery = Gallery(threshold=0.6)
    for i in range(0, 100, 2):
        gallery.add(names[i], rows[i])
    assert len(gallery) == 50 and gallery.names == names[::2] and gallery.dimension == D
    found = gallery.identify(rows[1::2])
    assert [m.name for m in found] == names[1::2]
    stranger = people(51, seed=9)[1][50]
    match = gallery.identify(stranger)[0]
    assert match.name is None and match.distance > 0.6
    assert gallery.identify(stranger, threshold=9.0)[0].name is not None
    assert gallery.search(stranger, k=5, threshold=0.1) == [[]]


def test_equal_distances_are_given_to_who_came_first() -> None:
    gallery = Gallery(threshold=1.0)
    gallery.add(["b", "a"], [[1.0, 0.0], [1.0, 0.0]])
    assert gallery.identify([1.0, 0.0]) == [Match("b", 0.0)]
    assert [m.name for m in gallery.search([1.0, 0.0], k=2)[0]] == ["b", "a"]
    # At the threshold is near enough, as for the rates of a ROC curve.
    assert gallery.identify([2.0, 0.0])[0].name == "b"
    assert gallery.search([2.0, 0.0], threshold=1.0)[0] == [Match("b", 1.0)]
    assert gallery.identify([2.0001, 0.0])[0].name is None


def test_what_is_removed_is_not_found() -> None:
    names, rows = people(30, each=3)
    gallery = Gallery(threshold=10.0)
    gallery.add(names, rows)
    assert gallery.remove("person 3") == 3
    assert "person 3" not in gallery and len(gallery) == 87 and len(gallery.names) == 29
    assert gallery.identify(rows[9])[0].name != "person 3"
    assert len(gallery.search(rows[9], k=30)[0]) == 29
    # Until most are gone, and further: rows are moved, names stay with their rows.
    assert gallery.remove([f"person {i}" for i in range(4, 25)]) == 63
    assert [m.name for m in gallery.identify(rows[::3][25:])] == names[::3][25:]
    np.testing.assert_array_equal(gallery.encodings("person 29"), rows[87:])
    gallery.add("person 3", rows[9])
    assert gallery.names[-1] == "person 3" and gallery.identify(rows[9])[0].name == "person 3"
    gallery.remove(gallery.names)
    assert len(gallery) == 0 and gallery.identify(rows[0]) == [Match(None, np.inf)]
    gallery.add("again", rows[0])
    assert gallery.identify(rows[0])[0].name == "again"


def test_it_grows_one_by_one_and_copies_what_it_is_given() -> None:
    names, rows = people(300)
    gallery = Gallery()
    for name, row in zip(names, rows, strict=True):
        gallery.add(name, row)
        row[:] = 0
    np.testing.assert_array_equal(gallery.encodings("person 299")[0], people(300)[1][299])
    before = gallery.encodings("person 0")
    before[:] = 7
    assert gallery.encodings("person 0").max() <= 1


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "manhattan", "cosine"])
def test_codes_change_nothing(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through additions, removals and moves: one gallery has codes, the other has none."""
    names, rows = people(900, each=2)
    coded, plain = Gallery(metric), Gallery(metric)
    queries = people(900, each=2, seed=0)[1][5::301] + np.float32(0.01)

    def same() -> None:
        for k in (1, 7):
            for faces in (queries[:1], queries, np.repeat(queries, 4, axis=0)):
                monkeypatch.setattr(gallery_module, "_CODED_ROWS", 100)
                found = coded.search(faces, k)
                monkeypatch.setattr(gallery_module, "_CODED_ROWS", 10**9)
                assert found == plain.search(faces, k)
        assert plain._codes is None
        if coded._codes is not None and coded._encodings is not None:
            lengths = {len(kept) for kept in coded._codes}
            assert lengths == {len(coded._encodings)}

    for gallery in (coded, plain):
        gallery.add(names[:1000], rows[:1000])
    same()
    assert (coded._codes is not None) == (metric != "manhattan")
    for gallery in (coded, plain):
        for i in range(1000, 1500, 50):
            gallery.add(names[i : i + 50], rows[i : i + 50])
    same()
    nearest = [match.name for found in plain.search(queries, 2) for match in found]
    for gallery in (coded, plain):
        gallery.remove(sorted({name for name in nearest if name is not None}))
    same()
    for gallery in (coded, plain):
        gallery.remove([f"person {i}" for i in range(600) if f"person {i}" in gallery])
        gallery.add(names[1500:], rows[1500:])
    same()
    assert len(coded) == len(plain) < 700


def test_codes_are_made_once_and_not_while_others_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_module, "_CODED_ROWS", 100)
    names, rows = people(300)
    gallery = Gallery()
    gallery.add(names, rows)
    gallery.search(rows[:8])
    assert gallery._codes is None  # too many faces to read codes for
    busy, done = threading.Event(), threading.Event()

    def write() -> None:
        with gallery._writing:
            busy.set()
            done.wait(60)

    writer = threading.Thread(target=write)
    writer.start()
    busy.wait(60)
    assert gallery.search(rows[3], threshold=0.1)[0] == [Match(names[3], 0.0)]  # does not wait
    assert gallery._codes is None
    done.set()
    writer.join()
    gallery.search(rows[3])
    made = gallery._codes
    assert made is not None
    gallery.search(rows[4])
    assert gallery._codes is made


def test_distance_from_somebody() -> None:
    gallery = Gallery()
    gallery.add("Ada", [[0.0, 0.0], [0.0, 3.0]])
    np.testing.assert_allclose(gallery.distances("Ada", [[0.0, 1.0], [0.0, 5.0]]), [1.0, 2.0])


@pytest.mark.filterwarnings("ignore:overflow")  # NumPy's, of float64 that float32 cannot hold
@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (lambda g: g.add("x", [[1.0] * (D + 1)]), ShapeError, "another encoder"),
        (lambda g: g.add("x", np.ones((1, 1, D))), ShapeError, r"\(1, 1, 24\)"),
        (lambda g: g.add("x", []), ShapeError, r"\(0,\)"),
        (lambda g: g.add("x", [np.nan] * D), ConfigError, "NaN"),
        (lambda g: g.add("x", [1e300] * D), ConfigError, "infinity"),
        (lambda g: g.add("x", ["text"]), DTypeError, "real numbers"),
        (lambda g: g.add(" ", [1.0] * D), ConfigError, "not empty"),
        (lambda g: g.add("\ud800", [1.0] * D), ConfigError, "ud800"),
        (lambda g: g.add(["x", "y"], [1.0] * D), ConfigError, "2 names for 1"),
        (lambda g: g.add(["x", 3], [[1.0] * D] * 2), ConfigError, "got 3"),
        (lambda g: g.remove("nobody"), ConfigError, "there are 'person 0'"),
        (lambda g: g.remove(["person 0", "nobody"]), ConfigError, "nobody"),
        (lambda g: g.encodings("nobody"), ConfigError, "nobody"),
        (lambda g: g.search([1.0] * 3), ShapeError, "another encoder"),
        (lambda g: g.search([1.0] * D, k=0), ConfigError, "k"),
        (lambda g: g.identify([1.0] * D), ConfigError, "calibrate_threshold"),
        (lambda g: g.identify([1.0] * D, threshold=-1.0), ConfigError, "threshold"),
        (lambda g: g.identify([1.0] * D, threshold=np.inf), ConfigError, "finite"),
        (lambda g: Gallery("inner_product"), ConfigError, "metric"),
        (lambda g: Gallery(encoder=3), DTypeError, "encoder"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_mistakes_are_told_and_change_nothing(
    wrong: Callable[[Gallery], Any], error: type[Exception], says: str
) -> None:
    names, rows = people(3)
    gallery = Gallery()
    gallery.add(names, rows)
    with pytest.raises(error, match=says) as caught:
        wrong(gallery)
    assert isinstance(caught.value, FastcnnError)
    assert gallery.names == names and len(gallery) == 3
    np.testing.assert_array_equal(gallery.encodings("person 2"), rows[2:])


@pytest.mark.parametrize("coded_from", [50, 10**9])
def test_threads_search_while_one_adds_and_removes(
    coded_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_module, "_CODED_ROWS", coded_from)
    names, rows = people(400)
    gallery = Gallery(threshold=0.01)
    gallery.add(names[:100], rows[:100])
    wrong: list[Any] = []
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            for some in (slice(0, 50), slice(20, 23)):  # with codes, once there are any: the few
                found = [m.name for m in gallery.identify(rows[some])]
                if found != names[some]:
                    wrong.append(found)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(100, 400):
        gallery.add(names[i], rows[i])
    for i in range(50, 390):
        gallery.remove(names[i])
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong and gallery.names == names[:50] + names[390:]


# ---- files ---------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    pytest.importorskip("safetensors", reason="writes galleries")
    names, rows = people(5, each=2)
    gallery = Gallery("cosine", threshold=0.25, encoder="dlib")
    gallery.add([*names[:8], "Zoë 张伟", "person 4"], rows)
    gallery.remove("person 1")
    path = tmp_path / "known.gallery"
    gallery.save(path)
    return path


def test_a_file_brings_everything_back(saved: Path) -> None:
    _, rows = people(5, each=2)
    gallery = Gallery.load(saved)
    assert gallery.names == ["person 0", "person 2", "person 3", "Zoë 张伟", "person 4"]
    assert (gallery.metric, gallery.threshold, gallery.encoder) == ("cosine", 0.25, "dlib")
    np.testing.assert_array_equal(gallery.encodings("person 3"), rows[6:8])
    assert gallery.identify(rows[8])[0].name == "Zoë 张伟"
    gallery.add("new", rows[2])
    gallery.save(saved)
    assert Gallery.load(saved).names[-1] == "new"


def test_an_empty_gallery_can_be_kept(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="writes galleries")
    Gallery(threshold=0.5).save(tmp_path / "empty")
    gallery = Gallery.load(tmp_path / "empty")
    assert len(gallery) == 0 and gallery.names == [] and gallery.threshold == 0.5
    gallery.add("a", [1.0, 2.0])
    gallery.remove("a")
    gallery.save(tmp_path / "empty")
    assert Gallery.load(tmp_path / "empty").dimension is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels": np.array([0, 1], np.int32)}, "encodings, but 2 labels"),
        ({"labels": np.full(8, 9, np.int32)}, "none of the 5 names"),
        ({"labels": np.full(8, -1, np.int32)}, "none of the 5 names"),
        ({"labels": np.zeros(8, np.int32)}, "no encoding"),
        ({"labels": np.zeros(8, np.int64)}, "types and ranks"),
        ({"encodings": np.full((8, D), np.nan, np.float32)}, "NaN"),
        ({"encodings": np.ones((8, D), np.float64)}, "types and ranks"),
        ({"name_lengths": np.array([8, 8, 8, 8, 8], np.int64)}, "lengths that are noted"),
        ({"name_lengths": np.array([-8, 24, 8, 12, 8], np.int64)}, "is empty or longer"),
        ({"name_lengths": np.array([2**62] * 5, np.int64)}, "is empty or longer"),
        ({"names": np.full(43, 255, np.uint8)}, "UTF-8"),
        ({"names": np.full(43, 32, np.uint8)}, "a name is empty"),
        ({"extra": np.zeros(1, np.float32)}, "types and ranks"),
        ({"format": "other"}, "expected a gallery of faces"),
        ({"gallery": "{"}, "damaged"),
        ({"gallery": "[]"}, "expected a header"),
        ({"gallery": '{"version": 2, "metric": "l2", "threshold": null, "encoder": null}'},
         "version 1"),
        ({"gallery": '{"version": 1, "metric": "l9", "threshold": null, "encoder": null}'}, "l9"),
        ({"gallery": '{"version": 1, "metric": "cosine", "threshold": NaN, "encoder": null}'},
         "threshold"),
    ],
)  # fmt: skip
def test_files_that_save_never_writes_are_refused(
    saved: Path, change: dict[str, Any], says: str
) -> None:
    tensors: dict[str, Any] = dict(load_safetensors(saved))
    metadata = load_safetensors_metadata(saved)
    for key, value in change.items():
        (metadata if isinstance(value, str) else tensors)[key] = value
    save_safetensors(saved, tensors, metadata)
    with pytest.raises(FileFormatError, match=says) as caught:
        Gallery.load(saved)
    assert str(saved) in str(caught.value)


def test_other_files_are_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        Gallery.load(tmp_path / "nowhere")
    fc.io.save_safetensors(tmp_path / "weights", {"a": np.zeros(3)})
    with pytest.raises(FileFormatError, match="expected a gallery"):
        Gallery.load(tmp_path / "weights")
    (tmp_path / "text").write_text("names")
    with pytest.raises(FileFormatError, match="text"):
        Gallery.load(tmp_path / "text")


def test_damaged_files_are_refused_or_harmless(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged"

    @fuzzed()
    @given(damaged([saved.read_bytes()]))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: Gallery.load(path).search(np.ones(D), k=3))

    run()
