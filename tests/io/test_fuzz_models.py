"""Every reader of a foreign model, given damaged files, makes one or raises an error of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from fastcnn.io import load_darknet, load_dlib
from tests.io import darknet_writer, test_dlib
from tests.io.mutations import check, damaged, fuzzed


@pytest.mark.parametrize("what", ["cfg", "weights"])
def test_darknet(what: str, tmp_path: Path) -> None:
    names = ["yolov2", "yolov3-tiny", "yolov4-tiny", "alexnet"]
    files = {name: darknet_writer.write(tmp_path, name) for name in names}
    originals = {
        name: (cfg.read_bytes(), weights.read_bytes()) for name, (cfg, weights) in files.items()
    }
    cfg, weights = tmp_path / "damaged.cfg", tmp_path / "damaged.weights"

    @fuzzed(60)
    @given(st.data(), st.sampled_from(names))
    def run(data: st.DataObject, name: str) -> None:
        texts, numbers = originals[name]
        if what == "cfg":
            texts = data.draw(damaged([texts]))
        else:
            numbers = data.draw(damaged([numbers]))
        cfg.write_bytes(texts)
        weights.write_bytes(numbers)
        check(lambda: load_darknet(cfg, weights))

    run()


def test_dlib_networks(tmp_path: Path) -> None:
    path = tmp_path / "network.dat"
    original = test_dlib.small()[0]

    @fuzzed(100)
    @given(damaged([original]))
    def run(data: bytes) -> None:
        path.write_bytes(data)
        check(lambda: load_dlib(path))

    run()
