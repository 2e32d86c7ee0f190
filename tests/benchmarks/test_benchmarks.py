"""The benchmarks run, agree with their peers and write what they document. Nothing is timed."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.cases import all_cases
from benchmarks.networks import NETWORKS, Network, picture, record, unet
from benchmarks.results import FIELDS, load, newest, significant, table
from benchmarks.runtimes import RUNTIMES, Job
from benchmarks.timing import pick_cpus, take_turns

import fastcnn as fc
from benchmarks import compare, kernels, models, peaks, profiles, report

QUICK = {"resnet50": 32, "vgg19": 32, "mobilenetv2": 32, "unet256": 16, "yolov2": 32} | {
    "inceptionresnetv1": 80
}


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("peer", ["torch", "onnxruntime", "openvino"])
def test_peers_compute_the_same_network(name: str, peer: str) -> None:
    if not installed(peer) or not installed("onnx"):
        pytest.skip(f"needs {peer} and onnx")
    job = Job(name, 1, 1, QUICK[name], compile_limit=0)
    ours, theirs = RUNTIMES["fastcnn"](job), RUNTIMES[peer](job)
    for runtime in (ours, theirs):
        runtime.call()
    expected = theirs.output()
    assert np.abs(ours.output() - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A network of a few layers, under a name of its own; for suites within this process only."""
    monkeypatch.setitem(
        NETWORKS, "unet256", Network("unet256", 16, lambda size: unet(size, 4, 3, 1))
    )
    return "unet256"


def test_models_write_the_documented_lines(tmp_path: Path) -> None:
    peers = [p for p in ("onnxruntime", "torch") if installed(p) and installed("onnx")]
    settings = "--models mobilenetv2 --size 32 --threads 1 --seconds 0.1 --compile-limit 0"
    models.main([*settings.split(), "--peers", ",".join(peers), "--folder", str(tmp_path)])
    path = newest(tmp_path)
    assert path is not None
    run, *lines = load(path)
    assert set(run) == set(FIELDS["run"])
    assert {line["runtime"] for line in lines} == {"fastcnn", *peers}
    for line in lines:
        assert set(line) == set(FIELDS["model"])
        assert line["run"] == run["run"]
        assert 0 < line["min_ms"] <= line["median_ms"]
        if installed("torch"):
            assert line["error"] < 1e-4
    ours = lines[0]
    assert ours["runtime"] == "fastcnn"
    assert set(ours["ratios"]) == set(peers)
    drawn = report.markdown([run, *lines])
    if peers:
        _, _, head, _, row, *_ = drawn.splitlines()
        assert "| MobileNetV2 |" in head
        assert row.startswith(f"| highest | {ours['isa']} | 1 | 1 | ")
        assert f"{min(ours['ratios'].values()):.2f}" in row


def test_kernels_write_the_documented_lines(tmp_path: Path) -> None:
    affinity, threads = os.sched_getaffinity(0), fc.get_num_threads()
    kernels.main(
        ["--op", "max_pool2d", "--filter", "14x14", "--seconds", "0.02", "--folder", str(tmp_path)]
    )
    assert (os.sched_getaffinity(0), fc.get_num_threads()) == (affinity, threads)
    (path,) = tmp_path.iterdir()
    run, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert set(run) == set(FIELDS["run"])
    for line in lines:
        assert set(line) == set(FIELDS["kernel"])
        assert line["op"] == "max_pool2d"


def test_profile_shows_every_step(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    runtime = RUNTIMES["fastcnn"](Job(tiny, 1, 1))
    (steps,) = runtime.profile(1)
    text = profiles._drawn(steps, {"peer": [{"name": steps[0]["name"], "ns": 5}]}, 1.0)
    assert len(text.splitlines()) == len(steps) + 3


def test_all_cases_are_problems_of_existing_rooms() -> None:
    cases = all_cases()
    assert len({(c.op, c.id) for c in cases}) == len(cases)
    assert {"conv2d", "depthwise_conv2d", "dense", "max_pool2d"} <= {c.op for c in cases}


def test_a_tape_has_every_weight_and_shape() -> None:
    model = NETWORKS["mobilenetv2"].model(32)
    tape = record(model, (2, 32, 32, 3))
    assert sum(a.size for a in tape.arrays.values()) == sum(np.prod(w.shape) for w in model.weights)
    assert tape.shapes[tape.output] == (2, 1000)


def test_networks_are_the_same_in_every_process() -> None:
    a, b = (NETWORKS["mobilenetv2"].model(32) for _ in range(2))
    x = picture(1, 32)
    np.testing.assert_array_equal(a.predict(x), b.predict(x))


def test_peaks_are_positive_where_there_is_a_compiler() -> None:
    measured = peaks.measure(1, 0.001)
    if peaks._library() is None:
        pytest.skip("no compiler, or not x86-64")
    assert measured["fma"] > 0
    assert all(measured[level] > 0 for level in peaks.levels())


def test_turns_rotate_and_everyone_is_timed() -> None:
    order: list[str] = []

    def entrant(name: str) -> Any:
        return lambda: order.append(name) or [len(order)]

    times = take_turns({n: entrant(n) for n in "abc"}, 0.0)
    assert order == list("abcbca")
    assert {name: t.calls for name, t in times.items()} == dict.fromkeys("abc", 2)


def test_pick_cpus_refuses_more_than_there_are() -> None:
    with pytest.raises(SystemExit, match="threads asked for"):
        pick_cpus(100_000)


def test_report_fills_between_the_markers_only(tmp_path: Path) -> None:
    text = f"head\n{report.BEGIN}\nold\n{report.END}\ntail\n"
    filled = report.fill(text, "new")
    assert filled == text.replace("old", "new")
    with pytest.raises(SystemExit, match="expected the markers"):
        report.fill("none", "new")
    assert report.markdown([]) == report.training_markdown([]) == report.arrays_markdown([]) == ""


def test_report_compares_the_latest_times_of_functions_on_arrays() -> None:
    machine = {"cpu": "c", "isa": "avx2", "cpus": 2, "caches": {}}
    run = {"kind": "run", "run": "1", "machine": machine, "date": "2026-01-01T", "commit": "a"}

    def line(runtime: str, ms: float) -> dict[str, Any]:
        kind = {"kind": "array", "run": "1", "function": "nearest", "case": "1x9x3", "threads": 2}
        return {**kind, "runtime": runtime, "min_ms": ms}

    lines = [line("numpy", 9.0), line("numpy", 6.0), line("fastcnn", 2.0)]
    drawn = report.arrays_markdown([run, *lines, line("fastcnn codes", 8.0)])
    assert "| `nearest` | 1x9x3 | 2 | 2 | **3.00** | - | - |" in drawn
    assert "| `nearest` by codes | 1x9x3 | 2 | 8 | 0.75 | - | - |" in drawn


def test_compare_refuses_a_commit_there_is_not() -> None:
    with pytest.raises(SystemExit, match="rev-parse"):
        compare.build("no-such-commit")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "0.123"), (1234.5, "1234"), (None, "-"), (0.0, "-"), (2.5e-7, "2.50e-07")],
)
def test_numbers_have_three_digits(value: float | None, shown: str) -> None:
    assert significant(value) == shown


def test_tables_align_numbers_to_the_right() -> None:
    assert table(["a", "n"], [["bb", "1"]]).splitlines() == ["a   n", "-----", "bb  1"]
