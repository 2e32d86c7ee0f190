"""U-Net: the paper's sizes, the course's layers, other encoders, and training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications import UNet
from fastcnn.errors import ConfigError, ShapeError

rng = np.random.default_rng(0)


def test_the_papers_figure() -> None:
    """Figure 1: 572 to 388 pixels, 64 to 1024 channels, 31 million weights."""
    model = UNet((572, 572, 1), padding="valid")
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    assert shapes["down1_conv2"] == (568, 568, 64)
    assert shapes["bottom_conv1"] == (30, 30, 1024)
    assert shapes["up4"] == shapes["up4_crop"] == (56, 56, 512)
    assert shapes["up1_concat"] == (392, 392, 128)
    assert model.output_shape == (None, 388, 388, 2)
    assert sum(w.size for w in model.weights) == 31_030_658


def test_the_course() -> None:
    """Its notebook's summary: 8,640,471 weights; dropout in the two deepest blocks."""
    model = UNet((96, 128, 3), 23, 32, dropout=0.3, variant="course", classifier_activation=None)
    assert sum(w.size for w in model.weights) == 8_640_471
    dropped = [layer.name for layer in model.layers if isinstance(layer, fc.layers.Dropout)]
    assert dropped == ["down4_dropout", "bottom_dropout"]
    assert model.output_shape == (None, 96, 128, 23)


def test_valid_padding_is_the_middle_of_a_larger_picture() -> None:
    """A result depends on its surroundings only, so tiles of any place fit together."""
    model = UNet(None, 3, 4, 2, padding="valid", classifier_activation=None)
    x = rng.random((1, 92, 100, 3), np.float32)
    whole = model.predict(x)
    assert whole.shape == (1, 52, 60, 3)
    part = model.predict(x[:, 8:, 8:])
    np.testing.assert_allclose(part, whole[:, 8:, 8:], atol=2e-6)


def test_interpolation_after_the_narrow_convolution_is_interpolation_before_it() -> None:
    x = rng.random((1, 6, 5, 8), np.float32)
    conv, up = fc.layers.Conv2D(4, 1), fc.layers.UpSampling2D(2, interpolation="bilinear")
    np.testing.assert_allclose(up(conv(x)), conv(up(x)), atol=1e-6)
    model = UNet((16, 16, 3), 2, 4, 2, up="bilinear", batch_norm=True)
    assert {"up2", "up2_halve", "down1_conv1_bn"} <= {layer.name for layer in model.layers}


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    model = UNet((16, 16, 3), 2, 4, 2, up="bilinear", batch_norm=True)
    model.save(tmp_path / "unet.fastcnn")
    x = rng.random((2, 16, 16, 3), np.float32)
    again = fc.load_model(tmp_path / "unet.fastcnn")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_an_encoder_takes_the_place_of_the_way_down() -> None:
    encoder = fc.applications.EfficientNetLite0(include_top=False, input_shape=(64, 96, 3))
    encoder.trainable = False
    model = UNet(classes=5, filters=4, encoder=encoder)
    assert model.output_shape == (None, 64, 96, 5)
    features = model.get_layer("encoder")
    sizes = [tuple(x.shape[1:3]) for x in features.outputs]
    assert sizes == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    ours = {id(w) for w in model.weights}
    assert all(id(w) in ours for w in encoder.weights)
    assert len(model.trainable_weights) == len(model.weights) - len(encoder.weights)
    x = rng.random((1, 64, 96, 3), np.float32)
    np.testing.assert_allclose(features.predict(x)[-1], encoder.predict(x), atol=1e-5)


def test_it_learns() -> None:
    """To tell a square from what is around it."""
    fc.set_random_seed(1)
    x = rng.normal(0, 0.3, (16, 16, 16, 3)).astype(np.float32)
    y = np.zeros((16, 16, 16), np.uint8)
    for image, mask, (top, left) in zip(x, y, rng.integers(0, 10, (16, 2)), strict=True):
        image[top : top + 6, left : left + 6] += 1
        mask[top : top + 6, left : left + 6] = 1
    model = UNet((16, 16, 3), 2, 4, 2, batch_norm=True, classifier_activation=None)
    model.compile(
        fc.optimizers.Adam(0.02), fc.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit(x, y, batch_size=4, epochs=12, verbose=0)
    assert (model.predict(x).argmax(-1) == y).mean() > 0.97


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"input_shape": (180, 240, 3)}, ShapeError, "180, take 176 or 192"),
        ({"input_shape": (570, 572, 1), "padding": "valid"}, ShapeError, "570, take 556 or 572"),
        ({"input_shape": (16, 16)}, ShapeError, "expected input_shape"),
        ({"padding": "full"}, ConfigError, "'same', 'valid'"),
        ({"up": "nearest"}, ConfigError, "'transposed', 'bilinear'"),
        ({"depth": 0}, ConfigError, "depth"),
        ({"dropout": 2}, ConfigError, "dropout"),
    ],
)
def test_what_has_no_meaning_is_refused(
    options: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        UNet(**options)


def test_encoders_that_do_not_fit_are_refused() -> None:
    def encoder(**options: object) -> fc.Model:
        return fc.applications.MobileNetV2(include_top=False, alpha=0.35, **options)

    with pytest.raises(ShapeError, match="known size"):
        UNet(encoder=encoder())
    with pytest.raises(ShapeError, match="power of two"):
        UNet(encoder=encoder(input_shape=(80, 96, 3)))
    with pytest.raises(ShapeError, match="power of two"):
        UNet(encoder=encoder(input_shape=(64, 96, 3), pooling="avg"))
    with pytest.raises(ShapeError, match="that of the encoder"):
        UNet((32, 32, 3), encoder=encoder(input_shape=(64, 64, 3)))
