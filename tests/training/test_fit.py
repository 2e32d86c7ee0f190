"""compile, fit, evaluate: what a step changes, what data may be, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.errors import ConfigError, DTypeError, NumericsError, ShapeError, UnsupportedError


def classifier(precision: str | None = None, dropout: float = 0.0) -> fc.Sequential:
    return fc.Sequential(
        [
            fc.Input((8, 8, 2)),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(dropout),
            layers.Dense(3),
        ],
        precision=precision,
    )


def problem(count: int = 48, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose class is the part that is brightest."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    x = rng.standard_normal((count, 8, 8, 2)).astype(np.float32)
    for i, label in enumerate(y):
        x[i, 2 * label : 2 * label + 3] += 2
    return x, y


LOSS = fc.losses.SparseCategoricalCrossentropy(from_logits=True)


def trained(seed: int = 0, **options: object) -> fc.Sequential:
    fc.set_random_seed(seed)
    model = classifier(dropout=0.25)
    model.compile(fc.optimizers.Adam(1e-2), LOSS, metrics=["accuracy"])
    x, y = problem()
    model.fit(x, y, batch_size=16, verbose=0, **{"epochs": 3, **options})  # type: ignore[arg-type]
    return model


def same_weights(a: fc.Model, b: fc.Model) -> bool:
    pairs = zip(a.get_weights(), b.get_weights(), strict=True)
    return all(v.tobytes() == w.tobytes() for v, w in pairs)


def test_a_model_learns() -> None:
    fc.set_random_seed(1)
    model = classifier()
    model.compile(fc.optimizers.Adam(1e-2), LOSS, metrics=["accuracy"])
    x, y = problem(96)
    history = model.fit(x, y, epochs=12, validation_split=0.25, verbose=0).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    assert history["val_accuracy"][-1] > 0.8
    loss, accuracy = model.evaluate(x, y, verbose=0)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found == {"loss": loss, "accuracy": accuracy}
    logits = model.predict(x)
    assert accuracy == pytest.approx((logits.argmax(1) == y).mean())
    exact = logits.astype(np.float64)
    exact = np.log(np.exp(exact).sum(1)) - exact[np.arange(len(y)), y]
    assert loss == pytest.approx(exact.mean(), rel=1e-3, abs=1e-6)


def test_the_same_seed_gives_the_same_bits_at_any_number_of_threads() -> None:
    before = fc.get_num_threads()
    try:
        runs = []
        for threads in (1, 2, 5):
            fc.set_num_threads(threads)
            runs.append(trained())
    finally:
        fc.set_num_threads(before)
    assert all(same_weights(runs[0], run) for run in runs[1:])
    assert not same_weights(runs[0], trained(seed=7))


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
def test_training_goes_on_from_a_file_to_the_same_bits(tmp_path, optimizer) -> None:
    def make() -> fc.Sequential:
        fc.set_random_seed(3)
        model = classifier(dropout=0.3)
        model.compile(optimizer, LOSS, metrics=["accuracy"])
        return model

    x, y = problem()
    whole, half = make(), make()
    whole.fit(x, y, batch_size=16, epochs=4, verbose=0)
    half.fit(x, y, batch_size=16, epochs=2, verbose=0)
    half.save(tmp_path / "half.fastcnn")
    rest = fc.load_model(tmp_path / "half.fastcnn")
    assert rest.optimizer.iterations == 6
    rest.fit(x, y, batch_size=16, epochs=4, initial_epoch=2, verbose=0)
    assert same_weights(whole, rest)
    fresh = fc.load_model(tmp_path / "half.fastcnn", compile=False)
    assert not fresh.compiled


class Half(fc.losses.Loss):
    def call(self, y_true, y_pred):
        return fc.ops.mean(fc.ops.square(y_true - y_pred), axis=-1) * 0.5


def quarter(y_true, y_pred):
    return fc.ops.mean(fc.ops.square(y_true - y_pred), axis=-1) * 0.25


class Largest(fc.metrics.Metric):
    def __init__(self, name="largest"):
        super().__init__(name=name)
        self.value = self.add_variable((), "zeros", name="value")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(fc.ops.maximum(self.value, fc.ops.max(y_pred)))

    def result(self):
        return self.value


@pytest.mark.parametrize("loss", [Half(), Half, quarter])
@pytest.mark.parametrize("metric", [Largest("top"), Largest, quarter, "ce"])
def test_what_is_ones_own_is_trained_with_after_loading(tmp_path, loss, metric) -> None:
    x = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[np.arange(16) % 3]
    model = fc.Sequential([fc.Input((4,)), layers.Dense(3)])
    model.compile("sgd", loss, metrics=[metric])
    model.save(tmp_path / "own.fastcnn")
    own = {"Half": Half, "quarter": quarter, "Largest": Largest}
    again = fc.load_model(tmp_path / "own.fastcnn", custom_objects=own)
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert again.fit(x, y, verbose=0).history == model.fit(x, y, verbose=0).history
    with pytest.warns(UserWarning, match="not compiled"):
        assert not fc.load_model(tmp_path / "own.fastcnn").compiled


def test_frozen_layers_stay_what_they_are() -> None:
    fc.set_random_seed(0)
    model = classifier()
    model.layers[0].trainable = False
    model.layers[1].trainable = False
    before = [v.numpy() for layer in model.layers[:2] for v in layer.weights]
    model.compile("adam", LOSS)
    x, y = problem()
    model.fit(x, y, verbose=0)
    after = [v.numpy() for layer in model.layers[:2] for v in layer.weights]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    # The frozen batch norm, too, is part of a folded convolution: no statistics of batches.
    assert model._steps is not None
    ops = [step["op"] for step in model._steps._train.latest().steps()]
    assert "batch_norm_training" not in ops
    model.trainable = True
    model.fit(x, y, verbose=0)
    assert any(
        (v.numpy() != b).any() for v, b in zip(model.layers[0].weights, before, strict=False)
    )


def test_moving_statistics_follow_those_of_the_batches() -> None:
    layer = layers.BatchNormalization(momentum=0.8)
    x = 3 + 2 * np.random.default_rng(0).standard_normal((64, 5)).astype(np.float32)
    y = layer(x, training=True)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.2 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.8 + 0.2 * x.var(0), rtol=1e-5)


def test_class_weights_and_sample_weights_are_the_same_thing() -> None:
    x, y = problem()
    weights = {0: 2.0, 2: 0.5}
    by_sample = np.array([weights.get(int(c), 1.0) for c in y], np.float32)

    def train(**options: object) -> fc.Model:
        fc.set_random_seed(0)
        model = classifier()
        model.compile("sgd", LOSS, weighted_metrics=["accuracy"])
        model.fit(x, y, batch_size=16, verbose=0, **options)  # type: ignore[arg-type]
        return model

    assert same_weights(train(class_weight=weights), train(sample_weight=by_sample))
    assert not same_weights(train(), train(class_weight=weights))


def test_data_may_be_arrays_data_sets_and_generators() -> None:
    x, y = problem()

    def train(*data: object, **options: object) -> fc.Model:
        fc.set_random_seed(0)
        model = classifier()
        model.compile("sgd", LOSS)
        model.fit(*data, verbose=0, epochs=2, **options)  # type: ignore[arg-type]
        return model

    def batches():
        for start in range(0, len(x), 16):
            yield x[start : start + 16], y[start : start + 16]

    def forever():
        while True:
            yield from batches()

    expected = train(x, y, batch_size=16, shuffle=False)
    assert same_weights(expected, train(fc.data.ArrayDataset(x, y, batch_size=16)))
    assert same_weights(expected, train(fc.data.from_generator(batches)))
    assert same_weights(expected, train(list(batches())))
    assert same_weights(expected, train(forever(), steps_per_epoch=3))
    model = train(x, y, batch_size=20)  # the last batch has 8
    assert model.optimizer.iterations == 2 * 3


def test_batches_may_be_lists_as_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    x, y = problem()
    data = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(data, batch_size=16)
    models = []
    for given in ((x, y, 16), (loader,)):
        fc.set_random_seed(0)
        model = classifier()
        model.compile("sgd", LOSS, weighted_metrics=["accuracy"])
        model.fit(*given, epochs=2, shuffle=False, verbose=0)
        models.append(model)
    assert same_weights(*models)
    assert model.evaluate(loader, verbose=0) == model.evaluate(x, y, 16, verbose=0)
    np.testing.assert_array_equal(model.predict(loader), model.predict(x, batch_size=16))
    weighted = [[x, y, np.arange(len(y))]]
    found = model.evaluate(iter(weighted), verbose=0)
    assert found == model.evaluate(x, y, 48, sample_weight=np.arange(len(y)), verbose=0)


class Apart(layers.Layer):
    """Gives its first input; the mean square of what its inputs differ in is a loss."""

    def call(self, inputs):
        self.add_loss(fc.ops.mean(fc.ops.square(inputs[0] - inputs[1])))
        return inputs[0]


def test_lists_of_inputs_are_not_taken_for_targets() -> None:
    class Subclassed(fc.Model):
        def __init__(self) -> None:
            super().__init__()
            self.apart = Apart()

        def call(self, inputs):
            return self.apart(inputs)

    a, b = np.ones((6, 4), np.float32), np.zeros((6, 4), np.float32)
    ends = [fc.Input((4,)), fc.Input((4,))]
    functional = fc.Model(ends, Apart()(ends))
    for model in (functional, Subclassed()):
        model.compile("sgd")
        assert model.evaluate([a, b], verbose=0) == pytest.approx(1.0)
    assert functional.evaluate(iter([[a, b]]), verbose=0) == pytest.approx(1.0)
    np.testing.assert_array_equal(functional.predict(iter([[a, b]])), a)
    functional.compile("sgd", "mse")
    assert functional.evaluate(iter([[[a, b], b]]), verbose=0) == pytest.approx(2.0)


def test_several_outputs_have_losses_and_metrics_of_their_own() -> None:
    fc.set_random_seed(0)
    x = image = fc.Input((8, 8, 2))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(x))
    kind = layers.Dense(3, name="kind")(x)
    size = layers.Dense(1, name="size")(x)
    model = fc.Model(image, {"kind": kind, "size": size})
    model.compile(
        "adam",
        {"kind": LOSS, "size": "mse"},
        loss_weights={"size": 0.5},
        metrics={"kind": ["accuracy"], "size": ["mae"]},
    )
    pictures, labels = problem()
    sizes = pictures.mean((1, 2, 3))[:, None]
    history = model.fit(pictures, {"kind": labels, "size": sizes}, epochs=2, verbose=0).history
    assert set(history) == {"loss", "kind_loss", "size_loss", "kind_accuracy", "size_mae"}
    total = history["kind_loss"][0] + 0.5 * history["size_loss"][0]
    assert history["loss"][0] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("form", ["dict", "dict of other names", "list"])
def test_targets_are_matched_to_outputs_by_name(form: str) -> None:
    x, y = problem()
    image = fc.Input((8, 8, 2))
    flat = layers.Flatten()(image)
    outputs = [layers.Dense(3, name="kind")(flat), layers.Dense(1, name="size")(flat)]
    kind, size = ("a", "b") if form == "dict of other names" else ("kind", "size")
    model = fc.Model(
        image, outputs if form == "list" else dict(zip((kind, size), outputs, strict=True))
    )
    targets = {kind: y, size: 100 * x[:, 0, 0, :1]}
    model.compile("sgd", {kind: LOSS, size: "mse"})
    found = [
        model.evaluate(x, {name: targets[name] for name in order}, verbose=0)
        for order in ((kind, size), (size, kind))
    ]
    assert found[0] == found[1]
    with pytest.raises(ConfigError, match=f"the loss of the output '{size}' needs targets"):
        model.fit(x, {kind: y}, verbose=0)
    with pytest.raises(ConfigError, match=f"no output is called 'c'; they are .*'{kind}'"):
        model.fit(x, {**targets, "c": y}, verbose=0)


def test_gradients_pass_through_reduce_in_one_array() -> None:
    seen = []

    def halve(gradients: np.ndarray) -> None:
        seen.append(gradients.shape)
        gradients *= 0.5

    x, y = problem(16)
    half, full = (classifier() for _ in range(2))
    full.set_weights(half.get_weights())
    half.compile(fc.optimizers.SGD(0.2), LOSS)
    full.compile(fc.optimizers.SGD(0.1), LOSS)
    half.fit(x, y, verbose=0, shuffle=False, reduce=halve)
    full.fit(x, y, verbose=0, shuffle=False)
    assert seen == [(sum(v.size for v in half.trainable_weights),)]
    for a, b in zip(half.get_weights(), full.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def small_network(blocks: int) -> fc.Sequential:
    """Begins with a normalisation, so that what it makes of its input is known."""
    network = [fc.Input((8, 8, 4)), layers.BatchNormalization(), layers.ReLU()]
    for _ in range(blocks):
        network += [layers.Conv2D(4, 3, padding="same", use_bias=False)]
        network += [layers.BatchNormalization(), layers.ReLU()]
    return fc.Sequential([*network, layers.GlobalAveragePooling2D(), layers.Dense(3)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("blocks", [4, 7])
def test_what_is_computed_again_passes_the_same_gradients(blocks: int, seed: int) -> None:
    # Half of the values are the mean, but for what rounding leaves of it: results beside ReLU's
    # kink, whichever of the first and the second computation the gradient of an op looks at.
    apart = np.random.default_rng(seed).standard_normal((4, 8, 8, 4)).astype(np.float32)
    apart[:, ::2] = 0
    x, y = np.concatenate([1 + apart, 1 - apart]), np.arange(8) % 3
    models = []
    for recompute in (None, "segments"):
        fc.set_random_seed(seed)
        model = small_network(blocks)
        model.compile("sgd", LOSS, recompute=recompute)
        model.train_on_batch(x, y)
        models.append(model)
    assert models[1].training_memory < models[0].training_memory
    assert same_weights(*models)


def test_computing_again_never_takes_more_memory() -> None:
    memory = []
    for option in (None, "segments"):
        model = small_network(2)
        model.compile("sgd", LOSS, recompute=option)
        model.train_on_batch(np.zeros((8, 8, 8, 4), np.float32), np.zeros(8, np.int64))
        memory.append(model.training_memory)
    assert 0 < memory[1] <= memory[0]


@pytest.mark.parametrize("recompute", ["activations", "segments"])
def test_less_memory_gives_the_same_bits(recompute: str) -> None:
    x, y = problem()
    models = []
    for option in (None, recompute):
        fc.set_random_seed(0)
        model = classifier(dropout=0.2)
        model.compile("adam", LOSS, recompute=option)
        model.fit(x, y, verbose=0)
        models.append(model)
    assert same_weights(*models)
    assert 0 < models[1].training_memory <= models[0].training_memory


def test_nothing_is_allocated_after_the_first_step() -> None:
    model = trained()
    steps = model._steps
    assert steps is not None
    x, y = problem(16)
    compiled, _ = steps._compile(steps._train, (x, y, None))
    again, _ = steps._compile(steps._train, (x, y, None))
    assert again.plan is compiled.plan
    memory = [v.view().__array_interface__["data"] for v in steps.state()]
    steps.train((x, y, None))
    assert memory == [v.view().__array_interface__["data"] for v in steps.state()]


def test_a_loss_that_is_no_number_is_explained_and_undone() -> None:
    class Root(layers.Layer):
        def call(self, x):
            return fc.ops.sqrt(x)

    fc.set_random_seed(0)
    root = Root(name="root")
    model = fc.Sequential([fc.Input((4,)), layers.Dense(3, name="first"), root, layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    x = np.ones((8, 4), np.float32)
    with pytest.raises(NumericsError, match=r'step 1: the loss is nan.*"root'):
        model.fit(-x * np.sign(before[0].sum()), x[:, :1], verbose=0, check_numerics=True)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.optimizer.iterations == 0
    x[3, 1] = np.nan
    with pytest.raises(NumericsError, match="in x already"):
        model.fit(x, x[:, :1], verbose=0, check_numerics=True)


def test_an_interrupted_fit_leaves_the_last_step() -> None:
    class Interrupt(fc.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    fc.set_random_seed(0)
    model = classifier()
    model.compile("sgd", LOSS)
    x, y = problem()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=16, verbose=0, callbacks=[Interrupt()])
    assert model.optimizer.iterations == 2
    model.fit(x, y, batch_size=16, verbose=0)
    assert model.optimizer.iterations == 5


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        fc.losses.sparse_categorical_crossentropy,
        fc.losses.SparseCategoricalFocalCrossentropy(from_logits=True),
        fc.losses.SparseDice(from_logits=True),
    ],
)
@pytest.mark.parametrize("wrong", [7, -1, np.nan, np.inf, 0.5])
def test_labels_that_are_no_classes_are_refused(loss: object, wrong: float) -> None:
    class Subclassed(fc.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.dense(x)

    x = np.ones((6, 4), np.float32)
    y = np.array([0, 1, 2, 0, 1, wrong])
    for model in (Subclassed(), fc.Sequential([fc.Input((4,)), layers.Dense(3)])):
        model.compile("sgd", loss)
        for call in (model.train_on_batch, model.test_on_batch):
            with pytest.raises(ConfigError, match=rf"classes from 0 to 2.*got {wrong}"):
                call(x, y)
        assert model.optimizer.iterations == 0
        model.fit(x, np.array([0.0, 1, 2, 0, 1, 2]), verbose=0)
        assert np.isfinite(model.get_weights()[0]).all()


@pytest.mark.parametrize("ignored", [255, -1])
def test_one_label_may_be_ignored(ignored: int) -> None:
    x = np.ones((4, 4), np.float32)
    model = fc.Sequential([fc.Input((4,)), layers.Dense(3)])
    for loss in (fc.losses.SparseCategoricalCrossentropy, fc.losses.SparseDice):
        model.compile("sgd", loss(from_logits=True, ignore_class=ignored))
        model.fit(x, np.array([0, 1, 2, ignored]), verbose=0)
        with pytest.raises(ConfigError, match=f"or {ignored}, which is ignored.*got 0.5"):
            model.fit(x, np.array([0, 0.5, 2, ignored]), verbose=0)


class Bounds(Largest):
    def result(self):
        return {"top": self.value, "low": fc.ops.multiply(self.value, -1.0)}


def test_metrics_may_give_variables_and_dictionaries(tmp_path, capsys) -> None:
    x, y = problem()
    model = classifier()
    model.compile(fc.optimizers.SGD(0.5), LOSS, metrics=[Largest(), Bounds("bounds"), "accuracy"])
    callbacks = [
        fc.callbacks.CSVLogger(tmp_path / "log.csv"),
        fc.callbacks.EarlyStopping("low", mode="max", patience=9),
    ]
    history = model.fit(x, y, epochs=2, verbose=2, callbacks=callbacks).history
    assert list(history) == ["loss", "largest", "accuracy", "low", "top"]
    assert all(type(value) is float for values in history.values() for value in values)
    assert history["largest"] == history["top"] == [-value for value in history["low"]]
    assert history["top"][0] != history["top"][1]
    last = (tmp_path / "log.csv").read_text().splitlines()[-1].split(",")
    assert [float(number) for number in last[1:]] == [history[name][-1] for name in sorted(history)]
    assert "top: " in capsys.readouterr().out
    named = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(named) == list(history)
    assert model.evaluate(x, y, verbose=0) == list(named.values())


def test_metrics_of_one_name_are_told_apart() -> None:
    x, y = problem()
    model = classifier()
    twice = ["accuracy", "accuracy"]
    model.compile("sgd", LOSS, metrics=[*twice, Largest("loss")], weighted_metrics=twice)
    history = model.fit(x, y, class_weight={0: 9.0}, verbose=0).history
    assert list(history) == [
        "loss", "accuracy", "accuracy_1", "loss_1", "weighted_accuracy", "weighted_accuracy_1",
    ]  # fmt: skip
    assert history["accuracy"] == history["accuracy_1"] != history["weighted_accuracy"]


def test_a_metric_that_was_used_before_begins_anew() -> None:
    x, y = problem()
    metric = Largest()
    metric.value.assign(1e6)
    model = classifier()
    model.compile("sgd", LOSS, metrics=[metric])
    assert model.fit(x, y, verbose=0).history["largest"][0] < 1e6


@pytest.mark.parametrize(
    ("method", "calls"),
    [
        ("train_step", ["fit", "train_on_batch"]),
        ("test_step", ["evaluate", "test_on_batch"]),
        ("compute_loss", ["fit", "train_on_batch", "evaluate", "test_on_batch"]),
    ],
)
def test_steps_of_ones_own_are_refused(method: str, calls: list[str]) -> None:
    own = type("Own", (fc.Sequential,), {method: lambda self, *data: {}})
    model = own([fc.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 4), np.float32)
    for call in ("fit", "train_on_batch", "evaluate", "test_on_batch"):
        if call in calls:
            with pytest.raises(UnsupportedError, match=f"{call}: Own defines {method}.*value_and_"):
                getattr(model, call)(x, x[:, :1])
        else:
            getattr(model, call)(x, x[:, :1])


def test_what_does_not_fit_is_refused() -> None:
    x, y = problem()
    model = classifier()
    with pytest.raises(ConfigError, match="not compiled"):
        model.fit(x, y)
    model.compile("sgd", LOSS)
    with pytest.raises(ConfigError, match=r"classes from 0 to 2.*got 7"):
        model.fit(x, np.where(y == 1, 7, y), verbose=0)
    with pytest.raises(ConfigError, match="classes from 0 to 2"):
        model.fit(x, y - 1, verbose=0)
    with pytest.raises(ShapeError, match="first axis"):
        model.fit(x, y[:-1], verbose=0)
    with pytest.raises(ShapeError, match=r"\(48, 8, 8, 1\)"):
        model.fit(x[..., :1], y, batch_size=48, verbose=0)
    with pytest.raises(ConfigError, match="needs targets"):
        model.fit(x, verbose=0)
    with pytest.raises(ConfigError, match="not one batch"):
        model.fit([], verbose=0)
    with pytest.raises(ConfigError, match="validation_split"):
        model.fit(x, y, validation_split=1.5, verbose=0)
    with pytest.raises(ConfigError, match=r"loss_weights.*'a'"):
        model.compile("sgd", LOSS, loss_weights=["a"])
        model.fit(x, y, verbose=0)
    with pytest.raises(ConfigError, match="verbose"):
        model.evaluate(x, y, verbose="loud")
    with pytest.raises(ConfigError, match="steps"):
        model.evaluate(x, y, steps=0, verbose=0)
    with pytest.raises(ConfigError, match="recompute"):
        model.compile("sgd", LOSS, recompute="all")
    with pytest.raises(ConfigError, match="expected an optimizer"):
        model.compile("sgdd", LOSS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"class_weight": [1, 2, 3]}, "class_weight: expected a dict.*got list"),
        ({"class_weight": {"a": 5.0}}, "class_weight: .*from 0 to 2.*'a'"),
        ({"class_weight": {3: 5.0}}, "class_weight: .*from 0 to 2.*3"),
        ({"class_weight": {0: "much"}}, "class_weight.*'much'"),
        ({"class_weight": {0: -1}}, "class_weight.*-1"),
        ({"verbose": "loud"}, "verbose: expected one of 'auto', 0, 1, 2"),
        ({"verbose": 7}, "verbose.*7"),
        ({"validation_freq": "a"}, "validation_freq.*'a'"),
        ({"validation_freq": 0}, "validation_freq.*0"),
        ({"validation_freq": [0, 1]}, "validation_freq.*0"),
        ({"validation_split": "a"}, "validation_split.*'a'"),
        ({"steps_per_epoch": 0}, "steps_per_epoch.*0"),
        ({"validation_steps": 0}, "validation_steps.*0"),
        ({"shuffle": "batch"}, "shuffle.*'batch'"),
        ({"reduce": "sum"}, "reduce: expected a function"),
    ],
)
def test_wrong_arguments_are_refused_before_the_first_step(
    wrong: dict[str, object], message: str
) -> None:
    model = classifier()
    model.compile("sgd", LOSS)
    with pytest.raises((ConfigError, DTypeError), match=message):
        model.fit(*problem(), **{"verbose": 0, **wrong})  # type: ignore[arg-type]
    assert model.optimizer.iterations == 0


def test_weights_of_classes_that_no_label_is_of() -> None:
    x, y = problem()
    model = classifier()
    model.compile("sgd", LOSS)
    model.fit(x[y < 2], y[y < 2], class_weight={0: 1, np.int64(2): 5}, verbose=0)
    with pytest.raises(ConfigError, match="train_on_batch: class_weight"):
        model.train_on_batch(x, y, class_weight={3: 1})
    # Of one output any number may be a class.
    rating = fc.Sequential([fc.Input((8, 8, 2)), layers.Flatten(), layers.Dense(1)])
    rating.compile("sgd", "mse")
    rating.fit(x, y + 3, class_weight={3: 1, 5: 2}, verbose=0)


def test_a_generator_that_is_gone_through_is_named() -> None:
    x, y = problem()
    model = classifier()
    model.compile("sgd", LOSS)
    with pytest.raises(ConfigError, match=r"no batch is left for epoch 2.*from_generator"):
        model.fit(((x[:8], y[:8]) for _ in range(4)), epochs=3, verbose=0)
    assert model.optimizer.iterations == 4


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_looser_precision_learns_too(precision: str) -> None:
    fc.set_random_seed(1)
    model = classifier(precision)
    model.compile(fc.optimizers.Adam(1e-2), LOSS, metrics=["accuracy"])
    x, y = problem(96)
    history = model.fit(x, y, epochs=12, verbose=0).history
    assert history["accuracy"][-1] > 0.9


def test_one_batch_has_metrics_of_its_own() -> None:
    model = classifier()
    model.compile(fc.optimizers.SGD(0.0), LOSS, metrics=["accuracy"])
    x, y = problem()
    first = model.train_on_batch(x[:16], y[:16], return_dict=True)
    model.evaluate(x, y, verbose=0)
    again = model.train_on_batch(x[:16], y[:16], return_dict=True)
    assert set(first) == {"loss", "accuracy"}
    assert first == again
    assert model.optimizer.iterations == 2
    assert model.test_on_batch(x, y) == pytest.approx(model.evaluate(x, y, 48, verbose=0))
