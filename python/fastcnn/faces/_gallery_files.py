"""What is in a gallery's file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn.errors import FileFormatError

_FORMAT = "fastcnn gallery"
_VERSION = 1


def pack(
    encodings: NDArray[np.float32], labels: NDArray[np.int32], names: list[str]
) -> dict[str, NDArray[Any]]:
    """Turn the rows of a gallery into the tensors of a file."""
    texts = [name.encode() for name in names]
    return {
        "encodings": encodings,
        "labels": labels,
        "names": np.frombuffer(b"".join(texts), np.uint8),
        "name_lengths": np.array([len(text) for text in texts], np.int64),
    }


def describe(**about: Any) -> dict[str, str]:
    """Make a file's header of a gallery's arguments."""
    return {"format": _FORMAT, "gallery": json.dumps({"version": _VERSION, **about})}


def read_description(metadata: dict[str, str]) -> dict[str, Any]:
    """Read the arguments that a file's header holds."""
    if metadata.get("format") != _FORMAT:
        raise FileFormatError(
            "expected a gallery of faces, as Gallery.save writes it, got a safetensors file of "
            f"format {metadata.get('format')!r}"
        )
    text = metadata.get("gallery", "")
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"the header of the gallery is damaged: {error}") from error
    keys = {"version", "metric", "threshold", "encoder"}
    if not isinstance(about, dict) or set(about) != keys:
        raise FileFormatError(f"expected a header with {sorted(keys)}, got {text[:200]!r}")
    if about.pop("version") != _VERSION:
        raise FileFormatError(f"expected a gallery of version {_VERSION}, got {text[:200]!r}")
    return about


def unpack(
    tensors: dict[str, NDArray[Any]],
) -> tuple[NDArray[np.float32], NDArray[np.int32], list[str]]:
    """Turn tensors back, and refuse those that `Gallery.save` never writes."""
    expected = {"encodings": ("f4", 2), "labels": ("i4", 1), "names": ("u1", 1),
                "name_lengths": ("i8", 1)}  # fmt: skip
    found = {name: (tensor.dtype.str[1:], tensor.ndim) for name, tensor in tensors.items()}
    if found != expected:
        raise FileFormatError(f"expected tensors of these types and ranks: {expected}, got {found}")
    encodings, labels, lengths = tensors["encodings"], tensors["labels"], tensors["name_lengths"]
    if len(labels) != len(encodings):
        raise FileFormatError(f"{len(encodings)} encodings, but {len(labels)} labels")
    if not np.isfinite(encodings).all():
        raise FileFormatError("an encoding holds NaN or infinity")
    if (lengths < 1).any() or (lengths > len(tensors["names"])).any():
        raise FileFormatError("a name is empty or longer than all names")
    names = _split(tensors["names"].tobytes(), lengths)
    if len(set(names)) != len(names):
        raise FileFormatError("a name occurs twice")
    if len(labels) and (labels.min() < 0 or labels.max() >= len(names)):
        raise FileFormatError(f"an encoding belongs to none of the {len(names)} names")
    if np.bincount(labels, minlength=len(names)).min(initial=1) < 1:
        raise FileFormatError("a name has no encoding")
    return encodings, labels, names


def _split(text: bytes, lengths: NDArray[np.int64]) -> list[str]:
    ends = np.cumsum(lengths)
    if (int(ends[-1]) if len(ends) else 0) != len(text):
        raise FileFormatError(f"names of {len(text)} bytes do not have the lengths that are noted")
    starts = (ends - lengths).tolist()
    try:
        names = [text[a:b].decode() for a, b in zip(starts, ends.tolist(), strict=True)]
    except UnicodeDecodeError as error:
        raise FileFormatError(f"a name is not UTF-8: {error}") from error
    if not all(name.strip() for name in names):
        raise FileFormatError("a name is empty")
    return names
