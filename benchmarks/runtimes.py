"""fastcnn and its peers behind one face, each in its best configuration.

A runtime is opened in a process of its own (worker.py), so that idle worker pools of one cannot
take the time of another.
"""

from __future__ import annotations

import json
import logging
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.networks import NETWORKS, TRAINING_NETWORKS, picture, record
from benchmarks.timing import CLOCKS


@dataclass(frozen=True)
class Job:
    """What is to be computed, and how."""

    network: str
    batch: int
    threads: int
    size: int | None = None
    precision: str = "highest"
    clock: str = "wall"
    compile_limit: int = 120  # seconds that torch.compile may take
    variant: str = ""  # of torch's: the only one to try

    def picture(self) -> np.ndarray:
        """The input (n, h, w, c)."""
        return picture(self.batch, self.size or (TRAINING_NETWORKS | NETWORKS)[self.network].size)

    def channels_first(self) -> np.ndarray:
        """The input (n, c, h, w)."""
        return np.ascontiguousarray(self.picture().transpose(0, 3, 1, 2))

    def calibration(self) -> np.ndarray:
        """Pictures (n, h, w, c) to find the ranges of 8-bit codes with."""
        return picture(8, self.size or NETWORKS[self.network].size, seed=2)

    def model(self) -> Any:
        """The network as a fastcnn model, in floats."""
        precision = None if self.precision == "int8" else self.precision
        return NETWORKS[self.network].model(self.size, precision)

    def onnx(self) -> bytes:
        """The network as an ONNX file, of 8-bit codes where that is the precision."""
        from benchmarks.onnx_network import onnx_bytes

        model = onnx_bytes(record(self.model(), self.picture().shape))
        if self.precision != "int8":
            return model
        from benchmarks.onnx_quantized import quantized

        pictures = np.ascontiguousarray(self.calibration().transpose(0, 3, 1, 2))
        return quantized(model, pictures, self.batch)


class Runtime(Protocol):
    """A network ready to run on one input.

    Attributes
    ----------
    note : str
        What of several configurations it is.
    """

    note: str

    def call(self) -> Any:
        """Compute the network once."""

    def output(self) -> np.ndarray:
        """What it computed, pictures (n, h, w, c)."""

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        """The steps of so many calls: {"name", "kernel", "ns"} and more where known."""


def channels_last(y: np.ndarray) -> np.ndarray:
    """Pictures (n, c, h, w) as (n, h, w, c); others unchanged."""
    return y.transpose(0, 2, 3, 1) if y.ndim == 4 else y


class Fastcnn:
    """fastcnn's plan; FASTCNN_MAX_ISA is the worker's."""

    def __init__(self, job: Job) -> None:
        import fastcnn as fc

        fc.set_num_threads(job.threads)
        self.x = job.picture()
        model = job.model()
        if job.precision == "int8":
            model = fc.quantize(model, job.calibration())
        self.plan = model.plan(self.x.shape)
        self.note = f"{self.plan.flops} FLOP"
        self.y: list[np.ndarray] = []

    def call(self) -> None:
        self.y = self.plan.run([self.x])

    def output(self) -> np.ndarray:
        return self.y[0]

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        kept = ("name", "kernel", "flops", "bytes")
        known = [
            {"shape": list(step["outputs"][0]), **{key: step[key] for key in kept}}
            for step in self.plan.steps
        ]
        runs = [self.plan.profile([self.x]) for _ in range(calls)]
        return [[{**k, "ns": ns} for k, ns in zip(known, run, strict=True)] for run in runs]


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Torch:
    """The fastest of eager, channels_last and torch.compile, batch norms folded into weights."""

    def __init__(self, job: Job) -> None:
        import torch

        from benchmarks.torch_network import TorchNetwork

        torch.set_num_threads(job.threads)
        self.torch = torch
        tape = record(job.model(), job.picture().shape)
        x = torch.from_numpy(job.channels_first())
        plain = TorchNetwork(tape).eval()
        last = TorchNetwork(tape).eval().to(memory_format=torch.channels_last)
        x_last = x.to(memory_format=torch.channels_last)
        variants: dict[str, Callable[[], Any]] = {
            "eager": lambda: plain(x),
            "channels_last": lambda: last(x_last),
        }
        failed = ""
        if job.compile_limit:
            try:
                variants["compile"] = self._compiled(last, x_last, job.compile_limit)
            except Exception as error:
                late = "TimeoutError" in f"{error!r}{error.__cause__!r}"
                failed = f" (compile: {'too slow' if late else type(error).__name__})"
        times = {name: self._quick_time(f, job.clock) for name, f in variants.items()}
        best = min(times, key=times.__getitem__)
        self.forward, self.note = variants[best], best + failed
        self.y: Any = None

    def _compiled(self, network: Any, x: Any, limit: int) -> Callable[[], Any]:
        import torch._inductor.config as inductor

        inductor.freezing = True  # weights are constants: they are packed once
        logging.disable(logging.CRITICAL)  # what went wrong is told in the note
        compiled = self.torch.compile(network)
        with time_limit(limit), self.torch.inference_mode():
            compiled(x)
        return lambda: compiled(x)

    def _quick_time(self, forward: Callable[[], Any], clock: str) -> int:
        now, best = CLOCKS[clock], 1 << 62
        end = time.perf_counter() + 1.0
        with self.torch.inference_mode():
            forward()
            while time.perf_counter() < end or best == 1 << 62:
                start = now()
                forward()
                best = min(best, now() - start)
        return best

    def call(self) -> None:
        with self.torch.inference_mode():
            self.y = self.forward()

    def output(self) -> np.ndarray:
        return channels_last(self.y.numpy())

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        return []  # its operations have no layer's name


class Float64:
    """torch in double precision: what errors are measured against."""

    note = "float64"

    def __init__(self, job: Job) -> None:
        import torch

        from benchmarks.torch_network import TorchNetwork

        network = TorchNetwork(record(job.model(), job.picture().shape), fold=False).double().eval()
        with torch.inference_mode():
            self.y = network(torch.from_numpy(job.channels_first()).double()).numpy()

    def call(self) -> None:
        pass

    def output(self) -> np.ndarray:
        return channels_last(self.y)

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        return []


class OnnxRuntime:
    """ONNX Runtime's CPUExecutionProvider, all graph optimisations, its own threads."""

    note = ""

    def __init__(self, job: Job) -> None:
        self.threads, self.x = job.threads, job.channels_first()
        self.model = job.onnx()
        self.session = self._session()
        import onnxruntime as ort

        self.binding = self.session.io_binding()
        value = ort.OrtValue.ortvalue_from_numpy(self.x)
        self.binding.bind_ortvalue_input("input", value)
        self.binding.bind_output(self.session.get_outputs()[0].name)

    def _session(self, profile_prefix: str = "") -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Workers may spin within a call, as by default, but not on after the last one.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if profile_prefix:
            options.enable_profiling = True
            options.profile_file_prefix = profile_prefix
        return ort.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])

    def call(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def output(self) -> np.ndarray:
        return channels_last(self.binding.get_outputs()[0].numpy())

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        with tempfile.TemporaryDirectory() as folder:
            session = self._session(str(Path(folder) / "profile"))
            for _ in range(calls):
                session.run(None, {"input": self.x})
            events = json.loads(Path(session.end_profiling()).read_text())
        suffix = "_kernel_time"
        steps = [
            {
                "name": name.removesuffix(suffix),
                "kernel": e["args"]["op_name"],
                "ns": 1000 * e["dur"],
            }
            for e in events
            if (name := e["name"]).endswith(suffix)
        ]
        count = len(steps) // calls
        return [steps[i : i + count] for i in range(0, len(steps), count)]


class OpenVino:
    """OpenVINO's CPU plugin; floats as float32, or as bf16 (its default where the CPU has it)."""

    note = ""

    def __init__(self, job: Job, precision: str = "f32") -> None:
        self.threads, self.x, self.precision = job.threads, job.channels_first(), precision
        self.model = job.onnx()
        self.request = self._request()

    def _request(self, **options: Any) -> Any:
        import openvino as ov

        core = ov.Core()
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self.precision,
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # the worker's affinity does it
            **options,
        }
        compiled = core.compile_model(core.read_model(self.model), "CPU", settings)
        request = compiled.create_infer_request()
        request.set_input_tensor(ov.Tensor(self.x))
        return request

    def call(self) -> None:
        self.request.infer()

    def output(self) -> np.ndarray:
        return channels_last(np.array(self.request.get_output_tensor().data))

    def profile(self, calls: int) -> list[list[dict[str, Any]]]:
        request = self._request(PERF_COUNT=True)
        runs = []
        for _ in range(calls):
            request.infer()
            runs.append(
                [
                    {
                        "name": p.node_name,
                        "kernel": f"{p.node_type} {p.exec_type}",
                        "ns": int(p.real_time.total_seconds() * 1e9),
                    }
                    for p in request.get_profiling_info()
                    if p.status == p.Status.EXECUTED
                ]
            )
        return runs


RUNTIMES: dict[str, Callable[[Job], Runtime]] = {
    "fastcnn": Fastcnn,
    "torch": Torch,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "openvino_bf16": partial(OpenVino, precision="bf16"),
    "float64": Float64,
}
