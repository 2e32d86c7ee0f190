"""GoogLeNet: Szegedy et al., "Going Deeper with Convolutions", 2014; also called Inception v1.

The network of the paper's Table 1, with local response normalisation and without batch
normalisation. The variant "torchvision" has batch normalisation instead, and windows of 3x3 where
the paper has 5x5; torchvision's weights want pictures of -1 to 1, mode="tf". The two auxiliary
classifiers, which later work found to matter little, are left out. Layers are named as in the
paper's own Caffe model, with underscores for slashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from fastcnn import layers, ops
from fastcnn.applications._application import (
    Tensor,
    Variant,
    application,
    average_and_classify,
)
from fastcnn.applications.imagenet import decode_predictions, preprocess_input

__all__ = ["GoogLeNet", "decode_predictions", "preprocess_input"]

# Table 1: filters of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj. Before 4a and 5a the picture
# is halved.
_INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def _conv(x: Tensor, filters: int, size: int, *, name: str, strides: int = 1) -> Tensor:
    return layers.Conv2D(
        filters, size, strides=strides, padding="same", activation="relu", name=name
    )(x)


def _conv_bn(x: Tensor, filters: int, size: int, *, name: str, strides: int = 1) -> Tensor:
    size = min(size, 3) if strides == 1 else size
    x = layers.Conv2D(filters, size, strides=strides, padding=size // 2, use_bias=False, name=name)(
        x
    )
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _halve(x: Tensor, name: str) -> Tensor:
    return layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)


def _normalize(x: Tensor, name: str) -> Tensor:
    """Divide by what the neighbouring channels amount to (Krizhevsky et al., 2012)."""
    return layers.LocalResponseNormalization(5, alpha=1e-4, beta=0.75, name=name)(x)


def _inception(
    x: Tensor, filters: tuple[int, ...], name: str, conv: Callable[..., Tensor] = _conv
) -> Tensor:
    """Look with windows of three sizes at once; 1x1 convolutions keep the larger ones cheap."""
    one, reduce3, three, reduce5, five, project = filters
    branch1 = conv(x, one, 1, name=f"{name}_1x1")
    branch3 = conv(x, reduce3, 1, name=f"{name}_3x3_reduce")
    branch3 = conv(branch3, three, 3, name=f"{name}_3x3")
    branch5 = conv(x, reduce5, 1, name=f"{name}_5x5_reduce")
    branch5 = conv(branch5, five, 5, name=f"{name}_5x5")
    pooled = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    pooled = conv(pooled, project, 1, name=f"{name}_pool_proj")
    return layers.Concatenate(name=f"{name}_output")([branch1, branch3, branch5, pooled])


def _torchvision(x: Tensor) -> Tensor:
    x = _conv_bn(x, 64, 7, name="conv1_7x7_s2", strides=2)
    x = ops.max_pool2d(x, 3, 2, ceil_mode=True)  # as in Caffe: a last, partial window counts
    x = _conv_bn(x, 64, 1, name="conv2_3x3_reduce")
    x = _conv_bn(x, 192, 3, name="conv2_3x3")
    x = ops.max_pool2d(x, 3, 2, ceil_mode=True)
    for name, filters in _INCEPTIONS.items():
        if name in ("4a", "5a"):
            x = ops.max_pool2d(x, 3 if name == "4a" else 2, 2, ceil_mode=True)
        x = _inception(x, filters, f"inception_{name}", _conv_bn)
    return x


_TORCH_LAYERS = {"conv1": "conv1_7x7_s2", "conv2": "conv2_3x3_reduce", "conv3": "conv2_3x3"}
_TORCH_BRANCHES = {
    "1": "1x1",
    "2.0": "3x3_reduce",
    "2.1": "3x3",
    "3.0": "5x5_reduce",
    "3.1": "5x5",
    "4.1": "pool_proj",
}


def _layer_of(name: str) -> str:
    """Translate torchvision's names.

    Examples
    --------
    >>> _layer_of("conv1.conv"), _layer_of("inception4a.branch3.0.bn")
    ('conv1_7x7_s2', 'inception_4a_5x5_reduce_bn')
    """
    if name.startswith(("aux1.", "aux2.")):
        return "auxiliary"
    block, _, kind = name.rpartition(".")
    match = re.fullmatch(r"inception(\d\w)\.branch([\d.]+)", block)
    if match:
        block = f"inception_{match[1]}_{_TORCH_BRANCHES.get(match[2], match[2])}"
    elif block not in _TORCH_LAYERS:
        return {"fc": "predictions"}.get(name, name)
    return _TORCH_LAYERS.get(block, block) + ("_bn" if kind == "bn" else "")


@application(
    "googlenet",
    top=partial(average_and_classify, dropout=0.4),
    layer_of=_layer_of,
    variants={"torchvision": Variant(_torchvision, "conv1.conv.weight", mode="tf")},
    dropped=("auxiliary",),
)
def GoogLeNet(x: Tensor) -> Tensor:  # noqa: N802 - in Keras' way
    """Make GoogLeNet: 7.0 million weights."""
    x = _conv(x, 64, 7, strides=2, name="conv1_7x7_s2")
    x = _normalize(_halve(x, "pool1_3x3_s2"), "pool1_norm1")
    x = _conv(x, 64, 1, name="conv2_3x3_reduce")
    x = _conv(x, 192, 3, name="conv2_3x3")
    x = _halve(_normalize(x, "conv2_norm2"), "pool2_3x3_s2")
    for name, filters in _INCEPTIONS.items():
        if name in ("4a", "5a"):
            x = _halve(x, f"pool{int(name[0]) - 1}_3x3_s2")
        x = _inception(x, filters, f"inception_{name}")
    return x
