"""Which pictures a folder has, of which classes, and how they are divided."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.data._order import Purpose, generator
from fastcnn.errors import ConfigError, FileAccessError, MissingFileError, advised
from fastcnn.io._files import StrPath
from fastcnn.io.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Listing:
    """Pictures, and the class of each."""

    paths: list[str]
    labels: NDArray[np.int32] | None
    class_names: list[str]

    def only(self, kept: NDArray[np.intp]) -> Listing:
        """Keep some of the pictures."""
        labels = None if self.labels is None else self.labels[kept]
        return replace(self, paths=[self.paths[i] for i in kept], labels=labels)


def list_pictures(
    directory: StrPath,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    follow_links: bool,
) -> Listing:
    """List the pictures of a folder, sorted, with labels from the folders or as given."""
    folder = os.fspath(directory)
    if not os.path.isdir(folder):
        if os.path.exists(folder):
            raise FileAccessError(f"{folder}: expected a folder, this is a file")
        raise MissingFileError(f"{folder}: no such folder")
    if isinstance(labels, str) and labels == "inferred":
        listing = _by_folders(folder, class_names, follow_links)
    else:
        if class_names is not None:
            raise ConfigError('class_names have a meaning with labels="inferred" only')
        paths = _pictures(folder, follow_links)
        if not paths:
            raise ConfigError(f"{folder}: expected pictures, found none")
        listing = Listing(paths, None, [])
        if labels is not None:
            listing = _with_labels(folder, paths, labels)
    count = len(listing.class_names)
    if label_mode == "binary" and count != 2:
        raise ConfigError(
            f'{folder}: label_mode="binary" needs two classes, got {count}: {listing.class_names}'
        )
    if label_mode is not None and count < 2 and class_names is None:
        raise advised(
            ConfigError(f"{folder}: expected at least two classes, found {listing.class_names}"),
            "class_names=[...] names it if one is meant; label_mode=None reads pictures alone",
        )
    return listing


def _by_folders(folder: str, class_names: Sequence[str] | None, follow_links: bool) -> Listing:
    found = sorted(
        name for name in _names(folder)
        if not name.startswith(".") and os.path.isdir(os.path.join(folder, name))
    )  # fmt: skip
    names = found if class_names is None else list(class_names)
    if (
        isinstance(class_names, str)
        or len(set(names)) != len(names)
        or not set(names) <= set(found)
    ):
        raise ConfigError(
            f"{folder}: class_names: expected different names of its folders {found}, got "
            f"{class_names!r}"
        )
    if not names:
        raise advised(
            ConfigError(
                f"{folder}: expected a folder of pictures for each class, found no folders"
            ),
            "labels=None reads pictures without classes",
        )
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        inside = _pictures(os.path.join(folder, name), follow_links)
        if not inside:
            raise advised(
                ConfigError(
                    f"{os.path.join(folder, name)}: expected pictures of this class, found none"
                ),
                "class_names=[...] can leave it out",
            )
        paths += inside
        labels += [label] * len(inside)
    return Listing(paths, np.array(labels, np.int32), names)


def _with_labels(folder: str, paths: list[str], labels: Any) -> Listing:
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array < 0).any():
        raise ConfigError(
            'labels: expected "inferred", None or a list of integers >= 0, got '
            f"{labels if isinstance(labels, str) else array.dtype}"
        )
    if len(array) != len(paths):
        raise ConfigError(f"{folder}: {len(paths)} pictures, but {len(array)} labels")
    classes = np.arange(int(array.max()) + 1)
    return Listing(paths, array.astype(np.int32), [str(c) for c in classes])


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise FileAccessError(f"{folder}: {error}") from error


def _pictures(folder: str, follow_links: bool) -> list[str]:
    """List the pictures of a folder and of those in it, sorted by path."""

    def refuse(error: OSError) -> None:
        raise FileAccessError(f"{error.filename}: {error}") from error

    found: list[str] = []
    entered: set[str] = set()
    for where, folders, files in os.walk(folder, onerror=refuse, followlinks=follow_links):
        real = os.path.realpath(where)
        if real in entered:  # a link to a folder around it
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            os.path.join(where, name)
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
        ]
    return sorted(found)


def split_by_class(
    listing: Listing, shares: Mapping[str, float], seed: int
) -> dict[str, NDArray[np.intp]]:
    """Divide pictures at random, each class in the same shares.

    Parameters
    ----------
    listing : Listing
    shares : dict of str to float
        The share of each part; the rest is called "training".
    seed : int

    Returns
    -------
    dict of str to numpy.ndarray
        The indices of each part and, as "everything", of all, in increasing order.
    """
    count = len(listing.paths)
    order = generator(seed, Purpose.SPLIT).permutation(count)
    if listing.labels is not None:
        order = order[np.argsort(listing.labels[order], kind="stable")]
    # By steps along the classes, so that neither classes nor the whole are off by more than one.
    part = np.full(count, -1)
    for number, share in enumerate(shares.values()):
        free = np.flatnonzero(part < 0)
        taken = int(share * count)
        if taken > 0:
            part[free[(np.arange(taken) * len(free) + len(free) // 2) // taken]] = number
    divided = {"everything": np.arange(count), "training": np.sort(order[part < 0])}
    for number, name in enumerate(shares):
        divided[name] = np.sort(order[part == number])
    empty = [name for name, share in shares.items() if share and not len(divided[name])]
    if not len(divided["training"]) or empty:
        raise ConfigError(
            f"{count} pictures are too few for these splits: nothing is left for "
            f"{' and '.join(empty or ['training'])}"
        )
    return divided
