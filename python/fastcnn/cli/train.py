"""``fastcnn train``: a folder of pictures in, a model that tells them apart out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastcnn as fc
from fastcnn import callbacks, layers
from fastcnn.applications import classifier
from fastcnn.applications._application import Constructor
from fastcnn.applications.imagenet import preprocessing
from fastcnn.data import ImageDataset, image_dataset_from_directory
from fastcnn.errors import ConfigError

SMALL = "small_convnet"
_SMALL_SIZE = 64
_SMALL_FILTERS = (32, 64, 128, 128)
_SMALL_PLACES = 4

# What was learnt on ImageNet is changed in small steps.
_FINE_TUNING = 0.1

_CURVES = (".png", ".pdf", ".svg")


@dataclass(frozen=True)
class Options:
    """What the command was given; see its help."""

    directory: str
    model: str
    weights: str | None
    image_size: int | None
    batch_size: int
    epochs: int
    learning_rate: float
    validation_split: float
    augment: bool
    fine_tune: int
    output: Path
    history: Sequence[Path]
    seed: int
    on_error: str


def train(options: Options) -> None:
    """Train a classifier, and tell how it goes; what it is worth at last, and where it lies.

    Raises
    ------
    FastcnnError
        Something that was given does not work.
    KeyboardInterrupt
        Ctrl-C; `options.output` is the best model up to then.
    """
    for path in options.history:
        if path.suffix not in (".csv", *_CURVES):
            raise ConfigError(f"{path}: expected .csv, {' or '.join(_CURVES)}, got {path.suffix!r}")
    if options.fine_tune and options.weights is None:
        raise ConfigError("--fine-tune has a meaning with --weights only")
    fc.set_random_seed(options.seed)
    make = None if options.model == SMALL else classifier(options.model)
    if make is None and options.weights is not None:
        raise ConfigError(f"{SMALL} has no weights to start from; it is trained from scratch")
    size = options.image_size or (_SMALL_SIZE if make is None else make.application.size)
    training, validation = _data(options, size)
    model, base = _network(options, make, size, len(training.class_names))
    model.class_names = training.class_names
    print(_description(options, size, model, base))

    # The best weights so far are always in the file: Ctrl-C loses nothing.
    keep = callbacks.ModelCheckpoint(
        options.output, monitor="val_accuracy" if validation else "accuracy", save_best_only=True
    )
    tables = [callbacks.CSVLogger(path) for path in options.history if path.suffix == ".csv"]
    log = callbacks.History()
    called = [keep, log, *tables]
    try:
        _fit(model, training, validation, options.learning_rate, 0, options.epochs, called)
        if options.fine_tune and base is not None:
            count = unfreeze(base, options.fine_tune)
            print(f"Fine-tuning the last {count} layers with weights.")
            rate = options.learning_rate * _FINE_TUNING
            for table in tables:
                table.append = True
            start = options.epochs
            _fit(model, training, validation, rate, start, 2 * start, called)
    finally:
        if log.history:
            for path in options.history:
                if path.suffix in _CURVES:
                    fc.visualize.history(log, save=path)
                    print(f"Curves: {path}")
            print(_result(options, log.history, bool(validation)))


def _data(options: Options, size: int) -> tuple[ImageDataset, ImageDataset | None]:
    wanted: dict[str, Any] = {
        "image_size": (size, size),
        "batch_size": options.batch_size,
        "seed": options.seed,
        "on_error": options.on_error,
    }
    if options.validation_split:
        wanted |= {"validation_split": options.validation_split, "subset": "both"}
        training, validation = image_dataset_from_directory(options.directory, **wanted)
        return training, validation
    return image_dataset_from_directory(options.directory, **wanted), None


def _network(options: Options, make: Constructor | None, size: int, classes: int) -> Any:
    """Make the model, which takes pictures from 0 to 255, and what in it was trained before."""
    x = inputs = fc.Input((size, size, 3), name="pictures")
    if options.augment:
        x = layers.RandomFlip("horizontal")(x)
        x = layers.RandomRotation(0.05, fill_mode="nearest")(x)
        x = layers.RandomZoom(0.1, fill_mode="nearest")(x)
        x = layers.RandomTranslation(0.1, 0.1, fill_mode="nearest")(x)
    base = None
    if make is None:
        x = layers.Rescaling(1 / 255)(x)
        for number, filters in enumerate(_SMALL_FILTERS):
            x = layers.MaxPooling2D()(x) if number else x
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            # Few pictures make few steps: statistics must not need hundreds of them.
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
        # Where in the picture something is counts, too; the average over all of it forgets that.
        x = layers.Flatten()(layers.AdaptiveAveragePooling2D(_SMALL_PLACES)(x))
    else:
        x = preprocessing(make.application.mode_for(options.weights))(x)
        base = make(
            include_top=False, weights=options.weights, input_shape=(size, size, 3), pooling="avg"
        )
        if options.weights is not None:
            base.trainable = False
        x = base(x)
    x = layers.Dropout(0.2)(x)
    x = layers.Dense(classes, activation="softmax", name="classes")(x)
    return fc.Model(inputs, x, name=options.model), base


def _fit(
    model: Any,
    training: ImageDataset,
    validation: ImageDataset | None,
    learning_rate: float,
    start: int,
    stop: int,
    called: Sequence[Any],
) -> None:
    # Smaller and smaller steps: the last epochs differ less from each other, and are the best.
    steps = max(len(training) * (stop - start), 1)
    rate = fc.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(fc.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        training,
        validation_data=validation,
        epochs=stop,
        initial_epoch=start,
        callbacks=list(called),
    )


def unfreeze(base: Any, count: int) -> int:
    """Let the last layers be trained; batch norms keep the statistics of ImageNet."""
    weighted = [
        layer
        for layer in base.layers
        if layer.weights and not isinstance(layer, layers.BatchNormalization)
    ]
    last = weighted[-count:]
    base.trainable = True  # of all layers; a model that is not trained has no layer that is
    for layer in base.layers:
        layer.trainable = layer in last
    return len(last)


def _description(options: Options, size: int, model: Any, base: Any) -> str:
    weights = sum(w.size for w in model.weights)
    trained = sum(w.size for w in model.trainable_weights)
    start = "from scratch" if options.weights is None else f"from {options.weights}"
    return (
        f"Training {options.model} {start} on pictures of {size} x {size}: {weights:,} weights, "
        f"{trained:,} of them trained; seed {options.seed}."
    )


def _result(options: Options, log: dict[str, list[float]], validated: bool) -> str:
    accuracy = log["val_accuracy" if validated else "accuracy"]
    best = max(range(len(accuracy)), key=accuracy.__getitem__)
    what = "validation accuracy" if validated else "training accuracy"
    return (
        f"Best {what}: {accuracy[best]:.2%}, in epoch {best + 1}.\n"
        f"Model: {os.fspath(options.output)}"
    )
