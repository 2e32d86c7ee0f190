"""VGG: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", 2014. Nothing but 3x3 convolutions; configurations D (16 layers) and E (19).

Layers and their names are those of Keras. The variant "torchvision" is the same network, whose
pictures are preprocessed by mode="torch".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fastcnn import layers
from fastcnn.applications._application import Tensor, Variant, application
from fastcnn.applications.imagenet import decode_predictions, preprocess_input
from fastcnn.layers.layer import Layer

__all__ = ["VGG16", "VGG19", "decode_predictions", "preprocess_input"]

_FILTERS = (64, 128, 256, 512, 512)


def blocks(
    x: Tensor, convolutions: tuple[int, ...], pooling: Callable[..., Layer] = layers.MaxPooling2D
) -> Tensor:
    """Blocks of convolutions; after each the picture is halved and the channels are doubled."""
    for block, (count, filters) in enumerate(zip(convolutions, _FILTERS, strict=True), start=1):
        for conv in range(1, count + 1):
            x = layers.Conv2D(
                filters, 3, padding="same", activation="relu", name=f"block{block}_conv{conv}"
            )(x)
        x = pooling(2, strides=2, name=f"block{block}_pool")(x)
    return x


def _top(x: Tensor, classes: int, activation: str | None) -> Tensor:
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(4096, activation="relu", name="fc1")(x)
    x = layers.Dense(4096, activation="relu", name="fc2")(x)
    return layers.Dense(classes, activation=activation, name="predictions")(x)


_TOP = {"classifier.0": "fc1", "classifier.3": "fc2", "classifier.6": "predictions"}


def _torch_layers(convolutions: tuple[int, ...]) -> dict[str, str]:
    """Translate torchvision's names, which number convolutions, activations and pooling.

    Examples
    --------
    >>> _torch_layers((2, 2))["features.5"]
    'block2_conv1'
    """
    names, place = dict(_TOP), 0
    for block, count in enumerate(convolutions, start=1):
        for conv in range(1, count + 1):
            names[f"features.{place}"] = f"block{block}_conv{conv}"
            place += 2
        place += 1
    return names


def _torchvision(convolutions: tuple[int, ...]) -> dict[str, Variant]:
    features = partial(blocks, convolutions=convolutions)
    return {"torchvision": Variant(features, sign="features.0.weight")}


# How many convolutions each block has.
CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}

_16, _19 = CONVOLUTIONS["vgg16"], CONVOLUTIONS["vgg19"]
_TORCH_16, _TORCH_19 = _torch_layers(_16), _torch_layers(_19)


@application(
    "vgg16",
    top=_top,
    top_layers=("fc1", "fc2", "predictions"),
    layer_of=lambda layer: _TORCH_16.get(layer, layer),
    variants=_torchvision(_16),
    flattened={"fc1": 512},
)
def VGG16(x: Tensor) -> Tensor:  # noqa: N802 - Keras' name
    """Make VGG-16: 138 million weights, of which 124 million are in the top."""
    return blocks(x, _16)


@application(
    "vgg19",
    top=_top,
    top_layers=("fc1", "fc2", "predictions"),
    layer_of=lambda layer: _TORCH_19.get(layer, layer),
    variants=_torchvision(_19),
    flattened={"fc1": 512},
)
def VGG19(x: Tensor) -> Tensor:  # noqa: N802 - Keras' name
    """Make VGG-19, whose features neural style transfer likes best: 144 million weights."""
    return blocks(x, _19)
