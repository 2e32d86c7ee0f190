"""U2-Net with its published weights, and what is made of its map."""

from __future__ import annotations

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.applications.weights import find
from fastcnn.errors import ConfigError, DTypeError, MissingWeightsError, ShapeError
from fastcnn.segmentation import find_foreground, remove_background
from tests.shared_data import shared_path

pytest.importorskip("PIL.Image", reason="resizes pictures")


def disc(side: int = 320) -> fc.Model:
    """A network that sees a bright disc wherever it is green."""
    x = fc.Input((side, side, 3))
    green = fc.ops.slice(fc.ops.sigmoid(10.0 * x), (0, 0, 0, 1), (1, side, side, 1))
    return fc.Model(x, [green, green])


def picture(height: int, width: int) -> np.ndarray:
    rows, columns = np.ogrid[:height, :width]
    inside = ((rows / height - 0.5) ** 2 + (columns / width - 0.5) ** 2) < 0.09
    return np.where(inside[..., None], (30, 220, 40), (200, 40, 60)).astype(np.uint8)


@pytest.mark.parametrize("size", [(500, 700), (60, 41)])
def test_the_map_has_the_pictures_size_and_edges(size: tuple[int, int]) -> None:
    image = picture(*size)
    alpha = find_foreground(image, disc())
    assert alpha.shape == size and alpha.dtype == np.float32
    assert alpha.min() >= 0 and alpha.max() <= 1
    inside = image[..., 1] > 100
    assert np.mean((alpha > 0.5) == inside) > 0.99


def test_colours_stay_and_edges_are_soft_or_hard() -> None:
    image = picture(300, 400)
    cut = remove_background(image, disc())
    assert cut.shape == (300, 400, 4)
    np.testing.assert_array_equal(cut[..., :3], image)
    assert cut[150, 200, 3] == 255 and cut[0, 0, 3] == 0
    hard = remove_background(image, disc(), threshold=0.5)
    assert set(np.unique(hard[..., 3])) == {0, 255}
    white = remove_background(image, disc(), background=(255, 255, 255))
    assert white[0, 0].tolist() == [255, 255, 255] and white[150, 200].tolist() == [30, 220, 40]


def test_where_nothing_stands_out_nothing_is_cut_out() -> None:
    x = fc.Input((320, 320, 3))
    faint = fc.Model(x, [fc.layers.Rescaling(0.0, offset=0.01)(x)])
    assert remove_background(picture(50, 60), faint)[..., 3].max() <= 3


def test_pictures_of_one_pixel() -> None:
    for size in ((1, 1), (1, 9), (9, 1)):
        assert remove_background(np.full((*size, 3), 90, np.uint8), disc()).shape == (*size, 4)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(DTypeError, match="uint8"):
        remove_background(np.zeros((4, 4, 3)))
    for shape in ((4, 4), (4, 4, 4), (0, 4, 3)):
        with pytest.raises(ShapeError, match=r"\(h, w, 3\)"):
            remove_background(np.zeros(shape, np.uint8))
    with pytest.raises(ShapeError, match="three levels"):
        remove_background(picture(20, 20), disc(), background=(1, 2))
    with pytest.raises(ConfigError, match="threshold"):
        remove_background(picture(20, 20), disc(), threshold=2)


def test_an_eagle_by_the_shore() -> None:
    """Looked at: head and body are what the picture is of; water and stones are not."""
    pytest.importorskip("onnx")
    try:
        find("u2netp")
    except MissingWeightsError as error:
        pytest.skip(str(error))
    image = fc.io.load_image(shared_path("data", "detection", "eagle.jpg"))
    alpha = remove_background(image)[..., 3]
    for row, column in ((115, 580), (250, 360), (250, 400)):
        assert alpha[row, column] > 240
    for row, column in ((50, 300), (300, 100), (480, 650), (250, 700)):
        assert alpha[row, column] < 15
    assert 0.16 < (alpha > 127).mean() < 0.21
