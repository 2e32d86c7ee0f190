"""Elements by index, unpooling, RoIAlign, filters: every row on every case, gradients."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.cases import indexing as cases
from tests.gradients.harness import assert_gradients_match
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    dot_bound,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import indexing as reference

PICKED = [*cases.TAKE, *cases.ALONG, *cases.UNPOOL, *cases.UNPOOL_GRADIENT]
SUMMED = [*cases.TAKE_GRADIENT, *cases.ALONG_GRADIENT]
DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.mark.parametrize(("kernel", "case"), each_kernel(PICKED))
def test_picking_is_exact(kernel: str, case: Case) -> None:
    x, indices = case.inputs()
    for dtype in ("int64", "int32") if "unpool" not in case.op else ("int64",):
        (y,) = run_kernel(kernel, case, [x, indices.astype(dtype)])
        np.testing.assert_array_equal(y, getattr(reference, case.op)(x, indices, **case.attrs))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(SUMMED))
def test_gradients_add_in_order(kernel: str, case: Case) -> None:
    dy, indices = case.inputs()
    (dx,) = run_kernel(kernel, case, [dy, indices])
    expected = getattr(reference, case.op)(dy, indices, **case.attrs)
    magnitude = getattr(reference, case.op)(np.abs(dy), indices, **case.attrs)
    assert_within(dx, expected, dot_bound(magnitude, max(1, indices.size)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dtype_is_picked(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 99, (3, 5)).astype(dtype)
    y = fc.ops.take(x, [4, -1, 0], axis=1)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x[:, [4, -1, 0]])
    y = fc.ops.take_along_axis(x, np.array([[1], [2], [0]]), axis=1)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y.ravel(), x[[0, 1, 2], [1, 2, 0]])
    np.testing.assert_array_equal(fc.ops.take(x, 7), x.ravel()[7])


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.TOP_K))
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
def test_topk(kernel: str, case: Case, dtype: str) -> None:
    (x,) = case.inputs()
    if dtype == "float32":
        x[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    else:
        x = (x * 3 + 9).astype(dtype)  # with many equals
    values, indices = run_kernel(kernel, case, [x])
    expected, order = reference.topk(x, **case.attrs)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(values, expected)
    assert values.dtype == x.dtype and indices.dtype == np.int64


@pytest.mark.parametrize("ascending", [False, True])
def test_topk_of_sorted_numbers(ascending: bool) -> None:
    x = np.arange(2000, dtype=np.float32)[:: 1 if ascending else -1].copy()
    values, indices = fc.ops.topk(x, 700)
    np.testing.assert_array_equal(values, np.arange(1999, 1299, -1))
    np.testing.assert_array_equal(x[indices], values)


def test_unpooling_is_the_way_back_of_pooling() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 7, 9, 5)).astype(np.float32)
    for options in ({"pool_size": 2}, {"pool_size": 3, "strides": 2, "padding": 1}):
        y, indices = fc.ops.max_pool2d(x, **options, return_indices=True)
        t = torch.from_numpy(x).permute(0, 3, 1, 2)
        size, stride = options["pool_size"], options.get("strides", options["pool_size"])
        padding = options.get("padding", 0)
        pool = torch.nn.functional.max_pool2d
        expected, places = pool(t, size, stride, padding, return_indices=True)
        np.testing.assert_array_equal(y, expected.permute(0, 2, 3, 1).numpy())
        np.testing.assert_array_equal(indices, places.permute(0, 2, 3, 1).numpy())
        back = fc.ops.max_unpool2d(y, indices, (7, 9))
        kept = back != 0
        np.testing.assert_array_equal(back[kept], x[kept])


def test_the_place_of_a_maximum_is_that_of_the_first_or_of_the_first_nan() -> None:
    x = np.array([[3, 3, 1, 5], [2, 3, np.nan, 5], [0, -np.inf, 2, np.nan]], np.float32)
    x = np.tile(x[None, ..., None], (1, 1, 1, 3))
    _, indices = fc.ops.max_pool2d(x, (2, 2), return_indices=True)
    np.testing.assert_array_equal(indices[0, :, :, 1], [[0, 6]])
    _, indices = fc.ops.max_pool2d(x, 1, padding=1, return_indices=True)
    assert indices[0, 0, 0, 0] == -1


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.ROI_ALIGN))
def test_roi_align(kernel: str, case: Case) -> None:
    x, boxes, which = case.inputs()
    (y,) = run_kernel(kernel, case, [x, boxes, which])
    expected = reference.roi_align(x, boxes, which, **case.attrs)
    # Positions are rounded as the kernel rounds them; weights and sums a few times each.
    assert_within(y, expected, 64 * UNIT_ROUNDOFF * np.abs(x).max(initial=0))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.ROI_ALIGN_GRADIENT))
def test_roi_align_gradient(kernel: str, case: Case) -> None:
    dy, boxes, which = case.inputs()
    (dx,) = run_kernel(kernel, case, [dy, boxes, which])
    expected = reference.roi_align_gradient(dy, boxes, which, **case.attrs)
    magnitude = reference.roi_align_gradient(np.abs(dy), boxes, which, **case.attrs)
    assert_within(dx, expected, 1e-5 * magnitude + 1e-7)


def test_boxes_of_pictures_in_both_forms() -> None:
    x = np.arange(32, dtype=np.float32).reshape(2, 4, 4, 1)
    boxes = np.array([[0, 0, 4, 4], [1, 1, 3, 3]], np.float32)
    y = fc.ops.roi_align(x, boxes, 2, aligned=True, box_indices=[1, 0])
    joined = np.concatenate([[[1], [0]], boxes], axis=1)
    np.testing.assert_array_equal(fc.ops.roi_align(x, joined, 2, aligned=True), y)
    np.testing.assert_allclose(y[0, :, :, 0], [[18.5, 20.5], [26.5, 28.5]])
    huge = fc.ops.roi_align(x, [[-1e30, -1e30, 1e30, 1e30]], 2)  # neither hangs nor fails
    assert np.isfinite(huge).all()


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.RESAMPLE))
def test_resample(kernel: str, case: Case) -> None:
    x, indices, weights = case.inputs()
    axis = case.attrs["axis"]
    (y,) = run_kernel(kernel, case, [x, indices, weights])
    matrix = reference.resample_matrix(indices, weights, x.shape[axis])

    def apply(m: np.ndarray, a: np.ndarray) -> np.ndarray:
        return np.moveaxis(np.tensordot(m, a.astype(np.float64), (1, axis)), 0, axis)

    magnitude = apply(reference.resample_matrix(indices, np.abs(weights), x.shape[axis]), np.abs(x))
    assert_within(y, apply(matrix, x), dot_bound(magnitude, max(1, indices.shape[1])))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.RESAMPLE_GRADIENT))
def test_resample_gradient(kernel: str, case: Case) -> None:
    dy, indices, weights = case.inputs()
    axis, size = case.attrs["axis"], case.attrs["size"]
    (dx,) = run_kernel(kernel, case, [dy, indices, weights])

    def apply(w: np.ndarray, a: np.ndarray) -> np.ndarray:
        matrix = reference.resample_matrix(indices, w, size)
        return np.moveaxis(np.tensordot(matrix.T, a.astype(np.float64), (1, axis)), 0, axis)

    magnitude = apply(np.abs(weights), np.abs(dy))
    assert_within(dx, apply(weights, dy), dot_bound(magnitude, indices.size))


@pytest.mark.parametrize("size", [(5, 13), (20, 3), (1, 1), (9, 7)])
@pytest.mark.parametrize("channels", [1, 3, 20])
def test_filters_are_torchs(size: tuple[int, int], channels: int) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(4).standard_normal((2, 9, 7, channels)).astype(np.float32)
    t = torch.from_numpy(x).permute(0, 3, 1, 2)
    for mode, coordinate, antialias in [
        ("bicubic", "half_pixel", False),
        ("bicubic", "align_corners", False),
        ("bicubic", "half_pixel", True),
        ("bilinear", "half_pixel", True),
    ]:
        expected = torch.nn.functional.interpolate(
            t, size=size, mode=mode, antialias=antialias,
            align_corners=coordinate == "align_corners",
        ).permute(0, 2, 3, 1)  # fmt: skip
        y = fc.ops.resize(x, size, mode, coordinate=coordinate, antialias=antialias)
        np.testing.assert_allclose(y, expected.numpy(), rtol=0, atol=1e-5)


def test_a_filter_does_not_look_where_it_has_no_weight() -> None:
    x = np.ones((1, 1, 9, 1), np.float32)
    x[0, 0, 0] = np.nan
    y = fc.ops.resize(x, (1, 9), "bicubic")  # every pixel is its own
    np.testing.assert_array_equal(np.isnan(y[0, 0, :, 0]), [True] + [False] * 8)


@pytest.mark.parametrize("case", cases.BENCHMARK, ids=lambda c: c.op)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


# ---- gradients -----------------------------------------------------------------------------------


def test_gradients() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 5, 4)).astype(np.float32)
    indices = np.array([[0, 4], [2, 2]])
    assert_gradients_match(
        "take", [x, indices], {"axis": 1}, lambda x, i: reference.take(x, i, 1), wrt=[0]
    )
    along = rng.integers(0, 5, (3, 2, 4))
    assert_gradients_match(
        "take_along_axis", [x, along], {"axis": 1},
        lambda x, i: reference.take_along_axis(x, i, 1), wrt=[0],
    )  # fmt: skip
    assert_gradients_match(
        "topk", [x], {"k": 2, "axis": 1}, lambda x: (reference.topk(x, 2, 1, True)[0], None)
    )
    picture = rng.standard_normal((1, 6, 5, 2)).astype(np.float32)
    boxes = np.array([[0.5, 1, 4, 5.5], [-2, -1, 3, 2]], np.float32)
    which = np.zeros(2, np.int64)
    assert_gradients_match(
        "roi_align", [picture, boxes, which], {"output_size": (2, 3)},
        lambda x, b, w: reference.roi_align(x, b, w, (2, 3)), wrt=[0],
    )  # fmt: skip
    places = np.stack([rng.permutation(30)[:12].reshape(1, 3, 4) for _ in range(2)], axis=-1)
    small = rng.standard_normal((1, 3, 4, 2)).astype(np.float32)
    assert_gradients_match(
        "max_unpool2d", [small, places], {"output_size": (6, 5)},
        lambda x, i: reference.max_unpool2d(x, i, (6, 5)), wrt=[0],
    )  # fmt: skip
    taps = rng.integers(0, 5, (7, 3)), rng.standard_normal((7, 3)).astype(np.float32)
    assert_gradients_match(
        "resample", [x, *taps], {"axis": 1},
        lambda x, i, w: np.moveaxis(
            np.tensordot(reference.resample_matrix(i, w, 5), x, (1, 1)), 0, 1
        ),
        wrt=[0],
    )  # fmt: skip


def test_an_unpooling_network_trains() -> None:
    x = fc.Input((8, 8, 2))
    y, places = fc.ops.max_pool2d(fc.layers.Conv2D(4, 3, padding="same")(x), return_indices=True)
    y = fc.layers.Conv2D(4, 3, padding="same")(y)
    out = fc.layers.Conv2D(2, 1)(fc.ops.max_unpool2d(y, places, 8))
    model = fc.Model(x, out)
    model.compile("sgd", "mse")
    data = np.random.default_rng(0).standard_normal((8, 8, 8, 2)).astype(np.float32)
    history = model.fit(data, data, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


# ---- errors --------------------------------------------------------------------------------------


def test_errors_say_what_was_expected_and_what_came() -> None:
    x = np.zeros((3, 4), np.float32)
    with pytest.raises(ConfigError, match="axis 2 does not exist among 2 axes"):
        fc.ops.take(x, [0], axis=2)
    with pytest.raises(ShapeError, match="indices of x's shape but for axis 1"):
        fc.ops.take_along_axis(x, np.zeros((2, 1), np.int64), axis=1)
    with pytest.raises(ConfigError, match="k: expected 0 to the 4 elements of axis 1, got 5"):
        fc.ops.topk(x, 5)
    with pytest.raises(DTypeError, match="topk: expected numbers"):
        fc.ops.topk(x > 0, 1)
    with pytest.raises(ShapeError, match="boxes of shape"):
        fc.ops.roi_align(np.zeros((1, 2, 2, 1)), np.zeros((2, 3)), 2)
    with pytest.raises(ShapeError, match="an index for each"):
        fc.ops.max_unpool2d(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 1, 1), np.int64), 4)
    with pytest.raises(ShapeError, match="indices and weights of one shape"):
        fc.ops.resample(x, [[0]], [[1.0, 2.0]], axis=0)
    with pytest.raises(ConfigError, match="size: expected positive"):
        fc.ops.resize(np.zeros((1, 2, 2, 1)), (0, 2), "bicubic")
    with pytest.raises(ConfigError, match="no filter for 'nearest'"):
        fc.ops.resize(np.zeros((1, 2, 2, 1)), 2, "nearest", antialias=True)


@pytest.mark.parametrize("kernel", kernel_rows("max_pool2d_indices"))
def test_indices_at_every_window(kernel: str) -> None:
    x = np.random.default_rng(0).standard_normal((2, 9, 7, 19)).astype(np.float32)
    for attrs in (
        {"pool_size": 3, "strides": 2, "padding": "same"},
        {"pool_size": (2, 3), "dilation": 2},
        {"pool_size": 2, "strides": 3, "ceil_mode": True},
    ):
        (indices,) = run_kernel(kernel, Case("max_pool2d_indices", (x.shape,), attrs), [x])
        y = fc.ops.max_pool2d(x, **attrs)
        flat = x.reshape(2, 63, 19)
        found = np.take_along_axis(flat, indices.reshape(2, -1, 19), axis=1)
        np.testing.assert_array_equal(found.reshape(y.shape), y)
