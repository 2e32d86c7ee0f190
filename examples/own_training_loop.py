"""A loop, a loss and a layer of one's own, with `value_and_grad`.

`Model.fit` is a loop around steps. When a method needs another loop - several losses, several
models, a picture as the variable - this is how to write it: a function that computes the loss, its
gradients, and an optimizer that uses them.
"""

from __future__ import annotations

import numpy as np
from _data import options_of

import fastcnn as fc
from fastcnn import layers


class Scale(layers.Layer):
    """A layer of one's own: each channel times a learned number."""

    def build(self, input_shape):
        """Make the numbers, one for each channel."""
        self.factor = self.add_weight((input_shape[-1],), initializer="ones", name="factor")

    def call(self, x):
        """Functions of `fastcnn.ops` and operators say what is computed."""
        return x * self.factor


def pictures(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures of horizontal (0) and vertical (1) stripes."""
    labels = rng.integers(0, 2, count)
    stripes = np.sin(
        np.arange(16) * rng.uniform(0.8, 2.0, (count, 1)) + rng.uniform(0, 6, (count, 1))
    )
    x = np.where(labels[:, None, None] == 1, stripes[:, None, :], stripes[:, :, None])
    return (x + rng.normal(0, 0.5, x.shape))[..., None].astype(np.float32), labels


def main(steps: int = 150) -> float:
    """Train with a loop, and return the accuracy on new pictures."""
    fc.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = fc.Sequential(
        [
            fc.Input((16, 16, 1)),
            layers.Conv2D(8, 5, activation="relu"),
            Scale(),
            layers.GlobalMaxPooling2D(),
            layers.Dense(2),
        ]
    )
    cross_entropy = fc.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss(x, y):
        """The loss, and the logits on the way; `training=True` reaches all layers."""
        logits = model(x, training=True)
        return cross_entropy(y, logits), logits

    compute = fc.value_and_grad(loss, variables=model, has_aux=True)
    optimizer = fc.optimizers.Adam(3e-3)
    for step in range(steps):
        x, y = pictures(32, rng)
        (value, logits), gradients = compute(x, y)
        optimizer.apply(gradients, model.trainable_variables)
        if step % 30 == 0:
            print(f"step {step}: loss {value:.3f}, accuracy {(logits.argmax(-1) == y).mean():.2f}")
    x, y = pictures(500, rng)
    accuracy = float((model.predict(x).argmax(-1) == y).mean())
    print(f"accuracy on new pictures: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    options_of(__doc__).parse_args()
    main()
