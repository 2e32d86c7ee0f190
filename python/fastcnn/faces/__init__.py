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
    from fastcnn.faces.clustering import FaceClusters
    from fastcnn.faces.encoders import Encoder, encode, encode_faces, encoder
    from fastcnn.faces.estimators import FaceEncoder
    from fastcnn.faces.evaluation import (
        Calibration,
        PairIndices,
        RocCurve,
        calibrate_threshold,
        make_pairs,
        pair_distances,
        roc_curve,
    )
    from fastcnn.faces.gallery import Gallery, Match
    from fastcnn.faces.lfw import FacePair, LFWResult, lfw_protocol, read_lfw_pairs
    from fastcnn.faces.mtcnn import MTCNN, Faces, ONet, PNet, RNet, detect
    from fastcnn.faces.pairs import Verification, verify
    from fastcnn.faces.training import (
        CollapseWarning,
        VerificationMetrics,
        embedding_head,
        encode_dataset,
        pair_classifier,
        train_encoder,
    )

__all__ = [
    "MTCNN",
    "Calibration",
    "CollapseWarning",
    "Encoder",
    "FaceClusters",
    "FaceEncoder",
    "FacePair",
    "Faces",
    "Gallery",
    "LFWResult",
    "Match",
    "ONet",
    "PNet",
    "PairIndices",
    "RNet",
    "RocCurve",
    "Verification",
    "VerificationMetrics",
    "align_faces",
    "calibrate_threshold",
    "crop_faces",
    "detect",
    "embedding_head",
    "encode",
    "encode_dataset",
    "encode_faces",
    "encoder",
    "face_template",
    "lfw_protocol",
    "make_pairs",
    "pair_classifier",
    "pair_distances",
    "read_lfw_pairs",
    "roc_curve",
    "similarity_transform",
    "train_encoder",
    "verify",
]

_MODULES = {
    "Calibration": "evaluation",
    "CollapseWarning": "training",
    "Encoder": "encoders",
    "FaceClusters": "clustering",
    "FaceEncoder": "estimators",
    "FacePair": "lfw",
    "Faces": "mtcnn",
    "Gallery": "gallery",
    "LFWResult": "lfw",
    "MTCNN": "mtcnn",
    "Match": "gallery",
    "ONet": "mtcnn",
    "PNet": "mtcnn",
    "PairIndices": "evaluation",
    "RNet": "mtcnn",
    "RocCurve": "evaluation",
    "Verification": "pairs",
    "VerificationMetrics": "training",
    "align_faces": "align",
    "calibrate_threshold": "evaluation",
    "crop_faces": "align",
    "detect": "mtcnn",
    "embedding_head": "training",
    "encode": "encoders",
    "encode_dataset": "training",
    "encode_faces": "encoders",
    "encoder": "encoders",
    "face_template": "align",
    "lfw_protocol": "lfw",
    "make_pairs": "evaluation",
    "pair_classifier": "training",
    "pair_distances": "evaluation",
    "read_lfw_pairs": "lfw",
    "roc_curve": "evaluation",
    "similarity_transform": "align",
    "train_encoder": "training",
    "verify": "pairs",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
