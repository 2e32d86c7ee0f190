"""What is where? YOLO finds the objects in a photo; its last steps by hand, then by the library.

The network divides the photo into cells. For each cell and each of a few typical shapes ("anchors")
it says where a box is, whether there is an object in it at all, and which. That makes hundreds of
boxes. Three steps leave the right ones: filter by score, measure how much two boxes overlap, and
non-maximum suppression.

    python examples/detect_objects.py --picture street.jpg --output boxes.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _data import folder, make_folder, options_of

import fastcnn as fc


def filter_boxes(
    boxes: np.ndarray, scores: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the boxes whose best class is sure enough: of (n, 4) boxes and (n, classes) scores."""
    labels = scores.argmax(axis=-1)
    best = scores.max(axis=-1)
    sure = best > threshold
    return boxes[sure], best[sure], labels[sure]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (x1, y1, x2, y2)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


def non_max_suppression(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, iou_threshold: float
) -> list[int]:
    """Take boxes, the surest first, unless one of that class that was taken overlaps too much."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        rivals = [k for k in kept if labels[k] == labels[i]]
        if all(iou(boxes[i], boxes[k]) <= iou_threshold for k in rivals):
            kept.append(int(i))
    return kept


def detect_by_hand(
    model: fc.Model, image: np.ndarray, threshold: float, iou_threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From a picture (height, width, 3) of bytes to boxes, scores and classes."""
    size = model.input_shape[1:3]
    # The network takes pictures of one size, and was trained on ones that were stretched to it.
    picture, placement = fc.detection.stretch(image, size)
    outputs = model.predict(picture[None] / np.float32(255))
    # In each cell, for each anchor: x, y, width, height, objectness, classes. `decode` makes boxes
    # in pixels of the network's input, and scores, of them all.
    boxes, scores = fc.detection.decode(outputs, model.heads, size)
    print(f"  {boxes.shape[1]} boxes of {scores.shape[2]} classes")
    boxes, scores, labels = filter_boxes(boxes[0], scores[0], threshold)
    print(f"  {len(boxes)} of a score above {threshold}")
    boxes = placement.undo_boxes(boxes)  # in pixels of the photo
    kept = non_max_suppression(boxes, scores, labels, iou_threshold)
    print(f"  {len(kept)} that say something new")
    return boxes[kept], scores[kept], labels[kept]


def main(
    picture: Any = None, output: str | None = None, cfg: Any = None
) -> fc.detection.Detections:
    """Detect the objects in a photo both ways, and return what the library found."""
    if output:
        make_folder(Path(output).parent)
    data = folder("detection")
    cfg = Path(cfg or data.parents[1] / "weights" / "yolo_fastest" / "yolo-fastest-1.1-xl.cfg")
    model = fc.io.load_darknet(cfg, cfg.with_suffix(".weights"))
    names = (data / "coco_classes.txt").read_text().strip().split("\n")
    image = fc.io.load_image(picture or data / "dog.jpg")

    print("by hand:")
    boxes, scores, labels = detect_by_hand(model, image, threshold=0.6, iou_threshold=0.45)

    print("by the library:")
    detector = fc.detection.Detector(model, names, resize="stretch")
    (found,) = detector(image, score_threshold=0.6, iou_threshold=0.45)
    for i, box in enumerate(found.boxes):
        corners = ", ".join(f"{side:.0f}" for side in box)
        print(f"  {found.name(i):<14} {found.scores[i]:.2f}  {corners}")
    same = np.array_equal(labels, found.labels) and all(
        np.allclose(a, b, atol=1e-3) for a, b in ((boxes, found.boxes), (scores, found.scores))
    )
    print("both found the same" if same else "they differ!")
    if output:
        fc.io.save_image(output, found.draw(image))
    return found


if __name__ == "__main__":
    parser = options_of(__doc__)
    parser.add_argument("--picture", help="a photo; one of a dog, a bicycle and a car if not given")
    parser.add_argument("--cfg", help="a network of Darknet for COCO, beside its .weights")
    parser.add_argument("--output", help="draw the boxes to this picture")
    options = parser.parse_args()
    main(options.picture, options.output, options.cfg)
