"""Triplet and contrastive losses against loops over all triplets."""

import json

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import losses
from fastcnn.errors import ConfigError, ShapeError
from tests.losses import formulas
from tests.training.traced import traced

rng = np.random.default_rng(0)


def batch(n=12, d=6, people=4, spread=1.0):
    labels = np.arange(n) % people
    x = rng.standard_normal((people, d))[labels] + spread * rng.standard_normal((n, d))
    return labels, x.astype(np.float32)


@pytest.mark.parametrize("mining", ["all", "hard", "semihard"])
@pytest.mark.parametrize("distance", ["squared_l2", "l2", "cosine"])
@pytest.mark.parametrize("margin", [0.0, 0.3, 2.0])
def test_mining(mining, distance, margin):
    labels, x = batch()
    loss = losses.TripletLoss(margin, mining, distance)
    wide = x.astype(np.float64)
    value, share = formulas.triplets(labels, wide, margin, mining, distance)
    assert float(loss(labels, x)) == pytest.approx(value, rel=2e-5)
    assert float(loss.active_share(labels, x)) == pytest.approx(share, rel=1e-5)
    assert float(traced(loss, labels, x)) == pytest.approx(value, rel=2e-5)
    metric = fc.metrics.ActiveTriplets(margin, mining, distance)
    assert metric(labels, x) == pytest.approx(share, rel=1e-5)

    found, gradient = fc.value_and_grad(lambda x, labels: loss(labels, x))(x, labels)
    assert float(found) == pytest.approx(value, rel=2e-5)
    for _ in range(3):
        direction, step = rng.standard_normal(x.shape), 1e-6
        ahead, behind = (
            formulas.triplets(labels, wide + s * step * direction, margin, mining, distance)[0]
            for s in (1, -1)
        )
        slope, along = (ahead - behind) / (2 * step), gradient * direction
        assert abs(float(along.sum()) - slope) <= 3e-4 * (np.abs(along).sum() + 1e-3)


@pytest.mark.parametrize("distance", ["squared_l2", "l2", "cosine"])
def test_mean_distance(distance):
    labels, x = batch()
    wide = x.astype(np.float64)
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    square = ((wide[:, None] - wide[None]) ** 2).sum(-1)
    each = {"squared_l2": square, "l2": np.sqrt(square), "cosine": 1 - unit @ unit.T}[distance]
    wanted = each[~np.eye(len(x), dtype=bool)].mean()
    loss = losses.TripletLoss(distance=distance)
    assert float(traced(loss.mean_distance, labels, x)) == pytest.approx(wanted, rel=2e-5)
    metric = fc.metrics.deserialize(
        fc.metrics.serialize(fc.metrics.EmbeddingDistance(distance, name="apart"))
    )
    assert metric(labels, x) == pytest.approx(wanted, rel=2e-5) and metric.name == "apart"
    same = np.ones((4, 3), np.float32)
    assert fc.metrics.EmbeddingDistance(distance)([0, 0, 1, 1], same) < 1e-6
    assert fc.metrics.EmbeddingDistance(distance)([0], same[:1]) == 0


@pytest.mark.parametrize("mining", ["all", "hard", "semihard"])
def test_labels_without_positives_or_negatives(mining):
    loss = losses.TripletLoss(0.5, mining)
    _, x = batch(6)
    for given in ([0, 0, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5], [7] * 6):
        labels = np.array(given)
        value, _ = formulas.triplets(labels, x.astype(np.float64), 0.5, mining, "squared_l2")
        found, gradient = fc.value_and_grad(lambda x, labels: loss(labels, x))(x, labels)
        assert float(found) == pytest.approx(value, rel=2e-5)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("mining", ["all", "hard", "semihard"])
@pytest.mark.parametrize("distance", ["squared_l2", "l2", "cosine"])
def test_a_collapse_shows(mining, distance):
    labels = np.arange(8) % 4
    x = np.ones((8, 5), np.float32)
    loss = losses.TripletLoss(0.2, mining, distance)
    value, gradient = fc.value_and_grad(lambda x: loss(labels, x))(x)
    assert float(value) == pytest.approx(0.2, abs=1e-5)
    assert float(loss.active_share(labels, x)) == 1.0
    assert np.isfinite(gradient).all()


def test_labels_in_other_forms():
    labels, x = batch()
    loss = losses.TripletLoss()
    for form in (labels[:, None], labels.astype(np.float32), labels.astype(np.uint8)):
        assert loss(form, x) == loss(labels, x)
    again = losses.get(json.loads(json.dumps(losses.serialize(losses.TripletLoss(1.0, "hard")))))
    assert (again.margin, again.mining) == (1.0, "hard")


def test_named_triplets():
    a, p, n = (rng.standard_normal((7, 5)).astype(np.float32) for _ in range(3))
    for kind in ("squared_l2", "l2", "cosine"):
        wide = [x.astype(np.float64) for x in (a, p, n)]
        near, far = (formulas.distance(wide[0], x, kind) for x in wide[1:])
        expected = np.maximum(near - far + 0.4, 0)
        found = losses.triplet_loss(a, p, n, 0.4, kind)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

        def mean(a, p, n, kind=kind):
            return fc.ops.mean(losses.triplet_loss(a, p, n, 0.4, kind))

        value, gradients = fc.value_and_grad(mean, argnums=(0, 1, 2))(a, p, n)
        assert float(value) == pytest.approx(expected.mean(), rel=1e-5)
        torch = pytest.importorskip("torch")
        if kind == "l2":
            xs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in wide]
            theirs = torch.nn.functional.triplet_margin_loss(*xs, margin=0.4, eps=0.0)
            theirs.backward()
            for x, gradient in zip(xs, gradients, strict=True):
                np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: losses.TripletLoss(-0.1), ConfigError, "margin"),
        (lambda: losses.TripletLoss(mining="easy"), ConfigError, "'semihard'"),
        (lambda: losses.TripletLoss(distance="l1"), ConfigError, "'squared_l2'"),
        (
            lambda: losses.TripletLoss()([1, 2], np.zeros((3, 4))),
            ShapeError,
            r"\(2,\) and \(3, 4\)",
        ),
        (lambda: losses.TripletLoss()([1, 2], np.zeros(2)), ShapeError, "embeddings"),
        (lambda: losses.TripletLoss()([1, 1], np.zeros((2, 3)), [1, 1]), ShapeError, "sample_w"),
        (lambda: losses.triplet_loss([[1.0]], [[1.0]], [[1.0, 2.0]]), ShapeError, "one shape"),
        (lambda: losses.triplet_loss([1.0], [1.0], [1.0], margin=-1), ConfigError, "margin"),
        (lambda: losses.contrastive_loss([1.0], [1.0], margin="x"), ConfigError, "margin"),
    ],
)
def test_mistakes(act, error, message):
    with pytest.raises(error, match=message):
        act()
