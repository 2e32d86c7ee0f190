"""EfficientNet-Lite0: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", 2019, in the variant for small devices (tensorflow/tpu, efficientnet/lite, 2020): no
squeeze-and-excitation, and ReLU6 in place of swish.

Layers are named as those of Keras' EfficientNets.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn.applications import imagenet
from fastcnn.applications._application import Tensor, application, average_and_classify
from fastcnn.applications._blocks import (
    InvertedResidualNames,
    correct_pad,
    inverted_residual,
)
from fastcnn.applications.imagenet import decode_predictions

__all__ = ["EfficientNetLite0", "decode_predictions", "preprocess_input"]

# Table 1 of the paper: kernel, repeats, expansion, filters, stride of the first.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 3, 6, 80, 2),
    (5, 3, 6, 112, 1),
    (5, 4, 6, 192, 2),
    (3, 1, 6, 320, 1),
)

# Of each block: "block1a_", "block2a_", "block2b_" ...; kernel, expansion, filters, stride.
BLOCKS = [
    (f"block{stage}{'abcd'[repeat]}_", kernel, expansion, filters, 1 if repeat else stride)
    for stage, (kernel, repeats, expansion, filters, stride) in enumerate(_STAGES, start=1)
    for repeat in range(repeats)
]

DROP_RATE = 0.2

_NAMES = InvertedResidualNames(
    expand=("expand_conv", "expand_bn", "expand_activation"),
    pad="dwconv_pad",
    depthwise=("dwconv", "bn", "activation"),
    project=("project_conv", "project_bn"),
    drop="drop",
    add="add",
)


def preprocess_input(x: NDArray[Any]) -> NDArray[np.float32]:
    """Compute (x - 127) / 128 of RGB pictures of 0 to 255; see `fastcnn.applications.imagenet`."""
    return imagenet.preprocess_input(x, "lite")


_TORCH_LAYERS = {
    "_conv_stem": "stem_conv",
    "_bn0": "stem_bn",
    "_conv_head": "top_conv",
    "_bn1": "top_bn",
    "_fc": "predictions",
}
_TORCH_PARTS = {
    "_expand_conv": "expand_conv",
    "_bn0": "expand_bn",
    "_depthwise_conv": "dwconv",
    "_bn1": "bn",
    "_project_conv": "project_conv",
    "_bn2": "project_bn",
}


def _layer_of(name: str) -> str:
    """Translate names of the package efficientnet-pytorch.

    Examples
    --------
    >>> _layer_of("_conv_stem"), _layer_of("_blocks.2._bn0")
    ('stem_conv', 'block2b_expand_bn')
    """
    match = re.fullmatch(r"_blocks\.(\d\d?)\.(\w+)", name)
    if match and int(match[1]) < len(BLOCKS):
        return BLOCKS[int(match[1])][0] + _TORCH_PARTS.get(match[2], match[2])
    return _TORCH_LAYERS.get(name, name)


@application(
    "efficientnet_lite0",
    top=partial(average_and_classify, dropout=0.2),
    mode="lite",
    method="bicubic",
    layer_of=_layer_of,
)
def EfficientNetLite0(x: Tensor) -> Tensor:  # noqa: N802 - in Keras' way
    """Make EfficientNet-Lite0: 4.7 million weights."""
    x = layers.ZeroPadding2D(correct_pad(x, 3), name="stem_conv_pad")(x)
    x = layers.Conv2D(32, 3, strides=2, use_bias=False, name="stem_conv")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_activation")(x)
    for index, (prefix, kernel_size, expansion, filters, stride) in enumerate(BLOCKS):
        x = inverted_residual(
            x,
            filters,
            expansion=expansion,
            kernel_size=kernel_size,
            strides=stride,
            drop_rate=DROP_RATE * index / len(BLOCKS),
            prefix=prefix,
            names=_NAMES,
        )
    x = layers.Conv2D(1280, 1, padding="same", use_bias=False, name="top_conv")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name="top_bn")(x)
    return layers.ReLU(6.0, name="top_activation")(x)
