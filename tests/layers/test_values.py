"""Each layer computes its formula: NumPy in double precision is the judge."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers

RNG = np.random.default_rng(7)
IMAGE = RNG.standard_normal((2, 6, 5, 4)).astype(np.float32)
ROWS = RNG.standard_normal((3, 8)).astype(np.float32)


def convolved(x, kernel, stride=1, groups=1):
    """Convolution without padding by its definition."""
    x, kernel = x.astype(np.float64), kernel.astype(np.float64)
    kh, kw, per_group, filters = kernel.shape
    oh, ow = (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
    y = np.zeros((x.shape[0], oh, ow, filters))
    for f in range(filters):
        first = f // (filters // groups) * per_group
        for i in range(oh):
            for j in range(ow):
                window = x[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
                part = window[..., first : first + per_group] * kernel[..., f]
                y[:, i, j, f] = part.sum((1, 2, 3))
    return y


def padded(x, mode="constant"):
    return np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode=mode)


def randomise(layer):
    layer.set_weights([RNG.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])


def close(got, expected):
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 2)])
def test_conv2d(stride, groups):
    layer = layers.Conv2D(6, (3, 2), strides=stride, groups=groups, activation="relu")
    layer(IMAGE)
    kernel, bias = layer.get_weights()
    assert kernel.shape == (3, 2, 4 // groups, 6)
    layer.set_weights([kernel, RNG.standard_normal(6)])
    kernel, bias = layer.get_weights()
    close(layer(IMAGE), np.maximum(convolved(IMAGE, kernel, stride, groups) + bias, 0))


@pytest.mark.parametrize("padding", ["same", "SAME", 1, ((1, 1), (1, 1))])
def test_conv2d_padding_in_words_and_numbers(padding):
    layer = layers.Conv2D(3, 3, padding=padding, use_bias=False)
    got = layer(IMAGE)
    close(got, convolved(padded(IMAGE), layer.get_weights()[0]))


def test_depthwise_conv2d():
    layer = layers.DepthwiseConv2D(3, depth_multiplier=2)
    got = layer(IMAGE)
    kernel, bias = layer.get_weights()
    assert kernel.shape == (3, 3, 4, 2)
    assert bias.shape == (8,)
    close(got, convolved(IMAGE, kernel.reshape(3, 3, 1, 8), groups=4))


def test_separable_conv2d():
    layer = layers.SeparableConv2D(5, 3, depth_multiplier=2)
    got = layer(IMAGE)
    depthwise, pointwise, bias = layer.get_weights()
    assert (depthwise.shape, pointwise.shape, bias.shape) == ((3, 3, 4, 2), (1, 1, 8, 5), (5,))
    between = convolved(IMAGE, depthwise.reshape(3, 3, 1, 8), groups=4)
    close(got, convolved(between, pointwise))


def test_conv2d_transpose_spreads_each_pixel():
    layer = layers.Conv2DTranspose(3, 2, strides=2)
    got = layer(IMAGE)
    kernel, _ = layer.get_weights()
    assert kernel.shape == (2, 2, 3, 4)
    expected = np.einsum("nijc,abfc->niajbf", IMAGE.astype(np.float64), kernel)
    close(got, expected.reshape(2, 12, 10, 3))


@pytest.mark.parametrize("x", [ROWS, IMAGE], ids=["rows", "images"])
def test_dense_along_the_last_axis(x):
    layer = layers.Dense(3)
    layer(x)
    randomise(layer)
    kernel, bias = layer.get_weights()
    close(layer(x), x.astype(np.float64) @ kernel + bias)


def test_pooling():
    windows = IMAGE[:, :6, :4].reshape(2, 3, 2, 2, 2, 4)
    close(layers.MaxPooling2D()(IMAGE), windows.max((2, 4)))
    close(layers.AveragePooling2D(2)(IMAGE), windows.mean((2, 4)))
    close(layers.MaxPooling2D(2, strides=1, padding="same")(IMAGE)[:, 5, 4], IMAGE[:, 5, 4])
    close(layers.AdaptiveAveragePooling2D(1)(IMAGE), IMAGE.mean((1, 2), keepdims=True))
    close(layers.GlobalAveragePooling2D()(IMAGE), IMAGE.mean((1, 2)))
    close(layers.GlobalMaxPooling2D(keepdims=True)(IMAGE), IMAGE.max((1, 2), keepdims=True))


def standardised(x, axes, epsilon):
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_batch_normalization(scale, center):
    layer = layers.BatchNormalization(scale=scale, center=center, epsilon=0.01)
    layer(IMAGE)
    randomise(layer)
    names = [v.name for v in layer.weights]
    values = dict(zip(names, layer.get_weights(), strict=True))
    assert names == ["gamma"] * scale + ["beta"] * center + ["moving_mean", "moving_variance"]
    x = IMAGE.astype(np.float64)
    y = (x - values["moving_mean"]) / np.sqrt(values["moving_variance"] + 0.01)
    close(layer(IMAGE), y * values.get("gamma", 1) + values.get("beta", 0))
    assert [v.name for v in layer.trainable_weights] == names[:-2]


def test_normalisation_by_the_input_itself():
    for layer, axes, x in [
        (layers.InstanceNormalization(epsilon=0.1), (1, 2), IMAGE),
        (layers.GroupNormalization(-1, epsilon=0.1), (1, 2), IMAGE),
        (layers.LayerNormalization(epsilon=0.1), (-1,), IMAGE),
    ]:
        layer(x)
        randomise(layer)
        gamma, beta = layer.get_weights()
        close(layer(x), standardised(x, axes, 0.1) * gamma + beta)
    groups = layers.GroupNormalization(2, epsilon=0.1, center=False, scale=False)
    parts = IMAGE.reshape(2, 6, 5, 2, 2)
    close(groups(IMAGE), standardised(parts, (1, 2, 4), 0.1).reshape(IMAGE.shape))


def test_unit_and_local_response_normalization():
    x = IMAGE.astype(np.float64)
    close(layers.UnitNormalization()(IMAGE), x / np.linalg.norm(x, axis=-1, keepdims=True))
    squares = np.pad(x**2, ((0, 0),) * 3 + ((1, 1),))
    sums = squares[..., :-2] + squares[..., 1:-1] + squares[..., 2:]
    layer = layers.LocalResponseNormalization(size=3, alpha=0.3, beta=0.5, k=2.0)
    close(layer(IMAGE), x / (2 + 0.1 * sums) ** 0.5)


def test_activations():
    x = ROWS.astype(np.float64)
    close(layers.ReLU()(ROWS), np.maximum(x, 0))
    close(
        layers.ReLU(max_value=0.5, negative_slope=0.1)(ROWS),
        np.where(x < 0, 0.1 * x, x).clip(max=0.5),
    )
    close(layers.LeakyReLU()(ROWS), np.where(x < 0, 0.3 * x, x))
    close(layers.LeakyReLU(alpha=0.1)(ROWS), np.where(x < 0, 0.1 * x, x))
    close(layers.ELU(0.5)(ROWS), np.where(x < 0, 0.5 * np.expm1(x), x))
    for activation in ("sigmoid", fc.activations.get("sigmoid"), fc.ops.sigmoid):
        close(layers.Activation(activation)(ROWS), 1 / (1 + np.exp(-x)))
    shares = np.exp(IMAGE.astype(np.float64))
    close(layers.Softmax()(IMAGE), shares / shares.sum(-1, keepdims=True))
    close(layers.Softmax(axis=1)(IMAGE), shares / shares.sum(1, keepdims=True))
    layer = layers.PReLU(shared_axes=(1, 2))
    layer(IMAGE)
    randomise(layer)
    assert layer.alpha.shape == (1, 1, 4)
    close(layer(IMAGE), np.where(IMAGE < 0, layer.get_weights()[0] * IMAGE, IMAGE))


def test_what_passes_on():
    for layer in (layers.Dropout(0.5), layers.SpatialDropout2D(0.5), layers.Identity()):
        close(layer(IMAGE), IMAGE)
    close(layers.Dropout(0.5)(IMAGE, training=False), IMAGE)


def test_merging():
    a, b = IMAGE, RNG.standard_normal(IMAGE.shape).astype(np.float32)
    for layer, function, expected in [
        (layers.Add(), layers.add, a + b),
        (layers.Subtract(), layers.subtract, a - b),
        (layers.Multiply(), layers.multiply, a * b),
        (layers.Average(), layers.average, (a + b) / 2),
        (layers.Maximum(), layers.maximum, np.maximum(a, b)),
        (layers.Minimum(), layers.minimum, np.minimum(a, b)),
        (layers.Concatenate(), layers.concatenate, np.concatenate([a, b], -1)),
    ]:
        close(layer([a, b]), expected)
        close(function([a, b]), expected)
    close(layers.Add()([a, b, a]), a + b + a)
    close(layers.Concatenate(axis=1)([a, b]), np.concatenate([a, b], 1))
    gate = RNG.standard_normal((2, 4)).astype(np.float32)
    close(layers.Multiply()([a, gate]), a * gate[:, None, None])


def test_moving():
    close(layers.Flatten()(IMAGE), IMAGE.reshape(2, -1))
    close(layers.Reshape((5, -1))(IMAGE), IMAGE.reshape(2, 5, -1))
    close(layers.Permute((3, 1, 2))(IMAGE), IMAGE.transpose(0, 3, 1, 2))
    close(layers.ZeroPadding2D()(IMAGE), padded(IMAGE))
    uneven = np.pad(IMAGE, ((0, 0), (1, 2), (0, 3), (0, 0)))
    close(layers.ZeroPadding2D(((1, 2), (0, 3)))(IMAGE), uneven)
    close(layers.ReflectionPadding2D(1)(IMAGE), padded(IMAGE, "reflect"))
    close(layers.ReplicationPadding2D(1)(IMAGE), padded(IMAGE, "edge"))
    close(layers.Cropping2D(((1, 2), (0, 1)))(IMAGE), IMAGE[:, 1:4, :4])
    close(layers.UpSampling2D((2, 3))(IMAGE), IMAGE.repeat(2, 1).repeat(3, 2))
    close(layers.SpaceToDepth()(IMAGE[:, :, :4])[0, 0, 0], IMAGE[0, :2, :2].reshape(-1))
    blocks = layers.SpaceToDepth(mode="CRD")(IMAGE[:, :, :4])
    close(layers.DepthToSpace(mode="CRD")(blocks), IMAGE[:, :, :4])


def test_preprocessing():
    pixels = RNG.integers(0, 256, (2, 6, 5, 3), dtype=np.uint8)
    close(layers.Rescaling(1 / 127.5, offset=-1)(pixels), pixels / 127.5 - 1)
    close(layers.Rescaling([1.0, 2.0, 3.0])(pixels), pixels * [1.0, 2.0, 3.0])
    mean, variance = [1.0, 2.0, 3.0], [4.0, 9.0, 16.0]
    expected = (pixels - np.array(mean)) / np.sqrt(variance)
    close(layers.Normalization(mean=mean, variance=variance)(pixels), expected)
    undo = layers.Normalization(mean=mean, variance=variance, invert=True)
    close(undo(expected), pixels)
    layer = layers.Normalization()
    layer.adapt(pixels)
    close(layer(pixels), standardised(pixels, (0, 1, 2), 0))
    layer.set_weights([np.zeros(3), np.full(3, 4.0)])
    close(layer(pixels), pixels / 2)
    close(layers.CenterCrop(4, 3)(pixels), pixels[:, 1:5, 1:4])
    assert layers.CenterCrop(12, 5)(pixels).shape == (2, 12, 5, 3)
    close(
        layers.Resizing(12, 10, interpolation="nearest")(pixels), pixels.repeat(2, 1).repeat(2, 2)
    )
    assert layers.Resizing(3, 7)(pixels).shape == (2, 3, 7, 3)
