"""One step of training - forward, loss, backward, SGD with momentum - in fastcnn and in torch.

Both train the network that `benchmarks.networks` describes, from the same weights, on the same
batch of pictures and labels.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.networks import record, training_model
from benchmarks.runtimes import Job, time_limit
from benchmarks.timing import CLOCKS

LEARNING_RATE, MOMENTUM = 0.001, 0.9


def batch_of(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, and a label for each result of the network."""
    x = job.picture()
    shape = training_model(job.network, job.size, None).output_shape
    rng = np.random.default_rng(5)
    labels = rng.integers(0, shape[-1], (job.batch, *shape[1:-1]))
    return x, labels


def peak_mib() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Trainer:
    """What both have: the memory that training took beyond what the process had before."""

    note = ""
    before_mib = 0.0

    def output(self) -> np.ndarray:
        return np.array([peak_mib() - self.before_mib, self.loss])

    loss = 0.0


def quickest(
    variants: Mapping[str, Callable[[], Callable[[], Any]]], job: Job
) -> tuple[Callable[[], Any], str]:
    """Make the fastest of several steps, or the one that the job names; and tell which it is."""
    if job.variant:
        return variants[job.variant](), job.variant
    made: dict[str, Callable[[], Any]] = {}
    times, failed = {}, ""
    for name, make in variants.items():
        try:
            made[name] = make()
            times[name] = _quick_time(made[name], job.clock)
        except Exception as error:
            late = "TimeoutError" in f"{error!r}{error.__cause__!r}"
            failed = f" ({name}: {'too slow' if late else type(error).__name__})"
    best = min(times, key=times.__getitem__)
    return made[best], best + failed


def _quick_time(step: Callable[[], Any], clock: str) -> int:
    now, best = CLOCKS[clock], 1 << 62
    step()
    end = time.perf_counter() + 2.0
    while time.perf_counter() < end or best == 1 << 62:
        start = now()
        step()
        best = min(best, now() - start)
    return best


class FastcnnTrainer(Trainer):
    """fastcnn's `train_on_batch`."""

    def __init__(self, job: Job, device: str = "cpu") -> None:
        import fastcnn as fc

        fc.set_num_threads(job.threads)
        self.x, self.y = batch_of(job)
        self.before_mib = peak_mib()
        self.model = training_model(job.network, job.size, job.precision).to(device)
        self.model.compile(
            fc.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM),
            fc.losses.SparseCategoricalCrossentropy(from_logits=True),
        )

    def call(self) -> None:
        self.loss = self.model._steps.train((self.x, self.y, None))

    def compiled(self) -> tuple[Any, list[np.ndarray]]:
        """The plan of a step, with what it is fed, and the arrays of the batch."""
        steps = self.model._steps
        return steps._compile(steps._train, (self.x, self.y, None))

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        self.call()
        compiled, arrays = self.compiled()
        kept = ("name", "kernel", "flops", "bytes")
        known = [
            {"shape": list(s["outputs"][0]), **{key: s[key] for key in kept}}
            for s in compiled.plan.steps()
        ]
        arrays = [*arrays, *(feed() for feed in compiled.feeds)]
        runs = [compiled.plan.profile(arrays) for _ in range(calls)]
        return [[{**k, "ns": ns} for k, ns in zip(known, run, strict=True)] for run in runs]


class TorchTrainer(Trainer):
    """torch's fastest of eager, channels_last and torch.compile; in bf16 under autocast."""

    def __init__(self, job: Job, bf16: bool = False) -> None:
        import torch

        self.torch, self.bf16 = torch, bf16
        torch.set_num_threads(job.threads)
        self.tape = record(training_model(job.network, job.size, None), job.picture().shape)
        x, y = batch_of(job)
        self.x = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
        self.y = torch.from_numpy(y)
        self.before_mib = peak_mib()
        variants: dict[str, Callable[[], Callable[[], Any]]] = {
            "eager": lambda: self._step(False),
            "channels_last": lambda: self._step(True),
        }
        if job.compile_limit:
            variants["compile"] = lambda: self._step(True, job.compile_limit)
        self.step, self.note = quickest(variants, job)

    def _step(self, last: bool, compile_limit: int = 0) -> Callable[[], Any]:
        from benchmarks.torch_network import TorchNetwork

        torch = self.torch
        network = TorchNetwork(self.tape, fold=False, trainable=True).train()
        x = self.x
        if last:
            network = network.to(memory_format=torch.channels_last)
            x = x.to(memory_format=torch.channels_last)
        parameters = list(network.parameters())
        optimizer = torch.optim.SGD(parameters, LEARNING_RATE, momentum=MOMENTUM, fused=True)

        def loss_of(x: Any) -> Any:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                logits = network(x)
            return torch.nn.functional.cross_entropy(logits.float(), self.y)

        compute = torch.compile(loss_of) if compile_limit else loss_of

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            loss = compute(x)
            loss.backward()
            optimizer.step()
            return float(loss.detach())

        if compile_limit:
            with time_limit(compile_limit):
                step()
        return step

    def call(self) -> None:
        self.loss = self.step()

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        return []


TRAINERS = {
    "fastcnn_training": FastcnnTrainer,
    "torch_training": TorchTrainer,
    "torch_bf16_training": partial(TorchTrainer, bf16=True),
}
