"""How well distances between encodings tell people apart: ROC curves and thresholds.

Two faces are accepted as one person's if their distance is at most a threshold. Pairs of one person
are called genuine, pairs of two people impostors; the false-accept rate (FAR) is the share of
impostors accepted, the true-accept rate (TAR) that of genuine pairs, the false-reject rate (FRR)
its rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import _random
from fastcnn._checks import number, one_of, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.ops._dispatch import as_array

__all__ = [
    "Calibration",
    "PairIndices",
    "RocCurve",
    "calibrate_threshold",
    "make_pairs",
    "pair_distances",
    "roc_curve",
]

_Z95 = 1.959963984540054  # 95 % of a normal distribution lie within so many standard deviations
_AT_ONCE = 2**16  # pairs


# ---- pairs ---------------------------------------------------------------------------------------


class PairIndices(NamedTuple):
    """Pairs of faces by their numbers.

    Attributes
    ----------
    first, second : numpy.ndarray, intp, shape (n,)
    same : numpy.ndarray, bool, shape (n,)
        Whether both are of one person.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    same: NDArray[np.bool_]


def make_pairs(
    labels: Any, balanced: bool = True, limit: int | None = None, seed: int | None = 0
) -> PairIndices:
    """Make pairs of faces whose people are known.

    Parameters
    ----------
    labels : array of int or str, shape (n,)
        Whose faces they are.
    balanced : bool, default True
        As many impostors, drawn at random, as genuine pairs (or fewer genuine, where there are too
        few impostors); otherwise all pairs there are.
    limit : int, optional
        At most so many genuine pairs, and so many impostors, drawn at random.
    seed : int, optional
        None: the process' own.

    Returns
    -------
    PairIndices
        The genuine pairs, then the impostors; each pair once, none of a face with itself.

    Raises
    ------
    ConfigError
        There is no genuine pair, or no impostor.

    Examples
    --------
    >>> import fastcnn as fc
    >>> pairs = fc.faces.make_pairs(["Ada", "Ada", "Grace", "Grace"])
    >>> len(pairs.same), int(pairs.same.sum())
    (4, 2)
    """
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    codes = codes.reshape(-1)
    n = len(codes)
    random = _random.generator(seed)
    most = None if limit is None else positive_int("make_pairs", "limit", limit)
    counts = np.bincount(codes)
    genuine_count = int((counts * (counts - 1) // 2).sum())
    impostor_count = n * (n - 1) // 2 - genuine_count
    if not genuine_count or not impostor_count:
        raise ConfigError(
            "make_pairs: expected at least two faces of one person and one of another, got "
            f"{n} faces of {len(counts)} people"
        )
    wanted = [genuine_count, impostor_count]
    if balanced:
        wanted = [min(wanted)] * 2
    if most is not None:
        wanted = [min(count, most) for count in wanted]
    # Sorted by person, so that the genuine pairs can be numbered without a matrix of all pairs.
    order = np.argsort(codes, kind="stable")
    starts = np.cumsum(counts) - counts
    numbers = _some_of(random, genuine_count, wanted[0])
    first, second = _genuine(numbers, counts, starts)
    a, b = _impostors(random, codes[order], n, impostor_count, wanted[1])
    firsts, seconds = order[np.concatenate([first, a])], order[np.concatenate([second, b])]
    same = np.arange(len(firsts)) < len(first)
    return PairIndices(firsts, seconds, same)


def _some_of(random: np.random.Generator, count: int, wanted: int) -> NDArray[np.intp]:
    """Draw `wanted` different numbers below `count`, in increasing order."""
    if wanted == count:
        return np.arange(count, dtype=np.intp)
    return np.sort(random.choice(count, wanted, replace=False)).astype(np.intp)


def _triangle(numbers: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs i < j in the order (0, 1), (0, 2), (1, 2), (0, 3) ... by their numbers."""
    j = ((1 + np.sqrt(1 + 8 * numbers.astype(np.float64))) / 2).astype(np.intp)
    j -= j * (j - 1) // 2 > numbers  # what rounding did
    j += j * (j + 1) // 2 <= numbers
    return numbers - j * (j - 1) // 2, j


def _genuine(
    numbers: NDArray[np.intp], counts: NDArray[np.intp], starts: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    ends = np.cumsum(counts * (counts - 1) // 2)
    person = np.searchsorted(ends, numbers, side="right")
    i, j = _triangle(numbers - (ends - counts * (counts - 1) // 2)[person])
    return starts[person] + i, starts[person] + j


def _impostors(
    random: np.random.Generator, codes: NDArray[Any], n: int, count: int, wanted: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    total = n * (n - 1) // 2
    if 4 * wanted >= count:  # most of them: list all, and keep some
        i, j = _triangle(np.arange(total, dtype=np.intp))
        differ = np.flatnonzero(codes[i] != codes[j])[_some_of(random, count, wanted)]
        return i[differ], j[differ]
    drawn = np.empty(0, np.intp)
    while len(drawn) < wanted:  # a few of many: draw until there are enough different ones
        i, j = _triangle(random.integers(total, size=2 * wanted + 64))
        fresh = (j * (j - 1) // 2 + i)[codes[i] != codes[j]]
        together = np.concatenate([drawn, fresh])
        drawn = together[np.sort(np.unique(together, return_index=True)[1])]
    return _triangle(np.sort(drawn[:wanted]))


def pair_distances(a: Any, b: Any, metric: str = "euclidean") -> NDArray[np.float64]:
    """Measure the distance of each row of `a` from the row of `b` beside it.

    Parameters
    ----------
    a, b : array, shape (n, dimension)
    metric : {"euclidean", "sqeuclidean", "manhattan", "cosine"}
        As of `fastcnn.ops.cdist`.

    Returns
    -------
    numpy.ndarray, float64, shape (n,)

    Raises
    ------
    ShapeError
        The arrays are not matrices of one shape.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.faces.pair_distances([[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [1.0, 1.0]])
    array([5., 0.])
    """
    one_of("pair_distances", "metric", metric, ("euclidean", "sqeuclidean", "manhattan", "cosine"))
    a, b = as_array(a), as_array(b)
    if a.ndim != 2 or a.shape != b.shape:
        raise ShapeError(
            f"pair_distances: expected two matrices of one shape, got {a.shape} and {b.shape}"
        )
    parts = [
        _distances(a[i : i + _AT_ONCE].astype(np.float64), b[i : i + _AT_ONCE], metric)
        for i in range(0, len(a), _AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _distances(a: NDArray[Any], b: NDArray[Any], metric: str) -> NDArray[np.float64]:
    if metric == "cosine":
        norms = np.sqrt((a * a).sum(1) * (b.astype(np.float64) ** 2).sum(1))
        products = (a * b).sum(1)
        similarity = np.divide(products, norms, out=np.zeros_like(norms), where=norms != 0)
        return np.asarray(np.clip(1 - similarity, 0, 2))
    difference = a - b
    if metric == "manhattan":
        return np.asarray(np.abs(difference).sum(1))
    square = np.asarray((difference * difference).sum(1))
    return square if metric == "sqeuclidean" else np.sqrt(square)


# ---- curves and thresholds -----------------------------------------------------------------------


class Calibration(NamedTuple):
    """A threshold, and what it did on the pairs it was measured with.

    Attributes
    ----------
    threshold : float
        Accept distances up to this one.
    far, tar, frr : float
        Shares of impostors accepted, of genuine pairs accepted, and of these rejected.
    far_interval, tar_interval : (float, float)
        Where the true rates lie with 95 % confidence, if pairs were drawn independently (Wilson's
        score interval). Pairs that share faces or people tell less than their number says.
    impostors, genuine : int
        The numbers of pairs.
    """

    threshold: float
    far: float
    tar: float
    frr: float
    far_interval: tuple[float, float]
    tar_interval: tuple[float, float]
    impostors: int
    genuine: int


@dataclass(frozen=True, repr=False, eq=False)
class RocCurve:
    """The rates at every threshold that makes a difference; `roc_curve` makes it.

    Attributes
    ----------
    far, tar : numpy.ndarray, float64, shape (m,)
        Rates at each threshold, from (0, 0) to (1, 1).
    thresholds : numpy.ndarray, float64, shape (m,)
        Increasing: minus infinity, which accepts nothing, and then every distance that occurs.
    impostors, genuine : int
        The numbers of pairs.
    """

    far: NDArray[np.float64]
    tar: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    impostors: int
    genuine: int

    def __repr__(self) -> str:
        return (
            f"<RocCurve of {self.genuine} genuine and {self.impostors} impostor pairs: AUC "
            f"{self.auc:.4f}, EER {self.eer:.4f}>"
        )

    @property
    def frr(self) -> NDArray[np.float64]:
        """The false-reject rate at each threshold."""
        return 1.0 - self.tar

    @property
    def auc(self) -> float:
        """The area under the curve: how often a genuine pair is nearer than an impostor."""
        return float((np.diff(self.far) * (self.tar[1:] + self.tar[:-1])).sum() / 2)

    @property
    def eer(self) -> float:
        """The equal error rate: where false accepts and false rejects are equally frequent.

        Between two thresholds the curve is taken for a straight line.
        """
        gap = self.far - self.frr  # rises from -1 to 1
        after = int(np.argmax(gap >= 0))
        before = after - 1
        part = -gap[before] / (gap[after] - gap[before])
        return float(self.far[before] + part * (self.far[after] - self.far[before]))

    def at(self, threshold: float) -> Calibration:
        """Tell the rates at a threshold.

        Parameters
        ----------
        threshold : float
            Accept distances up to this one.
        """
        threshold = number("RocCurve", "threshold", threshold)
        index = int(np.searchsorted(self.thresholds, threshold, side="right")) - 1
        far, tar = float(self.far[index]), float(self.tar[index])
        return Calibration(
            threshold,
            far,
            tar,
            1.0 - tar,
            _wilson(far, self.impostors),
            _wilson(tar, self.genuine),
            self.impostors,
            self.genuine,
        )

    def tar_at_far(self, far: float) -> float:
        """Tell the largest true-accept rate whose false-accept rate is at most `far`.

        No interpolation: a threshold has this rate.

        Parameters
        ----------
        far : float
            0 to 1.
        """
        return float(self.tar[self._last_within(far)])

    def threshold_at_far(self, far: float) -> float:
        """Find the threshold that accepts most and of impostors at most the share `far`.

        It lies halfway between the last distance accepted and the first refused: all thresholds
        between them have the same rates on these pairs, and the middle one is the furthest from
        being wrong on others.

        Parameters
        ----------
        far : float
            0 to 1.
        """
        return self._between(self._last_within(far))

    def best_threshold(self) -> float:
        """Find the threshold with the largest share of right decisions.

        Of equally good ones that with the fewest false accepts, halfway between two distances as
        for `threshold_at_far`.
        """
        right = self.tar * self.genuine + (1.0 - self.far) * self.impostors
        return self._between(int(np.argmax(np.round(right))))

    def accuracy(self, threshold: float) -> float:
        """Tell the share of pairs, genuine and impostors, that a threshold decides rightly."""
        there = self.at(threshold)
        right = there.tar * self.genuine + (1.0 - there.far) * self.impostors
        return right / (self.genuine + self.impostors)

    def _last_within(self, far: float) -> int:
        far = number("RocCurve", "far", far, at_least=0, at_most=1)
        # Rates are quotients of counts: a wanted 0.1 of 10 impostors is one, whatever the rounding.
        return int(np.searchsorted(self.far, far * (1 + 1e-12), side="right")) - 1

    def _between(self, index: int) -> float:
        """A threshold with the rates of `index`."""
        if index == len(self.thresholds) - 1:
            return float(self.thresholds[index])
        after = float(self.thresholds[index + 1])
        if index == 0:
            return math.nextafter(after, -math.inf)
        middle = (float(self.thresholds[index]) + after) / 2
        return middle if middle < after else float(self.thresholds[index])


def roc_curve(same: Any, distances: Any) -> RocCurve:
    """Compute the ROC curve of distances.

    Parameters
    ----------
    same : array of bool or of 0 and 1, shape (n,)
        Whether the two faces of a pair are of one person.
    distances : array, shape (n,)
        The smaller, the more alike.

    Returns
    -------
    RocCurve

    Raises
    ------
    ShapeError
        There is not one of each for every pair.
    ConfigError
        There is no genuine pair or no impostor; a distance is NaN; `same` is neither 0 nor 1.

    Examples
    --------
    >>> import fastcnn as fc
    >>> curve = fc.faces.roc_curve([1, 1, 1, 0, 0, 0], [0.2, 0.3, 0.6, 0.5, 0.8, 0.9])
    >>> round(curve.auc, 4), round(curve.eer, 4), round(curve.tar_at_far(0.0), 4)
    (0.8889, 0.3333, 0.6667)
    >>> curve.threshold_at_far(0.0)
    0.4
    """
    truth, measured = np.asarray(same), np.asarray(distances)
    if truth.ndim != 1 or truth.shape != measured.shape:
        raise ShapeError(
            f"roc_curve: expected one truth and one distance for each pair, got shapes "
            f"{truth.shape} and {measured.shape}"
        )
    if truth.dtype.kind not in "biuf" or not np.isin(truth, (0, 1)).all():
        raise ConfigError("roc_curve: same: expected True or 1, False or 0")
    if measured.dtype.kind not in "iuf" or np.isnan(measured).any():
        raise ConfigError("roc_curve: expected distances that are numbers, got NaN or others")
    truth, measured = truth.astype(bool), measured.astype(np.float64)
    genuine = int(truth.sum())
    impostors = len(truth) - genuine
    if not genuine or not impostors:
        raise ConfigError(
            f"roc_curve: expected pairs of both kinds, got {genuine} genuine, {impostors} impostors"
        )
    order = np.argsort(measured, kind="stable")
    measured, truth = measured[order], truth[order]
    last = np.append(np.flatnonzero(measured[1:] > measured[:-1]), len(measured) - 1)
    accepted = np.cumsum(truth)[last]
    return RocCurve(
        np.append(0.0, (last + 1 - accepted) / impostors),
        np.append(0.0, accepted / genuine),
        np.append(-np.inf, measured[last]),
        impostors,
        genuine,
    )


def calibrate_threshold(same: Any, distances: Any, far: float = 1e-3) -> Calibration:
    """Find the threshold for a wanted rate of false accepts, and tell how sure that rate is.

    Parameters
    ----------
    same, distances
        As for `roc_curve`.
    far : float, default 1e-3
        Of impostors, the share that may be accepted. On these pairs it is kept exactly (see
        `RocCurve.threshold_at_far`); what it is on others, ``far_interval`` tells. With n impostors
        a rate below about 4 / n cannot be shown.

    Returns
    -------
    Calibration

    Raises
    ------
    ShapeError, ConfigError
        As for `roc_curve`; or `far` is not from 0 to 1.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> distances = np.concatenate([np.linspace(0, 1, 500), np.linspace(0.8, 2, 1000)])
    >>> found = fc.faces.calibrate_threshold(np.arange(1500) < 500, distances, far=0.01)
    >>> round(found.threshold, 2), found.far, round(found.tar, 3)
    (0.81, 0.01, 0.812)
    >>> [round(bound, 4) for bound in found.far_interval]
    [0.0054, 0.0183]
    """
    curve = roc_curve(same, distances)
    return curve.at(curve.threshold_at_far(far))


def _wilson(share: float, count: int) -> tuple[float, float]:
    """The interval in which a true rate lies, of which `share` of `count` was seen.

    E. B. Wilson: Probable Inference, the Law of Succession, and Statistical Inference. 1927.
    """
    z2 = _Z95 * _Z95
    middle = share + z2 / (2 * count)
    width = _Z95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    scale = 1 + z2 / count
    low, high = (middle - width) / scale, (middle + width) / scale
    return (0.0 if share == 0 else max(low, 0.0), 1.0 if share == 1 else min(high, 1.0))
