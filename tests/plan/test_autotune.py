"""Choice of kernels by measurement: among the rows allowed, reproducible from what was saved."""

import json
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ConfigError, FileFormatError, MissingFileError
from tests.plan.builder import Net

needs_rows = pytest.mark.skipif(_C.max_isa() in ("ref", "avx2"), reason="one row, no choice")


def small_model() -> fc.Model:
    return fc.Sequential(
        [fc.Input((12, 12, 16)), fc.layers.Conv2D(32, 3), fc.layers.Conv2D(8, 1, activation="relu")]
    )


def kernels_of(model: fc.Model) -> list[str]:
    return [step["kernel"] for step in model.plan((1, 12, 12, 16)).steps]


def turned_around(timings: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Times that make the last of each problem's rows the fastest."""
    order = [row["name"] for row in _C.kernels()]
    return {
        problem: {k: 10**6 >> n for n, k in enumerate(sorted(times, key=order.index))}
        for problem, times in timings.items()
    }


@needs_rows
def test_rows_that_may_compute_a_step_are_measured_once() -> None:
    timings = fc.TimingCache()
    model = small_model()
    with fc.set_autotune(timings):
        chosen = kernels_of(model)
    measured = timings.timings
    assert len(measured) == 2
    for times in measured.values():
        assert all(name.startswith("conv2d") and "ref" not in name for name in times)
        assert any(times.get(kernel, np.inf) <= 1.02 * min(times.values()) for kernel in chosen)
    with fc.set_autotune(timings):
        assert kernels_of(small_model()) == chosen
    assert timings.timings == measured


@needs_rows
def test_the_choice_is_that_of_the_times_saved(tmp_path: Path) -> None:
    timings = fc.TimingCache()
    model = small_model()
    usual = kernels_of(model)
    with fc.set_autotune(timings):
        kernels_of(model)
    timings.save(tmp_path / "times.json")
    content = json.loads((tmp_path / "times.json").read_text())
    machines = content["machines"]
    machines[_C.cpu_model()] = turned_around(machines[_C.cpu_model()])
    machines["another"] = {"problem": {"kernel": 1}}
    (tmp_path / "times.json").write_text(json.dumps(content))

    forged = fc.TimingCache.load(tmp_path / "times.json")
    with fc.set_autotune(forged):
        tuned = kernels_of(model)
        steps = model.plan((1, 12, 12, 16)).steps
    slowest = [min(times, key=times.__getitem__) for times in forged.timings.values()]
    assert sorted(tuned) == sorted(slowest)
    if len(next(iter(forged.timings.values()))) > 1:
        assert tuned != usual
        assert "measured slower" in {reason for _, reason in steps[0]["declined"]}
    assert kernels_of(model) == usual  # outside of the block
    forged.save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == content


@needs_rows
def test_a_row_that_is_new_to_a_problem_is_measured() -> None:
    net = Net()
    y = net.conv(net.input(1, 8, 8, 16), 16)
    known = _C.TimingCache()
    net.compile(y, timings=known)
    ((problem, times),) = known.timings.items()
    fewer = _C.TimingCache({problem: dict(list(times.items())[:1])})
    net.compile(y, timings=fewer)
    assert fewer.timings[problem].keys() == times.keys()


def test_results_keep_the_promise() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 9, 7, 5), dtype=np.float32)
    w = rng.standard_normal((3, 3, 5, 20), dtype=np.float32)
    expected = fc.ops.conv2d(x, w)
    with fc.set_autotune(fc.TimingCache()):
        np.testing.assert_allclose(fc.ops.conv2d(x, w), expected, rtol=0, atol=1e-4)


@needs_rows
def test_packing_at_every_run_is_a_problem_of_its_own() -> None:
    net = Net()
    x = net.input(1, 8, 8, 16)
    y = net.add("conv2d", x, net.input(3, 3, 16, 16))
    z = net.add("conv2d", x, net.variable(3, 3, 16, 16))
    timings = _C.TimingCache()
    net.compile(y, z, timings=timings)
    assert len(timings.timings) == 2


def test_the_process_and_blocks_have_their_own() -> None:
    first, second = fc.TimingCache(), fc.TimingCache()
    try:
        fc.set_autotune(first)
        assert fc.get_autotune() is first
        with fc.set_autotune(second):
            assert fc.get_autotune() is second
            with fc.set_autotune(None):
                assert fc.get_autotune() is None
        assert fc.get_autotune() is first
    finally:
        fc.set_autotune(None)
    with pytest.raises(ConfigError, match="expected a TimingCache or None, got True"):
        fc.set_autotune(True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ("[]", "expected a file of fastcnn timings"),
        ('{"format": "fastcnn timings", "version": 2}', "expected version 1, got 2"),
        ('{"format": "fastcnn timings", "version": 1}', "machines: expected an object"),
        (
            '{"format": "fastcnn timings", "version": 1, "machines": {"m": {"p": {"k": 1.5}}}}',
            "expected nanoseconds of k, got 1.5",
        ),
        (
            '{"format": "fastcnn timings", "version": 1, "machines": {"m": {"p": 3}}}',
            "p: expected an object, got int",
        ),
    ],
)
def test_files_are_checked(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "times.json"
    path.write_text(content)
    with pytest.raises(FileFormatError, match=rf"times\.json: .*{message}"):
        fc.TimingCache.load(path)
    with pytest.raises(MissingFileError):
        fc.TimingCache.load(tmp_path / "none.json")
