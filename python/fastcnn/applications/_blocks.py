"""Building blocks that several families of networks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastcnn import layers, ops
from fastcnn.errors import ShapeError

Tensor = Any
Margins = tuple[tuple[int, int], tuple[int, int]]


def correct_pad(x: Tensor, kernel_size: int) -> Margins:
    """Zeros around a picture for which a "valid" convolution of stride 2 does what "same" would.

    As in Keras, a size that is not known counts as even.

    Examples
    --------
    >>> from fastcnn import Input
    >>> correct_pad(Input((224, 225, 3)), 3)
    ((0, 1), (1, 1))
    """
    before, after = kernel_size // 2, kernel_size // 2
    top, left = (before - (size is None or size % 2 == 0) for size in x.shape[1:3])
    return (top, after), (left, after)


def relu6(name: str) -> Any:
    """Make the activation of networks for small devices."""
    return layers.ReLU(6.0, name=name)


class InvertedResidualNames(NamedTuple):
    """What a family calls the layers of its inverted residual blocks."""

    expand: tuple[str, str, str]
    pad: str
    depthwise: tuple[str, str, str]
    project: tuple[str, str]
    drop: str
    add: str
    excite: tuple[str, str, str, str, str] = ("", "", "", "", "")


def inverted_residual(
    x: Tensor,
    filters: int,
    *,
    expansion: int,
    kernel_size: int = 3,
    strides: int = 1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    symmetric: bool = False,
    activation: Callable[[str], Any] = relu6,
    squeeze: int = 0,
    drop_rate: float = 0.0,
    prefix: str,
    names: InvertedResidualNames,
) -> Tensor:
    """Expand the channels, filter each, project to few: MobileNetV2's block.

    The shortcut joins the two ends, which are narrow, where other residual blocks are wide; the
    projection has no activation, which would lose information there. `symmetric` pads as torch
    does, by as many pixels on all sides. With `squeeze`, so many numbers computed of the whole
    picture weigh its channels (Hu et al., "Squeeze-and-Excitation Networks", 2017).
    """

    def batch_norm(x: Tensor, name: str) -> Tensor:
        return layers.BatchNormalization(epsilon=epsilon, momentum=momentum, name=prefix + name)(x)

    def pointwise(x: Tensor, filters: int, name: str) -> Tensor:
        return layers.Conv2D(filters, 1, padding="same", use_bias=False, name=prefix + name)(x)

    shortcut, channels = x, x.shape[-1]
    if expansion != 1:
        conv, norm, active = names.expand
        x = batch_norm(pointwise(x, expansion * channels, conv), norm)
        x = activation(prefix + active)(x)

    conv, norm, active = names.depthwise
    padding: Any = "same" if strides == 1 else "valid"
    if symmetric:
        padding = kernel_size // 2
    elif strides == 2:
        x = layers.ZeroPadding2D(correct_pad(x, kernel_size), name=prefix + names.pad)(x)
    x = layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        name=prefix + conv,
    )(x)
    x = batch_norm(x, norm)
    x = activation(prefix + active)(x)
    if squeeze:
        x = _excite(x, squeeze, [prefix + name for name in names.excite])

    conv, norm = names.project
    x = batch_norm(pointwise(x, filters, conv), norm)
    if strides == 1 and channels == filters:
        if drop_rate:
            x = layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=prefix + names.drop)(x)
        x = layers.Add(name=prefix + names.add)([shortcut, x])
    return x


def _excite(x: Tensor, squeeze: int, names: list[str]) -> Tensor:
    """Weigh the channels by what the whole picture says of them."""
    average, reshape, reduce, expand, multiply = names
    channels = x.shape[-1]
    weights = layers.GlobalAveragePooling2D(name=average)(x)
    weights = layers.Reshape((1, 1, channels), name=reshape)(weights)
    weights = layers.Conv2D(squeeze, 1, padding="same", activation="silu", name=reduce)(weights)
    weights = layers.Conv2D(channels, 1, padding="same", activation="sigmoid", name=expand)(weights)
    return layers.Multiply(name=multiply)([x, weights])


def darknet_reorg(x: Tensor, stride: int, owner: str) -> Tensor:
    """Move blocks of pixels to channels as Darknet does by an old mistake.

    It takes the memory of c channels for c / stride^2 channels of a picture stride times as
    large, of which it then takes the blocks; networks were trained with it.
    """
    _, h, w, c = x.shape
    if h is None or w is None or c % stride**2 or h % stride or w % stride:
        raise ShapeError(f"{owner}: stride {stride} does not fit a picture {x.shape}")
    few, many = c // stride**2, c * stride**2
    x = ops.reshape(ops.transpose(x, (0, 3, 1, 2)), (-1, few, h, stride, w, stride))
    x = ops.reshape(ops.transpose(x, (0, 3, 5, 1, 2, 4)), (-1, many, h // stride, w // stride))
    return ops.transpose(x, (0, 2, 3, 1))
