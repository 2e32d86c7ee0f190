"""Losses of boxes against torchvision's formulas, and their gradients against torch's."""

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import losses
from fastcnn.errors import ShapeError

LOSSES = {
    "giou": losses.generalized_box_iou_loss,
    "diou": losses.distance_box_iou_loss,
    "ciou": losses.complete_box_iou_loss,
}


def boxes(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 20, (count, 2))
    return np.concatenate([corners, corners + random.uniform(1, 20, (count, 2))], 1).astype("f4")


def by_torch(kind: str, a: Any, b: Any, eps: float = 1e-7) -> Any:
    """As in torchvision.ops: giou_loss.py, diou_loss.py, ciou_loss.py."""
    torch = pytest.importorskip("torch")
    (x1, y1, x2, y2), (x1g, y1g, x2g, y2g) = a.unbind(-1), b.unbind(-1)
    xk1, yk1 = torch.max(x1, x1g), torch.max(y1, y1g)
    xk2, yk2 = torch.min(x2, x2g), torch.min(y2, y2g)
    common = torch.where((yk2 > yk1) & (xk2 > xk1), (xk2 - xk1) * (yk2 - yk1), 0.0)
    union = (x2 - x1) * (y2 - y1) + (x2g - x1g) * (y2g - y1g) - common
    iou = common / (union + eps)
    w = torch.max(x2, x2g) - torch.min(x1, x1g)
    h = torch.max(y2, y2g) - torch.min(y1, y1g)
    if kind == "giou":
        area = w * h
        return 1 - (iou - (area - union) / (area + eps))
    far = w**2 + h**2 + eps
    apart = ((x2 + x1) / 2 - (x1g + x2g) / 2) ** 2 + ((y2 + y1) / 2 - (y1g + y2g) / 2) ** 2
    loss = 1 - iou + apart / far
    if kind == "diou":
        return loss
    angles = torch.atan((x2g - x1g) / (y2g - y1g)) - torch.atan((x2 - x1) / (y2 - y1))
    v = (4 / torch.pi**2) * angles**2
    with torch.no_grad():
        alpha = v / (1 - iou + v + eps)
    return loss + alpha * v


@pytest.mark.parametrize("kind", LOSSES)
def test_values_and_gradients_are_those_of_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    true, given = boxes(40, 0), boxes(40, 1)
    true[:5] = given[:5] + 100  # apart
    x = torch.tensor(given, dtype=torch.float64, requires_grad=True)
    theirs = by_torch(kind, x, torch.tensor(true, dtype=torch.float64))
    theirs.sum().backward()
    loss = LOSSES[kind]
    np.testing.assert_allclose(loss(true, given), theirs.detach().numpy(), rtol=1e-5, atol=1e-6)
    value, gradient = fc.value_and_grad(lambda p, t: fc.ops.sum(loss(t, p)))(given, true)
    assert float(value) == pytest.approx(theirs.sum().item(), rel=1e-5)
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", LOSSES)
def test_boxes_that_are_the_same_have_no_loss(kind: str) -> None:
    same = boxes(6, 2).reshape(2, 3, 4)
    found = LOSSES[kind](same, same)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, 0, atol=1e-6)
    wrapped = losses.get(LOSSES[kind])
    assert float(wrapped(same, same)) == pytest.approx(0, abs=1e-6)


def test_wrong_shapes() -> None:
    with pytest.raises(ShapeError, match=r"\(\.\.\., 4\)"):
        losses.generalized_box_iou_loss(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="one shape"):
        losses.generalized_box_iou_loss(np.zeros((2, 4)), np.zeros((3, 4)))
