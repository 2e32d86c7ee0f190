"""The figures of what is inside: what is in them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, FileAccessError, ShapeError
from fastcnn.visualize import (
    as_picture,
    draw_feature_maps,
    draw_filters,
    draw_pictures,
    draw_projection,
    draw_receptive_fields,
    mosaic,
    overlay,
)

pytest.importorskip("matplotlib", reason="draws the pictures")

RNG = np.random.default_rng(0)
IMAGE = RNG.random((8, 8, 3), np.float32)


def test_zero_is_grey_in_a_pattern() -> None:
    pattern = RNG.standard_normal((2, 20, 20, 3))
    pattern[1] *= 1e-6
    shown = as_picture(pattern)
    assert shown.dtype == np.uint8 and shown.shape == pattern.shape
    assert shown.min() <= 1 and shown.max() == 255
    assert abs(float(shown[1].mean()) - 128) < 5 and shown[1].std() > 30  # scaled by itself
    assert (as_picture(np.zeros((4, 4, 3))) == 128).all()
    one = np.zeros((50, 50, 3))
    one[0, 0] = 1  # fewer than the numbers that may exceed the scale
    assert as_picture(one)[0, 0].tolist() == [255] * 3
    assert as_picture(np.zeros((0, 4, 4, 3))).shape == (0, 4, 4, 3)


def test_heat_covers_where_it_is_positive() -> None:
    heat = np.zeros((8, 8))
    heat[2, 3], heat[5, 5] = 4, -4
    picture = np.full((8, 8, 3), 100, np.uint8)
    warm = overlay(picture, heat)
    assert warm.shape == (8, 8, 3) and warm.dtype == np.uint8
    changed = (warm != picture).any(2)
    assert changed[2, 3] and changed.sum() == 1
    np.testing.assert_array_equal(overlay(picture, np.zeros((8, 8))), picture)
    np.testing.assert_array_equal(overlay(picture, heat, strength=0), picture)
    grey = overlay(np.full((8, 8, 1), 100, np.uint8), heat)
    np.testing.assert_array_equal(grey, warm)
    with pytest.raises(ShapeError, match=r"\(8, 8, 3\) and \(4, 8\)"):
        overlay(picture, heat[:4])
    with pytest.raises(ConfigError, match="colormap"):
        overlay(picture, heat, colormap="hot and cold")


def test_mosaic() -> None:
    parts = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8)
    joined = mosaic(parts, columns=3)
    assert joined.shape == (5, 11, 1)
    assert joined[:2, :3].max() == 0 and (joined[3:, 4:7] == 4).all()
    assert (joined[:, 3] == 255).all() and (joined[2] == 255).all()
    assert (joined[3:, 8:] == 255).all()  # there is no sixth
    assert mosaic(parts).shape == (5, 11, 1)
    with pytest.raises(ShapeError, match="mosaic"):
        mosaic(parts[0])


def test_feature_maps() -> None:
    maps = {
        "a": RNG.random((2, 6, 5, 20)),
        "flat": RNG.random((2, 7)),
        "b": RNG.random((2, 3, 3, 4)),
    }
    figure = draw_feature_maps(maps, picture=1)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b"]
    assert figure.axes[0].get_title(loc="right") == "6 x 5 x 20"
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (2 * 25 - 1, 16 * 21 - 1, 3)  # each pixel 4 x 4 of the 6 x 5
    part = maps["a"][1, :, :, 0]
    brightness = shown[:24:4, :20:4].sum(axis=2, dtype=int)
    assert (np.argsort(brightness.ravel())[[0, -1]] == np.argsort(part.ravel())[[0, -1]]).all()
    few = draw_feature_maps(maps["a"], max_maps=3)
    assert few.axes[0].images[0].get_array().shape == (24, 62, 3)
    for given, picture in (({}, 0), ({"flat": maps["flat"]}, 0), (maps, 2)):
        with pytest.raises(ShapeError, match="draw_feature_maps"):
            draw_feature_maps(given, picture=picture)


def test_filters() -> None:
    colours = draw_filters(RNG.standard_normal((9, 7, 7, 3)))
    assert colours.axes[0].images[0].get_array().shape == (3 * 29 - 1, 3 * 29 - 1, 3)
    deep = draw_filters(RNG.standard_normal((5, 3, 3, 6)))  # a row for each filter
    assert deep.axes[0].images[0].get_array().shape == (5 * 25 - 1, 6 * 25 - 1)
    with pytest.raises(ShapeError, match="draw_filters"):
        draw_filters(np.zeros((3, 3)))


def test_pictures() -> None:
    figure = draw_pictures([IMAGE, IMAGE[:4, :, :1]], ["a", "b"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b"]
    assert len(draw_pictures(np.stack([IMAGE] * 5)).axes) == 8
    for given, titles in (([], None), ([IMAGE], ["a", "b"]), ([IMAGE[0]], None)):
        with pytest.raises(ShapeError, match="draw_pictures"):
            draw_pictures(given, titles)


def test_projection() -> None:
    points = RNG.random((30, 2))
    figure = draw_projection(points, np.arange(30) % 3, ["cat", "dog", "bird"])
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["cat", "dog", "bird"]
    assert sum(len(c.get_offsets()) for c in axes.collections) == 30
    colours = {tuple(c.get_facecolor()[0]) for c in axes.collections}
    assert len(colours) == 3
    assert draw_projection(points).axes[0].get_legend() is None
    assert len(draw_projection(points, np.arange(30)).axes[0].collections) == 30
    for given, labels, names in (
        (points[:, :1], None, None),
        (points, [0, 1], None),
        (points, np.arange(30), ["a"]),
    ):
        with pytest.raises(ShapeError, match="draw_projection"):
            draw_projection(given, labels, names)


def test_receptive_fields() -> None:
    layers = (
        fc.layers.Conv2D(4, 5, name="conv"),
        fc.layers.ReLU(),
        fc.layers.MaxPooling2D(name="pool"),
    )
    model = fc.Sequential([fc.Input((32, 32, 3)), *layers])
    fields = fc.visualize.receptive_fields(model)
    figure = draw_receptive_fields(np.zeros((32, 32, 3), np.uint8), fields)
    conv, pool = figure.axes[0].patches  # that of the activation is the convolution's
    assert [p.get_label() for p in (conv, pool)] == ["conv: 5 x 5", "pool: 6 x 6"]
    assert (pool.get_width(), pool.get_height()) == (6, 6)
    assert 10 < pool.get_x() < 20 and 10 < pool.get_y() < 20
    fields = [field._replace(layer="a_network/of_blocks/" + field.layer) for field in fields]
    for height, width in ((32, 32), (64, 16), (16, 64)):  # the legend is on the paper
        figure = draw_receptive_fields(np.zeros((height, width, 3), np.uint8), fields)
        figure.draw_without_rendering()
        legend = figure.axes[0].get_legend().get_window_extent()
        assert legend.x0 >= 0 and legend.x1 <= figure.bbox.x1
    with pytest.raises(ShapeError, match="draw_receptive_fields"):
        draw_receptive_fields(np.zeros((32, 32)), fields)


def test_files(tmp_path: Path) -> None:
    draws: list[Any] = [
        lambda path: draw_feature_maps(RNG.random((1, 4, 4, 2)), save=path),
        lambda path: draw_filters(RNG.random((2, 3, 3, 3)), save=path),
        lambda path: draw_pictures([IMAGE], save=path),
        lambda path: draw_projection(RNG.random((3, 2)), save=path),
    ]
    for number, draw in enumerate(draws):
        draw(tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").read_bytes().startswith(b"\x89PNG")
        with pytest.raises(FileAccessError, match="nowhere"):
            draw(tmp_path / "nowhere" / "x.png")
