"""Inception-ResNet v1: Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning", 2016, as the networks for faces have it since FaceNet
(Schroff et al., 2015): 160 px in, an embedding of 512 numbers and length 1 out.

The network is facenet-pytorch's, whose weights fit; layers have its names, with underscores for
dots.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers
from fastcnn.applications._application import Application, Shape, Tensor
from fastcnn.io._files import StrPath
from fastcnn.model import Model
from fastcnn.ops._dispatch import as_array

__all__ = ["InceptionResNetV1", "preprocess_input"]

_EMBEDDING = ("last_linear", "last_bn")


def preprocess_input(x: NDArray[Any]) -> NDArray[np.float32]:
    """Compute (x - 127.5) / 128 of RGB pictures of 0 to 255."""
    scaled: NDArray[np.float32] = (as_array(x) - np.float32(127.5)) / np.float32(128)
    return scaled


def _conv(x: Tensor, filters: int, size: Any, name: str, **options: Any) -> Tensor:
    """Convolution, batch normalisation, ReLU."""
    x = layers.Conv2D(filters, size, use_bias=False, name=name, **options)(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


_same = partial(_conv, padding="same")
_halving = partial(_conv, strides=2)


def _residual(x: Tensor, branches: list[Tensor], scale: float, name: str) -> Tensor:
    """Add to a picture what the branches make of it, scaled down so that deep networks learn."""
    mixed = layers.Concatenate(name=f"{name}_concat")(branches)
    mixed = layers.Conv2D(x.shape[-1], 1, name=f"{name}_conv2d")(mixed)
    mixed = layers.Rescaling(scale, name=f"{name}_scale")(mixed)
    return layers.Add(name=f"{name}_add")([mixed, x])


def _block35(x: Tensor, name: str) -> Tensor:
    one = _conv(x, 32, 1, f"{name}_branch0")
    three = _same(_conv(x, 32, 1, f"{name}_branch1_0"), 32, 3, f"{name}_branch1_1")
    five = _same(_conv(x, 32, 1, f"{name}_branch2_0"), 32, 3, f"{name}_branch2_1")
    five = _same(five, 32, 3, f"{name}_branch2_2")
    x = _residual(x, [one, three, five], 0.17, name)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _line(x: Tensor, filters: int, length: int, name: str) -> Tensor:
    """A window as a row, then as a column: as far as a square one, at less cost."""
    x = _conv(x, filters, 1, f"{name}_0")
    x = _same(x, filters, (1, length), f"{name}_1")
    return _same(x, filters, (length, 1), f"{name}_2")


def _block17(x: Tensor, name: str) -> Tensor:
    branches = [_conv(x, 128, 1, f"{name}_branch0"), _line(x, 128, 7, f"{name}_branch1")]
    return layers.Activation("relu", name=f"{name}_relu")(_residual(x, branches, 0.1, name))


def _block8(x: Tensor, name: str, scale: float = 0.2) -> Tensor:
    branches = [_conv(x, 192, 1, f"{name}_branch0"), _line(x, 192, 3, f"{name}_branch1")]
    return _residual(x, branches, scale, name)


def _mixed_6a(x: Tensor) -> Tensor:
    wide = _halving(x, 384, 3, "mixed_6a_branch0")
    deep = _same(_conv(x, 192, 1, "mixed_6a_branch1_0"), 192, 3, "mixed_6a_branch1_1")
    deep = _halving(deep, 256, 3, "mixed_6a_branch1_2")
    pooled = layers.MaxPooling2D(3, strides=2, name="mixed_6a_branch2")(x)
    return layers.Concatenate(name="mixed_6a")([wide, deep, pooled])


def _mixed_7a(x: Tensor) -> Tensor:
    first = _halving(_conv(x, 256, 1, "mixed_7a_branch0_0"), 384, 3, "mixed_7a_branch0_1")
    second = _halving(_conv(x, 256, 1, "mixed_7a_branch1_0"), 256, 3, "mixed_7a_branch1_1")
    deep = _same(_conv(x, 256, 1, "mixed_7a_branch2_0"), 256, 3, "mixed_7a_branch2_1")
    deep = _halving(deep, 256, 3, "mixed_7a_branch2_2")
    pooled = layers.MaxPooling2D(3, strides=2, name="mixed_7a_branch3")(x)
    return layers.Concatenate(name="mixed_7a")([first, second, deep, pooled])


def _features(x: Tensor) -> Tensor:
    x = _halving(x, 32, 3, "conv2d_1a")
    x = _conv(x, 32, 3, "conv2d_2a")
    x = _same(x, 64, 3, "conv2d_2b")
    x = layers.MaxPooling2D(3, strides=2, name="maxpool_3a")(x)
    x = _conv(x, 80, 1, "conv2d_3b")
    x = _conv(x, 192, 3, "conv2d_4a")
    x = _halving(x, 256, 3, "conv2d_4b")
    for i in range(5):
        x = _block35(x, f"repeat_1_{i}")
    x = _mixed_6a(x)
    for i in range(10):
        x = _block17(x, f"repeat_2_{i}")
    x = _mixed_7a(x)
    for i in range(5):
        x = _block8(x, f"repeat_3_{i}")
        x = layers.Activation("relu", name=f"repeat_3_{i}_relu")(x)
    return _block8(x, "block8", scale=1.0)


def _embed(x: Tensor, size: int, activation: Any) -> Tensor:
    x = layers.GlobalAveragePooling2D(name="avgpool_1a")(x)
    x = layers.Dropout(0.6, name="dropout")(x)
    x = layers.Dense(size, activation=activation, use_bias=False, name="last_linear")(x)
    x = layers.BatchNormalization(momentum=0.9, name="last_bn")(x)
    return layers.UnitNormalization(name="embedding")(x)


def _layer_of(name: str) -> str:
    """Translate facenet-pytorch's names.

    Examples
    --------
    >>> _layer_of("conv2d_1a.conv"), _layer_of("repeat_1.0.branch1.1.bn")
    ('conv2d_1a', 'repeat_1_0_branch1_1_bn')
    """
    return name.removesuffix(".conv").replace(".", "_")


_NETWORK = Application(
    "inception_resnet_v1",
    _features,
    top=_embed,
    top_layers=_EMBEDDING,
    size=160,
    min_size=75,
    layer_of=_layer_of,
    dropped=("logits",),
)


def InceptionResNetV1(  # noqa: N802 - in Keras' way
    include_top: bool = True,
    weights: StrPath | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    pooling: str | None = None,
    embedding_size: int = 512,
    name: str | None = None,
) -> Model:
    """Make Inception-ResNet v1: 23.5 million weights.

    Parameters
    ----------
    include_top : bool, default True
        Whether the model gives embeddings of length 1; without it, features of pictures.
    weights : None, "vggface2" or path, default None
        Random; those that `fastcnn.applications.weights` finds; or a file that
        `fastcnn.io.load_weights_file` reads, such as facenet-pytorch's.
    input_tensor, input_shape, pooling, name
        As of the other networks; (160, 160, 3) unless given.
    embedding_size : int, default 512

    Returns
    -------
    fastcnn.Model
        Its pictures are preprocessed by `preprocess_input` of this module.

    Examples
    --------
    >>> import fastcnn as fc
    >>> fc.applications.InceptionResNetV1().output_shape
    (None, 512)
    """
    return _NETWORK.build(
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=embedding_size,
        classifier_activation=None,
        name=name,
    )
