"""What is where? A detector of Darknet finds objects in a photo, and draws boxes around them.

The networks' last convolutions say, for each cell of a grid and each of a few typical shapes
("anchors"), where a box is, whether it holds an object at all, and which. `find_boxes` turns these
numbers into boxes, and leaves out those that say the same again.

    python examples/detect_objects.py yolo-fastest-1.1.cfg yolo-fastest-1.1.weights dog.jpg \
        --names coco.names --output boxes.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastcnn as fc


class Detection(NamedTuple):
    """A box in pixels of the picture, how sure the network is, and the number of the class."""

    box: tuple[float, float, float, float]
    score: float
    label: int


def sigmoid(x: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(x / 2)) / 2  # exp(-x) could overflow


def decode(output: np.ndarray, head: dict[str, Any], size: tuple[int, int]) -> tuple[Any, Any]:
    """Turn what a head is given for one picture into boxes (n, 4) and scores (n, classes).

    The boxes are (left, top, right, bottom) in pixels of the network's input, of height and width
    `size`.
    """
    rows, columns, _ = output.shape
    anchors = np.asarray(head["anchors"], np.float32)
    x = output.reshape(rows, columns, len(anchors), -1)
    places, sizes, objectness, classes = np.split(x, [2, 4, 5], axis=-1)
    if head["activated"]:  # the network has computed probabilities itself
        wide = (2 * sizes) ** 2 * anchors
    else:
        places, objectness = sigmoid(places), sigmoid(objectness)
        wide = np.exp(sizes) * anchors
        if head["softmax"]:  # one class of all
            powers = np.exp(classes - classes.max(-1, keepdims=True, initial=0))
            classes = powers / powers.sum(-1, keepdims=True)
        else:  # each class by itself
            classes = sigmoid(classes)
    places = places * head["scale_xy"] - (head["scale_xy"] - 1) / 2
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)[:, :, None]
    middle = (places + cells) * (size[1] / columns, size[0] / rows)
    boxes = np.concatenate([middle - wide / 2, middle + wide / 2], axis=-1).reshape(-1, 4)
    scores = objectness * classes if classes.shape[-1] else objectness
    return boxes, scores.reshape(len(boxes), -1)


def find_boxes(
    model: fc.Model, image: np.ndarray, threshold: float = 0.5, iou_threshold: float = 0.45
) -> list[Detection]:
    """Find objects in a picture (height, width, 3) of bytes, the surest first."""
    height, width = image.shape[:2]
    size = model.input_shape[1:3]
    x = fc.io.resize_image(image, size).astype(np.float32)[None] / 255
    outputs = model.predict(x)
    decoded = [
        decode(output[0], head, size)
        for output, head in zip(
            outputs if isinstance(outputs, list) else [outputs], model.heads, strict=True
        )
    ]
    boxes = np.concatenate([b for b, _ in decoded]) / (size[1], size[0], size[1], size[0])
    boxes = fc.ops.clip_boxes_to_image(boxes * (width, height, width, height), (height, width))
    scores = np.concatenate([s for _, s in decoded])
    labels, best = scores.argmax(-1), scores.max(-1)
    sure = best >= threshold
    boxes, labels, best = boxes[sure], labels[sure], best[sure]
    kept = fc.ops.batched_nms(boxes, best, labels, iou_threshold)
    return [Detection(tuple(boxes[i].tolist()), float(best[i]), int(labels[i])) for i in kept]


def draw(image: np.ndarray, found: list[Detection], names: list[str]) -> Any:
    """Draw the boxes; the result is a picture of Pillow."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    for box, score, label in found:
        pen.rectangle(box, outline="yellow", width=3)
        name = names[label] if label < len(names) else str(label)
        pen.text((box[0] + 4, box[1] + 4), f"{name} {score:.2f}", fill="yellow")
    return picture


def main() -> None:
    """Detect objects in the picture of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("cfg")
    parser.add_argument("weights")
    parser.add_argument("picture")
    parser.add_argument("--names", help="a file with the name of a class in each line")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--output", help="draw the boxes to this picture")
    options = parser.parse_args()
    model = fc.io.load_darknet(options.cfg, options.weights)
    names = Path(options.names).read_text().split("\n") if options.names else []
    image = fc.io.load_image(options.picture)
    found = find_boxes(model, image, options.threshold)
    for box, score, label in found:
        name = names[label] if label < len(names) else str(label)
        print(f"{name:<14} {score:.2f}  " + ", ".join(f"{side:.0f}" for side in box))
    if options.output:
        draw(image, found, names).save(options.output)


if __name__ == "__main__":
    main()
