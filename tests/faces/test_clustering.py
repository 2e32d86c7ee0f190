"""Clusters of faces: by hand, against SciPy's and dlib's, in portions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.faces import FaceClusters


def groups(seed: int = 0, n: int = 12, each: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around well separated centres, in a random order; and whose they are."""
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.repeat(np.arange(n), each))
    rows = rng.normal(size=(n, 32))[people] + 0.15 * rng.normal(size=(n * each, 32))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), people


def same_partition(a: Any, b: Any) -> bool:
    pairs = set(zip(np.asarray(a).tolist(), np.asarray(b).tolist(), strict=True))
    return len(pairs) == len(set(np.asarray(a).tolist())) == len(set(np.asarray(b).tolist()))


@pytest.mark.parametrize("method", ["chinese_whispers", "connected"])
@pytest.mark.parametrize("portions", [1, 7, 180])
def test_people_are_found_whatever_the_portions(method: str, portions: int) -> None:
    rows, people = groups()
    clusters = FaceClusters(0.6, method=method)
    for part in np.array_split(rows, portions):
        start = len(clusters)
        given = clusters.add(part)
        np.testing.assert_array_equal(given, clusters.labels[start:])
    assert same_partition(clusters.labels, people)
    assert clusters.labels[0] == 0 and clusters.labels.max() == 11
    assert sorted(np.concatenate(clusters.clusters()).tolist()) == list(range(180))


def test_connected_parts_are_those_of_scipy() -> None:
    graph = pytest.importorskip("scipy.sparse.csgraph")
    rng = np.random.default_rng(1)
    rows = rng.random((700, 2)).astype(np.float32)
    near = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(-1)) <= 0.04
    wanted = graph.connected_components(near, directed=False)[1]
    clusters = FaceClusters(0.04, method="connected")
    for part in np.array_split(rows, 3):
        clusters.add(part)
    assert same_partition(clusters.labels, wanted)


def test_many_blocks_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastcnn.faces import clustering

    rows, _ = groups()
    wanted = FaceClusters(0.6)
    wanted.add(rows)
    monkeypatch.setattr(clustering, "_QUERIES", 16)
    monkeypatch.setattr(clustering, "_KNOWN", 37)
    blocked = FaceClusters(0.6)
    blocked.add(rows)
    np.testing.assert_array_equal(blocked.labels, wanted.labels)


def test_whispers_cut_a_bridge_that_chains_cross() -> None:
    """Two full groups of ten, joined by a single pair of neighbours."""
    rng = np.random.default_rng(0)
    left = rng.normal(0, 0.01, (10, 3))
    rows = np.concatenate([left, left + np.array([1, 0, 0]), [[0.3, 0, 0], [0.7, 0, 0]]])
    joined, cut = FaceClusters(0.45, method="connected"), FaceClusters(0.45)
    joined.add(rows)
    cut.add(rows)
    assert joined.labels.max() == 0
    assert cut.labels.max() == 1 and cut.labels[0] != cut.labels[10]
    assert cut.labels[20] == cut.labels[0] and cut.labels[21] == cut.labels[10]


def test_as_dlib_does() -> None:
    dlib = pytest.importorskip("dlib")
    rows, people = groups(seed=3)
    theirs = dlib.chinese_whispers_clustering([dlib.vector(r.tolist()) for r in rows], 0.6)
    clusters = FaceClusters(0.6)
    clusters.add(rows)
    assert same_partition(theirs, people) and same_partition(clusters.labels, theirs)


def test_the_same_calls_give_the_same_clusters() -> None:
    rows = np.random.default_rng(2).random((300, 3)).astype(np.float32)  # no clear groups at all
    made = []
    for seed in (0, 0, 1):
        clusters = FaceClusters(0.2, seed=seed)
        for part in np.array_split(rows, 4):
            clusters.add(part)
        made.append(clusters.labels)
    np.testing.assert_array_equal(made[0], made[1])


def test_mistakes_change_nothing() -> None:
    clusters = FaceClusters(0.5)
    assert len(clusters) == 0 and clusters.clusters() == [] and clusters.labels.shape == (0,)
    clusters.add([[0.0, 0.0]])
    for wrong, error in [
        ([[0.0]], ShapeError), (np.zeros((1, 1, 2)), ShapeError), ([[np.nan, 0.0]], ConfigError),
        (["a"], DTypeError), ([], ShapeError),
    ]:  # fmt: skip
        with pytest.raises(error):
            clusters.add(wrong)
    assert clusters.add(np.empty((0, 2))).shape == (0,)
    assert len(clusters) == 1
    assert clusters.add([0.1, 0.0]).tolist() == [0]
    for options in ({"threshold": -1}, {"method": "x"}, {"metric": "inner_product"}, {"rounds": 0},
                    {"seed": -1}):  # fmt: skip
        with pytest.raises(ConfigError, match="FaceClusters"):
            FaceClusters(**{"threshold": 0.5, **options})  # type: ignore[arg-type]
