"""Verification with triplets: do two pictures show the same? Learnt from a hundred photos of each.

A classifier knows the classes it was trained with, and no other. An encoder gives every picture a
vector, so that vectors of one identity lie together: whether two pictures show the same is then a
question of their distance, and a new identity needs no training at all. Faces are recognised like
this; hands that show digits stand in for them here, and two of the ten digits are kept away from
training altogether.

F. Schroff, D. Kalenichenko, J. Philbin: FaceNet, 2015. Y. Taigman et al.: DeepFace, 2014.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _data import folder, parse
from sign_digits import convolution, residual_block

import fastcnn as fc
from fastcnn import faces, layers

SIZE = 64
UNSEEN = ("2", "8")


def build(dimension: int = 64) -> fc.Model:
    """The residual network of `sign_digits.py` with an embedding in place of the classes."""
    x = image = fc.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.RandomFlip("horizontal")(x)
    x = layers.RandomRotation(0.05, fill_mode="nearest")(x)
    x = layers.RandomTranslation(0.08, 0.08, fill_mode="nearest")(x)
    x = layers.RandomZoom(0.1, fill_mode="nearest")(x)
    x = layers.ReLU()(convolution(x, 16))
    for filters in (32, 64, 96, 128):
        x = residual_block(x, filters, strides=2)
    x = layers.GlobalAveragePooling2D()(x)
    # Vectors of length 1: only the direction counts, and distances lie between 0 and 2.
    return fc.Model(image, faces.embedding_head(x, dimension))


def distances(model: fc.Model, dataset: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """As many pairs that show the same as pairs that do not, and their distances.

    Guessing is right in half of the cases, whatever the number of identities.
    """
    encodings, labels = faces.encode_dataset(model, dataset)
    pairs = faces.make_pairs(labels, balanced=True, limit=20000)
    return pairs, faces.pair_distances(encodings[pairs.first], encodings[pairs.second]), encodings


def main(
    data: str | None = None, epochs: int = 40, seed: int = 0, plot: str | None = None
) -> float:
    """Train on four fifths of eight digits; return the accuracy on pairs of the last fifth."""
    fc.set_random_seed(seed)
    where = folder("sign_digits", data)
    known = sorted(path.name for path in where.iterdir() if path.name not in UNSEEN)
    train, held_out = fc.data.image_dataset_from_directory(
        where, class_names=known, image_size=(SIZE, SIZE), validation_split=0.2, subset="both",
        seed=seed,
    )  # fmt: skip
    unseen = fc.data.image_dataset_from_directory(
        where, class_names=list(UNSEEN), image_size=(SIZE, SIZE), shuffle=False
    )
    train, held_out, unseen = train.cache(), held_out.cache(), unseen.cache()

    model = build()
    pairs, before, _ = distances(model, held_out)
    curve = faces.roc_curve(pairs.same, before)
    print(f"untrained: {curve.accuracy(curve.best_threshold()):.4f} of the pairs right")

    # Each batch holds 4 pictures of each of 8 digits. Of the triplets in it (a picture, another of
    # the same digit, one of another) only those teach something that violate the margin: easy ones
    # give no gradient, and the very hardest, early on, pull everything into one point. Semi-hard
    # ones lie between. `active_triplets` tells how many still teach something.
    history = faces.train_encoder(
        model, train, held_out, p=8, k=4, epochs=epochs, learning_rate=2e-3, margin=0.2,
        mining="semihard", seed=seed, verbose=2,
    )  # fmt: skip
    if plot:
        fc.visualize.history(history, save=plot)

    # The threshold is chosen on pictures that were trained with, so that those held out stay new.
    pairs, measured, encodings = distances(model, train)
    threshold = faces.roc_curve(pairs.same, measured).best_threshold()
    # Instead of one threshold for the distance: a weight for each component of |a - b|.
    classifier = faces.pair_classifier(encodings.shape[1])
    classifier.compile(fc.optimizers.Adam(0.05), "binary_crossentropy")
    sides = [encodings[pairs.first], encodings[pairs.second]]
    classifier.fit(sides, pairs.same[:, None], 256, epochs=3, verbose=0)

    results = []
    for name, dataset in (("new pictures", held_out), ("digits never seen", unseen)):
        pairs, measured, encodings = distances(model, dataset)
        curve = faces.roc_curve(pairs.same, measured)
        results.append(curve.accuracy(threshold))
        sides = [encodings[pairs.first], encodings[pairs.second]]
        right = (classifier.predict(sides, verbose=0)[:, 0] > 0.5) == pairs.same
        print(
            f"{name}: {results[-1]:.4f} of {len(pairs.same)} pairs right at {threshold:.2f}, "
            f"{right.mean():.4f} by the pair classifier; equal error rate {curve.eer:.4f}, "
            f"TAR {curve.tar_at_far(0.01):.4f} at FAR 1 %"
        )
    return results[0]


if __name__ == "__main__":
    options = parse(__doc__, epochs=40)
    main(options.data, options.epochs, plot=options.plot)
