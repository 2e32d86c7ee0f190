"""Training encoders of faces, or of anything else in few pictures each, and a pair classifier."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastcnn import layers, ops
from fastcnn._checks import number, one_of, positive_int
from fastcnn.callbacks import Callback, History
from fastcnn.callbacks.callback import Logs
from fastcnn.data import ArrayDataset, PKSampler
from fastcnn.data.dataset import Dataset
from fastcnn.data.samplers import Sampled
from fastcnn.errors import ConfigError, DTypeError
from fastcnn.faces.evaluation import make_pairs, pair_distances, roc_curve
from fastcnn.losses import TripletLoss
from fastcnn.metrics import ActiveTriplets, EmbeddingDistance
from fastcnn.model import Model
from fastcnn.optimizers import Adam
from fastcnn.optimizers.schedules import CosineDecay

__all__ = [
    "CollapseWarning",
    "VerificationMetrics",
    "embedding_head",
    "encode_dataset",
    "pair_classifier",
    "train_encoder",
]

_FEATURES = ("absolute", "chi_squared")
_TINY = 1e-7
# Distances this far below the margin leave no room for it: the loss is the margin.
_COLLAPSED = 0.05


def embedding_head(x: Any, dimension: int = 128, name: str = "embedding") -> Any:
    """Turn the features of pictures into vectors of length 1: a dense layer, then normalisation.

    Parameters
    ----------
    x : KerasTensor, shape (n, features)
    dimension : int, default 128
        The length of the vectors, as the number of their components.
    name : str, default "embedding"
        Of the last layer; the dense one is called ``<name>_dense``.

    Returns
    -------
    KerasTensor, shape (n, dimension)

    References
    ----------
    F. Schroff, D. Kalenichenko, J. Philbin: FaceNet: A Unified Embedding for Face Recognition and
    Clustering. CVPR 2015, section 3.1.

    Examples
    --------
    >>> import fastcnn as fc
    >>> picture = fc.Input((8, 8, 3))
    >>> x = fc.layers.Flatten()(picture)
    >>> model = fc.Model(picture, fc.faces.embedding_head(x, 16))
    >>> model.output_shape
    (None, 16)
    """
    x = layers.Dense(positive_int("embedding_head", "dimension", dimension), name=f"{name}_dense")(
        x
    )
    return layers.UnitNormalization(name=name)(x)


class CollapseWarning(Callback):
    """Warns when all embeddings become the same, which the loss alone does not tell.

    It watches what `fastcnn.metrics.EmbeddingDistance` reports: when the mean distance between
    embeddings stays below a twentieth of the margin, no triplet can keep the margin. Networks begin
    like that, so it waits.

    Parameters
    ----------
    margin : float, default 0.2
        The triplet loss's.
    patience : int, default 3
        For so many epochs in a row.
    monitor : str, default "embedding_distance"
        The metric's name.

    Examples
    --------
    >>> import fastcnn as fc
    >>> callback = fc.faces.CollapseWarning(margin=0.2, patience=3)
    """

    def __init__(
        self, margin: float = 0.2, patience: int = 3, monitor: str = "embedding_distance"
    ) -> None:
        super().__init__()
        self.margin = number("CollapseWarning", "margin", margin, at_least=0)
        self.patience = positive_int("CollapseWarning", "patience", patience)
        self.monitor = monitor
        self._epochs = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Start to count."""
        self._epochs = 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Look how far apart embeddings are."""
        logs = logs or {}
        if self.monitor not in logs:
            return
        spread = logs[self.monitor]
        self._epochs = self._epochs + 1 if spread < _COLLAPSED * self.margin else 0
        if self._epochs == self.patience:
            share = logs.get("active_triplets")
            active = "" if share is None else f", {share:.0%} of the triplets violate the margin"
            warnings.warn(
                f"epoch {epoch + 1}: the embeddings have collapsed: their mean distance is "
                f"{spread:.2g} with a margin of {self.margin:g}{active}. A smaller learning rate, "
                'semi-hard mining (mining="semihard") or larger batches may help',
                stacklevel=2,
            )


class VerificationMetrics(Callback):
    """Measures after each epoch how well a network tells pairs of other pictures apart.

    Adds ``val_auc`` (of the ROC curve) and ``val_eer`` (the equal error rate) to the logs, where
    `ModelCheckpoint`, `EarlyStopping` and `History` that come after it find them.

    Parameters
    ----------
    dataset : Dataset
        Batches of pictures and labels that are not trained with.
    metric : str, default "euclidean"
        As of `fastcnn.faces.pair_distances`.
    limit : int, default 20000
        The most pairs of each kind; the same in each epoch.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> held_out = fc.data.ArrayDataset(np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1]))
    >>> callback = fc.faces.VerificationMetrics(held_out)
    """

    def __init__(self, dataset: Any, metric: str = "euclidean", limit: int = 20000) -> None:
        super().__init__()
        self.dataset = dataset
        self.metric = metric
        self.limit = limit

    def on_train_begin(self, logs: Logs = None) -> None:
        """Refuse pictures that make no pairs, before hours are spent."""
        labels = getattr(self.dataset, "labels", None)
        if labels is not None:
            make_pairs(labels, limit=1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Encode the pictures, and measure."""
        if logs is None:
            return
        encodings, labels = encode_dataset(self.model, self.dataset)
        pairs = make_pairs(labels, limit=self.limit)
        distances = pair_distances(encodings[pairs.first], encodings[pairs.second], self.metric)
        if not np.isfinite(distances).all():  # training went wrong: the loss tells
            return
        curve = roc_curve(pairs.same, distances)
        logs["val_auc"], logs["val_eer"] = curve.auc, curve.eer


def encode_dataset(model: Any, dataset: Any) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Encode all pictures of a data set.

    Parameters
    ----------
    model : Model
        From pictures to encodings.
    dataset : Dataset or iterable
        Batches ``(pictures, labels)``.

    Returns
    -------
    encodings : numpy.ndarray, float32, shape (n, dimension)
    labels : numpy.ndarray, shape (n,)

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.Sequential([fc.Input((2,)), fc.layers.UnitNormalization()])
    >>> encodings, labels = encode_dataset(model, [(np.array([[3.0, 4.0]]), np.array([7]))])
    >>> encodings, labels
    (array([[0.6, 0.8]], dtype=float32), array([7]))
    """
    found = [
        (np.asarray(model.predict(pictures, verbose=0)), np.asarray(labels).reshape(-1))
        for pictures, labels in dataset
    ]
    if not found:
        raise ConfigError("encode_dataset: expected pictures, the data set is empty")
    return np.concatenate([e for e, _ in found]), np.concatenate([y for _, y in found])


def train_encoder(
    model: Model,
    dataset: Any,
    validation: Any = None,
    *,
    p: int = 8,
    k: int = 4,
    epochs: int = 20,
    batches: int | None = None,
    learning_rate: float = 1e-3,
    margin: float = 0.2,
    mining: str = "semihard",
    distance: str = "squared_l2",
    callbacks: Sequence[Callback] = (),
    seed: int | None = None,
    verbose: Any = "auto",
) -> History:
    """Train a network with triplets, so that encodings of one identity come to lie together.

    Every batch has `k` pictures of each of `p` identities; triplets are found in it. Adam, with a
    learning rate that falls to 0 along a cosine.

    Parameters
    ----------
    model : Model
        From pictures to encodings; `embedding_head` makes its end. It is compiled here.
    dataset : ImageDataset, (array, array), or Dataset
        Pictures and their identities as numbers: what `fastcnn.data.image_dataset_from_directory`
        makes of a folder with a folder for each identity; or pictures and labels. A data set of
        any other kind must bring batches with several pictures of several identities.
    validation : Dataset, optional
        Pictures that are not trained with; adds ``val_auc`` and ``val_eer``.
    p, k : int, default 8 and 4
        At least 2 each.
    epochs : int, default 20
    batches : int, optional
        In an epoch; as many as the pictures need unless given.
    learning_rate : float, default 1e-3
        At first.
    margin, mining, distance
        As for `fastcnn.losses.TripletLoss`.
    callbacks : sequence of Callback
    seed : int, optional
        Of the batches. First weights and augmentation depend on `fastcnn.set_random_seed`.
    verbose
        As for `Model.fit`.

    Returns
    -------
    History
        Its ``history`` has ``loss``, ``active_triplets``, ``embedding_distance`` and, with
        `validation`, ``val_auc`` and ``val_eer``.

    Warns
    -----
    UserWarning
        The embeddings have collapsed: see `CollapseWarning`.

    Raises
    ------
    ConfigError
        There are fewer than `p` identities with two pictures; an argument has no meaning.

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> fc.set_random_seed(0)
    >>> labels = np.repeat(np.arange(4), 8)
    >>> noise = np.random.default_rng(0).normal(size=(32, 6))
    >>> pictures = (np.eye(4, 6)[labels] + 0.1 * noise).astype(np.float32)
    >>> inputs = fc.Input((6,))
    >>> model = fc.Model(inputs, fc.faces.embedding_head(inputs, 3))
    >>> history = fc.faces.train_encoder(
    ...     model, (pictures, labels), p=4, k=4, epochs=30, learning_rate=0.05, seed=0, verbose=0
    ... )
    >>> bool(history.history["active_triplets"][-1] < 0.1)
    True
    """
    batched = _batches(dataset, p, k, batches, seed)
    loss = TripletLoss(margin, mining, distance)
    steps = max(len(batched) * positive_int("train_encoder", "epochs", epochs), 1)
    model.compile(
        Adam(CosineDecay(learning_rate, steps)),
        loss,
        metrics=[ActiveTriplets(margin, mining, distance), EmbeddingDistance(distance)],
    )
    called: list[Callback] = [CollapseWarning(margin)]
    if validation is not None:
        metric = {"squared_l2": "sqeuclidean", "l2": "euclidean", "cosine": "cosine"}[distance]
        called.append(VerificationMetrics(validation, metric))
    return model.fit(batched, epochs=epochs, callbacks=[*called, *callbacks], verbose=verbose)


def _batches(dataset: Any, p: int, k: int, batches: int | None, seed: int | None) -> Dataset:
    if isinstance(dataset, tuple) and len(dataset) == 2:
        pictures, labels = dataset
        labels = np.asarray(labels).reshape(-1)
        return ArrayDataset(pictures, labels).with_sampler(PKSampler(labels, p, k, batches, seed))
    labels = getattr(dataset, "labels", None)
    if isinstance(dataset, Sampled) and labels is not None:
        return dataset.with_sampler(PKSampler(labels, p, k, batches, seed))
    if isinstance(dataset, Dataset):
        return dataset if batches is None else dataset.take(batches)
    raise DTypeError(
        f"train_encoder: expected a data set or (pictures, labels), got {type(dataset).__name__}"
    )


def pair_classifier(dimension: int, features: str = "absolute") -> Model:
    """Make a network that tells from two encodings whether they are of one person.

    Logistic regression on how the encodings differ, component by component: verification as binary
    classification, with weights for the components instead of one threshold for their distance.

    Parameters
    ----------
    dimension : int
        The length of an encoding.
    features : {"absolute", "chi_squared"}, default "absolute"
        ``|a - b|``, or ``(a - b)^2 / (|a| + |b|)``: made for features that are not negative.

    Returns
    -------
    Model
        From two arrays (n, dimension) to the probability (n, 1); not compiled.

    References
    ----------
    Y. Taigman, M. Yang, M. Ranzato, L. Wolf: DeepFace: Closing the Gap to Human-Level Performance
    in Face Verification. CVPR 2014, sections 4.1 (weighted chi-squared distance) and 4.2 (weighted
    L1 distance).

    Examples
    --------
    >>> import numpy as np, fastcnn as fc
    >>> model = fc.faces.pair_classifier(2)
    >>> model.compile(fc.optimizers.Adam(0.1), "binary_crossentropy")
    >>> a, b = np.eye(2, dtype=np.float32), np.array([[1, 0], [1, 0]], np.float32)
    >>> history = model.fit([a, b], np.array([[1], [0]]), epochs=100, verbose=0)
    >>> model.predict([a, b], verbose=0).round().tolist()
    [[1.0], [0.0]]
    """
    size = positive_int("pair_classifier", "dimension", dimension)
    one_of("pair_classifier", "features", features, _FEATURES)
    a, b = layers.Input((size,), name="a"), layers.Input((size,), name="b")
    if features == "absolute":
        x = ops.absolute(a - b)
    else:
        x = ops.square(a - b) / (ops.absolute(a) + ops.absolute(b) + _TINY)
    same = layers.Dense(1, activation="sigmoid", name="same")(x)
    return Model([a, b], same, name="pair_classifier")
