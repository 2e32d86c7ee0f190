"""Pictures in folders, decoded by threads while the network computes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.data._folders import Listing, list_pictures, split_by_class
from fastcnn.data._order import check_seed, epoch_order
from fastcnn.data._workers import ending, in_order
from fastcnn.data.dataset import default_workers
from fastcnn.data.samplers import Sampled
from fastcnn.errors import ConfigError, FileAccessError, FileFormatError, advised
from fastcnn.io._files import StrPath
from fastcnn.io.images import load_image
from fastcnn.io.resize import resize_image
from fastcnn.layers._arguments import one_of, positive_int

_MODES: dict[str, Literal["L", "RGB", "RGBA"]] = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
_INTERPOLATIONS = {
    "nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic", "area": "area",
    "lanczos": "lanczos", "lanczos3": "lanczos",
}  # fmt: skip
_UNREADABLE = (FileFormatError, FileAccessError)


class ImageDataset(Sampled):
    """Picture files, a batch at a time; `image_dataset_from_directory` makes it.

    Attributes
    ----------
    file_paths : list of str
        The pictures, in the order of `labels`, and of the batches unless they are shuffled.
    labels : numpy.ndarray or None
        The class of each, as a number.
    class_names : list of str
    batch_size : int or None
    """

    def __init__(
        self,
        file_paths: Sequence[str],
        labels: NDArray[np.int32] | None,
        class_names: list[str],
        loader: PictureLoader,
        *,
        label_mode: str | None,
        batch_size: int | None,
        shuffle: bool,
        seed: int,
        workers: int,
        prefetch: int,
        skipped: bool,
    ) -> None:
        self.file_paths = list(file_paths)
        self.labels = labels
        self.class_names = class_names
        self.batch_size = batch_size
        self._loader = loader
        self._label_mode = label_mode
        self._shuffle = shuffle
        self._seed = seed
        self._workers = workers
        self._prefetch = prefetch
        self._skipped = skipped
        self._kept: list[NDArray[np.uint8] | None] | None = None

    def __len__(self) -> int:
        if self._sampler is not None:
            return len(self._sampler)
        return -(-len(self.file_paths) // (self.batch_size or 1))

    def indices(self, epoch: int) -> Iterator[NDArray[np.intp]]:
        """Iterate over the numbers of the pictures of each batch of an epoch."""
        if self._sampler is not None:
            yield from self._sampler.indices(epoch)
            return
        size = self.batch_size or 1
        order = epoch_order(len(self.file_paths), self._shuffle, self._seed, epoch)
        for start in range(0, len(order), size):
            yield order[start : start + size]

    def cache(self) -> ImageDataset:
        """Make a data set that keeps the pictures, decoded and resized, when they were read once.

        They take a byte for each number. The order still changes from epoch to epoch.
        """
        made = object.__new__(ImageDataset)
        vars(made).update(vars(self), _kept=[None] * len(self.file_paths))
        return made

    def elements(self, epoch: int) -> Iterator[Any]:
        """Iterate over the batches of an epoch: pictures, or pictures and labels."""
        batches = list(self.indices(epoch))

        def tasks() -> Iterator[tuple[NDArray[np.float32], int, int]]:
            for indices in batches:
                room = np.empty((len(indices), *self._loader.shape), np.float32)
                for place, index in enumerate(indices):
                    yield room, place, int(index)

        ahead = max(map(len, batches), default=1) * self._prefetch
        with ending(in_order(self._load_into, tasks(), self._workers, ahead)) as loaded:
            for indices in batches:
                done = [next(loaded) for _ in indices]
                refuse_damaged([fault for _, fault in done if fault is not None], self._skipped)
                room = done[0][0]
                element = room if self._label_mode is None else (room, self._targets(indices))
                batched = self.batch_size or self._sampler is not None
                yield element if batched else _first(element)

    def _load_into(
        self, task: tuple[NDArray[np.float32], int, int]
    ) -> tuple[NDArray[np.float32], Exception | None]:
        room, place, index = task
        kept = self._kept
        picture = None if kept is None else kept[index]
        if picture is None:
            try:
                picture = self._loader.load(self.file_paths[index])
            except _UNREADABLE as error:
                return room, error
            if kept is not None:
                kept[index] = picture
        room[place] = picture
        return room, None

    def _targets(self, indices: NDArray[np.intp]) -> NDArray[Any]:
        assert self.labels is not None
        labels = self.labels[indices]
        if self._label_mode == "int":
            return labels
        if self._label_mode == "binary":
            return labels.astype(np.float32)[:, None]
        return np.eye(len(self.class_names), dtype=np.float32)[labels]


class PictureLoader:
    """Reads a picture in the size and the channels that are wanted."""

    def __init__(
        self, color_mode: str, size: tuple[int, int], interpolation: str, fit: str, antialias: bool
    ) -> None:
        self.shape = (*size, _CHANNELS[color_mode])
        self._mode = _MODES[color_mode]
        self._size = size
        self._method: Any = _INTERPOLATIONS[interpolation]
        self._fit = fit
        self._antialias = antialias

    def load(self, path: str) -> NDArray[np.uint8]:
        """Read one."""
        picture = load_image(path, self._mode)
        height, width = self._size
        h, w = picture.shape[:2]
        if (h, w) == self._size:
            return picture
        if self._fit == "crop":  # the largest middle of the wanted shape
            inner_h, inner_w = (
                min(h, max(w * height // width, 1)),
                min(w, max(h * width // height, 1)),
            )
            top, left = (h - inner_h) // 2, (w - inner_w) // 2
            return self._resize(picture[top : top + inner_h, left : left + inner_w], self._size)
        if self._fit == "pad":  # the whole picture in the middle of black
            inner_h, inner_w = _within(h, w, height, width)
            room = np.zeros(self.shape, np.uint8)
            top, left = (height - inner_h) // 2, (width - inner_w) // 2
            inner = self._resize(picture, (inner_h, inner_w))
            room[top : top + inner_h, left : left + inner_w] = inner
            return room
        return self._resize(picture, self._size)

    def _resize(self, picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        return resize_image(picture, size, self._method, antialias=self._antialias)


def _within(h: int, w: int, height: int, width: int) -> tuple[int, int]:
    """The size of a picture that was made to fit into another, its shape kept."""
    if h * width >= w * height:
        return height, max(round(w * height / h), 1)
    return max(round(h * width / w), 1), width


def _first(element: Any) -> Any:
    return (element[0][0], element[1][0]) if isinstance(element, tuple) else element[0]


def refuse_damaged(faults: Sequence[Exception], skipped: bool) -> None:
    """Name the pictures of a batch that cannot be read.

    Parameters
    ----------
    faults : sequence of Exception
    skipped : bool
        Whether those that could not be read at first were left out: these were readable then.
    """
    if not faults:
        return
    count = "a picture" if len(faults) == 1 else f"{len(faults)} pictures"
    when = "can no longer be read" if skipped else "cannot be read"
    error = FileFormatError(f"{count} {when}:\n" + "\n".join(map(str, faults)))
    raise (error if skipped else advised(error, 'on_error="skip" leaves such out')) from faults[0]


def find_damaged(
    file_paths: Sequence[StrPath], workers: int | None = None
) -> list[tuple[str, str]]:
    """Decode pictures, to find those that cannot be.

    Parameters
    ----------
    file_paths : sequence of str or os.PathLike
    workers : int, optional
        The number of threads; as many as compute unless given.

    Returns
    -------
    list of (str, str)
        The path and the reason of each picture that cannot be read.

    Examples
    --------
    >>> with open("note.jpg", "w") as file:
    ...     _ = file.write("not a picture")
    >>> [path for path, reason in find_damaged(["note.jpg"])]
    ['note.jpg']
    """

    def reason(path: str) -> str | None:
        try:
            load_image(path)
        except _UNREADABLE as error:
            return str(error).removeprefix(f"{path}: ")
        return None

    import_optional("PIL.Image", extra="images")
    paths = [os.fspath(path) for path in file_paths]
    threads = default_workers() if workers is None else workers
    reasons = in_order(reason, paths, threads, 2 * threads)
    return [(path, why) for path, why in zip(paths, reasons, strict=True) if why is not None]


def image_dataset_from_directory(
    directory: StrPath,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
    *,
    test_split: float | None = None,
    antialias: bool = True,
    on_error: str = "raise",
    workers: int | None = None,
    prefetch: int = 2,
) -> Any:
    """Make a data set of a folder that has a folder of pictures for each class.

    Parameters
    ----------
    directory : str or os.PathLike
        ``directory/cat/1.jpg``, ``directory/dog/a/2.png`` ...: BMP, GIF, JPEG, PNG, PPM, TIFF and
        WebP files at any depth. Names that start with a dot are passed over.
    labels : "inferred", None, or list of int
        From the folders' names; none; or one for each file, sorted by their paths.
    label_mode : {"int", "categorical", "binary", None}, default "int"
        int32 of shape (n,); float32 of shape (n, classes), one-hot; float32 of shape (n, 1), 0 or
        1; no labels.
    class_names : sequence of str, optional
        The folders to take, in the order of the labels; all of them, sorted, unless given.
    color_mode : {"rgb", "grayscale", "rgba"}, default "rgb"
    batch_size : int or None, default 32
        None: one picture at a time, without an axis for the batch.
    image_size : (int, int), default (256, 256)
        The ``(height, width)`` that all pictures are resized to.
    shuffle : bool, default True
        Whether each epoch has an order of its own. With splits, only what is trained on.
    seed : int, optional
        Splits and orders are a function of it, and of nothing else.
    validation_split, test_split : float, optional
        The share, of every class, that is held back from training.
    subset : {"training", "validation", "test", "both", "all"}, optional
        Which part to return; ``"both"`` returns training and validation, ``"all"`` training,
        validation and, if there is one, test.
    interpolation : {"bilinear", "nearest", "bicubic", "area", "lanczos"}, default "bilinear"
    follow_links : bool, default False
        Whether to enter folders that are symbolic links.
    crop_to_aspect_ratio, pad_to_aspect_ratio : bool, default False
        Keep the shape of what is seen, by cutting off borders or adding black ones; else the
        picture is stretched.
    data_format : str, optional
        ``"channels_last"``.
    verbose : bool, default True
        Print how many files were found.
    test_split
        See `validation_split`.
    antialias : bool, default True
        Let every pixel count when a picture shrinks. False, for bilinear and nearest, is what Keras
        does.
    on_error : {"raise", "skip"}, default "raise"
        What to do about pictures that cannot be read: raise when the batch is reached that needs
        them; or read every picture once, now, leave those out and warn with the list of them.
    workers : int, optional
        The number of threads that decode; as many as compute unless given, 0 for none. Order and
        content do not depend on it.
    prefetch : int, default 2
        How many batches are decoded ahead of their use, at most.

    Returns
    -------
    ImageDataset, or tuple of ImageDataset
        Of float32 pictures from 0 to 255, of shape (n, height, width, channels), and labels.

    Raises
    ------
    MissingFileError, FileAccessError
        There is no such folder, or it cannot be read.
    ConfigError
        It has no pictures, or fewer classes than needed; or the arguments have no meaning.
    FileFormatError
        When it is gone through: pictures cannot be read; the message names them.
    MissingDependencyError
        Pillow is not installed.

    Examples
    --------
    >>> import os, numpy as np, fastcnn as fc
    >>> for name in ("cat", "dog"):
    ...     os.makedirs(f"pets/{name}")
    ...     for i in range(5):
    ...         fc.io.save_image(f"pets/{name}/{i}.png", np.zeros((8, 8, 3), np.uint8))
    >>> training, validation = fc.data.image_dataset_from_directory(
    ...     "pets", image_size=(4, 4), validation_split=0.2, subset="both", seed=1
    ... )
    Found 10 files belonging to 2 classes.
    Using 8 files for training, 2 for validation.
    >>> for images, labels in validation:
    ...     print(images.shape, labels, [validation.class_names[i] for i in labels])
    (2, 4, 4, 3) [0 1] ['cat', 'dog']
    """
    who = "image_dataset_from_directory"
    import_optional("PIL.Image", extra="images")
    if label_mode not in ("int", "categorical", "binary", None):
        raise ConfigError(
            f'{who}: label_mode: expected "int", "categorical", "binary" or None, got '
            f"{label_mode!r}"
        )
    one_of(who, "on_error", on_error, ("raise", "skip"))
    if data_format not in (None, "channels_last"):
        raise ConfigError(f'{who}: data_format: expected "channels_last", got {data_format!r}')
    if batch_size is not None:
        batch_size = positive_int(who, "batch_size", batch_size)
    threads = default_workers() if workers is None else positive_int(who, "workers", workers, 0)
    prefetch = positive_int(who, "prefetch", prefetch)
    loader = _loader(
        who, color_mode, image_size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio,
        antialias,
    )  # fmt: skip
    parts = _parts(who, validation_split, test_split, subset, seed)
    if labels is None:
        label_mode = None

    listing = list_pictures(directory, labels, label_mode, class_names, follow_links)
    if on_error == "skip":
        listing = _without_damaged(os.fspath(directory), listing, threads)
    if verbose:
        classes = f" belonging to {len(listing.class_names)} classes" if listing.class_names else ""
        print(f"Found {len(listing.paths)} files{classes}.")

    number = check_seed(who, seed)
    shares = {"validation": validation_split or 0.0, "test": test_split or 0.0}
    indices = split_by_class(listing, shares, number)
    if verbose and parts != ("everything",):
        counts = [f"{len(indices[part])} files for {part}" for part in parts]
        print(f"Using {', '.join([counts[0], *(c.replace(' files', '') for c in counts[1:])])}.")
    made = tuple(
        ImageDataset(
            [listing.paths[i] for i in indices[part]],
            None if listing.labels is None else listing.labels[indices[part]],
            listing.class_names,
            loader,
            label_mode=label_mode,
            batch_size=batch_size,
            shuffle=bool(shuffle) and part in ("everything", "training"),
            seed=number,
            workers=threads,
            prefetch=prefetch,
            skipped=on_error == "skip",
        )
        for part in parts
    )
    return made if subset in ("both", "all") else made[0]


def _loader(
    who: str,
    color_mode: str,
    image_size: Any,
    interpolation: str,
    crop: bool,
    pad: bool,
    antialias: bool,
) -> PictureLoader:
    one_of(who, "color_mode", color_mode, tuple(_MODES))
    one_of(who, "interpolation", interpolation, tuple(_INTERPOLATIONS))
    if crop and pad:
        raise ConfigError(f"{who}: expected one of crop_to_aspect_ratio and pad_to_aspect_ratio")
    if not antialias and interpolation not in ("bilinear", "nearest"):
        raise ConfigError(f"{who}: {interpolation} needs antialias=True")
    try:
        height, width = image_size
    except (TypeError, ValueError):
        raise ConfigError(
            f"{who}: image_size: expected (height, width), got {image_size!r}"
        ) from None
    size = positive_int(who, "image_size", height), positive_int(who, "image_size", width)
    fit = "crop" if crop else "pad" if pad else "stretch"
    return PictureLoader(color_mode, size, interpolation, fit, bool(antialias))


def _parts(
    who: str,
    validation_split: float | None,
    test_split: float | None,
    subset: str | None,
    seed: int | None,
) -> tuple[str, ...]:
    """Tell which parts are asked for, in the order in which they are returned."""
    for name, share in (("validation_split", validation_split), ("test_split", test_split)):
        if share is not None and not (isinstance(share, (int, float)) and 0 < share < 1):
            raise ConfigError(f"{who}: {name}: expected a share between 0 and 1, got {share!r}")
    if (validation_split or 0) + (test_split or 0) >= 1:
        raise ConfigError(f"{who}: expected splits that leave something to train on")
    if validation_split is None and test_split is None:
        if subset is not None:
            raise ConfigError(f"{who}: subset={subset!r} needs validation_split or test_split")
        return ("everything",)
    there = ["training"]
    there += ["validation"] if validation_split is not None else []
    there += ["test"] if test_split is not None else []
    if subset == "all":
        return tuple(there)
    wanted = ("training", "validation") if subset == "both" else (subset,)
    if subset is None or not set(wanted) <= set(there):
        raise ConfigError(
            f"{who}: subset: expected one of {', '.join(map(repr, [*there, 'both', 'all']))} with "
            f"these splits, got {subset!r}"
        )
    if seed is None and subset != "both":
        raise ConfigError(
            f"{who}: subset={subset!r} needs a seed, and the other subsets the same, so that they "
            'do not overlap; or get them together, by subset="both" or "all"'
        )
    return tuple(str(part) for part in wanted)


def _without_damaged(directory: str, listing: Listing, workers: int) -> Listing:
    kept = find_readable(directory, listing.paths, workers)
    return listing if len(kept) == len(listing.paths) else listing.only(kept)


def find_readable(where: str, paths: Sequence[str], workers: int) -> NDArray[np.intp]:
    """Give the indices of the pictures that can be read, and warn of the others."""
    damaged = find_damaged(paths, workers)
    if damaged:
        text = "\n".join(f"{path}: {reason}" for path, reason in damaged)
        if len(damaged) == len(paths):
            raise FileFormatError(f"{where}: none of the pictures can be read:\n{text}")
        warnings.warn(
            f"{where}: left out {len(damaged)} of {len(paths)} pictures, which cannot be "
            f"read:\n{text}",
            stacklevel=4,
        )
    faulty = {path for path, _ in damaged}
    return np.array([i for i, path in enumerate(paths) if path not in faulty], np.intp)
