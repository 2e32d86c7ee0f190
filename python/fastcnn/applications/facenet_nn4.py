"""FaceNet's "NN4", the small one that OpenFace published: 128 numbers for a face of 96 x 96 pixels.

Schroff et al., "FaceNet", 2015; Amos et al., "OpenFace", 2016 (nn4.small2). Courses teach it with
layers of the names used here, and with OpenFace's weights as folders of CSV files; they leave out
OpenFace's local response normalisation and its pooling by root sums of squares, so that their
encodings differ a little from those that were trained.
"""

from __future__ import annotations

from typing import Any

from fastcnn import layers, ops
from fastcnn.applications._application import Tensor
from fastcnn.errors import ShapeError
from fastcnn.io._files import StrPath
from fastcnn.model import Model

__all__ = ["FaceNetNN4", "preprocess_input"]

_EPSILON = 1e-5


def FaceNetNN4(  # noqa: N802 - in Keras' way
    weights: StrPath | None = None,
    input_shape: tuple[int, int, int] = (96, 96, 3),
    as_trained: bool = True,
    name: str = "facenet_nn4",
) -> Model:
    """Make the network: 3.7 million weights.

    Parameters
    ----------
    weights : path, optional
        A folder of CSV files as OpenFace's weights are spread in, see `fastcnn.io.load_openface`,
        or a file that `fastcnn.io.load_weights_file` reads; random weights without.
    input_shape : (int, int, int), default (96, 96, 3)
        The poolings only fit pictures of 96 x 96.
    as_trained : bool, default True
        As OpenFace trained it. False: as courses have it, without local response normalisation and
        with average pooling for L2 pooling.
    name : str, default "facenet_nn4"

    Returns
    -------
    Model
        From RGB pictures divided by 255 to vectors of length 1. Two of one person are near.

    Raises
    ------
    ShapeError
        The pictures have another size.
    MissingWeightsError, FileFormatError
        There are no such weights, or they are damaged.

    Examples
    --------
    >>> FaceNetNN4().output_shape
    (None, 128)
    """
    if tuple(input_shape) != (96, 96, 3):
        raise ShapeError(f"facenet_nn4: expected input_shape (96, 96, 3), got {input_shape}")
    x = image = layers.Input(input_shape)
    x = _conv(x, 64, 7, "conv1", "bn1", strides=2, epsilon=_EPSILON if as_trained else 1e-3)
    x = layers.MaxPooling2D(3, strides=2, padding=1, name="pool1")(x)
    if as_trained:
        x = layers.LocalResponseNormalization(name="lrn1")(x)
    x = _conv(x, 64, 1, "conv2", "bn2")
    x = _conv(x, 192, 3, "conv3", "bn3")
    if as_trained:
        x = layers.LocalResponseNormalization(name="lrn2")(x)
    x = layers.MaxPooling2D(3, strides=2, padding=1, name="pool2")(x)

    spread = _l2_pool if as_trained else _average_pool
    x = _inception(x, "3a", (96, 128), (16, 32), (_max_pool, 32, (3, 4)), 64)
    x = _inception(x, "3b", (96, 128), (32, 64), (spread, 64, (4, 4)), 64)
    x = _inception(x, "3c", (128, 256), (32, 64), (_max_pool, 0, (0, 1)), 0, strides=2)
    x = _inception(x, "4a", (96, 192), (32, 64), (spread, 128, (2, 2)), 256)
    x = _inception(x, "4e", (160, 256), (64, 128), (_max_pool, 0, (0, 1)), 0, strides=2)
    x = _inception(x, "5a", (96, 384), None, (spread, 96, (1, 1)), 256)
    x = _inception(x, "5b", (96, 384), None, (_max_pool, 96, (1, 1)), 256)

    x = layers.AveragePooling2D(3, strides=1, name="avg_pool")(x)
    x = layers.Dense(128, name="dense_layer")(layers.Flatten(name="flatten")(x))
    model = Model(image, layers.UnitNormalization(name="normalize")(x), name=name)
    if weights is not None:
        _load(model, weights)
    return model


def preprocess_input(x: Any) -> Any:
    """Bring RGB pictures of bytes (96 x 96 pixels) to what the network takes."""
    return ops.multiply(x, 1 / 255)


def _conv(
    x: Tensor,
    filters: int,
    size: int,
    conv: str,
    norm: str,
    *,
    strides: int = 1,
    epsilon: float = _EPSILON,
) -> Tensor:
    x = layers.Conv2D(filters, size, strides=strides, padding=size // 2, name=conv)(x)
    x = layers.BatchNormalization(epsilon=epsilon, name=norm)(x)
    return layers.ReLU(name=f"{norm}_relu")(x)


def _max_pool(x: Tensor, name: str) -> Tensor:
    return layers.MaxPooling2D(3, strides=2, name=name)(x)


def _average_pool(x: Tensor, name: str) -> Tensor:
    return layers.AveragePooling2D(3, strides=3, name=name)(x)


def _l2_pool(x: Tensor, name: str) -> Tensor:
    """Root of the sum of the nine squares."""
    mean = layers.AveragePooling2D(3, strides=3, name=name)(ops.square(x))
    return ops.sqrt(ops.multiply(mean, 9.0))


def _inception(
    x: Tensor,
    name: str,
    three: tuple[int, int],
    five: tuple[int, int] | None,
    pool: tuple[Any, int, tuple[int, int]],
    one: int,
    strides: int = 1,
) -> Tensor:
    """Look with windows of several sizes at once.

    `three` and `five` are the filters of a 1x1 convolution and of the one behind it; `pool` is a
    pooling, the filters behind it (0: none) and the zeros that bring the picture back to size.
    """
    prefix = f"inception_{name}"

    def branch(filters: tuple[int, int], size: int) -> Tensor:
        part = f"{prefix}_{size}x{size}"
        y = _conv(x, filters[0], 1, f"{part}_conv1", f"{part}_bn1")
        return _conv(y, filters[1], size, f"{part}_conv2", f"{part}_bn2", strides=strides)

    found = [branch(three, 3)]
    if five is not None:
        found.append(branch(five, 5))
    pooling, filters, margin = pool
    y = pooling(x, f"{prefix}_pool")
    if filters:
        y = _conv(y, filters, 1, f"{prefix}_pool_conv", f"{prefix}_pool_bn")
    found.append(layers.ZeroPadding2D((margin, margin), name=f"{prefix}_pool_pad")(y))
    if one:
        found.append(_conv(x, one, 1, f"{prefix}_1x1_conv", f"{prefix}_1x1_bn"))
    return layers.Concatenate(name=prefix)(found)


def _load(model: Model, weights: StrPath) -> None:
    from fastcnn.applications.weights import load_into
    from fastcnn.io.formats import format_of
    from fastcnn.io.openface import assign_openface

    if format_of(weights).name == "openface":
        assign_openface(model, weights)
    else:
        load_into(model, weights)
