"""predict: batches, kinds of inputs, empty inputs; plans behind it."""

import threading

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C, layers
from fastcnn.errors import ConfigError, ShapeError

RNG = np.random.default_rng(11)
X = RNG.standard_normal((10, 6, 6, 2)).astype(np.float32)


@pytest.fixture
def model():
    return fc.Sequential(
        [fc.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(4)]
    )


@pytest.mark.parametrize("batch_size", [None, 1, 3, 5, 10, 100])
def test_batches_do_not_matter(model, batch_size):
    np.testing.assert_allclose(model.predict(X, batch_size), model(X), rtol=1e-5, atol=1e-6)


def test_nothing_in_nothing_out(model):
    assert model.predict(X[:0]).shape == (0, 4)
    image = fc.Input((None, None, 2))
    both = fc.Model(image, [layers.Conv2D(3, 3)(image), layers.GlobalMaxPooling2D()(image)])
    assert [y.shape for y in both.predict(X[:0])] == [(0, 4, 4, 3), (0, 2)]


def test_inputs_of_all_kinds(model):
    expected = model(X)
    for same in (X.astype(np.float64), X[:, ::-1][:, ::-1], np.asfortranarray(X)):
        np.testing.assert_array_equal(model.predict(same), expected)

    class Exporter:
        def __dlpack__(self, **kwargs):
            return X.__dlpack__(**kwargs)

        def __dlpack_device__(self):
            return X.__dlpack_device__()

    np.testing.assert_array_equal(model.predict(Exporter()), expected)
    batches = (X[i : i + 4] for i in range(0, 10, 4))
    np.testing.assert_allclose(model.predict(batches), expected, rtol=1e-5, atol=1e-6)
    pairs = ((X[i : i + 4], None) for i in range(0, 10, 4))
    assert model.predict(pairs, steps=2).shape == (8, 4)
    assert len(next(pairs)[0]) == 2  # no more was taken than asked for
    pixels = RNG.integers(0, 256, X.shape, dtype=np.uint8)
    np.testing.assert_array_equal(model.predict(pixels), model(pixels.astype(np.float32)))


def test_errors(model):
    for bad in (0, -1, 2.5, True):
        with pytest.raises(ConfigError, match="batch_size"):
            model.predict(X, bad)
    with pytest.raises(ShapeError, match="first axis"):
        model.predict(np.float32(3))
    with pytest.raises(ConfigError, match="expected data, got x=None"):
        model.predict(None)
    a, b = fc.Input((2,)), fc.Input((2,))
    both = fc.Model([a, b], layers.add([a, b]))
    with pytest.raises(ShapeError, match="first axis"):
        both.predict([np.ones((2, 2)), np.ones((3, 2))])
    whole = fc.Sequential([fc.Input((2,)), layers.Activation(lambda x: fc.ops.reshape(x, (-1,)))])
    assert whole.predict(np.ones((3, 2))).shape == (6,)
    with pytest.raises(ShapeError, match="batch_size"):
        whole.predict(np.ones((3, 2)), batch_size=1)


def test_plans_are_kept_bounded_and_renewed(model):
    for n in range(1, 60):
        model(X[:1].repeat(n, 0))
    plans = model._plans._plans
    assert len(plans) <= 16
    first = model._plans.latest()
    model(X[:1].repeat(59, 0))
    assert model._plans.latest() is first
    before = model(X)
    model.set_weights([2 * w for w in model.get_weights()])
    assert not np.allclose(model(X), before)


def test_a_plan_for_another_shape_leaves_the_others_alone(model):
    model(X[:1])
    first = model._plans.latest()
    model(X[:2])
    model(X[:1])
    assert model._plans.latest() is first


def test_plans_of_what_a_model_was_are_dropped(model):
    for n in (1, 2, 3):
        model(X[:n])
    assert len(model._plans._plans) >= 3
    model.set_weights([2 * w for w in model.get_weights()])
    model(X[:1])
    assert len(model._plans._plans) == 1


def test_precision_is_part_of_the_plan(model):
    seen = []
    for level in ("highest", "medium"):
        with fc.set_float32_precision(level):
            model(X)
            seen.append(model._plans.latest())
    assert seen[0] is not seen[1]
    model.precision = "highest"
    with fc.set_float32_precision("medium"):
        model(X)
    assert {step["precision"] for step in model.plan(X.shape).steps} <= {"highest"}
    with pytest.raises(ConfigError, match="float32 precision"):
        model.precision = "low"


def test_the_plan_tells_what_is_run(model):
    plan = model.plan((2, 6, 6, 2))
    text = plan.describe()
    assert plan.input_shapes == [(2, 6, 6, 2)]
    assert plan.output_shapes == [(2, 4)]
    assert len(plan) == len(plan.steps) > 0
    assert plan.flops > 0
    assert any(step["name"].startswith("conv2d") for step in plan.steps)
    for step in plan.steps:
        assert step["kernel"] in text
    assert "arena" in text
    declined = [pair for step in plan.steps for pair in step["declined"]]
    verbose = plan.describe(verbose=True)
    for kernel, reason in declined:
        assert f"not {kernel}: {reason}" in verbose
    assert plan._repr_html_().count("<tr>") == len(plan) + 1
    np.testing.assert_allclose(plan.run([X[:2]])[0], model(X[:2]), rtol=1e-6)
    assert len(plan.profile([X[:2]])) == len(plan)
    with pytest.raises(ShapeError, match="expected inputs of shapes"):
        plan.run([X])
    assert str(model.plan()) == model.plan((1, 6, 6, 2)).describe()
    with pytest.raises(ShapeError):
        model.plan((1, 5, 5, 2))


def test_the_plan_shown_is_the_plan_run(model):
    model(X)
    run = model._plans.latest()
    model.plan(X.shape)
    assert model._plans.latest() is run


def test_shared_layers_share_packed_weights():
    shared = layers.Conv2D(16, 3, padding="same")
    x = fc.Input((8, 8, 16))
    once = fc.Model(x, shared(x)).plan().constant_bytes
    twice = fc.Model(x, shared(shared(x))).plan().constant_bytes
    assert twice == once


def test_threads_may_share_a_model(model):
    expected = model(X)
    results = [None] * 8

    def work(i):
        results[i] = [model.predict(X, batch_size=1 + i) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        for y in result:
            np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_the_instruction_set_is_part_of_the_plan(model, monkeypatch):
    model(X)
    monkeypatch.setenv("FASTCNN_MAX_ISA", "ref")
    if _C.max_isa() != "ref":
        pytest.skip("this build reads FASTCNN_MAX_ISA once, at start")
    model(X)
    assert all(step["kernel"].endswith("_ref") for step in model._plans.latest().steps())
