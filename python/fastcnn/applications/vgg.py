"""VGG: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", 2014. Nothing but 3x3 convolutions; configurations D (16 layers) and E (19).

Layers and their names are those of Keras.
"""

from __future__ import annotations

from fastcnn import layers
from fastcnn.applications._application import Tensor, application
from fastcnn.applications.imagenet import decode_predictions, preprocess_input

__all__ = ["VGG16", "VGG19", "decode_predictions", "preprocess_input"]

_FILTERS = (64, 128, 256, 512, 512)


def _blocks(x: Tensor, convolutions: tuple[int, ...]) -> Tensor:
    """Blocks of convolutions; after each the picture is halved and the channels are doubled."""
    for block, (count, filters) in enumerate(zip(convolutions, _FILTERS, strict=True), start=1):
        for conv in range(1, count + 1):
            x = layers.Conv2D(
                filters, 3, padding="same", activation="relu", name=f"block{block}_conv{conv}"
            )(x)
        x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    return x


def _top(x: Tensor, classes: int, activation: str | None) -> Tensor:
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(4096, activation="relu", name="fc1")(x)
    x = layers.Dense(4096, activation="relu", name="fc2")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


@application("vgg16", top=_top, top_layers=("fc1", "fc2", "predictions"))
def VGG16(x: Tensor) -> Tensor:  # noqa: N802 - Keras' name
    """Make VGG-16: 138 million weights, of which 124 million are in the top."""
    return _blocks(x, (2, 2, 3, 3, 3))


@application("vgg19", top=_top, top_layers=("fc1", "fc2", "predictions"))
def VGG19(x: Tensor) -> Tensor:  # noqa: N802 - Keras' name
    """Make VGG-19, whose features neural style transfer likes best: 144 million weights."""
    return _blocks(x, (2, 2, 4, 4, 4))
