"""Average precision: pycocotools' numbers, and Pascal VOC's by their definition."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.detection import (
    DetectionDataset,
    Detections,
    Detector,
    Example,
    Examples,
    MeanAveragePrecision,
    TargetEncoder,
    YOLOLoss,
    evaluate_coco,
    evaluate_voc,
)
from fastcnn.errors import ConfigError, ShapeError
from tests.detection.test_detector import WHERE, scene, spotter

CLASSES = ["a", "b", "c"]


def random_pictures(seed: int) -> tuple[list[Detections], list[Example]]:
    """Whole numbers, so that IoUs are exactly thresholds; few scores, so that many are equal."""
    random = np.random.default_rng(seed)
    detections, examples = [], []
    for number in range(8):
        count = int(random.integers(0, 12))
        corners = random.integers(0, 60, (count, 2))
        sizes = random.choice([8, 10, 12, 20, 40, 110], (count, 2))
        boxes = np.concatenate([corners, corners + sizes], 1).astype(float)
        labels = random.integers(0, 2, count)
        crowd = random.random(count) < 0.2
        areas = sizes.prod(1) * random.choice([0.5, 1.0], count)
        examples.append(Example(f"{number}.jpg", boxes, labels, crowd=crowd, areas=areas))
        near = np.repeat(boxes, 2, axis=0) + random.integers(-3, 4, (2 * count, 4))
        lost = random.integers(0, 60, (int(random.integers(0, 4)), 2))
        found = np.concatenate([near, np.concatenate([lost, lost + 12], 1)])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        if number % 4 == 1:
            found = found[:0]
        scores = random.choice([0.1, 0.3, 0.5, 0.9, 0.95], len(found))
        detections.append(Detections(found, scores, random.integers(0, 2, len(found))))
    return detections, examples


def by_pycocotools(
    detections: list[Detections], examples: list[Example], limits: tuple[int, int, int]
) -> tuple[list[float], list[float]]:
    """The twelve numbers, and the average precision of each class."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")

    def xywh(box: Any) -> list[float]:
        return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

    annotations, results = [], []
    for image, (found, example) in enumerate(zip(detections, examples, strict=True)):
        for box, label, crowd, area in zip(
            example.boxes, example.labels, example.crowd, example.areas, strict=True
        ):
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": int(label),
                    "bbox": xywh(box), "iscrowd": int(crowd), "area": float(area),
                }
            )  # fmt: skip
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True):
            entry = {"image_id": image, "category_id": int(label), "bbox": xywh(box)}
            results.append({**entry, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(len(examples))],
            "annotations": annotations,
            "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES)],
        }
        truth.createIndex()
        judge = evaluation.COCOeval(truth, truth.loadRes(results), "bbox")
        judge.params.maxDets = list(limits)
        judge.evaluate()
        judge.accumulate()
    precision, recall = judge.eval["precision"], judge.eval["recall"]

    def mean(values: np.ndarray) -> float:
        known = values[values > -1]
        return float(known.mean()) if known.size else -1.0

    twelve = [
        mean(precision[..., 0, 2]), mean(precision[0, ..., 0, 2]), mean(precision[5, ..., 0, 2]),
        *(mean(precision[..., area, 2]) for area in (1, 2, 3)),
        *(mean(recall[..., 0, limit]) for limit in range(3)),
        *(mean(recall[..., area, 2]) for area in (1, 2, 3)),
    ]  # fmt: skip
    return twelve, [mean(precision[:, :, label, 0, 2]) for label in range(len(CLASSES))]


@pytest.mark.parametrize("limits", [(1, 10, 100), (1, 2, 5)])
@pytest.mark.parametrize("seed", range(12))
def test_coco_gives_the_numbers_of_pycocotools(seed: int, limits: tuple[int, int, int]) -> None:
    detections, examples = random_pictures(seed)
    twelve, of_classes = by_pycocotools(detections, examples, limits)
    result = evaluate_coco(detections, examples, CLASSES, max_detections=limits)
    mine = [
        result.ap, result.ap50, result.ap75, result.ap_small, result.ap_medium, result.ap_large,
        result.ar_1, result.ar_10, result.ar_100, result.ar_small, result.ar_medium,
        result.ar_large,
    ]  # fmt: skip
    np.testing.assert_allclose(mine, twelve, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.class_ap, of_classes, rtol=0, atol=1e-12)
    assert result.class_ap[2] == -1  # there is nothing of it


def voc_by_definition(
    detections: list[Detections], examples: list[Example], label: int, method: str
) -> float:
    """In the words of the development kit: one detection after the other."""
    entries = [
        (-float(score), image, box)
        for image, found in enumerate(detections)
        for box, score, own in zip(found.boxes, found.scores, found.labels, strict=True)
        if own == label
    ]
    entries.sort(key=lambda entry: entry[0])  # equal scores keep their order
    found_before: set[tuple[int, int]] = set()
    verdicts = []
    for _, image, box in entries:
        example = examples[image]
        best, which = -1.0, -1
        for j, (true, own) in enumerate(zip(example.boxes, example.labels, strict=True)):
            if own != label:
                continue
            w = min(box[2], true[2]) - max(box[0], true[0])
            h = min(box[3], true[3]) - max(box[1], true[1])
            if w <= 0 or h <= 0:
                continue
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, true)]
            overlap = w * h / (sum(areas) - w * h)
            if overlap > best:
                best, which = overlap, j
        if best >= 0.5:
            if example.difficult[which]:
                continue
            verdicts.append((image, which) not in found_before)
            found_before.add((image, which))
        else:
            verdicts.append(False)
    total = sum(int(((e.labels == label) & ~e.difficult).sum()) for e in examples)
    points, tp = [], 0
    for i, verdict in enumerate(verdicts):
        tp += verdict
        points.append((tp / total, tp / (i + 1)))
    if method == "11_points":
        levels = [k / 10 for k in range(11)]
        return sum(max((p for r, p in points if r >= v), default=0) for v in levels) / 11
    area, before = 0.0, 0.0
    for i, (recall, _) in enumerate(points):
        area += (recall - before) * max(p for _, p in points[i:])
        before = recall
    return area


@pytest.mark.parametrize("method", ["area", "11_points"])
@pytest.mark.parametrize("seed", range(6))
def test_voc_by_its_definition(seed: int, method: str) -> None:
    detections, examples = random_pictures(seed)
    examples = [Example(e.path, e.boxes, e.labels, difficult=e.crowd) for e in examples]
    result = evaluate_voc(detections, examples, CLASSES, method=method)
    wanted = [voc_by_definition(detections, examples, label, method) for label in (0, 1)]
    assert [c.average_precision for c in result.classes[:2]] == pytest.approx(wanted, abs=1e-12)
    assert result.mean_average_precision == pytest.approx(sum(wanted) / 2, abs=1e-12)
    assert result.classes[2].count == 0 and np.isnan(result.classes[2].average_precision)


def test_nothing_found_and_nothing_there() -> None:
    nothing = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    something = Detections(np.array([[0, 0, 5, 5]]), np.array([0.5]), np.array([0]))
    empty, full = Example("0", [], []), Example("1", [[0, 0, 5, 5]], [0])
    assert evaluate_coco([nothing], [full], ["a"]).ap == 0
    assert evaluate_voc([nothing], [full], ["a"]).mean_average_precision == 0
    assert evaluate_coco([something], [empty], ["a"]).ap == -1
    assert np.isnan(evaluate_voc([something], [empty], ["a"]).mean_average_precision)
    assert evaluate_coco([something, something], [empty, full], ["a"]).ap == 0.5


def test_arguments_that_do_not_fit() -> None:
    one = Detections(np.array([[0, 0, 5, 5]]), np.array([0.5]), np.array([3]))
    example = Example("0", [], [])
    for judge in (evaluate_coco, evaluate_voc):
        with pytest.raises(ShapeError, match="each of 1 examples, got 0"):
            judge([], [example], ["a"])
        with pytest.raises(ConfigError, match="labels from 0 to 0"):
            judge([one], [example], ["a"])
        with pytest.raises(ConfigError, match="class_names"):
            judge([one], [example])
    with pytest.raises(ConfigError, match="max_detections"):
        evaluate_coco([one], [example], CLASSES * 2, max_detections=(10, 1, 100))


def test_a_callback_that_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("PIL.Image")
    fc.io.save_image(tmp_path / "a.png", scene())
    examples = Examples(
        [Example(str(tmp_path / "a.png"), list(WHERE.values()), [0, 1])], ["red", "green"]
    )
    model = spotter()
    model.compile(fc.optimizers.SGD(0.0), YOLOLoss(model.heads[0], (64, 64)))
    encoder = TargetEncoder.for_model(model, max_boxes=2)
    batches = DetectionDataset(examples, encoder)
    judge = MeanAveragePrecision(Detector(model), examples, every=2)
    seen: list[dict] = []
    after = fc.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    model.fit(batches, epochs=3, callbacks=[judge, after], verbose=0)
    assert sorted(judge.results) == [1, 2]  # every second one, and the last
    assert [logs.get("val_map50", 0.0) for logs in seen] == pytest.approx([0, 1, 1])
    assert (
        "Epoch 2: mAP 1.000, at IoU 0.5 1.000 (red 1.000, green 1.000)" in capsys.readouterr().out
    )
