"""GoogLeNet: Szegedy et al., "Going Deeper with Convolutions", 2014; also called Inception v1.

The network of the paper's Table 1, with local response normalisation and without batch
normalisation (which torchvision's variant has; its weights do not fit). The two auxiliary
classifiers, which later work found to matter little, are left out. Layers are named as in the
paper's own Caffe model, with underscores for slashes.
"""

from __future__ import annotations

from functools import partial

from fastcnn import layers
from fastcnn.applications._application import Tensor, application, average_and_classify
from fastcnn.applications.imagenet import decode_predictions, preprocess_input

__all__ = ["GoogLeNet", "decode_predictions", "preprocess_input"]

# Table 1: filters of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj. Before 4a and 5a the picture
# is halved.
_INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def _conv(x: Tensor, filters: int, size: int, *, name: str, strides: int = 1) -> Tensor:
    return layers.Conv2D(
        filters, size, strides=strides, padding="same", activation="relu", name=name
    )(x)


def _halve(x: Tensor, name: str) -> Tensor:
    return layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)


def _normalize(x: Tensor, name: str) -> Tensor:
    """Divide by what the neighbouring channels amount to (Krizhevsky et al., 2012)."""
    return layers.LocalResponseNormalization(5, alpha=1e-4, beta=0.75, name=name)(x)


def _inception(x: Tensor, filters: tuple[int, ...], name: str) -> Tensor:
    """Look with windows of three sizes at once; 1x1 convolutions keep the larger ones cheap."""
    one, reduce3, three, reduce5, five, project = filters
    branch1 = _conv(x, one, 1, name=f"{name}_1x1")
    branch3 = _conv(x, reduce3, 1, name=f"{name}_3x3_reduce")
    branch3 = _conv(branch3, three, 3, name=f"{name}_3x3")
    branch5 = _conv(x, reduce5, 1, name=f"{name}_5x5_reduce")
    branch5 = _conv(branch5, five, 5, name=f"{name}_5x5")
    pooled = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    pooled = _conv(pooled, project, 1, name=f"{name}_pool_proj")
    return layers.Concatenate(name=f"{name}_output")([branch1, branch3, branch5, pooled])


@application("googlenet", top=partial(average_and_classify, dropout=0.4))
def GoogLeNet(x: Tensor) -> Tensor:  # noqa: N802 - in Keras' way
    """Make GoogLeNet: 7.0 million weights."""
    x = _conv(x, 64, 7, strides=2, name="conv1_7x7_s2")
    x = _normalize(_halve(x, "pool1_3x3_s2"), "pool1_norm1")
    x = _conv(x, 64, 1, name="conv2_3x3_reduce")
    x = _conv(x, 192, 3, name="conv2_3x3")
    x = _halve(_normalize(x, "conv2_norm2"), "pool2_3x3_s2")
    for name, filters in _INCEPTIONS.items():
        if name in ("4a", "5a"):
            x = _halve(x, f"pool{int(name[0]) - 1}_3x3_s2")
        x = _inception(x, filters, f"inception_{name}")
    return x
