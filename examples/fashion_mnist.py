"""Fashion-MNIST: 60,000 pictures of clothes, a residual network of the size they need.

The files are those of Debian's package dataset-fashion-mnist (H. Xiao et al., Fashion-MNIST: a
Novel Image Dataset for Benchmarking Machine Learning Algorithms, 2017).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _data import parse, read_idx

import fastcnn as fc
from fastcnn import layers

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def load(folder: Path) -> tuple[Any, Any]:
    """Pictures (n, 28, 28, 1) and classes, to train and to test with."""

    def part(name: str) -> tuple[np.ndarray, np.ndarray]:
        x, y = (
            read_idx(next(folder.glob(f"{name}-{kind}*")))
            for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        return x[..., None].astype(np.float32) / 255, y

    return part("train"), part("t10k")


def block(x: Any, filters: int, strides: int = 1) -> Any:
    """Two convolutions beside a shortcut."""
    y = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.9)(y)
    if x.shape[-1] != filters or strides != 1:
        x = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(layers.Add()([x, y]))


def build() -> fc.Model:
    """A residual network for pictures of 28 pixels."""
    x = image = fc.Input((28, 28, 1))
    x = layers.RandomFlip("horizontal")(x)
    x = layers.RandomTranslation(0.07, 0.07, fill_mode="constant")(x)
    x = layers.Conv2D(32, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = block(layers.MaxPooling2D()(x), 48)
    x = block(x, 96, strides=2)
    x = block(x, 128)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return fc.Model(image, layers.Dense(10)(x))


def main(
    data: str | None = None, epochs: int = 12, seed: int = 0, plot: str | None = None
) -> float:
    """Train, and return the accuracy on the 10,000 test pictures."""
    (x, y), (x_test, y_test) = load(Path(data) if data else DEBIAN)
    fc.set_random_seed(seed)
    model = build()
    steps = epochs * -(-len(x) // 128)
    rate = fc.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=3e-3, warmup_steps=steps // 20
    )
    model.compile(
        fc.optimizers.AdamW(rate, weight_decay=0.02),
        fc.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(x, y, 128, epochs, validation_data=(x_test, y_test), verbose=2)
    if plot:
        fc.visualize.history(history, save=plot)
    accuracy = float(history.history["val_accuracy"][-1])
    print(f"accuracy on the test pictures: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    options = parse(__doc__, epochs=12)
    main(options.data, options.epochs, plot=options.plot)
