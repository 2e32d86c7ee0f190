"""Graphs of less usual operators against ONNX's own reference, as models of NHWC layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import FileFormatError, UnsupportedError

pytest.importorskip("onnx", reason="reads the files")

from onnx.reference import ReferenceEvaluator

from tests.io import onnx_operator_models as models
from tests.io.onnx_writer import graph_model, node, write


def picture(*shape: int) -> np.ndarray:
    """Numbers in ONNX's order of axes."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def last(x: np.ndarray) -> np.ndarray:
    """Channels last."""
    return np.moveaxis(x, 1, -1)


def loaded(proto: Any, tmp_path: Path) -> fc.Model:
    model = fc.io.load_onnx(write(tmp_path / "m.onnx", proto))
    return model


def reference(proto: Any, x: np.ndarray) -> list[np.ndarray]:
    return ReferenceEvaluator(proto).run(None, {"x": x})


def steps(model: fc.Model, shape: tuple[int, ...]) -> list[str]:
    return [step["op"] for step in model.plan(shape).steps]


def test_a_detector_selects_after_the_model_has_run(tmp_path: Path) -> None:
    proto, x = models.detector(), picture(1, 3, 12, 12)
    model = loaded(proto, tmp_path)
    expected = reference(proto, x)
    assert len(expected[0]) > 2
    found = model.predict(last(x))
    for y, wanted in zip(found, expected, strict=True):
        if y.shape != wanted.shape:
            wanted = last(wanted)
        np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-5)
    # As a file and in pieces it does the same; as a layer it gives what comes before.
    model.save(tmp_path / "m.fastcnn")
    copy = fc.load_model(tmp_path / "m.fastcnn")
    for a, b in zip(copy.predict(last(x)), found, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(model.predict_on_batch(last(x)), found, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(y.shape[0] in (1, 36) for y in model(last(x)))
    boxes = next(layer for layer in model.layers if layer.weights)
    assert boxes.trainable


def test_unpooling_moves_nothing(tmp_path: Path) -> None:
    proto, x = models.unpooling(), picture(3, 4, 8, 6)
    model = loaded(proto, tmp_path)
    assert model.input_shape == (None, 8, 6, 4)
    np.testing.assert_allclose(
        model.predict(last(x)), last(reference(proto, x)[0]), rtol=0, atol=1e-5
    )
    ops = steps(model, (3, 8, 6, 4))
    assert sorted(ops) == ["conv2d", "max_pool2d", "max_pool2d_indices", "max_unpool2d"]


def test_codes_and_coded_weights(tmp_path: Path) -> None:
    proto, x = models.quantized(), picture(2, 3, 8, 8)
    model = loaded(proto, tmp_path)
    y, expected = model.predict(last(x)), last(reference(proto, x)[0])
    off = np.abs(y - expected) / 0.05  # in codes; a sum may lie on the edge between two
    assert off.max() <= 1.001 and (off > 0.5).mean() < 0.01
    (conv,) = [layer for layer in model.layers if isinstance(layer, fc.layers.Conv2D)]
    assert conv.trainable_weights  # of what the codes stand for


def test_integer_convolutions(tmp_path: Path) -> None:
    proto, x = models.integer_network(), picture(2, 3, 8, 8)
    y, expected = loaded(proto, tmp_path).predict(last(x)), last(reference(proto, x)[0])
    off = np.abs(y - expected) / 0.1
    assert off.max() <= 1.001 and (off > 0.5).mean() < 0.02
    assert "transpose" not in steps(loaded(proto, tmp_path), (2, 8, 8, 3))


@pytest.mark.parametrize("name", ["volumes", "picking", "filters"])
def test_agrees_with_the_reference(name: str, tmp_path: Path) -> None:
    proto = getattr(models, name)()
    x = picture(*(d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim))
    (expected,) = reference(proto, x)
    y = loaded(proto, tmp_path).predict(last(x))
    if y.shape != expected.shape:
        expected = last(expected)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_resizing_moves_no_axes(tmp_path: Path) -> None:
    ops = steps(loaded(models.filters(), tmp_path), (2, 9, 8, 3))
    assert "transpose" not in ops and ops.count("resample") == 6 and ops.count("take") == 2


def test_indices_of_maxima_are_onnx_numbers_as_outputs(tmp_path: Path) -> None:
    for order in (0, 1):
        proto = graph_model(
            [node("MaxPool", "x", "y places", kernel_shape=[3, 2], storage_order=order)],
            {"x": [2, 3, 7, 5]}, ["y", "places"],
        )  # fmt: skip
        x = picture(2, 3, 7, 5)
        _, places = loaded(proto, tmp_path).predict(last(x))
        flat = x.ravel() if order == 0 else x.transpose(0, 1, 3, 2).ravel()
        picked = flat[places]
        np.testing.assert_array_equal(picked, last(reference(proto, x)[0]))


@pytest.mark.parametrize("op_type", ["Det", "LSTM", "GridSample"])
def test_what_is_not_supported_names_operator_and_node(op_type: str, tmp_path: Path) -> None:
    proto = graph_model([node(op_type, "x", "y")], {"x": [1, 3, 3]})
    with pytest.raises(UnsupportedError, match=rf"node 'the_{op_type}' \({op_type}\)"):
        loaded(proto, tmp_path)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Dropout", "x half yes", "y")], "training mode"),
        ([node("NonMaxSuppression", "x x", "y")], None),
        ([node("QuantizeLinear", "x half", "y", output_dtype=17)], "codes of type float8e4m3fn"),
        ([node("MaxPool", "x", "z y", kernel_shape=[2, 2, 2])], "indices of 3 dimensions"),
    ],
)
def test_options_that_are_not_supported(
    nodes: list[Any], message: str | None, tmp_path: Path
) -> None:
    shape = [1, 2, 4, 4, 4] if "dimensions" in str(message) else [1, 4, 4]
    constants = {"half": np.float32(0.5), "yes": np.array(True)}
    proto = graph_model(nodes, {"x": shape}, constants=constants, opset=21)
    if message is None:
        loaded(proto, tmp_path)  # what it cannot know yet is left to `predict`
        return
    with pytest.raises(UnsupportedError, match=message):
        loaded(proto, tmp_path)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    data = models.unpooling().SerializeToString()
    for name in (b"test", b"the_Conv", b"places"):
        path = tmp_path / "m.onnx"
        path.write_bytes(data.replace(name, b"\x80" + name[1:]))
        with pytest.raises(FileFormatError, match="names in UTF-8"):
            fc.io.load_onnx(path)


def test_a_saved_model_whose_end_is_damaged(tmp_path: Path) -> None:
    model = loaded(models.detector(), tmp_path)
    text = model.to_json()
    for steps in ("", "AAAA", "!", model.steps[:40]):
        with pytest.raises(FileFormatError):
            fc.saving.model_from_json(text.replace(model.steps, steps))
