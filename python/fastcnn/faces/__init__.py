"""Faces: find them, align them, turn them into vectors, and tell whose they are.

Examples
--------
>>> import fastcnn as fc
>>> found = fc.faces.detect("portrait.jpg")  # doctest: +SKIP
>>> found.boxes.shape, found.landmarks.shape  # doctest: +SKIP
((1, 4), (1, 5, 2))
>>> fc.faces.verify("a.jpg", "b.jpg").same  # doctest: +SKIP
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastcnn.faces.align import align_faces, crop_faces, face_template, similarity_transform
    from fastcnn.faces.encoders import Encoder, encode, encode_faces, encoder
    from fastcnn.faces.mtcnn import MTCNN, Faces, ONet, PNet, RNet, detect
    from fastcnn.faces.pairs import Verification, verify

__all__ = [
    "MTCNN",
    "Encoder",
    "Faces",
    "ONet",
    "PNet",
    "RNet",
    "Verification",
    "align_faces",
    "crop_faces",
    "detect",
    "encode",
    "encode_faces",
    "encoder",
    "face_template",
    "similarity_transform",
    "verify",
]

_MODULES = {
    "Encoder": "encoders",
    "Faces": "mtcnn",
    "MTCNN": "mtcnn",
    "ONet": "mtcnn",
    "PNet": "mtcnn",
    "RNet": "mtcnn",
    "Verification": "pairs",
    "align_faces": "align",
    "crop_faces": "align",
    "detect": "mtcnn",
    "encode": "encoders",
    "encode_faces": "encoders",
    "encoder": "encoders",
    "face_template": "align",
    "similarity_transform": "align",
    "verify": "pairs",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
