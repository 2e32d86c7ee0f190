"""SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
<0.5MB model size", 2016. Version 1.1, which computes 2.4 times less than the paper's.

The network is torchvision's; its weights fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers, ops
from fastcnn.applications import imagenet
from fastcnn.applications._application import Tensor, application
from fastcnn.applications.imagenet import decode_predictions

__all__ = ["SqueezeNet", "decode_predictions", "preprocess_input"]

# Of fire2, fire3 ...: filters of the squeezing layer and of each expanding one.
_FIRES = (
    (16, 64),
    (16, 64),
    (32, 128),
    (32, 128),
    (48, 192),
    (48, 192),
    (64, 256),
    (64, 256),
)


def preprocess_input(x: NDArray[Any]) -> NDArray[np.float32]:
    """Normalise RGB pictures of 0 to 255 as torch does; see `fastcnn.applications.imagenet`."""
    return imagenet.preprocess_input(x, "torch")


def _halve(x: Tensor) -> Tensor:
    return ops.max_pool2d(x, 3, 2, ceil_mode=True)  # as in Caffe: a last, partial window counts


def _conv(x: Tensor, filters: int, size: int, name: str) -> Tensor:
    return layers.Conv2D(filters, size, padding="same", activation="relu", name=name)(x)


def _fire(x: Tensor, squeeze: int, expand: int, name: str) -> Tensor:
    """Squeeze the channels to few, so that the 3x3 convolutions behind them need few weights."""
    x = _conv(x, squeeze, 1, f"{name}_squeeze")
    ones = _conv(x, expand, 1, f"{name}_expand1x1")
    threes = _conv(x, expand, 3, f"{name}_expand3x3")
    return layers.Concatenate(name=f"{name}_concat")([ones, threes])


def _top(x: Tensor, classes: int, activation: Any) -> Tensor:
    """Classify each place, then average: a top without a dense layer."""
    x = layers.Dropout(0.5, name="drop9")(x)
    x = _conv(x, classes, 1, "conv10")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return layers.Activation(activation, name="predictions")(x)


_TORCH_LAYERS = {
    "features.0": "conv1",
    "classifier.1": "conv10",
    **{
        f"features.{place}.{part}": f"fire{number}_{part}"
        for number, place in enumerate((3, 4, 6, 7, 9, 10, 11, 12), start=2)
        for part in ("squeeze", "expand1x1", "expand3x3")
    },
}


def _layer_of(name: str) -> str:
    """Translate torchvision's names.

    Examples
    --------
    >>> _layer_of("features.0"), _layer_of("features.6.expand3x3")
    ('conv1', 'fire4_expand3x3')
    """
    return _TORCH_LAYERS.get(name, name)


@application(
    "squeezenet", top=_top, top_layers=("conv10",), mode="torch", min_size=25, layer_of=_layer_of
)
def SqueezeNet(x: Tensor) -> Tensor:  # noqa: N802 - in Keras' way
    """Make SqueezeNet 1.1: 1.2 million weights."""
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(x)
    x = _halve(x)
    for number, (squeeze, expand) in enumerate(_FIRES, start=2):
        if number in (4, 6):
            x = _halve(x)
        x = _fire(x, squeeze, expand, f"fire{number}")
    return x
