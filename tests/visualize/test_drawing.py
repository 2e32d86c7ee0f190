"""Boxes and points drawn into pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from fastcnn.visualize import class_color, draw_bounding_boxes, draw_keypoints
from tests.oracles import import_oracle

pytest.importorskip("PIL.Image", reason="draws")

BLACK = np.zeros((60, 80, 3), np.uint8)


def test_a_box_is_its_outline() -> None:
    drawn = draw_bounding_boxes(BLACK, [[10, 20, 40, 50]], colors=(255, 0, 0), width=2)
    red = drawn[..., 0] == 255
    expected = np.zeros((60, 80), bool)
    expected[20:51, 10:41] = True
    expected[22:49, 12:39] = False
    np.testing.assert_array_equal(red, expected)
    assert not BLACK.any() and not drawn[..., 1:].any()


def test_a_filled_box_is_tinted() -> None:
    drawn = draw_bounding_boxes(BLACK, [[10, 20, 40, 50]], colors="#00ff00", fill=True)
    assert 50 < drawn[35, 25, 1] < 150 and drawn[20, 25, 1] == 255


def test_colors_are_those_of_the_labels() -> None:
    boxes = [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]]
    drawn = draw_bounding_boxes(BLACK, boxes, ["dog 0.9", "cat 0.8", "dog 0.7"], width=1)
    bottoms = [tuple(drawn[10, x].tolist()) for x in (0, 20, 40)]
    assert bottoms[0] == bottoms[2] != bottoms[1]
    drawn = draw_bounding_boxes(BLACK, boxes, colors=["red", "lime", (0, 0, 255)], width=1)
    assert [drawn[10, x].argmax() for x in (0, 20, 40)] == [0, 1, 2]
    assert len({class_color(i) for i in range(36)}) == 36


@pytest.mark.parametrize("size", [(30, 40), (480, 640), (2000, 3000)])
def test_labels_grow_with_the_picture_and_stay_in_it(size: tuple[int, int]) -> None:
    h, w = size
    grey = np.full((h, w, 3), 90, np.uint8)
    boxes = [[0, 0, w / 2, h / 2], [w * 0.8, h * 0.9, w + 50, h + 50], [-20, -20, w / 3, h * 2]]
    plain = draw_bounding_boxes(grey, boxes, colors="yellow")
    drawn = draw_bounding_boxes(grey, boxes, ["one"] * 3, colors="yellow")
    letters = (drawn < 60).all(axis=-1).sum()
    assert drawn.shape == grey.shape and letters > (min(h, w) / 32) ** 2 / 3
    assert (plain != drawn).any()


def test_what_is_no_box_is_left_out() -> None:
    boxes = [[np.nan, 0, 9, 9], [9, 9, 3, 3], [0, 0, np.inf, 9], [5, 5, 5, 9]]
    drawn = draw_bounding_boxes(BLACK, boxes, ["a", "b", "c", None])
    assert not drawn.any()
    assert not draw_bounding_boxes(BLACK, np.zeros((0, 4))).any()
    assert not draw_bounding_boxes(BLACK, []).any()
    assert draw_bounding_boxes(BLACK, [[-1e30, 5, 1e30, 9]]).any()


def test_grey_and_tiny_pictures() -> None:
    drawn = draw_bounding_boxes(np.full((9, 9, 1), 5, np.uint8), [[1, 1, 7, 7]], ["long text"])
    assert drawn.shape == (9, 9, 3)
    assert draw_bounding_boxes(np.zeros((1, 1, 3), np.uint8), [[0, 0, 1, 1]], ["x"]).size == 3
    read_only = np.broadcast_to(np.uint8(0), (9, 9, 3))
    assert draw_bounding_boxes(read_only, [[1, 1, 7, 7]]).any()


def test_points_and_lines() -> None:
    points = np.array([[[10, 10], [30, 10], [np.nan, 5]]])
    drawn = draw_keypoints(BLACK, points, [(0, 1), (1, 2)], colors="red", radius=2, width=1)
    assert drawn[10, 10, 0] == drawn[10, 30, 0] == drawn[10, 20, 0] == 255
    assert not drawn[20:].any() and not drawn[:, 40:].any()
    dots = draw_keypoints(BLACK, [[[10, 10], [30, 10]]], radius=1)
    assert tuple(dots[10, 10]) == class_color(0) and tuple(dots[10, 30]) == class_color(1)
    assert not draw_keypoints(BLACK, np.zeros((0, 5, 2))).any()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: draw_bounding_boxes(BLACK / 2, []), DTypeError, "uint8, got float64"),
        (lambda: draw_bounding_boxes(BLACK[0], []), ShapeError, r"got \(80, 3\)"),
        (lambda: draw_bounding_boxes(BLACK, [[1, 2]]), ShapeError, r"shape \(n, 4\)"),
        (lambda: draw_bounding_boxes(BLACK, [[1, 2, 3, 4]], []), ConfigError, "1 labels, got 0"),
        (
            lambda: draw_bounding_boxes(BLACK, [[1, 2, 3, 4]], colors="no"),
            ConfigError, "colors: unknown color",
        ),
        (
            lambda: draw_bounding_boxes(BLACK, [[1, 2, 3, 4]], colors=["red"] * 2),
            ConfigError, "1 colors, got 2",
        ),
        (
            lambda: draw_bounding_boxes(BLACK, [[1, 2, 3, 4]], width=0),
            ConfigError, "width: expected an integer >= 1",
        ),
        (
            lambda: draw_bounding_boxes(BLACK, [[1, 2, 3, 4]], font="none.ttf"),
            ConfigError, "none.ttf cannot be read",
        ),
        (lambda: draw_keypoints(BLACK, [[1, 2]]), ShapeError, r"\(n, k, 2\), got \(1, 2\)"),
        (
            lambda: draw_keypoints(BLACK, [[[1, 2]]], [(0, 1)]),
            ConfigError, "indices of 1 points",
        ),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_boxes_are_torchvisions() -> None:
    utils = import_oracle("torchvision.utils")
    torch = pytest.importorskip("torch")
    boxes = [[10, 20, 40, 50], [5, 5, 70, 30]]
    theirs = utils.draw_bounding_boxes(
        torch.zeros((3, 60, 80), dtype=torch.uint8), torch.tensor(boxes), colors="red", width=2
    )
    ours = fc.visualize.draw_bounding_boxes(BLACK, boxes, colors="red", width=2)
    np.testing.assert_array_equal(ours, theirs.permute(1, 2, 0).numpy())
