"""The benchmarks of GPUs without one: what they compute from times and costs, and how they end."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from benchmarks.gpu import Entrant, Peaks, Work, best, difference, drawn, gpu_burst, measure
from benchmarks.results import FIELDS, Results, load
from benchmarks.runtimes import Job
from benchmarks.trainers import FastcnnTrainer

import fastcnn as fc
from benchmarks import cuda_static, gpu
from fastcnn import _C, cuda
from tests.harness import Case

PEAKS = Peaks(fma=1000.0, tensor=8000.0, memory=100.0)


def test_the_roofline_takes_the_slower_of_two_for_each_step() -> None:
    work = [Work(gflop=10, gbyte=0.1), Work(gflop=1, gbyte=0.5)]
    assert PEAKS.least_ms(work, "highest") == pytest.approx(10 + 5)
    assert PEAKS.bound(work, "highest") == "arithmetic"
    assert PEAKS.least_ms(work, "medium") == pytest.approx(1.25 + 5)
    assert PEAKS.bound(work, "medium") == "memory"


def test_the_roofline_without_all_peaks() -> None:
    work = [Work(10, 0.1)]
    assert Peaks().least_ms(work, "highest") == 0
    assert Peaks(memory=100).least_ms(work, "highest") == pytest.approx(1)
    assert Peaks(fma=1000).least_ms(work, "medium") == pytest.approx(10)
    assert Peaks(fma=1000).bound(work, "highest") == ""


def test_the_best_of_what_several_measured() -> None:
    assert best([Peaks(1, 5, 2), Peaks(3, 0, 1)]) == Peaks(3, 5, 2)
    assert best([]) == Peaks()


def test_a_burst_waits_after_each_round() -> None:
    events: list[str] = []
    times = gpu_burst(lambda: events.append("call"), lambda: events.append("wait"), 0.005)
    assert all(t >= 0 for t in times)
    assert events[:4] == ["call"] * 3 + ["wait"]
    assert events[-1] == "wait"
    assert events.count("wait") == len(times) + 2  # beside warming up and counting


def test_difference() -> None:
    assert difference(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 0.5
    assert difference(np.zeros(2), np.zeros(2)) == 0
    assert difference(np.zeros(2), np.zeros(3)) is None


def entrant(*work: Work, value: float = 1.0) -> Entrant:
    return Entrant(lambda: time.sleep(1e-3), lambda: None, lambda: np.full(3, value), work)


def test_lines_are_the_documented_ones(tmp_path: Path) -> None:
    results = Results("wall", 0.01, tmp_path)
    entrants = {
        "a_cuda": entrant(Work(1, 0.001), value=1.5),
        "b_cuda": entrant(Work(1, 0.001)),
        "torch": entrant(value=2.0),
    }
    lines = measure("kernels", "conv2d 1", "highest", entrants, PEAKS, 0.01, results)
    assert [line["runtime"] for line in lines] == list(entrants)
    for line in lines[:2]:
        assert set(line["ratios"]) == {"torch"}
        assert line["bound"] == "arithmetic"
        assert line["share_of_roofline"] == pytest.approx(1 / line["min_ms"], rel=1e-2)
    assert lines[0]["error"] == 0.25
    assert lines[2]["ratios"] == {}
    assert lines[2]["share_of_roofline"] is None
    (path,) = tmp_path.iterdir()
    _, *written = load(path)
    assert written == json.loads(json.dumps(lines))
    assert all(set(line) == set(FIELDS["gpu"]) for line in written)
    text = drawn(lines).splitlines()
    assert "torch/this" in text[0]
    assert len(text) == 2 + len(lines)


@pytest.mark.skipif(not _C.has_devices(), reason="needs a GPU or its emulation (docs/cuda.md)")
def test_a_kernel_of_the_device_takes_part() -> None:
    case = Case("cdist", ((3, 5), (4, 5)))
    found = gpu.of_kernel("cdist_f32_cuda", case, 0, "highest")
    assert found is not None
    assert sum(w.gflop for w in found.work) == pytest.approx(2 * 3 * 4 * 5 / 1e9)
    assert gpu_burst(found.call, found.wait, 1e-3)
    np.testing.assert_allclose(found.output(), fc.ops.cdist(*case.inputs()), rtol=1e-5)
    assert gpu.of_kernel("gram_matrix_f32_cuda", case, 0, "highest") is None


@pytest.mark.skipif(not _C.has_devices(), reason="needs a GPU or its emulation (docs/cuda.md)")
def test_a_step_of_training_takes_part() -> None:
    job = Job("convnet", 2, 1, size=8, precision="highest")
    found = gpu.of_training(job, 0)
    found.call()
    found.wait()
    on_cpu = FastcnnTrainer(job)
    on_cpu.call()
    np.testing.assert_allclose(found.output(), [on_cpu.loss], rtol=1e-4)
    assert sum(w.gflop for w in found.work) > 0


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cuda, "device_count", lambda: 0)
    with pytest.raises(SystemExit) as ended:
        gpu.main(["--dry"])
    assert ended.value.code == 2
    assert "no GPU" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--suites", "kernels,all"], ["--precision", "half"]])
def test_unknown_options_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(wrong)
    assert "expected some of" in capsys.readouterr().err


# ---- what nvcc says ----------------------------------------------------------------------------

LOG = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z1fPf' for 'sm_80'
ptxas info    : Function properties for _Z1fPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 3072 bytes smem, 400 bytes cmem[0]
ptxas info    : Compiling entry function '_Z1gPf' for 'sm_120'
ptxas info    : Function properties for _Z1gPf
    16 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers
"""
PTX = """\
.entry _Z1fPf(
 .param .u64 _Z1fPf_param_0
)
.maxntid 32, 8, 1
{ cp.async.cg.shared.global [%r1], [%rd1], 16, 16; }
.entry _Z1gPf(
 .param .u64 _Z1gPf_param_0
)
.maxntid 512
{ mov.u32 %r1, fc_dynamic_shared; mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 ; }
"""
MACHINE_CODE = """\
//--------------------- .text._Z1fPf --------------------------
        /*0000*/                   IMAD.MOV.U32 R1, RZ, RZ, c[0x0][0x28] ;
        /*0010*/               @P0 FFMA R1, R2, R3, R1 ;
        /*0020*/              @!P0 LDGSTS.E.BYPASS.128 [R1], [R2.64] ;
        /*0030*/                   HMMA.16816.F32.BF16 R4, R8, R10, R4 ;
"""


def test_reading_what_ptxas_says() -> None:
    f, g = cuda_static.resources(LOG, "x.cu")
    assert (f.architecture, f.registers, f.shared_bytes, f.local_bytes) == (80, 40, 3072, 0)
    assert (g.architecture, g.registers, g.shared_bytes, g.local_bytes) == (120, 255, 0, 24)
    cuda_static.read_ptx(PTX, {"_Z1fPf": f, "_Z1gPf": g})
    assert (f.threads, f.dynamic, f.async_copies, f.tensor_cores) == (256, False, True, False)
    assert (g.threads, g.dynamic, g.async_copies, g.tensor_cores) == (512, True, False, True)
    assert f.fits()
    assert not g.fits()  # 512 x 256 registers
    counts = cuda_static.count_instructions(MACHINE_CODE)
    assert counts == {"_Z1fPf": {"all": 4, "FFMA": 1, "MMA": 1, "LDGSTS": 1}}


def test_files_compiled_anew_replace_their_lines() -> None:
    def lines(*registers: tuple[str, int, int]) -> list[cuda_static.Kernel]:
        return [cuda_static.Kernel(s, "f", a, 32, r, 0, False, 0) for s, a, r in registers]

    before = lines(("ops/gram.cu", 80, 10), ("ops/gram.cu", 90, 11), ("ops/gone.cu", 80, 12))
    found = cuda_static.merged(before, lines(("ops/gram.cu", 90, 20)))
    assert [(k.architecture, k.registers) for k in found] == [(80, 10), (90, 20)]


def test_recorded_and_read_again(tmp_path: Path) -> None:
    kernels = cuda_static.resources(LOG, "x.cu")
    cuda_static.save(kernels, tmp_path / "cuda_static.json", "13.0")
    assert cuda_static.load(tmp_path / "cuda_static.json") == kernels
    assert len(cuda_static.drawn(kernels).splitlines()) == 2 + len(kernels)
