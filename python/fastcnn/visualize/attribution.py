"""Which pixels of a picture matter for what a model sees in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastcnn import ops
from fastcnn._checks import number, positive_int
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.layers._arguments import pair
from fastcnn.layers.layer import Layer
from fastcnn.ops._dispatch import as_array
from fastcnn.visualize._inside import Array, Rule, WatchedTrace, inside, pictures
from fastcnn.visualize._targets import Target, class_numbers, class_scores, likeliest, scores

_BATCH = 32  # covered pictures at once


def _gradient(who: str, model: Layer, x: Any, target: Target, rule: Rule | None = None) -> Array:
    """Differentiate the score of `target` with respect to the pictures."""
    given = pictures(who, x)

    def describe(trace: WatchedTrace, x: Any, output: Any, classes: Any = None) -> Any:
        return trace.backward(ops.sum(scores(trace, output, target, classes)), x)

    found: Array = inside(model, describe, rule)(given, *class_numbers(who, target, len(given)))
    return found


def saliency(model: Layer, x: Any, target: Target = None, *, signed: bool = False) -> Array:
    """How much each pixel changes the score: the gradient (Simonyan et al. 2014, section 3.1).

    Parameters
    ----------
    model : Model
        It takes one tensor of pictures.
    x : array, float32, shape (n, h, w, c)
        Pictures as the model takes them, preprocessed.
    target : int, sequence of int, Unit, callable or None
        What the score is of. A class, or one for each picture: what goes into the softmax or
        sigmoid at the end, if there is one; a single output stands for the second of two classes.
        A `Unit`. A function that is given the outputs and returns a number for each picture, made
        of functions of `fastcnn.ops`. None: each picture's most probable class.
    signed : bool, default False
        Return the gradient itself.

    Returns
    -------
    array, float32, shape (n, h, w)
        The largest magnitude of the channels; or the gradient, (n, h, w, c).

    Raises
    ------
    ConfigError
        The model has no such class, layer or channel.
    ShapeError
        `x` is no batch of pictures, or does not fit the model.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(4, 3, activation="relu"),
    ...                        fc.layers.Flatten(), fc.layers.Dense(10, "softmax")])
    >>> fc.visualize.saliency(model, np.ones((2, 8, 8, 3)), target=7).shape
    (2, 8, 8)
    """
    gradient = _gradient("saliency", model, x, target)
    return gradient if signed else _largest(gradient)


def _largest(gradient: Array) -> Array:
    found: Array = ops.max(ops.abs(gradient), axis=3)
    return found


def smooth_grad(
    model: Layer,
    x: Any,
    target: Target = None,
    *,
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    signed: bool = False,
) -> Array:
    """The mean gradient of noisy copies of a picture: saliency that is less grainy.

    After Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise".

    Parameters
    ----------
    model, x, target, signed
        As for `saliency`. The class that is seen in the picture itself is meant, unless given.
    samples : int, default 25
        Copies of each picture.
    noise : float, default 0.15
        Standard deviation of the noise, as a share of the range of the picture's values.
    seed : int, default 0

    Returns
    -------
    array, float32, shape (n, h, w), or (n, h, w, c)

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Flatten(), fc.layers.Dense(10)])
    >>> fc.visualize.smooth_grad(model, np.ones((1, 8, 8, 3)), target=7, samples=2).shape
    (1, 8, 8)
    """
    given = pictures("smooth_grad", x)
    count = positive_int("smooth_grad", "samples", samples)
    share = number("smooth_grad", "noise", noise, at_least=0)
    classes = class_numbers("smooth_grad", target, len(given))
    if target is None:
        classes = [likeliest(model, given)]
        target = classes[0].tolist()

    def describe(trace: WatchedTrace, x: Any, output: Any, classes: Any = None) -> Any:
        return trace.backward(ops.sum(scores(trace, output, target, classes)), x)

    run = inside(model, describe)
    spread = share * np.ptp(given, axis=(1, 2, 3), keepdims=True)
    rng = np.random.default_rng(seed)
    total = np.zeros_like(given)
    for _ in range(count):
        noisy = given + spread * rng.standard_normal(given.shape, np.float32)
        total += run(noisy, *classes)
    mean: Array = (total / count).astype(np.float32)
    return mean if signed else _largest(mean)


def guided_backprop(model: Layer, x: Any, target: Target = None) -> Array:
    """The gradient, of which every rectifier lets through only what is positive, above and below.

    After Springenberg et al. 2015, "Striving for simplicity", section 3.4. Rectifiers are ReLU and
    ReLU6; what else the model is made of has its usual gradient.

    Parameters
    ----------
    model, x, target
        As for `saliency`. Of a `Unit`, the paper's pictures of single neurons.

    Returns
    -------
    array, float32, shape (n, h, w, c)
        What in the picture speaks for the target; `as_picture` makes it visible.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(4, 3, activation="relu",
    ...                        name="edges"), fc.layers.Flatten(), fc.layers.Dense(10)])
    >>> unit = fc.visualize.Unit("edges", 2, "max")
    >>> fc.visualize.guided_backprop(model, np.ones((1, 8, 8, 3)), unit).shape
    (1, 8, 8, 3)
    """
    return _gradient("guided_backprop", model, x, target, "guided")


def grad_cam(
    model: Layer, x: Any, target: Target = None, layer: str | None = None, *, resize: bool = True
) -> Array:
    """Where a layer sees the target: its maps, weighted by how much each matters for the score.

    After Selvaraju et al. 2017, equations 1 and 2: the weight of a map is the mean of the score's
    gradient with respect to it; the negative part of the weighted sum is cut off.

    Parameters
    ----------
    model, x, target
        As for `saliency`.
    layer : str, optional
        By its name, or its path ``"outer/inner"`` where models are parts of models. The last that
        gives maps of more than one pixel, unless given.
    resize : bool, default True
        Enlarge the maps to the size of the pictures, bilinearly.

    Returns
    -------
    array, float32, shape (n, h, w)
        Not negative, otherwise in no particular unit.

    Raises
    ------
    ConfigError
        There is no such layer, class or channel.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(4, 3, activation="relu"),
    ...                        fc.layers.GlobalAveragePooling2D(), fc.layers.Dense(10)])
    >>> fc.visualize.grad_cam(model, np.ones((1, 8, 8, 3))).shape
    (1, 8, 8)
    """
    given = pictures("grad_cam", x)

    def describe(trace: WatchedTrace, x: Any, output: Any, classes: Any = None) -> Any:
        name = layer or trace.last_maps()
        maps = trace.result(name)
        if maps.ndim != 4:
            raise ConfigError(
                f"layer {name!r}: expected one that gives feature maps (n, h, w, c), got "
                f"{maps.shape}"
            )
        score = ops.sum(scores(trace, output, target, classes))
        weights = ops.mean(trace.gradient(score, [maps])[0], axis=(1, 2), keepdims=True)
        seen = ops.relu(ops.sum(maps * weights, axis=3, keepdims=True))
        return ops.resize(seen, given.shape[1:3]) if resize else seen

    found = inside(model, describe)(given, *class_numbers("grad_cam", target, len(given)))
    heat: Array = found[..., 0]
    return heat


def occlusion(
    model: Layer,
    x: Any,
    target: Target = None,
    *,
    size: int | tuple[int, int] = 32,
    strides: int | tuple[int, int] = 16,
    value: float | Any = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Array:
    """How much the score falls when a part of the picture is covered (Zeiler & Fergus 2014, 4.2).

    Parameters
    ----------
    model, x, target
        As for `saliency`; but the score of a class is what the model gives for it, a probability
        behind a softmax.
    size : int or (int, int), default 32
        Height and width of the cover.
    strides : int or (int, int), default 16
        How far it moves from place to place. The last place is at the border in any case.
    value : number or array of c numbers, default 0
        What the cover looks like, to the model: 0 is grey where pictures are centred.
    progress : callable, optional
        Is told how many places are done, and of how many.

    Returns
    -------
    array, float32, shape (n, h, w)
        The mean fall of the score over the covers that hid the pixel. Negative where the score
        rose.

    Raises
    ------
    ShapeError
        The cover is larger than the picture.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> bright = fc.Sequential([fc.Input((6, 6, 1)), fc.layers.GlobalMaxPooling2D()])
    >>> x = np.zeros((1, 6, 6, 1)); x[0, 1, 1] = 1
    >>> fc.visualize.occlusion(bright, x, target=1, size=3, strides=3)[0, ::3, ::3]
    array([[1., 0.],
           [0., 0.]], dtype=float32)
    """
    given = pictures("occlusion", x)
    n, height, width, channels = given.shape
    rows, columns = pair("occlusion", "size", size)
    if rows > height or columns > width:
        raise ShapeError(
            f"occlusion: size: expected at most {height} x {width}, got {rows} x {columns}"
        )
    down, right = pair("occlusion", "strides", strides)
    cover = as_array(value)
    if cover.shape not in ((), (channels,)):
        raise ShapeError(f"occlusion: value: expected a number or {channels}, got {cover.shape}")
    corners = [(r, c) for r in _starts(height, rows, down) for c in _starts(width, columns, right)]
    classes = class_numbers("occlusion", target, n)
    if target is None:
        classes = [likeliest(model, given)]
        target = classes[0].tolist()

    def describe(trace: WatchedTrace, x: Any, output: Any, classes: Any = None) -> Any:
        if classes is not None:
            return class_scores(output, target, classes)
        return scores(trace, output, target)

    run = inside(model, describe)
    heat = np.zeros((n, height, width), np.float32)
    for picture, (map_, *of) in enumerate(zip(heat, *classes, strict=True)):
        alone = given[picture : picture + 1]
        single = [np.array([number]) for number in of]
        whole = float(run(alone, *single).sum())
        times = np.zeros((height, width), np.float32)
        for start in range(0, len(corners), _BATCH):
            part = corners[start : start + _BATCH]
            covered = np.repeat(alone, len(part), axis=0)
            for copy, (r, c) in zip(covered, part, strict=True):
                copy[r : r + rows, c : c + columns] = cover
            falls = whole - run(covered, *(np.repeat(number, len(part)) for number in single))
            for fall, (r, c) in zip(falls, part, strict=True):
                map_[r : r + rows, c : c + columns] += fall
                times[r : r + rows, c : c + columns] += 1
            if progress is not None:
                progress(picture * len(corners) + start + len(part), n * len(corners))
        map_ /= np.maximum(times, 1)
    return heat


def _starts(length: int, size: int, stride: int) -> list[int]:
    """Give where covers begin along one axis."""
    starts = list(range(0, length - size + 1, stride))
    return starts if starts[-1] == length - size else [*starts, length - size]
