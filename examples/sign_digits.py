"""Hands showing digits: a small residual network made with the Functional interface.

A residual block adds its input to what its convolutions make of it, so that it only has to learn
the difference, and gradients have a short way back (K. He et al., Deep Residual Learning, 2015).
"""

from __future__ import annotations

from typing import Any

from _data import folder, parse

import fastcnn as fc
from fastcnn import layers

SIZE = 64


def convolution(x: Any, filters: int, size: int = 3, strides: int = 1) -> Any:
    """Convolution and batch norm; the norm has an offset, so the convolution needs none."""
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def residual_block(x: Any, filters: int, strides: int = 1) -> Any:
    """Two convolutions beside a shortcut, which gets the same shape by a 1 x 1 convolution."""
    y = layers.ReLU()(convolution(x, filters, strides=strides))
    y = convolution(y, filters)
    if strides != 1 or x.shape[-1] != filters:
        x = convolution(x, filters, 1, strides)
    return layers.ReLU()(layers.Add()([x, y]))


def build(classes: int = 10) -> fc.Model:
    """A stem, three stages of residual blocks, the average of each channel, a classifier."""
    x = image = fc.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    # Mirrored hands are hands too: of the other arm. Nobody holds them upside down, though.
    x = layers.RandomFlip("horizontal")(x)
    x = layers.RandomRotation(0.05, fill_mode="nearest")(x)
    x = layers.RandomTranslation(0.08, 0.08, fill_mode="nearest")(x)
    x = layers.RandomZoom(0.1, fill_mode="nearest")(x)
    x = layers.ReLU()(convolution(x, 16))
    for filters in (32, 64, 96, 128):
        x = residual_block(x, filters, strides=2)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return fc.Model(image, layers.Dense(classes)(x))


def main(
    data: str | None = None, epochs: int = 40, seed: int = 0, plot: str | None = None
) -> float:
    """Train on four fifths of the folder, and return the accuracy on the rest."""
    fc.set_random_seed(seed)
    train, validation = fc.data.image_dataset_from_directory(
        folder("sign_digits", data),
        image_size=(SIZE, SIZE),
        batch_size=32,
        validation_split=0.2,
        subset="both",
        seed=seed,
    )
    # Decoded once and kept: 1,644 small pictures need little memory.
    train, validation = train.cache(), validation.cache()
    model = build(len(validation.class_names) if hasattr(validation, "class_names") else 10)
    model.compile(
        fc.optimizers.Adam(
            fc.optimizers.schedules.CosineDecay(2e-3, decay_steps=epochs * len(train))
        ),
        fc.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(train, epochs=epochs, validation_data=validation, verbose=2)
    if plot:
        fc.visualize.history(history, save=plot)
    accuracy = float(history.history["val_accuracy"][-1])
    print(f"accuracy on pictures not trained with: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    options = parse(__doc__, epochs=40)
    main(options.data, options.epochs, plot=options.plot)
