"""Costs and their gradients are PyTorch's, with random weights and with the real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import style
from fastcnn.applications.weights import find
from fastcnn.errors import MissingWeightsError

torch = pytest.importorskip("torch", reason="computes the same")

CONTENT = {"block4_conv2": 1.0}
STYLE = {f"block{i}_conv1": 0.25 for i in (1, 2, 3, 4)}
ALPHA, BETA, SMOOTH = 1.0, 1e-3, 0.01
_BLOCKS = ((1, 2), (2, 2), (3, 3), (4, 2))


def network(weights: str | None) -> fc.Model:
    if weights is not None:
        try:
            find(weights)
        except MissingWeightsError as error:
            pytest.skip(str(error))
    fc.set_random_seed(0)
    return style.feature_network([*CONTENT, *STYLE], weights=weights)


def features(model: fc.Model, picture: Any, mean: tuple[float, ...]) -> dict[str, Any]:
    """VGG-16 in torch, with the same weights."""
    x = (picture.flip(-1) - torch.tensor(mean, dtype=picture.dtype)).permute(0, 3, 1, 2)
    found = {}
    for block, count in _BLOCKS:
        for conv in range(1, count + 1):
            layer = model.get_layer(f"block{block}_conv{conv}")
            kernel, bias = (torch.from_numpy(w.numpy()).to(x.dtype) for w in layer.weights)
            x = torch.relu(torch.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1))
            found[f"block{block}_conv{conv}"] = x
        x = torch.nn.functional.avg_pool2d(x, 2)
    return found


def gram(x: Any) -> Any:
    flat = x.reshape(x.shape[1], -1)
    return flat @ flat.T / flat.shape[1]


@pytest.mark.parametrize(
    ("weights", "mean"),
    [(None, (103.939, 116.779, 123.68)), ("hed", (104.007, 116.669, 122.679))],
    ids=["random", "hed"],
)
def test_costs_and_gradient_are_torchs(weights: str | None, mean: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    content, painting, picture = (
        rng.integers(0, 256, (1, *size, 3)).repeat(4, 1).repeat(4, 2).astype(np.float32)
        for size in ((9, 12), (10, 8), (9, 12))
    )
    model = network(weights)
    objective = style.Objective(model, content, [painting], CONTENT, STYLE, ALPHA, BETA, SMOOTH)
    compute = fc.value_and_grad(
        lambda x: (objective.describe(x).total, list(objective.describe(x))), has_aux=True
    )
    (total, costs), gradient = compute(picture)

    # In float64: what torch's own float32 differs by is not ours to reproduce.
    double = {n: torch.from_numpy(a).double() for n, a in (("c", content), ("s", painting))}
    with torch.no_grad():
        of_content, of_style = (features(model, double[n], mean) for n in "cs")
    x = torch.from_numpy(picture).double().requires_grad_()
    found = features(model, x, mean)
    content_cost = sum(((found[n] - of_content[n]) ** 2).mean() / 4 * w for n, w in CONTENT.items())
    style_cost = sum(
        ((gram(found[n]) - gram(of_style[n])) ** 2).mean() / 4 * w for n, w in STYLE.items()
    )
    down, across = x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]
    variation = (down**2).mean() + (across**2).mean()
    wanted = ALPHA * content_cost + BETA * style_cost + SMOOTH * variation
    wanted.backward()

    expected = [float(v.detach()) for v in (wanted, content_cost, style_cost, variation)]
    np.testing.assert_allclose([float(total), *map(float, costs[1:])], expected, rtol=1e-4)
    largest = float(x.grad.abs().max())
    assert largest > 0
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=0, atol=2e-4 * largest)
