"""Penalties and constraints: their formulas, and what layers do with them."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import constraints, layers, regularizers
from fastcnn.errors import ConfigError, ShapeError
from fastcnn.tracing import Trace
from tests.training.traced import traced

rng = np.random.default_rng(0)
MATRIX = rng.standard_normal((5, 7)).astype(np.float32)
KERNEL = rng.standard_normal((3, 3, 4, 6)).astype(np.float32)


def orthogonal(x, rows):
    x = x.astype(np.float64) if rows else x.T.astype(np.float64)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = np.abs(unit @ unit.T)
    pairs = len(x) * (len(x) - 1)
    return (cosines.sum() - np.trace(cosines)) / pairs


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (regularizers.L1(0.3), lambda x: 0.3 * np.abs(x).sum()),
        (regularizers.L2(0.3), lambda x: 0.3 * (x**2).sum()),
        (regularizers.L1L2(0.2, 0.1), lambda x: 0.2 * np.abs(x).sum() + 0.1 * (x**2).sum()),
        (regularizers.OrthogonalRegularizer(0.4), lambda x: 0.4 * orthogonal(x, True)),
        (
            regularizers.OrthogonalRegularizer(0.4, mode="columns"),
            lambda x: 0.4 * orthogonal(x, False),
        ),
    ],
    ids=lambda x: repr(x) if isinstance(x, regularizers.Regularizer) else "",
)
def test_penalties(regularizer, expected):
    value = expected(MATRIX.astype(np.float64))
    assert float(regularizer(MATRIX)) == pytest.approx(value, rel=1e-6)
    assert float(regularizer(fc.Variable(MATRIX))) == pytest.approx(value, rel=1e-6)
    assert float(traced(regularizer, MATRIX)) == pytest.approx(value, rel=1e-6)
    again = regularizers.get(regularizers.serialize(regularizer))
    assert again.get_config() == regularizer.get_config()
    assert float(again(MATRIX)) == float(regularizer(MATRIX))


def lengths(x, axis):
    return np.sqrt((x.astype(np.float64) ** 2).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("x", [MATRIX, KERNEL], ids=["matrix", "kernel"])
def test_projections(x):
    axis = 0 if x.ndim == 2 else (0, 1, 2)
    length = lengths(x, axis)
    for constraint, expected in (
        (constraints.NonNeg(), np.maximum(x, 0)),
        (constraints.UnitNorm(axis), x / length),
        (constraints.MaxNorm(2.5, axis), x * np.minimum(length, 2.5) / length),
        (
            constraints.MinMaxNorm(2.0, 2.6, 0.7, axis),
            x * (0.7 * np.clip(length, 2.0, 2.6) + 0.3 * length) / length,
        ),
    ):
        np.testing.assert_allclose(constraint(x), expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(traced(constraint, x), constraint(x))
        again = constraints.get(constraints.serialize(constraint))
        np.testing.assert_array_equal(again(x), constraint(x))
    zeros = np.zeros_like(x)
    np.testing.assert_array_equal(constraints.UnitNorm(axis)(zeros), zeros)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: regularizers.L1(-0.1), ConfigError, "l1: expected a number >= 0"),
        (lambda: regularizers.L2(float("nan")), ConfigError, "l2: expected a number >= 0"),
        (lambda: regularizers.OrthogonalRegularizer(mode="both"), ConfigError, "'rows', 'columns'"),
        (lambda: regularizers.OrthogonalRegularizer()(KERNEL), ShapeError, "matrix"),
        (lambda: regularizers.get("ridge"), ConfigError, "expected one of .*l1_l2"),
        (lambda: regularizers.get(0.1), ConfigError, "expected the name of a regularizer"),
        (lambda: constraints.MinMaxNorm(2.0, 1.0), ConfigError, "min_value <= max_value"),
        (lambda: constraints.MaxNorm(-1), ConfigError, "max_value"),
        (lambda: constraints.get("box"), ConfigError, "expected one of .*non_neg"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


LAYERS = [
    (lambda **o: layers.Dense(4, **o), (2, 7), ("kernel", "bias")),
    (lambda **o: layers.Conv2D(4, 3, **o), (2, 8, 8, 3), ("kernel", "bias")),
    (lambda **o: layers.Conv2DTranspose(4, 3, **o), (2, 8, 8, 3), ("kernel", "bias")),
    (lambda **o: layers.DepthwiseConv2D(3, **o), (2, 8, 8, 3), ("depthwise", "bias")),
    (lambda **o: layers.SeparableConv2D(4, 3, **o), (2, 8, 8, 3), ("pointwise", "bias")),
    (layers.BatchNormalization, (2, 8, 8, 3), ("gamma", "beta")),
    (layers.LayerNormalization, (2, 8, 8, 3), ("gamma", "beta")),
    (layers.PReLU, (2, 8, 8, 3), ("alpha", "alpha")),
]


@pytest.mark.parametrize(
    ("make", "shape", "names"), LAYERS, ids=lambda x: getattr(x, "__name__", "")
)
def test_layers_pass_them_to_their_weights(make, shape, names):
    first, second = names
    layer = make(
        **{f"{first}_regularizer": regularizers.L2(0.5), f"{second}_constraint": "non_neg"}
    )
    x = rng.standard_normal(shape).astype(np.float32)
    layer(x)
    marked = [v for v in layer.weights if v.regularizer is not None]
    held = [v for v in layer.weights if v.constraint is not None]
    assert len(marked) == len(held) == 1
    assert repr(marked[0].regularizer) == "L2(l2=0.5)"
    assert repr(held[0].constraint) == "NonNeg()"
    (penalty,) = layer.losses
    assert penalty == pytest.approx(0.5 * float((marked[0].numpy() ** 2).sum()), rel=1e-6)

    again = type(layer).from_config(layer.get_config())
    again(x)
    assert [repr(v.regularizer) for v in again.weights] == [
        repr(v.regularizer) for v in layer.weights
    ]
    assert [repr(v.constraint) for v in again.weights] == [
        repr(v.constraint) for v in layer.weights
    ]
    layer.trainable = False
    assert layer.losses == []


def test_saving_keeps_them(tmp_path):
    model = fc.Sequential(
        [
            fc.Input((6,)),
            layers.Dense(3, kernel_regularizer="l2", activity_regularizer=regularizers.L1(0.2)),
            layers.Dense(2, kernel_constraint=constraints.MaxNorm(1.5), bias_regularizer="l1"),
        ]
    )
    model.save(tmp_path / "model.fastcnn")
    again = fc.load_model(tmp_path / "model.fastcnn")
    first, second = again.layers
    assert repr(first.kernel.regularizer) == "L2(l2=0.01)"
    assert repr(first.activity_regularizer) == "L1(l1=0.2)"
    assert repr(second.kernel.constraint) == "MaxNorm(max_value=1.5, axis=0)"
    assert second.kernel.regularizer is None
    np.testing.assert_array_equal(again.losses, model.losses)
    assert len(model.losses) == 2


def losses_of(layer, x, training=True):
    """What a layer adds to the loss in one graph, computed."""
    trace = Trace(training=training)
    with trace:
        layer(trace.input(x.shape))
        losses = list(trace.losses)
    trace.finish(losses)
    return fc._C.compile(trace.graph).run([x]) if losses else []


def test_activity_is_penalised_a_picture():
    layer = layers.Dense(3, activity_regularizer=regularizers.L2(0.5), name="d")
    x = rng.standard_normal((4, 6)).astype(np.float32)
    y = layer(x)
    (loss,) = losses_of(layer, x)
    assert loss == pytest.approx(0.5 * (y.astype(np.float64) ** 2).sum() / 4, rel=1e-5)
    assert losses_of(layer, x, training=False) == [loss]
    model = fc.Sequential([fc.Input((6,)), layer])
    assert [step["op"] for step in model.plan((4, 6)).steps] == ["dense"]  # to predict, none
    model.compile(fc.optimizers.SGD(0.0), "mse")
    trained = model.fit(x, y, validation_data=(x, y), verbose=0).history
    for name in ("loss", "val_loss"):
        assert trained[name] == [pytest.approx(loss, rel=1e-5)]
    inner = fc.Sequential([fc.Input((6,)), layer])
    assert losses_of(inner, x) == [loss]


class Scaled(layers.Layer):
    """Adds losses of its own, and a weight with options."""

    def build(self, input_shape):
        self.factor = self.add_weight(
            (3,), "ones", name="factor", regularizer=regularizers.L1(2.0), constraint="unit_norm"
        )

    def call(self, x):
        y = x * self.factor
        self.add_loss([fc.ops.sum(y) * 0.5, fc.ops.square(self.factor)])
        return y


def test_losses_of_ones_own():
    layer = Scaled()
    x = rng.standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), x)
    assert losses_of(layer, x) == pytest.approx([0.5 * x.sum(), 3.0], rel=1e-5)
    assert layer.losses == pytest.approx([6.0])
    assert repr(layer.factor.constraint) == "UnitNorm(axis=0)"
    y = layer.call(x)  # op by op, it adds to nothing
    np.testing.assert_array_equal(y, x)
    symbolic = layer(fc.Input((3,)))
    assert symbolic.shape == (None, 3)


def test_weights_keep_to_their_constraint_in_training():
    weight = fc.Variable(np.ones((2, 2)))
    weight.constraint = constraints.NonNeg()
    fc.optimizers.SGD(1.0).apply_gradients([(np.array([[0.5, 3.0], [1.0, -1.0]]), weight)])
    np.testing.assert_array_equal(weight.numpy(), [[0.5, 0.0], [0.0, 2.0]])


def test_a_step_of_training():
    """Penalties are in the loss and its gradient, and the constraint ends the step."""
    x = rng.standard_normal((8, 5)).astype(np.float32)
    y = rng.standard_normal((8, 3)).astype(np.float32)
    layer = layers.Dense(
        3,
        kernel_regularizer=regularizers.L2(0.1),
        bias_regularizer=regularizers.L1(0.2),
        activity_regularizer=regularizers.L2(0.05),
        kernel_constraint="non_neg",
        bias_initializer=fc.initializers.Constant(0.5),
    )
    model = fc.Sequential([fc.Input((5,)), layer])
    model.compile(fc.optimizers.SGD(0.1), "mse")
    w, b = (v.numpy().astype(np.float64) for v in (layer.kernel, layer.bias))
    z = x @ w + b
    loss = ((z - y) ** 2).mean() + 0.1 * (w**2).sum() + 0.2 * np.abs(b).sum()
    dz = 2 * (z - y) / z.size + 0.05 * 2 * z / len(x)
    assert model.train_on_batch(x, y) == pytest.approx(
        loss + 0.05 * (z**2).sum() / len(x), rel=1e-5
    )
    np.testing.assert_allclose(
        layer.kernel.numpy(), np.maximum(w - 0.1 * (x.T @ dz + 0.2 * w), 0), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        layer.bias.numpy(), b - 0.1 * (dz.sum(0) + 0.2 * np.sign(b)), rtol=1e-4, atol=1e-6
    )
