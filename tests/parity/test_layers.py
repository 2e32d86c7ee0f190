"""Layers and array functions with random weights against PyTorch in float64.

Torch computes pictures as (n, c, h, w); `first` and `last` turn them. Weights are turned here too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers, ops

torch = pytest.importorskip("torch", reason="parity needs PyTorch to compare with")
F = torch.nn.functional

# Each output is one chain of at most a few thousand float32 operations: docs/precision.md.
TOLERANCE = 4e-6

IMAGE = (2, 9, 7, 6)


def values(*shape: int, seed: int = 0, positive: bool = False) -> np.ndarray:
    x = np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)
    return np.abs(x) + np.float32(0.1) if positive else x


def double(x: Any) -> Any:
    return x if torch.is_tensor(x) else torch.from_numpy(np.array(x, dtype=np.float64))


def first(x: Any) -> Any:
    """Channels first: (n, h, w, c) to (n, c, h, w)."""
    return double(x).movedim(-1, 1)


def last(y: Any) -> np.ndarray:
    """Channels last again."""
    return np.asarray(y.movedim(1, -1))


def oihw(kernel: np.ndarray) -> Any:
    """A kernel (h, w, in, out) in torch's order; a transposed convolution's (h, w, out, in) too."""
    return double(kernel).permute(3, 2, 0, 1)


def check(actual: np.ndarray, expected: np.ndarray) -> None:
    """Every element within the tolerance of the largest one."""
    expected = np.asarray(expected)
    assert actual.dtype == np.float32
    assert actual.shape == expected.shape
    assert np.isfinite(expected).all()
    scale = np.abs(expected).max(initial=0.0)
    error = np.abs(actual - expected).max(initial=0.0)
    assert error <= TOLERANCE * scale, f"error {error:.3g}, largest output {scale:.3g}"


def with_weights(layer: Any, x: np.ndarray) -> list[np.ndarray]:
    """Build the layer for x with random weights; variances are positive."""
    layer(x)
    weights = [
        values(*v.shape, seed=i + 1, positive="variance" in v.name)
        for i, v in enumerate(layer.weights)
    ]
    layer.set_weights(weights)
    return weights


def pads_of(padding: Any, shape: Any, size: Any, stride: Any, dilation: Any) -> list[int]:
    """TensorFlow's padding as F.pad takes it: left, right, top, bottom."""
    if not isinstance(padding, str):
        ((top, bottom), (left, right)) = padding
        return [left, right, top, bottom]
    pads = []
    for n, k, s, d in zip(shape[2:0:-1], size[::-1], stride[::-1], dilation[::-1], strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0) if padding == "same" else 0
        pads += [total // 2, total - total // 2]
    return pads


# ---- convolutions --------------------------------------------------------------------------------

# batch, height, width, channels; filters; window; strides; padding; dilation; groups
CONVOLUTIONS = [
    (1, 8, 8, 3, 16, (3, 3), (1, 1), "same", (1, 1), 1),
    (2, 9, 7, 6, 5, (3, 3), (2, 2), "same", (1, 1), 1),
    (5, 10, 12, 4, 17, (5, 3), (2, 3), "same", (1, 1), 1),
    (2, 11, 13, 6, 9, (3, 3), (1, 1), "valid", (2, 3), 3),
    (1, 7, 5, 8, 8, (1, 1), (1, 1), "valid", (1, 1), 1),
    (2, 7, 5, 33, 31, (1, 1), (2, 2), "same", (1, 1), 1),
    (1, 9, 9, 8, 12, (4, 2), (2, 1), ((0, 2), (3, 1)), (1, 1), 4),
    (1, 33, 31, 3, 24, (7, 7), (2, 2), ((3, 3), (3, 3)), (1, 1), 1),
    (1, 6, 6, 64, 40, (3, 3), (1, 1), "same", (2, 2), 1),
    (1, 12, 1, 5, 3, (3, 1), (1, 1), "same", (1, 1), 1),
]


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("use_bias", [True, False])
def test_conv2d(case: Any, use_bias: bool) -> None:
    *shape, filters, size, stride, padding, dilation, groups = case
    x = values(*shape)
    layer = layers.Conv2D(
        filters, size, stride, padding, dilation_rate=dilation, groups=groups, use_bias=use_bias
    )
    kernel, *bias = with_weights(layer, x)
    expected = F.conv2d(
        F.pad(first(x), pads_of(padding, shape, size, stride, dilation)),
        oihw(kernel),
        double(bias[0]) if bias else None,
        stride,
        0,
        dilation,
        groups,
    )
    check(layer(x), last(expected))


@pytest.mark.parametrize("case", [c for c in CONVOLUTIONS if c[-1] == 1], ids=str)
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("separable", [False, True])
def test_depthwise_and_separable(case: Any, multiplier: int, separable: bool) -> None:
    *shape, filters, size, stride, padding, dilation, _ = case
    x = values(*shape)
    options = {"depth_multiplier": multiplier, "dilation_rate": dilation}
    if separable:
        layer = layers.SeparableConv2D(filters, size, stride, padding, **options)
        depthwise, pointwise, bias = with_weights(layer, x)
    else:
        layer = layers.DepthwiseConv2D(size, stride, padding, **options)
        depthwise, bias = with_weights(layer, x)
    channels = shape[-1]
    # Output channel c * multiplier + m sees input channel c alone.
    kernel = double(depthwise).permute(2, 3, 0, 1).reshape(channels * multiplier, 1, *size)
    padded = F.pad(first(x), pads_of(padding, shape, size, stride, dilation))
    expected = F.conv2d(padded, kernel, None, stride, 0, dilation, channels)
    if separable:
        expected = F.conv2d(expected, oihw(pointwise))
    check(layer(x), last(expected + double(bias)[:, None, None]))


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize(
    ("channels", "filters", "size", "stride", "padding", "output_padding", "dilation"),
    [
        (3, 7, 2, 2, 0, 0, 1),
        (6, 5, 3, 2, 1, 1, 1),
        (4, 17, (4, 3), (2, 3), (1, 0), (1, 2), 1),
        (33, 8, 3, 1, 0, 0, 1),
        (8, 2, 3, 2, 0, 0, 2),
        (1, 1, 1, 3, 0, 2, 1),
    ],
)
def test_conv2d_transpose(
    batch: int,
    channels: int,
    filters: int,
    size: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: int,
) -> None:
    x = values(batch, 5, 4, channels)
    kernel = values(*np.broadcast_to(size, 2), filters, channels, seed=1)
    bias = values(filters, seed=2)
    actual = ops.conv2d_transpose(x, kernel, bias, stride, padding, output_padding, dilation)
    expected = F.conv_transpose2d(
        first(x), oihw(kernel), double(bias), stride, padding, output_padding, 1, dilation
    )
    check(actual, last(expected))
    if padding == 0 and output_padding == 0:
        layer = layers.Conv2DTranspose(filters, size, stride, dilation_rate=dilation)
        layer(x)
        layer.set_weights([kernel, bias])
        check(layer(x), last(expected))


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (2, 2), (4, 2), (5, 3), (3, 1)])
def test_conv2d_transpose_same_is_the_full_one_cut(size: int, stride: int) -> None:
    x = values(*IMAGE)
    layer = layers.Conv2DTranspose(4, size, stride, "same")
    kernel, bias = with_weights(layer, x)
    full = F.conv_transpose2d(first(x), oihw(kernel), double(bias), stride)
    cut = max(size - stride, 0) // 2
    h, w = IMAGE[1] * stride, IMAGE[2] * stride
    check(layer(x), last(full[:, :, cut : cut + h, cut : cut + w]))


@pytest.mark.parametrize("shape", [(1, 5), (5, 33), (2, 3, 4, 17), (1, 300)])
@pytest.mark.parametrize("units", [1, 7, 64])
def test_dense(shape: Any, units: int) -> None:
    x = values(*shape)
    layer = layers.Dense(units)
    kernel, bias = with_weights(layer, x)
    check(layer(x), double(x) @ double(kernel) + double(bias))


# ---- activations ---------------------------------------------------------------------------------

ACTIVATIONS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "relu": (ops.relu, F.relu),
    "relu6": (ops.relu6, F.relu6),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 0.1), lambda x: F.leaky_relu(x, 0.1)),
    "LeakyReLU": (layers.LeakyReLU(), lambda x: F.leaky_relu(x, 0.3)),
    "ReLU": (layers.ReLU(3.0), lambda x: F.hardtanh(x, 0, 3)),
    "ELU": (layers.ELU(0.7), lambda x: F.elu(x, 0.7)),
    "elu": (ops.elu, F.elu),
    "selu": (ops.selu, F.selu),
    "sigmoid": (ops.sigmoid, torch.sigmoid),
    "tanh": (ops.tanh, torch.tanh),
    "gelu": (ops.gelu, F.gelu),
    "gelu_tanh": (lambda x: ops.gelu(x, True), lambda x: F.gelu(x, approximate="tanh")),
    "silu": (ops.silu, F.silu),
    "mish": (ops.mish, F.mish),
    "hard_sigmoid": (ops.hard_sigmoid, F.hardsigmoid),
    "hard_silu": (ops.hard_silu, F.hardswish),
    "softplus": (ops.softplus, F.softplus),
    "softsign": (ops.softsign, F.softsign),
    "exponential": (ops.exponential, torch.exp),
    "softmax": (layers.Softmax(), lambda x: torch.softmax(x, -1)),
    "softmax of rows": (layers.Softmax(1), lambda x: torch.softmax(x, 1)),
    "log_softmax": (ops.log_softmax, lambda x: torch.log_softmax(x, -1)),
    "Activation": (layers.Activation("swish"), F.silu),
    "square": (ops.square, torch.square),
    "clip": (lambda x: ops.clip(x, -1, 2), lambda x: x.clamp(-1, 2)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(1, 3), (2, 5, 3, 17), (5, 1, 1, 1)])
def test_activation(name: str, shape: Any) -> None:
    function, twin = ACTIVATIONS[name]
    x = 4 * values(*shape)
    check(function(x), twin(double(x)))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_prelu(batch: int) -> None:
    x = values(batch, 5, 3, 7)
    layer = layers.PReLU(shared_axes=(1, 2))
    (alpha,) = with_weights(layer, x)
    check(layer(x), last(F.prelu(first(x), double(alpha).reshape(-1))))


# ---- pooling -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["max", "average", "average with padding"])
@pytest.mark.parametrize("shape", [(1, 7, 9, 3), (5, 8, 6, 17)])
@pytest.mark.parametrize("size", [2, 3, (2, 4)])
@pytest.mark.parametrize("stride", [None, 1, (3, 2)])
@pytest.mark.parametrize("padding", [0, 1, (1, 0)])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_pooling(
    kind: str, shape: Any, size: Any, stride: Any, padding: Any, ceil_mode: bool
) -> None:
    x = values(*shape)
    if kind == "max":
        actual = ops.max_pool2d(x, size, stride, padding, ceil_mode=ceil_mode)
        expected = F.max_pool2d(first(x), size, stride, padding, ceil_mode=ceil_mode)
    else:
        counted = kind != "average"
        options = {"ceil_mode": ceil_mode, "count_include_pad": counted}
        actual = ops.avg_pool2d(x, size, stride, padding, **options)
        expected = F.avg_pool2d(first(x), size, stride, padding, **options)
    check(actual, last(expected))


@pytest.mark.parametrize("case", [((3, 3), (2, 2)), ((2, 2), (2, 2)), ((5, 3), (3, 1))], ids=str)
@pytest.mark.parametrize("shape", [(1, 7, 9, 3), (5, 8, 6, 17)])
def test_pooling_layers_with_same_padding(case: Any, shape: Any) -> None:
    size, stride = case
    x = values(*shape)
    pads = pads_of("same", shape, size, stride, (1, 1))
    highest = F.max_pool2d(F.pad(first(x), pads, value=-np.inf), size, stride)
    check(layers.MaxPooling2D(size, stride, "same")(x), last(highest))
    total = F.avg_pool2d(F.pad(first(x), pads), size, stride)
    share = F.avg_pool2d(F.pad(torch.ones_like(first(x)), pads), size, stride)
    check(layers.AveragePooling2D(size, stride, "same")(x), last(total / share))


@pytest.mark.parametrize("dilation", [2, (1, 3)])
def test_dilated_pooling(dilation: Any) -> None:
    x = values(2, 9, 11, 5)
    check(
        ops.max_pool2d(x, 3, 2, 1, dilation=dilation),
        last(F.max_pool2d(first(x), 3, 2, 1, dilation)),
    )


# ---- normalisation -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("channels", [6, 32])
def test_normalization_layers(batch: int, channels: int) -> None:
    x = 3 * values(batch, 5, 7, channels) + 1
    turned = first(x)

    layer: Any = layers.BatchNormalization(epsilon=1e-5)
    gamma, beta, mean, variance = map(double, with_weights(layer, x))
    check(layer(x), last(F.batch_norm(turned, mean, variance, gamma, beta, eps=1e-5)))

    layer = layers.GroupNormalization(3 if channels == 6 else 8)
    gamma, beta = map(double, with_weights(layer, x))
    check(layer(x), last(F.group_norm(turned, layer.groups, gamma, beta, 1e-3)))

    layer = layers.InstanceNormalization()
    gamma, beta = map(double, with_weights(layer, x))
    check(layer(x), last(F.instance_norm(turned, weight=gamma, bias=beta, eps=1e-3)))

    layer = layers.LayerNormalization()
    gamma, beta = map(double, with_weights(layer, x))
    check(layer(x), F.layer_norm(double(x), (channels,), gamma, beta, 1e-3))

    check(layers.UnitNormalization()(x), F.normalize(double(x), dim=-1))
    for size, alpha, beta_, k in [(5, 1e-4, 0.75, 1.0), (3, 0.5, 0.5, 2.0)]:
        expected = F.local_response_norm(turned, size, alpha, beta_, k)
        check(layers.LocalResponseNormalization(size, alpha, beta_, k)(x), last(expected))


# ---- shapes, padding, resizing -------------------------------------------------------------------

# A layer or function on arrays, and its twin on (n, c, h, w).
PICTURES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "ZeroPadding2D": (
        layers.ZeroPadding2D(((1, 0), (2, 3))),
        lambda x: F.pad(x, (2, 3, 1, 0)),
    ),
    "ReflectionPadding2D": (
        layers.ReflectionPadding2D(((3, 1), (0, 2))),
        lambda x: F.pad(x, (0, 2, 3, 1), "reflect"),
    ),
    "ReplicationPadding2D": (
        layers.ReplicationPadding2D(((3, 1), (0, 2))),
        lambda x: F.pad(x, (0, 2, 3, 1), "replicate"),
    ),
    "Cropping2D": (layers.Cropping2D(((1, 2), (0, 3))), lambda x: x[:, :, 1:-2, :-3]),
    "CenterCrop": (layers.CenterCrop(3, 4), lambda x: _center(x, 3, 4)),
    "DepthToSpace": (layers.DepthToSpace(2, "CRD"), lambda x: F.pixel_shuffle(x, 2)),
    "pixel_shuffle": (lambda x: ops.pixel_shuffle(x, 2), lambda x: F.pixel_shuffle(x, 2)),
    "SpaceToDepth": (layers.SpaceToDepth(3, "CRD"), lambda x: F.pixel_unshuffle(x, 3)),
    "UpSampling2D": (layers.UpSampling2D((2, 3)), lambda x: _resized(x, (18, 18), "nearest")),
    "UpSampling2D bilinear": (
        layers.UpSampling2D(2, interpolation="bilinear"),
        lambda x: _resized(x, (18, 12), "bilinear"),
    ),
    "Resizing larger": (layers.Resizing(13, 11), lambda x: _resized(x, (13, 11), "bilinear")),
    "Resizing smaller": (layers.Resizing(4, 5), lambda x: _resized(x, (4, 5), "bilinear")),
    "align_corners": (
        lambda x: ops.resize(x, (5, 14), coordinate="align_corners"),
        lambda x: _resized(x, (5, 14), "bilinear", align_corners=True),
    ),
    "nearest of torch": (
        lambda x: ops.resize(x, (7, 5), "nearest", coordinate="asymmetric"),
        lambda x: _resized(x, (7, 5), "nearest"),
    ),
    "nearest exact": (
        lambda x: ops.resize(x, (7, 5), "nearest"),
        lambda x: _resized(x, (7, 5), "nearest-exact"),
    ),
    "GlobalAveragePooling2D": (
        layers.GlobalAveragePooling2D(keepdims=True),
        lambda x: F.adaptive_avg_pool2d(x, 1),
    ),
    "GlobalMaxPooling2D": (
        layers.GlobalMaxPooling2D(keepdims=True),
        lambda x: F.adaptive_max_pool2d(x, 1),
    ),
    "AdaptiveAveragePooling2D": (
        layers.AdaptiveAveragePooling2D((4, 5)),
        lambda x: F.adaptive_avg_pool2d(x, (4, 5)),
    ),
    "adaptive_avg_pool2d larger": (
        lambda x: ops.adaptive_avg_pool2d(x, (11, 6)),
        lambda x: F.adaptive_avg_pool2d(x, (11, 6)),
    ),
    "flip": (lambda x: ops.flip(x, (1, 2)), lambda x: x.flip((2, 3))),
    "Dropout": (layers.Dropout(0.5), lambda x: x),
    "SpatialDropout2D": (layers.SpatialDropout2D(0.5), lambda x: x),
    "Identity": (layers.Identity(), lambda x: x),
    "Rescaling": (layers.Rescaling(0.5, -1.0), lambda x: 0.5 * x - 1),
}


def _resized(x: Any, size: tuple[int, int], mode: str, **options: Any) -> Any:
    return F.interpolate(x, size, mode=mode, **options)


def _center(x: Any, height: int, width: int) -> Any:
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("shape", [(1, 9, 6, 4), (2, 9, 6, 12), (5, 9, 6, 36)], ids=str)
def test_pictures(name: str, shape: Any) -> None:
    function, twin = PICTURES[name]
    x = values(*shape)
    check(function(x), last(twin(first(x))))


# What merges, reduces or moves axes, on arrays of the same layout in both.
ARRAYS: dict[str, tuple[Any, Callable[..., Any], int]] = {
    "Add": (layers.Add(), lambda *xs: sum(xs), 3),
    "Subtract": (layers.Subtract(), lambda a, b: a - b, 2),
    "Multiply": (layers.Multiply(), lambda a, b: a * b, 2),
    "Average": (layers.Average(), lambda *xs: sum(xs) / len(xs), 3),
    "Maximum": (layers.Maximum(), torch.maximum, 2),
    "Minimum": (layers.Minimum(), torch.minimum, 2),
    "Concatenate": (layers.Concatenate(2), lambda *xs: torch.cat(xs, 2), 3),
    "stack": (lambda xs: ops.stack(xs, 1), lambda *xs: torch.stack(xs, 1), 2),
    "Flatten": (lambda xs: layers.Flatten()(xs[0]), lambda x: x.flatten(1), 1),
    "Reshape": (lambda xs: layers.Reshape((3, -1))(xs[0]), lambda x: x.reshape(len(x), 3, -1), 1),
    "Permute": (lambda xs: layers.Permute((3, 1, 2))(xs[0]), lambda x: x.permute(0, 3, 1, 2), 1),
    "sum": (lambda xs: ops.sum(xs[0], (1, 3)), lambda x: x.sum((1, 3)), 1),
    "mean": (lambda xs: ops.mean(xs[0], 2), lambda x: x.mean(2), 1),
    "max": (lambda xs: ops.max(xs[0], -1, True), lambda x: x.amax(-1, keepdim=True), 1),
    "min": (lambda xs: ops.min(xs[0]), lambda x: x.amin(), 1),
    "prod": (lambda xs: ops.prod(xs[0], 2), lambda x: x.prod(2), 1),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_arrays(name: str, batch: int) -> None:
    function, twin, count = ARRAYS[name]
    xs = [values(batch, 6, 5, 7, seed=i) for i in range(count)]
    check(function(xs), twin(*map(double, xs)))


def test_argmax() -> None:
    x = values(3, 40, 5)
    for axis in (0, 1, -1):
        expected = np.asarray(double(x).argmax(axis))
        np.testing.assert_array_equal(ops.argmax(x, axis), expected)


@pytest.mark.parametrize("sizes", [(1, 1, 3), (5, 17, 33), (2, 40, 128)])
def test_distances_and_products(sizes: Any) -> None:
    n, m, k = sizes
    x, y = values(n, k), values(m, k, seed=1)
    check(ops.cdist(x, y), torch.cdist(double(x), double(y)))
    check(ops.cdist(x, y, "manhattan"), torch.cdist(double(x), double(y), p=1))
    check(ops.matmul(x, y, transpose_b=True), double(x) @ double(y).T)
    pictures = values(2, n, m, 9)
    flat = double(pictures).reshape(2, n * m, 9)
    check(ops.gram_matrix(pictures, 1 / (n * m)), flat.mT @ flat / (n * m))


def test_a_whole_network() -> None:
    """Composed: a stem, a residual block, an upsampling path and a classifier."""
    inputs = fc.Input((17, 15, 3))
    x = layers.Conv2D(16, 3, 2, "same", activation="relu")(inputs)
    skip = x
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(16, 1, activation="silu")(x)
    x = layers.Add()([x, skip])
    x = layers.Conv2DTranspose(8, 2, 2, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = fc.Model(inputs, layers.Dense(5)(x))
    weights = [
        values(*v.shape, seed=i, positive="var" in v.name) for i, v in enumerate(model.weights)
    ]
    model.set_weights(weights)
    picture = values(2, 17, 15, 3)
    stem, stem_bias, deep, deep_bias, gamma, beta, mean, variance, *rest = map(double, weights)
    point, point_bias, up, up_bias, last_kernel, last_bias = rest

    y = F.pad(first(picture), pads_of("same", picture.shape, (3, 3), (2, 2), (1, 1)))
    kept = F.relu(F.conv2d(y, oihw(stem), stem_bias, 2))
    y = F.conv2d(kept, deep.permute(2, 3, 0, 1), deep_bias, padding=1, groups=16)
    y = F.batch_norm(y, mean, variance, gamma, beta, eps=1e-3)
    y = F.silu(F.conv2d(y, oihw(point), point_bias)) + kept
    y = F.relu(F.conv_transpose2d(y, oihw(up), up_bias, 2)).mean((2, 3))
    check(model.predict(picture), y @ last_kernel + last_bias)
