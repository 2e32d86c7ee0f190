"""Small networks with random weights, and their sums in plain float64."""

from __future__ import annotations

import numpy as np

import fastcnn as fc
from fastcnn import layers


def randomized(model: fc.Model, seed: int = 0) -> fc.Model:
    """Give a model weights that leave no number special; variances stay positive."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        value = rng.standard_normal(variable.shape) / max(1, np.prod(variable.shape[:-1])) ** 0.5
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.name else value)
    return model


def residual(activation: str | None = "softmax") -> fc.Model:
    """Batch norm, both rectifiers, a residual sum, a convolution with its activation, pooling."""
    x = image = fc.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(name="bn1")(x)
    x = kept = layers.ReLU(name="relu1")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.Conv2D(8, 1, name="conv3")(x)
    x = layers.ReLU(max_value=6, name="relu2")(layers.Add(name="sum")([x, kept]))
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return randomized(fc.Model(image, layers.Dense(5, activation=activation, name="top")(x)))


class Reference:
    """conv - ReLU - max pool - conv (stride 2, padded) - ReLU, forward and by the deconvnet, loops.

    After Zeiler & Fergus 2014, section 2.1, word by word: unpool by switches, rectify, filter with
    the transposed filters.
    """

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.w1, self.b1 = rng.standard_normal((3, 3, 2, 4)), rng.standard_normal(4)
        self.w2, self.b2 = rng.standard_normal((3, 3, 4, 5)), rng.random(5) * 9

    def model(self) -> fc.Model:
        """The same network, its last activation a layer of its own."""
        image = fc.Input((12, 10, 2))
        x = layers.Conv2D(4, 3, activation="relu", name="conv1")(image)
        x = layers.MaxPooling2D(name="pool1")(x)
        x = layers.Conv2D(5, 3, strides=2, padding=1, name="conv2")(x)
        model = fc.Model(image, layers.ReLU(name="relu2")(x))
        model.set_weights([w.astype(np.float32) for w in (self.w1, self.b1, self.w2, self.b2)])
        return model

    def deconvnet(self, picture: np.ndarray, channel: int, row: int, column: int) -> np.ndarray:
        """The pattern that one activation comes from."""
        one = np.maximum(_conv(picture, self.w1, 1, 0) + self.b1, 0)
        pooled, switches = _pool(one)
        two = np.maximum(_conv(pooled, self.w2, 2, 1) + self.b2, 0)
        signal = np.zeros_like(two)
        signal[row, column, channel] = two[row, column, channel]
        signal = _transposed(np.maximum(signal, 0), self.w2, 2, 1, pooled.shape)
        unpooled = np.zeros_like(one)
        for index, place in switches.items():
            unpooled[place] = signal[index]
        return _transposed(np.maximum(unpooled, 0), self.w1, 1, 0, picture.shape)


def _conv(x: np.ndarray, w: np.ndarray, stride: int, pad: int) -> np.ndarray:
    size = w.shape[0]
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    rows, columns = ((side - size) // stride + 1 for side in x.shape[:2])
    y = np.zeros((rows, columns, w.shape[3]))
    for i in range(rows):
        for j in range(columns):
            part = x[i * stride : i * stride + size, j * stride : j * stride + size]
            y[i, j] = np.tensordot(part, w, 3)
    return y


def _transposed(
    y: np.ndarray, w: np.ndarray, stride: int, pad: int, shape: tuple[int, ...]
) -> np.ndarray:
    size = w.shape[0]
    x = np.zeros((shape[0] + 2 * pad, shape[1] + 2 * pad, shape[2]))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            x[i * stride : i * stride + size, j * stride : j * stride + size] += w @ y[i, j]
    return x[pad : pad + shape[0], pad : pad + shape[1]]


def _pool(x: np.ndarray) -> tuple[np.ndarray, dict[tuple[int, ...], tuple[int, ...]]]:
    rows, columns = x.shape[0] // 2, x.shape[1] // 2
    y, switches = np.zeros((rows, columns, x.shape[2])), {}
    for i, j, c in np.ndindex(y.shape):
        window = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        a, b = np.unravel_index(window.argmax(), window.shape)
        y[i, j, c] = window[a, b]
        switches[i, j, c] = (2 * i + a, 2 * j + b, c)
    return y, switches
