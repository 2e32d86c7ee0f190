"""OpenFace's weights as courses hand them out: a folder with a CSV file for each tensor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn.errors import FileFormatError, MissingWeightsError, ShapeError
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.model import Model

Array = NDArray[np.float32]

_MAX_FILE = 2**26


def load_openface(folder: StrPath, as_trained: bool = True) -> Model:
    """Make OpenFace's nn4.small2 with the weights of a folder of CSV files.

    Parameters
    ----------
    folder : str or os.PathLike
        With ``conv1_w.csv``, ``conv1_b.csv``, ``bn1_w.csv`` (gamma), ``bn1_b.csv`` (beta),
        ``bn1_m.csv`` (mean), ``bn1_v.csv`` (variance) ... ``dense_w.csv`` and ``dense_b.csv``: the
        numbers of each tensor in torch's order.
    as_trained : bool, default True
        See `fastcnn.applications.FaceNetNN4`.

    Returns
    -------
    Model

    Raises
    ------
    MissingWeightsError
        A file is missing.
    FileFormatError, ShapeError
        A file holds no numbers, or not as many as the network has.

    Examples
    --------
    >>> encoder = load_openface("weights/")  # doctest: +SKIP
    """
    from fastcnn.applications.facenet_nn4 import FaceNetNN4

    return FaceNetNN4(weights=folder, as_trained=as_trained)


def load_openface_weights(folder: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read every CSV file of a folder: one row of numbers each, under the file's name.

    Raises
    ------
    MissingWeightsError, FileFormatError
        As `load_openface`.
    """
    files = sorted(Path(os.fspath(folder)).glob("*.csv"))
    if not files:
        raise MissingWeightsError(f"{os.fspath(folder)}: no CSV files in this folder")
    return {path.stem: _read(path) for path in files}


def assign_openface(model: Any, folder: StrPath) -> None:
    """Give a model of the course's names the weights of a folder; all of them, or none."""
    base = Path(os.fspath(folder))
    found: list[tuple[Any, Array]] = []
    for layer in model.layers:
        name = "dense" if layer.name == "dense_layer" else layer.name
        if isinstance(layer, layers.BatchNormalization):
            parts = {
                "w": layer.gamma, "b": layer.beta, "m": layer.moving_mean,
                "v": layer.moving_variance,
            }  # fmt: skip
        elif layer.weights:
            parts = {"w": layer.kernel, "b": layer.bias}
        else:
            continue
        for letter, variable in parts.items():
            path = base / f"{name}_{letter}.csv"
            array = _read(path)
            if array.size != variable.size:
                raise ShapeError(
                    f"{path}: expected {variable.size} numbers, for {variable.path} of shape "
                    f"{tuple(variable.shape)}, got {array.size}"
                )
            found.append((variable, _from_torch(array, tuple(variable.shape))))
    for variable, array in found:
        variable.assign(array)


def _from_torch(array: Array, shape: tuple[int, ...]) -> Array:
    """Bring (filters, channels, height, width) or (units, inputs) to our order."""
    if len(shape) == 4:
        height, width, channels, filters = shape
        array = array.reshape(filters, channels, height, width).transpose(2, 3, 1, 0)
    elif len(shape) == 2:
        array = array.reshape(shape[::-1]).T
    return np.ascontiguousarray(array)


def _read(path: Path) -> Array:
    with open_binary(path, missing=MissingWeightsError) as file, naming(path):
        if os.fstat(file.fileno()).st_size > _MAX_FILE:
            raise FileFormatError(f"expected at most {_MAX_FILE} bytes")
        texts = file.read().replace(b"\n", b",").replace(b"\r", b"").split(b",")
        try:
            return np.array([float(text) for text in texts if text.strip()], np.float32)
        except ValueError as error:
            raise FileFormatError(f"expected numbers with commas between: {error}") from error
