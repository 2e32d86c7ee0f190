"""Pictures and their masks in two folders, changed together by threads while a network computes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import number, positive_int
from fastcnn._optional import import_optional
from fastcnn.data._folders import list_pictures
from fastcnn.data._order import Purpose, check_seed, epoch_order, generator
from fastcnn.data._workers import ending, in_order
from fastcnn.data.dataset import Dataset, default_workers
from fastcnn.errors import ConfigError, FileFormatError, MissingFileError
from fastcnn.io._files import StrPath
from fastcnn.io.images import load_image
from fastcnn.io.masks import Colours, checked_palette, load_mask
from fastcnn.io.resize import resize_image

__all__ = ["MaskDataset", "mask_dataset_from_directories"]

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8]

_NAMED = 5  # files in a message


class Augmentation(NamedTuple):
    """How pictures and masks are changed at random; see `mask_dataset_from_directories`."""

    flip: bool
    scale: tuple[float, float]
    crop: tuple[int, int] | None


class MaskDataset(Dataset):
    """Pictures and their masks, a batch at a time; `mask_dataset_from_directories` makes it.

    Attributes
    ----------
    image_paths, mask_paths : list of str
        In the order of the batches unless they are shuffled.
    num_classes : int
    ignore_class : int or None
    batch_size : int
    """

    def __init__(
        self,
        image_paths: Sequence[str],
        mask_paths: Sequence[str],
        num_classes: int,
        ignore_class: int | None,
        *,
        palette: NDArray[np.uint8] | None,
        image_size: tuple[int, int] | None,
        multiple: int,
        augmentation: Augmentation,
        batch_size: int,
        shuffle: bool,
        seed: int,
        workers: int,
        prefetch: int,
    ) -> None:
        self.image_paths = list(image_paths)
        self.mask_paths = list(mask_paths)
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.batch_size = batch_size
        self._palette = palette
        self._image_size = image_size
        self._multiple = multiple
        self._augmentation = augmentation
        self._shuffle = shuffle
        self._seed = seed
        self._workers = workers
        self._prefetch = prefetch
        self._kept: list[tuple[Picture, Mask] | None] | None = None

    def __len__(self) -> int:
        return -(-len(self.image_paths) // self.batch_size)

    def cache(self) -> MaskDataset:
        """Make a data set that keeps pictures and masks, decoded, when they were read once.

        They take four bytes for each pixel. Orders and changes still differ from epoch to epoch.
        """
        made = object.__new__(MaskDataset)
        vars(made).update(vars(self), _kept=[None] * len(self.image_paths))
        return made

    def masks(self) -> Iterator[Mask]:
        """Iterate over the masks as they are in their files, in the order of `mask_paths`."""
        every = range(len(self.mask_paths))
        yield from in_order(self._mask, every, self._workers, 2 * max(self._workers, 1))

    def elements(self, epoch: int) -> Iterator[tuple[NDArray[np.float32], Mask]]:
        """Iterate over the batches of an epoch: pictures, and masks."""
        count = len(self.image_paths)
        order = epoch_order(count, self._shuffle, self._seed, epoch)
        # Drawn here for all samples, so that nothing depends on which thread is first.
        draws = generator(self._seed, Purpose.AUGMENT, epoch).random((count, 4))
        tasks = ((int(index), draws[index]) for index in order)
        ahead = self.batch_size * self._prefetch
        with ending(in_order(self._load, tasks, self._workers, ahead)) as loaded:
            for start in range(0, count, self.batch_size):
                size = min(self.batch_size, count - start)
                pictures, masks = zip(*(next(loaded) for _ in range(size)), strict=True)
                self._check_sizes(order[start : start + size], pictures)
                room = np.empty((size, *pictures[0].shape), np.float32)
                for place, picture in zip(room, pictures, strict=True):
                    place[...] = picture
                yield room, np.stack(masks)

    def _check_sizes(self, indices: NDArray[np.intp], pictures: Sequence[Picture]) -> None:
        for index, picture in zip(indices, pictures, strict=True):
            if picture.shape != pictures[0].shape:
                raise ConfigError(
                    f"{self.image_paths[index]}: is of {_size(picture)} pixels, but "
                    f"{self.image_paths[indices[0]]}, of the same batch, of {_size(pictures[0])}: "
                    "bring them to one size by image_size or crop, or take batch_size=1"
                )

    def _mask(self, index: int) -> Mask:
        if self._kept is not None and (known := self._kept[index]) is not None:
            return known[1]
        path = self.mask_paths[index]
        mask = load_mask(path, self._palette)
        there = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
        strange = [int(n) for n in there if n >= self.num_classes and n != self.ignore_class]
        if strange:
            void = "" if self.ignore_class is None else f", and {self.ignore_class} to be ignored"
            raise FileFormatError(
                f"{path}: expected numbers of classes from 0 to {self.num_classes - 1}{void}; got "
                f"{', '.join(map(str, strange[:_NAMED]))} in "
                f"{int(np.isin(mask, strange).sum())} pixels"
            )
        return mask

    def _pair(self, index: int) -> tuple[Picture, Mask]:
        """The picture and the mask of a number, as they are in their files."""
        if self._kept is not None and (known := self._kept[index]) is not None:
            return known
        picture, mask = load_image(self.image_paths[index]), self._mask(index)
        if picture.shape[:2] != mask.shape:
            raise FileFormatError(
                f"{self.mask_paths[index]}: a mask of {_size(mask)} pixels, but its picture "
                f"{self.image_paths[index]} has {_size(picture)}"
            )
        if self._kept is not None:
            self._kept[index] = picture, mask
        return picture, mask

    def _load(self, task: tuple[int, NDArray[np.float64]]) -> tuple[Picture, Mask]:
        index, (flip, scale, down, across) = task
        picture, mask = self._pair(index)
        change = self._augmentation
        height, width = self._image_size or mask.shape
        lower, upper = change.scale
        if lower != upper or lower != 1:  # by its logarithm, so that half is as likely as double
            factor = lower * (upper / lower) ** scale
            height, width = (max(round(side * factor), 1) for side in (height, width))
        if (height, width) != mask.shape:
            picture = resize_image(picture, (height, width))
            mask = resize_image(mask, (height, width), "nearest")
        if change.flip and flip < 0.5:
            picture, mask = picture[:, ::-1], mask[:, ::-1]
        if change.crop is not None:
            picture, mask = self._cut(index, picture, mask, change.crop, (down, across))
        target = [-(-side // self._multiple) * self._multiple for side in mask.shape]
        return self._padded(picture, mask, (target[0], target[1]), (0.0, 0.0))

    def _cut(
        self,
        index: int,
        picture: Picture,
        mask: Mask,
        size: tuple[int, int],
        draws: tuple[float, float],
    ) -> tuple[Picture, Mask]:
        """A part of a picture at a random place; what lies beyond its border is ignored."""
        wanted = max(size[0], mask.shape[0]), max(size[1], mask.shape[1])
        if wanted != mask.shape and self.ignore_class is None:
            raise ConfigError(
                f"{self.image_paths[index]}: of {_size(mask)} pixels here, smaller than the crop "
                f"of {size[0]} x {size[1]}; what is added needs an ignore_class"
            )
        picture, mask = self._padded(picture, mask, wanted, draws)
        top, left = (
            int((side - part + 1) * draw)
            for side, part, draw in zip(mask.shape, size, draws, strict=True)
        )
        where = slice(top, top + size[0]), slice(left, left + size[1])
        return picture[where], mask[where]

    def _padded(
        self, picture: Picture, mask: Mask, size: tuple[int, int], draws: tuple[float, float]
    ) -> tuple[Picture, Mask]:
        """Go on beyond the border: pixels as in a mirror, in the mask what is to be ignored."""
        missing = [n - side for n, side in zip(size, mask.shape, strict=True)]
        if not any(missing):
            return picture, mask
        before = [int((n + 1) * draw) for n, draw in zip(missing, draws, strict=True)]
        margins = [(b, n - b) for b, n in zip(before, missing, strict=True)]
        void = self.ignore_class
        assert void is not None
        return (
            np.pad(picture, (*margins, (0, 0)), mode="symmetric"),
            np.pad(mask, margins, constant_values=void),
        )


def _size(picture: NDArray[Any]) -> str:
    return f"{picture.shape[0]} x {picture.shape[1]}"


def mask_dataset_from_directories(
    images: StrPath,
    masks: StrPath,
    num_classes: int,
    *,
    ignore_class: int | None = None,
    palette: Colours | None = None,
    image_size: tuple[int, int] | None = None,
    pad_to_multiple: int = 1,
    flip: bool = False,
    scale: tuple[float, float] = (1.0, 1.0),
    crop: tuple[int, int] | None = None,
    batch_size: int = 8,
    shuffle: bool = True,
    seed: int | None = None,
    workers: int | None = None,
    prefetch: int = 2,
) -> MaskDataset:
    """Make a data set of a folder of pictures and a folder of masks, which have the same names.

    What is random is a function of seed, epoch and picture only, and the same for both.

    Parameters
    ----------
    images, masks : str or os.PathLike
        ``images/street/1.jpg`` belongs to ``masks/street/1.png``; see `fastcnn.io.load_mask`.
    num_classes : int
        Masks have numbers from 0 to num_classes - 1.
    ignore_class : int, optional
        A number from 0 to 255 that masks may have, too: void. Losses and metrics take it as their
        `ignore_class`.
    palette : array of shape (classes, 3), optional
        The colours of the classes, of masks in colour.
    image_size : (int, int), optional
        The ``(height, width)`` that pictures and masks are resized to; of masks no pixel is mixed.
    pad_to_multiple : int, default 1
        Go on beyond the lower and right border, mirrored, until both sides are multiples of this:
        what `fastcnn.applications.UNet` can halve. Masks have `ignore_class` there.
    flip : bool, default False
        Whether half of the pictures are mirrored, left to right.
    scale : (float, float), default (1, 1)
        The least and the largest factor by which pictures are resized at random.
    crop : (int, int), optional
        Cut this ``(height, width)`` out at a random place; smaller pictures are padded.
    batch_size : int, default 8
    shuffle : bool, default True
        Whether each epoch has an order of its own.
    seed : int, optional
    workers : int, optional
        The number of threads; as many as compute unless given, 0 for none.
    prefetch : int, default 2
        How many batches are made ahead of their use, at most.

    Returns
    -------
    MaskDataset
        Of float32 pictures from 0 to 255, (n, height, width, 3), and uint8 masks, (n, height,
        width).

    Raises
    ------
    MissingFileError, FileAccessError
        There is no such folder, or a picture has no mask: the message names them.
    ConfigError
        The arguments have no meaning; or, when it is gone through, sizes within a batch differ.
    FileFormatError
        When it is gone through: a file cannot be read, picture and mask differ in size, or a mask
        has a number that is no class; the message names it.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import os, numpy as np, fastcnn as fc
    >>> for folder in ("images", "masks"):
    ...     os.makedirs(folder)
    >>> for i in range(3):
    ...     fc.io.save_image(f"images/{i}.png", np.zeros((20, 30, 3), np.uint8))
    ...     fc.io.save_mask(f"masks/{i}.png", np.full((20, 30), i))
    >>> data = fc.segmentation.mask_dataset_from_directories(
    ...     "images", "masks", 3, crop=(16, 16), flip=True, batch_size=2, seed=1
    ... )
    >>> [(x.shape, y.shape) for x, y in data]
    [((2, 16, 16, 3), (2, 16, 16)), ((1, 16, 16, 3), (1, 16, 16))]
    """
    who = "mask_dataset_from_directories"
    import_optional("PIL.Image", extra="images")
    num_classes = positive_int(who, "num_classes", num_classes)
    if num_classes > 256:
        raise ConfigError(f"{who}: expected at most 256 classes, got {num_classes}")
    if (
        ignore_class is not None
        and not 0 <= positive_int(who, "ignore_class", ignore_class, 0) < 256
    ):
        raise ConfigError(f"{who}: ignore_class: expected 0 to 255, got {ignore_class}")
    multiple = positive_int(who, "pad_to_multiple", pad_to_multiple)
    size = None if image_size is None else _pair_of_sizes(who, "image_size", image_size)
    part = None if crop is None else _pair_of_sizes(who, "crop", crop)
    if ignore_class is None and multiple > 1:
        raise ConfigError(f"{who}: pad_to_multiple needs an ignore_class for what is added")
    lower, upper = (number(who, "scale", factor) for factor in scale)
    if not 0 < lower <= upper:
        raise ConfigError(f"{who}: scale: expected 0 < least <= largest, got {scale!r}")
    pictures = list_pictures(images, None, None, None, False).paths
    return MaskDataset(
        pictures,
        _masks_of(os.fspath(images), pictures, os.fspath(masks)),
        num_classes,
        ignore_class,
        palette=None if palette is None else checked_palette(who, palette),
        image_size=size,
        multiple=multiple,
        augmentation=Augmentation(bool(flip), (lower, upper), part),
        batch_size=positive_int(who, "batch_size", batch_size),
        shuffle=bool(shuffle),
        seed=check_seed(who, seed),
        workers=default_workers() if workers is None else positive_int(who, "workers", workers, 0),
        prefetch=positive_int(who, "prefetch", prefetch),
    )


def _pair_of_sizes(who: str, name: str, given: Any) -> tuple[int, int]:
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ConfigError(f"{who}: {name}: expected (height, width), got {given!r}")
    return positive_int(who, name, given[0]), positive_int(who, name, given[1])


def _masks_of(images: str, pictures: Sequence[str], masks: str) -> list[str]:
    """Find the mask of each picture: the same path without the suffix."""
    there: dict[str, str] = {}
    for path in list_pictures(masks, None, None, None, False).paths:
        name = os.path.splitext(os.path.relpath(path, masks))[0]
        if name in there:
            raise ConfigError(f"{path}: {there[name]} is a mask of the same picture")
        there[name] = path
    names = [os.path.splitext(os.path.relpath(path, images))[0] for path in pictures]
    missing = [path for path, name in zip(pictures, names, strict=True) if name not in there]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise MissingFileError(
            f"{masks}: no mask for {', '.join(missing[:_NAMED])}{more}: masks have the names of "
            "their pictures, but for the suffix"
        )
    return [there[name] for name in names]
