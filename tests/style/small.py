"""A network small enough for every test, with the form of VGG's."""

from __future__ import annotations

import numpy as np

import fastcnn as fc
from fastcnn import layers

CONTENT, STYLE = {"second": 1.0}, {"first": 0.5, "second": 0.5}


def small_network(seed: int = 3) -> fc.Model:
    """Two convolutions with random weights, and an average pooling between them."""
    fc.set_random_seed(seed)
    picture = fc.Input((None, None, 3))
    x = layers.Rescaling(1 / 100, offset=-1.0)(picture)
    first = layers.Conv2D(8, 3, padding="same", activation="relu", name="a")(x)
    x = layers.AveragePooling2D(2)(first)
    second = layers.Conv2D(12, 3, padding="same", activation="relu", name="b")(x)
    return fc.Model(picture, {"first": first, "second": second}, name="small")


def levels(seed: int, *shape: int) -> np.ndarray:
    """A picture with some structure: coarse squares."""
    rng = np.random.default_rng(seed)
    height, width = shape
    coarse = rng.integers(0, 256, (-(-height // 4), -(-width // 4), 3)).astype(np.uint8)
    return coarse.repeat(4, 0).repeat(4, 1)[:height, :width]


def batch(seed: int, *shape: int) -> np.ndarray:
    """The same as a network takes it."""
    return levels(seed, *shape)[None].astype(np.float32)


def transfer_of(**options: object) -> fc.style.StyleTransfer:
    """A style transfer with the small network."""
    options = {
        "network": small_network(), "content_layers": CONTENT, "style_layers": STYLE, "size": 32,
        "scales": 1, "iterations": 4, **options,
    }  # fmt: skip
    return fc.style.StyleTransfer(**options)
