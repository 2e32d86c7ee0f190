"""Every classifier against its twin in torch, computed in float64, with weights through a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastcnn as fc

torch = pytest.importorskip("torch", reason="the oracle")

from tests.parity import torch_models  # noqa: E402


class Parity(NamedTuple):
    """A network, the pictures' size, the twin's options and ours, and whether names are torch's."""

    name: str
    shape: tuple[int, int, int]
    twin: dict[str, Any] = {}  # noqa: RUF012 - never changed
    ours: dict[str, Any] = {}  # noqa: RUF012 - never changed
    torch_names: bool = False

    @property
    def id(self) -> str:
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.ours.items())])


NARROW = (16, 8, 8, 16, 24, 32, 56, 112)  # MobileNetV2's filters of width 0.35

# Odd sizes, of which some halvings leave a remainder, some do not.
CASES = [
    Parity("vgg16", (2, 37, 51), {"side": (1, 1)}),
    Parity("vgg19", (1, 64, 32), {"side": (2, 1)}),
    Parity("resnet18", (3, 75, 49), torch_names=True),
    Parity("resnet34", (1, 64, 97), torch_names=True),
    Parity("resnet50", (2, 97, 65)),
    Parity("resnet101", (1, 64, 71)),
    Parity("mobilenet_v2", (2, 65, 46)),
    Parity("mobilenet_v2", (1, 64, 67), {"filters": NARROW}, {"alpha": 0.35}),
    Parity("efficientnet_lite0", (2, 71, 48), torch_names=True),
    Parity("googlenet", (2, 95, 64)),
    Parity("zfnet", (2, 75, 91), {"side": (1, 2)}),
    Parity("squeezenet", (3, 61, 48), torch_names=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_against_torch(case: Parity, tmp_path: Path) -> None:
    twin = torch_models.randomize(getattr(torch_models, case.name)(**case.twin))
    state = twin.state_dict() if case.torch_names else torch_models.fastcnn_state(twin)
    path = tmp_path / "weights.pth"
    torch.save(state, path)

    n, height, width = case.shape
    rng = np.random.default_rng(7)
    x = rng.standard_normal((n, height, width, 3)).astype(np.float32)
    with torch.inference_mode():
        expected = twin.double()(torch.from_numpy(x).double().permute(0, 3, 1, 2)).numpy()

    model = fc.applications.classifier(case.name)(
        weights=path, input_shape=(height, width, 3), classifier_activation=None, **case.ours
    )
    logits = model(x)
    assert logits.shape == expected.shape == (n, 1000)
    assert np.abs(logits - expected).max() <= 1e-5 * np.abs(expected).max()
