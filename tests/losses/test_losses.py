"""Losses against float64 formulas and torch's, op by op and in one plan, and their gradients."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import losses
from fastcnn.errors import ConfigError, FastcnnError, ShapeError, UnsupportedError
from fastcnn.serialization import from_json, to_json
from tests.losses import formulas
from tests.training.traced import traced

rng = np.random.default_rng(0)


def numbers(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return rng.uniform(0.1, 3.0, shape).astype(np.float32)


def probabilities(*shape):
    return rng.uniform(0.05, 0.95, shape).astype(np.float32)


def distribution(*shape):
    return formulas.softmax(numbers(*shape).astype(np.float64)).astype(np.float32)


def labels(classes, *shape, dtype=np.int64):
    return rng.integers(0, classes, shape).astype(dtype)


def bits(*shape):
    return labels(2, *shape).astype(np.float32)


def hot(classes, *shape):
    return np.eye(classes, dtype=np.float32)[labels(classes, *shape)]


def signs(*shape):
    return 2 * bits(*shape) - 1


T, P = numbers(6, 5), numbers(6, 5)
LARGE = 30 * numbers(6, 5)
WITH_IGNORED = np.where(bits(4, 3, 3) == 1, labels(5, 4, 3, 3), 255)

# name, targets, predictions, arguments
CASES = [
    ("mean_squared_error", T, P, {}),
    ("mean_squared_error", numbers(3, 4, 4, 2), numbers(3, 4, 4, 2), {}),
    ("mean_absolute_error", T, P, {}),
    ("mean_absolute_percentage_error", T, P, {}),
    ("mean_squared_logarithmic_error", positive(6, 5), positive(6, 5), {}),
    ("huber", T, 2 * P, {}),
    ("huber", T, 2 * P, {"delta": 0.3}),
    ("log_cosh", T, P, {}),
    ("log_cosh", T, LARGE * 100, {}),
    ("cosine_similarity", T, P, {}),
    ("cosine_similarity", T, P, {"axis": 0}),
    ("sparse_categorical_crossentropy", labels(5, 6), P, {"from_logits": True}),
    ("sparse_categorical_crossentropy", labels(5, 6), LARGE, {"from_logits": True}),
    ("sparse_categorical_crossentropy", labels(5, 6, 1, dtype=np.int32), P, {"from_logits": True}),
    ("sparse_categorical_crossentropy", labels(5, 6, dtype=np.uint8), distribution(6, 5), {}),
    ("sparse_categorical_crossentropy", labels(5, 6, dtype=np.float32), positive(6, 5), {}),
    (
        "sparse_categorical_crossentropy",
        WITH_IGNORED,
        numbers(4, 3, 3, 5),
        {"from_logits": True, "ignore_class": 255},
    ),
    (
        "sparse_categorical_crossentropy",
        WITH_IGNORED[..., None].astype(np.uint8),
        distribution(4, 3, 3, 5),
        {"ignore_class": 255},
    ),
    (
        "sparse_categorical_crossentropy",
        labels(5, 4, 3, 3) - 1,
        numbers(4, 3, 3, 5),
        {"from_logits": True, "ignore_class": -1},
    ),
    ("categorical_crossentropy", hot(5, 6), distribution(6, 5), {}),
    ("categorical_crossentropy", distribution(6, 5), positive(6, 5), {"label_smoothing": 0.1}),
    ("categorical_crossentropy", hot(5, 6), P, {"from_logits": True, "label_smoothing": 0.2}),
    ("categorical_crossentropy", hot(5, 6), LARGE, {"from_logits": True}),
    ("binary_crossentropy", bits(6, 5), probabilities(6, 5), {}),
    ("binary_crossentropy", bits(6, 5), probabilities(6, 5), {"label_smoothing": 0.1}),
    ("binary_crossentropy", bits(6, 5), LARGE, {"from_logits": True, "label_smoothing": 0.1}),
    ("binary_focal_crossentropy", bits(6, 5), probabilities(6, 5), {}),
    (
        "binary_focal_crossentropy",
        bits(6, 5),
        P,
        {"from_logits": True, "gamma": 1.5, "apply_class_balancing": True, "alpha": 0.3},
    ),
    ("categorical_focal_crossentropy", hot(5, 6), distribution(6, 5), {}),
    (
        "categorical_focal_crossentropy",
        hot(5, 6),
        P,
        {"from_logits": True, "gamma": 3.0, "alpha": [0.1, 0.2, 0.3, 0.2, 0.2]},
    ),
    ("sparse_categorical_focal_crossentropy", labels(5, 6), distribution(6, 5), {}),
    (
        "sparse_categorical_focal_crossentropy",
        WITH_IGNORED[..., None].astype(np.uint8),
        numbers(4, 3, 3, 5),
        {"from_logits": True, "ignore_class": 255, "gamma": 1.5},
    ),
    ("sparse_dice", labels(5, 4, 3, 3), distribution(4, 3, 3, 5), {}),
    (
        "sparse_dice",
        WITH_IGNORED.astype(np.uint8),
        numbers(4, 3, 3, 5),
        {"from_logits": True, "ignore_class": 255},
    ),
    ("kl_divergence", distribution(6, 5), distribution(6, 5), {}),
    ("poisson", positive(6, 5), positive(6, 5), {}),
    ("hinge", signs(6, 5), P, {}),
    ("hinge", bits(6, 5), P, {}),
    ("squared_hinge", bits(6, 5), P, {}),
    ("categorical_hinge", hot(5, 6), P, {}),
    ("dice", bits(4, 5, 5, 1), probabilities(4, 5, 5, 1), {}),
    ("dice", bits(4, 5, 5, 2), probabilities(4, 5, 5, 2), {"axis": (1, 2, 3)}),
    ("tversky", bits(4, 5, 5, 1), probabilities(4, 5, 5, 1), {"alpha": 0.3, "beta": 0.7}),
    ("contrastive_loss", bits(6, 1), positive(6, 1), {"margin": 1.5}),
]
CLASSES = {
    "log_cosh": losses.LogCosh,
    "kl_divergence": losses.KLDivergence,
    "contrastive_loss": losses.ContrastiveLoss,
}
IDS = [f"{name}-{i}" for i, (name, *_) in enumerate(CASES)]


def class_of(name):
    return CLASSES.get(name) or getattr(losses, name.title().replace("_", ""))


def expected(name, t, p, options):
    return getattr(formulas, name)(t.astype(np.float64), p.astype(np.float64), **options)


@pytest.mark.parametrize(("name", "t", "p", "options"), CASES, ids=IDS)
def test_losses_of_samples(name, t, p, options):
    function, value = getattr(losses, name), expected(name, t, p, options)
    assert np.shape(function(t, p, **options)) == value.shape
    scale = 1e-6 * (1 + np.abs(value).max())
    np.testing.assert_allclose(function(t, p, **options), value, rtol=3e-6, atol=scale)
    in_a_plan = traced(lambda t, p: function(t, p, **options), t, p)
    np.testing.assert_allclose(in_a_plan, value, rtol=3e-6, atol=scale)


@pytest.mark.parametrize(("name", "t", "p", "options"), CASES, ids=IDS)
def test_reductions(name, t, p, options):
    values = expected(name, t, p, options)
    size = values.size
    if "ignore_class" in options and size == t.size:
        size = (t != options["ignore_class"]).sum()
    for reduction, value in (
        ("sum_over_batch_size", values.sum() / size),
        ("mean", values.sum() / size),
        ("sum", values.sum()),
        ("none", values),
        (None, values),
    ):
        loss = class_of(name)(**options, reduction=reduction)
        found = loss(t, p)
        scale = 2e-6 * (1 + np.abs(value).max())
        np.testing.assert_allclose(found, value, rtol=5e-6, atol=scale)
        np.testing.assert_allclose(traced(loss, t, p), found, rtol=1e-6, atol=scale / 10)
        again = losses.deserialize(from_json(to_json(losses.serialize(loss))))
        assert again.get_config() == loss.get_config()
        np.testing.assert_array_equal(again(t, p), found)


@pytest.mark.parametrize(("name", "t", "p", "options"), CASES, ids=IDS)
def test_gradients(name, t, p, options):
    """Along random directions, against differences of the float64 formula."""
    loss = class_of(name)(**options)
    weight = 1.0
    if "ignore_class" in options and expected(name, t, p, options).size == t.size:
        weight = t.size / (t != options["ignore_class"]).sum()
    value, gradient = fc.value_and_grad(lambda p, t: loss(t, p))(p, t)

    def mean(p):
        return getattr(formulas, name)(t.astype(np.float64), p, **options).mean() * weight

    assert float(value) == pytest.approx(mean(p.astype(np.float64)), rel=1e-5, abs=1e-6)
    for _ in range(4):
        direction, step = rng.standard_normal(p.shape), 1e-6
        wide = p.astype(np.float64)
        slope = (mean(wide + step * direction) - mean(wide - step * direction)) / (2 * step)
        found = float((gradient * direction).sum())
        assert abs(found - slope) <= 2e-4 * (np.abs(gradient * direction).sum() + 1e-3)


@pytest.mark.parametrize("shape", [(6,), (6, 3), (6, 3, 4)])
@pytest.mark.parametrize("weight_rank", [1, 2, 3])
def test_weights_of_samples(shape, weight_rank):
    if weight_rank > len(shape):
        pytest.skip("more axes than losses")
    t, p = numbers(*shape, 5), numbers(*shape, 5)
    weights = positive(*shape[:weight_rank])
    spread = weights.reshape(*weights.shape, *(1,) * (len(shape) - weight_rank))
    values = formulas.mean_squared_error(t.astype(np.float64), p) * spread
    total = np.broadcast_to(spread, shape).sum(dtype=np.float64)
    for reduction, value in (
        ("sum_over_batch_size", values.mean()),
        ("sum", values.sum()),
        ("mean_with_sample_weight", values.sum() / total),
        (None, values),
    ):
        loss = losses.MeanSquaredError(reduction=reduction)
        np.testing.assert_allclose(loss(t, p, weights), value, rtol=2e-6)
        np.testing.assert_allclose(loss(t, p, weights[..., None]), value, rtol=2e-6)
        np.testing.assert_allclose(traced(loss, t, p, weights), value, rtol=2e-6)


def test_weights_and_a_class_that_does_not_count():
    t, p, weights = WITH_IGNORED, numbers(4, 3, 3, 5), positive(4, 3, 3)
    values = formulas.sparse_categorical_crossentropy(t, p.astype(np.float64), True, 255) * weights
    counted = t != 255
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    assert float(loss(t, p, weights)) == pytest.approx(values.sum() / counted.sum(), rel=1e-5)
    loss.reduction = "mean_with_sample_weight"
    expected = values.sum() / weights[counted].sum(dtype=np.float64)
    assert float(loss(t, p, weights)) == pytest.approx(expected, rel=1e-5)
    nothing = np.full((2, 3), 255)
    for reduction in ("sum_over_batch_size", "mean_with_sample_weight", "sum"):
        loss.reduction = reduction
        value, gradient = fc.value_and_grad(lambda p, t: loss(t, p))(numbers(2, 3, 5), nothing)
        assert value == 0
        assert not gradient.any()


def test_weights_of_nothing():
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert float(loss(T, P, np.zeros(6))) == 0.0
    assert float(losses.MeanSquaredError()(np.zeros((0, 3)), np.zeros((0, 3)))) == 0.0


def test_labels_in_all_their_forms_are_the_same():
    p = distribution(6, 5)
    plain = labels(5, 6)
    function = losses.sparse_categorical_crossentropy
    for form in (plain[:, None], plain.astype(np.uint8), plain.astype(np.float32), plain.tolist()):
        np.testing.assert_array_equal(function(form, p), function(plain, p))
    np.testing.assert_array_equal(
        traced(function, plain.astype(np.float32), p), traced(function, plain, p)
    )


def test_a_label_that_is_no_class_gives_nan():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    assert np.isnan(loss([5, 1, -1], numbers(3, 5))).tolist() == [True, False, True]


def test_one_axis_of_one_element_is_no_difference():
    t, p = bits(6), probabilities(6, 1)
    expected = formulas.binary_crossentropy(t[:, None].astype(np.float64), p).mean()
    for loss_t, loss_p in ((t, p), (t[:, None], p), (t[:, None], p[:, 0])):
        found = losses.BinaryCrossentropy()(loss_t, loss_p)
        assert float(found) == pytest.approx(expected, rel=1e-6)
    masks, p = bits(4, 5, 5), probabilities(4, 5, 5, 1)
    found = losses.BinaryCrossentropy()(masks, p)
    assert float(found) == pytest.approx(
        formulas.binary_crossentropy(masks[..., None].astype(np.float64), p).mean(), rel=1e-6
    )


def test_sure_and_wrong_probabilities_stay_finite():
    for loss, t, p in (
        (losses.BinaryCrossentropy(), [[0.0, 1.0]], [[1.0, 0.0]]),
        (losses.CategoricalCrossentropy(), [[0.0, 1.0]], [[1.0, 0.0]]),
        (losses.SparseCategoricalCrossentropy(), [1], [[1.0, 0.0]]),
        (losses.KLDivergence(), [[0.0, 1.0]], [[1.0, 0.0]]),
        (losses.BinaryFocalCrossentropy(), [[0.0, 1.0]], [[1.0, 0.0]]),
    ):
        value, gradient = fc.value_and_grad(lambda p, t, loss=loss: loss(t, p))(
            np.array(p, np.float32), np.array(t)
        )
        assert 10 < float(value) < 20, loss
        assert np.isfinite(gradient).all(), loss


# ---- torch -------------------------------------------------------------------------------------


def test_torch_agrees():
    torch = pytest.importorskip("torch")
    F = torch.nn.functional

    def compare(loss, t, p, other, torch_t=None):
        value, gradient = fc.value_and_grad(lambda p, t: loss(t, p))(p, t)
        x = torch.tensor(p, dtype=torch.float64, requires_grad=True)
        theirs = other(x, torch.tensor(t if torch_t is None else torch_t))
        theirs.backward()
        assert float(value) == pytest.approx(theirs.item(), rel=1e-5)
        expected = x.grad.numpy()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5 * scale)

    compare(losses.MeanSquaredError(), T, P, lambda x, t: F.mse_loss(x, t.double()))
    compare(losses.MeanAbsoluteError(), T, P, lambda x, t: F.l1_loss(x, t.double()))
    compare(losses.Huber(0.7), T, P, lambda x, t: F.huber_loss(x, t.double(), delta=0.7))
    compare(
        losses.SparseCategoricalCrossentropy(from_logits=True), labels(5, 6), P, F.cross_entropy
    )
    compare(
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255),
        WITH_IGNORED,
        numbers(4, 3, 3, 5),
        lambda x, t: F.cross_entropy(x.movedim(-1, 1), t, ignore_index=255),
    )
    t = labels(5, 6)
    compare(
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        np.eye(5, dtype=np.float32)[t],
        P,
        lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1),
        torch_t=t,
    )
    compare(
        losses.BinaryCrossentropy(from_logits=True),
        bits(6, 5),
        P,
        lambda x, t: F.binary_cross_entropy_with_logits(x, t.double()),
    )
    compare(
        losses.BinaryCrossentropy(),
        bits(6, 5),
        probabilities(6, 5),
        lambda x, t: F.binary_cross_entropy(x, t.double()),
    )
    compare(
        losses.KLDivergence(),
        distribution(6, 5),
        distribution(6, 5),
        lambda x, t: F.kl_div(x.log(), t.double(), reduction="batchmean"),
    )
    compare(
        losses.CosineSimilarity(), T, P, lambda x, t: -F.cosine_similarity(x, t.double()).mean()
    )


# ---- identifiers and mistakes ------------------------------------------------------------------


def test_names():
    for name in ("mse", "MSE", "mean_squared_error", "MeanSquaredError", losses.MeanSquaredError):
        assert type(losses.get(name)) is losses.MeanSquaredError
    loss = losses.Huber(2.0)
    assert losses.get(loss) is loss
    assert loss.name == "huber_loss"
    assert losses.SparseCategoricalCrossentropy().name == "sparse_categorical_crossentropy"
    wrapped = losses.get(losses.mean_absolute_error)
    assert wrapped.name == "mean_absolute_error"
    assert float(wrapped(T, P)) == float(losses.MeanAbsoluteError()(T, P))
    again = losses.get(losses.serialize(losses.LossFunctionWrapper(losses.huber, delta=0.5)))
    assert float(again(T, P)) == float(losses.Huber(0.5)(T, P))


def cubic(y_true, y_pred):
    error = fc.ops.absolute(y_true - y_pred)
    return fc.ops.mean(error * error * error, axis=-1)


def test_ones_own():
    loss = losses.get(cubic)
    assert float(loss(T, P)) == pytest.approx((np.abs(T - P) ** 3).mean(), rel=1e-5)
    with fc.saving.custom_object_scope({"cubic": cubic}):
        assert losses.get(losses.serialize(loss)).fn is cubic
        assert losses.get("cubic").fn is cubic

    class Weighted(losses.Loss):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, y_true, y_pred):
            return fc.ops.mean(fc.ops.square(y_true - y_pred), axis=-1) * self.factor

    again = losses.deserialize(losses.serialize(Weighted(3.0)), {"Weighted": Weighted})
    assert float(again(T, P)) == pytest.approx(3 * ((T - P) ** 2).mean(), rel=1e-5)
    assert again.name == "weighted"
    with pytest.raises(TypeError, match="call"):
        losses.Loss()(T, P)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: losses.MeanSquaredError()(T[:, :3], P), ShapeError, r"\(6, 3\) and \(6, 5\)"),
        (lambda: losses.MeanSquaredError()(T[:, 0], P), ShapeError, "one shape"),
        (lambda: losses.MeanSquaredError()(T[:, :1], P), ShapeError, "one shape"),
        (lambda: losses.CategoricalCrossentropy()(labels(5, 6), P), ShapeError, "one shape"),
        (
            lambda: losses.SparseCategoricalCrossentropy()(hot(5, 6), P),
            ShapeError,
            "categorical_crossentropy",
        ),
        (lambda: losses.SparseCategoricalCrossentropy()(labels(5, 7), P), ShapeError, r"\(6,\)"),
        (lambda: losses.CategoricalCrossentropy(axis=0)(T, P), UnsupportedError, "axis=0"),
        (lambda: losses.MeanSquaredError()(T, P, np.ones(5)), ShapeError, "sample_weight"),
        (lambda: losses.MeanSquaredError()(T, P, np.ones((6, 5))), ShapeError, "sample_weight"),
        (lambda: losses.Huber(0.0), ConfigError, "positive"),
        (lambda: losses.ContrastiveLoss(-1.0), ConfigError, "margin: expected a number >= 0"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=2), ConfigError, "label_smoothing"),
        (lambda: losses.MeanSquaredError(reduction="median"), ConfigError, "sum_over_batch_size"),
        (lambda: losses.MeanSquaredError(dtype="float16"), UnsupportedError, "float32"),
        (lambda: losses.get("mean_error"), ConfigError, "unknown loss .*mean_squared_error"),
        (lambda: losses.get({"class_name": "Huber", "config": {"d": 1}}), ConfigError, "Huber"),
        (lambda: losses.get(None), ConfigError, "expected the name of a loss"),
        (lambda: losses.MeanSquaredError()("a", "b"), FastcnnError, "real numbers"),
    ],
)
def test_mistakes(act, error, message):
    with pytest.raises(error, match=message):
        act()
