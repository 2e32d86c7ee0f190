"""Targets and the loss of YOLO networks, against plain loops in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.detection import Head, TargetEncoder, YOLOLoss, anchor_kmeans
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.serialization import from_json, to_json

SIZE = (64, 96)
GRID = (4, 6)
HEAD = Head(classes=3, anchors=((10.0, 14.0), (30.0, 20.0)), scale_xy=1.1)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def cross_entropy(logit: Any, target: Any) -> Any:
    return np.logaddexp(0, logit) - target * logit


def overlap(a: Any, b: Any, generalized: bool = False) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    union = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)) - common
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    iou = common / union if union else 0.0
    return float(iou - (hull - union) / hull if generalized else iou)


def loss_by_loops(
    head: Head, targets: Any, outputs: Any, box: str, threshold: float, rescore: bool = False
) -> Any:
    """The parts of the loss of each picture."""
    rows, columns = GRID
    parts = []
    for rows_true, output in zip(targets, outputs, strict=True):
        part = dict.fromkeys(("box", "object", "no_object", "class"), 0.0)
        responsible = {int(row[5]): row for row in rows_true if row[5] >= 0}
        places = output.reshape(rows, columns, len(head.anchors), 5 + head.classes)
        for slot, (r, c, a) in enumerate(np.ndindex(rows, columns, len(head.anchors))):
            t, anchor = places[r, c, a], head.anchors[a]
            x, y = (sigmoid(t[:2]) - 0.5) * head.scale_xy + 0.5
            middle = np.array([(c + x) * SIZE[1] / columns, (r + y) * SIZE[0] / rows])
            size = np.exp(t[2:4]) * anchor
            mine = [*(middle - size / 2), *(middle + size / 2)]
            if slot not in responsible:
                if max(overlap(mine, row) for row in rows_true) <= threshold:
                    part["no_object"] += cross_entropy(t[4], 0)
                continue
            true = responsible[slot]
            wanted = overlap(mine, true) if rescore else 1.0
            part["object"] += cross_entropy(t[4], wanted)
            if box == "mse":
                w, h = true[2] - true[0], true[3] - true[1]
                inside = np.array([
                    (true[0] + true[2]) / 2 / SIZE[1] * columns - c,
                    (true[1] + true[3]) / 2 / SIZE[0] * rows - r,
                ])  # fmt: skip
                errors = ((np.array([x, y]) - inside) ** 2).sum()
                errors += ((t[2:4] - np.log(np.array([w, h]) / anchor)) ** 2).sum()
                part["box"] += errors * (2 - w * h / (SIZE[0] * SIZE[1]))
            else:
                part["box"] += 1 - overlap(mine, true, generalized=box == "giou")
            if head.classes:
                logits = t[5:]
                if head.softmax:
                    part["class"] += np.log(np.exp(logits).sum()) - logits[int(true[4])]
                else:
                    part["class"] += cross_entropy(logits, np.eye(head.classes)[int(true[4])]).sum()
        parts.append(part)
    return {key: np.array([part[key] for part in parts]) for key in parts[0]}


def problem(head: Head, seed: int = 0) -> tuple[Any, Any]:
    """Targets and outputs of three pictures, one of them without boxes."""
    random = np.random.default_rng(seed)
    encoder = TargetEncoder([head], [GRID], SIZE, max_boxes=6, iou_threshold=0.3)
    targets = []
    for count in (5, 0, 3):
        corner = random.uniform(0, 50, (count, 2))
        boxes = np.concatenate([corner, corner + random.uniform(6, 40, (count, 2))], axis=1)
        boxes = np.minimum(boxes, [SIZE[1], SIZE[0]] * 2)
        labels = random.integers(0, max(head.classes, 1), count)
        targets.append(encoder(boxes, labels, np.arange(count) == 4)[0])
    outputs = random.normal(0, 0.7, (3, *GRID, head.channels)).astype(np.float32)
    return np.stack(targets), outputs


HEADS = {
    "v3": HEAD,
    "v2": Head(classes=3, anchors=HEAD.anchors, softmax=True),
    "one": Head(classes=0, anchors=HEAD.anchors),
}


@pytest.mark.parametrize("rescore", [False, True])
@pytest.mark.parametrize("box", ["iou", "giou", "mse"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_parts_and_gradients(head: Head, box: str, rescore: bool) -> None:
    targets, outputs = problem(head)
    loss = YOLOLoss(
        head, SIZE, box=box, ignore_threshold=0.35, rescore=rescore, reduction="sum",
        box_weight=2.0, object_weight=3.0, no_object_weight=0.5, class_weight=1.5,
    )  # fmt: skip
    weights = {"box": 2.0, "object": 3.0, "no_object": 0.5, "class": 1.5}
    wanted = loss_by_loops(head, targets, outputs.astype("f8"), box, 0.35, rescore)
    found = loss.parts(targets, outputs)
    assert (found["no_object"] > 0).all() and found["box"][1] == 0
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=2e-5, atol=1e-5, err_msg=key)
    total, gradient = fc.value_and_grad(lambda p, t: loss(t, p))(outputs, targets)
    assert float(total) == pytest.approx(
        sum(weights[key] * value.sum() for key, value in wanted.items()), rel=1e-5
    )
    if rescore:
        return  # the IoU counts as a constant there, which differences do not know

    def sum_of(p: Any) -> float:
        parts = loss_by_loops(head, targets, p, box, 0.35)
        return float(sum(weights[key] * value.sum() for key, value in parts.items()))

    random = np.random.default_rng(1)
    for _ in range(2):
        direction = random.normal(size=outputs.shape)
        step = 1e-6 * direction
        wide = outputs.astype("f8")
        slope = (sum_of(wide + step) - sum_of(wide - step)) / 2e-6
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("box", ["ciou", "diou", "giou", "iou", "mse"])
def test_a_step_makes_the_loss_smaller(box: str) -> None:
    targets, outputs = problem(HEAD)
    loss = YOLOLoss(HEAD, SIZE, box=box, label_smoothing=0.1)
    step = fc.value_and_grad(lambda p, t: loss(t, p))
    before, gradient = step(outputs, targets)
    assert np.isfinite(gradient).all()
    after, _ = step(outputs - 0.05 * gradient, targets)
    assert after < before


def test_a_network_with_two_heads_learns_one_picture() -> None:
    """The same box is found by what fit made of a small network."""
    fc.set_random_seed(0)
    heads = [Head(classes=2, anchors=[(8, 8)]), Head(classes=2, anchors=[(32, 24)])]
    x = image = fc.Input((64, 64, 3))
    outputs = []
    for head, strides in zip(heads, (8, 16), strict=True):
        y = fc.layers.Conv2D(64, strides, strides, activation="relu")(x)
        outputs.append(fc.layers.Conv2D(head.channels, 1)(y))
    model = fc.Model(image, outputs)
    model.heads = heads
    encoder = TargetEncoder.for_model(model, max_boxes=2)
    targets = encoder([[4, 4, 12, 13], [20, 30, 54, 52]], [0, 1])
    assert [int((t[:, 5] >= 0).sum()) for t in targets] == [1, 1]
    picture = np.random.default_rng(0).normal(0, 0.3, (1, 64, 64, 3)).astype(np.float32)
    model.compile(fc.optimizers.Adam(0.001), [YOLOLoss(head, (64, 64)) for head in heads])
    model.fit(picture, [t[None] for t in targets], epochs=120, verbose=0)
    boxes, scores = fc.detection.decode(model.predict(picture), heads, (64, 64))
    best = scores[0].max(1).argsort()[-2:]
    found = sorted(zip(scores[0][best].argmax(1).tolist(), boxes[0][best].tolist(), strict=True))
    assert [label for label, _ in found] == [0, 1]
    assert overlap(found[0][1], [4, 4, 12, 13]) > 0.8
    assert overlap(found[1][1], [20, 30, 54, 52]) > 0.8
    again = fc.losses.deserialize(
        from_json(to_json(fc.losses.serialize(YOLOLoss(HEAD, SIZE)))), {"YOLOLoss": YOLOLoss}
    )
    assert again.head == HEAD and again.input_size == SIZE


def test_who_is_responsible() -> None:
    small, large = (10, 10), (40, 40)
    heads = [Head(1, [small]), Head(1, [large, (20, 60)])]
    encoder = TargetEncoder(heads, [(8, 8), (4, 4)], (64, 64), max_boxes=4)
    first, second = encoder([[17, 1, 27, 11], [9, 40, 11, 50], [30, 30, 64, 64]], [0, 0, 0])
    assert first[:, 5].tolist() == [2, 41, -1, -1]
    assert second[:, 5].tolist() == [-1, -1, (2 * 4 + 2) * 2, -1]
    # Two boxes of one place: the second takes the next best anchor; a third of a cell with two
    # anchors in one head goes to the other head; ignored boxes take none.
    first, second = encoder([[30, 30, 64, 64]] * 4, [0] * 4, [False, True, False, False])
    assert second[:, 5].tolist() == [20, -1, 21, -1]
    assert first[:, 5].tolist() == [-1, -1, -1, 5 * 8 + 5]
    assert second[1, :4].tolist() == [30, 30, 64, 64]  # there, so that it is no mistake
    more = TargetEncoder([HEAD], [GRID], SIZE, max_boxes=2, iou_threshold=0.1)
    (target,) = more([[10, 10, 30, 28]], [2])
    assert target.shape == (4, 6) and sorted(target[:, 5]) == [-1, -1, 14, 15]
    (edge,) = more([[90, 60, 102, 68]], [0])  # a centre on the border is of the last cell
    assert edge[0, 5] in (46, 47)


def test_wrong_targets() -> None:
    encoder = TargetEncoder([HEAD], [GRID], SIZE, max_boxes=2)
    with pytest.raises(ShapeError, match="at most 2 boxes"):
        encoder(np.ones((3, 4)), [0, 0, 0])
    with pytest.raises(ShapeError, match="2 boxes and 1 labels"):
        encoder(np.ones((2, 4)), [0])
    with pytest.raises(ConfigError, match="classes from 0 to 2"):
        encoder([[0, 0, 1, 1]], [3])
    with pytest.raises(ConfigError, match="a grid for each head"):
        TargetEncoder([HEAD], [], SIZE)
    with pytest.raises(ConfigError, match="heads"):
        TargetEncoder.for_model(fc.Sequential([fc.Input((4, 4, 3)), fc.layers.Flatten()]))
    loss = YOLOLoss(HEAD, SIZE)
    with pytest.raises(ShapeError, match="predictions of shape"):
        loss(np.zeros((1, 2, 6)), np.zeros((1, 4, 6, 5)))
    with pytest.raises(ShapeError, match="targets of shape"):
        loss(np.zeros((1, 4, 6, 16)), np.zeros((1, 4, 6, 16)))
    for options in ({"box": "l1"}, {"box_weight": -1}, {"ignore_threshold": 2}):
        with pytest.raises(ConfigError, match="YOLOLoss"):
            YOLOLoss(HEAD, SIZE, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="activated"):
        YOLOLoss(Head(3, HEAD.anchors, activated=True), SIZE)


def test_anchors() -> None:
    random = np.random.default_rng(0)
    kinds = np.array([[10, 12], [40, 30], [90, 120]])
    sizes = kinds[random.integers(0, 3, 300)] * random.uniform(0.9, 1.1, (300, 2))
    anchors, iou = anchor_kmeans(sizes, 3)
    np.testing.assert_allclose(anchors, kinds, rtol=0.05)
    assert 0.85 < iou < 1
    corners = random.uniform(0, 50, (300, 2))
    again, _ = anchor_kmeans(np.concatenate([corners, corners + sizes], axis=1), 3, seed=0)
    np.testing.assert_allclose(again, anchors)
    assert anchor_kmeans(sizes, 1)[1] < anchor_kmeans(sizes, 2)[1] < iou
    with pytest.raises(ConfigError, match="at least 3 different"):
        anchor_kmeans([[1, 2], [1, 2], [3, 4]], 3)
    with pytest.raises(ConfigError, match="an area"):
        anchor_kmeans([[1, 0]], 1)
    with pytest.raises(ShapeError, match="boxes"):
        anchor_kmeans([1, 2, 3], 1)
