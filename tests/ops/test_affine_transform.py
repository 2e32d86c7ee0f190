"""affine_transform: every row on every case, and against scipy's resampling."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, ShapeError
from tests.cases import affine_transform as cases
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import affine_transform as reference

ROWS = kernel_rows("affine_transform")
IDENTITY = np.array([[1, 0, 0, 0, 1, 0, 0, 0]], np.float32)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.ALL))
def test_affine_transform(kernel: str, case: Case) -> None:
    x, m = case.inputs()
    (y,) = run_kernel(kernel, case, [x, m])
    expected = reference.affine_transform(x, m, **case.attrs)
    u, v, error_u, error_v = reference.places(x.shape, m)
    if case.attrs.get("interpolation") == "nearest":
        clear = np.ones(u.shape, bool)  # not so close to halfway that rounding decides
        for place, error in ((u, error_u), (v, error_v)):
            clear &= np.abs(place + 0.5 - np.round(place + 0.5)) > UNIT_ROUNDOFF * error
        assert clear.mean() > 0.99 or not clear.size
        np.testing.assert_array_equal(y[clear], expected.astype(np.float32)[clear])
    else:
        largest = np.abs(x).max(initial=case.attrs.get("fill_value", 0.0))
        bound = UNIT_ROUNDOFF * (2 * (error_u + error_v) + 8) * largest
        assert_within(y, expected, np.broadcast_to(bound[..., None], y.shape))


@pytest.mark.parametrize("kernel", ROWS)
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_places_on_and_between_pixels_are_exact(kernel: str, mode: str, interpolation: str) -> None:
    x = np.arange(2 * 6 * 5, dtype=np.float32).reshape(1, 6, 5, 2)
    attrs = {"fill_mode": mode, "interpolation": interpolation, "fill_value": -8.0}
    for right, down in ((0, 0), (0.5, -0.5), (-7.25, 12.5), (3, -20)):
        m = IDENTITY + np.array([[0, 0, right, 0, 0, down, 0, 0]], np.float32)
        (y,) = run_kernel(kernel, Case("affine_transform", (x.shape, m.shape), attrs), [x, m])
        np.testing.assert_array_equal(y, reference.affine_transform(x, m, **attrs))


@pytest.mark.parametrize("kernel", ROWS)
@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_places_that_are_nowhere_give_the_fill_value(
    kernel: str, mode: str, interpolation: str
) -> None:
    x = np.ones((5, 3, 20, 3), np.float32)
    m = np.repeat(IDENTITY, 5, axis=0)
    m[0, 6] = -1  # k = 0 at column 1
    m[1, 2] = np.nan
    m[2, 5] = np.inf
    m[3, 2] = 1e30
    attrs = {"fill_mode": mode, "interpolation": interpolation, "fill_value": 7.0}
    (y,) = run_kernel(kernel, Case("affine_transform", (x.shape, m.shape), attrs), [x, m])
    assert (y[0, :, 1] == 7).all()
    assert (y[0, :, 0] == 1).all()
    assert (y[1:4] == 7).all()
    assert (y[4] == 1).all()


@pytest.mark.parametrize("kernel", ROWS)
def test_nan_reaches_the_pixels_made_of_it_and_no_others(kernel: str) -> None:
    x = np.zeros((1, 6, 8, 2), np.float32)
    x[0, 3, 4, 1] = np.nan
    m = IDENTITY + np.array([[0, 0, 0.5, 0, 0, 0.25, 0, 0]], np.float32)
    (y,) = run_kernel(kernel, Case("affine_transform", (x.shape, m.shape), {}), [x, m])
    expected = np.zeros(x.shape, bool)
    expected[0, 2:4, 3:5, 1] = True
    np.testing.assert_array_equal(np.isnan(y), expected)


@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_scipy_agrees(mode: str, interpolation: str) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    x, m = cases.TransformCase("affine_transform", ((1, 20, 30, 1), (1, 8)), {}).inputs(3)
    y = fc.ops.affine_transform(x, m, interpolation, mode, 0.25)
    u, v, _, _ = reference.places(x.shape, m)
    peer = ndimage.map_coordinates(
        x[0, :, :, 0].astype(np.float64),
        [v[0], u[0]],
        order=int(interpolation == "bilinear"),
        mode={"constant": "grid-constant", "wrap": "grid-wrap"}.get(mode, mode),
        cval=0.25,
    )
    np.testing.assert_allclose(y[0, :, :, 0], peer, atol=1e-4)


def test_one_matrix_for_all_and_one_picture() -> None:
    x = np.random.default_rng(0).standard_normal((3, 6, 7, 2)).astype(np.float32)
    one = np.array([1, 0.1, 2, -0.1, 1, 0.5, 0, 0])
    y = fc.ops.affine_transform(x, one)
    np.testing.assert_array_equal(y, fc.ops.affine_transform(x, np.stack([one] * 3)))
    np.testing.assert_array_equal(y[1], fc.ops.affine_transform(x[1], one))
    model = fc.Model(inputs := fc.Input((6, 7, 2)), fc.ops.affine_transform(inputs, one))
    np.testing.assert_array_equal(y, model.predict(x))


@pytest.mark.parametrize("case", cases.BENCHMARK)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


def test_errors_say_what_was_expected_and_what_came() -> None:
    x = np.zeros((2, 4, 4, 3))
    with pytest.raises(ShapeError, match=r"8 numbers for each of 2 pictures, got shape \(3, 8\)"):
        fc.ops.affine_transform(x, np.zeros((3, 8)))
    with pytest.raises(ShapeError, match="expected pictures"):
        fc.ops.affine_transform(x[0, 0], np.zeros(8))
    with pytest.raises(ConfigError, match="fill_mode"):
        fc.ops.affine_transform(x, np.zeros((2, 8)), fill_mode="mirrored")
    with pytest.raises(ConfigError, match="interpolation"):
        fc.ops.affine_transform(x, np.zeros((2, 8)), "cubic")
