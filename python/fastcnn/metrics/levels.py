"""What a classifier of two classes reaches at a given level of something else."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastcnn._checks import number, positive_int
from fastcnn.metrics.confusion import PARTS, AtThresholds
from fastcnn.metrics.metric import ratio


class _AtLevel(AtThresholds):
    """The most of one share over all thresholds at which another reaches a level."""

    parts = PARTS
    wanted: tuple[str, str]
    held: tuple[str, str]

    def __init__(
        self,
        level: str,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: str | None,
    ) -> None:
        cls = type(self).__name__
        self.num_thresholds = positive_int(cls, "num_thresholds", num_thresholds)
        limits = [0.5] if num_thresholds == 1 else np.linspace(0, 1, num_thresholds)
        super().__init__(limits, name, dtype, class_id=class_id)
        self._level = number(cls, level, value, at_least=0, at_most=1)
        setattr(self, level, self._level)

    def result(self) -> Any:
        """Give the share; 0 if the level is not reached."""
        wanted, held = (
            ratio(a, a + b)
            for a, b in (
                [getattr(self, part).numpy() for part in parts]
                for parts in (self.wanted, self.held)
            )
        )
        return float(np.max(np.where(held >= self._level, wanted, 0.0)))


_SENSITIVITY = ("true_positives", "false_negatives")
_SPECIFICITY = ("true_negatives", "false_positives")
_PRECISION = ("true_positives", "false_positives")


class SensitivityAtSpecificity(_AtLevel):
    """The share of the labels 1 that are found, at a share of the labels 0 that are left alone.

    Parameters
    ----------
    specificity : float
        The level, from 0 to 1.
    num_thresholds : int, default 200
        How many thresholds, from 0 to 1, are tried.
    class_id : int, optional
        Only this class counts.
    name, dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.SensitivityAtSpecificity(0.5)
    >>> round(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]), 4)
    0.5
    """

    wanted, held = _SENSITIVITY, _SPECIFICITY

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__("specificity", specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_AtLevel):
    """The share of the labels 0 that are left alone, at a share of the labels 1 that are found.

    Parameters
    ----------
    sensitivity : float
        The level, from 0 to 1.
    num_thresholds : int, default 200
        How many thresholds, from 0 to 1, are tried.
    class_id : int, optional
        Only this class counts.
    name, dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.SpecificityAtSensitivity(0.5)
    >>> round(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]), 4)
    0.6667
    """

    wanted, held = _SPECIFICITY, _SENSITIVITY

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__("sensitivity", sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_AtLevel):
    """The share of the predictions of 1 that are right, at a share of the labels 1 that are found.

    Parameters
    ----------
    recall : float
        The level, from 0 to 1.
    num_thresholds : int, default 200
        How many thresholds, from 0 to 1, are tried.
    class_id : int, optional
        Only this class counts.
    name, dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.PrecisionAtRecall(0.5)
    >>> round(metric([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]), 4)
    0.5
    """

    wanted, held = _PRECISION, _SENSITIVITY

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__("recall", recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_AtLevel):
    """The share of the labels 1 that are found, at a share of the predictions of 1 that are right.

    Parameters
    ----------
    precision : float
        The level, from 0 to 1.
    num_thresholds : int, default 200
        How many thresholds, from 0 to 1, are tried.
    class_id : int, optional
        Only this class counts.
    name, dtype : str, optional

    Examples
    --------
    >>> import fastcnn as fc
    >>> metric = fc.metrics.RecallAtPrecision(0.8)
    >>> round(metric([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]), 4)
    0.5
    """

    wanted, held = _SENSITIVITY, _PRECISION

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__("precision", precision, num_thresholds, class_id, name, dtype)
