"""fc.quantize: what becomes 8-bit, how near it is, what it refuses, and that files keep it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, FileFormatError, ShapeError, UnsupportedError
from fastcnn.quantization import Quantization
from tests.plan.builder import Net

layers = fc.layers


def pictures(count: int = 12, seed: int = 0, size: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, size, size, 3)).astype(np.float32)


def small_model() -> Any:
    """Every way a value may go: residual, concatenation, pooling, depthwise, dense, floats."""
    fc.set_random_seed(0)
    image = layers.Input((24, 24, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu6", name="depthwise")(x)
    y = layers.Conv2D(16, 1, name="project")(y)
    x = layers.Add()([x, y])
    a = layers.Conv2D(8, 1, activation=layers.LeakyReLU(negative_slope=0.1), name="a")(x)
    b = layers.MaxPooling2D(3, strides=1, padding="same")(x)
    x = layers.Concatenate()([a, b])
    x = layers.Conv2D(24, 3, activation="silu", name="last")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(10, name="logits")(x)
    return fc.Model(image, x)


def decibels(exact: np.ndarray, x: np.ndarray) -> float:
    noise = np.square(x - exact, dtype=np.float64).sum()
    return float(10 * np.log10(np.square(exact, dtype=np.float64).sum() / noise))


def kernels_of(model: Any, x: np.ndarray) -> dict[str, str]:
    return {s["kernel"]: s["precision"] for s in model.plan(x.shape).steps}


def test_a_small_model() -> None:
    model, x = small_model(), pictures()
    before = model.predict(x)
    quantized = fc.quantize(model, x)
    assert quantized is not model
    np.testing.assert_array_equal(model.predict(x), before)
    assert decibels(before, quantized.predict(x)) > 25
    steps = quantized.plan((1, 24, 24, 3)).steps
    products = [s for s in steps if s["flops"] > 0]
    assert [s["precision"] for s in products] == ["int8"] * 6
    # Nothing between the picture and the mean goes back to floats.
    ops = [s["op"] for s in steps]
    assert ops.count("quantize") == 2 and ops.count("dequantize") == 0
    report = quantized.quantization_report()
    assert [n.name for n in report.layers] == [
        "stem", "depthwise", "project", "a", "last", "logits",
    ]  # fmt: skip
    assert all(n.computed == "int8" and n.decibels > 25 for n in report.layers)
    assert report.agreement[0] == 1.0 and report.decibels[0] > 25
    assert "same best class for 100.0%" in str(report)


def test_shown_by_summary_and_plan() -> None:
    model, x = small_model(), pictures()
    quantized = fc.quantize(model, x)
    quantized.predict(x)
    lines: list[str] = []
    quantized.summary(print_fn=lines.append)
    assert "(int8)" in "\n".join(lines)
    assert "int8" in quantized.plan(x.shape).describe()
    with pytest.raises(ConfigError, match="not quantised"):
        model.quantization_report()


def test_any_batch_and_thread_count_gives_the_same_bits() -> None:
    x = pictures(7)
    quantized = fc.quantize(small_model(), x)
    whole = quantized.predict(x)
    before = _C.num_threads()
    try:
        for threads in (1, 2, 3):
            fc.set_num_threads(threads)
            one_by_one = np.concatenate([quantized.predict(x[i : i + 1]) for i in range(7)])
            np.testing.assert_array_equal(one_by_one, whole)
    finally:
        fc.set_num_threads(before)


def test_excluded_layers_stay_in_floats() -> None:
    model, x = small_model(), pictures()
    quantized = fc.quantize(model, x, exclude=["stem", model.get_layer("logits")])
    computed = {n.name: (n.computed, n.reason) for n in quantized.quantization_report().layers}
    assert computed["stem"] == computed["logits"] == ("float32", "excluded")
    assert computed["project"] == ("int8", "")
    names = {s["name"]: s["op"] for s in quantized.plan((1, 24, 24, 3)).steps if s["flops"]}
    assert names["stem"] == "conv2d" and names["project"] == "conv2d_int8"
    with pytest.raises(ConfigError, match=r"no layer 'nowhere'.*project"):
        fc.quantize(model, x, exclude="nowhere")


def test_sensitive_layers_stay_in_floats() -> None:
    model, x = small_model(), pictures()
    # One huge weight in a channel leaves no codes for the others.
    kernel, bias = model.get_layer("project").get_weights()
    kernel[0, 0, 0, :] = 1e5
    depthwise, depthwise_bias = model.get_layer("depthwise").get_weights()
    depthwise[..., 0, :] = 0
    model.get_layer("depthwise").set_weights([depthwise, depthwise_bias])
    model.get_layer("project").set_weights([kernel, bias])
    quantized = fc.quantize(model, x)
    computed = {n.name: (n.computed, n.reason) for n in quantized.quantization_report().layers}
    assert computed["project"] == ("float32", "sensitive")
    assert decibels(model.predict(x), quantized.predict(x)) > 20
    everything = fc.quantize(model, x, min_decibels=-np.inf)
    assert {n.computed for n in everything.quantization_report().layers} == {"int8"}


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse"])
def test_methods(method: str) -> None:
    model, x = small_model(), pictures(24)
    assert decibels(model.predict(x), fc.quantize(model, x, method=method).predict(x)) > 15


def test_outliers_are_cut_off_by_method() -> None:
    x = pictures(24)
    x[0, 0, 0, 0] = 100
    model = fc.Sequential([layers.Input((24, 24, 3)), layers.Conv2D(8, 1)])
    exact = model.predict(x[1:])
    loss = {}
    for method in ("minmax", "percentile", "mse"):
        quantized = fc.quantize(model, x, method=method, min_decibels=-np.inf)
        loss[method] = decibels(exact, quantized.predict(x[1:]))
    assert loss["percentile"] > loss["minmax"] + 10 and loss["mse"] >= loss["minmax"]


def test_calibration_data_of_any_form() -> None:
    model, x = small_model(), pictures(8)
    expected = fc.quantize(model, x, batch_size=4).predict(x)
    forms: list[Callable[[], Any]] = [
        lambda: x.astype(np.float64),
        lambda: iter([x[:4], x[4:]]),
        lambda: ((x[i : i + 4], np.zeros(4)) for i in (0, 4)),
        lambda: ([x[i : i + 4], np.zeros(4)] for i in (0, 4)),
        lambda: [(x[i : i + 4], ["a"] * 4) for i in (0, 4)],
        lambda: [x],
        lambda: fc.data.ArrayDataset(x, np.zeros(8), batch_size=4),
    ]
    for form in forms:
        np.testing.assert_array_equal(fc.quantize(model, form(), batch_size=4).predict(x), expected)


def test_several_inputs_and_outputs() -> None:
    a, b = layers.Input((8, 8, 4)), layers.Input((8, 8, 4))
    x = layers.Conv2D(8, 3, activation="relu")(layers.Add()([a, b]))
    model = fc.Model([a, b], [x, layers.Conv2D(4, 1)(x)])
    rng = np.random.default_rng(0)
    data = [rng.standard_normal((6, 8, 8, 4)).astype(np.float32) for _ in range(2)]
    quantized = fc.quantize(model, data)
    assert len(quantized.quantization_report().decibels) == 2
    for exact, y in zip(model.predict(data), quantized.predict(data), strict=True):
        assert y.dtype == np.float32 and decibels(exact, y) > 25


def test_layers_used_twice_have_ranges_of_their_own() -> None:
    image = layers.Input((8, 8, 4))
    conv = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")
    model = fc.Model(image, conv(conv(image)))
    x = np.random.default_rng(0).standard_normal((4, 8, 8, 4)).astype(np.float32)
    quantized = fc.quantize(model, x)
    assert [n.name for n in quantized.quantization_report().layers] == ["conv", "conv:1"]
    assert decibels(model.predict(x), quantized.predict(x)) > 25


@pytest.mark.parametrize(
    ("size", "strides", "padding", "computed"),
    [
        (3, 2, "same", "int8"),
        (2, 2, "valid", "int8"),
        (4, 2, "same", "int8"),
        (5, 3, "same", "int8"),
        (1, 2, "valid", "int8"),
        (3, 2, "valid", None),  # its result is no multiple of the stride
        (3, 1, "same", None),
        (3, (1, 2), "same", None),
    ],
)
def test_transposed_convolution(size: int, strides: Any, padding: str, computed: Any) -> None:
    image = layers.Input((9, 8, 12))
    conv = layers.Conv2DTranspose(
        7, size, strides=strides, padding=padding, activation="relu", bias_initializer="ones"
    )
    model = fc.Model(image, layers.Conv2D(3, 1)(conv(image)))
    x = np.random.default_rng(0).standard_normal((4, 9, 8, 12)).astype(np.float32)
    quantized = fc.quantize(model, x)
    names = {n.name: n.computed for n in quantized.quantization_report().layers}
    assert names.get(conv.name) == computed
    assert decibels(model.predict(x), quantized.predict(x)) > 25


def test_weights_are_those_that_were_measured(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="models are saved in its files")
    model, x = small_model(), pictures()
    quantized = fc.quantize(model, x)
    before = quantized.predict(x)
    model.save(tmp_path / "float.fastcnn")
    quantized.save(tmp_path / "int8.fastcnn")
    step = fc.value_and_grad(lambda x: fc.ops.mean(quantized(x)), variables=quantized)
    for q in (quantized, copy.deepcopy(quantized), fc.load_model(tmp_path / "int8.fastcnn")):
        logits = q.get_layer("logits")
        changes: list[Callable[[], Any]] = [
            lambda: q.set_weights(model.get_weights()),  # noqa: B023 - called here
            lambda: q.load_weights(tmp_path / "float.fastcnn"),  # noqa: B023
            lambda: logits.set_weights(logits.get_weights()),  # noqa: B023
            lambda: logits.bias.assign(np.zeros(10)),  # noqa: B023
            lambda: logits.bias.assign_add(1.0),  # noqa: B023
        ]
        for change in changes:
            with pytest.raises(UnsupportedError, match=r"is quantised.*quantize it again"):
                change()
        np.testing.assert_array_equal(q.predict(x), before)
    optimizer = fc.optimizers.SGD(0.1)
    with pytest.raises(UnsupportedError, match="is quantised"):
        optimizer.apply(step(x)[1], quantized.trainable_variables)
    outer = fc.Sequential([layers.Input((24, 24, 3)), quantized])
    outer.compile("sgd", "mse")
    with pytest.raises(UnsupportedError, match="is quantised"):
        outer.fit(x, np.zeros((12, 10)), verbose=0)
    model.set_weights([2 * w for w in model.get_weights()])  # the float model's are its own
    np.testing.assert_array_equal(quantized.predict(x), before)


def test_it_is_evaluated_but_not_trained(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="models are saved in its files")
    model, x, y = small_model(), pictures(), np.zeros((12, 10), np.float32)
    quantized = fc.quantize(model, x)
    quantized.compile("sgd", "mse")
    loss = quantized.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(np.square(quantized.predict(x)).mean(), rel=1e-5)
    quantized.save(tmp_path / "compiled.fastcnn")
    loaded = fc.load_model(tmp_path / "compiled.fastcnn")
    assert loaded.evaluate(x, y, verbose=0) == loss
    for q in (quantized, loaded):
        for train in (lambda: q.fit(x, y, verbose=0), lambda: q.train_on_batch(x, y)):  # noqa: B023
            with pytest.raises(UnsupportedError, match=r"is quantised.*train the float model"):
                train()
    # New weights have other ranges.
    clone = fc.saving.clone_model(quantized)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(x), model.predict(x))


def test_files_and_copies_keep_it(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="models are saved in its files")
    x = pictures()
    quantized = fc.quantize(small_model(), x, exclude=["a"])
    quantized.save(tmp_path / "model.fastcnn")
    for other in (fc.load_model(tmp_path / "model.fastcnn"), copy.deepcopy(quantized)):
        np.testing.assert_array_equal(other.predict(x), quantized.predict(x))
        assert other.quantization_report() == quantized.quantization_report()
    with pytest.raises(ConfigError, match="quantised already"):
        fc.quantize(quantized, x)


def test_damaged_descriptions_are_refused() -> None:
    config = fc.quantize(small_model(), pictures(2))._quantization.get_config()
    assert Quantization.from_config(json.loads(json.dumps(config))).get_config() == config
    name = next(iter(config["ranges"]))
    first, *others = config["layers"]
    damage: list[tuple[str, Any]] = [
        *[
            ("ranges", {**config["ranges"], name: limits})
            for limits in (
                [0.0, float("nan")], [1.0, -1.0], [5, 6], [-2, -1], [-1e308, 1e308], [0, 1e39],
                [0, float("inf")], [0, 10**400], [0], [0, 1, 2], [True, 1], None, [0, 0],
                [-1e-320, 1e-38],
            )
        ],
        ("ranges", {}),
        ("float_layers", [3]),
        ("float_layers", ["nowhere"]),
        ("float_layers", [first[0]]),
        ("layers", [["a", 1.0]]),
        ("layers", "abc"),
        ("layers", config["layers"] * 2),
        *[
            ("layers", [[first[0], *entry], *others])
            for entry in (
                (30.0, "int4", ""), (30.0, "float32", ""), (30.0, "int8", "sensitive"),
                (float("nan"), "int8", ""), ("30", "int8", ""), (30.0, [], ""), (30.0, "int8", 3),
            )
        ],
        ("outputs", None),
        ("outputs", [[1]]),
        ("outputs", [[float("nan"), None]]),
    ]  # fmt: skip
    for key, value in damage:
        with pytest.raises(FileFormatError):
            Quantization.from_config({**config, key: value})
    for damaged in (None, 3, [], {}):
        with pytest.raises(FileFormatError):
            Quantization.from_config(damaged)


def test_refusals() -> None:
    model, x = small_model(), pictures()
    for empty in (x[:0], [], iter([])):
        with pytest.raises(ShapeError):
            fc.quantize(model, empty)
    for wrong in (x[..., :2].copy(), x[0], np.float32(3)):
        with pytest.raises(ShapeError):
            fc.quantize(model, wrong)
    for wrong in (3.0, "photos", iter([x, "b"]), iter([None]), np.array(["a"])):
        with pytest.raises(DTypeError, match="expected"):
            fc.quantize(model, wrong)
    with pytest.raises(ConfigError, match="x=None"):
        fc.quantize(model, None)
    for value in (np.nan, np.inf):
        odd = x.copy()
        odd[3, 4, 5, 1] = value
        with pytest.raises(ConfigError, match="the data are not finite"):
            fc.quantize(model, odd)
    with pytest.raises(ConfigError, match="method"):
        fc.quantize(model, x, method="entropy")
    for bad in (0, 2.5, True, "2", None):
        with pytest.raises(ConfigError, match="batch_size"):
            fc.quantize(model, x, batch_size=bad)
    for bad in (0, -1, 2.5, "2"):
        with pytest.raises(ConfigError, match="steps"):
            fc.quantize(model, x, steps=bad)
    for bad in (np.nan, "20", None):
        with pytest.raises(ConfigError, match="min_decibels"):
            fc.quantize(model, x, min_decibels=bad)
    for bad in (None, 3):
        with pytest.raises(DTypeError, match="exclude: expected names"):
            fc.quantize(model, x, exclude=bad)
    with pytest.raises(ConfigError, match="weights"):
        fc.quantize(fc.Sequential([layers.Conv2D(3, 3)]), x)
    with pytest.raises(ConfigError, match="expected a Model"):
        fc.quantize(layers.Conv2D(3, 3), x)  # type: ignore[arg-type]
    kernel, bias = model.get_layer("project").get_weights()
    model.get_layer("project").set_weights([kernel * np.float32(np.inf), bias])
    with pytest.raises(ConfigError, match="layer 'project' gives what is not finite"):
        fc.quantize(model, x)


def test_values_without_variation_have_no_range() -> None:
    model, x = small_model(), pictures(2)
    with pytest.warns(UserWarning, match=r"'stem', 'depthwise'.*'logits' is one number throughout"):
        quantized = fc.quantize(model, np.zeros((2, 24, 24, 3), np.float32))
    report = quantized.quantization_report()
    assert {(n.decibels, n.computed, n.reason) for n in report.layers} == {
        (None, "float32", "no range")
    }
    assert report.decibels == (None,) and "dB" not in str(report)
    assert "whole model: not measured" in str(report)
    np.testing.assert_allclose(quantized.predict(x), model.predict(x), rtol=1e-5, atol=1e-6)
    assert Quantization.from_config(quantized._quantization.get_config()).report == report
    with pytest.warns(UserWarning, match="the input of 'stem' is one number"):
        report = fc.quantize(model, np.ones((2, 24, 24, 3))).quantization_report()
    assert [n.reason for n in report.layers[:2]] == ["no range", ""]


def test_a_layer_that_was_never_reached_stays_in_floats() -> None:
    """Its kernel of ones has no noise on any codes: no measurement tells that there is no range."""
    image = layers.Input((8, 8, 1))
    ones = {"kernel_initializer": "ones", "use_bias": False}
    above = layers.ReLU()(layers.Conv2D(1, 1, name="before", **ones)(image))
    model = fc.Model(image, layers.Conv2D(1, 2, name="after", **ones)(above))
    below = -np.random.default_rng(0).random((4, 8, 8, 1), np.float32)
    with pytest.warns(UserWarning, match="the input of 'after' is one number"):
        quantized = fc.quantize(model, below)
    assert [n.computed for n in quantized.quantization_report().layers] == ["int8", "float32"]


def test_a_range_that_is_all_but_cut_off() -> None:
    x = np.zeros((4, 64, 64, 1), np.float32)
    x[0, 0, 0] = 1  # less than one in ten thousand
    model = fc.Sequential([layers.Input((64, 64, 1)), layers.Conv2D(2, 1)])
    with pytest.warns(UserWarning, match="one number throughout, or nearly"):
        quantized = fc.quantize(model, x, method="percentile")
    np.testing.assert_allclose(quantized.predict(x), model.predict(x), rtol=1e-5)


def test_exact_results_have_no_noise() -> None:
    model = fc.Sequential(
        [layers.Input((8, 8, 1)), layers.Conv2D(1, 2, kernel_initializer="ones", use_bias=False)]
    )
    x = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype(np.float32)
    x[0, 0, :2, 0] = 0, 255
    quantized = fc.quantize(model, x)
    np.testing.assert_array_equal(quantized.predict(x), model.predict(x))
    report = quantized.quantization_report()
    assert report.layers[0].decibels == np.inf == report.decibels[0]
    assert report.layers[0].computed == "int8" and "inf dB" in str(report)
    again = Quantization.from_config(json.loads(json.dumps(quantized._quantization.get_config())))
    assert again.report == report


def test_codes_hold_no_nan() -> None:
    """As documented: NaN is the smallest number of the range, infinity its ends."""
    model = fc.Sequential([layers.Input((4, 4, 1)), layers.Conv2D(2, 2)])
    x = np.random.default_rng(0).uniform(-1, 3, (4, 4, 4, 1)).astype(np.float32)
    quantized = fc.quantize(model, x)
    for value, instead in ((np.nan, x.min()), (-np.inf, x.min()), (np.inf, x.max())):
        odd, same = x[:1].copy(), x[:1].copy()
        odd[0, 1, 1], same[0, 1, 1] = value, instead
        np.testing.assert_array_equal(quantized.predict(odd), quantized.predict(same))


# ---- data and memory -----------------------------------------------------------------------------


def test_steps_bound_data_without_end() -> None:
    model, x = small_model(), pictures(8)
    expected = fc.quantize(model, x[:6], batch_size=3).predict(x)
    asked = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal asked
        while True:
            asked += 1
            yield x[3 * asked - 3 : 3 * asked]

    np.testing.assert_array_equal(
        fc.quantize(model, endless(), batch_size=3, steps=2).predict(x), expected
    )
    assert asked == 2
    steps = fc.quantize(model, x, batch_size=np.int64(3), steps=np.int64(2))
    np.testing.assert_array_equal(steps.predict(x), expected)
    data = fc.data.ArrayDataset(x, batch_size=3)
    np.testing.assert_array_equal(
        fc.quantize(model, data, batch_size=3, steps=2).predict(x), expected
    )


def test_no_plan_of_calibration_is_kept() -> None:
    model, x = small_model(), pictures(8)
    model.predict(x[:1])
    before = model._plan_cache().latest()
    quantized = fc.quantize(model, x)
    assert model._plan_cache().latest() is before
    assert quantized._plan_cache().latest() is None


# ---- the pass ------------------------------------------------------------------------------------


def test_groups_and_unknown_ranges_stay_in_floats() -> None:
    net = Net()
    x = net.input(1, 8, 8, 8)
    y = net.conv(x, 8, groups=1)
    w = net.variable(3, 3, 4, 8)
    z = net.add("conv2d", y, w, groups=2, padding="same")
    ranges = {"input": (-3.0, 3.0), "conv2d": (-9.0, 9.0)}
    plan = net.compile(z, quantization={"ranges": ranges, "float_layers": []})
    assert [s["op"] for s in plan.steps()] == ["quantize", "conv2d_int8", "conv2d"]
    plan = net.compile(z, quantization={"ranges": {}, "float_layers": []})
    assert [s["op"] for s in plan.steps()] == ["conv2d", "conv2d"]


def test_observed_values_are_the_plan_s() -> None:
    net = Net()
    x = net.input(1, 6, 6, 3)
    y = net.add("relu" if "relu" in _C.ops() else "activation", net.conv(x, 4), activation="relu")
    plan = net.compile(y, observe="values")
    assert plan.output_names == ["input", "activation"] or len(plan.output_names) == 2
    picture = np.random.default_rng(0).standard_normal((1, 6, 6, 3)).astype(np.float32)
    seen = dict(zip(plan.output_names, plan.run([picture]), strict=True))
    np.testing.assert_array_equal(seen["input"], picture)
    assert min(a.min() for name, a in seen.items() if name != "input") == 0
    with pytest.raises(ConfigError, match="observe"):
        net.compile(y, observe="nothing")
