"""What all layers share: names, weights, shapes, configuration, errors."""

import inspect

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.errors import ConfigError, DTypeError, ShapeError, UnsupportedError

IMAGE = np.ones((2, 8, 8, 4), np.float32)

# One instance of every class, and the input it takes; test_every_layer_is_listed keeps it complete.
EXAMPLES = {
    "ELU": (layers.ELU(0.5), IMAGE),
    "Activation": (layers.Activation("relu"), IMAGE),
    "AdaptiveAveragePooling2D": (layers.AdaptiveAveragePooling2D((2, 3)), IMAGE),
    "Add": (layers.Add(), [IMAGE, IMAGE]),
    "Average": (layers.Average(), [IMAGE, IMAGE]),
    "AveragePooling2D": (layers.AveragePooling2D(3, 2, "same"), IMAGE),
    "BatchNormalization": (layers.BatchNormalization(momentum=0.9, scale=False), IMAGE),
    "CenterCrop": (layers.CenterCrop(4, 6), IMAGE),
    "Concatenate": (layers.Concatenate(axis=1), [IMAGE, IMAGE]),
    "Conv2D": (
        layers.Conv2D(8, 3, 2, 1, groups=2, activation="relu", kernel_initializer="he_normal"),
        IMAGE,
    ),
    "Conv2DTranspose": (layers.Conv2DTranspose(3, 3, 2, "same"), IMAGE),
    "Cropping2D": (layers.Cropping2D(((1, 2), (0, 3))), IMAGE),
    "Dense": (layers.Dense(5, "softmax", bias_initializer="ones"), IMAGE),
    "DepthToSpace": (layers.DepthToSpace(2), IMAGE),
    "DepthwiseConv2D": (layers.DepthwiseConv2D(3, padding="same"), IMAGE),
    "Dropout": (layers.Dropout(0.3, seed=1), IMAGE),
    "Flatten": (layers.Flatten(), IMAGE),
    "GaussianDropout": (layers.GaussianDropout(0.3, seed=1), IMAGE),
    "GaussianNoise": (layers.GaussianNoise(0.3), IMAGE),
    "GlobalAveragePooling2D": (layers.GlobalAveragePooling2D(keepdims=True), IMAGE),
    "GlobalMaxPooling2D": (layers.GlobalMaxPooling2D(), IMAGE),
    "GroupNormalization": (layers.GroupNormalization(2), IMAGE),
    "Identity": (layers.Identity(), IMAGE),
    "InstanceNormalization": (layers.InstanceNormalization(center=False), IMAGE),
    "LayerNormalization": (layers.LayerNormalization(), IMAGE),
    "LeakyReLU": (layers.LeakyReLU(0.1), IMAGE),
    "LocalResponseNormalization": (layers.LocalResponseNormalization(3, k=2.0), IMAGE),
    "MaxPooling2D": (layers.MaxPooling2D(3, strides=2, padding=1), IMAGE),
    "Maximum": (layers.Maximum(), [IMAGE, IMAGE]),
    "Minimum": (layers.Minimum(), [IMAGE, IMAGE]),
    "Multiply": (layers.Multiply(), [IMAGE, IMAGE]),
    "Normalization": (layers.Normalization(mean=[1.0] * 4, variance=[2.0] * 4), IMAGE),
    "PReLU": (layers.PReLU(shared_axes=[1, 2]), IMAGE),
    "Permute": (layers.Permute((3, 1, 2)), IMAGE),
    "RandomBrightness": (layers.RandomBrightness((0.0, 0.5), (-5, 5), seed=1), IMAGE),
    "RandomContrast": (layers.RandomContrast(0.3, value_range=(-5, 5)), IMAGE),
    "RandomCrop": (layers.RandomCrop(4, 3), IMAGE),
    "RandomFlip": (layers.RandomFlip("vertical"), IMAGE),
    "RandomRotation": (layers.RandomRotation((0.1, 0.2), "wrap"), IMAGE),
    "RandomTranslation": (layers.RandomTranslation(0.1, (0.0, 0.2), "nearest"), IMAGE),
    "RandomZoom": (layers.RandomZoom(0.1, 0.2, "constant", "nearest", fill_value=1.0), IMAGE),
    "ReLU": (layers.ReLU(6, 0.1), IMAGE),
    "ReflectionPadding2D": (layers.ReflectionPadding2D((1, 2)), IMAGE),
    "ReplicationPadding2D": (layers.ReplicationPadding2D(2), IMAGE),
    "Rescaling": (layers.Rescaling([1.0, 2.0, 3.0, 4.0], -1), IMAGE),
    "Reshape": (layers.Reshape((-1, 2)), IMAGE),
    "Resizing": (layers.Resizing(3, 5, "nearest"), IMAGE),
    "SeparableConv2D": (layers.SeparableConv2D(3, 3), IMAGE),
    "Softmax": (layers.Softmax(1), IMAGE),
    "SpaceToDepth": (layers.SpaceToDepth(2), IMAGE),
    "SpatialDropout2D": (layers.SpatialDropout2D(0.2), IMAGE),
    "Subtract": (layers.Subtract(), [IMAGE, IMAGE]),
    "UnitNormalization": (layers.UnitNormalization(), IMAGE),
    "UpSampling2D": (layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    "ZeroPadding2D": (layers.ZeroPadding2D(3), IMAGE),
}
every_example = pytest.mark.parametrize(("layer", "x"), EXAMPLES.values(), ids=EXAMPLES)


def each(function, x):
    return [function(a) for a in x] if isinstance(x, list) else function(x)


def test_every_layer_is_listed():
    classes = {
        cls.__name__
        for name in layers.__all__
        if inspect.isclass(cls := getattr(layers, name)) and issubclass(cls, layers.Layer)
    }
    assert classes - {"Layer", "InputLayer"} == set(EXAMPLES)


@every_example
def test_configuration_makes_the_like(layer, x):
    text = fc.serialization.to_json(fc.saving.serialize_layer(layer))
    twin = fc.saving.deserialize_layer(fc.serialization.from_json(text))
    expected = layer(x)
    twin(x)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(x), expected)
    assert twin.name == layer.name
    assert fc.serialization.to_json(twin.get_config()) == fc.serialization.to_json(
        layer.get_config()
    )


@every_example
def test_shapes_are_found_before_there_are_data(layer, x):
    expected = layer(x).shape
    known = layer.compute_output_shape(each(np.shape, x))
    assert known == expected
    open_batch = layer.compute_output_shape(each(lambda a: (None, *a.shape[1:]), x))
    assert open_batch == (None, *expected[1:])
    symbolic = layer(each(lambda a: fc.Input(a.shape[1:]), x))
    assert symbolic.shape == (None, *expected[1:])


@every_example
def test_op_by_op_is_the_same(layer, x):
    compiled = layer(x)
    np.testing.assert_allclose(layer.call(x), compiled, rtol=1e-5, atol=1e-6)


def test_sizes_that_differ_are_unknown():
    x = fc.Input((None, None, 3))
    assert layers.Conv2D(8, 3, strides=2)(x).shape == (None, None, None, 8)
    assert layers.UpSampling2D()(x).shape == (None, None, None, 3)
    assert layers.Cropping2D(1)(x).shape == (None, None, None, 3)
    assert layers.CenterCrop(4, 5)(x).shape == (None, 4, 5, 3)
    assert layers.GlobalAveragePooling2D()(x).shape == (None, 3)
    assert layers.Reshape((-1, 3))(x).shape == (None, None, 3)
    assert layers.Flatten()(x).shape == (None, None)
    assert fc.ops.flatten(x).shape == (None, None)
    with pytest.raises(ShapeError, match="last size is known"):
        layers.Dense(3)(layers.Flatten()(x))


def test_names_count_up_and_can_be_reset():
    fc.utils.clear_session()
    assert [layers.Conv2D(1, 1).name for _ in range(3)] == ["conv2d", "conv2d_1", "conv2d_2"]
    assert layers.BatchNormalization().name == "batch_normalization"
    fc.utils.clear_session()
    assert layers.Conv2D(1, 1).name == "conv2d"
    for name in ("a/b", "", 3):
        with pytest.raises(ConfigError, match="name"):
            layers.Flatten(name=name)


def test_weights():
    layer = layers.Dense(3, name="last")
    assert layer.weights == []
    with pytest.raises(ConfigError, match="no weights yet"):
        layer.count_params()
    layer.build((None, 4))
    assert [v.path for v in layer.weights] == ["last/kernel", "last/bias"]
    assert layer.count_params() == 15
    layer.trainable = False
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 2
    before = layer.get_weights()
    with pytest.raises(ShapeError, match=r"\(4, 3\) for last/kernel, got \(3, 4\)"):
        layer.set_weights([np.ones((3, 4)), np.ones(3)])
    with pytest.raises(ShapeError, match="expected 2 arrays, got 1"):
        layer.set_weights([np.ones((4, 3))])
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    layer.set_weights([np.ones((4, 3)), np.zeros(3)])
    np.testing.assert_array_equal(layer(np.ones((1, 4))), [[4, 4, 4]])
    layer.kernel.assign(2 * np.ones((4, 3)))  # the plan that exists must not be used again
    np.testing.assert_array_equal(layer(np.ones((1, 4))), [[8, 8, 8]])


def test_inputs_of_all_kinds():
    layer = layers.Rescaling(2.0)
    values = np.arange(6).reshape(2, 3)
    for dtype in ("uint8", "int64", "float64", "float32", "bool"):
        np.testing.assert_array_equal(layer(values.astype(dtype)), 2.0 * values.astype(dtype))
    np.testing.assert_array_equal(layer(values.T), 2.0 * values.T)
    frozen = values.astype(np.float32)
    frozen.flags.writeable = False
    np.testing.assert_array_equal(layer(frozen), 2.0 * values)
    for bad in (values.astype(complex), np.array(["a"])):
        with pytest.raises(DTypeError):
            layer(bad)
    with pytest.raises(DTypeError, match="expected an array or a symbolic tensor, got 'cat'"):
        layer("cat")


class Affine(layers.Layer):
    """A layer as a user writes it."""

    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = 2 * units
        self.activation = activation
        self.inner = [layers.Dense(self.units, name="inner")]

    def build(self, input_shape):
        self.offset = self.add_weight((self.units,), "ones", name="offset")

    def call(self, x, flip=False, training=None):
        y = self.inner[0](x) + self.offset
        return -y if flip else y


def test_a_layer_of_ones_own():
    layer = Affine(2)
    x = np.ones((3, 5), np.float32)
    y = layer(x)
    kernel = layer.inner[0].get_weights()[0]
    np.testing.assert_allclose(y, x @ kernel + 1, rtol=1e-6)
    np.testing.assert_allclose(layer(x, flip=True), -y, rtol=1e-6)
    np.testing.assert_allclose(layer(x, flip=False), y, rtol=1e-6)
    assert [v.path for v in layer.weights] == [f"{layer.name}/offset", "inner/kernel", "inner/bias"]
    assert list(fc.saving.named_weights(layer)) == ["offset", "inner/0/kernel", "inner/0/bias"]
    config = layer.get_config()
    assert config["units"] == 2  # what was given, not what became of it
    twin = Affine.from_config(config)
    twin(x)
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(x), y)
    assert layer(fc.Input((5,))).shape == (None, 4)
    assert layer(fc.Input((7, 5))).shape == (None, 7, 4)


def test_changing_a_layer_changes_what_it_computes():
    layer = layers.ReLU()
    x = np.array([[-2.0, 8.0]])
    np.testing.assert_array_equal(layer(x), [[0, 8]])
    layer.max_value = 5.0
    np.testing.assert_array_equal(layer(x), [[0, 5]])


def test_ops_on_weights_alone_stay_up_to_date():
    class Normed(layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight((2, 2), "ones", name="kernel")

        def call(self, x):
            return x * fc.ops.multiply(self.kernel, 2.0)

    layer = Normed()
    x = np.ones((2, 2))
    np.testing.assert_array_equal(layer(x), 2 * x)
    layer.kernel.assign(3 * x)
    np.testing.assert_array_equal(layer(x), 6 * x)


@pytest.mark.parametrize(
    ("make", "x", "error", "text"),
    [
        (lambda: layers.Conv2D(0, 3), None, ConfigError, "filters"),
        (lambda: layers.Conv2D(4, (3, 3, 3)), None, ConfigError, "pair"),
        (lambda: layers.Conv2D(4, 3, strides=0), None, ConfigError, "strides"),
        (lambda: layers.Conv2D(4, 3, padding="full"), None, ConfigError, "padding"),
        (lambda: layers.Conv2D(4, 3, groups=3), None, ConfigError, "groups"),
        (lambda: layers.Conv2D(4, 3, data_format="channels_first"), None, UnsupportedError, "last"),
        (
            lambda: layers.Conv2D(4, 3, kernel_regularizer="l7"),
            None,
            ConfigError,
            "regularizer 'l7'",
        ),
        (lambda: layers.Conv2D(4, 3, gamma_constraint="non_neg"), None, TypeError, "gamma_constr"),
        (lambda: layers.Conv2D(4, 3, colour="red"), None, TypeError, "colour"),
        (lambda: layers.Dense(3, dtype="float16"), None, UnsupportedError, "float32"),
        (lambda: layers.Dense(3, activation="swoosh"), None, ConfigError, "unknown activation"),
        (lambda: layers.Dense(3, kernel_initializer="magic"), None, ConfigError, "initializer"),
        (lambda: layers.Dropout(1.5), None, ConfigError, "rate"),
        (lambda: layers.Permute((1, 3)), None, ConfigError, "dims"),
        (lambda: layers.Conv2D(4, 3), np.ones((8, 8, 4)), ShapeError, "4 axes, got shape"),
        (lambda: layers.Conv2D(4, 3, groups=2), np.ones((1, 8, 8, 3)), ShapeError, "groups"),
        (lambda: layers.Dense(3), np.ones(3), ShapeError, "at least 2 axes"),
        (lambda: layers.Add(), IMAGE, ShapeError, "list"),
        (lambda: layers.Subtract(), [IMAGE] * 3, ShapeError, "2 inputs, got 3"),
        (lambda: layers.Add(), [IMAGE, IMAGE[:, :3]], ShapeError, "shape"),
        (lambda: layers.Reshape((7,)), IMAGE, ShapeError, "target_shape"),
        (lambda: layers.Cropping2D(4), IMAGE, ShapeError, "cropping"),
        (lambda: layers.BatchNormalization(axis=1), IMAGE, UnsupportedError, "axis=-1"),
        (lambda: layers.GroupNormalization(3), IMAGE, ShapeError, "groups=3"),
        (lambda: layers.Layer(), IMAGE, TypeError, "defines no call"),
    ],
)
def test_errors_name_what_was_expected_and_given(make, x, error, text):
    with pytest.raises(error, match=text):
        make()(x)


def test_a_built_layer_refuses_other_channels():
    layer = layers.Conv2D(4, 3, name="first")
    layer(IMAGE)
    with pytest.raises(ShapeError, match=r'layer "first".*axis -1 has size 4.*\(2, 8, 8, 3\)'):
        layer(IMAGE[..., :3])


class Mode(layers.Layer):
    """Adds 1 in training."""

    def call(self, x, training=None):
        return x + 1.0 if training else x


def test_training_reaches_the_layers_inside_unless_they_are_told_otherwise():
    class Outer(layers.Layer):
        def __init__(self, told=None):
            super().__init__()
            self.inner, self.told = Mode(), told

        def call(self, x):
            return self.inner(x, training=self.told)

    zero = np.zeros((1, 2), np.float32)
    assert Outer()(zero, training=True).max() == 1
    assert Outer()(zero, training=False).max() == Outer()(zero).max() == 0
    assert Outer(told=False)(zero, training=True).max() == 0
    assert Outer(told=True)(zero).max() == 1
    assert layers.Flatten()(IMAGE, training=True).shape == (2, 256)


def test_a_functional_model_keeps_what_a_layer_was_told():
    x = fc.Input((2,))
    model = fc.Model(x, Mode()(Mode()(x), training=False))
    assert model(np.zeros((1, 2)), training=True).max() == 1


def test_a_forgotten_super_init_is_named():
    class Careless(layers.Layer):
        def __init__(self):
            pass

    with pytest.raises(ConfigError, match="super"):
        Careless()(IMAGE)
