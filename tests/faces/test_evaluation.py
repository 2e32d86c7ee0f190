"""Curves, thresholds and protocols of verification, against scikit-learn and by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from fastcnn import faces
from fastcnn.errors import ConfigError, FileFormatError, MissingFileError, ShapeError
from tests.io.mutations import check, damaged, fuzzed


def measured(n: int = 400, seed: int = 0, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.4
    distances = np.where(same, rng.normal(0.5, 0.2, n), rng.normal(1.0, 0.2, n))
    return same, np.round(distances, 1) if ties else distances


@pytest.mark.parametrize("ties", [False, True])
def test_curve_is_that_of_scikit_learn(ties: bool) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    same, distances = measured(ties=ties)
    curve = faces.roc_curve(same, distances)
    far, tar, thresholds = metrics.roc_curve(same, -distances, drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far)
    np.testing.assert_allclose(curve.tar, tar)
    np.testing.assert_allclose(curve.thresholds[1:], -thresholds[1:])
    assert curve.auc == pytest.approx(metrics.roc_auc_score(same, -distances), abs=1e-12)
    optimize = pytest.importorskip("scipy.optimize")
    equal = optimize.brentq(lambda x: 1 - x - np.interp(x, far, tar), 0, 1)
    assert curve.eer == pytest.approx(equal, abs=1e-9)


def test_rates_are_shares_of_pairs() -> None:
    same, distances = measured()
    curve = faces.roc_curve(same.astype(int), distances)
    for threshold in (-1.0, 0.3, 0.75, 1.0, 9.0):
        at = curve.at(threshold)
        accepted = distances <= threshold
        assert at.far == pytest.approx(accepted[~same].mean())
        assert at.tar == pytest.approx(accepted[same].mean()) and at.frr == 1 - at.tar
        assert curve.accuracy(threshold) == pytest.approx((accepted == same).mean())
        assert (at.impostors, at.genuine) == (int((~same).sum()), int(same.sum()))
        assert at.far_interval[0] <= at.far <= at.far_interval[1]


@pytest.mark.parametrize("far", [0.0, 0.01, 0.1, 1 / 3, 1.0])
def test_thresholds_keep_the_wanted_rate_and_accept_most(far: float) -> None:
    same, distances = measured()
    curve = faces.roc_curve(same, distances)
    found = faces.calibrate_threshold(same, distances, far)
    assert found.far <= far and found.tar == curve.tar_at_far(far)
    impostors = np.sort(distances[~same])
    next_one = impostors[min(int(far * len(impostors) + 1e-9), len(impostors) - 1)]
    if far < 1:  # the next distance refused is the impostor's who would be one too many
        assert found.threshold < next_one
        assert found.tar == (distances[same] < next_one).mean()
        below, above = (
            distances[distances <= found.threshold],
            distances[distances > found.threshold],
        )
        assert found.threshold == pytest.approx((below.max() + above.min()) / 2)
    else:
        assert (found.far, found.tar) == (1.0, 1.0)


def test_a_rate_of_a_whole_number_of_impostors_is_reached() -> None:
    distances = np.concatenate([np.linspace(0, 1, 7), np.linspace(0.5, 2, 10)])
    for k in range(11):
        assert faces.calibrate_threshold(np.arange(17) < 7, distances, k / 10).far == k / 10


def test_when_an_impostor_is_nearest_no_error_means_nobody() -> None:
    found = faces.calibrate_threshold([0, 1], [0.25, 0.5], far=0.0)
    assert (found.far, found.tar) == (0.0, 0.0) and found.threshold < 0.25
    assert found.threshold == math.nextafter(0.25, 0)


def test_intervals_hold_the_true_rate_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    genuine = np.zeros(5)
    held = 0
    for _ in range(400):
        impostors = (rng.random(200) >= 0.05).astype(float)  # accepted at 0.5: 5 %
        same = np.arange(205) < 5
        at = faces.roc_curve(same, np.concatenate([genuine, impostors])).at(0.5)
        held += at.far_interval[0] <= 0.05 <= at.far_interval[1]
    assert 0.92 <= held / 400 <= 0.99
    none = faces.roc_curve([1] + [0] * 1000, [0.0] + [1.0] * 1000).at(0.5)
    assert none.far == 0 and none.far_interval[0] == 0
    assert none.far_interval[1] == pytest.approx(3.84 / 1000, rel=0.01)


def test_perfect_and_reversed() -> None:
    same = np.array([1, 1, 0, 0])
    perfect = faces.roc_curve(same, [0.1, 0.2, 0.8, 0.9])
    assert (perfect.auc, perfect.eer) == (1.0, 0.0)
    assert perfect.best_threshold() == pytest.approx(0.5)
    wrong = faces.roc_curve(same, [0.8, 0.9, 0.1, 0.2])
    assert (wrong.auc, wrong.eer) == (0.0, 1.0)
    equal = faces.roc_curve(same, [0.5] * 4)
    assert (equal.auc, equal.eer) == (0.5, 0.5)
    assert faces.roc_curve(same, [0.1, np.inf, np.inf, np.inf]).auc == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("same", "distances", "error"),
    [
        ([1, 0], [0.1], ShapeError),
        ([[1, 0]], [[0.1, 0.2]], ShapeError),
        ([1, 1], [0.1, 0.2], ConfigError),
        ([], [], ConfigError),
        ([1, 2], [0.1, 0.2], ConfigError),
        (["a", "b"], [0.1, 0.2], ConfigError),
        ([1, 0], [0.1, np.nan], ConfigError),
        ([1, 0], ["a", "b"], ConfigError),
    ],
)
def test_pairs_that_tell_nothing_are_refused(same: Any, distances: Any, error: Any) -> None:
    with pytest.raises(error, match="roc_curve"):
        faces.roc_curve(same, distances)


def test_rates_are_checked() -> None:
    curve = faces.roc_curve([1, 0], [0.1, 0.2])
    for far in (-0.1, 1.1, "1"):
        with pytest.raises(ConfigError, match="far"):
            curve.tar_at_far(far)  # type: ignore[arg-type]


# ---- pairs ---------------------------------------------------------------------------------------


def test_all_pairs() -> None:
    labels = np.array([3, 1, 3, 3, 1, 2])
    pairs = faces.make_pairs(labels, balanced=False)
    assert len(pairs.same) == 15 and int(pairs.same.sum()) == 3 + 1
    assert len({frozenset(p) for p in zip(pairs.first, pairs.second, strict=True)}) == 15
    np.testing.assert_array_equal(labels[pairs.first] == labels[pairs.second], pairs.same)


@pytest.mark.parametrize("limit", [None, 50, 10**9])
def test_balanced_pairs(limit: int | None) -> None:
    labels = np.random.default_rng(0).integers(0, 12, 300).astype(str)
    pairs = faces.make_pairs(labels, limit=limit, seed=4)
    genuine = int(pairs.same.sum())
    assert len(pairs.same) == 2 * genuine and (genuine == 50 if limit == 50 else genuine > 3000)
    np.testing.assert_array_equal(labels[pairs.first] == labels[pairs.second], pairs.same)
    assert (pairs.first != pairs.second).all()
    assert len({frozenset(p) for p in zip(pairs.first, pairs.second, strict=True)}) == 2 * genuine
    again = faces.make_pairs(labels, limit=limit, seed=4)
    other = faces.make_pairs(labels, limit=limit, seed=5)
    np.testing.assert_array_equal(pairs.second, again.second)
    assert (pairs.second != other.second).any()


def test_every_impostor_is_equally_likely() -> None:
    labels = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    counts = np.zeros((10, 10))
    for seed in range(600):
        pairs = faces.make_pairs(labels, seed=seed)
        a, b = sorted((int(pairs.first[-1]), int(pairs.second[-1])))
        counts[a, b] += 1
    seen = counts[np.triu_indices(10, 1)][1:]  # of 44 pairs; (0, 1) is genuine
    assert counts[0, 1] == 0 and seen.sum() == 600 and seen.min() > 2 and seen.max() < 35


def test_too_few_people_for_pairs() -> None:
    for labels in ([1, 1, 1], [1, 2, 3], []):
        with pytest.raises(ConfigError, match="at least two faces"):
            faces.make_pairs(labels)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "manhattan", "cosine"])
def test_pair_distances_are_those_of_all_rows(metric: str) -> None:
    import fastcnn as fc

    a, b = np.random.default_rng(0).normal(size=(2, 30, 17)).astype(np.float32)
    a[3] = 0
    wanted = np.diag(fc.ops.cdist(a, b, metric))
    np.testing.assert_allclose(faces.pair_distances(a, b, metric), wanted, rtol=1e-5)
    with pytest.raises(ShapeError):
        faces.pair_distances(a, b[:4], metric)


# ---- Labeled Faces in the Wild -------------------------------------------------------------------

PAIRS = """2\t2
Abel_Pacheco\t1\t4
Akhmed_Zakayev\t1\t3
Abdel_Madi_Shabneh\t1\tDean_Barker\t1
Abdul_Rahman\t12\tPortia_de_Rossi\t1
Ali_Naimi\t1\t8
Amy_Adams\t2\t3
Abid_Hamid\t2\tAbner_Martinez\t1
Al_Gore\t7\tBob_Hope\t2
"""


def test_pairs_of_lfw(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(PAIRS)
    pairs = faces.read_lfw_pairs(path)
    assert len(pairs) == 8 and [pair.fold for pair in pairs] == [0] * 4 + [1] * 4
    assert pairs[0] == ("Abel_Pacheco/Abel_Pacheco_0001.jpg", "Abel_Pacheco/Abel_Pacheco_0004.jpg",
                        True, 0)  # fmt: skip
    assert pairs[3] == ("Abdul_Rahman/Abdul_Rahman_0012.jpg",
                        "Portia_de_Rossi/Portia_de_Rossi_0001.jpg", False, 0)  # fmt: skip
    assert [pair.same for pair in pairs] == [True, True, False, False] * 2
    path.write_text("\n".join(["2", *PAIRS.splitlines()[1:5]]))
    assert [pair.fold for pair in faces.read_lfw_pairs(path)] == [0] * 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first line"),
        ("ten 300\n", "first line"),
        ("0 0\n", "first line"),
        ("99999999 99999999\n", "at most"),
        (PAIRS.replace("2\t2", "2\t3", 1), "2 x 6 pairs"),
        (PAIRS.replace("Abel_Pacheco\t1\t4", "Abel_Pacheco\t1"), "pair 1: expected 'name number"),
        (PAIRS.replace("Abel_Pacheco\t1\t4", "Abel_Pacheco\t1\t-4"), "pair 1"),
        (PAIRS.replace("Abel_Pacheco", "../../etc/passwd"), "names of people"),
        ("1\n" + "\xff" * 9, "first line|pairs"),
    ],
)
def test_other_lists_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FileFormatError, match=says) as caught:
        faces.read_lfw_pairs(path)
    assert str(path) in str(caught.value)
    with pytest.raises(MissingFileError):
        faces.read_lfw_pairs(tmp_path / "nowhere")


def test_damaged_lists_are_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"

    @fuzzed(60)
    @given(damaged([PAIRS.encode()]))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: faces.read_lfw_pairs(path))

    run()


def test_ten_folds_by_hand() -> None:
    same, distances = measured(600, seed=2)
    result = faces.lfw_protocol(same, distances)
    accuracies = []
    for fold in range(10):
        inside = np.arange(600) // 60 == fold
        right = [
            ((distances[~inside] <= t) == same[~inside]).sum() for t in np.sort(distances[~inside])
        ]
        best = np.sort(distances[~inside])
        t = (best[int(np.argmax(right))] + best[int(np.argmax(right)) + 1]) / 2
        assert result.thresholds[fold] == pytest.approx(t)
        accuracies.append(((distances[inside] <= t) == same[inside]).mean())
    np.testing.assert_allclose(result.accuracies, accuracies)
    assert result.accuracy == pytest.approx(np.mean(accuracies))
    assert result.standard_error == pytest.approx(np.std(accuracies, ddof=1) / math.sqrt(10))
    shuffled = np.random.default_rng(0).permutation(600)
    other = faces.lfw_protocol(same[shuffled], distances[shuffled], folds=shuffled // 60)
    np.testing.assert_allclose(other.accuracies, accuracies)


def test_folds_are_checked() -> None:
    same, distances = measured(50)
    for folds in (1, 0, np.zeros(50), 2.5):
        with pytest.raises((ConfigError, ShapeError), match="folds"):
            faces.lfw_protocol(same, distances, folds=folds)
    with pytest.raises(ShapeError, match="folds"):
        faces.lfw_protocol(same, distances, folds=np.zeros(49))
