"""Darknet files for the tests: small networks with the sections of the well-known ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

import fastcnn as fc

_ANCHORS = "anchors=10,14, 23,27, 37,58, 81,82, 135,169, 344,319"


def conv(filters: int, size: int = 3, **options: object) -> str:
    """A convolution as most are: normalised, with a leaky activation."""
    given = {
        "batch_normalize": 1, "filters": filters, "size": size, "stride": 1, "pad": 1,
        "activation": "leaky", **options,
    }  # fmt: skip
    return section("convolutional", **given)


def section(name: str, *lines: str, **options: object) -> str:
    return "\n".join([f"[{name}]", *lines, *(f"{k}={v}" for k, v in options.items())]) + "\n"


def net(size: int = 32, channels: int = 3) -> str:
    return section("net", "# how it was trained", "momentum=0.9", width=size, height=size,
                   channels=channels)  # fmt: skip


def _last(filters: int) -> str:
    return section("convolutional", filters=filters, size=1, stride=1, pad=1, activation="linear")


NETWORKS = {
    "yolov2": net(32)
    + conv(8)
    + section("maxpool", size=2, stride=2)
    + conv(16)
    + conv(8, 1)
    + section("maxpool", size=2, stride=2)
    + conv(12)
    + section("route", "layers=-3")
    + conv(4, 1)
    + section("reorg", stride=2)
    + section("route", "layers=-1,-4")
    + conv(16)
    + _last(14)
    + section("region", "anchors = 0.57, 0.67, 1.87, 2.06", classes=2, num=2, softmax=1),
    "tiny-yolov2": net(40)
    + conv(4)
    + section("maxpool", size=2, stride=2)
    + conv(8)
    + section("maxpool", size=2, stride=2)
    + conv(8, stride=2)
    + section("maxpool", size=2, stride=1)
    + conv(8)
    + _last(7)
    + section("region", "anchors = 0.57, 0.67", classes=2, num=1, softmax=1),
    "yolov3-tiny": net(32)
    + conv(8, activation="mish")
    + section("maxpool", size=2, stride=2)
    + conv(8, 1)
    + conv(8, activation="swish")
    + section("shortcut", "from=-3", activation="relu")
    + section("maxpool", size=2, stride=2)
    + conv(16, activation="leaky")
    + _last(21)
    + section("yolo", "mask = 3,4,5", _ANCHORS, classes=2, num=6)
    + section("route", "layers = -3")
    + conv(4, 1)
    + section("upsample", stride=2)
    + section("route", "layers = -1, 3")
    + conv(8)
    + _last(21)
    + section("yolo", "mask = 0,1,2", _ANCHORS, classes=2, num=6),
    "yolov4-tiny": net(32)
    + conv(8, stride=2)
    + conv(16)
    + section("route", "layers=-1", groups=2, group_id=1)
    + conv(8)
    + conv(8, groups=8, size=5)
    + conv(16, groups=2)
    + section("route", "layers = -1,-4")
    + section("maxpool", size=5, stride=1)
    + section("dropout", probability=0.1)
    + _last(21)
    + section("yolo", "mask = 0,1,2", _ANCHORS, classes=2, num=6, scale_x_y=1.05),
    "classifier": net(32)
    + conv(8, stride=2, padding=0, pad=0)
    + section("maxpool", size=3, stride=2)
    + conv(6, activation="logistic")
    + section("avgpool")
    + section("softmax", groups=1)
    + section("cost", type="sse"),
    "alexnet": net(16)
    + conv(4, stride=2)
    + section("connected", output=10, activation="relu")
    + section("dropout", probability=0.5)
    + section("connected", output=5, activation="linear")
    + section("softmax", groups=1),
}


def write(folder: Path, name: str, seed: int = 0) -> tuple[Path, Path]:
    """Write a network and random weights for it."""
    cfg, weights = folder / f"{name}.cfg", folder / f"{name}.weights"
    cfg.write_text(NETWORKS[name])
    weights.write_bytes(random_weights(cfg, seed))
    return cfg, weights


def random_weights(cfg: Path, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    found = {layer.name: layer for layer in fc.io.load_darknet(cfg).layers}
    parts = [struct.pack("<iiiq", 0, 2, 5, 12800)]

    def add(*shape: int, low: float = -1.0, high: float = 1.0) -> None:
        parts.append(rng.uniform(low, high, shape).astype("<f4").tobytes())

    for number in range(len(found)):
        layer = found.get(f"conv_{number}") or found.get(f"dense_{number}")
        if layer is None:
            continue
        kernel = layer.kernel.shape
        norm = found.get(f"bn_{number}")
        filters = norm.gamma.shape[0] if norm else layer.bias.shape[0]
        add(filters)
        if norm:
            add(filters, low=0.5, high=1.5)
            add(filters)
            add(filters, low=0.5, high=1.5)
        bound = (3 * filters / np.prod(kernel)) ** 0.5
        add(*kernel, low=-bound, high=bound)
    return b"".join(parts)
