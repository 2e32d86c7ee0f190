"""ONNX files by hand: options of operators against ONNX Runtime, names, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import FileFormatError, MissingFileError, UnsupportedError

pytest.importorskip("onnx", reason="reads the files")

from onnx import TensorProto, helper

from tests.io.onnx_writer import graph_model, node, small_models, write

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def load(tmp_path: Path, model: Any, **options: Any) -> fc.Model:
    return fc.io.load_onnx(write(tmp_path / "m.onnx", model), **options)


def pictures_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1) if x.ndim >= 3 else x


def compare(
    tmp_path: Path, model: Any, x: np.ndarray, *, plain_output: bool = False, picture: bool = True
) -> fc.Model:
    """The model gives what ONNX Runtime gives for (n, c, h, w)."""
    runtime = pytest.importorskip("onnxruntime", reason="gives the expected results")
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"x": x})
    loaded = load(tmp_path, model)
    found = loaded.predict(pictures_last(x) if picture else x, verbose=0)
    found = found if isinstance(found, list) else [found]
    for y, want in zip(found, expected, strict=True):
        want = want if plain_output else pictures_last(want)
        assert y.shape == want.shape
        np.testing.assert_allclose(y, want, rtol=1e-5, atol=2e-6 * max(1, np.abs(want).max()))
    return loaded


# --- Convolutions and pools -----------------------------------------------------------------------

CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 3, 7, 8), (4, 3, 3, 3), {}),
    "uneven pads": ((2, 3, 7, 8), (4, 3, 3, 2), {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    "same upper": ((2, 3, 7, 8), (4, 3, 3, 2), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower": ((2, 3, 7, 8), (4, 3, 4, 2), {"auto_pad": "SAME_LOWER", "strides": [2, 1]}),
    "valid": ((2, 3, 7, 8), (4, 3, 3, 2), {"auto_pad": "VALID"}),
    "groups": ((1, 4, 7, 8), (6, 2, 3, 3), {"group": 2, "dilations": [2, 1]}),
    "depthwise": ((1, 4, 7, 8), (8, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    "one channel": ((1, 1, 5, 5), (2, 1, 3, 3), {"group": 1}),
    "signal": ((2, 3, 9), (4, 3, 3), {"pads": [2, 1], "strides": [2], "dilations": [2]}),
    "signal same": ((2, 4, 9), (4, 1, 4), {"auto_pad": "SAME_UPPER", "group": 4}),
}


@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv(name: str, bias: bool, tmp_path: Path) -> None:
    shape, weights, options = CONVOLUTIONS[name]
    inputs = "x w b" if bias else "x w"
    model = graph_model(
        [node("Conv", inputs, "y", **options)], {"x": shape},
        constants={"w": normal(*weights), "b": normal(weights[0])},
    )  # fmt: skip
    loaded = compare(tmp_path, model, normal(*shape))
    kinds = {type(layer).__name__ for layer in loaded.layers}
    assert kinds & {"Conv2D", "DepthwiseConv2D"}


def test_conv_with_computed_weights(tmp_path: Path) -> None:
    model = graph_model(
        [
            node("ReduceMean", "x", "s", axes=[0, 2, 3]),
            node("Mul", "w s", "k"),
            node("Conv", "x k", "y"),
        ],
        {"x": (2, 3, 5, 5)},
        constants={"w": normal(4, 3, 3, 3)},
    )  # fmt: skip
    compare(tmp_path, model, normal(2, 3, 5, 5))


TRANSPOSED: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((2, 3, 4, 5), (3, 4, 3, 3), {}),
    "strides": ((2, 3, 4, 5), (3, 4, 3, 2), {"strides": [2, 3], "pads": [1, 0, 0, 1]}),
    "output padding": ((2, 3, 4, 5), (3, 4, 3, 3), {"strides": [2, 2], "output_padding": [1, 1]}),
    "groups": ((2, 4, 4, 5), (4, 3, 3, 3), {"group": 2, "strides": [2, 2], "dilations": [1, 2]}),
    "output shape": ((2, 3, 4, 5), (3, 4, 3, 3), {"strides": [2, 2], "output_shape": [8, 11]}),
    "larger output": ((2, 3, 4, 5), (3, 4, 2, 2), {"strides": [3, 3], "output_shape": [12, 15]}),
    "same upper": ((2, 3, 4, 5), (3, 4, 4, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "same lower": ((2, 3, 4, 5), (3, 4, 4, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    "signal": ((2, 3, 5), (3, 4, 4), {"strides": [2], "pads": [1, 1]}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_conv_transpose(name: str, tmp_path: Path) -> None:
    shape, weights, options = TRANSPOSED[name]
    filters = weights[1] * options.get("group", 1)
    model = graph_model(
        [node("ConvTranspose", "x w b", "y", **options)], {"x": shape},
        constants={"w": normal(*weights), "b": normal(filters)},
    )  # fmt: skip
    compare(tmp_path, model, normal(*shape))


POOLS: dict[str, dict[str, Any]] = {
    "plain": {"kernel_shape": [2, 3]},
    "pads": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 2]},
    "ceil": {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1},
    "same": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    "same lower": {"kernel_shape": [2, 4], "strides": [2, 1], "auto_pad": "SAME_LOWER"},
}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("kind", ["max", "average", "counting", "dilated"])
def test_pools(kind: str, name: str, tmp_path: Path) -> None:
    options = dict(POOLS[name])
    if kind == "counting":
        options["count_include_pad"] = 1
    if kind == "dilated":
        if "auto_pad" in options:
            pytest.skip("ONNX Runtime does not pad for the dilation, against the specification")
        options["dilations"] = [2, 2]
    op_type = "MaxPool" if kind in ("max", "dilated") else "AveragePool"
    model = graph_model([node(op_type, "x", "y", **options)], {"x": (2, 3, 9, 10)})
    compare(tmp_path, model, normal(2, 3, 9, 10))


@pytest.mark.parametrize("op_type", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (2, 3, 5)])
def test_global_pools(op_type: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    compare(tmp_path, graph_model([node(op_type, "x", "y")], {"x": shape}), normal(*shape))


# --- Everything else ------------------------------------------------------------------------------

PICTURE = (2, 6, 5, 4)
Case = tuple[list[Any], dict[str, Any], int]


def one(
    op_type: str, inputs: str, constants: Any = None, opset: int = 17, **attributes: Any
) -> Case:
    """A graph of one node with the result y."""
    return [node(op_type, inputs, "y", **attributes)], constants or {}, opset


def some(nodes: list[Any], opset: int = 17, **constants: Any) -> Case:
    return nodes, constants, opset


GRAPHS: dict[str, Case] = {
    "add channels": one("Add", "x b", {"b": normal(6, 1, 1)}),
    "subtract rows": one("Sub", "b x", {"b": normal(5, 1)}),
    "multiply all": one("Mul", "x b", {"b": normal(1, 6, 5, 4)}),
    "divide": one("Div", "b x", {"b": 2.0}),
    "power": some([node("Abs", "x", "a"), node("Pow", "a b", "y")], b=1.5),
    "clip": one("Clip", "x lo hi", {"lo": -0.5, "hi": 0.25}),
    "clip above": one("Clip", "x - hi", {"hi": 0.25}),
    "clip 6": one("Clip", "x", opset=8, min=0.0, max=6.0),
    "softmax 11": one("Softmax", "x", opset=11, axis=3),
    "softmax channels": one("Softmax", "x", axis=1),
    "log softmax rows": one("LogSoftmax", "x", axis=-2),
    "prelu": one("PRelu", "x s", {"s": normal(6, 1, 1)}),
    "prelu one": one("PRelu", "x s", {"s": normal(1)}),
    "leaky": one("LeakyRelu", "x", alpha=0.3),
    "hard sigmoid": one("HardSigmoid", "x"),
    "hard sigmoid sixth": one("HardSigmoid", "x", alpha=1 / 6),
    "lrn": one("LRN", "x", size=3, alpha=0.1),
    "maximum of three": one("Max", "x b c", {"b": normal(4), "c": normal(5, 1)}),
    "mean of two": one("Mean", "x b", {"b": normal(4)}),
    "sum": one("Sum", "x x b", {"b": normal(6, 1, 1)}),
    "concat": one("Concat", "x b x", {"b": normal(2, 3, 5, 4)}, axis=1),
    "concat rows": one("Concat", "x x", axis=-2),
    "split": some([node("Split", "x n", "a b", axis=1), node("Add", "a b", "y")], n=[3, 3]),
    "split 11": some(
        [node("Split", "x", "a b", axis=1, split=[2, 4]), node("Concat", "b a", "y", axis=1)], 11
    ),
    "split 18": some(
        [node("Split", "x", "a b c", axis=1, num_outputs=3), node("Concat", "c a", "y", axis=1)],
        18,
    ),
    "slice": one(
        "Slice", "x s e a t", {"s": [1, -4], "e": [2**31, 4], "a": [1, 2], "t": [2, 1]}
    ),
    "slice backwards": one("Slice", "x s e a t", {"s": [-1], "e": [-99], "a": [3], "t": [-1]}),
    "slice 9": one("Slice", "x", opset=9, starts=[0, 1], ends=[9, -1], axes=[1, 3]),
    "pad": one("Pad", "x p v", {"p": [0, 1, 2, 0, 0, 0, -1, 3], "v": 0.5}),
    "pad edge": one("Pad", "x p", {"p": [0, 0, 2, 1, 0, 0, 1, 3]}, mode="edge"),
    "pad 10": one("Pad", "x", opset=10, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=2.0),
    "gather one": some(
        [node("Gather", "x i", "g", axis=1), node("Unsqueeze", "g a", "y")], i=-2, a=[1]
    ),
    "gather many": one("Gather", "x i", {"i": [5, 0, 0, 2]}, axis=1),
    "gather steps": one("Gather", "x i", {"i": [1, 3]}, axis=3),
    "expand": some(
        [node("Gather", "x i", "g", axis=1), node("Expand", "g s", "y")], i=[3], s=[2, 4, 1, 1]
    ),
    "where": one("Where", "m x b", {"m": normal(5, 4) > 0, "b": normal(6, 1, 1)}),
    "transposed twice": some([
        node("MaxPool", "x", "m", kernel_shape=[1, 1]),
        node("Transpose", "m", "t", perm=[0, 3, 1, 2]), node("Relu", "t", "r"),
        node("Transpose", "r", "y", perm=[0, 2, 3, 1]),
    ]),
    "norm": some([node("ReduceL2", "x", "n", axes=[1]), node("Div", "x n", "y")]),
    "layer norm by hand": some([
        node("ReduceMean", "x", "m", axes=[1]), node("Sub", "x m", "d"), node("Mul", "d d", "q"),
        node("ReduceMean", "q", "v", axes=[1]), node("Add", "v e", "w"), node("Sqrt", "w", "s"),
        node("Div", "d s", "y"),
    ], e=1e-5),
    "hard swish by hand": some([
        node("Add", "x three", "a"), node("Clip", "a zero six", "c"), node("Mul", "x c", "m"),
        node("Div", "m six", "y"),
    ], three=3.0, zero=0.0, six=6.0),
    "upsample": one("Upsample", "x s", {"s": [1.0, 1.0, 2.0, 3.0]}, 9),
    "resize linear": one(
        "Resize", "x - s", {"s": [1.0, 1.0, 2.0, 2.0]}, mode="linear",
        coordinate_transformation_mode="asymmetric",
    ),
    "resize to a size": one("Resize", "x - - s", {"s": [2, 6, 7, 9]}, mode="linear"),
    "depth to space": some([
        node("Concat", "x x", "c", axis=1), node("DepthToSpace", "c", "y", blocksize=2, mode="CRD"),
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_operators_on_pictures(name: str, tmp_path: Path) -> None:
    nodes, constants, opset = GRAPHS[name]
    model = graph_model(nodes, {"x": PICTURE}, constants=constants, opset=opset)
    loaded = compare(tmp_path, model, normal(*PICTURE))
    assert not any(step["op"] == "transpose" for step in loaded.plan((2, 5, 4, 6)).steps)


@pytest.mark.parametrize("scales", [(0.5, 0.5), (2.0, 0.25)])
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_scales_of_open_sizes(mode: str, scales: tuple[float, float], tmp_path: Path) -> None:
    coordinate = "half_pixel" if mode == "linear" else "asymmetric"
    resize = node(
        "Resize", "x - s", "y", mode=mode, coordinate_transformation_mode=coordinate,
        nearest_mode="floor",
    )  # fmt: skip
    model = graph_model([resize], {"x": ("n", 2, "h", "w")}, constants={"s": [1.0, 1.0, *scales]})
    for size in ((8, 8), (7, 11)):
        compare(tmp_path, model, normal(2, 2, *size))


def test_arrays_that_are_no_pictures_keep_their_axes(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x w", "m"),
        node("Add", "m b", "a"),
        node("Transpose", "a", "t", perm=[0, 2, 1]),
        node("MatMul", "a t", "s"),
        node("Softmax", "s", "p", axis=-1),
        node("MatMul", "p a", "y"),
    ]
    model = graph_model(nodes, {"x": (2, 7, 5)}, constants={"w": normal(5, 6), "b": normal(6)})
    loaded = compare(tmp_path, model, normal(2, 7, 5), plain_output=True, picture=False)
    assert [type(layer).__name__ for layer in loaded.layers].count("Dense") == 1


@pytest.mark.parametrize("options", [{}, {"transA": 1}, {"alpha": 0.5, "beta": 2.0, "transB": 1}])
def test_gemm(options: dict[str, Any], tmp_path: Path) -> None:
    b = normal(4, 3) if options.get("transB") else normal(3, 4)
    x = normal(3, 5) if options.get("transA") else normal(5, 3)
    for c in (normal(4), normal(1), normal(5, 4), normal(5, 1)):
        model = graph_model(
            [node("Gemm", "x b c", "y", **options)], {"x": x.shape}, constants={"b": b, "c": c}
        )
        compare(tmp_path, model, x, plain_output=True, picture=False)


def test_pictures_that_are_stored_channels_last_in_the_file(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w", "c"),
        node("Transpose", "c", "y", perm=[0, 2, 3, 1]),
    ]
    model = graph_model(nodes, {"x": (1, 6, 5, 3)}, constants={"w": normal(4, 3, 3, 3)})
    loaded = compare(tmp_path, model, normal(1, 6, 5, 3), plain_output=True, picture=False)
    assert loaded.input_shape == (None, 6, 5, 3)
    assert [step["op"] for step in loaded.plan((1, 6, 5, 3)).steps] == ["conv2d"]


def test_branches_that_are_decided_now(tmp_path: Path) -> None:
    def branch(op_type: str, name: str) -> Any:
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([node(op_type, "x", name)], name, [], [info])

    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s one", "c"),
        node("Equal", "c three", "is"),
        node("If", "is", "y", then_branch=branch("Relu", "a"), else_branch=branch("Loop", "b")),
    ]
    model = graph_model(nodes, {"x": ("n", 3, 4, 4)}, constants={"one": 1, "three": 3})
    assert [type(x).__name__ for x in load(tmp_path, model).layers] == ["InputLayer", "ReLU"]


# --- Names, weights, shapes -----------------------------------------------------------------------


def test_layers_are_named_after_parameters_and_nodes(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x block.0.weight block.0.bias", "c"),
        helper.make_node("Relu", ["c"], ["r"], name="/block/block.1/Relu"),
        helper.make_node("Conv", ["r", "onnx::Conv_7"], ["d"], name="/block/block.2/Conv"),
        helper.make_node("Add", ["d", "shift"], ["y"], name=""),
    ]
    constants = {
        "block.0.weight": normal(3, 3, 1, 1), "block.0.bias": normal(3),
        "onnx::Conv_7": normal(3, 3, 1, 1), "shift": normal(3, 1, 1),
    }  # fmt: skip
    model = load(tmp_path, graph_model(nodes, {"x": (1, 3, 4, 4)}, constants=constants))
    assert [layer.name for layer in model.layers] == ["x", "block.0", "block.1", "block.2", "y"]
    assert [v.path for v in model.trainable_weights] == [
        "block.0/kernel", "block.0/bias", "block.2/kernel", "y/weight",
    ]  # fmt: skip


def test_weights_that_two_nodes_read_are_one_layer(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a"), node("Conv", "a w", "y")]
    model = graph_model(nodes, {"x": (1, 3, 4, 4)}, constants={"w": normal(3, 3, 1, 1)})
    loaded = compare(tmp_path, model, normal(1, 3, 4, 4))
    assert len(loaded.weights) == 1


def test_given_shapes(tmp_path: Path) -> None:
    model = graph_model([node("MaxPool", "x", "y", kernel_shape=[2, 2])], {"x": (1, 3, 8, 8)})
    assert load(tmp_path, model).input_shape == (None, 8, 8, 3)
    loaded = load(tmp_path, model, input_shapes={"x": (4, 3, None, 6)})
    assert loaded.input_shape == (4, None, 6, 3)
    with pytest.raises(FileFormatError, match="4 axes"):
        load(tmp_path, model, input_shapes={"x": (4, 3)})


def test_a_graph_that_mixes_pictures_keeps_its_batch(tmp_path: Path) -> None:
    for nodes in (
        [node("ReduceMean", "x", "m", axes=[0]), node("Sub", "x m", "y")],
        [node("Reshape", "x s", "r"), node("Relu", "r", "y")],
    ):
        model = graph_model(nodes, {"x": (1, 3, 4, 4)}, constants={"s": [3, 4, 4]})
        assert load(tmp_path, model).input_shape == (1, 4, 4, 3)


# --- External data --------------------------------------------------------------------------------


def external(location: str, offset: int = 0, length: int | None = None) -> Any:
    model = graph_model(
        [node("MatMul", "x w", "y")], {"x": ("n", 2)}, constants={"w": normal(2, 3)}
    )
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    return model


def test_external_data(tmp_path: Path) -> None:
    w = normal(2, 3)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(b"head" + w.tobytes())
    model = load(tmp_path, external("data/w.bin", 4, 24))
    np.testing.assert_array_equal(model.weights[0].numpy(), w)


@pytest.mark.parametrize(
    ("location", "offset", "length"),
    [
        ("../w.bin", 0, 24), ("/etc/passwd", 0, 24), ("link/w.bin", 0, 24), ("w.bin", 4, 24),
        ("w.bin", -4, 24), ("w.bin", 0, 20), ("", 0, 24), ("w\0bin", 0, 24), ("w.bin", "x", 24),
    ],
)  # fmt: skip
def test_external_data_elsewhere(location: str, offset: Any, length: int, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(24))
    (folder / "w.bin").write_bytes(bytes(24))
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises((FileFormatError, MissingFileError), match=r"external|expected"):
        load(folder, external(location, offset, length))


def test_no_external_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        load(tmp_path, external("nowhere.bin"))


# --- What is refused ------------------------------------------------------------------------------


def refused(nodes: list[Any], **constants: Any) -> Any:
    return graph_model(nodes, {"x": (1, 3, 4, 4)}, constants=constants)


UNSUPPORTED: dict[str, tuple[Any, str]] = {
    "operator": (refused([node("Loop", "x", "y")]), r"node 'the_Loop' \(Loop\)"),
    "option": (
        refused([node("Dropout", "x ratio training", "y")], ratio=0.5, training=True),
        r"node 'the_Dropout' \(Dropout\)",
    ),
    "shape that data decide": (
        refused([node("Reshape", "x x", "y")]), r"node 'the_Reshape' .*input 1 to be constant"
    ),
    "old opset": (graph_model([node("Relu", "x", "y")], {"x": (1, 2)}, opset=6), "opset 7"),
    "new opset": (graph_model([node("Relu", "x", "y")], {"x": (1, 2)}, opset=99), "opset 7"),
    "constant output": (refused([node("Shape", "x", "y")]), "constant"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_named(name: str, tmp_path: Path) -> None:
    model, message = UNSUPPORTED[name]
    with pytest.raises(UnsupportedError, match=message):
        load(tmp_path, model)


DAMAGED: dict[str, tuple[Any, str]] = {
    "undefined": (refused([node("Relu", "z", "y")]), "'z' is used before"),
    "cycle": (
        refused([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")]),
        "'b' is used",
    ),
    "identities in a circle": (
        refused([node("Mul", "x a", "y"), node("Identity", "a", "a")]), "'a' is used before"
    ),
    "defined twice": (refused([node("Relu", "x", "y"), node("Relu", "x", "y")]), "twice"),
    "weights of other channels": (
        refused([node("Conv", "x w", "y")], w=normal(4, 5, 3, 3)), r"node 'the_Conv' .*5, 3, 3\)"
    ),
    "window larger than the picture": (
        refused([node("Conv", "x w", "y")], w=normal(4, 3, 9, 9)), "node 'the_Conv'"
    ),
    "huge constant": (
        refused([node("ConstantOfShape", "s", "c"), node("Add", "x c", "y")], s=[2**30, 2**20]),
        "elements",
    ),
    "huge range": (
        refused([node("Range", "a b c", "r"), node("Add", "x r", "y")], a=0, b=2**62, c=1),
        "elements",
    ),
    "huge tile": (
        refused([node("Tile", "a b", "r"), node("Add", "x r", "y")], a=[1.0], b=[2**40]), "elements"
    ),
    "attribute of another type": (
        refused([node("LeakyRelu", "x", "y", alpha="much")]), "attribute alpha"
    ),
    "missing input": (refused([node("Add", "x", "y")]), "input 1 is missing"),
    "no outputs": (graph_model([node("Relu", "x", "y")], {"x": (1, 2)}, outputs=()), "outputs"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_graphs(name: str, tmp_path: Path) -> None:
    model, message = DAMAGED[name]
    with pytest.raises(FileFormatError, match=message) as caught:
        load(tmp_path, model)
    assert "m.onnx" in str(caught.value)


def test_tensors_that_do_not_hold_what_they_say(tmp_path: Path) -> None:
    for dims in ([2**40, 2**40], [-1, 3], [2, 4], [2] * 64):
        model = graph_model(
            [node("MatMul", "x w", "y")], {"x": ("n", 2)}, constants={"w": normal(2, 3)}
        )
        tensor = model.graph.initializer[0]
        del tensor.dims[:]
        tensor.dims.extend(dims)
        with pytest.raises(FileFormatError, match="tensor 'w'"):
            load(tmp_path, model)


def test_no_onnx(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nothing"):
        fc.io.load_onnx(tmp_path / "nothing.onnx")
    for data in (b"", b"\x08", b"PK\x03\x04" + bytes(99), b"\x0a" * 1000):
        (tmp_path / "m.onnx").write_bytes(data)
        with pytest.raises(FileFormatError, match=r"m\.onnx: expected an ONNX model"):
            fc.io.load_onnx(tmp_path / "m.onnx")


def test_the_small_models_work(tmp_path: Path) -> None:
    shapes = [(2, 3, 8, 8), (1, 4, 6, 6), (3, 2)]
    for model, shape in zip(small_models(), shapes, strict=True):
        compare(tmp_path, model, np.abs(normal(*shape)))
