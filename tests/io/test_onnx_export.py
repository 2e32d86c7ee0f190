"""Models written as ONNX give the same outputs in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers as L, ops  # noqa: N812
from fastcnn.errors import ConfigError, FileAccessError, UnsupportedError

onnx = pytest.importorskip("onnx", reason="writes ONNX files")
runtime = pytest.importorskip("onnxruntime", reason="runs ONNX files")

Make = Callable[..., Any]
PICTURE = (9, 11, 6)


def weighted(model: Any, seed: int = 1) -> Any:
    """Give vectors of weights, which start as zeros and ones, numbers of their own."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            w if w.ndim > 1 else (w + rng.uniform(0.1, 0.5, w.shape)).astype(np.float32)
            for w in model.get_weights()
        ]
    )
    return model


def arrays(shapes: Any, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def run(path: Path, xs: list[Any]) -> list[Any]:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    results: list[Any] = session.run(None, dict(zip(names, xs, strict=True)))
    return results


def agree(model: Any, path: Path, shapes: Any, **options: Any) -> Any:
    """Export, check and run; return what was written."""
    model.export(path, **options)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    xs = arrays(shapes)
    wanted = model(xs[0] if len(xs) == 1 else xs)
    wanted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    first = options.get("data_format") == "channels_first"

    def given(x: Any) -> Any:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if first and x.ndim == 4 else x

    for got, want in zip(run(path, [given(x) for x in xs]), map(given, wanted), strict=True):
        assert got.shape == want.shape and got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5 * max(1, np.abs(want).max()))
    return proto


def of(shape: Any, make: Make) -> Any:
    x = fc.Input(shape)
    return weighted(fc.Model(x, make(x)))


LAYERS: dict[str, tuple[Any, Make]] = {
    "Activation": (PICTURE, lambda x: L.Activation("hard_silu")(x)),
    "AdaptiveAveragePooling2D": (PICTURE, L.AdaptiveAveragePooling2D((4, 3))),
    "Add": (PICTURE, lambda x: L.Add()([x, L.Conv2D(6, 1)(x)])),
    "Average": (PICTURE, lambda x: L.Average()([x, L.Conv2D(6, 1)(x)])),
    "AveragePooling2D": (PICTURE, L.AveragePooling2D(3, 2, "same")),
    "BatchNormalization": (PICTURE, L.BatchNormalization()),
    "CenterCrop": (PICTURE, L.CenterCrop(4, 5)),
    "Concatenate": (PICTURE, lambda x: L.Concatenate()([x, L.Conv2D(3, 1)(x)])),
    "Conv2D": (PICTURE, L.Conv2D(8, 3, 2, "same", activation="silu", groups=2)),
    "Conv2DTranspose": (PICTURE, L.Conv2DTranspose(4, 3, 2, "same", activation="elu")),
    "Cropping2D": (PICTURE, L.Cropping2D(((1, 2), (0, 3)))),
    "Dense": ((7,), L.Dense(5, "sigmoid")),
    "DepthToSpace": ((4, 5, 8), L.DepthToSpace(2, "CRD")),
    "DepthwiseConv2D": (PICTURE, L.DepthwiseConv2D(3, 2, "same", depth_multiplier=2)),
    "Dropout": (PICTURE, L.Dropout(0.5)),
    "ELU": (PICTURE, L.ELU(0.7)),
    "Flatten": (PICTURE, lambda x: L.Flatten()(L.Conv2D(2, 3)(x))),
    "GaussianDropout": (PICTURE, L.GaussianDropout(0.5)),
    "GaussianNoise": (PICTURE, L.GaussianNoise(0.5)),
    "GlobalAveragePooling2D": (PICTURE, L.GlobalAveragePooling2D()),
    "GlobalMaxPooling2D": (PICTURE, L.GlobalMaxPooling2D(keepdims=True)),
    "GroupNormalization": (PICTURE, L.GroupNormalization(3)),
    "Identity": (PICTURE, L.Identity()),
    "InstanceNormalization": (PICTURE, L.InstanceNormalization()),
    "LayerNormalization": (PICTURE, L.LayerNormalization()),
    "LeakyReLU": (PICTURE, L.LeakyReLU()),
    "LocalResponseNormalization": (PICTURE, L.LocalResponseNormalization(3, alpha=0.5)),
    "MaxPooling2D": (PICTURE, L.MaxPooling2D(3, 2, "same")),
    "Maximum": (PICTURE, lambda x: L.Maximum()([x, L.Conv2D(6, 1)(x)])),
    "Minimum": (PICTURE, lambda x: L.Minimum()([x, L.Conv2D(6, 1)(x)])),
    "Multiply": (PICTURE, lambda x: L.Multiply()([x, L.Conv2D(6, 1)(x)])),
    "Normalization": (PICTURE, L.Normalization(mean=[1, 2, 3, 4, 5, 6], variance=[1] * 6)),
    "PReLU": (PICTURE, L.PReLU("uniform", shared_axes=(1, 2))),
    "Permute": (PICTURE, L.Permute((3, 1, 2))),
    "RandomBrightness": (PICTURE, L.RandomBrightness(0.2)),
    "RandomContrast": (PICTURE, L.RandomContrast(0.2)),
    "RandomCrop": (PICTURE, L.RandomCrop(5, 5)),
    "RandomFlip": (PICTURE, L.RandomFlip()),
    "RandomRotation": (PICTURE, L.RandomRotation(0.2)),
    "RandomTranslation": (PICTURE, L.RandomTranslation(0.2, 0.2)),
    "RandomZoom": (PICTURE, L.RandomZoom(0.2)),
    "ReLU": (PICTURE, L.ReLU(1.5, 0.1, 0.2)),
    "ReflectionPadding2D": (PICTURE, L.ReflectionPadding2D(2)),
    "ReplicationPadding2D": (PICTURE, L.ReplicationPadding2D(2)),
    "Rescaling": (PICTURE, L.Rescaling(0.5, [1, 2, 3, 4, 5, 6])),
    "Reshape": (PICTURE, lambda x: L.Reshape((-1, 3))(L.Conv2D(6, 1)(x))),
    "Resizing": (PICTURE, L.Resizing(6, 17)),
    "SeparableConv2D": (PICTURE, L.SeparableConv2D(4, 3, activation="relu")),
    "Softmax": (PICTURE, lambda x: L.Softmax()(L.Conv2D(4, 1)(x))),
    "SpaceToDepth": ((4, 6, 3), L.SpaceToDepth(2, "CRD")),
    "SpatialDropout2D": (PICTURE, L.SpatialDropout2D(0.5)),
    "Subtract": (PICTURE, lambda x: L.Subtract()([x, L.Conv2D(6, 1)(x)])),
    "UnitNormalization": (PICTURE, lambda x: L.UnitNormalization()(L.Conv2D(4, 1)(x))),
    "UpSampling2D": ((None, None, 3), L.UpSampling2D((2, 3), interpolation="bilinear")),
    "ZeroPadding2D": (PICTURE, lambda x: L.ZeroPadding2D(((1, 0), (2, 3)))(L.Conv2D(4, 1)(x))),
}

# What `fastcnn.layers` exports besides layers, or under a second name.
_OTHERS = {
    "Input", "InputLayer", "InputSpec", "Layer", "add", "average", "concatenate", "maximum",
    "minimum", "multiply", "subtract",
}  # fmt: skip


def test_every_layer_is_exported() -> None:
    classes = {getattr(L, name).__name__ for name in L.__all__ if name not in _OTHERS}
    assert classes - set(LAYERS) == set()


def sized(shape: Any, fallback: int = 8) -> tuple[int, ...]:
    return (2, *(n or fallback + i for i, n in enumerate(shape)))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, tmp_path: Path) -> None:
    shape, make = LAYERS[name]
    agree(of(shape, make), tmp_path / "m.onnx", [sized(shape)])


def _vector(n: int) -> Any:
    return np.linspace(-1, 1, n, dtype=np.float32)


REDUCED = ((1, False), ((1, 2), True), (-1, True), (3, False), ((2, 3), False))

OPERATIONS: dict[str, tuple[Any, Make]] = {
    **{
        name: (PICTURE, lambda x, name=name: getattr(ops, name)(L.Conv2D(4, 1)(x)))
        for name in (
            "relu",
            "relu6",
            "leaky_relu",
            "elu",
            "selu",
            "sigmoid",
            "hard_sigmoid",
            "tanh",
            "silu",
            "hard_silu",
            "gelu",
            "softplus",
            "softsign",
            "mish",
            "exp",
            "square",
            "absolute",
            "negative",
            "log_softmax",
        )
    },
    **{
        name: (PICTURE, lambda x, name=name: getattr(ops, name)(L.Conv2D(4, 1)(x)))
        for name in (
            "arcsinh",
            "arctan",
            "ceil",
            "cos",
            "cosh",
            "erf",
            "floor",
            "round",
            "sign",
            "sin",
            "sinh",
            "isnan",
            "isinf",
        )
    },
    "tan": (PICTURE, lambda x: ops.tan(ops.tanh(x))),  # far from where it is infinite
    "remainders": (PICTURE, lambda x: ops.mod(x, 0.7) + ops.fmod(x, 0.3)),
    "take": (PICTURE, lambda x: ops.take(L.Conv2D(4, 1)(x), np.array([2, 0, -1]), axis=3)),
    "topk": (PICTURE, lambda x: list(ops.topk(L.Conv2D(4, 1)(x), 2))),
    "take along axis": (
        PICTURE,
        lambda x: ops.take_along_axis(x, ops.argmax(x, -1, keepdims=True), -1),
    ),
    "bicubic": (PICTURE, lambda x: ops.resize(L.Conv2D(4, 1)(x), (5, 16), "bicubic")),
    "antialiased": (PICTURE, lambda x: ops.resize(x, (4, 5), antialias=True)),
    "resample rows": ((5, 6), lambda x: ops.resample(x, [[0, 3], [1, 9]], [[1, 2], [3, 4]], 1)),
    "roi align": (
        PICTURE,
        lambda x: ops.roi_align(
            L.Conv2D(4, 1)(x), arrays([(3, 4)])[0] * 2 + [1, 1, 5, 5], 3, 0.9, 2
        ),
    ),
    "roi align of two": (
        PICTURE,
        lambda x: ops.roi_align(
            x, [[0, 1, 1, 5, 6], [1, 0, 0, 3, 3]], (2, 3), aligned=True, sampling_ratio=2
        ),
    ),
    "unpool": (
        (8, 10, 6),
        lambda x: ops.max_unpool2d(*ops.max_pool2d(x, 2, return_indices=True), (8, 10)),
    ),
    "indices of maxima": ((9, 10, 6), lambda x: list(ops.max_pool2d(x, 3, return_indices=True))),
    "integers": (
        PICTURE,
        lambda x: [
            ops.integer_binary(ops.cast(x * 9.0, "int32"), np.full(6, 4, np.int32), kind)
            for kind in ("add", "sub", "mul", "mod", "fmod", "maximum", "less", "not_equal")
        ],
    ),
    "logic": (PICTURE, lambda x: ops.logical_not(ops.logical_xor(x, ops.greater(x, 0.5)))),
    "gelu tanh": (PICTURE, lambda x: ops.gelu(x, approximate=True)),
    "sqrt rsqrt log": (
        PICTURE,
        lambda x: ops.log(ops.sqrt(ops.rsqrt(ops.reciprocal(ops.square(x) + 1.0)))),
    ),
    "clip": (PICTURE, lambda x: ops.clip(x, None, 0.3)),
    "same pools of odd sizes": (
        (13, 10, 3),
        lambda x: ops.avg_pool2d(ops.max_pool2d(x, 4, 3, "same"), 3, 2, "same"),
    ),
    "pool of open size": ((None, None, 3), lambda x: ops.max_pool2d(x, 3, 2, "same")),
    "pool of ceil mode": ((12, 12, 3), lambda x: ops.max_pool2d(x, 3, 2, ceil_mode=True)),
    "average with padding": (
        PICTURE,
        lambda x: ops.avg_pool2d(x, 3, 2, ((1, 1), (0, 1)), count_include_pad=True),
    ),
    "dilated same": (PICTURE, L.Conv2D(4, 3, padding="same", dilation_rate=2)),
    "numbers of padding": (PICTURE, L.Conv2D(4, 3, 2, padding=((2, 0), (1, 3)))),
    "transposed": (PICTURE, L.Conv2DTranspose(4, 2, 3, dilation_rate=1)),
    "transposed same": (PICTURE, L.Conv2DTranspose(4, 5, 2, "same", output_padding=1)),
    "transposed numbers": (PICTURE, L.Conv2DTranspose(4, 4, 2, padding=1)),
    "transposed small": (PICTURE, L.Conv2DTranspose(4, 1, 2, "same")),
    "residual": (
        PICTURE,
        lambda x: ops.conv2d(x, arrays([(3, 3, 6, 6)])[0], residual=x, activation="relu"),
    ),
    "adaptive divides": ((8, 12, 3), L.AdaptiveAveragePooling2D((4, 3))),
    "adaptive to one": ((None, None, 3), L.AdaptiveAveragePooling2D(1)),
    "nearest": ((4, 5, 3), lambda x: ops.resize(x, (7, 12), "nearest")),
    "nearest open": ((None, None, 3), L.UpSampling2D(2)),
    "align corners": ((4, 5, 3), lambda x: ops.resize(x, (7, 3), coordinate="align_corners")),
    "asymmetric": ((4, 5, 3), lambda x: ops.resize(x, (8, 9), "nearest", coordinate="asymmetric")),
    "space to depth": ((4, 6, 3), L.SpaceToDepth(2)),
    "depth to space": ((None, None, 8), L.DepthToSpace(2)),
    "broadcast channels": (
        PICTURE,
        lambda x: L.Conv2D(5, 1)(x) * _vector(5) + ops.reshape(_vector(9), (9, 1, 1)),
    ),
    "squeeze and excite": (
        (None, None, 8),
        lambda x: (
            x
            * L.Conv2D(8, 1, activation="sigmoid")(
                L.Reshape((1, 1, 8))(L.GlobalAveragePooling2D()(x))
            )
        ),
    ),
    "comparisons": (
        PICTURE,
        lambda x: (
            ops.greater(x, 0.1)
            + ops.greater_equal(x, 0.2)
            + ops.less(x, 0.3)
            + ops.less_equal(x, 0.4)
            + ops.equal(x, 0.5)
            + ops.not_equal(x, 0.5)
        ),
    ),
    "where": (PICTURE, lambda x: ops.where(ops.greater(x, 0.0), x, ops.power(x, 2.0))),
    "reductions": (
        PICTURE,
        lambda x: [
            f(L.Conv2D(4, 1)(x), axis=axis, keepdims=keepdims)
            for f in (ops.sum, ops.mean, ops.max, ops.min)
            for axis, keepdims in (
                (1, False),
                ((1, 2), True),
                (-1, True),
                (3, False),
                ((2, 3), False),
            )
        ],
    ),
    "product": ((3,), lambda x: ops.prod(x, 1)),
    "argmax": (PICTURE, lambda x: [ops.argmax(L.Conv2D(4, 1)(x), -1), ops.argmax(x, 1, True)]),
    "l2": (PICTURE, lambda x: ops.l2_normalize(L.Conv2D(4, 1)(x))),
    "layer norm without scale": ((4, 6), lambda x: ops.layer_normalization(x)),
    "group norm of rows": ((5, 6), lambda x: ops.group_normalization(x, 2)),
    "batch norm of rows": ((5, 6), L.BatchNormalization()),
    "matmul": ((4, 6), lambda x: ops.matmul(x, x, transpose_b=True)),
    "matmul constant": ((4, 6), lambda x: ops.matmul(x, arrays([(6, 5)])[0])),
    "gram": (PICTURE, lambda x: ops.gram_matrix(L.Conv2D(4, 1)(x), 0.01)),
    **{
        f"cdist {metric}": ((6,), lambda x, m=metric: ops.cdist(x, arrays([(5, 6)])[0], m))
        for metric in ("euclidean", "sqeuclidean", "manhattan", "inner_product", "cosine")
    },
    "flatten open": ((None, None, 4), lambda x: L.Reshape((-1, 2))(L.Conv2D(6, 1)(x))),
    "boxes open": (
        (None, None, 4),
        lambda x: ops.reshape(L.Conv2D(6, 1)(x), (-1, 2)),
    ),
    "to channels first": (PICTURE, lambda x: L.Permute((3, 1, 2))(L.Conv2D(4, 1)(x))),
    "from channels first": (PICTURE, lambda x: L.Conv2D(4, 1)(L.Permute((2, 3, 1))(x))),
    "concatenate rows": (PICTURE, lambda x: L.Concatenate(axis=1)([L.Conv2D(6, 1)(x), x])),
    "stack": ((5,), lambda x: ops.stack([x, x], axis=1)),
    "split": (PICTURE, lambda x: ops.split(L.Conv2D(4, 1)(x), [1, 3], axis=-1)),
    "flip": (PICTURE, lambda x: ops.flip(L.Conv2D(4, 1)(x), (1, 2))),
    "flip open": ((None, None, 3), lambda x: ops.flip(x, 2)),
    "strided slice": (PICTURE, lambda x: ops.slice(x, (0, 1, 0, 1), (2, 3, 5, 2), (1, 3, 2, 2))),
    "crop open": ((None, None, 3), L.Cropping2D(1)),
    "stop gradient": (PICTURE, lambda x: ops.stop_gradient(L.Conv2D(4, 1)(x))),
    "pad value": (PICTURE, lambda x: ops.pad(x, ((0, 0), (1, 2), (3, 0), (1, 1)), "constant", 3)),
    "broadcast_to": ((3,), lambda x: ops.broadcast_to(ops.expand_dims(x, 1), (2, 4, 3))),
    "one hot": (PICTURE, lambda x: ops.one_hot(ops.cast(ops.argmax(x, -1), "int32"), 4)),
    "cast": (PICTURE, lambda x: ops.cast(ops.cast(x, "int64"), "float32")),
    "dense of pictures": (PICTURE, lambda x: L.Dense(4, "relu")(L.Conv2D(5, 1)(x))),
    "dense of rows": ((4, 6), L.Dense(3)),
    "softmax over rows": (PICTURE, lambda x: ops.softmax(L.Conv2D(4, 1)(x), axis=1)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str, tmp_path: Path) -> None:
    shape, make = OPERATIONS[name]
    x = fc.Input(shape, batch_size=2 if name in ("strided slice", "broadcast_to") else None)
    agree(weighted(fc.Model(x, make(x))), tmp_path / "m.onnx", [sized(shape)])


@pytest.mark.parametrize("name", ["reductions", "topk", "layer norm without scale", "l2", "split"])
@pytest.mark.parametrize("opset", [13, 18, 22])
def test_versions_of_the_operators(name: str, opset: int, tmp_path: Path) -> None:
    shape, make = OPERATIONS[name]
    proto = agree(of(shape, make), tmp_path / "m.onnx", [sized(shape)], opset=opset)
    assert proto.opset_import[0].version == opset


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_transposes_stay_at_the_edges(data_format: str, tmp_path: Path) -> None:
    model = weighted(fc.applications.MobileNetV2(include_top=False, alpha=0.35))
    proto = agree(model, tmp_path / "m.onnx", [(1, 33, 50, 3)], data_format=data_format)
    count = sum(node.op_type == "Transpose" for node in proto.graph.node)
    assert count == (2 if data_format == "channels_last" else 0)


@pytest.mark.parametrize("name", ["ResNet18", "SqueezeNet", "EfficientNetLite0", "GoogLeNet"])
def test_applications(name: str, tmp_path: Path) -> None:
    model = weighted(getattr(fc.applications, name)(input_shape=(64, 96, 3), classes=10))
    agree(model, tmp_path / "m.onnx", [(1, 64, 96, 3)])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(fc.applications._CLASSIFIERS))
def test_every_application(name: str, tmp_path: Path) -> None:
    make = getattr(fc.applications, name)
    model = weighted(make())
    agree(model, tmp_path / "m.onnx", [(1, *model.input_shape[1:])])


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_what_is_written_can_be_read(name: str, tmp_path: Path) -> None:
    model = weighted(getattr(fc.applications, name)(include_top=False, input_shape=(33, 50, 3)))
    model.export(tmp_path / "m.onnx")
    again = fc.io.load_onnx(tmp_path / "m.onnx")
    (x,) = arrays([(1, 33, 50, 3)])
    want = model(x)
    np.testing.assert_allclose(again(x), want, rtol=1e-4, atol=1e-5 * np.abs(want).max())
    assert sum(step["op"] == "transpose" for step in again.plan((1, 33, 50, 3)).steps) <= 2


class Scale(L.Layer):
    """A layer of one's own."""

    def build(self, input_shape: Any) -> None:
        self.factor = self.add_weight(input_shape[-1:], "ones", name="factor")

    def call(self, x: Any) -> Any:
        return ops.tanh(x * self.factor)


def test_names_weights_and_sizes(tmp_path: Path) -> None:
    inner = fc.Sequential([fc.Input((None, None, 4)), L.Conv2D(4, 3, name="conv"), Scale(name="s")])
    inner.name = "inner"
    a, b = fc.Input((None, None, 4), name="a"), fc.Input((8, 8, 4), name="b")
    conv = L.Conv2D(4, 3, name="shared")
    model = fc.Model([a, b], {"x": inner(conv(a)), "y": conv(b)}, name="two")
    weighted(model).class_names = ["cat", "dog"]
    path = tmp_path / "m.onnx"
    model.export(path)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    weights = {tensor.name for tensor in proto.graph.initializer}
    assert {"shared/kernel", "shared/bias", "inner/conv/kernel", "inner/s/factor"} <= weights
    assert [given.name for given in proto.graph.input] == ["a", "b"]
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    assert dims[0].dim_param == "N" and not dims[1].HasField("dim_value") and dims[3].dim_value == 4
    assert {p.key: p.value for p in proto.metadata_props} == {"class_names": '["cat", "dog"]'}
    xs = arrays([(3, 10, 12, 4), (3, 8, 8, 4)])
    for got, want in zip(run(path, xs), model(xs).values(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


class Subclassed(fc.Model):
    def __init__(self) -> None:
        super().__init__()
        self.conv = L.Conv2D(3, 3)

    def call(self, x: Any) -> Any:
        return ops.relu(self.conv(x))


def test_a_subclassed_model(tmp_path: Path) -> None:
    model = Subclassed()
    with pytest.raises(ConfigError):
        model.export(tmp_path / "m.onnx")
    (x,) = arrays([(2, 8, 8, 3)])
    want = model(x)
    model.export(tmp_path / "m.onnx")
    np.testing.assert_allclose(run(tmp_path / "m.onnx", [x[:1]])[0], want[:1], rtol=1e-4, atol=1e-5)


def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    x = fc.Input((4,))
    model = fc.Model(x, ops.nearest(x, np.zeros((5, 4)), 2))
    with pytest.raises(UnsupportedError, match="nearest"):
        model.export(path)
    picture = fc.Input((None, None, 3))
    open_windows = fc.Model(picture, L.AdaptiveAveragePooling2D(3, name="pooled")(picture))
    with pytest.raises(UnsupportedError, match="pooled"):
        open_windows.export(path)
    assert list(tmp_path.iterdir()) == []


def test_options_are_checked(tmp_path: Path) -> None:
    model = of(PICTURE, L.Conv2D(2, 1))
    with pytest.raises(ConfigError, match="opset"):
        model.export(tmp_path / "m.onnx", opset=7)
    with pytest.raises(ConfigError, match="data_format"):
        model.export(tmp_path / "m.onnx", data_format="NCHW")
    with pytest.raises(ConfigError, match="format"):
        model.export(tmp_path / "m.pb", format="tf_saved_model")
    with pytest.raises(FileAccessError):
        model.export(tmp_path / "absent" / "m.onnx")
