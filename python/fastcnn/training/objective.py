"""What a model is compiled with: losses and metrics, matched to its outputs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree, losses, metrics, serialization
from fastcnn._checks import number
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.losses.loss import SparseLoss
from fastcnn.tracing import Value


class Objective:
    """Losses and metrics of a model's outputs.

    Parameters
    ----------
    loss, metrics, weighted_metrics
        One, a list with one for each output, or a dictionary by the outputs' names; of metrics each
        may be a list.
    loss_weights : list or dict of float, optional
    names : list of str
        The outputs'; those of a structure that has names of its own win.
    """

    def __init__(
        self, loss: Any, loss_weights: Any, metrics_: Any, weighted_metrics: Any, names: list[str]
    ) -> None:
        self._given = loss, loss_weights, metrics_, weighted_metrics
        # Names mean what they mean here: by the first batch, the scope may have ended.
        self._custom_objects = serialization.custom_objects()
        self._names = names
        self.loss_tracker = metrics.Mean(name="loss")
        self._built = False
        self._sizes: Any = None  # of the last axis of each output, in the outputs' structure
        self._losses: list[Any] = []
        self._weights: list[float] = []
        self._trackers: list[metrics.Mean] = []
        self._metrics: list[list[tuple[Any, bool]]] = []  # of each output, and whether weighted

    @property
    def metrics(self) -> list[Any]:
        """All metrics, the losses' first."""
        of_outputs = [metric for group in self._metrics for metric, _ in group]
        return [self.loss_tracker, *self._trackers, *of_outputs]

    # ---- matching --------------------------------------------------------------------------------

    def _build(self, y_true: Any, y_pred: Any) -> None:
        if self._built:
            return
        _, loss_weights, plain, weighted = self._given
        names = list(y_pred) if isinstance(y_pred, dict) else self._names
        outputs = _tree.flatten(y_pred)
        if len(names) != len(outputs):
            names = [f"output_{i}" for i in range(len(outputs))]
        self._names = names
        targets = _targets(y_true, y_pred, names)
        self._sizes = _tree.map_structure(lambda x: x.shape[-1] if x.shape else 1, y_pred)
        given = _spread("loss", self._given[0], names, repeat=True)
        self._losses = [None if x is None else losses.get(x) for x in given]
        weights = _spread("loss_weights", loss_weights, names, repeat=True)
        self._weights = [
            1.0 if w is None else number("compile", "loss_weights", w) for w in weights
        ]
        several = len(outputs) > 1
        if several:
            self._trackers = [
                metrics.Mean(name=f"{name}_loss")
                for name, one in zip(names, self._losses, strict=True)
                if one is not None
            ]
        groups = [
            (_spread("metrics", plain, names, repeat=False), False),
            (_spread("weighted_metrics", weighted, names, repeat=False), True),
        ]
        taken = {metric.name for metric in self.metrics}
        for i, name in enumerate(names):
            found: list[tuple[Any, bool]] = []
            for group, is_weighted in groups:
                given = group[i]
                for one in given if isinstance(given, (list, tuple)) else [given]:
                    if one is None:
                        continue
                    if targets[i] is None:
                        raise ConfigError(f"metrics: the output {name!r} has no targets")
                    metric = metrics.get(one, targets[i].shape, outputs[i].shape)
                    if isinstance(one, str):
                        metric.name = one
                    prefix = f"{name}_" if several else ""
                    metric.name = _free_name(prefix, metric.name, taken, is_weighted)
                    taken.add(metric.name)
                    metric.reset_state()  # it may have been used before
                    found.append((metric, is_weighted))
            self._metrics.append(found)
        self._built = True

    # ---- describing ------------------------------------------------------------------------------

    def describe(
        self, y_true: Any, y_pred: Any, sample_weight: Any, added: Sequence[Value]
    ) -> Value:
        """Add loss and updated metrics to the graph, and give the loss to be made small.

        Parameters
        ----------
        y_true, sample_weight : structure of Value, or None
        y_pred : structure of Value
        added : sequence of Value
            What layers and weights add to the loss.
        """
        with serialization.custom_object_scope(self._custom_objects):
            self._build(y_true, y_pred)
        outputs, targets = _tree.flatten(y_pred), _targets(y_true, y_pred, self._names)
        weights = _tree.flatten(sample_weight) if sample_weight is not None else []
        if len(weights) not in (0, 1, len(outputs)):
            raise ShapeError(
                f"expected sample weights for one or all of {len(outputs)} outputs, got "
                f"{len(weights)}"
            )
        weights = weights * len(outputs) if len(weights) == 1 else weights or [None] * len(outputs)
        count = float(outputs[0].shape[0])
        trackers = iter(self._trackers)
        total: Any = None
        for i, output in enumerate(outputs):
            one = self._losses[i]
            if one is not None:
                if targets[i] is None:
                    of = f" of the output {self._names[i]!r}" if len(outputs) > 1 else ""
                    raise ConfigError(f"fit, evaluate: the loss{of} needs targets y, got none")
                value = one(targets[i], output, sample_weight=weights[i])
                if tuple(value.shape) != ():
                    raise ShapeError(
                        f"loss {getattr(one, 'name', one)!r}: expected one number, got shape "
                        f"{tuple(value.shape)}; use a reduction other than None"
                    )
                if self._trackers:
                    next(trackers).update_state(value, sample_weight=count)
                if self._weights[i] != 1.0:
                    value = value * self._weights[i]
                total = value if total is None else total + value
            for metric, is_weighted in self._metrics[i]:
                metric.update_state(
                    targets[i], output, sample_weight=weights[i] if is_weighted else None
                )
        for value in added:
            total = value if total is None else total + value
        if total is None:
            raise ConfigError("fit, evaluate: the model has no loss: give compile one")
        self.loss_tracker.update_state(total, sample_weight=count)
        result: Value = total
        return result

    # ---- checking --------------------------------------------------------------------------------

    def check_labels(self, y_true: Any) -> None:
        """Refuse targets that are no class numbers where a loss takes some, once it is described.

        Parameters
        ----------
        y_true : structure of array, or None

        Raises
        ------
        ConfigError
            A label is no class of the output.
        """
        labels = _targets(y_true, self._sizes, self._names)
        for one, array, size in zip(self._losses, labels, _tree.flatten(self._sizes), strict=True):
            if isinstance(one, SparseLoss) and array is not None:
                _check_classes(array, size, one.ignore_class)


def _check_classes(labels: NDArray[Any], classes: int, ignore: int | None) -> None:
    if labels.size == 0:
        return
    whole = labels.dtype.kind in "iu" or np.array_equal(labels, np.trunc(labels))
    if whole and labels.min() >= 0 and labels.max() < classes:
        return
    # What is no number is outside, too: it is not from 0 on.
    right = (labels >= 0) & (labels < classes) & (labels == np.trunc(labels)) | (labels == ignore)
    wrong = labels[~right]
    if wrong.size:
        ignoring = "" if ignore is None else f" (or {ignore}, which is ignored)"
        raise ConfigError(
            f"labels: expected classes from 0 to {classes - 1}{ignoring}, since the model's output "
            f"has {classes} classes; got {wrong.flat[0]}, and {wrong.size} of "
            f"{labels.size} labels are none of them"
        )


def _free_name(prefix: str, name: str, taken: set[str], is_weighted: bool) -> str:
    """Name a metric as Keras does: two of one name would be one in the logs."""
    name = name.removeprefix(prefix)
    if is_weighted and prefix + name in taken:
        name = f"weighted_{name}"
    names = itertools.chain([prefix + name], (f"{prefix}{name}_{i}" for i in itertools.count(1)))
    return next(one for one in names if one not in taken)


def _targets(y_true: Any, y_pred: Any, names: list[str]) -> list[Any]:
    """The target of each output, None where there is none."""
    count = len(_tree.flatten(y_pred))
    if y_true is None:
        return [None] * count
    if isinstance(y_true, dict) and (isinstance(y_pred, dict) or count > 1):
        _check_names("fit, evaluate: targets", y_true, names)
        return [y_true.get(name) for name in names]
    leaves = _tree.flatten(y_true)
    if len(leaves) != count:
        raise ShapeError(f"expected targets for {count} outputs, got {len(leaves)}")
    return leaves


def _check_names(what: str, given: dict[Any, Any], names: list[str]) -> None:
    unknown = [key for key in given if key not in names]
    if unknown:
        raise ConfigError(f"{what}: no output is called {unknown[0]!r}; they are {names}")


def _spread(what: str, given: Any, names: list[str], repeat: bool) -> list[Any]:
    """What was given for each output, in order."""
    count = len(names)
    if isinstance(given, dict) and "class_name" not in given:
        _check_names(what, given, names)
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if not repeat and (count == 1 or not any(isinstance(x, (list, tuple)) for x in given)):
            # A flat list is for every output, unless it has just one for each of several.
            if count > 1 and len(given) == count:
                return list(given)
            return [list(given)] * count
        if len(given) != count:
            raise ConfigError(f"{what}: expected one for each of {count} outputs, got {len(given)}")
        return list(given)
    return [given] * count
