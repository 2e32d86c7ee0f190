"""One iteration of style transfer - VGG-16, costs, gradient, Adam - in fastcnn and in torch.

Both change the same picture by the same weights and costs: conv4_2 for the content, conv1_1 to
conv4_1 for the style, average pooling, levels kept within 0 to 255.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.runtimes import Job
from benchmarks.trainers import Trainer, peak_mib, quickest

CONTENT, STYLE = "block4_conv2", tuple(f"block{i}_conv1" for i in (1, 2, 3, 4))
_BLOCKS = ((1, 2), (2, 2), (3, 3), (4, 2))
_MEAN = (103.939, 116.779, 123.68)
_ALPHA, _BETA, _RATE = 1e3, 1e6, 2.0


def pictures(size: int) -> list[np.ndarray]:
    """A content and a style, (1, size, size, 3), of coarse squares."""
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (2, 1, size // 8, size // 8, 3))
    return list(coarse.repeat(8, 2).repeat(8, 3).astype(np.float32))


def network() -> Any:
    """VGG-16 with random weights, the same in every process."""
    import fastcnn as fc

    fc.set_random_seed(1)
    return fc.style.feature_network([CONTENT, *STYLE], weights=None)


class FastcnnStylist(Trainer):
    """fastcnn's plan of an iteration."""

    def __init__(self, job: Job) -> None:
        import fastcnn as fc

        fc.set_num_threads(job.threads)
        self.before_mib = peak_mib()
        content, style = pictures(job.size or 512)
        with fc.set_float32_precision(job.precision):
            objective = fc.style.Objective(
                network(), content, [style], {CONTENT: 1.0}, dict.fromkeys(STYLE, 0.25),
                _ALPHA, _BETA,
            )  # fmt: skip
        self.precision = job.precision
        self.descent = fc.style.Descent(objective, content, fc.optimizers.Adam(_RATE), None)

    def call(self) -> None:
        import fastcnn as fc

        with fc.set_float32_precision(self.precision):
            self.loss = self.descent.step().total

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        self.call()
        plan = self.descent.plan()
        kept = ("name", "kernel", "flops", "bytes")
        known = [
            {"shape": list(s["outputs"][0]), **{key: s[key] for key in kept}} for s in plan.steps
        ]
        runs = [self.descent.profile() for _ in range(calls)]
        return [[{**k, "ns": ns} for k, ns in zip(known, run, strict=True)] for run in runs]


class TorchStylist(Trainer):
    """torch's faster one of eager and channels_last."""

    def __init__(self, job: Job) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(job.threads)
        self.before_mib = peak_mib()
        content, style = (
            torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
            for x in pictures(job.size or 512)
        )
        weights = {
            layer.name: [torch.from_numpy(w.numpy()) for w in layer.weights]
            for layer in network().layers
            if layer.weights
        }
        variants: dict[str, Callable[[], Callable[[], Any]]] = {
            "eager": lambda: self._step(weights, content, style, torch.contiguous_format),
            "channels_last": lambda: self._step(weights, content, style, torch.channels_last),
        }
        self.step, self.note = quickest(variants, job)

    def _step(self, weights: Any, content: Any, style: Any, form: Any) -> Callable[[], float]:
        torch = self.torch
        layers = {
            name: (kernel.permute(3, 2, 0, 1).contiguous(memory_format=form), bias)
            for name, (kernel, bias) in weights.items()
        }
        content, style = (x.to(memory_format=form) for x in (content, style))
        mean = torch.tensor(_MEAN)[:, None, None]

        def features(x: Any) -> dict[str, Any]:
            x, found = x.flip(1) - mean, {}
            for block, count in _BLOCKS:
                for conv in range(1, count + 1):
                    name = f"block{block}_conv{conv}"
                    x = torch.relu_(torch.conv2d(x, *layers[name], padding=1))
                    found[name] = x
                    if name == CONTENT:
                        return found
                x = torch.nn.functional.avg_pool2d(x, 2)
            return found

        def gram(x: Any) -> Any:
            flat = x.flatten(2)[0]
            return flat @ flat.T / flat.shape[1]

        with torch.no_grad():
            wanted = features(content)[CONTENT]
            of_style = features(style)
            grams = {name: gram(of_style[name]) for name in STYLE}
        picture = content.clone(memory_format=torch.preserve_format).requires_grad_()
        optimizer = torch.optim.Adam([picture], _RATE, eps=1e-7, fused=True)

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            found = features(picture)
            style_cost = sum((gram(found[n]) - grams[n]).square().mean() / 16 for n in STYLE)
            loss = (found[CONTENT] - wanted).square().mean() / 4 * _ALPHA + style_cost * _BETA
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                picture.clamp_(0, 255)
            return float(loss.detach())

        return step

    def call(self) -> None:
        self.loss = self.step()

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        return []


STYLISTS = {"fastcnn_style": FastcnnStylist, "torch_style": TorchStylist}
