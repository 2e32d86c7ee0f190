"""Networks of features: weights by path, layers by both names, nothing computed in vain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications.vgg import _TORCH_19
from fastcnn.io import save_safetensors
from tests.style.small import batch


def test_vgg19_takes_torchvisions_file(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    fc.set_random_seed(1)
    whole = fc.applications.VGG19(include_top=False)
    tensors = {}
    for theirs, ours in _TORCH_19.items():
        if theirs.startswith("features"):
            kernel, bias = (w.numpy() for w in whole.get_layer(ours).weights)
            tensors |= {f"{theirs}.weight": kernel.transpose(3, 2, 0, 1), f"{theirs}.bias": bias}
    save_safetensors(tmp_path / "vgg19.safetensors", tensors)
    model = fc.style.feature_network(
        ["conv3_4"], network="vgg19", weights=tmp_path / "vgg19.safetensors", pooling="max"
    )
    picture = batch(0, 32, 40)
    # torchvision's colours: RGB, scaled by ImageNet's mean and deviation.
    x = (picture - (123.675, 116.28, 103.53)) / np.array((58.395, 57.12, 57.375))
    wanted = fc.Model(whole.input, whole.get_layer("block3_conv4").output)(x)
    found = model(picture)["block3_conv4"]
    assert found.shape == (1, 8, 10, 256)
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())


def test_the_network_is_cut_after_the_last_layer() -> None:
    model = fc.style.feature_network(["conv2_1", "block1_conv1"], weights=None)
    ops = [step["op"] for step in model.plan((1, 32, 32, 3)).steps]
    assert ops.count("conv2d") == 3 and "max_pool2d" not in ops
    assert list(model.output) == ["block2_conv1", "block1_conv1"]
