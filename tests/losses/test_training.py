"""Losses and metrics in steps of training and evaluation."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers, losses, metrics

rng = np.random.default_rng(0)


def test_segmentation_with_pixels_that_do_not_count():
    x = rng.standard_normal((8, 6, 6, 2)).astype(np.float32)
    y = (x[..., :1] > 0).astype(np.uint8) + (x[..., 1:] > 0)
    y[rng.random(y.shape) < 0.2] = 255
    model = fc.Sequential(
        [fc.Input((6, 6, 2)), layers.Conv2D(16, 1, activation="relu"), layers.Conv2D(3, 1)]
    )
    model.compile(
        fc.optimizers.Adam(0.05),
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
        metrics=[
            metrics.SparseCategoricalAccuracy("right", ignore_class=255),
            metrics.MeanIoU(3, "iou", ignore_class=255, sparse_y_pred=False),
        ],
    )
    history = model.fit(x, y, batch_size=4, epochs=60, verbose=0).history
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    found = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    chosen, t = model.predict(x, verbose=0).argmax(-1), y[..., 0]
    counted = t != 255
    assert found["right"] == pytest.approx((chosen == t)[counted].mean())
    ious = [
        ((chosen == k) & (t == k)).sum() / (((chosen == k) & counted) | (t == k)).sum()
        for k in range(3)
    ]
    assert found["iou"] == pytest.approx(np.mean(ious))
    flat = model.evaluate(x, y[..., 0], batch_size=4, verbose=0, return_dict=True)
    assert flat == found


@pytest.mark.parametrize("mining", ["all", "hard", "semihard"])
def test_embeddings(mining):
    people = rng.standard_normal((4, 10))
    y = np.arange(64) % 4
    x = (people[y] + 0.8 * rng.standard_normal((64, 10))).astype(np.float32)
    model = fc.Sequential([fc.Input((10,)), layers.Dense(16, activation="relu"), layers.Dense(4)])
    model.compile(
        fc.optimizers.Adam(0.01),
        losses.TripletLoss(0.5, mining),
        metrics=[metrics.ActiveTriplets(0.5, mining)],
    )
    history = model.fit(x, y, batch_size=16, epochs=30, verbose=0).history
    active = history["active_triplets"]
    assert active[-1] < 0.7 * active[0]


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        ("binary_crossentropy", "binary_accuracy"),
        ("hinge", metrics.AUC(from_logits=True)),
        (losses.BinaryFocalCrossentropy(from_logits=True), metrics.BinaryAccuracy(threshold=0.0)),
        (losses.Dice(), metrics.BinaryIoU()),
        ("mse", metrics.Recall()),
    ],
)
def test_two_classes(loss, wanted):
    fc.set_random_seed(0)
    x = rng.standard_normal((256, 4)).astype(np.float32)
    y = (x[:, 0] - x[:, 1] > 0).astype(np.int64)
    logits = loss == "hinge" or getattr(loss, "from_logits", False)
    last = layers.Dense(1, activation=None if logits else "sigmoid")
    model = fc.Sequential([fc.Input((4,)), last])
    model.compile(fc.optimizers.Adam(0.05), loss, metrics=[wanted])
    model.fit(x, y, batch_size=64, epochs=25, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.9
