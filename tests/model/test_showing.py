"""Summaries and drawings."""

import shutil

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import layers
from fastcnn.errors import ConfigError, MissingDependencyError


@pytest.fixture
def model():
    x = fc.Input((8, 8, 3), name="picture")
    y = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    y = layers.BatchNormalization(name="norm")(y)
    y = layers.concatenate([x, y], name="joined")
    inner = fc.Sequential([fc.Input((8, 8, 7)), layers.Conv2D(2, 1, name="deep")], name="inner")
    return fc.Model(x, inner(y), name="net")


def test_summary_before_and_after_a_run(model, capsys):
    assert model.summary() is None
    before = capsys.readouterr().out
    for text in (
        'Model: "net"',
        "conv (Conv2D)",
        "(None, 8, 8, 4)",
        "112",
        "picture, norm",
        "Total params: 144",
        "Non-trainable params: 8",
    ):
        assert text in before
    assert "Kernel" not in before
    model(np.zeros((1, 8, 8, 3)))
    texts = []
    model.summary(print_fn=texts.append, expand_nested=True, show_trainable=True)
    (after,) = texts
    kernels = [s["kernel"] for s in model.plan().steps if s["name"].startswith("conv")]
    assert kernels
    assert all(kernel in after for kernel in kernels)
    assert "(highest)" in after
    assert "  deep (Conv2D)" in after
    assert "Latest plan:" in after


def test_summary_of_what_is_not_built():
    texts = []
    fc.Sequential([layers.Dense(3)]).summary(print_fn=texts.append)
    assert "unbuilt" in texts[0]


def test_tables_for_notebooks(model):
    page = model._repr_html_()
    assert page.count("<tr>") == 1 + len(model.layers)
    assert "<b>net</b>" in page
    hostile = fc.Sequential([fc.Input((3,)), layers.ReLU(name="<script>")])
    assert "<script>" not in hostile._repr_html_()


def test_drawings(model, tmp_path):
    source = fc.utils.model_to_dot(model, show_shapes=True)
    assert source.count("->") == 5
    assert "conv\\nConv2D\\nin: (None, 8, 8, 3)\\nout: (None, 8, 8, 4)" in source
    assert fc.utils.plot_model(model, tmp_path / "m.dot") == fc.utils.model_to_dot(model)
    assert (tmp_path / "m.dot").read_text().startswith("digraph")
    quoted = fc.Sequential([fc.Input((3,)), layers.ReLU(name='a"b\\')])
    assert 'label="a\\"b\\\\\\nReLU"' in fc.utils.model_to_dot(quoted)
    with pytest.raises(ConfigError, match="ends in"):
        fc.utils.plot_model(model, tmp_path / "m.exe")
    with pytest.raises(ConfigError, match="rankdir"):
        fc.utils.model_to_dot(model, rankdir="up")


def test_drawings_without_graphviz(model, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependencyError, match="Graphviz"):
        fc.utils.plot_model(model, tmp_path / "m.png")
    assert not (tmp_path / "m.png").exists()


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs the program dot of Graphviz")
def test_drawings_as_pictures(model, tmp_path):
    fc.utils.plot_model(model, tmp_path / "m.png", dpi=50)
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
