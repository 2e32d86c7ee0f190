"""Training: steps compiled to plans, and the loops around them."""

from __future__ import annotations

from fastcnn.training.gradients import value_and_grad

__all__ = ["value_and_grad"]
