"""The classifiers as models: their arguments, shapes, sizes and layers' names."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications import classifier
from fastcnn.errors import ConfigError, ShapeError

SMALL = ["EfficientNetLite0", "MobileNetV2", "ResNet18", "SqueezeNet"]

# Numbers in all weights, statistics included, as Keras, torchvision and the papers have them.
PARAMETERS = {
    "EfficientNetB0": 5_330_571 - 1,  # Keras counts what a Normalization has seen
    "EfficientNetLite0": 4_694_024,
    "GoogLeNet": 6_998_552,
    "MobileNetV2": 3_538_984,
    "ResNet18": 11_689_512 + 9_600,
    "ResNet34": 21_797_672 + 17_024,
    "ResNet50": 25_636_712,
    "ResNet101": 44_707_176,
    "ResNet152": 60_419_944,
    "SqueezeNet": 1_235_496,
    "VGG16": 138_357_544,
    "VGG19": 143_667_240,
    "ZFNet": 62_357_608,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    model = getattr(fc.applications, name)()
    assert model.count_params() == PARAMETERS[name]
    assert model.input_shape == (None, 224, 224, 3) and model.output_shape == (None, 1000)


# Keras' own, so that code which freezes layers by their number works unchanged.
KERAS_LAYERS = {
    "EfficientNetB0": 237,
    "MobileNetV2": 154,
    "ResNet50": 175,
    "ResNet101": 345,
    "ResNet152": 515,
    "VGG16": 19,
    "VGG19": 22,
}


@pytest.mark.parametrize("name", KERAS_LAYERS)
def test_as_many_layers_as_keras(name: str) -> None:
    model = getattr(fc.applications, name)(include_top=False)
    assert len(model.layers) == KERAS_LAYERS[name]


def test_keras_names_layers_alike() -> None:
    names = [layer.name for layer in fc.applications.ResNet50(include_top=False).layers[1:8]]
    assert names == [
        "conv1_pad",
        "conv1_conv",
        "conv1_bn",
        "conv1_relu",
        "pool1_pad",
        "pool1_pool",
        "conv2_block1_1_conv",
    ]
    model = fc.applications.MobileNetV2()
    assert model.name == "mobilenetv2_1.00_224"
    for name in ("Conv1", "expanded_conv_depthwise_BN", "block_1_pad", "block_16_project_BN"):
        assert model.get_layer(name).name == name


@pytest.mark.parametrize("name", SMALL)
def test_without_top_any_size(name: str) -> None:
    model = getattr(fc.applications, name)(include_top=False)
    assert model.input_shape == (None, None, None, 3)
    for height, width in ((64, 96), (65, 49)):
        features = model(np.zeros((2, height, width, 3), np.float32))
        assert features.shape[0] == 2 and features.shape[3] == model.output_shape[3]


@pytest.mark.parametrize("name", PARAMETERS)
def test_smallest_pictures(name: str) -> None:
    make = getattr(fc.applications, name)
    least = make.application.min_size
    model = make(include_top=False, input_shape=(least, least, 3))
    assert all(size >= 1 for size in model.output_shape[1:])
    with pytest.raises(ShapeError, match=f"at least {least} x {least}"):
        make(include_top=False, input_shape=(least - 1, least, 3))


@pytest.mark.parametrize("name", SMALL)
def test_pooling_is_that_of_the_features(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((1, 64, 64, 3)).astype(np.float32)
    make = getattr(fc.applications, name)
    features = make(include_top=False)
    values = features(x)
    for pooling, expected in (("avg", values.mean((1, 2))), ("max", values.max((1, 2)))):
        model = make(include_top=False, pooling=pooling)
        model.set_weights(features.get_weights())
        np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


def test_classes_and_activation() -> None:
    model = fc.applications.SqueezeNet(classes=7, input_shape=(65, 67, 3))
    x = np.random.default_rng(0).standard_normal((3, 65, 67, 3)).astype(np.float32)
    probabilities = model(x)
    assert probabilities.shape == (3, 7)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    logits = fc.applications.SqueezeNet(
        classes=7, input_shape=(65, 67, 3), classifier_activation=None
    )
    logits.set_weights(model.get_weights())
    exponentials = np.exp(logits(x))
    np.testing.assert_allclose(
        probabilities, exponentials / exponentials.sum(1, keepdims=True), atol=1e-6
    )


def test_input_tensor_keeps_what_comes_before() -> None:
    photos = fc.Input((64, 64, 3))
    scaled = photos * 0.5
    model = fc.applications.SqueezeNet(input_tensor=scaled)
    assert model.input_shape == (None, 64, 64, 3)
    plain = fc.applications.SqueezeNet(input_shape=(64, 64, 3))
    plain.set_weights(model.get_weights())
    x = np.random.default_rng(0).standard_normal((1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(model(x), plain(0.5 * x), atol=1e-6)


def test_width_of_mobilenet() -> None:
    model = fc.applications.MobileNetV2(alpha=0.35, input_shape=(96, 96, 3))
    assert model.name == "mobilenetv2_0.35_96"
    assert model.get_layer("Conv1").filters == 16
    assert model.get_layer("block_16_project").filters == 112
    assert model.get_layer("Conv_1").filters == 1280
    assert fc.applications.MobileNetV2(alpha=1.4).get_layer("Conv_1").filters == 1792


def test_refuses() -> None:
    with pytest.raises(ConfigError, match="pooling"):
        fc.applications.ResNet18(include_top=False, pooling="min")
    with pytest.raises(ConfigError, match="1000 classes"):
        fc.applications.EfficientNetLite0(weights="imagenet", classes=10)
    with pytest.raises(ConfigError, match="alpha"):
        fc.applications.MobileNetV2(alpha=0)
    for shape in ((31, 64, 3), (64, 64), (64, 64, None)):
        with pytest.raises(ShapeError, match="resnet18"):
            fc.applications.ResNet18(input_shape=shape)  # type: ignore[arg-type]


def test_classifier_by_name() -> None:
    for name in ("resnet50", "ResNet50", "RESNET-50", "res_net50"):
        assert classifier(name) is fc.applications.ResNet50
    with pytest.raises(ConfigError, match="ResNet50"):
        classifier("resnet51")
    with pytest.raises(AttributeError):
        fc.applications.ResNet51  # noqa: B018


def test_any_network_by_name() -> None:
    networks = [name for name in fc.applications.__all__ if name[0].isupper()]
    assert "UNet" in networks and "YOLOv2" in networks and "ResNet50" in networks
    for name in networks:
        assert fc.applications.network(name.lower()) is getattr(fc.applications, name)
    with pytest.raises(ConfigError, match=r"expected a network of .*UNet, got 'unett'"):
        fc.applications.network("unett")


@pytest.mark.parametrize(
    ("module", "mode"),
    [
        ("vgg16", "caffe"),
        ("vgg19", "caffe"),
        ("resnet", "caffe"),
        ("resnet50", "caffe"),
        ("mobilenet_v2", "tf"),
        ("efficientnet_lite", "lite"),
        ("squeezenet", "torch"),
        ("googlenet", "caffe"),
        ("zfnet", "caffe"),
    ],
)
def test_each_module_prepares_its_pictures(module: str, mode: str) -> None:
    home = getattr(fc.applications, module)
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        home.preprocess_input(x), fc.applications.imagenet.preprocess_input(x, mode)
    )
    assert home.decode_predictions is fc.applications.imagenet.decode_predictions
    network = next(n for n in home.__all__ if n[0].isupper() and n not in ("ResNet18", "ResNet34"))
    assert getattr(home, network).application.mode == mode


def test_documented() -> None:
    for name in PARAMETERS:
        doc = getattr(fc.applications, name).__doc__
        assert "include_top : bool" in doc and "{" not in doc
