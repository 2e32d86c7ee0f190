"""One function for every format of weights: it looks at the content, not at the name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError, MissingWeightsError
from fastcnn.io._files import StrPath, open_binary
from fastcnn.io.dlib_files import MAGIC, load_dlib_weights
from fastcnn.io._hdf5_reader import MAGIC
from fastcnn.io.keras.files import is_keras_file, load_keras_weights
from fastcnn.io.safetensors_files import load_safetensors
from fastcnn.io.torch_files import LEGACY_MAGIC, ZIP_MAGIC, load_torch

_HEAD = 64


def load_weights_file(path: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read the tensors of a file of weights, whichever known format it has.

    Parameters
    ----------
    path : str or os.PathLike
        A safetensors file, or one that ``torch.save`` or Keras wrote (``.h5``, ``.weights.h5``,
        ``.keras``). Its first bytes decide, so a file with a wrong or no suffix is read too.

    Returns
    -------
    dict of str to numpy.ndarray
        As `load_safetensors` or `load_torch` return it: names and layouts are the file's own.
        Keras' names are those of layers and weights, ``"conv1/kernel"``; where Keras 3 gives
        weights numbers alone, ``"conv1/0"``.

    Raises
    ------
    MissingWeightsError
        There is no such file.
    FileAccessError
        The file cannot be read.
    FileFormatError
        The file is damaged or of an unknown format.
    MissingDependencyError
        The format needs an optional package.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastcnn.io.safetensors_files import save_safetensors
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.bin")
    >>> save_safetensors(path, {"kernel": np.zeros((3, 3, 1, 8))})
    >>> load_weights_file(path)["kernel"].shape
    (3, 3, 1, 8)
    """
    with open_binary(path, missing=MissingWeightsError) as file:
        head = file.read(_HEAD)
    if head.startswith(MAGIC) or (head.startswith(ZIP_MAGIC) and is_keras_file(path)):
        return load_keras_weights(path)
    if head.startswith(ZIP_MAGIC) or LEGACY_MAGIC in head:
        return load_torch(path)
    if head.startswith(MAGIC):
        return load_dlib_weights(path)
    # A safetensors file has no magic number: the length of its header, then the header in JSON.
    if head[8:9] == b"{":
        return load_safetensors(path)
    raise FileFormatError(
        f"{path}: expected safetensors, or a file of torch.save or Keras, got {head[:8]!r}..."
    )
