"""Sizes that only the data decide, in functional models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError
from fastcnn.layers.op_layer import OpLayer, OpWeight
from fastcnn.sizes import Size, evaluate, product, quotient, same


def size_of(tensor: object, axis: int) -> Size:
    return Size.of(tensor, axis, [shape[axis] for shape in tensor.samples])  # type: ignore[attr-defined]


def test_unknown_sizes_that_belong_together_stay_together() -> None:
    x = fc.Input((None, None, 4))
    rows = fc.ops.reshape(x, (-1, 4))  # of all pictures and pixels
    halves = fc.ops.reshape(rows, (-1, 2, 4))
    assert halves.shape == (None, 2, 4)
    up = fc.layers.UpSampling2D()(fc.layers.MaxPooling2D()(x))
    assert fc.layers.Add()([up, x]).shape == (None, None, None, 4)


def test_what_was_imagined_is_forgotten_where_it_does_not_fit() -> None:
    x, y = fc.Input((None, None, 1)), fc.Input((None, None, 1))
    small = fc.layers.MaxPooling2D(7)(y)
    assert fc.layers.Add()([x, small]).shape == (None, None, None, 1)
    deep = x
    for _ in range(11):  # more than the imagined pictures survive
        deep = fc.layers.MaxPooling2D()(deep)
    assert deep.shape == (None, None, None, 1)


@pytest.mark.parametrize("shape", [(1, 6, 8, 1), (2, 5, 3, 1)])
def test_a_size_computed_from_another_tensor(shape: tuple[int, ...], tmp_path: Path) -> None:
    x = fc.Input((None, None, 1), name="x")
    small = fc.layers.MaxPooling2D()(x)
    size = (size_of(x, 1) * 2 - 1, Size.apply("max", size_of(x, 2), 4))
    y = OpLayer.record("resize", (small, size), {"interpolation": "nearest"}, name="wide")
    assert y.shape == (None, None, None, 1)
    model = fc.Model(x, y)
    data = np.random.default_rng(0).random(shape, np.float32)
    found = model.predict(data, verbose=0)
    assert found.shape == (shape[0], 2 * shape[1] - 1, max(shape[2], 4), 1)
    model.save(tmp_path / "m.safetensors")
    again = fc.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(data, verbose=0), found)


def test_an_operand_that_is_a_weight() -> None:
    x = fc.Input((3,), name="x")
    parts = [OpWeight(np.arange(3.0)), OpWeight(np.ones(3), "other", trainable=False)]
    y = OpLayer.record("multiply", (x, parts[0]), {}, name="scaled")
    y = OpLayer.record("add", (y, parts[1]), {}, name="moved")
    model = fc.Model(x, y)
    np.testing.assert_array_equal(model.predict(np.ones((1, 3)), verbose=0), [[1, 2, 3]])
    assert [v.path for v in model.trainable_weights] == ["scaled/weight"]
    assert [v.path for v in model.non_trainable_weights] == ["moved/other"]


def test_arithmetic() -> None:
    n = Size(("size", None, 0), (4, 6))
    assert (3 - n).samples == (-1, -3)
    assert (12 // n).samples == (3, 2)
    assert (n / 2).samples == (2.0, 3.0)
    assert Size.apply("floor", n * 0.4).samples == (1, 2)
    assert Size.apply("+", 2, 3) == 5
    assert same(n * 2, n + n) and not same(n, 4)
    assert quotient(n * 6, n) == 6 and quotient(n, 4) is None and quotient(n, 0) is None
    assert product([n, 2, 5]).samples == (40, 60)


@pytest.mark.parametrize("expression", [["**", 2, 3], [2, 3], "size", ["//", 1, 0], ["+", [], 1]])
def test_malformed_expressions(expression: object) -> None:
    with pytest.raises(ConfigError):
        evaluate(expression, [(2, 3)])
