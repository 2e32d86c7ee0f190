"""Problems for timing single kernels: the rooms' own BENCHMARK cases and the layers of networks."""

from __future__ import annotations

import importlib
import pkgutil

import tests.cases
from tests.harness import Case

# Operands that are weights: constants of the plan, packed once.
WEIGHTS = {
    "conv2d": (1, 2),
    "conv2d_transpose": (1, 2),
    "depthwise_conv2d": (1, 2),
    "dense": (1, 2),
    "scale_shift": (1, 2),
    "batch_norm": (1, 2, 3, 4),
}


def _conv(size: int, channels: int, filters: int, kernel: int, strides: int = 1) -> Case:
    shapes = ((1, size, size, channels), (kernel, kernel, channels, filters), (filters,))
    attrs = {"padding": "same", "strides": strides, "activation": "relu"}
    return Case("conv2d", shapes, attrs)


def _depthwise(size: int, channels: int, strides: int = 1) -> Case:
    shapes = ((1, size, size, channels), (3, 3, channels, 1), (channels,))
    attrs = {"padding": "same", "strides": strides, "activation": "relu6"}
    return Case("depthwise_conv2d", shapes, attrs)


def _up(size: int, channels: int, filters: int) -> Case:
    shapes = ((1, size, size, channels), (3, 3, filters, channels), (filters,))
    return Case("conv2d_transpose", shapes, {"padding": "same", "strides": 2})


def _dense(rows: int, depth: int, columns: int) -> Case:
    return Case("dense", ((rows, depth), (depth, columns), (columns,)))


NETWORK_LAYERS = {
    "resnet50": [
        _conv(224, 3, 64, 7, 2),
        _conv(56, 64, 64, 1), _conv(56, 64, 64, 3), _conv(56, 64, 256, 1), _conv(56, 256, 64, 1),
        _conv(56, 256, 128, 1, 2), _conv(56, 256, 512, 1, 2),
        _conv(28, 128, 128, 3), _conv(28, 128, 512, 1), _conv(28, 512, 128, 1),
        _conv(28, 512, 256, 1, 2), _conv(28, 512, 1024, 1, 2),
        _conv(14, 256, 256, 3), _conv(14, 256, 1024, 1), _conv(14, 1024, 256, 1),
        _conv(14, 1024, 512, 1, 2), _conv(14, 1024, 2048, 1, 2),
        _conv(7, 512, 512, 3), _conv(7, 512, 2048, 1), _conv(7, 2048, 512, 1),
        _dense(1, 2048, 1000),
    ],
    "vgg19": [
        _conv(224, 3, 64, 3), _conv(224, 64, 64, 3), _conv(112, 64, 128, 3),
        _conv(112, 128, 128, 3), _conv(56, 128, 256, 3), _conv(56, 256, 256, 3),
        _conv(28, 256, 512, 3), _conv(28, 512, 512, 3), _conv(14, 512, 512, 3),
        _dense(1, 25088, 4096), _dense(8, 25088, 4096), _dense(1, 4096, 4096),
    ],
    "mobilenetv2": [
        _conv(224, 3, 32, 3, 2), _depthwise(112, 32), _conv(112, 32, 16, 1),
        _conv(112, 16, 96, 1), _depthwise(112, 96, 2), _conv(56, 96, 24, 1), _conv(56, 24, 144, 1),
        _depthwise(56, 144), _conv(56, 144, 24, 1), _depthwise(56, 144, 2), _conv(28, 144, 32, 1),
        _depthwise(28, 192), _conv(14, 64, 384, 1), _depthwise(14, 384), _conv(14, 384, 64, 1),
        _depthwise(14, 576), _conv(7, 160, 960, 1), _depthwise(7, 960), _conv(7, 960, 160, 1),
        _conv(7, 320, 1280, 1),
    ],
    "unet256": [
        _conv(256, 3, 32, 3), _conv(256, 32, 32, 3), _conv(128, 64, 64, 3), _conv(64, 128, 128, 3),
        _conv(32, 256, 256, 3), _conv(16, 512, 512, 3), _conv(256, 64, 32, 3),
        _conv(256, 32, 23, 1), _up(16, 512, 256), _up(128, 64, 32),
    ],
    "yolov2": [
        _conv(416, 3, 32, 3), _conv(208, 32, 64, 3), _conv(104, 64, 128, 3), _conv(104, 128, 64, 1),
        _conv(52, 128, 256, 3), _conv(26, 256, 512, 3), _conv(13, 512, 1024, 3),
        _conv(13, 1024, 1024, 3), _conv(13, 1280, 1024, 3), _conv(13, 1024, 425, 1),
    ],
}  # fmt: skip


def all_cases() -> list[Case]:
    """Every case once, the networks' layers first."""
    found = {case.id + case.op: case for layers in NETWORK_LAYERS.values() for case in layers}
    for module in pkgutil.iter_modules(tests.cases.__path__):
        cases = importlib.import_module(f"tests.cases.{module.name}")
        for case in getattr(cases, "BENCHMARK", ()):
            found.setdefault(case.id + case.op, case)
    return list(found.values())
