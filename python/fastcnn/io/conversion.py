"""From one format of models or weights to another."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastcnn.errors import ConfigError, FileFormatError
from fastcnn.io._files import StrPath, path_of
from fastcnn.io.formats import format_of

_MODELS: dict[str, Callable[[Any, StrPath], None]] = {
    ".fastcnn": lambda model, path: model.save(path),
    ".onnx": lambda model, path: model.export(path),
    ".safetensors": lambda model, path: model.save(path),
}


def convert(
    source: StrPath,
    target: StrPath,
    *,
    weights_only: bool = False,
    application: str | None = None,
) -> None:
    """Write a file of one format as another.

    Parameters
    ----------
    source : str or os.PathLike
        Any file that is read: a model, or weights. Of Darknet, the ``.cfg`` or the ``.weights``,
        with the other beside it under the same name.
    target : str or os.PathLike
        What to write, whole or not at all; its suffix tells the format. ``.safetensors`` and
        ``.fastcnn``: a model that `fastcnn.load_model` reads, or the weights alone under the
        names and in the layouts of the source if it has no model. ``.onnx``: a model.
    weights_only : bool, default False
        Write the weights alone even if there is a model.
    application : str, optional
        A network of `fastcnn.applications`, such as ``"resnet50"``, that the source's weights are
        for: its model is written.

    Raises
    ------
    ConfigError
        The suffix is none of these.
    MissingWeightsError, FileFormatError, UnsupportedError
        The source does not exist, is damaged, or has what no layer here does.
    MissingDependencyError
        A format needs an optional package.

    Examples
    --------
    >>> import tempfile, fastcnn as fc
    >>> folder = tempfile.mkdtemp()
    >>> model = fc.Sequential([fc.Input((8, 8, 3)), fc.layers.Conv2D(2, 3, name="conv")])
    >>> model.save(folder + "/model.fastcnn")
    >>> convert(folder + "/model.fastcnn", folder + "/weights.safetensors", weights_only=True)
    >>> sorted(fc.io.load_safetensors(folder + "/weights.safetensors"))
    ['conv/bias', 'conv/kernel']
    """
    source, target = path_of(source), path_of(target)
    suffix = Path(target).suffix.lower()
    if suffix not in _MODELS:
        raise ConfigError(f"{target}: expected a name that ends in one of {', '.join(_MODELS)}")
    if weights_only and (suffix == ".onnx" or application is not None):
        raise ConfigError("weights alone are written as .safetensors, and for no application")
    if application is not None:
        from fastcnn.applications import classifier

        _MODELS[suffix](classifier(application)(weights=source), target)
        return
    form = format_of(source)
    if weights_only and form.weights:
        _write_weights(form.load_weights(source), source, target)
        return
    if not form.model:
        if suffix == ".onnx":
            raise FileFormatError(
                f"{source}: expected a model, {form.title} holds weights alone; say "
                "which network they are for, application=..."
            )
        _write_weights(form.load_weights(source), source, target)
        return
    model = form.load_model(source)
    if weights_only:
        model.save_weights(target)
    else:
        _MODELS[suffix](model, target)


def _write_weights(arrays: dict[str, Any], source: StrPath, target: StrPath) -> None:
    from fastcnn.io.safetensors_files import save_safetensors

    save_safetensors(target, arrays, {"source": os.path.basename(os.fspath(source))})
