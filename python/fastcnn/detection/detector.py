"""From pictures to boxes: a network, what its outputs mean, and what is to be left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks
from fastcnn.applications.yolo import preprocess_input
from fastcnn.data._workers import ending, in_order
from fastcnn.data.dataset import default_workers
from fastcnn.detection.heads import Head, decode
from fastcnn.detection.placement import Placement, letterbox, stretch
from fastcnn.detection.suppression import METHODS, suppress
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.io.images import load_image
from fastcnn.layers import Input
from fastcnn.model import Model
from fastcnn.ops._dispatch import as_array

Picture = NDArray[Any]

_STRIDE = 32  # of networks that take pictures of any size


@dataclass(frozen=True)
class Detections:
    """What was found in a picture, the surest first.

    Attributes
    ----------
    boxes : array, float32, shape (n, 4)
        (x1, y1, x2, y2) in pixels of the picture.
    scores : array, float32, shape (n,)
        In [0, 1].
    labels : array, int64, shape (n,)
        The numbers of the classes.
    names : tuple of str
        The names of all classes; () if they are not known.

    Examples
    --------
    >>> found = Detections(np.array([[0, 0, 4, 4]]), np.array([0.9]), np.array([1]), ("cat", "dog"))
    >>> len(found), found.name(0)
    (1, 'dog')
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.boxes)

    def name(self, index: int) -> str:
        """Tell what the box of this index holds: its class's name, or its number."""
        label = int(self.labels[index])
        return self.names[label] if label < len(self.names) else str(label)

    def draw(self, image: Picture) -> Picture:
        """Draw the boxes into a picture, with names and scores, a colour for each class.

        See `fastcnn.visualize.draw_bounding_boxes`.
        """
        from fastcnn.visualize import class_color, draw_bounding_boxes

        order = range(len(self))[::-1]  # the surest last, over all others
        texts = [f"{self.name(i)} {self.scores[i]:.2f}" for i in order]
        colors = [class_color(int(self.labels[i])) for i in order]
        return draw_bounding_boxes(image, self.boxes[order], texts, colors)

    def get_config(self) -> list[dict[str, Any]]:
        """Give one description a box in plain data, for JSON."""
        return [
            {
                "box": [round(float(side), 2) for side in self.boxes[i]],
                "score": round(float(self.scores[i]), 6),
                "label": int(self.labels[i]),
                "name": self.name(i),
            }
            for i in range(len(self))
        ]


class Detector:
    """Finds objects in pictures with a network of YOLO's kind.

    Parameters
    ----------
    model : Model
        One with heads: of `fastcnn.applications`, `fastcnn.io.load_darknet`, or any other whose
        outputs `heads` describes.
    names : sequence of str, optional
        Of the classes; the model's ``class_names`` unless given.
    heads : sequence of Head, optional
        The model's unless given.
    size : (int, int), optional
        Height and width of the pictures given to the network, for a model that takes any; the
        model's own unless given, else 416 x 416.
    preprocess : callable, optional
        From RGB pictures (n, height, width, 3) of 0 to 255 to the network's input; they are divided
        by 255 unless given.
    resize : {"letterbox", "stretch"}
        See `letterbox`. "stretch" is what Darknet's newer networks are trained with.

    Raises
    ------
    ConfigError
        The model has no heads, or an argument is out of its range.
    ShapeError
        The model does not take one RGB picture.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.applications.TinyYOLOv2(classes=2, input_shape=(64, 64, 3))
    >>> detector = Detector(model, ["cat", "dog"])
    >>> (found,) = detector(np.zeros((48, 80, 3), np.uint8), score_threshold=0.9)
    >>> found.boxes.shape
    (0, 4)
    """

    def __init__(
        self,
        model: Model,
        names: Sequence[str] | None = None,
        *,
        heads: Sequence[Head] | None = None,
        size: tuple[int, int] | None = None,
        preprocess: Callable[[Picture], Any] = preprocess_input,
        resize: str = "letterbox",
    ) -> None:
        self.model = model
        self.heads = tuple((model.heads if heads is None else heads) or ())
        if not self.heads:
            raise ConfigError(
                f'model "{model.name}" does not say what its outputs mean; give heads=[Head(...)]'
            )
        given = model.class_names if names is None else names
        if isinstance(given, str):
            raise ConfigError(f"Detector: names: expected a sequence of names, got {given!r}")
        self.names = tuple(given or ())
        self.preprocess = preprocess
        self.resize = _checks.one_of("Detector", "resize", resize, ("letterbox", "stretch"))
        self.size = self._input_size(size)
        self._decoder: Model | None = None

    def _input_size(self, size: tuple[int, int] | None) -> tuple[int, int]:
        shape = self.model.input_shape
        if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (3, None):
            raise ShapeError(
                f'model "{self.model.name}": expected an input (n, height, width, 3), got {shape}'
            )
        wanted = (416, 416) if size is None else tuple(size)
        if len(wanted) != 2:
            raise ConfigError(f"Detector: size: expected (height, width), got {size!r}")
        for side, own in zip(wanted, shape[1:3], strict=True):
            _checks.positive_int("Detector", "size", side)
            if size is not None and own not in (None, side):
                raise ConfigError(f"Detector: the model takes pictures of {shape[1:3]}, not {size}")
        height, width = (own or side for own, side in zip(shape[1:3], wanted, strict=True))
        return height, width

    def __call__(self, images: Any, **options: Any) -> list[Detections]:
        """Find objects in pictures.

        Parameters
        ----------
        images : picture, path, or sequence of them
            Arrays (height, width, 3) of 0 to 255, of any sizes, a batch (n, height, width, 3), or
            files.
        **options
            As of `stream`.

        Returns
        -------
        list of Detections
            One for each picture, also if only one was given.

        Raises
        ------
        ShapeError, DTypeError
            What was given is no picture.
        FileFormatError, FileAccessError
            A file cannot be read.
        ConfigError
            An argument is out of its range.
        """
        return list(self.stream(_pictures(images), **options))

    def stream(
        self,
        images: Iterable[Any],
        *,
        score_threshold: float = 0.25,
        iou_threshold: float = 0.45,
        nms: str = "hard",
        max_detections: int = 300,
        multi_label: bool = False,
        batch_size: int = 8,
    ) -> Iterator[Detections]:
        """Find objects in pictures, one after the other; files are read in threads meanwhile.

        Parameters
        ----------
        images : iterable of pictures or paths
        score_threshold : float, default 0.25
            Boxes of no greater score are left out.
        iou_threshold : float, default 0.45
            Of two boxes of a class that overlap more, one is left out.
        nms : {"hard", "soft", "soft_linear", "diou", "matrix", "wbf", "none"}
            How: `fastcnn.ops.batched_nms`, `soft_nms`, `matrix_nms`, `weighted_boxes_fusion`; not.
            "soft" and "matrix" lower scores, and need no `iou_threshold`.
        max_detections : int, default 300
            Those of the highest scores.
        multi_label : bool, default False
            Whether a box may be of several classes, each whose score is high enough. Measures such
            as mAP want it.
        batch_size : int, default 8
            Pictures computed at once.

        Yields
        ------
        Detections
        """
        _checks.one_of("detect", "nms", nms, METHODS)
        score_threshold = _checks.number("detect", "score_threshold", score_threshold, 0.0, 1.0)
        iou_threshold = _checks.number("detect", "iou_threshold", iou_threshold, 0.0, 1.0)
        _checks.positive_int("detect", "max_detections", max_detections)
        _checks.positive_int("detect", "batch_size", batch_size)

        def detections(batch: list[tuple[Picture, Placement]]) -> Iterator[Detections]:
            outputs = self.model.predict(self.preprocess(np.stack([p for p, _ in batch])))
            boxes, scores = self._decode(outputs)
            for i, (_, placement) in enumerate(batch):
                b, s, labels = _candidates(boxes[i], scores[i], score_threshold, multi_label)
                b = placement.undo_boxes(b)
                # Outside of the picture; NaN, too.
                within = (b[:, 2:] > b[:, :2]).all(axis=1)
                found = suppress(
                    b[within], s[within], labels[within], nms, iou_threshold, score_threshold,
                    max_detections,
                )  # fmt: skip
                yield Detections(*found, self.names)

        workers = default_workers()
        with ending(in_order(self._place, images, workers, 2 * batch_size)) as placed:
            batch: list[tuple[Picture, Placement]] = []
            for item in placed:
                batch.append(item)
                if len(batch) == batch_size:
                    yield from detections(batch)
                    batch = []
            if batch:
                yield from detections(batch)

    def _decode(self, outputs: Any) -> Any:
        """As `decode`, in one plan."""
        if self._decoder is None:
            given = outputs if isinstance(outputs, list) else [outputs]
            inputs = [Input(y.shape[1:]) for y in given]
            self._decoder = Model(inputs, list(decode(inputs, self.heads, self.size)))
        return self._decoder.predict(outputs)

    def _place(self, image: Any) -> tuple[Picture, Placement]:
        picture = _picture(image)
        if self.resize == "stretch":
            return stretch(picture, self.size)
        return letterbox(picture, self.size)


def _pictures(images: Any) -> Iterable[Any]:
    if isinstance(images, (str, os.PathLike)):
        return [images]
    if isinstance(images, (list, tuple)):
        return images
    array = images if isinstance(images, np.ndarray) else as_array(images, None)
    if array.ndim not in (3, 4):
        raise ShapeError(
            f"expected a picture (height, width, 3) or a batch of them, got shape {array.shape}"
        )
    return [array] if array.ndim == 3 else list(array)


def _picture(image: Any) -> Picture:
    if isinstance(image, (str, os.PathLike)):
        return load_image(image)
    array = image if isinstance(image, np.ndarray) else as_array(image, None)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ShapeError(f"expected a picture (height, width, 3), got shape {array.shape}")
    if array.dtype != np.uint8 and array.dtype.kind not in "iuf":
        raise DTypeError(f"expected a picture of numbers from 0 to 255, got {array.dtype}")
    return array if array.dtype == np.uint8 else array.astype(np.float32)


def _candidates(
    boxes: Picture, scores: Picture, threshold: float, multi_label: bool
) -> tuple[Picture, Picture, NDArray[np.int64]]:
    """Boxes with a class that is sure enough; a NaN never is."""
    if multi_label:
        which, labels = np.nonzero(scores > threshold)
        return boxes[which], scores[which, labels], labels.astype(np.int64)
    labels = scores.argmax(axis=-1).astype(np.int64)
    best = np.take_along_axis(scores, labels[:, None], axis=-1)[:, 0]
    sure = best > threshold
    return boxes[sure], best[sure], labels[sure]
