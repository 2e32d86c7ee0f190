"""ZFNet: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2013.

AlexNet after looking into it with a deconvnet: smaller windows and strides in the first layers, so
that no frequencies are skipped. Figure 3 of the paper. Where the paper says no more than "contrast
normalised", AlexNet's local response normalisation is taken.
"""

from __future__ import annotations

from typing import Any

from fastcnn import layers
from fastcnn.applications._application import Tensor, application
from fastcnn.applications.imagenet import decode_predictions, preprocess_input

__all__ = ["ZFNet", "decode_predictions", "preprocess_input"]


def _normalize(x: Tensor, name: str) -> Tensor:
    """AlexNet's constants; its alpha multiplies the sum of squares, ours their mean."""
    return layers.LocalResponseNormalization(5, alpha=5 * 1e-4, beta=0.75, k=2.0, name=name)(x)


def _top(x: Tensor, classes: int, activation: Any) -> Tensor:
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
        x = layers.Dropout(0.5, name=f"{name}_dropout")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


@application("zfnet", top=_top, top_layers=("fc6", "fc7", "predictions"), min_size=53)
def ZFNet(x: Tensor) -> Tensor:  # noqa: N802 - in Keras' way
    """Make ZFNet: 62 million weights, of which 59 million are in the top."""
    x = layers.Conv2D(96, 7, strides=2, padding=1, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    x = _normalize(x, "norm1")
    x = layers.Conv2D(256, 5, strides=2, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool2")(x)
    x = _normalize(x, "norm2")
    x = layers.Conv2D(384, 3, padding="same", activation="relu", name="conv3")(x)
    x = layers.Conv2D(384, 3, padding="same", activation="relu", name="conv4")(x)
    x = layers.Conv2D(256, 3, padding="same", activation="relu", name="conv5")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool5")(x)
