"""Training by triplets: what it reports, when it warns, and that it brings identities together."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import faces
from fastcnn.errors import ConfigError, DTypeError


def identities(n: int = 10, each: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points in 12 dimensions whose identity lies in two of them, under noise in the others."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n), each)
    angles = 2 * np.pi * labels / n
    x = rng.normal(size=(n * each, 12))
    x[:, 0], x[:, 1] = np.cos(angles), np.sin(angles)
    x[:, :2] += 0.05 * rng.normal(size=(n * each, 2))
    return x.astype(np.float32), labels


def network(seed: int = 0) -> fc.Model:
    fc.set_random_seed(seed)
    x = inputs = fc.Input((12,))
    x = fc.layers.Dense(32, activation="relu")(x)
    return fc.Model(inputs, faces.embedding_head(x, 8))


def held_out_accuracy(model: fc.Model) -> float:
    x, y = identities(seed=7)
    pairs = faces.make_pairs(y)
    encodings = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(encodings, axis=1), 1, rtol=1e-5)
    curve = faces.roc_curve(
        pairs.same, faces.pair_distances(encodings[pairs.first], encodings[pairs.second])
    )
    return curve.accuracy(curve.best_threshold())


@pytest.mark.parametrize("mining", ["all", "hard", "semihard"])
def test_identities_come_together(mining: str) -> None:
    model = network()
    before = held_out_accuracy(model)
    x, y = identities(seed=7)
    history = faces.train_encoder(
        model, identities(each=40), fc.data.ArrayDataset(x, y), p=5, k=4, epochs=20,
        learning_rate=0.01, mining=mining, seed=0, verbose=0,
    ).history  # fmt: skip
    assert before < 0.65 and held_out_accuracy(model) > 0.88
    assert history["active_triplets"][-1] < 0.6 * history["active_triplets"][0]
    assert history["val_auc"][-1] > max(0.95, history["val_auc"][0])
    assert history["val_eer"][-1] < history["val_eer"][0]
    assert len(history["embedding_distance"]) == 20


def test_a_folder_of_identities_is_trained_on(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for i, name in enumerate(("ada", "grace", "joan")):
        (tmp_path / name).mkdir()
        for j in range(6):
            level = 60 + 60 * i + rng.integers(-8, 8, (8, 8, 3))
            fc.io.save_image(tmp_path / name / f"{j}.png", level.astype(np.uint8))
    train = fc.data.image_dataset_from_directory(tmp_path, image_size=(8, 8), verbose=False)
    alone = fc.data.image_dataset_from_directory(  # one picture of each: no pair of one identity
        tmp_path, image_size=(8, 8), verbose=False, validation_split=1 / 6, subset="validation",
        seed=0,
    )  # fmt: skip
    fc.set_random_seed(0)
    image = fc.Input((8, 8, 3))
    x = fc.layers.GlobalAveragePooling2D()(fc.layers.Rescaling(1 / 255, offset=-0.5)(image))
    model = fc.Model(image, faces.embedding_head(fc.layers.Dense(8, "relu")(x), 4))
    history = faces.train_encoder(
        model, train.cache(), p=3, k=4, epochs=15, learning_rate=0.05, seed=0, verbose=0
    )
    assert history.history["active_triplets"][-1] < 0.2
    with pytest.raises(ConfigError, match="two faces of one person"):
        faces.train_encoder(model, train, alone, p=3, k=4, epochs=1, verbose=0)
    again = faces.train_encoder(model, train.map(lambda x, y: (x, y)), batches=1, epochs=1,
                                verbose=0)  # fmt: skip
    assert len(again.history["loss"]) == 1


def test_the_same_seeds_give_the_same_network() -> None:
    made = []
    for _ in range(2):
        model = network()
        faces.train_encoder(model, identities(), p=4, k=3, epochs=2, seed=5, verbose=0)
        made.append(model.get_weights())
    assert all((a == b).all() for a, b in zip(*made, strict=True))


class Constant(fc.layers.Layer):
    """Forgets what it is given: the worst an encoder can become."""

    def call(self, inputs: Any) -> Any:
        return inputs * 0.0 + 1.0


def test_collapse_is_told() -> None:
    inputs = fc.Input((12,))
    collapsed = fc.Model(inputs, faces.embedding_head(Constant()(inputs), 4))
    with pytest.warns(UserWarning, match=r"epoch 3: the embeddings have collapsed.*100% of the"):
        faces.train_encoder(collapsed, identities(), p=4, k=3, epochs=4, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faces.train_encoder(network(), identities(), p=4, k=3, epochs=4, verbose=0)


def test_collapse_is_told_once_and_needs_epochs_in_a_row() -> None:
    callback = faces.CollapseWarning(margin=0.2, patience=2)
    callback.on_train_begin()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        callback.on_epoch_end(0, {"embedding_distance": 0.001})
        callback.on_epoch_end(1, {"embedding_distance": 0.5})
        callback.on_epoch_end(2, {"embedding_distance": 0.001})
        callback.on_epoch_end(3, {"loss": 1.0})
    with pytest.warns(UserWarning, match="epoch 5"):
        callback.on_epoch_end(4, {"embedding_distance": 0.001})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        callback.on_epoch_end(5, {"embedding_distance": 0.001})


@pytest.mark.parametrize("features", ["absolute", "chi_squared"])
def test_pair_classifier_weighs_components(features: str) -> None:
    """Of 12 components only the first two tell anything."""
    x, y = identities(each=30)
    x = np.abs(x)
    pairs = faces.make_pairs(y % 5)  # angles that differ by half a turn have one absolute value
    sides = [x[pairs.first], x[pairs.second]]
    same = pairs.same[:, None].astype(np.float32)
    fc.set_random_seed(0)
    model = faces.pair_classifier(12, features)
    model.compile(fc.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(sides, same, 256, epochs=12, verbose=0)
    plain = faces.roc_curve(pairs.same, faces.pair_distances(*sides))
    accuracy = history.history["accuracy"][-1]
    assert accuracy > 0.75 and accuracy > plain.accuracy(plain.best_threshold()) + 0.1
    a, b = sides[0][:4], sides[1][:4]
    if features == "absolute":
        weights, offset = (w.astype(np.float64) for w in model.get_weights())
        wanted = 1 / (1 + np.exp(-(np.abs(a - b) @ weights + offset)))
        np.testing.assert_allclose(model.predict([a, b], verbose=0), wanted, rtol=1e-4)
    np.testing.assert_allclose(  # it does not matter which comes first
        model.predict([a, b], verbose=0), model.predict([b, a], verbose=0), rtol=1e-5
    )


def test_mistakes_are_told() -> None:
    x, y = identities()
    with pytest.raises(ConfigError, match="p=20 classes"):
        faces.train_encoder(network(), (x, y), p=20, verbose=0)
    with pytest.raises(DTypeError, match="ndarray"):
        faces.train_encoder(network(), x, verbose=0)
    with pytest.raises(ConfigError, match="mining"):
        faces.train_encoder(network(), (x, y), mining="easy", verbose=0)
    with pytest.raises(ConfigError, match="features"):
        faces.pair_classifier(4, "cosine")
    with pytest.raises(ConfigError, match="empty"):
        faces.encode_dataset(network(), [])
