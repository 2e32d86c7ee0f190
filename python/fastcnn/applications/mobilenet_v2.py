"""MobileNetV2: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and
Linear Bottlenecks", 2018.

Layers and their names are those of Keras. The variant "torchvision" pads pictures on all sides
alike where it halves them, and has another epsilon.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn.applications import imagenet
from fastcnn.applications._application import (
    Application,
    Shape,
    Tensor,
    Variant,
    with_application,
)
from fastcnn.applications._blocks import InvertedResidualNames, inverted_residual
from fastcnn.applications.imagenet import decode_predictions
from fastcnn.errors import ConfigError
from fastcnn.io._files import StrPath
from fastcnn.model import Model

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

# Table 2 of the paper: expansion, filters, repeats, stride of the first.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

_MOMENTUM = 0.999

_NAMES = InvertedResidualNames(
    expand=("expand", "expand_BN", "expand_relu"),
    pad="pad",
    depthwise=("depthwise", "depthwise_BN", "depthwise_relu"),
    project=("project", "project_BN"),
    drop="drop",
    add="add",
)


def preprocess_input(x: NDArray[Any]) -> NDArray[np.float32]:
    """Bring RGB pictures of 0 to 255 to -1..1; see `fastcnn.applications.imagenet`."""
    return imagenet.preprocess_input(x, "tf")


def _make_divisible(filters: float, divisor: int = 8) -> int:
    """Round to a multiple, but not down by more than a tenth.

    Examples
    --------
    >>> _make_divisible(32 * 0.35), _make_divisible(24 * 0.5)
    (16, 16)
    """
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * filters else rounded


def _features(x: Tensor, alpha: float = 1.0, torch: bool = False) -> Tensor:
    epsilon = 1e-5 if torch else 1e-3

    def conv_bn(
        x: Tensor, filters: int, size: int, names: tuple[str, str, str], **options: Any
    ) -> Tensor:
        conv, norm, relu6 = names
        x = layers.Conv2D(filters, size, use_bias=False, name=conv, **options)(x)
        x = layers.BatchNormalization(epsilon=epsilon, momentum=_MOMENTUM, name=norm)(x)
        return layers.ReLU(6.0, name=relu6)(x)

    x = conv_bn(
        x, _make_divisible(32 * alpha), 3, ("Conv1", "bn_Conv1", "Conv1_relu"),
        strides=2, padding=1 if torch else "same",
    )  # fmt: skip
    block = 0
    for expansion, filters, repeats, stride in _STAGES:
        for repeat in range(repeats):
            x = inverted_residual(
                x,
                _make_divisible(int(filters * alpha)),
                expansion=expansion,
                strides=1 if repeat else stride,
                momentum=_MOMENTUM,
                epsilon=epsilon,
                symmetric=torch,
                prefix=f"block_{block}_" if block else "expanded_conv_",
                names=_NAMES,
            )
            block += 1
    # Narrower networks keep the full width here.
    last = _make_divisible(1280 * max(alpha, 1.0))
    return conv_bn(x, last, 1, ("Conv_1", "Conv_1_bn", "out_relu"))


_TORCH_LAYERS = {
    "features.0.0": "Conv1",
    "features.0.1": "bn_Conv1",
    "features.18.0": "Conv_1",
    "features.18.1": "Conv_1_bn",
    "classifier.1": "predictions",
}
_TORCH_PARTS = {
    "0.0": "expand",
    "0.1": "expand_BN",
    "1.0": "depthwise",
    "1.1": "depthwise_BN",
    "2": "project",
    "3": "project_BN",
}
_TORCH_FIRST = {"0.0": "depthwise", "0.1": "depthwise_BN", "1": "project", "2": "project_BN"}


def _layer_of(name: str) -> str:
    """Translate torchvision's names.

    Examples
    --------
    >>> _layer_of("features.1.conv.1"), _layer_of("features.4.conv.1.0")
    ('expanded_conv_project', 'block_3_depthwise')
    """
    match = re.fullmatch(r"features\.(\d\d?)\.conv\.([\d.]+)", name)
    if match is None:
        return _TORCH_LAYERS.get(name, name)
    block = int(match[1]) - 1
    parts = _TORCH_PARTS if block else _TORCH_FIRST
    return f"{f'block_{block}' if block else 'expanded_conv'}_{parts.get(match[2], match[2])}"


def _variants(alpha: float) -> dict[str, Variant]:
    features = partial(_features, alpha=alpha, torch=True)
    return {"torchvision": Variant(features, sign="features.1.conv.0.0.weight")}


_NETWORK = Application(
    "mobilenet_v2", _features, mode="tf", layer_of=_layer_of, variants=_variants(1.0)
)


def MobileNetV2(  # noqa: N802 - Keras' name
    input_shape: Shape | None = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: StrPath | None = None,
    input_tensor: Tensor | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
    variant: str | None = None,
) -> Model:
    """Make MobileNetV2: 3.5 million weights when `alpha`, the width, is 1.

    The arguments come in Keras' order, which is not that of the other networks. `alpha` scales the
    number of filters of every layer but the last. The model's name tells it and the size, as in
    Keras.
    """
    if not alpha > 0:
        raise ConfigError(f"mobilenet_v2: expected alpha > 0, got {alpha}")
    network = _NETWORK
    if alpha != 1.0:
        features = partial(_features, alpha=alpha)
        network = replace(
            network,
            name=f"mobilenet_v2_{alpha:0.2f}",
            features=features,
            variants=_variants(alpha),
        )
    shape = input_tensor.shape[1:] if input_tensor is not None else input_shape
    rows = (shape[0] if shape else None) or network.size
    return network.build(
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name or f"mobilenetv2_{alpha:0.2f}_{rows}",
        variant=variant,
    )


with_application(MobileNetV2, _NETWORK, MobileNetV2.__doc__)
