"""Data as batches of (inputs, targets, sample weights)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import _tree
from fastcnn._checks import number
from fastcnn.data import ArrayDataset, Dataset
from fastcnn.data._workers import ending
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.ops._dispatch import as_array, as_numbers
from fastcnn.plan import is_array

Batch = tuple[Any, Any, Any]


def as_batches(
    who: str,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
) -> Iterable[Any]:
    """Give what can be iterated over, a batch at a time, again and again if `x` can.

    Parameters
    ----------
    who : str
        The function of the model, for messages.
    x : array or structure of arrays, or Dataset, generator or other iterable of batches
    y, sample_weight : array or structure of arrays, optional
        Only with arrays.
    batch_size, shuffle, seed
        Only for arrays.
    """
    if x is None:
        raise ConfigError(f"{who}: expected data, got x=None")
    if isinstance(x, (Dataset, Iterator)) or not _holds_arrays(x):
        if not hasattr(x, "__iter__") or isinstance(x, (str, bytes)):
            raise DTypeError(
                f"{who}: expected arrays, a data set or an iterable of batches, got {x!r}"
            )
        if y is not None or sample_weight is not None:
            raise ConfigError(f"{who}: y and sample_weight come with x from {type(x).__name__}")
        if batch_size is not None and isinstance(x, Dataset):
            raise ConfigError(f"{who}: the data set has batches already: batch_size is not for it")
        return x  # type: ignore[no-any-return]
    return ArrayDataset(
        x if y is not None else (x,),  # a list of inputs is not to be taken for (x, y)
        y,
        sample_weight,
        batch_size=32 if batch_size is None else batch_size,
        shuffle=shuffle,
        seed=seed,
    )


def opened(data: Iterable[Any], threads: ExitStack) -> Iterator[Any]:
    """Start to go through data.

    Threads that make its batches end with the stack, however that ends; an iterator of the caller's
    own can be gone on with.
    """
    batches = iter(data)
    return batches if batches is data else threads.enter_context(ending(batches))


def _holds_arrays(x: Any) -> bool:
    if isinstance(x, list) and x and all(isinstance(item, tuple) for item in x):
        return False  # batches of (x, y)
    return is_array(x) or (
        isinstance(x, (list, tuple, dict))
        and len(x) > 0
        and all(
            is_array(leaf) or isinstance(leaf, (int, float, np.number)) for leaf in _tree.flatten(x)
        )
    )


def parts_of(batch: Any, inputs: int) -> tuple[Any, ...]:
    """Take a batch apart: ``(x, y, ...)`` may be a list, as torch's ``DataLoader`` makes it.

    A list of as many arrays as the model has inputs is those inputs.
    """
    if isinstance(batch, tuple):
        return batch
    if not isinstance(batch, list) or len(batch) not in (2, 3):
        return (batch,)
    return (batch,) if len(batch) == inputs and all(map(is_array, batch)) else tuple(batch)


def unpack(
    who: str, batch: Any, class_weight: dict[int, float] | None = None, inputs: int = 1
) -> Batch:
    """Take a batch apart: float32 inputs, targets, and weights that those of classes are part of.

    Parameters
    ----------
    who : str
        The function of the model, for messages.
    batch : tuple, list, or array or structure of arrays
    class_weight : dict of int to float, optional
    inputs : int, default 1
        How many inputs the model has, as far as that is known.

    Raises
    ------
    ShapeError
        The parts differ in their number of samples.
    """
    parts = parts_of(batch, inputs)
    if not 1 <= len(parts) <= 3:
        raise ShapeError(
            f"{who}: expected batches of x, (x, y) or (x, y, sample_weight), got {len(parts)} parts"
        )
    x, y, weight = (*parts, None, None)[:3]
    x = _tree.map_structure(as_array, x)
    y = None if y is None else _tree.map_structure(as_numbers, y)
    weight = None if weight is None else _tree.map_structure(as_array, weight)
    if class_weight is not None:
        weight = _weigh(who, y, weight, class_weight)
    counts = {a.shape[:1] for a in _tree.flatten((x, y, weight)) if a is not None}
    if len(counts) != 1 or counts == {()}:
        shapes = _tree.map_structure(lambda a: None if a is None else a.shape, (x, y, weight))
        raise ShapeError(
            f"{who}: expected inputs, targets and weights with one first axis, the samples, got "
            f"shapes {shapes[0]}, {shapes[1]}, {shapes[2]}"
        )
    return x, y, weight


def check_class_weight(who: str, given: Any, outputs: Sequence[tuple[int | None, ...]]) -> None:
    """Refuse what does not give weights to classes of a model.

    Parameters
    ----------
    who : str
        The function of the model, for messages.
    given : object
    outputs : sequence of tuple
        The shapes of the model's outputs, as far as they are known.

    Raises
    ------
    DTypeError
        It is no dict.
    ConfigError
        A key is no class, or a weight no number from 0 on.
    """
    if not isinstance(given, Mapping):
        raise DTypeError(
            f"{who}: class_weight: expected a dict from numbers of classes to weights, got "
            f"{type(given).__name__}; dict(enumerate(weights)) makes one of a list"
        )
    shape = outputs[0] if len(outputs) == 1 else ()
    # One output may be of two classes, or a number that takes the values of any: they are not told.
    count = shape[-1] if shape and shape[-1] != 1 else None
    for key, weight in given.items():
        whole = isinstance(key, (int, np.integer)) and not isinstance(key, bool)
        if not whole or (count is not None and not 0 <= key < count):
            bounds = "" if count is None else f" from 0 to {count - 1}"
            raise ConfigError(
                f"{who}: class_weight: expected numbers of classes{bounds} as keys, got {key!r}"
            )
        number(who, f"class_weight[{key}]", weight, at_least=0)


def _weigh(who: str, y: Any, weight: Any, class_weight: dict[int, float]) -> NDArray[np.float32]:
    if not isinstance(y, np.ndarray):
        raise ConfigError(f"{who}: class_weight needs a model with one output")
    labels = y
    if y.ndim > 1 and y.shape[-1] > 1 and y.dtype.kind == "f":
        labels = y.argmax(-1)  # one-hot
    elif y.ndim > 1 and y.shape[-1] == 1:
        labels = y[..., 0]
    classes, where = np.unique(labels, return_inverse=True)
    factors = np.array([class_weight.get(int(c), 1.0) for c in classes], np.float32)
    found: NDArray[np.float32] = factors[where].reshape(labels.shape)
    return found if weight is None else np.asarray(found * weight, np.float32)


def split(
    arrays: Any, validation_split: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Take the last share of the samples for validation."""
    if not 0 < number("fit", "validation_split", validation_split) < 1:
        raise ConfigError(f"fit: validation_split: expected 0 .. 1, got {validation_split!r}")
    x = arrays[0]
    if isinstance(x, Dataset) or not _holds_arrays(x):
        raise ConfigError(
            "fit: validation_split needs arrays; give validation_data beside a data set"
        )
    arrays = _tree.map_structure(lambda a: None if a is None else as_array(a, None), arrays)
    count = len(_tree.flatten(arrays[0])[0])
    at = int(count * (1 - validation_split))
    if at in (0, count):
        raise ConfigError(
            f"fit: validation_split={validation_split} leaves no samples to train with, or to "
            f"validate with, of {count}"
        )

    def part(where: Any) -> Any:
        return _tree.map_structure(lambda a: None if a is None else a[where], arrays)

    return part(slice(None, at)), part(slice(at, None))
