"""One function for every format of weights: it looks at the content, not at the name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastcnn.io._files import StrPath
from fastcnn.io.formats import format_of


def load_weights_file(path: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read the tensors of a file of weights, whichever known format it has.

    Parameters
    ----------
    path : str or os.PathLike
        A safetensors file, or one that ``torch.save``, Keras (``.h5``, ``.weights.h5``,
        ``.keras``) or dlib wrote, ONNX, a frozen graph of TensorFlow, the ``model.json`` of
        TensorFlow.js, or a folder of OpenFace. The content decides, so a file with a wrong or no
        suffix is read too.

    Returns
    -------
    dict of str to numpy.ndarray
        Names and layouts are the file's own. Keras' names are those of layers and weights,
        ``"conv1/kernel"``; where Keras 3 gives weights numbers alone, ``"conv1/0"``.

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
    return format_of(path).load_weights(path)
