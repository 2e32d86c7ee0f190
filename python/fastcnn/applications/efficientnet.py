"""EfficientNet-B0: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", 2019.

Layers and their names are those of Keras, whose network begins by scaling pictures of 0 to 255. The
variant "torchvision" leaves that to mode="torch", pads pictures on all sides alike where it halves
them, and has another epsilon.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn.applications import imagenet
from fastcnn.applications._application import Tensor, Variant, application, average_and_classify
from fastcnn.applications._blocks import InvertedResidualNames, correct_pad, inverted_residual
from fastcnn.applications.efficientnet_lite import BLOCKS, DROP_RATE
from fastcnn.applications.imagenet import decode_predictions

__all__ = ["EfficientNetB0", "decode_predictions", "preprocess_input"]

_NAMES = InvertedResidualNames(
    expand=("expand_conv", "expand_bn", "expand_activation"),
    pad="dwconv_pad",
    depthwise=("dwconv", "bn", "activation"),
    project=("project_conv", "project_bn"),
    drop="drop",
    add="add",
    excite=("se_squeeze", "se_reshape", "se_reduce", "se_expand", "se_excite"),
)


def preprocess_input(x: NDArray[Any], mode: imagenet.Mode = "raw") -> NDArray[np.float32]:
    """Give RGB pictures of 0 to 255 to Keras' network as they are; "torch" for torchvision's.

    See `fastcnn.applications.imagenet.preprocess_input`.
    """
    return imagenet.preprocess_input(x, mode)


_TORCH_LAYERS = {
    "features.0.0": "stem_conv",
    "features.0.1": "stem_bn",
    "features.8.0": "top_conv",
    "features.8.1": "top_bn",
    "classifier.1": "predictions",
}
_TORCH_PARTS = ("expand_conv", "expand_bn", "dwconv", "bn", "se_reduce", "se_expand",
                "project_conv", "project_bn")  # fmt: skip
_TORCH_PLACES = ("0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1")
_TORCH_FIRST = ("", "", "0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1")  # it expands nothing


def _layer_of(name: str) -> str:
    """Translate torchvision's names.

    Examples
    --------
    >>> _layer_of("features.1.0.block.0.0"), _layer_of("features.4.2.block.2.fc1")
    ('block1a_dwconv', 'block4c_se_reduce')
    """
    match = re.fullmatch(r"features\.([1-7])\.([0-3])\.block\.(\w+\.\w+)", name)
    if match is None:
        return _TORCH_LAYERS.get(name, name)
    stage, repeat, part = match.groups()
    places = _TORCH_FIRST if stage == "1" else _TORCH_PLACES
    if part in places:
        part = _TORCH_PARTS[places.index(part)]
    return f"block{stage}{'abcd'[int(repeat)]}_{part}"


def _swish(name: str) -> Any:
    return layers.Activation("silu", name=name)


def _features(x: Tensor, torch: bool = False) -> Tensor:
    epsilon = 1e-5 if torch else 1e-3
    if torch:
        x = layers.Conv2D(32, 3, strides=2, padding=1, use_bias=False, name="stem_conv")(x)
    else:
        x = layers.Rescaling(1 / 255, name="rescaling")(x)
        x = layers.Normalization(name="normalization")(x)
        x = layers.ZeroPadding2D(correct_pad(x, 3), name="stem_conv_pad")(x)
        x = layers.Conv2D(32, 3, strides=2, use_bias=False, name="stem_conv")(x)
    x = layers.BatchNormalization(epsilon=epsilon, name="stem_bn")(x)
    x = _swish("stem_activation")(x)
    for index, (prefix, kernel_size, expansion, filters, stride) in enumerate(BLOCKS):
        x = inverted_residual(
            x,
            filters,
            expansion=expansion,
            kernel_size=kernel_size,
            strides=stride,
            epsilon=epsilon,
            symmetric=torch,
            activation=_swish,
            squeeze=max(1, x.shape[-1] // 4),
            drop_rate=DROP_RATE * index / len(BLOCKS),
            prefix=prefix,
            names=_NAMES,
        )
    x = layers.Conv2D(1280, 1, padding="same", use_bias=False, name="top_conv")(x)
    x = layers.BatchNormalization(epsilon=epsilon, name="top_bn")(x)
    return _swish("top_activation")(x)


@application(
    "efficientnet_b0",
    top=partial(average_and_classify, dropout=0.2),
    mode="raw",
    method="bicubic",
    layer_of=_layer_of,
    variants={
        "torchvision": Variant(partial(_features, torch=True), sign="features.1.0.block.0.0.weight")
    },
)
def EfficientNetB0(x: Tensor) -> Tensor:  # noqa: N802 - Keras' name
    """Make EfficientNet-B0: 5.3 million weights."""
    return _features(x)
