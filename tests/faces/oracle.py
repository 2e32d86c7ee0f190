"""facenet-pytorch's MTCNN, run from its own files with torch; the one function of torchvision that
it uses is written out here."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


def _nms(torch: Any, boxes: Any, scores: Any, threshold: float) -> list[int]:
    order = torch.argsort(-scores, stable=True)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(int(first))
        low = torch.maximum(boxes[first, :2], boxes[rest, :2])
        high = torch.minimum(boxes[first, 2:], boxes[rest, 2:])
        common = (high - low).clamp(min=0).prod(dim=1)
        order = rest[common / (area[first] + area[rest] - common) <= threshold]
    return kept


class FacenetPytorch:
    """The networks and the whole detection."""

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch", reason="runs facenet-pytorch's networks")
        spec = importlib.util.find_spec("facenet_pytorch")
        if spec is None or not spec.submodule_search_locations:
            pytest.skip("needs --no-deps facenet-pytorch==2.6.0")
        package = ModuleType("facenet_models")
        package.__path__ = [f"{spec.submodule_search_locations[0]}/models"]
        names = ["torchvision", "torchvision.transforms", "torchvision.ops.boxes"]
        stand_ins = {name: ModuleType(name) for name in [*names, "torchvision.ops"]}
        stand_ins["torchvision.transforms"].functional = None  # type: ignore[attr-defined]
        stand_ins["torchvision.ops.boxes"].batched_nms = self._batched_nms  # type: ignore[attr-defined]
        stand_ins["facenet_models"] = package
        replaced = {name: sys.modules.get(name) for name in stand_ins}
        sys.modules.update(stand_ins)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = importlib.import_module("facenet_models.mtcnn")
                self._steps = importlib.import_module("facenet_models.utils.detect_face")
                self.networks = [
                    getattr(module, name)().eval() for name in ("PNet", "RNet", "ONet")
                ]
        finally:
            for name, before in replaced.items():
                if before is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = before

    def _batched_nms(self, boxes: Any, scores: Any, idxs: Any, threshold: float) -> Any:
        assert (idxs == 0).all()  # one picture
        kept = _nms(self.torch, boxes.double(), scores, threshold)
        return self.torch.tensor(kept, dtype=self.torch.long)

    def compute(self, index: int, pictures: NDArray[Any]) -> list[NDArray[Any]]:
        """A network's outputs in our order and layout: probabilities first, channels last."""
        x = self.torch.tensor(pictures, dtype=self.torch.float32).permute(0, 3, 1, 2)
        with self.torch.no_grad():
            *others, scores = self.networks[index]((x - 127.5) * 0.0078125)
        return [np.moveaxis(y.numpy(), 1, -1) for y in (scores, *others)]

    def detect(
        self, picture: NDArray[Any], min_face_size: float, factor: float
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        with self.torch.no_grad():
            boxes, points = self._steps.detect_face(
                picture, min_face_size, *self.networks, [0.6, 0.7, 0.7], factor, "cpu"
            )
        found = np.array(boxes[0].tolist(), np.float32).reshape(-1, 5)
        landmarks = np.array(points[0].tolist(), np.float32).reshape(-1, 5, 2)
        return found[:, :4], landmarks, found[:, 4]
