"""The command: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.applications.imagenet import imagenet_classes
from fastcnn.applications.weights import find
from fastcnn.cli.bench import Report, StepTime, print_report
from fastcnn.errors import MissingWeightsError
from fastcnn.io import save_image
from tests.cli.conftest import Run

pytest.importorskip("typer", reason="the command line")
pytest.importorskip("PIL.Image", reason="reads photos")


@pytest.fixture
def imagenet() -> None:
    try:
        find("efficientnet_lite0")
    except MissingWeightsError as error:
        pytest.skip(str(error))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three pictures of different sizes, and a text."""
    rng = np.random.default_rng(0)
    for name, shape in (("b.png", (60, 90, 3)), ("a.jpg", (90, 60, 3)), ("c.PNG", (64, 64, 3))):
        coarse = rng.integers(0, 256, (shape[0] // 10, shape[1] // 10, 3)).astype(np.uint8)
        save_image(tmp_path / name, coarse.repeat(10, 0).repeat(10, 1))
    (tmp_path / "note.txt").write_text("no photo")
    return tmp_path


@pytest.mark.usefixtures("imagenet")
def test_json(run: Run, photos: Path) -> None:
    code, out, err = run("classify", photos / "b.png", photos / "a.jpg", "--json", "--top", "3")
    assert code == 0 and err == ""
    described = json.loads(out)
    assert [entry["file"] for entry in described] == [str(photos / n) for n in ("b.png", "a.jpg")]
    for entry in described:
        assert set(entry) == {"file", "predictions"} and len(entry["predictions"]) == 3
        probabilities = [p["probability"] for p in entry["predictions"]]
        assert probabilities == sorted(probabilities, reverse=True) and 0 < sum(probabilities) <= 1
        for p in entry["predictions"]:
            assert set(p) == {"index", "wnid", "label", "probability"}
            assert (p["wnid"], p["label"]) == imagenet_classes()[p["index"]]


@pytest.mark.usefixtures("imagenet")
def test_folder_and_pattern(run: Run, photos: Path) -> None:
    def files(*arguments: str | Path) -> list[str]:
        _, out, _ = run("classify", *arguments, "--json", "--top", "1")
        return [Path(entry["file"]).name for entry in json.loads(out)]

    assert files(photos) == ["a.jpg", "b.png", "c.PNG"]
    assert files(photos / "*.png", photos / "a.jpg") == ["b.png", "a.jpg"]


@pytest.mark.usefixtures("imagenet")
def test_table(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_image(photos / "[red].png", np.zeros((32, 32, 3), np.uint8))
    monkeypatch.chdir(photos)
    code, out, err = run("classify", "a.jpg", "[red].png", "--top", "2")
    assert code == 0 and err == ""
    assert "a.jpg" in out and "[red].png" in out and out.count("%") == 4


@pytest.mark.usefixtures("imagenet")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_bad_photo(run: Run, photos: Path, options: list[str]) -> None:
    bad = photos / "bad.jpg"
    bad.write_bytes((photos / "a.jpg").read_bytes()[:200])
    code, out, err = run("classify", photos / "a.jpg", bad, *options)
    assert code == 2 and out == "" and "bad.jpg" in err and err.count("\n") == 1


def test_missing_photos(run: Run, tmp_path: Path) -> None:
    for given in (tmp_path, tmp_path / "none.jpg", tmp_path / "*.jpg"):
        code, out, err = run("classify", given, "--json")
        assert code == 2 and out == "" and str(given) in err and err.count("\n") == 1


def test_wrong_options(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTCNN_HOME", str(tmp_path))
    for options, word in (
        (["--model", "resnet51"], "resnet51"),
        (["--model", "zfnet"], "zfnet"),
        (["--weights", tmp_path / "none.pth"], "none.pth"),
        (["--top", "1001"], "--top"),
    ):
        code, out, err = run("classify", photos, *options)
        assert code == 2 and out == "" and word in err


def test_info(run: Run) -> None:
    code, out, err = run("info")
    assert code == 0 and err == "" and "isa_found" in out and "kernels" in out


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"fastcnn {fc.__version__}\n", "")
    assert fc.__version__ == _C.build_info()["version"]


@pytest.mark.usefixtures("imagenet")
def test_demo(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="has the pictures")
    pytest.importorskip("matplotlib", reason="draws the results")
    output = tmp_path / "results.png"
    code, out, err = run("demo", "--output", output)
    assert code == 0 and err == ""
    assert "espresso" in out and "chelsea.png" in out
    assert output.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_its_packages(run: Run, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, out, err = run("info")
    assert code == 1 and out == "" and 'pip install "fastcnn[cli]"' in err


def test_help_imports_little() -> None:
    program = (
        "import sys; sys.argv = ['fastcnn', '--help']\n"
        "from fastcnn.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "loaded = {'PIL', 'matplotlib', 'skimage', 'safetensors'} & set(sys.modules)\n"
        "sys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(
        command in done.stdout for command in ("classify", "demo", "train", "evaluate", "look")
    )


def test_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "fastcnn", "info"], capture_output=True, text=True)
    assert done.returncode == 0 and "isa_used" in done.stdout


@pytest.fixture
def network(tmp_path: Path) -> Path:
    x = fc.Input((16, 12, 3))
    y = fc.layers.Conv2D(32, 3, name="edges")(x)
    path = tmp_path / "small.fastcnn"
    fc.Model(x, fc.layers.MaxPooling2D(name="less")(y), name="small").save(path)
    return path


def test_bench_profiles_a_saved_model(run: Run, network: Path) -> None:
    threads = fc.get_num_threads()
    code, out, err = run(
        "bench", network, "--batch", "2", "--threads", "1", "--seconds", "0", "--profile", "--json"
    )
    assert code == 0 and err == ""
    report = json.loads(out)
    assert (report["model"], report["shape"], report["threads"]) == ("small", [2, 16, 12, 3], 1)
    assert 0 < report["min_ms"] <= report["median_ms"]
    assert [step["name"] for step in report["steps"]] == ["edges", "less"]
    assert [step["shape"] for step in report["steps"]] == [[2, 14, 10, 32], [2, 7, 5, 32]]
    assert sum(step["share"] for step in report["steps"]) == pytest.approx(1)
    edges, less = report["steps"]
    assert edges["kernel"].startswith("conv2d_f32") and edges["gflops"] > 0 and less["gflops"] == 0
    assert (report["peak_gflops"] > 0) == (_C.max_isa() != "ref")
    assert fc.get_num_threads() == threads


def test_bench_draws_a_table(run: Run, network: Path, tmp_path: Path) -> None:
    times = tmp_path / "times.json"
    for _ in range(2):  # the second finds the times
        code, out, err = run("bench", network, "--seconds", "0", "--profile", "--autotune", times)
        assert code == 0 and err == ""
        assert "small 1x16x12x3" in out and "edges" in out and "FMA peak" in out
    assert fc.TimingCache.load(times).timings or _C.max_isa() in ("ref", "avx2")
    assert fc.get_autotune() is None


@pytest.mark.parametrize(
    ("name", "size", "first"),
    [
        ("squeezenet", ["--size", "64"], "squeezenet 1x64x64x3"),
        ("u-net", ["--size", "32"], "unet 1x32x32x3"),
        ("YOLOv3_Tiny", ["--size", "64"], "yolo_v3_tiny 1x64x64x3"),
        ("facenetnn4", [], "facenet_nn4 1x96x96x3"),
    ],
)
def test_bench_times_an_application(run: Run, name: str, size: list[str], first: str) -> None:
    code, out, _ = run("bench", name, *size, "--seconds", "0")
    assert code == 0 and first in out and "edges" not in out


def test_bench_explains_more_than_the_peak(capsys: pytest.CaptureFixture[str]) -> None:
    def table(of_peak: float) -> str:
        step = StepTime(
            "conv", "conv2d_f32_winograd4_avx2", "highest", [], (1,), 1.0, 1.0, 9.0, of_peak
        )
        print_report(
            Report("m", (1,), 1, "avx2", "highest", 1.0, 1.0, 1.0, 1, 1.0, 1, 1, 5.0, [step])
        )
        return capsys.readouterr().out

    assert "312" in table(3.12) and table(3.12).count("Winograd") == 1
    assert "Winograd" not in table(0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "expected a network of"),
        (["nothing.fastcnn"], "nothing.fastcnn: no such file"),
        (["/nowhere/nothing"], "/nowhere/nothing: no such file"),
        (["unet"], "pictures of any size, [None, None, 3]; give --size"),
        (["squeezenet", "--batch", "10000000000"], "give a smaller --batch or --size"),
        (["resnet50", "--precision", "exact"], "float32 precision: expected one of"),
    ],
)
def test_bench_tells_what_it_does_not_know(run: Run, arguments: list[str], message: str) -> None:
    code, out, err = run("bench", *arguments, "--seconds", "0")
    assert code == 2 and out == "" and message in err


def test_bench_needs_sizes(run: Run, tmp_path: Path) -> None:
    x = fc.Input((None, None, 3))
    any_size = tmp_path / "any.fastcnn"
    fc.Model(x, fc.layers.Conv2D(4, 3)(x)).save(any_size)
    code, _, err = run("bench", any_size, "--seconds", "0")
    assert code == 2 and "pictures of any size" in err
    assert run("bench", any_size, "--seconds", "0", "--size", "8").code == 0
    y = fc.Input((None, None, 3))
    two = tmp_path / "two.fastcnn"
    fc.Model([x, y], fc.layers.Add()([x, y])).save(two)
    code, _, err = run("bench", two, "--seconds", "0")
    assert code == 2 and "expected a model with one input, it has 2" in err
