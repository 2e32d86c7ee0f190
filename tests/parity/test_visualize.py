"""Saliency, guided backprop, Grad-CAM and deconvnet against PyTorch with hooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.visualize import Unit, deconvnet, grad_cam, guided_backprop, saliency
from tests.visualize.networks import residual

torch = pytest.importorskip("torch", reason="the oracle")
F = torch.nn.functional

X = np.random.default_rng(1).standard_normal((3, 16, 16, 3)).astype(np.float32)
CLASSES = [0, 3, 1]


class Guided(torch.autograd.Function):
    """A rectifier whose gradient passes only what is positive; of the deconvnet, all of that."""

    @staticmethod
    def forward(context: Any, x: Any, upper: float, open_only: bool) -> Any:
        context.save_for_backward(x)
        context.upper, context.open_only = upper, open_only
        return x.clamp(0, upper)

    @staticmethod
    def backward(context: Any, above: Any) -> Any:
        (x,) = context.saved_tensors
        kept = above.clamp(min=0)
        if context.open_only:
            kept = kept * ((x > 0) & (x < context.upper))
        return kept, None, None


class Torch:
    """The network `residual` makes, with its weights, in float64."""

    def __init__(self, model: fc.Model, rule: str | None = None) -> None:
        self.weights = {
            v.path: torch.from_numpy(v.numpy().astype(np.float64)) for v in model.weights
        }
        self.rule = rule

    def conv(self, x: Any, name: str, bias: bool = True) -> Any:
        w = self.weights[f"{name}/kernel"].permute(3, 2, 0, 1)
        b = self.weights[f"{name}/bias"] if bias else None
        return F.conv2d(x, w, b, padding=w.shape[2] // 2)

    def rectify(self, x: Any, upper: float = float("inf")) -> Any:
        if self.rule is None:
            return x.clamp(0, upper)
        return Guided.apply(x, upper, self.rule == "guided")

    def __call__(self, x: Any) -> tuple[Any, dict[str, Any]]:
        w = self.weights
        x = self.conv(x, "conv1", bias=False)
        x = F.batch_norm(
            x, w["bn1/moving_mean"], w["bn1/moving_variance"], w["bn1/gamma"], w["bn1/beta"],
            eps=1e-3,
        )  # fmt: skip
        kept = self.rectify(x)
        two = self.rectify(self.conv(kept, "conv2"))
        last = self.rectify(self.conv(two, "conv3") + kept, 6.0)
        pooled = F.max_pool2d(last, 2)
        logits = pooled.mean((2, 3)) @ w["top/kernel"] + w["top/bias"]
        return logits, {"relu1": kept, "conv2": two, "relu2": last, "pool": pooled}


@pytest.fixture(scope="module")
def model() -> fc.Model:
    return residual()


def picture() -> Any:
    return torch.from_numpy(X.astype(np.float64)).permute(0, 3, 1, 2).requires_grad_()


def close(found: np.ndarray, expected: Any) -> None:
    wanted = expected.detach().numpy()
    if wanted.ndim == 4:
        wanted = wanted.transpose(0, 2, 3, 1)
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("rule", [None, "guided"])
def test_gradients_of_classes(model: fc.Model, rule: str | None) -> None:
    x = picture()
    logits, _ = Torch(model, rule)(x)
    logits[torch.arange(3), torch.tensor(CLASSES)].sum().backward()
    if rule is None:
        close(saliency(model, X, CLASSES, signed=True), x.grad)
        close(saliency(model, X, CLASSES), x.grad.abs().amax(1))
    else:
        close(guided_backprop(model, X, CLASSES), x.grad)


@pytest.mark.parametrize("layer", ["conv2", "relu2", "pool", "relu1"])
def test_grad_cam(model: fc.Model, layer: str) -> None:
    logits, found = Torch(model)(picture())
    maps = found[layer]
    maps.retain_grad()
    logits[torch.arange(3), torch.tensor(CLASSES)].sum().backward()
    weights = maps.grad.mean((2, 3), keepdim=True)
    heat = (weights * maps).sum(1, keepdim=True).clamp(min=0)
    close(grad_cam(model, X, CLASSES, layer, resize=False), heat[:, 0])
    large = F.interpolate(heat, (16, 16), mode="bilinear", align_corners=False)
    close(grad_cam(model, X, CLASSES, layer), large[:, 0])


@pytest.mark.parametrize("layer", ["relu1", "conv2", "relu2", "pool"])
@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
def test_patterns_of_units(model: fc.Model, rule: str, layer: str) -> None:
    x = picture()
    maps = Torch(model, rule)(x)[1][layer]
    chosen = maps[:, 2, 3, 4]
    if rule == "guided":
        chosen.sum().backward()
        close(guided_backprop(model, X, Unit(layer, 2, (3, 4))), x.grad)
    else:
        (chosen * chosen.detach()).sum().backward()
        close(deconvnet(model, X, layer, 2, (3, 4)), x.grad)
