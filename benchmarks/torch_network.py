"""A network in torch."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import nn

from benchmarks.networks import Tape
from benchmarks.translate import Step, translate


class TorchNetwork(nn.Module):
    """The steps of a tape, from pictures (n, c, h, w)."""

    def __init__(self, tape: Tape, fold: bool = True, trainable: bool = False) -> None:
        super().__init__()
        self.steps = translate(tape, fold)
        self.input, self.output = tape.input, tape.output
        for index, step in enumerate(self.steps):
            for i, array in enumerate(step.arrays):
                value = torch.from_numpy(np.array(array))
                if trainable and not (step.kind == "batch_norm" and i >= 2):
                    self.register_parameter(f"w{index}_{i}", nn.Parameter(value))
                else:
                    self.register_buffer(f"w{index}_{i}", value)
        self.counts = [len(step.arrays) for step in self.steps]

    def weights(self, index: int) -> list[torch.Tensor]:
        """The weights of a step."""
        return [getattr(self, f"w{index}_{i}") for i in range(self.counts[index])]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the network."""
        values = {self.input: x}
        last = {value: i for i, step in enumerate(self.steps) for value in step.inputs}
        for index, step in enumerate(self.steps):
            values[step.output] = _apply(
                step, [values[i] for i in step.inputs], self.weights(index), self.training
            )
            for value in step.inputs:
                if last[value] == index:
                    values.pop(value, None)  # frees the memory
        return values[self.output]


def _apply(
    step: Step, xs: list[torch.Tensor], w: list[torch.Tensor], training: bool
) -> torch.Tensor:
    x = xs[0]
    top, bottom, left, right = step.pads
    bias = w[1] if len(w) > 1 else None
    match step.kind:
        case "conv":
            if (top, left) != (bottom, right):
                x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
            return F.conv2d(x, w[0], bias, step.strides, (top, left), step.dilation, step.groups)
        case "conv_transpose":
            y = F.conv_transpose2d(x, w[0], bias, step.strides, dilation=step.dilation)
            return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]
        case "batch_norm":
            gamma, beta, mean, var = w
            return F.batch_norm(x, mean, var, gamma, beta, training, eps=step.number)
        case "relu":
            return F.relu(x, inplace=training)
        case "relu6":
            return F.relu6(x, inplace=training)
        case "leaky_relu":
            return F.leaky_relu(x, step.number)
        case "max_pool":
            if (top, left) != (bottom, right):
                x, top, left = F.pad(x, (left, right, top, bottom), value=-torch.inf), 0, 0
            return F.max_pool2d(x, step.window, step.strides, (top, left))
        case "average":
            return x.mean((2, 3))
        case "dense":
            return F.linear(x, w[0], bias)
        case "flatten":
            return x.permute(0, 2, 3, 1).flatten(1)
        case "pad":
            return F.pad(x, (left, right, top, bottom))
        case "space_to_depth":
            n, c, h, v = x.shape
            b = int(step.number)
            blocks = x.reshape(n, c, h // b, b, v // b, b).permute(0, 3, 5, 1, 2, 4)
            return blocks.reshape(n, c * b * b, h // b, v // b)
        case "concat":
            return torch.cat(xs, 1)
        case "add":
            return xs[0] + xs[1]
        case "scale":
            return x * step.number
    raise NotImplementedError(step.kind)
