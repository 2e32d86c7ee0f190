"""Groups of faces that are of one person each, as far as distances tell."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _random, ops
from fastcnn._checks import number, one_of, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.faces._growing import GrowingArray
from fastcnn.ops._dispatch import as_array

__all__ = ["FaceClusters"]

METHODS = ("chinese_whispers", "connected")

# Distances that are computed at once: 32 MB of float32.
_QUERIES, _KNOWN = 512, 16384


class FaceClusters:
    """Clusters of encodings whose number is not known, to which encodings can be added.

    Faces within the threshold of each other are neighbours. Adding faces computes their distances
    from all others, once, and changes only what they touch.

    Parameters
    ----------
    threshold : float
        The distance up to which two faces are neighbours: that for a small rate of false accepts
        (see `fastcnn.faces.calibrate_threshold`), since every face is compared with all others.
    metric : {"euclidean", "sqeuclidean", "manhattan", "cosine"}
        As of `fastcnn.ops.cdist`.
    method : {"chinese_whispers", "connected"}
        A face belongs where most of its neighbours do; or wherever a chain of neighbours leads to:
        a single wrong pair joins two people then.
    seed : int, default 0
        Of the order in which faces listen to their neighbours.
    rounds : int, default 100
        After so many rounds chinese whispers end, settled or not.

    Attributes
    ----------
    threshold, metric, method, seed, rounds
        As given.

    Notes
    -----
    The same encodings, added in the same portions, give the same clusters. The connected parts do
    not depend on the portions; what chinese whispers settle on may, where faces have as many
    neighbours in one cluster as in another. Time and memory grow with the number of pairs of
    neighbours; distances are computed in blocks and not kept.

    References
    ----------
    C. Biemann: Chinese Whispers - an Efficient Graph Clustering Algorithm and its Application to
    Natural Language Processing Problems. TextGraphs 2006. (dlib clusters faces by it. Here a face
    changes its cluster only for one with more of its neighbours, so that it comes to an end.)

    Examples
    --------
    >>> import fastcnn as fc
    >>> clusters = fc.faces.FaceClusters(threshold=0.5)
    >>> clusters.add([[0.0, 0.0], [0.1, 0.0], [3.0, 3.0]])
    array([0, 0, 1])
    >>> clusters.add([[3.0, 3.2], [9.0, 9.0]])
    array([1, 2])
    >>> [members.tolist() for members in clusters.clusters()]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        threshold: float,
        metric: str = "euclidean",
        method: str = "chinese_whispers",
        seed: int = 0,
        rounds: int = 100,
    ) -> None:
        self.threshold = number("FaceClusters", "threshold", threshold, at_least=0)
        self.metric = one_of(
            "FaceClusters", "metric", metric, ("euclidean", "sqeuclidean", "manhattan", "cosine")
        )
        self.method = one_of("FaceClusters", "method", method, METHODS)
        self.seed = positive_int("FaceClusters", "seed", seed, at_least=0)
        self.rounds = positive_int("FaceClusters", "rounds", rounds)
        self._encodings: GrowingArray | None = None
        self._neighbours: list[list[int]] = []
        self._raw: list[int] = []  # of each face a number that its cluster shares

    def __len__(self) -> int:
        """Count the faces."""
        return len(self._raw)

    @property
    def labels(self) -> NDArray[np.intp]:
        """The cluster of each face: numbers from 0 on, in the order of their first faces."""
        _, first, raw = np.unique(self._raw, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.intp)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[raw.reshape(-1)]

    def clusters(self) -> list[NDArray[np.intp]]:
        """List the faces of each cluster by their numbers, the largest cluster first."""
        labels = self.labels
        order = np.argsort(labels, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []
        return sorted(groups, key=len, reverse=True)

    def add(self, encodings: Any) -> NDArray[np.intp]:
        """Add faces.

        Parameters
        ----------
        encodings : array, shape (dimension,) or (n, dimension)

        Returns
        -------
        numpy.ndarray, intp, shape (n,)
            Their clusters, as in `labels`; those of older faces may have changed, too.

        Raises
        ------
        ShapeError, ConfigError
            These are no encodings, or not of the length of the others; a number is NaN or infinite.
            Then none is added.
        """
        rows: NDArray[np.float32] = as_array(encodings)
        if rows.ndim == 1 and rows.size:
            rows = rows[None]
        if rows.ndim != 2 or not rows.shape[1]:
            raise ShapeError(
                "FaceClusters.add: expected encodings of shape (dimension,) or (n, dimension), got "
                f"{rows.shape}"
            )
        if not np.isfinite(rows).all():
            raise ConfigError("FaceClusters.add: expected finite numbers, got NaN or infinity")
        if self._encodings is None:
            self._encodings = GrowingArray(np.empty((0, rows.shape[1]), np.float32))
        elif rows.shape[1] != self._encodings.used.shape[1]:
            raise ShapeError(
                f"FaceClusters.add: the encodings so far have {self._encodings.used.shape[1]} "
                f"numbers, got shape {rows.shape}"
            )
        start = len(self)
        self._encodings.append(rows)
        self._raw += range(start, start + len(rows))
        self._neighbours += [[] for _ in rows]
        for i, j in self._pairs(start):
            self._neighbours[i].append(j)
            self._neighbours[j].append(i)
        if self.method == "connected":
            self._connect(start)
        else:
            self._whisper(start)
        return self.labels[start:]

    def _pairs(self, start: int) -> list[tuple[int, int]]:
        """Neighbours (i, j), j < i, of the faces from `start` on."""
        assert self._encodings is not None
        rows = self._encodings.used
        found: list[tuple[int, int]] = []
        for first in range(start, len(rows), _QUERIES):
            queries = rows[first : first + _QUERIES]
            for other in range(0, first + len(queries), _KNOWN):
                known = rows[other : min(other + _KNOWN, first + len(queries))]
                near = ops.cdist(queries, known, metric=self.metric) <= self.threshold
                i, j = np.nonzero(near)
                i, j = i + first, j + other
                older = j < i
                found += zip(i[older].tolist(), j[older].tolist(), strict=True)
        return found

    def _connect(self, start: int) -> None:
        """Give all that new faces reach the number of the first face among them."""
        raw = self._raw
        parent = {label: label for label in raw}

        def root(label: int) -> int:
            while parent[label] != label:
                parent[label] = parent[parent[label]]
                label = parent[label]
            return label

        for i in range(start, len(raw)):
            for j in self._neighbours[i]:
                a, b = sorted((root(raw[i]), root(raw[j])))
                parent[b] = a
        self._raw = [root(label) for label in raw]

    def _whisper(self, start: int) -> None:
        """Let new faces, and then all whose neighbours changed, listen to their neighbours.

        Each change makes more neighbours be of one cluster, so that there is an end to it.
        """
        raw = self._raw
        awake = set(range(start, len(raw)))
        random = _random.generator([self.seed, len(raw)])
        for _ in range(self.rounds):
            if not awake:
                return
            order = random.permutation(sorted(awake)).tolist()
            awake = set()
            for i in order:
                votes = Counter(raw[j] for j in self._neighbours[i])
                most = max(votes.values(), default=0)
                if votes[raw[i]] == most:  # also where there are no neighbours
                    continue
                raw[i] = min(label for label, count in votes.items() if count == most)
                awake.update(self._neighbours[i])
