"""FaceEncoder is a transformer as scikit-learn wants them, for pictures and for encodings."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import (
    ConfigError,
    DTypeError,
    FastcnnError,
    MissingDependencyError,
    ShapeError,
)

pytest.importorskip("sklearn", minversion="1.6", reason="makes pipelines")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastcnn.faces import FaceEncoder


@parametrize_with_checks([FaceEncoder(), FaceEncoder(normalize=True)])
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def colours(pictures: list[Any]) -> np.ndarray:
    """A small encoder: the mean colours of a picture's quarters."""
    arrays = [fc.io.load_image(p) if isinstance(p, (str, Path)) else p for p in pictures]
    return np.stack(
        [a.reshape(2, a.shape[0] // 2, 2, -1, 3).mean((1, 3)).reshape(-1) for a in arrays]
    ).astype(np.float32)


def pictures(n: int = 4, each: int = 6, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(n), each)
    patterns = rng.uniform(40, 215, (n, 2, 2, 3)).repeat(size // 2, 1).repeat(size // 2, 2)
    noisy = patterns[people] + rng.normal(0, 12, (n * each, size, size, 3))
    return noisy.clip(0, 255).astype(np.uint8), np.array([f"person {i}" for i in people])


@pytest.mark.parametrize("classifier", [SVC(kernel="linear"), KNeighborsClassifier(1)])
@pytest.mark.parametrize("kind", ["array", "list", "paths", "encodings"])
def test_a_pipeline_knows_people(classifier: Any, kind: str, tmp_path: Path) -> None:
    x, y = pictures()
    given: Any = x
    if kind == "list":
        given = [p if i % 2 else p[::2, ::2] for i, p in enumerate(x)]  # of two sizes
    elif kind == "paths":
        pytest.importorskip("PIL.Image")
        given = np.array([str(tmp_path / f"{i}.png") for i in range(len(x))])
        for path, picture in zip(given, x, strict=True):
            fc.io.save_image(path, picture)
    elif kind == "encodings":
        given = colours(list(x))
    train, test = np.arange(len(x)) % 3 > 0, np.arange(len(x)) % 3 == 0
    pick = lambda mask: [g for g, m in zip(given, mask, strict=True) if m]  # noqa: E731
    model = make_pipeline(FaceEncoder(colours, normalize=True), clone(classifier))
    model.fit(pick(train), y[train])
    assert model.score(pick(test), y[test]) == 1.0


def test_a_network_can_be_the_encoder_and_is_searched_over() -> None:
    fc.set_random_seed(0)
    network = fc.Sequential(
        [fc.Input((16, 16, 3)), fc.layers.AveragePooling2D(4), fc.layers.Flatten()]
    )
    x, y = pictures()
    encoder = FaceEncoder(network)
    search = GridSearchCV(
        make_pipeline(encoder, KNeighborsClassifier()),
        {"faceencoder__normalize": [False, True], "kneighborsclassifier__n_neighbors": [1, 3]},
        cv=2,
    )
    assert search.fit(list(x), y).best_score_ == 1.0
    fitted = clone(encoder).fit(x)
    assert fitted.embedding_size_ == 48 and not hasattr(fitted, "n_features_in_")
    assert fitted.get_feature_names_out()[:2].tolist() == ["faceencoder0", "faceencoder1"]
    # Encodings that were computed before are as good as pictures.
    np.testing.assert_array_equal(fitted.transform(fitted.transform(x)), fitted.transform(x))


def test_normalised_encodings_have_length_one() -> None:
    x = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    found = FaceEncoder(normalize=True).fit_transform(x)
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    assert found.dtype == np.float32 and FaceEncoder().fit_transform(x)[1, 1] == 0


def test_mistakes_are_told() -> None:
    x, _ = pictures(2, 2)
    with pytest.raises(NotFittedError):
        FaceEncoder(colours).transform(x)
    with pytest.raises(ConfigError, match="faces"):
        FaceEncoder(colours, faces="all").fit(x)
    for wrong in (
        lambda p: np.zeros((len(p) + 1, 4)), lambda p: np.zeros(len(p)),
        lambda p: np.array(["x"] * len(p))[:, None],
    ):  # fmt: skip
        with pytest.raises(DTypeError, match="encoder"):
            FaceEncoder(wrong).fit(x)
    with pytest.raises(FastcnnError):
        FaceEncoder(colours).fit(["no such picture.png"])
    with pytest.raises(ShapeError, match="one size"):
        FaceEncoder(fc.Sequential([fc.Input((16, 16, 3)), fc.layers.Flatten()])).fit(x).transform(
            [x[0], x[1, ::2]]
        )
    fitted = FaceEncoder(colours).fit(x)
    with pytest.raises(ShapeError, match="12 numbers"):
        fitted.transform(np.zeros((2, 5)))
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(x), fitted.transform(x))


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "fastcnn.faces.estimators")
    with pytest.raises(MissingDependencyError, match=r"fastcnn\[sklearn\]"):
        _ = fc.faces.FaceEncoder
