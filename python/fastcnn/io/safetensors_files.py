"""Reading and writing safetensors files, the format of fastcnn's own weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn._optional import import_optional
from fastcnn.errors import (
    DTypeError,
    FileAccessError,
    FileFormatError,
    MissingWeightsError,
)
from fastcnn.io._files import StrPath, naming, open_binary
from fastcnn.io.atomic import atomic_write

# Dtypes that both the format and NumPy have, as the format names them.
_DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("u2"),
    "I16": np.dtype("i2"),
    "U32": np.dtype("u4"),
    "I32": np.dtype("i4"),
    "U64": np.dtype("u8"),
    "I64": np.dtype("i8"),
    "F16": np.dtype("f2"),
    "F32": np.dtype("f4"),
    "F64": np.dtype("f8"),
}
_BFLOAT16 = "BF16"


def load_safetensors(path: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read every tensor of a safetensors file.

    Parameters
    ----------
    path : str or os.PathLike
        The file; its name does not matter.

    Returns
    -------
    dict of str to numpy.ndarray
        Contiguous, writable arrays with the file's names. bfloat16 becomes float32; other dtypes
        stay what they are.

    Raises
    ------
    MissingWeightsError
        There is no such file.
    FileAccessError
        The file cannot be read.
    FileFormatError
        The file is damaged, is not a safetensors file, or holds a dtype NumPy lacks.
    MissingDependencyError
        The package ``safetensors`` is not installed.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
    >>> save_safetensors(path, {"dense/bias": np.zeros(3, np.float32)})
    >>> load_safetensors(path)["dense/bias"].shape
    (3,)
    """
    with _opened(path) as file:
        names = file.keys()
        dtypes = {name: file.get_slice(name).get_dtype() for name in names}
        for name, dtype in dtypes.items():
            if dtype not in _DTYPES and dtype != _BFLOAT16:
                raise FileFormatError(f"expected a dtype that NumPy has, got {dtype} in {name!r}")
        if _BFLOAT16 not in dtypes.values():
            return {name: file.get_tensor(name) for name in dtypes}
        return _load_raw(path)


def load_safetensors_metadata(path: StrPath) -> dict[str, str]:
    """Read the texts stored beside the tensors; an empty dictionary when there are none.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Raises
    ------
    MissingWeightsError, FileAccessError, FileFormatError, MissingDependencyError
        As `load_safetensors`.
    """
    with _opened(path) as file:
        return dict(file.metadata() or {})


def save_safetensors(
    path: StrPath,
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays to a safetensors file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        The file to create or replace.
    tensors : mapping of str to numpy.ndarray
        Bools, integers, float16, float32 or float64 of any shape, memory order and byte order.
    metadata : mapping of str to str, optional
        Texts to store beside them.

    Raises
    ------
    DTypeError
        A value is not an array of such a dtype, or a name or a text is not a string.
    FileAccessError
        The file cannot be written; what was there before is untouched.
    MissingDependencyError
        The package ``safetensors`` is not installed.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
    >>> save_safetensors(path, {"scale": np.ones((2, 3))}, metadata={"license": "MIT"})
    >>> load_safetensors_metadata(path)
    {'license': 'MIT'}
    """
    library = import_optional("safetensors.numpy", extra="io")
    texts = dict(metadata or {})
    if not all(isinstance(text, str) for pair in texts.items() for text in pair):
        raise DTypeError(f"expected metadata that maps strings to strings, got {texts!r}")
    arrays = {name: _as_stored(name, tensor) for name, tensor in tensors.items()}
    with atomic_write(path) as partial:
        try:
            library.save_file(arrays, partial, metadata=texts or None)
        except (_error_class(), OSError) as error:
            raise FileAccessError(f"{path}: cannot be written: {error}") from error


def _as_stored(name: str, tensor: NDArray[Any]) -> NDArray[Any]:
    if not isinstance(name, str) or not isinstance(tensor, np.ndarray):
        raise DTypeError(
            f"expected names and NumPy arrays, got {name!r} with a {type(tensor).__name__}"
        )
    native = tensor.dtype.newbyteorder("=")
    if native not in _DTYPES.values():
        raise DTypeError(
            f"{name!r}: expected bool, integer, float16, float32 or float64, got {tensor.dtype}"
        )
    # The library writes the memory of an array as it lies, whatever its strides.
    return np.asarray(tensor, dtype=native, order="C")


def _load_raw(path: StrPath) -> dict[str, NDArray[np.generic]]:
    """Read a file with bfloat16, which the library cannot hand to NumPy, from its bytes."""
    with open_binary(path, missing=MissingWeightsError) as file:
        entries = import_optional("safetensors", extra="io").deserialize(file.read())
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, entry in entries:
        if entry["dtype"] == _BFLOAT16:  # the upper half of a float32
            bits = np.frombuffer(entry["data"], "<u2").astype(np.uint32) << 16
            array: NDArray[np.generic] = bits.view(np.float32)
        else:
            stored = _DTYPES[entry["dtype"]]
            array = np.frombuffer(entry["data"], stored.newbyteorder("<")).astype(stored)
        arrays[name] = array.reshape(entry["shape"])
    return arrays


def _error_class() -> type[Exception]:
    error: type[Exception] = import_optional("safetensors", extra="io").SafetensorError
    return error


@contextmanager
def _opened(path: StrPath) -> Iterator[Any]:
    """Open a file with the library, and speak of its errors as ours."""
    library = import_optional("safetensors", extra="io")
    # Opened by ourselves first: the library tells a folder from a damaged file by an errno only.
    open_binary(path, missing=MissingWeightsError).close()
    with naming(path):
        try:
            with library.safe_open(path, framework="numpy") as file:
                yield file
        except _error_class() as error:
            raise FileFormatError(f"expected a safetensors file: {error}") from error
