"""ResNet: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015.

ResNet-50, 101 and 152 are those of Keras: the convolutions have biases, and the first convolution
of a bottleneck takes the stride. The variant "torchvision" has no biases and gives the stride to
the second, "ResNet v1.5". ResNet-18 and 34 are torchvision's, with names in Keras' way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn.applications import imagenet
from fastcnn.applications._application import Tensor, Variant, application
from fastcnn.applications.imagenet import decode_predictions

__all__ = [
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "decode_predictions",
    "preprocess_input",
]


def preprocess_input(x: NDArray[Any], mode: imagenet.Mode = "caffe") -> NDArray[np.float32]:
    """Preprocess RGB pictures of 0 to 255: "caffe" for ResNet-50, 101 and 152,
    "torch" for 18, 34 and torchvision's weights.

    See `fastcnn.applications.imagenet.preprocess_input`.
    """
    return imagenet.preprocess_input(x, mode)


def _conv_bn(
    x: Tensor, filters: int, kernel_size: int, *, name: str, use_bias: bool, **options: Any
) -> Tensor:
    """Convolution and batch normalisation; with a bias in between, epsilon is Keras' too."""
    x = layers.Conv2D(filters, kernel_size, use_bias=use_bias, name=f"{name}_conv", **options)(x)
    epsilon = 1.001e-5 if use_bias else 1e-5
    return layers.BatchNormalization(epsilon=epsilon, name=f"{name}_bn")(x)


def _basic(x: Tensor, filters: int, *, stride: int, project: bool, name: str) -> Tensor:
    """Two 3x3 convolutions around which the picture takes a shortcut."""
    shortcut = x
    if project:
        shortcut = _conv_bn(x, filters, 1, strides=stride, name=f"{name}_0", use_bias=False)
    # Padding in numbers: "same" would put all of it below and right where the stride is 2.
    x = _conv_bn(x, filters, 3, strides=stride, padding=1, name=f"{name}_1", use_bias=False)
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = _conv_bn(x, filters, 3, padding=1, name=f"{name}_2", use_bias=False)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _bottleneck(
    x: Tensor, filters: int, *, stride: int, project: bool, name: str, late: bool = False
) -> Tensor:
    """A 3x3 convolution between two 1x1 that make it cheap: fewer channels in, four times out.

    With `late` the stride is the second convolution's, and there are no biases.
    """
    shortcut, first, second = x, stride, 1
    if late:
        first, second = 1, stride
    bias = not late
    if project:
        shortcut = _conv_bn(x, 4 * filters, 1, strides=stride, name=f"{name}_0", use_bias=bias)
    x = _conv_bn(x, filters, 1, strides=first, name=f"{name}_1", use_bias=bias)
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = _conv_bn(x, filters, 3, strides=second, padding=1, name=f"{name}_2", use_bias=bias)
    x = layers.Activation("relu", name=f"{name}_2_relu")(x)
    x = _conv_bn(x, 4 * filters, 1, name=f"{name}_3", use_bias=bias)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


_late_bottleneck = partial(_bottleneck, late=True)


def _resnet(x: Tensor, block: Callable[..., Tensor], blocks: tuple[int, ...]) -> Tensor:
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = _conv_bn(x, 64, 7, strides=2, name="conv1", use_bias=block is _bottleneck)
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)  # of zeros, below which no ReLU goes
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, count in enumerate(blocks):
        for index in range(count):
            first = index == 0
            x = block(
                x,
                64 * 2**stage,
                stride=2 if first and stage > 0 else 1,
                # The shortcut needs a convolution where the shape changes.
                project=first and (stage > 0 or block is not _basic),
                name=f"conv{stage + 2}_block{index + 1}",
            )
    return x


_KERAS_2 = re.compile(r"(res|bn)(\d)([a-z])_branch(1|2a|2b|2c)")
_TORCH = re.compile(r"layer(\d)\.(\d\d?)\.(conv|bn|downsample\.)(\d)")
_RENAMED = {
    "conv1": "conv1_conv",
    "bn_conv1": "conv1_bn",
    "bn1": "conv1_bn",
    "fc1000": "predictions",
    "fc": "predictions",
}


def _layer_of(name: str) -> str:
    """Translate names of Keras before 2.3 and of torchvision.

    Examples
    --------
    >>> _layer_of("bn2a_branch2b"), _layer_of("layer1.0.bn2"), _layer_of("layer2.0.downsample.0")
    ('conv2_block1_2_bn', 'conv2_block1_2_bn', 'conv3_block1_0_conv')
    """
    if match := _KERAS_2.fullmatch(name):
        kind, stage, block, part = match.groups()
        kind = {"res": "conv", "bn": "bn"}[kind]
        index = "abcdefghijklmnopqrstuvwxyz".index(block) + 1
        return f"conv{stage}_block{index}_{('1', '2a', '2b', '2c').index(part)}_{kind}"
    if match := _TORCH.fullmatch(name):
        stage, block, kind, number = match.groups()
        if kind == "downsample.":
            kind, number = ("conv", "bn")[int(number) % 2], "0"
        return f"conv{int(stage) + 1}_block{int(block) + 1}_{number}_{kind}"
    return _RENAMED.get(name, name)


def _torchvision(*blocks: int) -> dict[str, Variant]:
    features = partial(_resnet, block=_late_bottleneck, blocks=blocks)
    return {"torchvision": Variant(features, sign="layer1.0.conv1.weight")}


@application("resnet18", mode="torch", layer_of=_layer_of)
def ResNet18(x: Tensor) -> Tensor:  # noqa: N802 - in Keras' way
    """Make ResNet-18: 11.7 million weights."""
    return _resnet(x, _basic, (2, 2, 2, 2))


@application("resnet34", mode="torch", layer_of=_layer_of)
def ResNet34(x: Tensor) -> Tensor:  # noqa: N802 - in Keras' way
    """Make ResNet-34: 21.8 million weights."""
    return _resnet(x, _basic, (3, 4, 6, 3))


@application("resnet50", layer_of=_layer_of, variants=_torchvision(3, 4, 6, 3))
def ResNet50(x: Tensor) -> Tensor:  # noqa: N802 - Keras' name
    """Make ResNet-50: 25.6 million weights."""
    return _resnet(x, _bottleneck, (3, 4, 6, 3))


@application("resnet101", layer_of=_layer_of, variants=_torchvision(3, 4, 23, 3))
def ResNet101(x: Tensor) -> Tensor:  # noqa: N802 - Keras' name
    """Make ResNet-101: 44.7 million weights."""
    return _resnet(x, _bottleneck, (3, 4, 23, 3))


@application("resnet152", layer_of=_layer_of, variants=_torchvision(3, 8, 36, 3))
def ResNet152(x: Tensor) -> Tensor:  # noqa: N802 - Keras' name
    """Make ResNet-152: 60.4 million weights."""
    return _resnet(x, _bottleneck, (3, 8, 36, 3))
