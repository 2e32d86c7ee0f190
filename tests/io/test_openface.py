"""OpenFace's network from folders of CSV files, against the same network in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import FileFormatError, MissingWeightsError, ShapeError
from fastcnn.io import load_openface, load_weights_file


def write(folder: Path) -> dict[str, np.ndarray]:
    """Random weights, as the course has them; returned in torch's shapes."""
    # A few numbers again and again: millions take seconds to write.
    numbers = np.random.default_rng(0).uniform(-1, 1, 4093).astype(np.float16).astype(np.float32)
    arrays: dict[str, np.ndarray] = {}

    def add(name: str, shape: tuple[int, ...], scale: float, offset: float = 0.0) -> None:
        size = int(np.prod(shape))
        values = np.roll(numbers, 101 * len(arrays)) * np.float32(scale) + np.float32(offset)
        texts = list(map(str, values.tolist()))
        repeats = size // len(texts) + 1
        (folder / f"{name}.csv").write_text(",".join((texts * repeats)[:size]) + "\n")
        arrays[name] = np.tile(values, repeats)[:size].reshape(shape)

    for layer in fc.applications.FaceNetNN4().layers:
        name = "dense" if layer.name == "dense_layer" else layer.name
        if isinstance(layer, fc.layers.BatchNormalization):
            for letter, offset in {"w": 1.0, "b": 0.0, "m": 0.0, "v": 1.0}.items():
                add(f"{name}_{letter}", tuple(layer.gamma.shape), 0.5, offset)
        elif layer.weights:
            shape = tuple(layer.kernel.shape[::-1])
            if len(shape) == 4:
                shape = (shape[0], shape[1], shape[3], shape[2])
            add(f"{name}_w", shape, float((3 / np.prod(shape[1:])) ** 0.5))
            add(f"{name}_b", shape[:1], 0.1)
    return arrays


Written = tuple[Path, dict[str, np.ndarray], fc.Model]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("nn4")
    return folder, write(folder), load_openface(folder)


def torch_twin(arrays: dict[str, np.ndarray], x: np.ndarray, as_trained: bool) -> Any:
    """nn4.small2 as its definition says, in float64."""
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    a = {name: torch.from_numpy(array).double() for name, array in arrays.items()}

    def conv(
        y: Any, conv: str, norm: str, size: int = 1, stride: int = 1, eps: float = 1e-5
    ) -> Any:
        y = f.conv2d(y, a[f"{conv}_w"], a[f"{conv}_b"], stride=stride, padding=size // 2)
        m, v, w, b = (a[f"{norm}_{letter}"] for letter in "mvwb")
        return f.relu(f.batch_norm(y, m, v, w, b, eps=eps))

    def two(y: Any, name: str, size: int, stride: int = 1) -> Any:
        part = f"inception_{name}_{size}x{size}"
        y = conv(y, f"{part}_conv1", f"{part}_bn1")
        return conv(y, f"{part}_conv2", f"{part}_bn2", size, stride)

    def pool(y: Any, name: str, kind: str, margin: tuple[int, int], follows: bool = True) -> Any:
        if kind == "max":
            y = f.max_pool2d(y, 3, 2)
        elif as_trained:
            y = f.lp_pool2d(y, 2, 3, 3)
        else:
            y = f.avg_pool2d(y, 3, 3)
        if follows:
            y = conv(y, f"inception_{name}_pool_conv", f"inception_{name}_pool_bn")
        return f.pad(y, margin * 2)

    def one(y: Any, name: str) -> Any:
        return conv(y, f"inception_{name}_1x1_conv", f"inception_{name}_1x1_bn")

    def lrn(y: Any) -> Any:
        return f.local_response_norm(y, 5, 1e-4, 0.75) if as_trained else y

    y = torch.from_numpy(x).double().permute(0, 3, 1, 2)
    y = conv(y, "conv1", "bn1", 7, 2, 1e-5 if as_trained else 1e-3)
    y = lrn(f.max_pool2d(y, 3, 2, 1))
    y = conv(y, "conv2", "bn2")
    y = lrn(conv(y, "conv3", "bn3", 3))
    y = f.max_pool2d(y, 3, 2, 1)
    for name, kind, margin in (("3a", "max", (3, 4)), ("3b", "l2", (4, 4))):
        y = torch.cat(
            [two(y, name, 3), two(y, name, 5), pool(y, name, kind, margin), one(y, name)], 1
        )
    y = torch.cat([two(y, "3c", 3, 2), two(y, "3c", 5, 2), pool(y, "3c", "max", (0, 1), False)], 1)
    y = torch.cat([two(y, "4a", 3), two(y, "4a", 5), pool(y, "4a", "l2", (2, 2)), one(y, "4a")], 1)
    y = torch.cat([two(y, "4e", 3, 2), two(y, "4e", 5, 2), pool(y, "4e", "max", (0, 1), False)], 1)
    for name, kind in (("5a", "l2"), ("5b", "max")):
        y = torch.cat([two(y, name, 3), pool(y, name, kind, (1, 1)), one(y, name)], 1)
    y = f.avg_pool2d(y, 3).flatten(1)
    return f.normalize(y @ a["dense_w"].T + a["dense_b"])


@pytest.mark.parametrize("as_trained", [True, False])
def test_against_torch(written: Written, as_trained: bool) -> None:
    _, arrays, model = written
    if not as_trained:
        weights = model.get_weights()
        model = fc.applications.FaceNetNN4(as_trained=False)
        model.set_weights(weights)
    x = np.random.default_rng(1).random((1, 96, 96, 3), np.float32)
    ours = model.predict(x)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(ours, torch_twin(arrays, x, as_trained), rtol=0, atol=2e-6)


def test_other_files_of_weights(written: Written, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    _, arrays, model = written
    assert model.count_params() == sum(array.size for array in arrays.values())
    model.save_weights(tmp_path / "nn4.safetensors")
    again = fc.applications.FaceNetNN4(weights=tmp_path / "nn4.safetensors")
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_arrays_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "conv1_w.csv").write_text("1,2\n3e-1, -4\n\n")
    (tmp_path / "bn1_m.csv").write_text("0.5")
    arrays = load_weights_file(tmp_path)
    np.testing.assert_array_equal(arrays["conv1_w"], np.array([1, 2, 0.3, -4], np.float32))
    assert list(arrays) == ["bn1_m", "conv1_w"]


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="96, 96, 3"):
        fc.applications.FaceNetNN4(input_shape=(160, 160, 3))
    with pytest.raises(MissingWeightsError, match=r"no file conv1_w\.csv"):
        load_openface(tmp_path)
    (tmp_path / "conv1_w.csv").write_text("1,2,3")
    with pytest.raises(ShapeError, match=r"conv1_w\.csv: expected 9408 numbers, for conv1/kernel"):
        load_openface(tmp_path)
    (tmp_path / "conv1_w.csv").write_text(",".join(["0.5"] * 9408))
    with pytest.raises(MissingWeightsError, match=r"conv1_b\.csv"):
        load_openface(tmp_path)
    (tmp_path / "conv1_w.csv").write_text("1,2,three")
    with pytest.raises(FileFormatError, match=r"conv1_w\.csv: expected numbers"):
        load_openface(tmp_path)
