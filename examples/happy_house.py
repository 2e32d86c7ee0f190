"""Happy House: is the person smiling? A Sequential model, judged by 5-fold cross-validation.

With 150 faces a single split says little: the accuracy of 30 faces moves in steps of 3 %. So the
faces are cut into five parts, each part is left out once, and the five accuracies are averaged.
"""

from __future__ import annotations

import numpy as np
from _data import folder, needs, parse

import fastcnn as fc
from fastcnn import layers

with needs("h5py"):
    import h5py


def build() -> fc.Sequential:
    """Three times convolution, batch norm, ReLU and pooling; then one number, a probability."""
    return fc.Sequential(
        [
            fc.Input((64, 64, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 5, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def main(data: str | None = None, epochs: int = 40, seed: int = 0) -> float:
    """Train five models, and return the mean accuracy on the faces that each has not seen."""
    with h5py.File(folder("course", data) / "test_happy.h5") as file:
        x, y = file["test_set_x"][:], file["test_set_y"][:].reshape(-1, 1)
    order = np.random.default_rng(seed).permutation(len(x))
    accuracies = []
    for fold, held_out in enumerate(np.array_split(order, 5)):
        fc.set_random_seed(seed + fold)
        rest = np.setdiff1d(order, held_out)
        model = build()
        # The learning rate falls to zero: the last steps no longer jump from one face to the next.
        rate = fc.optimizers.schedules.CosineDecay(1e-3, epochs * -(-len(rest) // 16))
        model.compile(fc.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
        model.fit(x[rest], y[rest], batch_size=16, epochs=epochs, verbose=0)
        _, accuracy = model.evaluate(x[held_out], y[held_out], verbose=0)
        print(f"fold {fold + 1}: {accuracy:.3f} of {len(held_out)} faces")
        accuracies.append(accuracy)
    mean = float(np.mean(accuracies))
    print(f"mean accuracy: {mean:.3f}")
    return mean


if __name__ == "__main__":
    options = parse(__doc__, epochs=40, plot=False)
    main(options.data, options.epochs)
