"""Reading what Keras writes: models and weights in ``.keras``, ``.h5`` and ``.weights.h5`` files.

Neither Keras nor the HDF5 library is needed, and nothing in a file is executed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fastcnn import serialization
from fastcnn.errors import FastcnnError, FileFormatError, UnsupportedError
from fastcnn.io._files import StrPath
from fastcnn.io.keras.configs import model_from
from fastcnn.io.keras.files import is_keras_file, load_keras_weights, opened
from fastcnn.io.keras.matching import assign
from fastcnn.layers.layer import Layer

__all__ = ["assign_keras_weights", "is_keras_file", "load_keras", "load_keras_weights"]


def assign_keras_weights(model: Layer, path: StrPath, **options: Any) -> None:
    """Give a model the weights of a file of Keras; see `fastcnn.io.keras.matching.assign`."""
    with opened(path) as file:
        layers = file.layers()
    assign(model, layers, os.fspath(path), **options)


def load_keras(path: StrPath, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Read a model that Keras saved: ``.keras``, or ``.h5`` of Keras 2 or 3.

    The model is made of fastcnn's layers of the same names, with the file's weights. Initialisers,
    regularizers and constraints come along; optimizers and losses do not: compile it to train it.

    Parameters
    ----------
    path : str or os.PathLike
    custom_objects : mapping of str to class or function, optional
        Layers and functions of one's own that the model uses, by name. Their weights are matched
        in the order in which they are made.

    Returns
    -------
    Model

    Raises
    ------
    MissingWeightsError
        There is no such file.
    FileFormatError
        The file is damaged, holds no model, or its weights do not fit its layers.
    UnsupportedError
        The model has a layer or an option that fastcnn lacks, such as ``Lambda``, which is code;
        the message names it.

    Examples
    --------
    >>> import fastcnn as fc
    >>> model = fc.io.load_keras("classifier.keras")  # doctest: +SKIP
    """
    with opened(path) as file:
        config = file.config()
        if config is None:
            raise FileFormatError(
                "expected a model, this file has weights alone; make the model and use its "
                "load_weights"
            )
        layers = file.layers()
        elements = sum(array.size for layer in layers for array in layer.arrays)
        try:
            with (
                serialization.custom_object_scope(custom_objects),
                serialization.weights_follow(elements),
            ):
                model = model_from(config)
        except (UnsupportedError, FileFormatError):
            raise
        except (
            FastcnnError, RecursionError, TypeError, ValueError, KeyError, IndexError,
            AttributeError, OverflowError,
        ) as error:  # fmt: skip
            raise FileFormatError(f"its configuration does not fit: {error}") from error
    assign(model, layers, os.fspath(path))
    return model
