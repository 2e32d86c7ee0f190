"""Batches of pictures and targets for detectors, made by threads while the network computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _checks
from fastcnn._optional import import_optional
from fastcnn.applications.yolo import preprocess_input
from fastcnn.data._order import Purpose, generator
from fastcnn.data._workers import ending, in_order
from fastcnn.data.arrays import Samples
from fastcnn.data.dataset import default_workers
from fastcnn.data.images import find_readable, refuse_damaged
from fastcnn.detection.augmentation import Augmentation
from fastcnn.detection.examples import Examples
from fastcnn.detection.placement import letterbox
from fastcnn.detection.targets import TargetEncoder
from fastcnn.errors import ConfigError, FileAccessError, FileFormatError
from fastcnn.io.images import load_image

Targets = list[NDArray[np.float32]]


class DetectionDataset(Samples):
    """Pictures with boxes as batches that a detector is trained with.

    Each picture is resized to the size of the network's input, its proportions kept, in the middle
    of grey; or changed at random by an `Augmentation`, in another way in every epoch.

    Parameters
    ----------
    examples : Examples
    encoder : TargetEncoder
        Makes the targets; it knows the size of the pictures.
    batch_size : int, default 8
    augment : Augmentation, optional
    shuffle : bool, default False
    seed : int, optional
        Order and changes are a function of it, of the epoch and of the picture.
    preprocess : callable
        From RGB pictures (n, height, width, 3) of 0 to 255 to the network's input, as of
        `Detector`; they are divided by 255 unless given.
    drop_remainder : bool, default False
        Leave out the last batch when it is smaller.
    on_error : {"raise", "skip"}, default "raise"
        What to do about pictures that cannot be read: raise when the batch is reached that needs
        them; or read every picture once, now, leave those out and warn with the list of them.
    workers : int, optional
        The number of threads; as many as compute unless given, 0 for none. Order and content do
        not depend on it.
    prefetch : int, default 2
        How many batches are made ahead of their use, at most.

    Notes
    -----
    Elements are ``(pictures, targets)``: float32 of shape (n, height, width, 3), and what the
    encoder makes, of shape (n, rows, 6), or a list of them for several heads. Difficult boxes,
    crowds and what is hardly seen are neither to be found nor a mistake.

    Raises
    ------
    ConfigError
        There are no examples, or they have other classes than the encoder.
    FileFormatError
        When it is gone through: pictures cannot be read; the message names them.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> from fastcnn.detection import DetectionDataset, Example, Examples, Head, TargetEncoder
    >>> fc.io.save_image("1.png", np.zeros((48, 64, 3), np.uint8))
    >>> examples = Examples([Example("1.png", [[0, 0, 32, 24]], [0])], ["square"])
    >>> encoder = TargetEncoder([Head(1, [(16, 16)])], [(2, 2)], (32, 32), max_boxes=1)
    >>> for pictures, targets in DetectionDataset(examples, encoder):
    ...     print(pictures.shape, targets.tolist())
    (1, 32, 32, 3) [[[0.0, 4.0, 16.0, 16.0, 0.0, 0.0]]]
    """

    def __init__(
        self,
        examples: Examples,
        encoder: TargetEncoder,
        batch_size: int = 8,
        augment: Augmentation | None = None,
        shuffle: bool = False,
        seed: int | None = None,
        preprocess: Callable[[Any], Any] = preprocess_input,
        drop_remainder: bool = False,
        on_error: str = "raise",
        workers: int | None = None,
        prefetch: int = 2,
    ) -> None:
        who = "DetectionDataset"
        import_optional("PIL.Image", extra="images")
        _checks.one_of(who, "on_error", on_error, ("raise", "skip"))
        threads = default_workers() if workers is None else workers
        self._workers = _checks.positive_int(who, "workers", threads, 0)
        self._prefetch = _checks.positive_int(who, "prefetch", prefetch)
        if not len(examples):
            raise ConfigError(f"{who}: expected at least one example, got none")
        classes = max(encoder.heads[0].classes, 1)
        if len(examples.class_names) != classes:
            raise ConfigError(
                f"{who}: expected examples of the {classes} classes of the encoder's heads, got "
                f"{examples.class_names}"
            )
        if on_error == "skip":
            paths = [example.path for example in examples]
            examples = examples.only(find_readable(who, paths, self._workers))
        # Also without an order of its own an epoch has changes of its own: a seed is needed.
        super().__init__(len(examples), batch_size, True, seed, drop_remainder)
        self._shuffle = bool(shuffle)
        self.examples = examples
        self.class_names = list(examples.class_names)
        self._encoder = encoder
        self._augment = augment
        self._preprocess = preprocess
        self._skipped = on_error == "skip"
        self._kept: list[NDArray[np.uint8] | None] | None = None

    def cache(self) -> DetectionDataset:
        """Make a data set that keeps the pictures, decoded, when they were read once.

        They take a byte for each number. Order and changes still differ from epoch to epoch.
        """
        made = object.__new__(DetectionDataset)
        vars(made).update(vars(self), _kept=[None] * len(self.examples))
        return made

    def elements(self, epoch: int) -> Iterator[Any]:
        """Iterate over the batches of an epoch."""
        size = self._encoder.input_size

        def tasks() -> Iterator[tuple[NDArray[np.float32], int, int, int]]:
            for indices in self.indices(epoch):
                room = np.empty((len(indices), *size, 3), np.float32)
                for where, index in enumerate(indices):
                    yield room, where, int(index), epoch

        ahead = self.batch_size * self._prefetch
        with ending(in_order(self._make, tasks(), self._workers, ahead)) as made:
            for indices in self.indices(epoch):
                done = [next(made) for _ in indices]
                refuse_damaged([x for _, x in done if isinstance(x, Exception)], self._skipped)
                targets = [
                    np.stack(parts)
                    for parts in zip(*(x for _, x in done if isinstance(x, list)), strict=True)
                ]
                yield done[0][0], targets[0] if len(targets) == 1 else targets

    def _make(
        self, task: tuple[NDArray[np.float32], int, int, int]
    ) -> tuple[NDArray[np.float32], Targets | Exception]:
        """Put a picture into its place in a batch, and make its targets."""
        room, where, index, epoch = task
        example = self.examples[index]
        try:
            picture = self._load(index)
        except (FileFormatError, FileAccessError) as error:
            return room, error
        size = self._encoder.input_size
        if self._augment is None:
            picture, placement = letterbox(picture, size)
            boxes = example.boxes * (placement.scale * 2) + placement.offset * 2
            visible = np.ones(len(boxes))
            least = 0.0
        else:
            random = generator(self._seed, Purpose.SAMPLE, epoch, index)
            picture, boxes, visible = self._augment(picture, example.boxes, size, random)
            least = self._augment.min_visible
        room[where] = self._preprocess(picture[None])[0]
        there = visible > 0
        ignored = example.difficult | example.crowd | (visible < least)
        return room, self._encoder(boxes[there], example.labels[there], ignored[there])

    def _load(self, index: int) -> NDArray[np.uint8]:
        picture = None if self._kept is None else self._kept[index]
        if picture is None:
            picture = load_image(self.examples[index].path)
            if self._kept is not None:
                self._kept[index] = picture
        return picture
