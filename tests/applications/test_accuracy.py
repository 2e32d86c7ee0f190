"""Real networks with real weights on real photos."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications import classifier
from fastcnn.applications.imagenet import load_and_preprocess, top_predictions
from fastcnn.applications.weights import find
from fastcnn.errors import MissingWeightsError
from tests.shared_data import shared_path


def count_hits(name: str, weights: object) -> tuple[int, int, int]:
    """Classify the samples; return how many were right at first, right among five, and all."""
    pytest.importorskip("PIL.Image", reason="reads photos")
    photos = sorted(shared_path("data", "imagenet_samples").glob("*.jpg"))
    make = classifier(name)
    form = make.application
    model = make(weights=weights)  # type: ignore[arg-type]
    pictures = load_and_preprocess(photos, size=form.size, mode=form.mode, method=form.method)
    probabilities = np.concatenate([model(pictures[i : i + 8]) for i in range(0, len(photos), 8)])
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    named = top_predictions(probabilities, 5)
    truth = [photo.name.partition("_")[0] for photo in photos]
    ranks = [[p.wnid for p in row] for row in named]
    first = sum(row[0] == wnid for row, wnid in zip(ranks, truth, strict=True))
    among = sum(wnid in row for row, wnid in zip(ranks, truth, strict=True))
    return first, among, len(photos)


def test_resnet50() -> None:
    pytest.importorskip("safetensors", reason="reads the weights")
    weights = shared_path("weights", "resnet50_imagenet_fp16.safetensors")
    first, among, photos = count_hits("resnet50", weights)
    assert photos == 40 and first >= 32 and among >= 38


def test_efficientnet_lite0() -> None:
    try:
        find("efficientnet_lite0")
    except MissingWeightsError as error:
        pytest.skip(str(error))
    first, among, photos = count_hits("efficientnet_lite0", "imagenet")
    assert photos == 40 and first >= 34 and among >= 38


def test_resnet50_on_8_bit_codes() -> None:
    pytest.importorskip("safetensors", reason="reads the weights")
    pytest.importorskip("PIL.Image", reason="reads photos")
    weights = shared_path("weights", "resnet50_imagenet_fp16.safetensors")
    photos = sorted(shared_path("data", "imagenet_samples").glob("*.jpg"))
    model = fc.applications.ResNet50(weights=weights)
    form = classifier("resnet50").application
    pictures = load_and_preprocess(photos, size=form.size, mode=form.mode, method=form.method)
    quantized = fc.quantize(model, pictures[:16])
    report = quantized.quantization_report()
    assert all(layer.computed == "int8" for layer in report.layers)
    assert report.decibels[0] > 20
    exact, codes = (
        np.concatenate([m(pictures[i : i + 8]) for i in range(0, len(photos), 8)])
        for m in (model, quantized)
    )
    assert (exact.argmax(1) == codes.argmax(1)).sum() >= 38
    truth = [photo.name.partition("_")[0] for photo in photos]
    named = [[p.wnid for p in row] for row in top_predictions(codes, 5)]
    assert sum(row[0] == wnid for row, wnid in zip(named, truth, strict=True)) >= 35
    assert sum(wnid in row for row, wnid in zip(named, truth, strict=True)) >= 39
