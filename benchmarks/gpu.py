"""The tables of the CPU on a GPU: single kernels, array functions, whole networks, training.

    python -m benchmarks.gpu                                  # all of it
    python -m benchmarks.gpu --suites kernels --op conv2d --precision highest,medium

fastcnn and its peers (PyTorch with cuDNN, CuPy; those that are missing are left out) take turns on
arrays that lie on the GPU. Each precision meets its like: PyTorch computes in float32 at `highest`,
in tf32 at `high`, in bfloat16 at `medium`. Peaks are measured in the same run, and a share of the
roofline is the least time they allow over the time taken. Without a GPU: exit code 2.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tests.harness import Case, kernel_rows

import fastcnn as fc
from benchmarks import arrays as array_cases
from benchmarks.cases import WEIGHTS, all_cases
from benchmarks.networks import NETWORKS, picture, training_model
from benchmarks.results import FOLDER, Results, significant, table
from benchmarks.runtimes import Job
from benchmarks.timing import Summary, take_turns
from benchmarks.trainers import LEARNING_RATE, MOMENTUM, FastcnnTrainer, batch_of
from benchmarks.training import BATCH
from fastcnn import _C, cuda
from fastcnn.errors import FastcnnError, UnsupportedError

SUITES = ("kernels", "arrays", "models", "training")
LEVELS = ("highest", "high", "medium")
ROUND = 2e-3  # seconds between two waits for the GPU, at least
Call = Callable[[], Any]


# ---- the roofline ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """What a step of a plan costs, as the direct sum counts it."""

    gflop: float
    gbyte: float


@dataclass(frozen=True)
class Peaks:
    """What the GPU was measured to do, in GFLOP/s and GB/s; 0: nothing could measure it."""

    fma: float = 0.0
    tensor: float = 0.0
    memory: float = 0.0

    def arithmetic(self, precision: str) -> float:
        """What bounds products of that level: multiply-adds, or the tensor cores at `medium`.

        Kernels that compute a float32 product in bfloat16 parts can pass the former.
        """
        return self.tensor or self.fma if precision == "medium" else self.fma

    def least_ms(self, work: Sequence[Work], precision: str) -> float:
        """The least time for steps one after another, each bound by arithmetic or by memory."""
        peak = self.arithmetic(precision)
        seconds = sum(
            max(w.gflop / peak if peak else 0.0, w.gbyte / self.memory if self.memory else 0.0)
            for w in work
        )
        return seconds * 1e3

    def bound(self, work: Sequence[Work], precision: str) -> str:
        """Which of the two the least time is mostly made of; "" where one is not known."""
        peak = self.arithmetic(precision)
        if not peak or not self.memory:
            return ""
        arithmetic = sum(w.gflop / peak for w in work if w.gflop / peak >= w.gbyte / self.memory)
        memory = sum(w.gbyte / self.memory for w in work if w.gflop / peak < w.gbyte / self.memory)
        return "arithmetic" if arithmetic >= memory else "memory"


# ---- who takes part ----------------------------------------------------------------------------


@dataclass
class Entrant:
    """A problem ready to run: `call` asks for it, `wait` returns when the GPU is done."""

    call: Call
    wait: Call
    output: Callable[[], np.ndarray]
    work: tuple[Work, ...] = ()
    precision: str = ""
    memory: Any = None  # of the GPU's, that `call` reads


def gpu_burst(call: Call, wait: Call, seconds: float) -> list[int]:
    """Call until `seconds` have passed, waiting every ROUND; nanoseconds of a call.

    The first calls are not counted: plans record themselves in the second.
    """
    for _ in range(3):
        call()
    wait()
    start = time.perf_counter()
    call()
    wait()
    calls = max(1, min(1000, int(ROUND / max(1e-7, time.perf_counter() - start))))
    times: list[int] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter_ns()
        for _ in range(calls):
            call()
        wait()
        times.append((time.perf_counter_ns() - begin) // calls)
    return times


def of_plan(plan: _C.Plan, inputs: Sequence[np.ndarray], index: int, precision: str) -> Entrant:
    """A plan of fastcnn, on arrays of the GPU's."""
    given = [cuda.asarray(a, index) for a in inputs]
    results = [cuda.DeviceArray(shape, dtype, index) for shape, dtype in plan.output_types]

    def operands(side: Sequence[cuda.DeviceArray]) -> list[tuple[int, tuple[int, ...], str]]:
        return [
            (o.address, o.shape, o.dtype.name) for o in (cuda.as_operand(a, None) for a in side)
        ]

    sources, targets = operands(given), operands(results)
    work = tuple(Work(s["flops"] / 1e9, s["bytes"] / 1e9) for s in plan.steps())
    return Entrant(
        lambda: plan.run_on_device(sources, targets),
        lambda: _C.synchronize_device(index),
        lambda: results[0].numpy(),
        work,
        precision,
        given,
    )


def of_kernel(kernel: str, case: Case, index: int, precision: str) -> Entrant | None:
    """One row of a kernel table; None where it declines, or passes make another op of it."""
    values = case.inputs()
    weights = WEIGHTS.get(case.op, ())
    graph = _C.Graph()
    operands = [
        graph.constant(a) if i in weights else graph.input(a.shape, a.dtype.name)
        for i, a in enumerate(values)
    ]
    graph.set_outputs(graph.add(case.op, operands, case.attrs))
    try:
        plan = _C.compile(graph, kernel=kernel, precision=precision, device=f"cuda:{index}")
    except UnsupportedError:
        return None
    steps = [s for s in plan.steps() if s["kernel"] == kernel]
    if not steps:
        return None
    inputs = [a for i, a in enumerate(values) if i not in weights]
    return of_plan(plan, inputs, index, steps[0]["precision"])


def of_training(job: Job, index: int) -> Entrant:
    """A step of fastcnn; its output is the loss of the first."""
    trainer = FastcnnTrainer(job, f"cuda:{index}")
    trainer.call()
    first = float(trainer.loss)
    compiled, _ = trainer.compiled()
    work = tuple(Work(s["flops"] / 1e9, s["bytes"] / 1e9) for s in compiled.plan.steps())
    wait = partial(_C.synchronize_device, index)
    return Entrant(trainer.call, wait, lambda: np.array([first]), work, job.precision)


class Torch:
    """PyTorch on a GPU."""

    name = "torch"

    def __init__(self, index: int) -> None:
        import torch

        if not torch.cuda.is_available():
            raise ImportError("torch has no GPU")
        self.torch, self.device = torch, torch.device("cuda", index)
        torch.backends.cudnn.benchmark = True

    def at(self, precision: str) -> None:
        """Compute as that level does."""
        self.torch.backends.cuda.matmul.allow_tf32 = precision == "high"
        self.torch.backends.cudnn.allow_tf32 = precision == "high"

    def entrant(self, compute: Call, precision: str) -> Entrant:
        """Run `compute` at a precision."""
        torch, last = self.torch, []

        def call() -> None:
            self.at(precision)
            with torch.inference_mode(), self._cast(precision):
                last[:] = [compute()]

        return Entrant(call, self.wait, lambda: last[0].float().cpu().numpy())

    def _cast(self, precision: str) -> Any:
        bf16 = precision == "medium"
        return self.torch.autocast("cuda", self.torch.bfloat16, enabled=bf16)

    def wait(self) -> None:
        """Return when the GPU is done."""
        self.torch.cuda.synchronize(self.device)

    def put(self, array: np.ndarray) -> Any:
        """Copy to the GPU."""
        return self.torch.from_numpy(np.array(array)).to(self.device)

    def operation(self, case: Case) -> Call | None:
        """The same as `case` computes; None for ops it has no one function for."""
        torch, functional = self.torch, self.torch.nn.functional
        x, *others = [self.put(a) for a in case.inputs()]
        attrs = case.attrs
        if case.op in ("conv2d", "depthwise_conv2d"):
            strides, kernel = attrs.get("strides", 1), case.shapes[1][0]
            depthwise = case.op == "depthwise_conv2d"
            w = others[0].permute((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
            # As "same" has it, and before the clock runs: padding of two sides alone costs a copy.
            around = same_padding(case.shapes[0][1], kernel, strides)
            x = functional.pad(x.permute(0, 3, 1, 2), around * 2)
            x, w = (t.contiguous(memory_format=torch.channels_last) for t in (x, w))
            activate = {"relu": functional.relu_, "relu6": functional.relu6}.get(
                attrs.get("activation"), lambda t: t
            )
            groups = x.shape[1] if depthwise else 1
            bias = others[1] if len(others) > 1 else None
            return lambda: activate(functional.conv2d(x, w, bias, strides, groups=groups)).permute(
                0, 2, 3, 1
            )
        if case.op == "dense":
            turned = others[0].T.contiguous()
            bias = others[1] if len(others) > 1 else None
            return lambda: functional.linear(x, turned, bias)
        if case.op == "gram_matrix":
            rows = x.reshape(x.shape[0], -1, x.shape[-1])
            return lambda: torch.matmul(rows.transpose(1, 2), rows)
        if case.op == "cdist" and attrs.get("metric", "euclidean") == "euclidean":
            return lambda: torch.cdist(x, others[0])
        if case.op == "nearest":
            return lambda: torch.cdist(x, others[0]).topk(attrs["k"], largest=False).values
        return None

    def array_function(self, case: array_cases.Case) -> Call | None:
        """One of `benchmarks.arrays`."""
        values = [self.put(a) for a in case.arrays()]
        if case.function == "nms":
            try:
                import torchvision
            except ImportError:
                return None
            return lambda: torchvision.ops.nms(*values, array_cases.IOU_THRESHOLD)
        if case.function == "nearest":
            most = array_cases.NEIGHBOURS
            return lambda: self.torch.cdist(*values).topk(most, largest=False).values
        return lambda: self.torch.matmul(values[0].transpose(1, 2), values[0])

    def network(self, name: str, batch: int, size: int) -> Call:
        """The same network, channels last."""
        from benchmarks.networks import record
        from benchmarks.torch_network import TorchNetwork

        tape = record(NETWORKS[name].model(size), (batch, size, size, 3))
        last = self.torch.channels_last
        module = TorchNetwork(tape).eval().to(self.device).to(memory_format=last)
        x = self.put(picture(batch, size).transpose(0, 3, 1, 2)).contiguous(memory_format=last)
        return lambda: module(x)

    def training(self, job: Job, precision: str) -> Entrant:
        """A step of the same network, channels last; its output is the loss of the first."""
        from benchmarks.networks import record
        from benchmarks.torch_network import TorchNetwork

        torch, last = self.torch, self.torch.channels_last
        tape = record(training_model(job.network, job.size, None), job.picture().shape)
        network = TorchNetwork(tape, fold=False, trainable=True).train().to(self.device)
        network = network.to(memory_format=last)
        optimizer = torch.optim.SGD(
            network.parameters(), LEARNING_RATE, momentum=MOMENTUM, fused=True
        )
        x, labels = batch_of(job)
        pictures, y = torch.from_numpy(x.transpose(0, 3, 1, 2)), torch.from_numpy(labels)
        losses: list[Any] = []

        def call() -> None:
            self.at(precision)
            optimizer.zero_grad(set_to_none=True)
            with self._cast(precision):
                logits = network(pictures.to(self.device, memory_format=last))
            loss = torch.nn.functional.cross_entropy(logits.float(), y.to(self.device))
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            del losses[1:]

        return Entrant(call, self.wait, lambda: losses[0].reshape(1).cpu().numpy())

    def peaks(self, seconds: float) -> Peaks:
        """Products of large matrices and a copy of memory."""
        torch, n = self.torch, 8192
        a = torch.ones((n, n), device=self.device)
        half = a.bfloat16()
        self.at("highest")
        flop, nbytes = 2 * n**3 / 1e9, 2 * a.nbytes / 1e9
        b = torch.empty_like(a)
        return Peaks(
            flop / _seconds(lambda: a @ a, self.wait, seconds),
            flop / _seconds(lambda: half @ half, self.wait, seconds),
            nbytes / _seconds(lambda: b.copy_(a), self.wait, seconds),
        )


class Cupy:
    """CuPy on a GPU: only in float32, and only what it has a function for."""

    name = "cupy"

    def __init__(self, index: int) -> None:
        import cupy

        if cupy.cuda.runtime.getDeviceCount() <= index:
            raise ImportError("cupy has no such GPU")
        cupy.cuda.Device(index).use()
        self.cupy = cupy

    def entrant(self, compute: Call, precision: str) -> Entrant | None:
        """Run `compute`; None below float32."""
        if precision != "highest":
            return None
        last: list[Any] = []

        def call() -> None:
            last[:] = [compute()]

        return Entrant(call, self.wait, lambda: self.cupy.asnumpy(last[0]))

    def wait(self) -> None:
        """Return when the GPU is done."""
        self.cupy.cuda.get_current_stream().synchronize()

    def operation(self, case: Case) -> Call | None:
        """The same as `case` computes."""
        if case.op not in ("dense", "gram_matrix"):
            return None
        x, *others = [self.cupy.asarray(a) for a in case.inputs()]
        if case.op == "dense":
            return lambda: x @ others[0] + (others[1] if len(others) > 1 else 0)
        rows = x.reshape(x.shape[0], -1, x.shape[-1])
        return lambda: rows.transpose(0, 2, 1) @ rows

    def array_function(self, case: array_cases.Case) -> Call | None:
        """One of `benchmarks.arrays`."""
        if case.function == "nms":
            return None
        values = [self.cupy.asarray(a) for a in case.arrays()]
        if case.function == "gram_matrix":
            return lambda: values[0].transpose(0, 2, 1) @ values[0]
        queries, gallery = values
        squares, most = (gallery * gallery).sum(1), array_cases.NEIGHBOURS
        own_squares = (queries * queries).sum(1, keepdims=True)

        def nearest() -> Any:
            distances = squares - 2 * (queries @ gallery.T)
            smallest = self.cupy.sort(self.cupy.partition(distances, most, axis=1)[:, :most], 1)
            return self.cupy.sqrt(self.cupy.maximum(smallest + own_squares, 0))

        return nearest

    def network(self, name: str, batch: int, size: int) -> None:
        """It has none."""

    def training(self, job: Job, precision: str) -> None:
        """Nor does it train any."""

    def peaks(self, seconds: float) -> Peaks:
        """A product of large matrices and a copy of memory."""
        n = 8192
        a = self.cupy.ones((n, n), np.float32)
        b = self.cupy.empty_like(a)
        return Peaks(
            2 * n**3 / 1e9 / _seconds(lambda: a @ a, self.wait, seconds),
            0.0,
            2 * a.nbytes / 1e9 / _seconds(lambda: self.cupy.copyto(b, a), self.wait, seconds),
        )


def _seconds(call: Call, wait: Call, seconds: float) -> float:
    return min(gpu_burst(call, wait, seconds)) / 1e9


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Rows before and after a picture for the padding "same".

    Examples
    --------
    >>> same_padding(224, 7, 2), same_padding(56, 3, 1)
    ((2, 3), (1, 1))
    """
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def find_peers(index: int, wanted: Sequence[str] = ("torch", "cupy")) -> list[Any]:
    """Those that are installed and see the GPU."""
    found: list[Any] = []
    for kind in (Torch, Cupy):
        if kind.name in wanted:
            try:
                found.append(kind(index))
            except ImportError as error:
                print(f"{kind.name}: left out ({error})")
    return found


# ---- measuring ---------------------------------------------------------------------------------


def best(peaks: Sequence[Peaks]) -> Peaks:
    """Of what several measured, the most of each."""
    return Peaks(
        *(max((getattr(p, f) for p in peaks), default=0.0) for f in ("fma", "tensor", "memory"))
    )


def measure(
    suite: str,
    case: str,
    precision: str,
    entrants: Mapping[str, Entrant],
    peaks: Peaks,
    seconds: float,
    results: Results,
) -> list[dict[str, Any]]:
    """Let everyone take turns on a problem; write and return the lines, fastcnn's rows first.

    Fastcnn's rows are those that tell what they cost. `ratios` are the peers' times over theirs;
    `error` compares with the last entrant, over its largest magnitude.
    """
    length = seconds / (4 * len(entrants))
    bursts = {n: (lambda e=e: gpu_burst(e.call, e.wait, length)) for n, e in entrants.items()}
    times: dict[str, Summary] = take_turns(bursts, seconds)
    expected = list(entrants.values())[-1].output().astype(np.float64)
    peers = [n for n, e in entrants.items() if not e.work]
    lines = []
    for name, entrant in entrants.items():
        own = times[name].min_ms
        least = peaks.least_ms(entrant.work, precision)
        lines.append(
            results.add(
                "gpu",
                suite=suite,
                case=case,
                runtime=name,
                precision=entrant.precision or precision,
                min_ms=round(own, 5),
                median_ms=round(times[name].median_ms, 5),
                calls=times[name].calls,
                gflop=sum(w.gflop for w in entrant.work),
                gbyte=sum(w.gbyte for w in entrant.work),
                bound=peaks.bound(entrant.work, precision) if entrant.work else "",
                share_of_roofline=round(least / own, 3) if least else None,
                error=difference(entrant.output(), expected),
                ratios={p: round(times[p].min_ms / own, 3) for p in peers} if entrant.work else {},
            )
        )
    return lines


def difference(actual: np.ndarray, expected: np.ndarray) -> float | None:
    """The largest difference over the largest magnitude; None for results of other shapes."""
    if actual.size != expected.size or not expected.size:
        return None
    largest = float(np.abs(expected).max())
    apart = np.abs(actual.reshape(-1).astype(np.float64) - expected.reshape(-1)).max()
    return float(apart) / largest if largest else float(apart)


def drawn(lines: Sequence[dict[str, Any]]) -> str:
    """The lines of one problem as a table."""
    peers = sorted({name for line in lines for name in line["ratios"]})
    title = f"{lines[0]['suite']} {lines[0]['case']}"
    header = [title, "min us", "median us", "GFLOP/s", "GB/s", "of roofline", "bound", "error"]
    rows = []
    for line in lines:
        ms = line["min_ms"] or float("nan")
        rows.append(
            [
                f"{line['runtime']} ({line['precision']})",
                significant(line["min_ms"] * 1e3),
                significant(line["median_ms"] * 1e3),
                significant(line["gflop"] / ms * 1e3),
                significant(line["gbyte"] / ms * 1e3),
                significant(line["share_of_roofline"]),
                line["bound"] or "-",
                significant(line["error"], 2),
                *(significant(line["ratios"].get(p)) for p in peers),
            ]
        )
    return table([*header, *(f"{p}/this" for p in peers)], rows)


# ---- the suites --------------------------------------------------------------------------------


def _join(
    found: dict[str, Entrant], peers: Sequence[Any], level: str, make: Callable[..., Any]
) -> None:
    for peer in peers:
        compute = make(peer)
        entrant = peer.entrant(compute, level) if compute is not None else None
        if entrant is not None:
            found[peer.name] = entrant


def _kernels(options: argparse.Namespace, level: str, peers: Sequence[Any]) -> Any:
    for case in all_cases():
        if options.op not in ("", case.op) or options.filter not in case.id:
            continue
        found = {}
        for kernel in kernel_rows(case.op):
            if kernel.endswith("_cuda"):
                entrant = of_kernel(kernel, case, options.index, level)
                if entrant is not None:
                    found[kernel] = entrant
        if found:
            _join(found, peers, level, lambda peer, case=case: peer.operation(case))
            yield f"{case.op} {case.id}", found


def _arrays(options: argparse.Namespace, level: str, peers: Sequence[Any]) -> Any:
    attrs = {
        "nms": {"iou_threshold": array_cases.IOU_THRESHOLD},
        "nearest": {"k": array_cases.NEIGHBOURS},
        "gram_matrix": {},
    }
    for case in array_cases.CASES:
        if options.op not in ("", case.function) or options.filter not in str(case):
            continue
        values = case.arrays()
        graph = _C.Graph()
        operands = [graph.input(a.shape, a.dtype.name) for a in values]
        graph.set_outputs(graph.add(case.function, operands, attrs[case.function]))
        plan = _C.compile(graph, precision=level, device=f"cuda:{options.index}")
        found = {"fastcnn": of_plan(plan, values, options.index, level)}
        _join(found, peers, level, lambda peer, case=case: peer.array_function(case))
        yield f"{case.function} {case}", found


def _models(options: argparse.Namespace, level: str, peers: Sequence[Any]) -> Any:
    for name, network in NETWORKS.items():
        if options.op or options.filter not in name:
            continue
        for batch in options.batches:
            model = network.model(None, level).to(f"cuda:{options.index}")
            pictures = picture(batch, network.size)
            plan = model.plan(pictures.shape)._plan
            found = {"fastcnn": of_plan(plan, [pictures], options.index, level)}

            def make(peer: Any, name: str = name, batch: int = batch) -> Any:
                return peer.network(name, batch, NETWORKS[name].size)

            _join(found, peers, level, make)
            yield f"{name} batch {batch}", found


def _training(options: argparse.Namespace, level: str, peers: Sequence[Any]) -> Any:
    """Steps that begin with a batch in the host's memory, each network's as on the CPU."""
    for name, batch in BATCH.items():
        if options.op or options.filter not in name:
            continue
        job = Job(name, batch, 1, precision=level)
        found = {"fastcnn": of_training(job, options.index)}
        steps = {peer.name: peer.training(job, level) for peer in peers}
        found.update((peer, step) for peer, step in steps.items() if step is not None)
        yield f"{name} batch {batch}", found


_SUITES = {"kernels": _kernels, "arrays": _arrays, "models": _models, "training": _training}


def main(arguments: Sequence[str] | None = None) -> Results:
    """Run the suites; exit code 2 without a GPU."""
    options = _parse(arguments)
    if cuda.device_count() <= options.index:
        print(f"no GPU that this build of fastcnn can use: {why_not()}")
        raise SystemExit(2)
    peers = find_peers(options.index, options.peers)
    peaks = best([peer.peaks(options.seconds) for peer in peers])
    results = Results("wall", options.seconds, None if options.dry else options.folder)
    results.add(
        "device",
        name=cuda.get_device_name(options.index),
        capability=".".join(map(str, cuda.get_device_capability(options.index))),
        memory_gb=round(cuda.mem_get_info(options.index)[1] / 1e9, 1),
        fma_gflops=round(peaks.fma, 1),
        tensor_gflops=round(peaks.tensor, 1),
        memory_gbytes=round(peaks.memory, 1),
    )
    print(results.lines[-1])
    for suite in options.suites:
        for level in options.precision:
            try:
                for case, entrants in _SUITES[suite](options, level, peers):
                    lines = measure(suite, case, level, entrants, peaks, options.seconds, results)
                    print(f"\n{drawn(lines)}", flush=True)
            except FastcnnError as error:  # the others go on
                print(f"{suite} at {level}: {error}")
    return results


def why_not() -> str:
    """Why there is no GPU."""
    try:
        cuda.load()
        return "no such device" if _C.device_count() else "no device"
    except fc.errors.ConfigError as error:
        return str(error)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description="Time fastcnn and its peers on a GPU."
    )

    def names(known: Sequence[str]) -> Callable[[str], list[str]]:
        def parse(text: str) -> list[str]:
            wrong = set(text.split(",")) - set(known)
            if wrong:
                raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}, got {text}")
            return text.split(",")

        return parse

    add = parser.add_argument
    add("--suites", type=names(SUITES), default=list(SUITES))
    add("--precision", type=names(LEVELS), default=["highest", "medium"])
    add("--peers", type=names(("torch", "cupy")), default=["torch", "cupy"])
    add("--op", default="", help="only this op or function")
    add("--filter", default="", help="only cases or networks whose name contains this")
    add("--batches", type=lambda t: [int(n) for n in t.split(",")], default=[1, 32])
    add("--index", type=int, default=0, help="of the GPU")
    add("--seconds", type=float, default=0.5, help="for each problem")
    add("--folder", type=Path, default=FOLDER, help="of the results")
    add("--dry", action="store_true", help="write no results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
