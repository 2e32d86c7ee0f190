"""Damaged files of Keras give models, arrays or one of our errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

import fastcnn as fc
from fastcnn.io.keras import load_keras_weights
from tests.io.mutations import check, damaged, fuzzed

h5py = pytest.importorskip("h5py", reason="writes the files to be damaged")

from tests.io import keras_writer as kw  # noqa: E402 - after it is known that h5py is there


def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("keras")
    layers = kw.weights()
    path = folder / "chunks.weights.h5"
    with h5py.File(path, "w") as file:
        for i, name in enumerate(("dense", "dense_1")):
            group = file.create_group(f"layers/{name}/vars")
            group.attrs["name"] = name
            for part in ("0", "1"):
                data = np.arange(60.0).reshape(6, 10) + i
                group.create_dataset(part, data=data, chunks=(4, 4), compression="gzip")
    kw.keras3_weights(folder / "3.weights.h5", layers)
    return {
        "model": kw.keras2_file(folder / "2.h5", layers, kw.KERAS_2).read_bytes(),
        "archive": kw.keras3_file(folder / "3.keras", layers, kw.KERAS_3).read_bytes(),
        "weights": (folder / "3.weights.h5").read_bytes(),
        "chunks": path.read_bytes(),
    }


@pytest.mark.parametrize("name", ["model", "archive"])
def test_fuzz_models(name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path / "model.keras"
    original = written(tmp_path_factory)[name]

    @fuzzed(60)
    @given(damaged([original]))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: fc.io.load_keras(path))

    run()


def test_fuzz_weights(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path / "weights.h5"
    files = written(tmp_path_factory)

    @fuzzed()
    @given(damaged([files["weights"], files["chunks"], files["model"]]))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: load_keras_weights(path))

    run()
