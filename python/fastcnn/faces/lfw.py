"""Labeled Faces in the Wild: its lists of pairs, and how accuracy is measured on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn._checks import positive_int
from fastcnn.errors import ConfigError, FileFormatError, ShapeError
from fastcnn.faces.evaluation import roc_curve
from fastcnn.io._files import StrPath, naming, open_binary

__all__ = ["FacePair", "LFWResult", "lfw_protocol", "read_lfw_pairs"]

_MOST_LINES = 10**7


class FacePair(NamedTuple):
    """A line of LFW's ``pairs.txt``.

    Attributes
    ----------
    first, second : str
        Pictures, as ``Name/Name_0001.jpg``.
    same : bool
    fold : int
        From 0 on.
    """

    first: str
    second: str
    same: bool
    fold: int


def read_lfw_pairs(path: StrPath) -> list[FacePair]:
    """Read a list of pairs in the format of LFW: ``pairs.txt`` or ``pairsDevTest.txt``.

    The first line holds the number of folds (left out when it is one) and of pairs of each kind in
    a fold. Each fold has ``name number number`` for every genuine pair, then ``name number name
    number`` for every impostor, divided by tabs or spaces.

    Raises
    ------
    MissingFileError, FileAccessError
        There is no such file, or it cannot be read.
    FileFormatError
        It is no such list; the message names the line.

    Examples
    --------
    >>> with open("pairs.txt", "w") as file:
    ...     _ = file.write("1\\nAda\\t1\\t3\\nAda\\t2\\tGrace\\t1\\n")
    >>> for pair in read_lfw_pairs("pairs.txt"):
    ...     print(*pair)
    Ada/Ada_0001.jpg Ada/Ada_0003.jpg True 0
    Ada/Ada_0002.jpg Grace/Grace_0001.jpg False 0
    """
    with naming(path), open_binary(path) as file:
        try:
            text = file.read().decode()
        except UnicodeDecodeError as error:
            raise FileFormatError(f"expected a list of pairs: {error}") from error
        lines = [line.split() for line in text.splitlines() if line.strip()]
        folds, each = _sizes(lines[0] if lines else [])
        if len(lines) != 1 + 2 * folds * each:
            raise FileFormatError(
                f"expected {folds} x {2 * each} pairs after the first line, got {len(lines) - 1}"
            )
        return [
            _pair(number, fields, (number - 1) % (2 * each) < each, (number - 1) // (2 * each))
            for number, fields in enumerate(lines[1:], start=1)
        ]


def _sizes(fields: list[str]) -> tuple[int, int]:
    numbers = [int(f) for f in fields if f.isdecimal() and f.isascii() and len(f) < 9]
    if len(numbers) != len(fields) or len(numbers) not in (1, 2) or min(numbers) < 1:
        raise FileFormatError(
            "expected a first line with the numbers of folds and of pairs of each kind, got "
            f"{' '.join(fields)[:100]!r}"
        )
    folds, each = numbers if len(numbers) == 2 else (1, numbers[0])
    if folds * each > _MOST_LINES:
        raise FileFormatError(f"expected at most {_MOST_LINES} pairs, got {folds} x {each}")
    return folds, each


def _pair(number: int, fields: list[str], same: bool, fold: int) -> FacePair:
    wanted = "name number number" if same else "name number name number"
    counts = fields[1:] if same else fields[1::2]
    if len(fields) != len(wanted.split()) or not all(
        count.isdecimal() and count.isascii() and len(count) < 9 for count in counts
    ):
        raise FileFormatError(f"pair {number}: expected {wanted!r}, got {' '.join(fields)[:100]!r}")
    names = [fields[0], fields[0] if same else fields[2]]
    if any("/" in name or "\\" in name or name in (".", "..") for name in names):
        raise FileFormatError(f"pair {number}: expected names of people, got {names}")
    first, second = (f"{n}/{n}_{int(c):04d}.jpg" for n, c in zip(names, counts, strict=True))
    return FacePair(first, second, same, fold)


class LFWResult(NamedTuple):
    """The accuracy by LFW's protocol.

    Attributes
    ----------
    accuracy, standard_error : float
        The mean of the folds' accuracies, and the standard error of that mean.
    accuracies, thresholds : numpy.ndarray, float64, shape (folds,)
        Of each fold: the accuracy, and the threshold that is best on the other folds.
    """

    accuracy: float
    standard_error: float
    accuracies: NDArray[np.float64]
    thresholds: NDArray[np.float64]


def lfw_protocol(same: Any, distances: Any, folds: int | Sequence[int] | Any = 10) -> LFWResult:
    """Measure the accuracy of verification as on Labeled Faces in the Wild.

    The threshold for each fold is the best one on all other folds, so that no pair is judged by a
    threshold that was chosen with it.

    Parameters
    ----------
    same, distances
        As for `roc_curve`.
    folds : int or array of int, shape (n,), default 10
        Into how many folds of equal length the pairs are divided, in their order; or which fold
        each pair is in.

    Returns
    -------
    LFWResult

    Raises
    ------
    ShapeError, ConfigError
        As for `roc_curve`; or there are fewer than two folds, or pairs of one kind only outside one
        of them.

    References
    ----------
    G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller: Labeled Faces in the Wild. Technical Report
    07-49, University of Massachusetts, 2007, section 4 (mean and standard error: equations 1-3).

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> same = np.tile([True] * 3 + [False] * 3, 10)
    >>> result = fc.faces.lfw_protocol(same, np.where(same, 0.4, 0.9), folds=10)
    >>> float(result.accuracy), float(result.standard_error), float(result.thresholds[0])
    (1.0, 0.0, 0.65)
    """
    curve = roc_curve(same, distances)  # for its checks
    truth, measured = np.asarray(same).astype(bool), np.asarray(distances, np.float64)
    if isinstance(folds, (int, np.integer)):
        parts = positive_int("lfw_protocol", "folds", folds, at_least=2)
        places = np.arange(len(truth)) * parts // len(truth)
    else:
        places = np.asarray(folds)
        if places.shape != truth.shape:
            raise ShapeError(
                f"lfw_protocol: folds: expected one for each of {curve.genuine + curve.impostors} "
                f"pairs, got shape {places.shape}"
            )
    names = np.unique(places)
    if len(names) < 2:
        raise ConfigError(f"lfw_protocol: expected at least two folds, got {len(names)}")
    accuracies, thresholds = [], []
    for fold in names:
        inside = places == fold
        threshold = roc_curve(truth[~inside], measured[~inside]).best_threshold()
        thresholds.append(threshold)
        accuracies.append(float(((measured[inside] <= threshold) == truth[inside]).mean()))
    deviation = float(np.std(accuracies, ddof=1))
    return LFWResult(
        float(np.mean(accuracies)),
        deviation / math.sqrt(len(names)),
        np.array(accuracies),
        np.array(thresholds),
    )
