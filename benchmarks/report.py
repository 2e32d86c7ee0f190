"""Turns the newest results into the table between README's two markers.

python -m benchmarks.report            # fill README.md
python -m benchmarks.report --print    # only show the table
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.results import load, newest, significant

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"
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
    """The table of a file of results: of what was measured twice, the later counts."""
    runs = {line["run"]: line for line in lines if line["kind"] == "run"}
    latest = {
        tuple(line[k] for k in ("network", "batch", "threads", "isa", "precision")): line
        for line in lines
        if line["kind"] == "model" and line["runtime"] == "fastcnn"
    }
    if not latest:
        return "No results."
    rows = sorted(
        latest.values(),
        key=lambda r: (
            list(_NETWORKS).index(r["network"]) if r["network"] in _NETWORKS else len(_NETWORKS),
            r["batch"], r["threads"], r["precision"] != "highest", r["isa"],
        ),
    )  # fmt: skip
    peers = [p for p in _NAMES if any(p in row["ratios"] for row in rows)]
    header = [
        "network", "batch", "threads", "kernels", "precision", "ms",
        *(f"{_NAMES[p]} / fastcnn" for p in peers), "of FMA peak", "error",
    ]  # fmt: skip
    table = [header, ["---"] * 2 + ["--:"] + ["---"] * 2 + ["--:"] * (len(header) - 5)]
    for row in rows:
        table.append(
            [
                f"{_NETWORKS.get(row['network'], row['network'])} {row['size']}",
                str(row["batch"]),
                str(row["threads"]),
                row["isa"],
                row["precision"],
                significant(row["min_ms"]),
                *(_ratio(row["ratios"].get(p)) for p in peers),
                f"{row['share_of_fma']:.0%}" if row["share_of_fma"] else "-",
                significant(row["error"], 2),
            ]
        )
    drawn = "\n".join("| " + " | ".join(cells) + " |" for cells in table)
    return f"{drawn}\n\n{_footer(runs[rows[-1]['run']], peers)}"


def _ratio(value: float | None) -> str:
    if value is None:
        return "-"
    return f"**{value:.2f}**" if value > 1 else f"{value:.2f}"


def _footer(run: dict[str, Any], peers: Sequence[str]) -> str:
    machine, versions = run["machine"], run["versions"]
    named = ", ".join(f"{_NAMES[p]} {versions[p]}" for p in peers if p in versions)
    cache = ", ".join(f"{k} {v / 2**20:.3g} MiB" for k, v in machine["caches"].items())
    return (
        f"Fastest of all calls, taking turns in one run; a ratio above 1: fastcnn is faster. Peers "
        f"compute in float32: {named or 'none'}. Error: largest difference from float64 over the "
        f"largest output. {machine['cpu']}, {machine['cpus']} CPUs, {cache}; {run['date'][:10]}, "
        f"commit {run['commit'] or 'unknown'}."
    )


def fill(readme: str, table: str) -> str:
    """README with the table between its markers.

    Examples
    --------
    >>> fill(f"a {BEGIN} old {END} z", "new").split()
    ['a', '<!--', 'benchmarks:begin', '-->', 'new', '<!--', 'benchmarks:end', '-->', 'z']
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md: expected the markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill README.md, or print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report", description="Fill README's table."
    )
    parser.add_argument("file", type=Path, nargs="?", help="results; the newest unless given")
    parser.add_argument("--print", action="store_true", dest="only_print")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    path = options.file or newest()
    if path is None:
        raise SystemExit("no results: run python -m benchmarks.models first")
    table = markdown(load(path))
    if options.only_print:
        print(table)
    else:
        options.readme.write_text(fill(options.readme.read_text(), table))


if __name__ == "__main__":
    main()
