"""The YOLO networks are those of Darknet's configurations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications import yolo
from fastcnn.errors import ConfigError, FileFormatError, MissingWeightsError, ShapeError
from tests.io.darknet_writer import conv, net, section

# Weights of the published files, which Darknet's configurations ask for.
COUNTS = {
    "YOLOv2": (80, 50_983_561),
    "TinyYOLOv2": (20, 15_867_885),
    "YOLOv3": (80, 62_001_757),
    "YOLOv3Tiny": (80, 8_858_734),
}


def pool(stride: int = 2) -> str:
    return section("maxpool", size=2, stride=stride)


def last(filters: int) -> str:
    return section("convolutional", filters=filters, size=1, stride=1, pad=1, activation="linear")


def squeezed(filters: int, count: int) -> str:
    return "".join(conv(filters // 2, 1) if i % 2 else conv(filters) for i in range(count))


def region(classes: int) -> str:
    return section("region", "anchors=1,1,2,2,3,3,4,4,5,5", classes=classes, num=5, softmax=1)


def yolo_head(classes: int, mask: str, count: int) -> str:
    numbers = ",".join(str(8 + i) for i in range(2 * count))
    return section("yolo", f"mask={mask}", f"anchors={numbers}", classes=classes, num=count)


def darknet_v2(reorg: str = "reorg3d") -> str:
    body = conv(32) + pool() + conv(64) + pool() + squeezed(128, 3) + pool() + squeezed(256, 3)
    body += pool() + squeezed(512, 5) + pool() + squeezed(1024, 5) + conv(1024) * 2
    # reorg3d: the way of blocks to channels that the paper describes
    body += section("route", "layers=-9") + conv(64, 1) + section(reorg, stride=2)
    return body + section("route", "layers=-1,-4") + conv(1024) + last(35) + region(2)


def darknet_v2_tiny() -> str:
    body = "".join(conv(filters) + pool() for filters in (16, 32, 64, 128, 256))
    return body + conv(512) + pool(1) + conv(1024) * 2 + last(35) + region(2)


def darknet_v3_tiny() -> str:
    body = "".join(conv(filters) + pool() for filters in (16, 32, 64, 128, 256))
    body += conv(512) + pool(1) + conv(1024) + conv(256, 1) + conv(512) + last(21)
    body += yolo_head(2, "3,4,5", 6) + section("route", "layers=-4") + conv(128, 1)
    body += section("upsample", stride=2) + section("route", "layers=-1,8") + conv(256)
    return body + last(21) + yolo_head(2, "0,1,2", 6)


def darknet_v3() -> str:
    body = conv(32)
    for filters, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        block = conv(filters // 2, 1) + conv(filters) + section("shortcut", "from=-3")
        body += conv(filters, stride=2) + block * blocks
    for filters, mask, finer in ((512, "6,7,8", 61), (256, "3,4,5", 36), (128, "0,1,2", None)):
        body += (conv(filters, 1) + conv(2 * filters)) * 3 + last(21) + yolo_head(2, mask, 9)
        if finer:
            body += section("route", "layers=-4") + conv(filters // 2, 1)
            body += section("upsample", stride=2) + section("route", f"layers=-1,{finer}")
    return body


NETWORKS: dict[str, Callable[[], str]] = {
    "YOLOv2": darknet_v2,
    "YOLOv2 darknet": partial(darknet_v2, "reorg"),
    "TinyYOLOv2": darknet_v2_tiny,
    "YOLOv3": darknet_v3,
    "YOLOv3Tiny": darknet_v3_tiny,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_network_is_darknets(name: str, tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text(net(64) + NETWORKS[name]())
    theirs = fc.io.load_darknet(cfg)
    name, *variant = name.split()
    options = {"variant": variant[0]} if variant else {}
    ours = getattr(fc.applications, name)(classes=2, input_shape=(64, 64, 3), **options)
    weights = {w.path: w for w in theirs.weights}
    assert {w.path: w.shape for w in ours.weights} == {p: w.shape for p, w in weights.items()}
    for a, b in zip(ours.heads, theirs.heads, strict=True):
        assert (a.classes, a.softmax, len(a.anchors)) == (b.classes, b.softmax, len(b.anchors))
    rng = np.random.default_rng(0)
    for weight in ours.weights:  # statistics and offsets that make a difference
        value = np.asarray(weight) if weight.name == "kernel" else rng.uniform(0.5, 1, weight.shape)
        weight.assign(value)
        weights[weight.path].assign(value)
    x = rng.random((1, 64, 64, 3), np.float32)
    for a, b in zip(outputs(ours, x), outputs(theirs, x), strict=True):
        np.testing.assert_array_equal(a, b)


def outputs(model: fc.Model, x: np.ndarray) -> list[np.ndarray]:
    y = model.predict(x)
    return y if isinstance(y, list) else [y]


@pytest.mark.parametrize("name", COUNTS)
def test_numbers_of_weights(name: str) -> None:
    classes, count = COUNTS[name]
    model = getattr(fc.applications, name)(classes=classes, input_shape=(None, None, 3))
    assert model.count_params() == count
    rows = [shape[1] for shape in fc_shapes(model)]
    assert set(rows) == {None}


def fc_shapes(model: fc.Model) -> list[tuple[int | None, ...]]:
    shapes = model.output_shape
    return shapes if isinstance(shapes, list) else [shapes]


def test_weights_of_a_file(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    first = fc.applications.YOLOv3Tiny(classes=1, input_shape=(32, 32, 3))
    first.save_weights(tmp_path / "tiny.safetensors")
    again = fc.applications.YOLOv3Tiny(
        weights=tmp_path / "tiny.safetensors", classes=1, input_shape=(64, 64, 3)
    )
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises((FileFormatError, ShapeError), match="yolo_v3_tiny"):
        fc.applications.YOLOv3Tiny(weights=tmp_path / "tiny.safetensors", classes=3)
    with pytest.raises(MissingWeightsError):
        fc.applications.YOLOv3Tiny(weights=tmp_path / "none.safetensors")


def test_pictures_of_any_size_and_models_inside_models() -> None:
    model = fc.applications.TinyYOLOv2(classes=1, input_shape=(None, None, 3))
    assert model.predict(np.zeros((1, 64, 96, 3), np.float32)).shape == (1, 2, 3, 30)
    image = fc.Input((64, 64, 3))
    inner = fc.applications.TinyYOLOv2(classes=1, input_tensor=fc.layers.Rescaling(1 / 255)(image))
    assert inner.output_shape == (None, 2, 2, 30)


def test_anchors_are_shared_out() -> None:
    anchors = [(i + 1, i + 2) for i in range(6)]
    model = fc.applications.YOLOv3Tiny(classes=0, anchors=anchors, input_shape=(32, 32, 3))
    assert [head.anchors[0] for head in model.heads] == [(4, 5), (1, 2)]
    assert model.output_shape[0] == (None, 1, 1, 15)


def test_errors_say_what_was_expected() -> None:
    with pytest.raises(ShapeError, match="multiples of 32, got"):
        fc.applications.YOLOv2(input_shape=(100, 100, 3))
    with pytest.raises(ConfigError, match="as many for each of 3 scales, got 4"):
        fc.applications.YOLOv3(anchors=[(1, 1)] * 4)
    with pytest.raises(ConfigError, match="variant: expected one of None, 'darknet'"):
        fc.applications.YOLOv2(variant="torch")
    with pytest.raises(ShapeError, match="YOLOv2: stride 2 does not fit"):
        fc.applications.YOLOv2(variant="darknet", input_shape=(None, None, 3))
    with pytest.raises(ConfigError, match="classes: expected an integer >= 0"):
        fc.applications.TinyYOLOv2(classes=-2)
    with pytest.raises(ShapeError, match="height, width, channels"):
        fc.applications.TinyYOLOv2(input_shape=(64, 64))  # type: ignore[arg-type]


def test_preprocessing() -> None:
    x = np.array([[[[0, 51, 255]]]], np.uint8)
    np.testing.assert_allclose(yolo.preprocess_input(x), [[[[0, 0.2, 1]]]], rtol=1e-6)
