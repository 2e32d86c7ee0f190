"""Turns the newest results of each machine into the tables between README's markers.

python -m benchmarks.report            # fill README.md
python -m benchmarks.report --print    # only show the table
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.results import load, newest_of_machines, significant

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"
TRAINING_BEGIN, TRAINING_END = "<!-- training:begin -->", "<!-- training:end -->"
ARRAYS_BEGIN, ARRAYS_END = "<!-- arrays:begin -->", "<!-- arrays:end -->"
_NAMES = {
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "openvino_bf16": "OpenVINO bf16",
}
_NETWORKS = {
    "resnet50": "ResNet-50", "vgg19": "VGG-19", "mobilenetv2": "MobileNetV2",
    "unet256": "U-Net", "yolov2": "YOLOv2", "inceptionresnetv1": "Inception-ResNet-v1",
}  # fmt: skip


def markdown(lines: Sequence[dict[str, Any]]) -> str:
    """The table of a file of results: of what was measured twice, the later counts.

    A row is a level of precision, the best kernels allowed, a batch and a number of threads; a
    column is a network. A cell is the time of the fastest peer over that of fastcnn.
    """
    runs = {line["run"]: line for line in lines if line["kind"] == "run"}
    ratios: dict[tuple[Any, ...], dict[str, float]] = {}
    errors: dict[tuple[Any, ...], list[float]] = {}
    last, peers = "", set()
    for line in lines:
        if line["kind"] == "model" and line["runtime"] == "fastcnn" and line["ratios"]:
            level = line["precision"], line["isa"]
            key = *level, line["batch"], line["threads"]
            against = _peers_of(line)
            ratios.setdefault(key, {})[line["network"]] = min(against.values())
            errors.setdefault(level, []).append(line["error"] or 0.0)
            last, peers = line["run"], peers | set(against)
    if not ratios:
        return ""
    order = ("highest", "high", "medium", "int8")
    keys = sorted(ratios, key=lambda k: (order.index(k[0]), k[1] == "avx2", k[1], k[2], k[3]))
    networks = [n for n in _NETWORKS if any(n in row for row in ratios.values())]
    header = ["precision", "kernels", "batch", "threads", *(_NETWORKS[n] for n in networks)]
    table = [[*header, "geometric mean", "error"], ["---"] * 2 + ["--:"] * (len(networks) + 4)]
    for key in keys:
        row = ratios[key]
        cells = [_ratio(row.get(n)) for n in networks]
        mean = _ratio(statistics.geometric_mean(row.values())) if len(row) > 1 else "-"
        table.append([*map(str, key), *cells, mean, significant(max(errors[key[:2]]), 2)])
    run = runs[last]
    return f"{_heading(runs, last)}\n\n{_drawn(table)}\n\n{_footer(run, sorted(peers))}"


def training_markdown(lines: Sequence[dict[str, Any]]) -> str:
    """The table of steps of training: of what was measured twice, the later counts."""
    found: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
    memory: dict[tuple[str, str], float] = {}
    runs = {line["run"]: line for line in lines if line["kind"] == "run"}
    last = ""
    for line in lines:
        if line["kind"] != "training":
            continue
        precise = line["precision"] if line["runtime"] == "fastcnn_training" else line["runtime"]
        memory[precise, line["network"]] = line["mib"]
        if line["ratios"]:
            found.setdefault((line["precision"], line["threads"]), {})[line["network"]] = line
            last = line["run"]
    if not found:
        return ""
    names = {**_NETWORKS, "convnet": "ConvNet"}
    networks = [n for n in names if any(n in row for row in found.values())]
    header = ["precision", "threads", *(names[n] for n in networks), "geometric mean"]
    table = [header, ["---", "--:", *["--:"] * (len(networks) + 1)]]
    order = ("highest", "high", "medium")
    for key in sorted(found, key=lambda k: (order.index(k[0]), k[1])):
        ratios = {}
        for network, line in found[key].items():
            peer = "torch_bf16_training" if key[0] == "medium" else "torch_training"
            ratios[network] = line["ratios"][peer if peer in line["ratios"] else "torch_training"]
        cells = [_ratio(ratios.get(n)) for n in networks]
        mean = _ratio(statistics.geometric_mean(ratios.values())) if len(ratios) > 1 else "-"
        table.append([key[0], str(key[1]), *cells, mean])
    shares = [
        f"{names[n]} {memory['highest', n]:.0f} of {memory['torch_training', n]:.0f} MiB"
        for n in networks
        if ("highest", n) in memory and ("torch_training", n) in memory
    ]
    run = runs[last]
    return (
        f"{_heading(runs, last)}\n\n{_drawn(table)}\n\nTime of PyTorch's step over that "
        f"of fastcnn - forward, cross-entropy, backward, SGD with momentum - taking turns in one "
        f"run; PyTorch "
        f"{run['versions'].get('torch', '')} in float32, at medium under autocast to bf16. Most "
        f"memory beyond that of a process that trains nothing, at highest beside PyTorch's in "
        f"float32: {', '.join(shares)}. "
        f"{run['date'][:10]}, commit {run['commit'] or 'unknown'}."
    )


def arrays_markdown(lines: Sequence[dict[str, Any]]) -> str:
    """The table of functions on arrays: of what was measured twice, the later counts."""
    runs = {line["run"]: line for line in lines if line["kind"] == "run"}
    times: dict[tuple[str, str, int], dict[str, float]] = {}
    last = ""
    for line in lines:
        if line["kind"] == "array":
            of_case = times.setdefault((line["function"], line["case"], line["threads"]), {})
            of_case[line["runtime"]] = line["min_ms"]
            last = line["run"]
    if not times:
        return ""
    peers = ("numpy", "torch", "faiss")
    table = [
        ["function", "sizes", "threads", "ms", "NumPy", "torch, torchvision", "faiss"],
        ["---", "---", *["--:"] * 5],
    ]
    order = ("nms", "nearest", "gram_matrix")
    for (function, case, threads), found in sorted(
        times.items(), key=lambda item: (order.index(item[0][0]), item[0][2])
    ):
        for runtime in ("fastcnn", "fastcnn codes"):
            if runtime in found:
                own = found[runtime]
                name = f"`{function}`" + runtime.removeprefix("fastcnn").replace(" ", " by ")
                ratios = [_ratio(found[p] / own if p in found else None) for p in peers]
                table.append([name, case, str(threads), significant(own), *ratios])
    run = runs[last]
    return (
        f"{_heading(runs, last)}\n\n{_drawn(table)}\n\nTime of fastcnn, the fastest of all calls, "
        f"and that of its peers over it, taking turns in one run: boxes; queries x rows x columns, "
        f"the ten nearest in float32; channels x pixels. {run['date'][:10]}, commit "
        f"{run['commit'] or 'unknown'}."
    )


def _peers_of(line: dict[str, Any]) -> dict[str, float]:
    """The peers that count: in bf16 at the level medium, where there are such."""
    found: dict[str, float] = line["ratios"]
    bf16 = {name: ratio for name, ratio in found.items() if name.endswith("_bf16")}
    return bf16 if line["precision"] == "medium" and bf16 else found


def _ratio(value: float | None) -> str:
    if value is None:
        return "-"
    return f"**{value:.2f}**" if value > 1 else f"{value:.2f}"


def _drawn(table: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table)


def _heading(runs: Mapping[str, dict[str, Any]], last: str) -> str:
    machine = runs[last]["machine"]
    cpus = max(run["machine"]["cpus"] for run in runs.values())  # some runs are held to one
    cache = ", ".join(f"{k} {v / 2**20:.3g} MiB" for k, v in machine["caches"].items())
    return f"{machine['cpu']} ({machine['isa']}), {cpus} CPUs, {cache}:"


def _footer(run: dict[str, Any], peers: Sequence[str]) -> str:
    versions = run["versions"]
    packages = sorted({p.removesuffix("_bf16") for p in peers} & set(versions))
    named = ", ".join(f"{_NAMES[p]} {versions[p]}" for p in packages)
    return (
        f"Time of the fastest peer over that of fastcnn, the fastest of all calls of each, taking "
        f"turns in one run: above 1, fastcnn is faster. Peers: {named or 'none'}; in float32, but "
        f"bf16 at medium and 8-bit codes at int8; held to AVX2 where fastcnn is. Error: the "
        f"largest difference from float64 over the largest output, of all networks. "
        f"{run['date'][:10]}, commit {run['commit'] or 'unknown'}."
    )


def fill(readme: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """README with the table between two markers.

    Examples
    --------
    >>> fill(f"a {BEGIN} old {END} z", "new").split()
    ['a', '<!--', 'benchmarks:begin', '-->', 'new', '<!--', 'benchmarks:end', '-->', 'z']
    """
    before, found_begin, rest = readme.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise SystemExit(f"README.md: expected the markers {begin} and {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill README.md, or print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report", description="Fill README's tables."
    )
    parser.add_argument("files", type=Path, nargs="*", help="results; else each machine's newest")
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    files = options.files or newest_of_machines()
    if not files:
        raise SystemExit("no results: run python -m benchmarks.models first")
    machines = [load(path) for path in files]
    tables = [
        "\n\n".join(filter(None, map(draw, machines))) or "No results."
        for draw in (markdown, training_markdown, arrays_markdown)
    ]
    if options.only_print:
        print("\n\n".join(tables))
        return
    text = options.readme.read_text()
    markers = ((BEGIN, END), (TRAINING_BEGIN, TRAINING_END), (ARRAYS_BEGIN, ARRAYS_END))
    for table, (begin, end) in zip(tables, markers, strict=True):
        text = fill(text, table, begin, end)
    options.readme.write_text(text)


if __name__ == "__main__":
    main()
