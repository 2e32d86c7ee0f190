"""Overlays and legends, against torchvision where it has the function."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.visualize import draw_legend, draw_segmentation_masks
from tests.oracles import import_oracle

rng = np.random.default_rng(0)
IMAGE = rng.integers(0, 256, (30, 44, 3)).astype(np.uint8)
LABELS = rng.integers(0, 12, (30, 44))


def test_classes_get_their_colours() -> None:
    drawn = draw_segmentation_masks(IMAGE, LABELS, 0.6, "camvid")
    wanted = np.rint(0.4 * IMAGE + 0.6 * fc.visualize.palette("camvid")[LABELS])
    assert np.abs(drawn - wanted).max() <= 1
    np.testing.assert_array_equal(draw_segmentation_masks(IMAGE, LABELS, 0), IMAGE)
    beyond = draw_segmentation_masks(IMAGE, LABELS, 1, fc.visualize.palette("camvid")[:11])
    np.testing.assert_array_equal(beyond[LABELS == 11], IMAGE[LABELS == 11])
    np.testing.assert_array_equal(
        draw_segmentation_masks(IMAGE[..., :1], LABELS), draw_segmentation_masks(
            IMAGE[..., :1].repeat(3, 2), LABELS
        )
    )  # fmt: skip


def test_things_as_torchvision_draws_them() -> None:
    torch = pytest.importorskip("torch")
    utils = import_oracle("torchvision.utils")
    masks = rng.random((3, 30, 44)) < 0.3
    masks[:, masks.sum(0) > 1] = False  # where things overlap, versions differ
    colours = [(250, 0, 0), (0, 100, 0), (9, 8, 200)]
    theirs = utils.draw_segmentation_masks(
        torch.from_numpy(IMAGE.transpose(2, 0, 1)), torch.from_numpy(masks), 0.7, colours
    )
    ours = draw_segmentation_masks(IMAGE, masks, 0.7, colours)
    assert np.abs(ours - theirs.numpy().transpose(1, 2, 0).astype(int)).max() <= 1


def test_later_things_lie_on_top() -> None:
    masks = np.ones((2, 30, 44), bool)
    drawn = draw_segmentation_masks(IMAGE, masks, 1.0)
    assert (drawn == fc.visualize.palette("voc")[2]).all()


def test_legends_break_lines_and_leave_names_out() -> None:
    pytest.importorskip("PIL.ImageDraw")
    names = [f"class {i}" for i in range(12)]
    wide = draw_legend(np.zeros((10, 900, 3), np.uint8), names, "camvid")
    narrow = draw_legend(np.zeros((10, 150, 3), np.uint8), names, "camvid")
    few = draw_legend(np.zeros((10, 150, 3), np.uint8), ["", "", "pole"], "camvid")
    assert narrow.shape[0] > wide.shape[0] >= few.shape[0] > 10
    for colour in fc.visualize.palette("camvid")[:11]:
        assert (narrow[10:] == colour).all(2).sum() > 50
    assert not (few[10:] == fc.visualize.palette("camvid")[1]).all(2).any()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DTypeError, match="uint8"):
        draw_segmentation_masks(IMAGE / 255, LABELS)
    with pytest.raises(DTypeError, match="integers or bool"):
        draw_segmentation_masks(IMAGE, LABELS / 2)
    for masks in (LABELS[1:], LABELS[None], LABELS[0]):
        with pytest.raises(ShapeError, match="30, 44"):
            draw_segmentation_masks(IMAGE, masks)
    with pytest.raises(ShapeError, match="picture"):
        draw_segmentation_masks(IMAGE[..., 0], LABELS)
    with pytest.raises(ConfigError, match="alpha"):
        draw_segmentation_masks(IMAGE, LABELS, 2)
    with pytest.raises(ConfigError, match="camvid, voc"):
        draw_segmentation_masks(IMAGE, LABELS, colors="rainbow")
    with pytest.raises(ConfigError, match="a colour for each of 13"):
        draw_legend(IMAGE, ["x"] * 13, "camvid")
