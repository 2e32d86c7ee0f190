"""``fastcnn look``: what a network sees in a picture, and where."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastcnn as fc
from fastcnn import visualize
from fastcnn._checks import one_of
from fastcnn.applications import classifier
from fastcnn.applications.imagenet import imagenet_classes, load_and_preprocess, preprocessing
from fastcnn.applications.weights import find
from fastcnn.errors import ConfigError
from fastcnn.io import load_image, resize_image
from fastcnn.io._files import StrPath

METHODS = (
    "gradcam",
    "saliency",
    "smoothgrad",
    "guided",
    "occlusion",
    "deconvnet",
    "features",
    "filters",
    "maximize",
)
_OF_CLASSES = ("gradcam", "saliency", "smoothgrad", "guided", "occlusion", "maximize")

_GREY = 127.0  # of levels from 0 to 255: what hides a part of the picture
_UNITS = 8  # patterns that the deconvnet shows, and pictures of units
_LAYERS = 6  # whose feature maps are shown unless one is named


@dataclass(frozen=True)
class Options:
    """What the command was given; see its help."""

    picture: str | None
    model: str
    weights: str | None
    top: bool
    method: str
    layer: str | None
    class_name: str | None
    channel: int | None
    output: Path


@dataclass(frozen=True)
class Result:
    """What was looked at, and where the figure of it is.

    Attributes
    ----------
    index, label, score
        The class that was explained: its number, its name, and what the model gives for it. None
        where it was not of a class.
    channels : list of int
        The channels that were shown, of ``deconvnet`` and ``maximize``.
    """

    file: str | None
    model: str
    method: str
    layer: str | None
    index: int | None
    label: str | None
    score: float | None
    channels: list[int]
    output: str
    seconds: float


class _Network(NamedTuple):
    """A model of levels from 0 to 255, its picture, and what its outputs are called."""

    model: fc.Model
    picture: NDArray[np.float32] | None
    names: Sequence[str] | None
    bgr: bool = False  # whether the first convolution sees blue first


def look(options: Options, progress: Callable[[int, int], None] | None = None) -> Result:
    """Draw what a network sees in a picture.

    Parameters
    ----------
    options : Options
    progress : callable, optional
        Is told how much is done, and of how much, by methods that take long.

    Raises
    ------
    FastcnnError
        The picture, the model or the weights cannot be read, or there is no such layer or class.
    """
    one_of("look", "method", options.method, METHODS)
    if options.picture is None and options.method not in ("filters", "maximize"):
        raise ConfigError(f"look: --method {options.method}: expected a picture to look at")
    network = _load(options)
    start = time.perf_counter()
    target, index = _target(options, network)
    channels, figure_of = _explain(options, network, target, index, progress)
    figure_of(options.output)
    score = None
    if index is not None and network.picture is not None:
        score = float(np.asarray(network.model(network.picture))[0].reshape(-1)[index])
    return Result(
        file=options.picture,
        model=options.model,
        method=options.method,
        layer=options.layer,
        index=index,
        label=_label(network, index),
        score=score,
        channels=channels,
        output=os.fspath(options.output),
        seconds=round(time.perf_counter() - start, 3),
    )


# ---- the network and its picture -----------------------------------------------------------------


def _load(options: Options) -> _Network:
    if os.path.splitext(options.model)[1]:
        return _load_file(options)
    make = classifier(options.model)
    form = make.application
    weights = options.weights or "imagenet"
    size = (form.size, form.size, 3)
    if weights == "hed":  # with layers of its own for edges, and without a top
        inner = make(include_top=options.top, input_shape=size)
        inner.load_weights(find("hed"), by_name=not options.top)
        mode = form.mode
    else:
        inner = make(weights=weights, include_top=options.top, input_shape=size)
        mode = form.mode_for(weights)
    image = fc.Input(size)
    model = fc.Model(image, inner(preprocessing(mode)(image)), name=f"{inner.name}_of_levels")
    picture = None
    if options.picture is not None:
        picture = load_and_preprocess(
            options.picture, size=form.size, mode="raw", method=form.method
        )
    names = [name for _, name in imagenet_classes()] if options.top else None
    return _Network(model, picture, names, bgr=mode == "caffe")


def _load_file(options: Options) -> _Network:
    if options.weights is not None:
        raise ConfigError("look: --weights: the file of a model has weights of its own")
    model = fc.load_model(options.model, compile=False)
    shape = model.input_shape if model._graph is not None else None
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (1, 3, 4):
        raise ConfigError(
            f"{options.model}: expected a model that takes pictures, got inputs of shape {shape}"
        )
    if options.picture is None:
        return _Network(model, None, model.class_names)
    channels = {1: "L", 3: "RGB", 4: "RGBA"}[shape[3]]
    image = load_image(options.picture, channels)  # type: ignore[arg-type]
    size = tuple(own or side for own, side in zip(shape[1:3], image.shape, strict=False))
    picture = resize_image(image, size).astype(np.float32)[None]
    return _Network(model, picture, model.class_names)


def _target(options: Options, network: _Network) -> tuple[Any, int | None]:
    """Give what is to be explained, and the number of the class if it is one."""
    if options.channel is not None and options.layer is not None:
        return visualize.Unit(options.layer, options.channel), None
    if options.channel is not None:
        raise ConfigError("look: --channel: expected a --layer, too")
    if options.method not in _OF_CLASSES:
        return None, None
    if options.class_name is not None:
        index = _class_number(options.class_name, network.names)
        return index, index
    if network.picture is None:
        if options.layer is not None:
            return visualize.Unit(options.layer, list(range(_UNITS))), None
        raise ConfigError("look: --method maximize: expected a --class, or a --layer")
    if options.method == "maximize" and options.layer is not None:
        return visualize.Unit(options.layer, list(range(_UNITS))), None
    outputs = np.asarray(network.model(network.picture))[0]
    totals = outputs.reshape(-1, outputs.shape[-1]).sum(0)
    index = int(totals.argmax()) if totals.size > 1 else int(totals[0] > 0.5)
    return index, index


def _class_number(given: str, names: Sequence[str] | None) -> int:
    if given.isdigit():
        return int(given)
    wanted = given.casefold()
    known = [name.casefold() for name in names or ()]
    exact = [i for i, name in enumerate(known) if name == wanted]
    found = exact or [i for i, name in enumerate(known) if wanted in name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError(f"look: --class: expected a number or a name of a class, got {given!r}")
    several = ", ".join(f"{i} {(names or ())[i]}" for i in found[:8])
    raise ConfigError(f"look: --class: {given!r} may be {several}")


def _label(network: _Network, index: int | None) -> str | None:
    if index is None:
        return None
    if network.names is None or index >= len(network.names):
        return str(index)
    return network.names[index]


# ---- the figures ---------------------------------------------------------------------------------

_Explained = tuple[list[int], Callable[[StrPath], Any]]


def _explain(
    options: Options,
    network: _Network,
    target: Any,
    index: int | None,
    progress: Callable[[int, int], None] | None,
) -> _Explained:
    """Compute what is to be seen; give the channels it is of, and what draws it to a file."""
    model, layer = network.model, options.layer
    title = _label(network, index) or f"{layer} {options.channel}"
    if options.method == "filters":
        kernels = visualize.filters(model, layer)
        if network.bgr and kernels.shape[3] == 3:
            kernels = kernels[..., ::-1]
        return [], lambda path: visualize.draw_filters(kernels, save=path)
    if options.method == "maximize":
        made = visualize.maximize_activation(model, target, progress=progress)
        channels = [target.channel] if isinstance(target, visualize.Unit) else []
        channels = list(channels[0]) if channels and isinstance(channels[0], list) else channels
        titles = [f"{layer} {channel}" for channel in channels] or [title]
        return channels, lambda path: visualize.draw_pictures(made, titles, save=path)
    picture = network.picture
    assert picture is not None  # `look` has seen to it
    if options.method == "features":
        maps = visualize.feature_maps(model, picture, layer)
        shown = maps if layer is not None else _spread(maps)
        return [], lambda path: visualize.draw_feature_maps(shown, save=path)
    levels = np.clip(picture[0], 0, 255).astype(np.uint8)
    if options.method == "deconvnet":
        return _deconvnet(options, model, picture, levels)
    if options.method == "guided":
        pattern = visualize.guided_backprop(model, picture, target)[0]
        both = [levels, visualize.as_picture(pattern)]
    else:
        heat = _heat(options, model, picture, target, progress)
        if options.method in ("saliency", "smoothgrad"):  # too fine to lie over the picture
            bright = np.clip(heat / max(float(np.quantile(heat, 0.995)), 1e-30), 0, 1)
            both = [levels, (255 * bright[..., None]).astype(np.uint8)]
        else:
            both = [levels, visualize.overlay(levels, heat)]
    return [], lambda path: visualize.draw_pictures(both, ["", title], save=path)


def _heat(
    options: Options,
    model: fc.Model,
    picture: NDArray[np.float32],
    target: Any,
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.float32]:
    found: NDArray[np.float32]
    if options.method == "gradcam":
        layer = options.layer if options.channel is None else None
        found = visualize.grad_cam(model, picture, target, layer)
    elif options.method == "saliency":
        found = visualize.saliency(model, picture, target)
    elif options.method == "smoothgrad":
        found = visualize.smooth_grad(model, picture, target)
    else:
        size = max(8, min(picture.shape[1:3]) // 6)
        found = visualize.occlusion(
            model, picture, target, size=size, strides=max(1, size // 3), value=_GREY,
            progress=progress,
        )  # fmt: skip
    heat: NDArray[np.float32] = found[0]
    return heat


def _deconvnet(
    options: Options, model: fc.Model, picture: NDArray[np.float32], levels: NDArray[np.uint8]
) -> _Explained:
    """Show the patterns of one channel, or of those that the picture excites most."""
    if options.layer is None:
        raise ConfigError("look: --method deconvnet: expected a --layer")
    if options.channel is not None:
        channels = [options.channel]
    else:
        values = visualize.top_activations(model, picture, options.layer, 1).values[:, 0]
        channels = np.argsort(-values, kind="stable")[: _UNITS - 1].tolist()
    copies = np.repeat(picture, len(channels), axis=0)
    patterns = visualize.deconvnet(model, copies, options.layer, channels)
    pictures = [levels, *visualize.as_picture(patterns)]
    titles = [options.layer, *(f"channel {channel}" for channel in channels)]
    return channels, lambda path: visualize.draw_pictures(pictures, titles, save=path)


def _spread(maps: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Choose a few layers, from the first to the last, of more than one pixel."""
    names = [
        name for name, array in maps.items() if min(array.shape[1:3]) > 1 and array.shape[3] > 4
    ]
    places = np.unique(np.linspace(0, len(names) - 1, min(_LAYERS, len(names))).round().astype(int))
    chosen = [names[place] for place in places] if names else list(maps)
    return {name: maps[name] for name in chosen}


# ---- showing -------------------------------------------------------------------------------------


@contextmanager
def progress_bar(method: str, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Give what draws on stderr how far a method is, where somebody looks on."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(method, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


def print_json(result: Result) -> None:
    """Write one JSON object to stdout."""
    sys.stdout.write(json.dumps(asdict(result), indent=2, allow_nan=False) + "\n")


def print_report(result: Result) -> None:
    """Tell in a line or two what was drawn."""
    what = f"{result.method} of {result.model}"
    if result.label is not None:
        what += f" for {result.label!r}"
    if result.score is not None:
        what += f" ({result.score:.1%})" if 0 <= result.score <= 1 else f" ({result.score:.3g})"
    if result.layer is not None:
        what += f", layer {result.layer}"
    print(f"{what}: {result.seconds:.2f} s")
    print(f"Drawn: {result.output}")
