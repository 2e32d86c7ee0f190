"""ResNet-20 for pictures of 32 px: He, Zhang, Ren and Sun, "Deep Residual Learning for Image
Recognition", 2015, section 4.2, whose shortcuts have no weights.

The network is that of akamaster/pytorch_resnet_cifar10, whose weights fit; layers have its names,
with underscores for dots.
"""

from __future__ import annotations

from typing import Any

from fastcnn import layers, ops
from fastcnn.applications._application import Application, Shape, Tensor, average_and_classify
from fastcnn.io._files import StrPath
from fastcnn.model import Model

__all__ = ["ResNet20"]


def _conv_bn(x: Tensor, filters: int, stride: int, conv: str, norm: str) -> Tensor:
    x = layers.Conv2D(filters, 3, strides=stride, padding=1, use_bias=False, name=conv)(x)
    return layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=norm)(x)


def _block(x: Tensor, filters: int, stride: int, name: str) -> Tensor:
    shortcut = x
    if stride != 1:  # every other pixel, and channels of zeros around the others
        margin = (filters - x.shape[-1]) // 2
        shortcut = layers.MaxPooling2D(1, strides=stride, name=f"{name}_shortcut")(x)
        shortcut = ops.pad(shortcut, ((0, 0), (0, 0), (0, 0), (margin, margin)))
    x = _conv_bn(x, filters, stride, f"{name}_conv1", f"{name}_bn1")
    x = layers.Activation("relu", name=f"{name}_relu1")(x)
    x = _conv_bn(x, filters, 1, f"{name}_conv2", f"{name}_bn2")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.Activation("relu", name=f"{name}_relu2")(x)


def _features(x: Tensor) -> Tensor:
    x = _conv_bn(x, 16, 1, "conv1", "bn1")
    x = layers.Activation("relu", name="relu1")(x)
    for stage, filters in enumerate((16, 32, 64), start=1):
        for index in range(3):
            x = _block(x, filters, 2 if stage > 1 and index == 0 else 1, f"layer{stage}_{index}")
    return x


def _layer_of(name: str) -> str:
    """Translate names of akamaster/pytorch_resnet_cifar10.

    Examples
    --------
    >>> _layer_of("module.layer1.0.conv1"), _layer_of("module.linear")
    ('layer1_0_conv1', 'predictions')
    """
    name = name.removeprefix("module.").replace(".", "_")
    return {"linear": "predictions"}.get(name, name)


_NETWORK = Application(
    "resnet20", _features, top=average_and_classify, size=32, min_size=4, layer_of=_layer_of
)


def ResNet20(  # noqa: N802 - in Keras' way
    include_top: bool = True,
    weights: StrPath | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    classes: int = 10,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """Make ResNet-20: 0.27 million weights, for CIFAR-10 and other small pictures.

    Parameters
    ----------
    include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        As of the other networks; (32, 32, 3) and 10 classes unless given. Pictures are preprocessed
        by mode="torch" of `fastcnn.applications.imagenet.preprocess_input`.

    Returns
    -------
    fastcnn.Model

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.applications.ResNet20().count_params()
    271098
    """
    return _NETWORK.build(
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name,
    )
