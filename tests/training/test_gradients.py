"""value_and_grad, and L-BFGS, which is made of it."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers, ops
from fastcnn.errors import ConfigError, DTypeError, ShapeError, UnsupportedError

X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


def test_of_arguments_and_of_variables() -> None:
    scale = fc.Variable(np.array([1.0, 2.0, 3.0]), name="scale")

    def loss(x, y):
        return ops.sum(x * scale * x) + ops.sum(y)

    value, gradient = fc.value_and_grad(loss)(X, X)
    assert value == pytest.approx((X * X * [1, 2, 3]).sum() + X.sum(), rel=1e-5)
    np.testing.assert_allclose(gradient, 2 * X * [1, 2, 3], rtol=1e-6)
    _, (dx, dy) = fc.value_and_grad(loss, argnums=(0, 1))(X, X)
    np.testing.assert_allclose(dx, gradient)
    np.testing.assert_array_equal(dy, np.ones_like(X))
    _, (of_scale,) = fc.value_and_grad(loss, variables=[scale])(X, X)
    np.testing.assert_allclose(of_scale, (X * X).sum(0), rtol=1e-6)
    _, (of_y, of_both) = fc.value_and_grad(loss, argnums=1, variables=[scale])(X, X)
    np.testing.assert_array_equal(of_y, dy)
    np.testing.assert_array_equal(of_both[0], of_scale)


def test_what_stops_counts_as_a_constant() -> None:
    def loss(x):
        return ops.sum(ops.stop_gradient(x * x) * x + ops.stop_gradient(x))

    value, gradient = fc.value_and_grad(loss)(X)
    assert value == pytest.approx((X**3 + X).sum(), rel=1e-5)
    np.testing.assert_allclose(gradient, X * X, rtol=1e-6)
    np.testing.assert_array_equal(ops.stop_gradient(X), X)
    assert ops.stop_gradient(np.arange(3, dtype=np.int32)).dtype == np.int32
    image = fc.Input((2, 2, 3))
    assert fc.Model(image, ops.stop_gradient(image)).predict(np.ones((1, 2, 2, 3))).all()


@pytest.mark.parametrize(
    "index",
    [
        1, -1, slice(1, 3), slice(None, None, -2), (..., 0), (slice(None), slice(3, 1)),
        (0, ..., None, slice(1, 2)), (None, 1, 2), slice(-1, 0, -1), np.int64(2),
    ],
    ids=str,
)  # fmt: skip
def test_parts_by_index(index) -> None:
    x = np.random.default_rng(1).standard_normal((4, 3, 5)).astype(np.float32)
    weight = np.random.default_rng(2).standard_normal(x[index].shape).astype(np.float32)

    def loss(x):
        assert x[index].shape == weight.shape
        return ops.sum(x[index] * weight)

    value, gradient = fc.value_and_grad(loss)(x)
    assert value == pytest.approx(float((x[index] * weight).sum()), abs=1e-4)
    wanted = np.zeros_like(x)
    wanted[index] = weight
    np.testing.assert_array_equal(gradient, wanted)


@pytest.mark.parametrize(
    ("index", "error"),
    [(4, IndexError), (-5, IndexError), ((0, 0, 0), IndexError), ([0, 1], ConfigError),
     ("a", ConfigError), (True, ConfigError), ((..., ...), IndexError)],
    ids=str,
)  # fmt: skip
def test_indices_that_are_none(index, error) -> None:
    with pytest.raises(error):
        fc.value_and_grad(lambda x: ops.sum(x[index]))(X)


def test_other_results_come_along() -> None:
    compute = fc.value_and_grad(lambda x: (ops.sum(x), {"twice": x + x}), has_aux=True)
    (value, aux), gradient = compute(X)
    assert value == pytest.approx(X.sum(), rel=1e-5)
    np.testing.assert_array_equal(aux["twice"], 2 * X)
    np.testing.assert_array_equal(gradient, np.ones_like(X))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int16", "float64"])
def test_what_a_function_captures_counts_as_what_it_is_given(dtype: str) -> None:
    loss = fc.losses.SparseCategoricalCrossentropy(from_logits=True)
    y = np.array([0, 2, 1, 1], dtype)
    value, gradient = fc.value_and_grad(lambda x: loss(y, x))(X)
    expected, wanted = fc.value_and_grad(lambda x, y: loss(y, x))(X, y)
    assert value == expected == loss(y, X)
    np.testing.assert_array_equal(gradient, wanted)
    rows = fc.value_and_grad(lambda x: ops.sum(ops.where(y > 1, x, 0.0)))(X[:, 0])[1]
    np.testing.assert_array_equal(rows, y > 1)


def test_the_plan_is_made_once_for_each_shape() -> None:
    calls = []
    w = fc.Variable(np.ones(3))

    def loss(x):
        calls.append(x.shape)
        return ops.sum(x * w)

    compute = fc.value_and_grad(loss, variables=[w])
    for _ in range(3):
        compute(X)
        w.assign(w.numpy() + 1)
    compute(X[:2])
    assert calls == [(4, 3), (2, 3)]


def test_layers_train_when_they_are_told_so() -> None:
    layer = layers.BatchNormalization()
    for training in (False, True):
        compute = fc.value_and_grad(lambda x, t=training: ops.sum(layer(x, training=t)))
        before = layer.moving_mean.numpy() if layer.built else np.zeros(3, np.float32)
        compute(X)
        assert (layer.moving_mean.numpy() != before).any() == training


def test_bad_functions_are_refused() -> None:
    with pytest.raises(ShapeError, match="one number"):
        fc.value_and_grad(lambda x: x * 2.0)(X)
    with pytest.raises(DTypeError, match="return"):
        fc.value_and_grad(lambda x: 3.0)(X)
    with pytest.raises(ConfigError, match="argument 1"):
        fc.value_and_grad(lambda x: ops.sum(x), argnums=1)(X)
    with pytest.raises(UnsupportedError, match="box_iou"):
        boxes = np.zeros((2, 4), np.float32)
        fc.value_and_grad(lambda x: ops.sum(ops.box_iou(x, x)))(boxes)


def test_lbfgs_fits_better_than_as_many_steps_of_adam() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3)).astype(np.float32)
    y = np.sin(x.sum(1, keepdims=True))

    def trained(optimizer: fc.optimizers.Optimizer) -> float:
        fc.set_random_seed(0)
        model = fc.Sequential([fc.Input((3,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])
        model.compile(optimizer, "mse")
        model.fit(x, y, batch_size=200, epochs=40, shuffle=False, verbose=0)
        return float(model.evaluate(x, y, batch_size=200, verbose=0))

    assert trained(fc.optimizers.LBFGS()) < 0.5 * trained(fc.optimizers.Adam(0.01))


def test_lbfgs_stops_where_nothing_is_lower() -> None:
    w = fc.Variable(np.array([3.0, -2.0]))
    compute = fc.value_and_grad(lambda: ops.sum(ops.square(w)), variables=[w])

    def closure() -> tuple[float, np.ndarray]:
        value, (gradient,) = compute()
        return float(value), gradient

    optimizer = fc.optimizers.LBFGS()
    losses = [optimizer.minimize(closure, [w]) for _ in range(10)]
    assert losses[0] == pytest.approx(13)
    assert losses[-1] < 1e-10
    assert np.isfinite(w.numpy()).all()
    with pytest.raises(ConfigError, match="no meaning"):
        fc.optimizers.LBFGS(clipnorm=1.0)
