"""Deconvnet: feature maps brought back to the pixels that excited them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastcnn import ops
from fastcnn._checks import positive_int
from fastcnn.errors import ConfigError
from fastcnn.layers.layer import Layer
from fastcnn.visualize._inside import Array, WatchedTrace, inside, pictures
from fastcnn.visualize._targets import Unit, unit_maps, unit_mask
from fastcnn.visualize.receptive_fields import receptive_fields

_BATCH = 16


def deconvnet(
    model: Layer, x: Any, layer: str, channel: Any = None, position: Any = "max"
) -> Array:
    """Show which pattern in a picture excited a unit (Zeiler & Fergus 2014, section 2.1).

    All activations of the layer but the unit's are set to zero, and what is left is brought back
    through the layers before it: maxima are put where they came from (switches), every rectifier
    rectifies what passes it, convolutions are undone by their transposed filters.

    Zeiler and Fergus' steps are those of the gradient but for the rectifiers (Simonyan et al. 2014,
    section 4), so this works with layers of any kind: batch normalisation is undone by its factor,
    average pooling by spreading. Where windows of max pooling overlap, what they send to one pixel
    is added.

    Parameters
    ----------
    model : Model
        It takes one tensor of pictures. Rectifiers are ReLU and ReLU6.
    x : array, float32, shape (n, h, w, c)
        Pictures as the model takes them, preprocessed.
    layer : str
        Best one that gives what a rectifier gave: a convolution with its activation, the
        activation, or the pooling behind it.
    channel : int or sequence of int, optional
        The feature map, one for all pictures or one for each; the one with the strongest
        activation unless given.
    position : "max", None, (int, int) or sequence of (int, int), default "max"
        Row and column in the map; ``"max"``: where it is strongest; None: the whole map.

    Returns
    -------
    array, float32, shape (n, h, w, c)
        `as_picture` makes it visible.

    Raises
    ------
    ConfigError
        There is no such layer, channel or position.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(4, 3, activation="relu"),
    ...                        fc.layers.MaxPooling2D(name="pool")])
    >>> fc.visualize.deconvnet(model, np.ones((1, 8, 8, 3)), "pool", channel=2).shape
    (1, 8, 8, 3)
    """
    given = pictures("deconvnet", x)
    unit = Unit(layer, channel, position)

    def describe(trace: WatchedTrace, x: Any, output: Any) -> Any:
        maps = unit_maps(trace, layer)
        mask = unit_mask(trace, unit)
        if position is None:  # every place counts with its activation, not with its share
            mask = mask * float(maps.shape[1])
        start = ops.stop_gradient(maps * mask)
        return trace.backward(ops.sum(maps * start), x)

    found: Array = inside(model, describe, "deconvnet")(given)
    return found


class TopActivations(NamedTuple):
    """Which of many pictures excite each channel of a layer most, the strongest first.

    Attributes
    ----------
    pictures : array, int64, shape (channels, k)
        Their numbers.
    positions : array, int64, shape (channels, k, 2)
        Row and column in the layer's result.
    values : array, float32, shape (channels, k)
        The activations.
    """

    pictures: NDArray[np.int64]
    positions: NDArray[np.int64]
    values: Array


def top_activations(
    model: Layer, x: Any, layer: str, k: int = 9, *, batch_size: int = _BATCH
) -> TopActivations:
    """Find the pictures, and the places in them, that excite each channel of a layer most.

    Each picture counts once for a channel, where it excites it most, as in figure 2 of Zeiler &
    Fergus 2014. `deconvnet` then shows what it was in them.

    Parameters
    ----------
    model : Model
    x : array, float32, shape (n, h, w, c)
        Pictures as the model takes them, preprocessed.
    layer : str
        One that gives feature maps.
    k : int, default 9
        How many for each channel; all there are if x has fewer.
    batch_size : int, default 16

    Returns
    -------
    TopActivations

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 1)), fc.layers.AveragePooling2D(name="mean")])
    >>> x = np.zeros((3, 8, 8, 1)); x[1, 4:6, 2:4] = 1
    >>> top = fc.visualize.top_activations(model, x, "mean", k=1)
    >>> top.pictures[0], top.positions[0], top.values[0]
    (array([1]), array([[2, 1]]), array([1.], dtype=float32))
    """
    given = pictures("top_activations", x)
    count = min(positive_int("top_activations", "k", k), len(given))
    size = positive_int("top_activations", "batch_size", batch_size)
    shape: list[int] = []

    def describe(trace: WatchedTrace, x: Any, output: Any) -> Any:
        value = trace.result(layer)
        if value.ndim != 4:
            raise ConfigError(
                f"layer {layer!r}: expected one that gives feature maps, got {value.shape}"
            )
        shape[:] = value.shape[1:3]
        maps = unit_maps(trace, layer)
        return ops.max(maps, axis=1), ops.argmax(maps, axis=1)

    run = inside(model, describe)
    parts = [run(given[start : start + size]) for start in range(0, len(given), size)]
    values = np.concatenate([best for best, _ in parts]).T
    places = np.concatenate([place for _, place in parts]).T
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    places = np.take_along_axis(places, order, axis=1)
    return TopActivations(
        order.astype(np.int64),
        np.stack(np.divmod(places, shape[1]), axis=-1),
        np.take_along_axis(values, order, axis=1),
    )


class TopPatterns(NamedTuple):
    """What excites channels most, cut out by their receptive fields, the strongest first.

    Attributes
    ----------
    patterns, patches : array, float32, shape (channels, k, height, width, c)
        What `deconvnet` makes of the activations, and the parts of the pictures, beyond whose
        borders there are zeros.
    """

    patterns: Array
    patches: Array


def top_patterns(
    model: Layer, x: Any, layer: str, channels: Sequence[int], k: int = 9
) -> TopPatterns:
    """Show what excites channels most in many pictures: figure 2 of Zeiler & Fergus 2014.

    Parameters
    ----------
    model, x, layer, k
        As for `top_activations`.
    channels : sequence of int

    Returns
    -------
    TopPatterns

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((16, 16, 3)), fc.layers.Conv2D(4, 5, activation="relu",
    ...                        name="conv")])
    >>> fc.visualize.top_patterns(model, np.random.rand(8, 16, 16, 3), "conv", [1, 2]).patches.shape
    (2, 8, 5, 5, 3)
    """
    given = pictures("top_patterns", x)
    top = top_activations(model, given, layer, k)
    wanted = np.asarray(channels)
    if wanted.ndim != 1 or not len(wanted) or wanted.dtype.kind not in "iu":
        raise ConfigError(f"top_patterns: channels: expected integers, got {channels!r}")
    if wanted.min() < 0 or wanted.max() >= len(top.values):
        raise ConfigError(f"layer {layer!r} has {len(top.values)} channels, not {channels}")
    field = next(
        f for f in receptive_fields(model, (1, *given.shape[1:])) if _is_named(f.layer, layer)
    )
    count = top.values.shape[1]
    height, width = (min(a, b) for a, b in zip(field.size, given.shape[1:3], strict=True))
    shape = (len(wanted), count, height, width, given.shape[3])
    found = TopPatterns(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    for place, channel in enumerate(wanted):
        numbers = top.pictures[channel]
        positions = top.positions[channel]
        whole = deconvnet(model, given[numbers], layer, int(channel), positions)
        for rank, (row, column) in enumerate(positions):
            corner = field.box(row, column)[:2] if field.stride[0] else (0, 0)
            if field.size[0] > height or field.size[1] > width:
                corner = 0, 0
            _cut(whole[rank], corner, found.patterns[place, rank])
            _cut(given[numbers[rank]], corner, found.patches[place, rank])
    return found


def _is_named(path: str, layer: str) -> bool:
    return path == layer or path.endswith(f"/{layer}")


def _cut(picture: Array, corner: tuple[int, int], to: Array) -> None:
    """Copy the part of a picture that begins at a corner, and leave the rest as it is."""
    top, left = (max(0, at) for at in corner)
    bottom = min(picture.shape[0], corner[0] + to.shape[0])
    right = min(picture.shape[1], corner[1] + to.shape[1])
    rows = slice(top - corner[0], bottom - corner[0])
    to[rows, left - corner[1] : right - corner[1]] = picture[top:bottom, left:right]
