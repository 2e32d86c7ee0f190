"""Weights under the names of torchvision, facenet-pytorch and others, in networks made by these."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, FileFormatError
from tests.oracles import import_oracle
from tests.shared_data import shared_path

torch = pytest.importorskip("torch", reason="the oracle")

from tests.parity import torch_models  # noqa: E402


class Network(NamedTuple):
    """A network of torchvision, ours, the pictures' size, options of theirs and of ours."""

    theirs: str
    ours: str
    shape: tuple[int, int, int] = (1, 65, 50)
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    own: dict[str, Any] = {}  # noqa: RUF012 - never changed
    slow: bool = False


NETWORKS = [
    Network("resnet18", "ResNet18"),
    Network("resnet34", "ResNet34", slow=True),
    Network("resnet50", "ResNet50", slow=True),
    Network("resnet101", "ResNet101", slow=True),
    Network("resnet152", "ResNet152", slow=True),
    Network("vgg16", "VGG16", (1, 224, 224), slow=True),
    Network("vgg19", "VGG19", (1, 224, 224), slow=True),
    Network("mobilenet_v2", "MobileNetV2", (2, 71, 64), slow=True),
    Network("mobilenet_v2", "MobileNetV2", options={"width_mult": 0.35}, own={"alpha": 0.35}),
    Network("googlenet", "GoogLeNet", options={"init_weights": False, "aux_logits": True}),
    Network("squeezenet1_1", "SqueezeNet"),
    Network("efficientnet_b0", "EfficientNetB0", (2, 71, 64), slow=True),
]


def saved(network: Any, path: Path) -> Path:
    torch.save(network.state_dict(), path)
    return path


def run(network: Any, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        y = network.double()(torch.from_numpy(x).double().permute(0, 3, 1, 2))
    return np.asarray(y)


def agree(ours: Any, theirs: Any, shape: tuple[int, int, int]) -> None:
    x = np.random.default_rng(7).standard_normal((*shape, 3)).astype(np.float32)
    got, want = ours(x), run(theirs, x)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            n,
            id="-".join([n.theirs, *map(str, n.own.values())]),
            marks=[pytest.mark.slow] if n.slow else [],
        )
        for n in NETWORKS
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_torchvision(case: Network, tmp_path: Path) -> None:
    models = import_oracle("torchvision.models")
    theirs = torch_models.randomize(getattr(models, case.theirs)(weights=None, **case.options))
    path = saved(theirs, tmp_path / "weights.bin")
    height, width = case.shape[1:]
    make = getattr(fc.applications, case.ours)
    own = {"input_shape": (height, width, 3), "classifier_activation": None, **case.own}
    agree(make(weights=path, **own), theirs, case.shape)
    assert make.application.mode_for(path) == ("tf" if case.ours == "GoogLeNet" else "torch")
    make(weights=path, include_top=False, **case.own)


def test_a_variant_can_be_asked_for() -> None:
    keras = fc.applications.ResNet50(include_top=False)
    torch = fc.applications.ResNet50(include_top=False, variant="torchvision")
    assert keras.count_params() > torch.count_params()  # biases
    assert fc.applications.ResNet50(include_top=False, variant="keras").count_params() == (
        keras.count_params()
    )
    modes = fc.applications.ResNet50.application.mode_for
    assert (modes(), modes(variant="torchvision")) == ("caffe", "torch")
    with pytest.raises(ConfigError, match="variant"):
        fc.applications.ResNet50(variant="caffe")
    with pytest.raises(ConfigError, match="variant"):
        fc.applications.ResNet18(variant="torchvision")


def test_a_file_of_the_other_variant_does_not_fit(tmp_path: Path) -> None:
    model = fc.applications.MobileNetV2(include_top=False, alpha=0.35)
    model.save_weights(tmp_path / "keras.safetensors")
    again = fc.applications.MobileNetV2(
        include_top=False, alpha=0.35, weights=tmp_path / "keras.safetensors"
    )
    x = np.ones((1, 33, 33, 3), np.float32)
    np.testing.assert_array_equal(again(x), model(x))
    with pytest.raises(FileFormatError):
        fc.applications.EfficientNetB0(weights=tmp_path / "keras.safetensors")


@pytest.mark.slow
def test_facenet_pytorch(tmp_path: Path) -> None:
    module = import_oracle("facenet_pytorch.models.inception_resnet_v1")
    theirs = torch_models.randomize(module.InceptionResnetV1(classify=False))
    theirs.logits = torch.nn.Linear(512, 10)  # files have a classifier too
    path = saved(theirs.eval(), tmp_path / "weights.pt")
    ours = fc.applications.InceptionResNetV1(weights=path, input_shape=(98, 97, 3))
    agree(ours, theirs, (2, 98, 97))
    np.testing.assert_allclose(np.linalg.norm(ours(np.ones((1, 98, 97, 3))), axis=1), 1, rtol=1e-5)
    assert fc.applications.InceptionResNetV1().count_params() == 23_482_624 + 29_600


class _Block(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        nn = torch.nn
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.stride, self.margin = stride, (filters - channels) // 2

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            margins = (0, 0, 0, 0, self.margin, self.margin)
            x = torch.nn.functional.pad(x[:, :, ::2, ::2], margins)
        return torch.relu(x + y)


class _ResNet20(torch.nn.Module):  # type: ignore[misc, name-defined]
    """The network of the weights in `resnet_cifar10`, which were made by option A."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for stage, (channels, filters) in enumerate(((16, 16), (16, 32), (32, 64)), start=1):
            first = _Block(channels, filters, 1 if stage == 1 else 2)
            blocks = nn.Sequential(first, _Block(filters, filters, 1), _Block(filters, filters, 1))
            setattr(self, f"layer{stage}", blocks)
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def test_published_resnet20() -> None:
    """A checkpoint of others, with training state and names that begin with "module."."""
    path = shared_path("weights", "resnet_cifar10", "resnet20-12fca82f.th")
    theirs = _ResNet20()
    state = {
        name.removeprefix("module."): torch.from_numpy(np.array(array))
        for name, array in fc.io.load_torch(path).items()
    }
    theirs.load_state_dict(state, strict=False)
    ours = fc.applications.ResNet20(weights=path, classifier_activation=None)
    agree(ours, theirs.eval(), (8, 32, 32))


def test_efficientnet_b0_is_keras_too(tmp_path: Path) -> None:
    model = fc.applications.EfficientNetB0(include_top=False)
    names = [layer.name for layer in model.layers]
    assert names[1:5] == ["rescaling", "normalization", "stem_conv_pad", "stem_conv"]
    assert model.count_params() == 4_049_571 - 1  # Keras counts what Normalization has seen
