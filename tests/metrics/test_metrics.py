"""Metrics against NumPy and scikit-learn, over batches, at once and as part of a plan."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import metrics
from fastcnn.errors import ConfigError, FastcnnError, ShapeError, UnsupportedError
from fastcnn.metrics.metric import Accumulator
from fastcnn.plan import PlanCache
from fastcnn.serialization import from_json, to_json

rng = np.random.default_rng(0)


def planned(metric):
    """Its ``update_state`` as a plan."""

    def describe(trace, args, kwargs):
        metric.update_state(*args)
        return []

    cache = PlanCache(describe, "test", dtype=None)

    def update(*arrays):
        compiled, given = cache.get(arrays, {})
        compiled.run(given)

    return update


def measured(metric, *batches):
    """The result after batches, the same at once and in plans, and after a reset."""
    for _ in range(2):
        for batch in batches:
            metric.update_state(*batch)
        result = metric.result()
        metric.reset_state()
    again = metrics.deserialize(from_json(to_json(metrics.serialize(metric))))
    assert again.get_config() == metric.get_config()
    update = planned(again)
    for batch in batches:
        update(*batch)
    np.testing.assert_allclose(again.result(), result, rtol=1e-6, atol=1e-9)
    return result


def cut(*arrays, sizes=(7, 20, 13)):
    """Batches of arrays."""
    ends = np.cumsum(sizes)
    return list(zip(*(np.split(a, ends[:-1]) for a in arrays), strict=True))


N = 40
LABELS = rng.integers(0, 5, N)
SCORES = rng.standard_normal((N, 5)).astype(np.float32)
SHARES = (np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)).astype(np.float32)
HOT = np.eye(5, dtype=np.float32)[LABELS]
BITS = rng.integers(0, 2, N)
PROBABILITIES = np.clip(0.35 * BITS + 0.65 * rng.random(N), 0, 1).astype(np.float32)
WEIGHTS = rng.uniform(0.2, 2.0, N).astype(np.float32)
COLUMNS = rng.integers(0, 2, (N, 4))
COLUMN_SCORES = rng.random((N, 4)).astype(np.float32)
TARGETS, GUESSES = (rng.standard_normal((N, 3)).astype(np.float32) for _ in range(2))
near = pytest.approx


# ---- sums and means ----------------------------------------------------------------------------


def test_means_and_sums():
    values = rng.standard_normal((N, 3, 2)).astype(np.float32)
    wide = values.astype(np.float64)
    assert measured(metrics.Mean(), *cut(values)) == near(wide.mean(), rel=1e-5)
    assert measured(metrics.Sum(), *cut(values)) == near(wide.sum(), rel=1e-5)
    weighted = (wide * WEIGHTS[:, None, None]).sum()
    assert measured(metrics.Sum(), *cut(values, WEIGHTS)) == near(weighted, rel=1e-5)
    expected = (wide.mean((1, 2)) * WEIGHTS).sum() / WEIGHTS.sum(dtype=np.float64)
    assert measured(metrics.Mean(), *cut(values, WEIGHTS)) == near(expected, rel=1e-5)
    assert measured(metrics.Mean(), *cut(values, WEIGHTS[:, None])) == near(expected, rel=1e-5)
    mask = rng.integers(0, 2, (N, 3)).astype(np.float32)
    expected = (wide.mean(2) * mask).sum() / mask.sum()
    assert measured(metrics.Mean(), *cut(values, mask)) == near(expected, rel=1e-5)


def test_a_mean_of_numbers_of_batches():
    mean = metrics.Mean()
    for loss, count in ((2.0, 32.0), (5.0, 16.0)):
        mean.update_state(np.float32(loss), sample_weight=count)
    assert mean.result() == near(3.0)
    assert type(mean.result()) is float
    mean.reset_state()
    assert mean.result() == 0.0


def test_counts_go_beyond_what_float32_counts_to():
    """20 million samples, of which float32 would lose those after 2 ** 24."""
    batch = np.zeros(2**20 + 1, np.float32)
    batch[: 2**19] = 1.0
    metric = metrics.BinaryAccuracy()
    update = planned(metric)
    ones = np.ones_like(batch)
    rounds = 20
    for _ in range(rounds):
        update(batch, ones)
    assert metric.count.numpy() == rounds * batch.size > 2**24
    assert metric.result() == 2**19 / batch.size
    one = np.ones(1, np.float32)
    for _ in range(5):
        update(one, one)
        metric.update_state(one, one)
    assert metric.count.numpy() == rounds * batch.size + 10
    assert metric.total.numpy() == rounds * 2**19 + 10


def test_accumulators():
    total = Accumulator(np.zeros(2))
    for _ in range(300):
        total.assign_add(np.array([0.1, 1e8], np.float32))
        total.assign_sub(np.array([0.0, 1e8], np.float32))
        total.assign_add([0.0, 0.25])
    expected = [300 * np.float64(np.float32(0.1)), 75.0]
    np.testing.assert_allclose(total.numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(total), expected, rtol=1e-12)
    total.assign([1.0, 2.0])
    np.testing.assert_array_equal(total.numpy(), [1.0, 2.0])
    total.assign_add(np.inf)
    assert np.isinf(total.numpy()).all()


# ---- accuracy ----------------------------------------------------------------------------------


def test_accuracies():
    right = SCORES.argmax(1) == LABELS
    weighted = (right * WEIGHTS).sum() / WEIGHTS.sum()
    for metric, t in (
        (metrics.SparseCategoricalAccuracy, LABELS),
        (metrics.SparseCategoricalAccuracy, LABELS[:, None].astype(np.float32)),
        (metrics.CategoricalAccuracy, HOT),
    ):
        assert measured(metric(), *cut(t, SCORES)) == near(right.mean())
        assert measured(metric(), *cut(t, SCORES, WEIGHTS)) == near(weighted, rel=1e-6)
    sides = (PROBABILITIES > 0.5) == BITS
    assert measured(metrics.BinaryAccuracy(), *cut(BITS, PROBABILITIES)) == near(sides.mean())
    strict = metrics.BinaryAccuracy(threshold=0.8)
    found = measured(strict, *cut(BITS[:, None], PROBABILITIES))
    assert found == near(((PROBABILITIES > 0.8) == BITS).mean())
    assert metrics.Accuracy()(LABELS, np.where(BITS, LABELS, 9)) == near(BITS.mean())


def test_pixels_of_a_class_that_does_not_count():
    t = rng.integers(0, 4, (N, 6, 5)).astype(np.uint8)
    t[rng.random(t.shape) < 0.3] = 255
    p = rng.standard_normal((N, 6, 5, 4)).astype(np.float32)
    counted = t != 255
    right = (p.argmax(-1) == t) & counted
    metric = metrics.SparseCategoricalAccuracy(ignore_class=255)
    assert measured(metric, *cut(t, p)) == near(right.sum() / counted.sum())
    assert measured(metric, *cut(t[..., None], p)) == near(right.sum() / counted.sum())
    weights = WEIGHTS[:, None, None] * counted
    expected = (right * weights).sum() / weights.sum()
    assert measured(metric, *cut(t, p, WEIGHTS)) == near(expected, rel=1e-6)
    plain = metrics.SparseCategoricalAccuracy()
    assert measured(plain, *cut(t, p)) == near(right.sum() / t.size)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_top_k(k):
    mine = SCORES[np.arange(N), LABELS][:, None]
    expected = ((mine < SCORES).sum(1) < k).mean()
    sparse, dense = metrics.SparseTopKCategoricalAccuracy(k), metrics.TopKCategoricalAccuracy(k)
    assert measured(sparse, *cut(LABELS, SCORES)) == near(expected)
    assert measured(dense, *cut(HOT, SCORES)) == near(expected)
    stacked = SCORES.reshape(4, 10, 5)
    assert sparse(LABELS.reshape(4, 10), stacked) == near(expected)


def test_top_k_corners():
    top = metrics.sparse_top_k_categorical_accuracy
    ties = np.array([[1.0, 1.0, 1.0, 0.0]])
    assert [float(top([i], ties, k=1)[0]) for i in range(4)] == [1, 1, 1, 0]
    odd = np.array([[np.nan, 1.0], [np.inf, 1.0], [-np.inf, 0.0]])
    np.testing.assert_array_equal(top([0, 0, 0], odd, k=1), [0, 1, 0])
    np.testing.assert_array_equal(top([-1, 2], np.zeros((2, 2)), k=2), [0, 0])


# ---- positives and negatives -------------------------------------------------------------------


def test_counts_at_thresholds():
    limits = [0.2, 0.5, 0.7]
    above = PROBABILITIES[None] > np.array(limits, np.float32)[:, None]
    label = BITS[None] == 1
    for metric, hits in (
        (metrics.TruePositives, above & label),
        (metrics.FalsePositives, above & ~label),
        (metrics.TrueNegatives, ~above & ~label),
        (metrics.FalseNegatives, ~above & label),
    ):
        found = measured(metric(thresholds=limits), *cut(BITS, PROBABILITIES))
        np.testing.assert_array_equal(found, hits.sum(1))
        found = measured(metric(thresholds=limits), *cut(BITS, PROBABILITIES, WEIGHTS))
        np.testing.assert_allclose(found, (hits * WEIGHTS).sum(1), rtol=1e-6, atol=1e-6)
        assert measured(metric(), *cut(BITS, PROBABILITIES)) == hits[1].sum()


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_precision_recall_f_scores(weights):
    sk = pytest.importorskip("sklearn.metrics")
    extra = () if weights is None else (weights,)
    said = PROBABILITIES > 0.5
    options = {"sample_weight": weights, "zero_division": 0}
    found = measured(metrics.Precision(), *cut(BITS, PROBABILITIES, *extra))
    assert found == near(sk.precision_score(BITS, said, **options))
    found = measured(metrics.Recall(), *cut(BITS, PROBABILITIES, *extra))
    assert found == near(sk.recall_score(BITS, said, **options))
    said = COLUMN_SCORES > 0.4
    for average in (None, "micro", "macro", "weighted"):
        for beta in (0.5, 1.0, 2.0):
            metric = metrics.FBetaScore(average, beta, threshold=0.4)
            found = measured(metric, *cut(COLUMNS, COLUMN_SCORES, *extra))
            expected = sk.fbeta_score(COLUMNS, said, beta=beta, average=average, **options)
            np.testing.assert_allclose(found, expected, rtol=1e-6)
        found = measured(metrics.F1Score(average), *cut(HOT, SHARES, *extra))
        expected = sk.f1_score(LABELS, SHARES.argmax(1), average=average, **options)
        if average == "micro":
            expected = sk.f1_score(HOT, np.eye(5)[SHARES.argmax(1)], average="micro", **options)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_precision_of_the_best_and_of_one_class():
    for k in (1, 3):
        best = np.argsort(-COLUMN_SCORES, axis=1, kind="stable")[:, :k]
        chosen = np.zeros_like(COLUMNS)
        np.put_along_axis(chosen, best, 1, axis=1)
        right = (chosen * COLUMNS).sum()
        found = measured(metrics.Precision(top_k=k), *cut(COLUMNS, COLUMN_SCORES))
        assert found == near(right / chosen.sum())
        found = measured(metrics.Recall(top_k=k), *cut(COLUMNS, COLUMN_SCORES))
        assert found == near(right / COLUMNS.sum())
    ties = metrics.Precision(top_k=2)  # the first of equals
    assert ties([[0, 1, 1]], [[0.5, 0.5, 0.5]]) == near(0.5)
    said, t = COLUMN_SCORES[:, 2] > 0.5, COLUMNS[:, 2]
    found = measured(metrics.Precision(class_id=2), *cut(COLUMNS, COLUMN_SCORES))
    assert found == near((said * t).sum() / said.sum())
    assert metrics.Precision()([0, 0], [0.1, 0.2]) == 0.0


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_area_under_curves(weights):
    sk = pytest.importorskip("sklearn.metrics")
    steps = 200  # probabilities in the middle between thresholds: the curve has no other points
    p = ((np.floor(PROBABILITIES * (steps - 1)) + 0.5) / (steps - 1)).clip(0, 1).astype(np.float32)
    extra = () if weights is None else (weights,)
    found = measured(metrics.AUC(), *cut(BITS, p, *extra))
    assert found == near(sk.roc_auc_score(BITS, p, sample_weight=weights), rel=1e-5)
    found = measured(metrics.AUC(from_logits=True), *cut(BITS, np.log(p / (1 - p)), *extra))
    assert found == near(sk.roc_auc_score(BITS, p, sample_weight=weights), rel=1e-3)
    precision, recall, _ = sk.precision_recall_curve(BITS, p, sample_weight=weights)
    trapezoids = -np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2)
    found = measured(metrics.AUC(curve="PR"), *cut(BITS, p, *extra))
    assert found == near(trapezoids, abs=0.02)  # Davis and Goadrich's curve is not straight
    step = sk.average_precision_score(BITS, p, sample_weight=weights)
    lower = metrics.AUC(curve="PR", summation_method="minoring")(BITS, p, *extra)
    upper = metrics.AUC(curve="PR", summation_method="majoring")(BITS, p, *extra)
    assert lower <= found <= upper
    assert lower - 1e-6 <= step <= upper + 1e-6


def test_area_between_two_thresholds_of_precision_and_recall():
    """Against the integral of the interpolated curve, by small steps."""
    metric = metrics.AUC(curve="PR", thresholds=[0.5])
    t, p = np.array([1, 1, 1, 0, 0, 1]), np.array([0.9, 0.8, 0.3, 0.7, 0.2, 0.6])
    # (tp, fp) at thresholds below 0, 0.5, above 1: (4, 2), (3, 1), (0, 0)
    area = 0.0
    for (tp1, fp1), (tp0, fp0) in (((4, 2), (3, 1)), ((3, 1), (0, 0))):
        x = np.linspace(tp0, tp1, 100001)[1:]
        fp = fp0 + (x - tp0) * (fp1 - fp0) / (tp1 - tp0)
        area += (x / (x + fp)).mean() * (tp1 - tp0) / 4
    assert metric(t, p) == near(area, rel=1e-4)


def test_areas_of_columns():
    sk = pytest.importorskip("sklearn.metrics")
    steps = 100
    p = (np.floor(COLUMN_SCORES * (steps - 1)) + 0.5) / (steps - 1)
    p = p.clip(0, 1).astype(np.float32)
    areas = np.array([sk.roc_auc_score(COLUMNS[:, i], p[:, i]) for i in range(4)])
    for given in (None, 4):
        metric = metrics.AUC(steps, multi_label=True, num_labels=given)
        assert measured(metric, *cut(COLUMNS, p)) == near(areas.mean(), rel=1e-5)
    weights = [1.0, 2.0, 0.5, 0.0]
    metric = metrics.AUC(steps, multi_label=True, label_weights=weights)
    found = measured(metric, *cut(COLUMNS, p))
    assert found == near((areas * weights).sum() / 3.5, rel=1e-5)
    flat = metrics.AUC(steps, label_weights=weights)
    spread = np.broadcast_to(weights, COLUMNS.shape).ravel()
    expected = sk.roc_auc_score(COLUMNS.ravel(), p.ravel(), sample_weight=spread)
    assert measured(flat, *cut(COLUMNS, p)) == near(expected, rel=1e-5)


def test_many_predictions_are_compared_in_parts():
    t = rng.integers(0, 2, 60_000)
    p = rng.random(60_000).astype(np.float32)
    metric = metrics.AUC(num_thresholds=200)
    planned(metric)(t, p)
    parts = metrics.AUC(num_thresholds=200)
    for i in range(0, 60_000, 10_000):
        parts.update_state(t[i : i + 10_000], p[i : i + 10_000])
    assert metric.result() == parts.result()
    above = (p[None] > np.linspace(0, 1, 200, dtype=np.float32)[1:-1, None]).sum(1)
    found = (metric.true_positives.numpy() + metric.false_positives.numpy())[1:-1]
    np.testing.assert_array_equal(found, above)


@pytest.mark.parametrize("level", [0.0, 0.3, 0.75, 1.0])
def test_levels(level):
    limits = np.linspace(0, 1, 50).astype(np.float32)[:, None]
    above, label = limits < PROBABILITIES, BITS == 1
    tp, fp = (above & label).sum(1), (above & ~label).sum(1)
    found = tp / label.sum()
    left = 1 - fp / (~label).sum()
    right = np.where(tp + fp, tp / np.maximum(tp + fp, 1), 0)
    for metric, wanted, held in (
        (metrics.SensitivityAtSpecificity, found, left),
        (metrics.SpecificityAtSensitivity, left, found),
        (metrics.PrecisionAtRecall, right, found),
        (metrics.RecallAtPrecision, found, right),
    ):
        expected = np.where(held >= level, wanted, 0).max()
        result = measured(metric(level, num_thresholds=50), *cut(BITS, PROBABILITIES))
        assert result == near(expected)


# ---- overlap -----------------------------------------------------------------------------------


def confusion(t, p, classes, weights=None):
    matrix = np.zeros((classes, classes))
    weights = np.ones(t.shape) if weights is None else np.broadcast_to(weights, t.shape)
    ok = (t >= 0) & (t < classes) & (p >= 0) & (p < classes)
    np.add.at(matrix, (t[ok], p[ok]), weights[ok])
    return matrix


def ious(matrix):
    common = np.diag(matrix)
    return common / (matrix.sum(0) + matrix.sum(1) - common)


def test_intersection_over_union():
    t, p = rng.integers(0, 4, (2, N, 6, 5))
    scores = np.eye(4, dtype=np.float32)[p] + 0.3 * rng.random((N, 6, 5, 4)).astype(np.float32)
    matrix = confusion(t, p, 4)
    sk = pytest.importorskip("sklearn.metrics")
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(t.ravel(), p.ravel()))
    np.testing.assert_allclose(ious(matrix), sk.jaccard_score(t.ravel(), p.ravel(), average=None))
    np.testing.assert_array_equal(measured(metrics.ConfusionMatrix(4), *cut(t, p)), matrix)
    mean = ious(matrix).mean()
    assert measured(metrics.MeanIoU(4), *cut(t, p)) == near(mean)
    assert measured(metrics.MeanIoU(4), *cut(t[..., None], p.astype(np.float32))) == near(mean)
    assert measured(metrics.MeanIoU(4, sparse_y_pred=False), *cut(t, scores)) == near(mean)
    hot = np.eye(4, dtype=np.float32)[t]
    assert measured(metrics.OneHotMeanIoU(4), *cut(hot, scores)) == near(mean)
    some = metrics.OneHotIoU(4, [0, 2])
    assert measured(some, *cut(hot, scores)) == near(ious(matrix)[[0, 2]].mean())
    assert metrics.OneHotIoU(4, [1], sparse_y_pred=True)(hot, p) == near(ious(matrix)[1])
    expected = ious(confusion(t, p, 4, WEIGHTS[:, None, None])).mean()
    assert measured(metrics.MeanIoU(4), *cut(t, p, WEIGHTS)) == near(expected, rel=1e-5)


@pytest.mark.parametrize("ignored", [255, 2])
def test_intersection_over_union_without_a_class(ignored):
    t = rng.integers(0, 4, (N, 6, 5)).astype(np.uint8)
    t[rng.random(t.shape) < 0.2] = 255
    p = rng.integers(0, 4, (N, 6, 5))
    matrix = confusion(np.where(t == ignored, 99, t), p, 4)
    metric = metrics.MeanIoU(4, ignore_class=ignored)
    assert measured(metric, *cut(t, p)) == near(ious(matrix).mean())
    metric(t, p)
    np.testing.assert_allclose(metric.by_class(), ious(matrix))


def test_classes_that_do_not_occur_do_not_count():
    metric = metrics.MeanIoU(4)
    assert metric.result() == 0.0
    assert metric([0, 0, 1], [0, 1, 1]) == near(0.5)
    np.testing.assert_array_equal(metric.by_class(), [0.5, 0.5, np.nan, np.nan])


def test_two_classes_by_a_threshold():
    t, p = BITS.reshape(5, 8), PROBABILITIES.reshape(5, 8)
    scores = ious(confusion(t, (p >= np.float32(0.6)).astype(int), 2))
    assert measured(metrics.BinaryIoU(threshold=0.6), (t, p)) == near(scores.mean())
    assert measured(metrics.BinaryIoU([1], 0.6), (t, p)) == near(scores[1])


def test_large_pictures_are_counted_in_parts():
    t, p = rng.integers(0, 21, (2, 500, 500))
    metric = metrics.ConfusionMatrix(21)
    planned(metric)(t, p)
    np.testing.assert_array_equal(metric.result(), confusion(t, p, 21))


# ---- losses as metrics -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "loss", "t", "p"),
    [
        (metrics.MeanSquaredError, "MeanSquaredError", TARGETS, GUESSES),
        (metrics.MeanAbsoluteError, "MeanAbsoluteError", TARGETS, GUESSES),
        (metrics.MeanAbsolutePercentageError, "MeanAbsolutePercentageError", TARGETS, GUESSES),
        (metrics.MeanSquaredLogarithmicError, "MeanSquaredLogarithmicError", HOT, SHARES),
        (metrics.LogCoshError, "LogCosh", TARGETS, GUESSES),
        (metrics.Hinge, "Hinge", HOT, SCORES),
        (metrics.SquaredHinge, "SquaredHinge", HOT, SCORES),
        (metrics.CategoricalHinge, "CategoricalHinge", HOT, SCORES),
        (metrics.KLDivergence, "KLDivergence", SHARES, SHARES[::-1]),
        (metrics.Poisson, "Poisson", HOT, SHARES),
        (metrics.BinaryCrossentropy, "BinaryCrossentropy", HOT, SHARES),
        (metrics.CategoricalCrossentropy, "CategoricalCrossentropy", HOT, SHARES),
        (metrics.SparseCategoricalCrossentropy, "SparseCategoricalCrossentropy", LABELS, SHARES),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_losses(metric, loss, t, p):
    expected = float(getattr(fc.losses, loss)()(t, p))
    assert measured(metric(), *cut(t, p)) == near(expected, rel=1e-5)
    expected = float(getattr(fc.losses, loss)(reduction="mean_with_sample_weight")(t, p, WEIGHTS))
    assert measured(metric(), *cut(t, p, WEIGHTS)) == near(expected, rel=1e-5)


def test_more_numbers():
    error = TARGETS.astype(np.float64) - GUESSES
    root = measured(metrics.RootMeanSquaredError(), *cut(TARGETS, GUESSES))
    assert root == near(np.sqrt((error**2).mean()), rel=1e-6)
    expected = -float(fc.losses.CosineSimilarity()(TARGETS, GUESSES))
    assert measured(metrics.CosineSimilarity(), *cut(TARGETS, GUESSES)) == near(expected, rel=1e-5)
    logits = measured(metrics.SparseCategoricalCrossentropy(from_logits=True), *cut(LABELS, SCORES))
    assert logits == near(
        float(fc.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS, SCORES)), rel=1e-5
    )
    metric = metrics.SparseCategoricalCrossentropy(from_logits=True, ignore_class=3)
    found = measured(metric, *cut(LABELS, SCORES))
    loss = fc.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=3)
    assert found == near(float(loss(LABELS, SCORES)), rel=1e-5)


# ---- identifiers, one's own, mistakes ----------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "p", "kind"),
    [
        ((32,), (32, 10), "SparseCategorical"),
        ((32, 1), (32, 10), "SparseCategorical"),
        ((32, 10), (32, 10), "Categorical"),
        ((32, 1), (32, 1), "Binary"),
        ((32,), (32, 1), "Binary"),
        ((32,), (32,), "Binary"),
        ((None, 8, 8), (None, 8, 8, 21), "SparseCategorical"),
        ((None, 8, 8, 1), (None, 8, 8, 21), "SparseCategorical"),
        ((None, 8, 8, 1), (None, 8, 8, 1), "Binary"),
        ((None, 8, 8, 21), (None, 8, 8, 21), "Categorical"),
    ],
)
def test_what_accuracy_means(t, p, kind):
    for name in ("accuracy", "acc"):
        metric = metrics.get(name, t, p)
        assert type(metric).__name__ == f"{kind}Accuracy"
        assert metric.name == name
    for name in ("crossentropy", "ce"):
        assert type(metrics.get(name, t, p)).__name__ == f"{kind}Crossentropy"


def test_names():
    for name in ("mse", "mean_squared_error", "MeanSquaredError"):
        metric = metrics.get(name)
        assert (type(metric), metric.name) == (metrics.MeanSquaredError, name)
    assert metrics.get("mse") is not metrics.get("mse")
    iou = metrics.MeanIoU(3, name="iou")
    assert metrics.get(iou) is iou
    assert metrics.get({"class_name": "MeanIoU", "config": {"num_classes": 3}}).num_classes == 3
    assert type(metrics.get(metrics.AUC)) is metrics.AUC
    wrapped = metrics.get(fc.losses.mean_absolute_error)
    assert wrapped.name == "mean_absolute_error"
    assert wrapped(TARGETS, GUESSES) == near(np.abs(TARGETS - GUESSES).mean(), rel=1e-6)
    huber = metrics.get(fc.losses.Huber(0.5))
    assert huber(TARGETS, GUESSES) == near(float(fc.losses.Huber(0.5)(TARGETS, GUESSES)))
    again = metrics.get(metrics.serialize(metrics.MeanMetricWrapper(fc.losses.huber, delta=0.5)))
    assert again(TARGETS, GUESSES) == near(huber.result())


class Largest(metrics.Metric):
    """As Keras' guide writes one."""

    def __init__(self, name="largest", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.inner = metrics.Mean()

    def update_state(self, y_true, y_pred, sample_weight=None):
        largest = fc.ops.max(fc.ops.absolute(y_true - y_pred))
        self.total.assign(fc.ops.maximum(self.total, largest))
        self.inner.update_state(y_true)

    def result(self):
        return self.total / 2.0


def test_ones_own():
    metric = Largest()
    planned(metric)(TARGETS, GUESSES)
    expected = np.abs(TARGETS - GUESSES).max() / 2
    assert float(metric.result()) == near(expected)
    assert metric(TARGETS, 3 * GUESSES) >= expected
    assert [v.path for v in metric.variables] == ["largest/total", "mean/total", "mean/count"]
    metric.reset_state()
    assert not any(v.numpy() for v in metric.variables)
    assert Largest.from_config(metric.get_config()).name == "largest"


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: metrics.get("exactness"), ConfigError, r"unknown metric .*mean_io_u|accuracy"),
        (lambda: metrics.get("accuracy"), ConfigError, "shapes"),
        (lambda: metrics.get(3), ConfigError, "expected the name of a metric"),
        (lambda: metrics.Metric().update_state(1), TypeError, "update_state"),
        (lambda: metrics.Mean(dtype="int8"), UnsupportedError, "float32"),
        (lambda: metrics.BinaryAccuracy()([1, 0], [1, 0, 1]), ShapeError, "one shape"),
        (lambda: metrics.CategoricalAccuracy()(LABELS, SCORES), ShapeError, "one shape"),
        (lambda: metrics.SparseCategoricalAccuracy()(HOT, SCORES), ShapeError, "y_true of shape"),
        (lambda: metrics.Precision([0.5, 1.5]), ConfigError, r"\[0, 1\]"),
        (lambda: metrics.Precision([]), ConfigError, "at least one"),
        (
            lambda: metrics.Precision(class_id=4)(COLUMNS, COLUMN_SCORES),
            ShapeError,
            "class 4, the class_id",
        ),
        (lambda: metrics.PrecisionAtRecall(1.5), ConfigError, "recall"),
        (lambda: metrics.Recall(top_k=0), ConfigError, "top_k"),
        (lambda: metrics.AUC(num_thresholds=1), ConfigError, "num_thresholds"),
        (lambda: metrics.AUC(curve="DET"), ConfigError, "'ROC', 'PR'"),
        (lambda: metrics.AUC(num_labels=3), ConfigError, "multi_label"),
        (lambda: metrics.AUC(multi_label=True)(BITS, PROBABILITIES), ShapeError, "labels"),
        (lambda: metrics.F1Score(average="mean"), ConfigError, "'micro'"),
        (lambda: metrics.FBetaScore(beta=0.0), ConfigError, "beta"),
        (lambda: metrics.F1Score()(BITS, PROBABILITIES), ShapeError, "classes"),
        (lambda: metrics.IoU(3, [3]), ConfigError, "target_class_ids"),
        (lambda: metrics.MeanIoU(0), ConfigError, "num_classes"),
        (lambda: metrics.MeanIoU(3)([1, 2], [1, 2, 0]), ShapeError, "as many"),
        (lambda: metrics.Mean()([1.0, 2.0], sample_weight=[1.0, 2.0, 3.0]), FastcnnError, "shape"),
    ],
)
def test_mistakes(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_a_graph_has_no_results_yet():
    with pytest.raises(ConfigError, match="update_state"):
        cache = PlanCache(lambda trace, args, kwargs: metrics.Mean()(*args), "test", dtype=None)
        cache.get((TARGETS,), {})
