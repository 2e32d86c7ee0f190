"""The faces that are known: names, encodings of each, and the search for the nearest."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import config, ops
from fastcnn._checks import number, one_of, positive_int
from fastcnn.errors import ConfigError, DTypeError, FileFormatError, ShapeError
from fastcnn.faces._gallery_files import describe, pack, read_description, unpack
from fastcnn.faces._growing import GrowingArray
from fastcnn.io._files import StrPath, naming
from fastcnn.io.safetensors_files import (
    load_safetensors,
    load_safetensors_metadata,
    save_safetensors,
)
from fastcnn.ops._dispatch import as_array

__all__ = ["Gallery", "Match"]

METRICS = ("euclidean", "sqeuclidean", "manhattan", "cosine")

_REMOVED = -1  # the label of a row nobody owns any more

# From so many rows on codes are worth their memory, and up to so many faces a search reads them.
_CODED_ROWS = 50_000
_CODED_FACES = 7


class Match(NamedTuple):
    """Somebody of a gallery, and how far away.

    Attributes
    ----------
    name : str or None
        None: nobody in the gallery is near enough.
    distance : float
        To the nearest encoding, in the gallery's metric; infinite where there is none.
    """

    name: str | None
    distance: float


class _Rows(NamedTuple):
    """What a search reads. Never changed but for rows of people removed, which become NaN."""

    encodings: NDArray[np.float32]
    labels: NDArray[np.int32]
    names: list[str]  # by label; only ever appended to
    people: int  # how many of them are there
    codes: tuple[NDArray[Any], ...] | None = None  # of the encodings, once a search asked for them


class Gallery:
    """Names with one or more encodings each, and the search for those nearest to a face.

    One encoding is enough for a name (one-shot enrolment); more, in other light and pose, make it
    surer: a name is as near as the nearest of its encodings. Encodings are rows of float32 in one
    array that doubles when it is full; a search reads each row once, in the kernel of
    `fastcnn.ops.nearest`. The first search for a few faces among 50,000 rows or more keeps codes of
    8 bits beside them (`fastcnn.ops.encode_rows`; a quarter more memory), which such searches read
    instead, with the same results.

    Parameters
    ----------
    metric : {"euclidean", "sqeuclidean", "manhattan", "cosine"}
        As of `fastcnn.ops.nearest`.
    threshold : float, optional
        The distance up to which `identify` takes a face for somebody's.
    encoder : str, optional
        What made the encodings; kept with them, because encodings of different encoders say nothing
        about each other.

    Attributes
    ----------
    metric, threshold, encoder
        As given.
    names : list of str
        In the order in which they were first added.
    dimension : int or None
        The length of an encoding; None until the first was added.

    Notes
    -----
    Several threads may search at once, also while one adds or removes: a search sees the gallery as
    it was when the search began, but may miss somebody who is removed meanwhile. Threads that add,
    remove or save wait for each other. Files are replaced as a whole: readers see the old gallery
    or the new one; of two processes that write to one file, the last wins.

    In a search among N people the rate of false accepts is up to N times that of one comparison: a
    large gallery needs a threshold for a smaller rate (see `fastcnn.faces.calibrate_threshold`).

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> gallery = fc.faces.Gallery(threshold=0.6)
    >>> gallery.add("Ada", [[0.0, 1.0], [0.1, 0.9]])
    >>> gallery.add("Grace", [1.0, 0.0])
    >>> len(gallery), gallery.names
    (3, ['Ada', 'Grace'])
    >>> [match.name for match in gallery.identify([[0.0, 0.8], [9.0, 9.0]])]
    ['Ada', None]
    >>> gallery.save("known.safetensors")
    >>> fc.faces.Gallery.load("known.safetensors").names
    ['Ada', 'Grace']
    """

    def __init__(
        self,
        metric: str = "euclidean",
        threshold: float | None = None,
        encoder: str | None = None,
    ) -> None:
        self.metric = one_of("Gallery", "metric", metric, METRICS)
        self.threshold = _threshold(threshold)
        if encoder is not None and not isinstance(encoder, str):
            raise DTypeError(f"Gallery: encoder: expected a name or None, got {encoder!r}")
        self.encoder = encoder
        self._writing = threading.RLock()
        self._encodings: GrowingArray | None = None
        self._labels = GrowingArray(np.empty(0, np.int32))
        self._codes: list[GrowingArray] | None = None  # of all rows, or none
        self._ids: dict[str, int] = {}  # of the people who are there, in order
        self._sizes: list[int] = []  # by label
        self._names: list[str] = []  # by label, also of people who were removed
        self._rows: _Rows | None = None  # replaced as a whole: searches never wait

    # ---- what is there ---------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The people, in the order in which they were first added."""
        return list(self._ids)

    @property
    def dimension(self) -> int | None:
        """The length of an encoding."""
        return None if self._encodings is None else int(self._encodings.used.shape[1])

    def __len__(self) -> int:
        """Count the encodings."""
        return sum(self._sizes)

    def __contains__(self, name: object) -> bool:
        return name in self._ids

    def __repr__(self) -> str:
        return (
            f"<Gallery of {len(self._ids)} names, {len(self)} encodings"
            f"{'' if self.dimension is None else f' of {self.dimension} numbers'}, {self.metric}>"
        )

    def encodings(self, name: str) -> NDArray[np.float32]:
        """Copy the encodings of somebody, in the order in which they were added.

        Returns
        -------
        numpy.ndarray, float32, shape (n, dimension)

        Raises
        ------
        ConfigError
            Nobody has this name.
        """
        with self._writing:
            label = self._label(name)
            assert self._rows is not None
            found: NDArray[np.float32] = self._rows.encodings[self._rows.labels == label]
            return found

    # ---- writing ---------------------------------------------------------------------------------

    def add(self, names: str | Sequence[str], encodings: Any) -> None:
        """Add encodings: all or, when something is wrong with one, none.

        Parameters
        ----------
        names : str or sequence of str
            Whose they are: one name for all, or one for each. A name that is there gets them in
            addition.
        encodings : array, shape (dimension,) or (n, dimension)

        Raises
        ------
        ShapeError, DTypeError
            These are no encodings, or not of the gallery's length.
        ConfigError
            A name is empty, there is not one for each encoding, or a number is NaN or infinite.
        """
        rows = self._vectors("add", encodings)
        given = [names] * len(rows) if isinstance(names, str) else list(names)
        for name in given:
            if not isinstance(name, str) or not name.strip() or not _is_text(name):
                raise ConfigError(f"Gallery.add: expected names that are not empty, got {name!r}")
        if len(given) != len(rows):
            raise ConfigError(
                f"Gallery.add: expected a name for each encoding, got {len(given)} names for "
                f"{len(rows)} encodings"
            )
        with self._writing:
            self._check_dimension("add", rows)  # of two first ones only one decides
            labels = [self._new_label(name) for name in given]
            if self._encodings is None:
                self._encodings = GrowingArray(np.empty((0, rows.shape[1]), np.float32))
            self._encodings.append(rows)
            if self._codes is not None:
                for kept, made in zip(self._codes, ops.encode_rows(rows), strict=True):
                    kept.append(made)
            self._labels.append(np.array(labels, np.int32))
            for label in labels:
                self._sizes[label] += 1
            self._publish()

    def remove(self, names: str | Sequence[str]) -> int:
        """Remove people with all their encodings.

        Returns
        -------
        int
            How many encodings are gone.

        Raises
        ------
        ConfigError
            Nobody has one of these names; then nobody is removed.
        """
        with self._writing:
            labels = {self._label(name) for name in ([names] if isinstance(names, str) else names)}
            if not labels:
                return 0
            assert self._rows is not None
            gone = np.flatnonzero(np.isin(self._rows.labels, list(labels)))
            self._rows.labels[gone] = _REMOVED
            if self._rows.codes is not None:
                self._rows.codes[1][gone] = np.nan  # the scales: says that the row is NaN
            self._rows.encodings[gone] = np.nan  # which `nearest` puts after every number
            for label in labels:
                del self._ids[self._names[label]]
                self._sizes[label] = 0
            if 2 * len(self) < len(self._labels):  # more gone than there: amortised, like growing
                self._take(*self._kept())  # searches that run keep the old arrays
            else:
                self._publish()
            return len(gone)

    def _publish(self) -> None:
        assert self._encodings is not None
        codes = None if self._codes is None else tuple(kept.used for kept in self._codes)
        self._rows = _Rows(
            self._encodings.used, self._labels.used, self._names, len(self._ids), codes
        )

    def _new_label(self, name: str) -> int:
        label = self._ids.get(name)
        if label is None:
            label = self._ids[name] = len(self._names)
            self._names.append(name)
            self._sizes.append(0)
        return label

    def _take(
        self, encodings: NDArray[np.float32], labels: NDArray[np.int32], names: list[str]
    ) -> None:
        """Become the gallery of these rows."""
        self._encodings, self._labels = GrowingArray(encodings), GrowingArray(labels)
        self._codes = None
        self._names = names
        self._ids = {name: label for label, name in enumerate(names)}
        self._sizes = np.bincount(labels, minlength=len(names)).tolist()
        self._publish()

    def _kept(self) -> tuple[NDArray[np.float32], NDArray[np.int32], list[str]]:
        """The rows that somebody owns, with labels from 0 on without gaps."""
        if self._rows is None:
            return np.empty((0, 0), np.float32), np.empty(0, np.int32), []
        encodings, labels = self._rows.encodings, self._rows.labels
        names = list(self._ids)
        if len(self) < len(labels):
            there = labels != _REMOVED
            encodings, labels = encodings[there], labels[there]
        renumbered = np.zeros(len(self._names), np.int32)
        renumbered[[self._ids[name] for name in names]] = np.arange(len(names))
        return encodings, renumbered[labels], names

    # ---- searching -------------------------------------------------------------------------------

    def search(
        self, encodings: Any, k: int = 1, threshold: float | None = None
    ) -> list[list[Match]]:
        """Find the nearest people to each of some faces.

        Parameters
        ----------
        encodings : array, shape (dimension,) or (n, dimension)
        k : int, default 1
            How many different people, at most.
        threshold : float, optional
            Leave out who is further away; nobody is unless given.

        Returns
        -------
        list of list of Match
            For each face, the nearest first; of equally near ones, who was added first.

        Raises
        ------
        ShapeError, DTypeError, ConfigError
            These are no encodings, or not of the gallery's length; `k` is below 1.
        """
        queries = self._vectors("search", encodings)
        k = positive_int("Gallery.search", "k", k)
        limit = _threshold(threshold)
        rows = self._rows
        if rows is None or not rows.people or not len(queries):
            return [[] for _ in queries]
        self._check_dimension("search", queries)
        k = min(k, rows.people)
        # Encodings of one person crowd out others: ask for more than people where there are more.
        wanted = k if k == 1 or rows.people == len(rows.labels) else 4 * k
        found: list[list[Match]] = [[] for _ in queries]
        waiting = np.arange(len(queries))
        while len(waiting):
            wanted = min(wanted, len(rows.labels))
            rows = self._coded(rows, len(waiting))
            values, indices = ops.nearest(
                queries[waiting], rows.encodings, wanted, self.metric, codes=rows.codes
            )
            labels = rows.labels[indices]
            again = []
            for query, distances, owners in zip(waiting, values, labels, strict=True):
                found[query] = _people(rows.names, distances, owners, k)
                if len(found[query]) < k and wanted < len(rows.labels):
                    again.append(query)
            waiting, wanted = np.array(again, np.intp), 4 * wanted
        if limit is None:
            return found
        return [[match for match in matches if match.distance <= limit] for matches in found]

    def _coded(self, rows: _Rows, faces: int) -> _Rows:
        """The same rows with codes, where a search for so many faces reads them."""
        if (
            rows.codes is not None
            or len(rows.labels) < _CODED_ROWS
            or faces > _CODED_FACES
            or self.metric == "manhattan"
            or config.get_device() != "cpu"
            or not self._writing.acquire(blocking=False)  # a search does not wait for who writes
        ):
            return rows
        try:
            if self._rows is rows:
                self._codes = [GrowingArray(made) for made in ops.encode_rows(rows.encodings)]
                self._publish()
                return self._rows
            return rows
        finally:
            self._writing.release()

    def identify(self, encodings: Any, threshold: float | None = None) -> list[Match]:
        """Tell whose faces these are.

        Parameters
        ----------
        encodings : array, shape (dimension,) or (n, dimension)
        threshold : float, optional
            The distance up to which a face is taken for somebody's; the gallery's unless given.

        Returns
        -------
        list of Match
            For each face the nearest name, or None, and the distance to the nearest in either case.

        Raises
        ------
        ConfigError
            There is no threshold: neither here nor in the gallery.
        ShapeError, DTypeError
            As for `search`.
        """
        limit = self.threshold if threshold is None else _threshold(threshold)
        if limit is None:
            raise ConfigError(
                "Gallery.identify: expected a threshold, here or in Gallery(threshold=...); "
                "fastcnn.faces.calibrate_threshold finds one for a wanted rate of false accepts"
            )
        nearest = (matches[0] if matches else Match(None, math.inf)
                   for matches in self.search(encodings))  # fmt: skip
        return [m if m.distance <= limit else Match(None, m.distance) for m in nearest]

    def distances(self, name: str, encodings: Any) -> NDArray[np.float32]:
        """Measure how far faces are from somebody: from the nearest of the encodings (1:1).

        Parameters
        ----------
        name : str
        encodings : array, shape (dimension,) or (n, dimension)

        Returns
        -------
        numpy.ndarray, float32, shape (n,)

        Raises
        ------
        ConfigError
            Nobody has this name.
        """
        known = self.encodings(name)
        queries = self._vectors("distances", encodings)
        self._check_dimension("distances", queries)
        nearest: NDArray[np.float32] = ops.nearest(queries, known, metric=self.metric)[0][:, 0]
        return nearest

    # ---- files -----------------------------------------------------------------------------------

    def save(self, path: StrPath) -> None:
        """Write the gallery to a safetensors file, whole or not at all.

        Raises
        ------
        FileAccessError
            The file cannot be written; what was there before is untouched.
        MissingDependencyError
            The package ``safetensors`` is not installed.
        """
        with self._writing:
            about = describe(metric=self.metric, threshold=self.threshold, encoder=self.encoder)
            save_safetensors(path, pack(*self._kept()), about)

    @classmethod
    def load(cls, path: StrPath) -> Gallery:
        """Read a gallery that `save` wrote.

        Raises
        ------
        MissingFileError, FileAccessError
            There is no such file, or it cannot be read.
        FileFormatError
            It is damaged, or no gallery.
        MissingDependencyError
            The package ``safetensors`` is not installed.
        """
        metadata = load_safetensors_metadata(path)
        with naming(path):
            about = read_description(metadata)
            try:
                gallery = cls(**about)
            except (ConfigError, DTypeError) as error:
                raise FileFormatError(f"the header of the gallery is damaged: {error}") from error
        tensors = load_safetensors(path)
        with naming(path):
            encodings, labels, names = unpack(tensors)
        if len(encodings):
            gallery._take(encodings, labels, names)
        return gallery

    # ---- checks ----------------------------------------------------------------------------------

    def _label(self, name: str) -> int:
        if name not in self._ids:
            raise ConfigError(f"Gallery: nobody is called {name!r}; {_some(self.names)}")
        return self._ids[name]

    def _vectors(self, who: str, encodings: Any) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = as_array(encodings)
        if rows.ndim == 1 and rows.size:
            rows = rows[None]
        if rows.ndim != 2 or not rows.shape[1]:
            raise ShapeError(
                f"Gallery.{who}: expected encodings of shape (dimension,) or (n, dimension), got "
                f"{rows.shape}"
            )
        if not np.isfinite(rows).all():
            raise ConfigError(f"Gallery.{who}: expected finite numbers, got NaN or infinity")
        return rows

    def _check_dimension(self, who: str, rows: NDArray[np.float32]) -> None:
        if self.dimension not in (None, rows.shape[1]):
            raise ShapeError(
                f"Gallery.{who}: the gallery's encodings have {self.dimension} numbers, got shape "
                f"{rows.shape}: were they made by another encoder?"
            )


def _people(
    names: list[str], distances: NDArray[np.float32], labels: NDArray[np.int32], k: int
) -> list[Match]:
    """The nearest k people of rows in the order of their distances."""
    found: dict[int, float] = {}
    for distance, label in zip(distances.tolist(), labels.tolist(), strict=True):
        # Distances are NaN of people who were removed, and only of them.
        if label != _REMOVED and label not in found and distance == distance:
            found[label] = distance
            if len(found) == k:
                break
    return [Match(names[label], distance) for label, distance in found.items()]


def _is_text(name: str) -> bool:
    """Whether UTF-8 can write it: halves of surrogate pairs, as in odd file names, it cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _threshold(value: Any) -> float | None:
    if value is None:
        return None
    found = number("Gallery", "threshold", value, at_least=0, at_most=math.inf)
    if not math.isfinite(found):
        raise ConfigError(f"Gallery: threshold: expected a finite number >= 0, got {value!r}")
    return found


def _some(names: list[str]) -> str:
    if not names:
        return "the gallery is empty"
    shown = ", ".join(map(repr, names[:10]))
    return f"there are {shown}" + (f" and {len(names) - 10} more" if len(names) > 10 else "")
