"""The resize and space_depth rooms: every row on every case, torch's conventions, dtypes."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.cases import image as cases
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import image as reference

DTYPES = ["uint8", "bool", "int32", "int64", "float32", "float64"]


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.BILINEAR))
def test_bilinear(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    # A float32 position of up to 64 pixels errs by 2^-18 of a pixel, between neighbours at most
    # 2 max|x| apart, along two axes; blending rounds a few times.
    bound = (4 * 64 + 8) * UNIT_ROUNDOFF * np.abs(x).max(initial=0)
    assert_within(y, reference.bilinear(x, **case.attrs), bound)


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.NEAREST))
def test_nearest(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    (y,) = run_kernel(kernel, case, [x])
    np.testing.assert_array_equal(y, reference.nearest(x, **case.attrs))


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.SPACE_DEPTH))
def test_space_depth(kernel: str, case: Case) -> None:
    (x,) = case.inputs()
    if case.op == "depth_to_space" and x.shape[3] % case.attrs["block_size"] ** 2:
        pytest.skip("channels do not divide")
    (y,) = run_kernel(kernel, case, [x])
    np.testing.assert_array_equal(y, getattr(reference, case.op)(x, **case.attrs))


@pytest.mark.parametrize("kernel", [k for k in kernel_rows("resize") if "bilinear" in k])
def test_nan_reaches_exactly_the_outputs_that_mix_it(kernel: str) -> None:
    for channels in (3, 19):
        x = np.ones((1, 4, 4, channels), np.float32)
        x[0, 1, 2, ::2] = np.nan
        (y,) = run_kernel(kernel, Case("resize", (x.shape,), {"size": (8, 8)}), [x])
        touched = np.zeros(y.shape, bool)
        touched[0, 0:5, 3:7, ::2] = True  # row 0 mixes rows 0 and 1, the latter with share 0
        np.testing.assert_array_equal(np.isnan(y), touched)


@pytest.mark.parametrize("dtype", DTYPES)
def test_moving_keeps_any_dtype_bit_by_bit(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 200, (2, 4, 6, 4))
    x = x.astype(dtype)
    y = fc.ops.resize(x, (8, 9), "nearest")
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, reference.nearest(x, size=(8, 9)))
    for mode in ("DCR", "CRD"):
        y = fc.ops.space_to_depth(x, 2, mode=mode)
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, reference.space_to_depth(x, block_size=2, mode=mode))
        np.testing.assert_array_equal(fc.ops.depth_to_space(y, 2, mode=mode), x)


@pytest.mark.parametrize("factor", [2, 3, 41, 47, 94])
@pytest.mark.parametrize("coordinate", ["half_pixel", "asymmetric"])
def test_whole_factors_repeat_every_pixel_equally_often(factor: int, coordinate: str) -> None:
    x = np.arange(10, dtype=np.float32).reshape(1, 2, 5, 1)
    y = fc.ops.resize(x, (2 * factor, 5 * factor), "nearest", coordinate=coordinate)
    np.testing.assert_array_equal(y, x.repeat(factor, 1).repeat(factor, 2))


@pytest.mark.parametrize("case", cases.BENCHMARK)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (14, 11), (7, 30), (40, 3)])
@pytest.mark.parametrize("channels", [1, 3, 20])
def test_agrees_with_torch(size: tuple[int, int], channels: int) -> None:
    torch = pytest.importorskip("torch")
    interpolate = torch.nn.functional.interpolate
    x = np.random.default_rng(4).standard_normal((2, 7, 9, channels)).astype(np.float32)
    t = torch.from_numpy(x).permute(0, 3, 1, 2)
    for mode, options, interpolation, coordinate in [
        ("bilinear", {"align_corners": False}, "bilinear", "half_pixel"),
        ("bilinear", {"align_corners": True}, "bilinear", "align_corners"),
        ("nearest", {}, "nearest", "asymmetric"),
        ("nearest-exact", {}, "nearest", "half_pixel"),
    ]:
        expected = interpolate(t, size=size, mode=mode, **options).permute(0, 2, 3, 1).numpy()
        y = fc.ops.resize(x, size, interpolation, coordinate=coordinate)
        np.testing.assert_allclose(y, expected, rtol=0, atol=4e-6)


def test_nearest_takes_torchs_pixel_at_every_ratio() -> None:
    torch = pytest.importorskip("torch")
    for n in (*range(1, 40), 57, 100):
        x = np.arange(n, dtype=np.float32).reshape(1, n, 1, 1)
        t = torch.from_numpy(x).reshape(1, 1, n, 1)
        for out in (*range(1, 60), 97, 200):
            if out % n == 0:
                continue  # repeated exactly, where torch's rounding may miss a pixel
            for mode, coordinate in (("nearest", "asymmetric"), ("nearest-exact", "half_pixel")):
                expected = torch.nn.functional.interpolate(t, size=(out, 1), mode=mode)
                y = fc.ops.resize(x, (out, 1), "nearest", coordinate=coordinate)
                assert (y.ravel() == expected.numpy().ravel()).all(), (n, out, mode)


def test_pixel_shuffle_is_torchs() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(5).standard_normal((2, 3, 4, 18)).astype(np.float32)
    expected = torch.nn.functional.pixel_shuffle(torch.from_numpy(x).permute(0, 3, 1, 2), 3)
    y = fc.ops.pixel_shuffle(x, 3)
    np.testing.assert_array_equal(y, expected.permute(0, 2, 3, 1).numpy())
    np.testing.assert_array_equal(fc.ops.pixel_unshuffle(y, 3), x)


def test_crop_images() -> None:
    x = np.random.default_rng(6).standard_normal((2, 6, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(fc.ops.crop_images(x, 1, 2, 4, 5), x[:, 1:5, 2:7])
    np.testing.assert_array_equal(fc.ops.crop_images(x, 3), x[:, 3:])
    with pytest.raises(ShapeError, match="do not lie inside"):
        fc.ops.crop_images(x, 3, 0, 4)


def test_errors_say_what_was_expected_and_what_came() -> None:
    x = np.zeros((1, 4, 6, 4), np.float32)
    with pytest.raises(ConfigError, match="coordinate: expected one of 'half_pixel'"):
        fc.ops.resize(x, 2, coordinate="middle")
    with pytest.raises(ConfigError, match="size"):
        fc.ops.resize(x, (0, 2))
    with pytest.raises(ShapeError, match=r"must not be empty, got shape \(1, 0, 6, 4\)"):
        fc.ops.resize(x[:, :0], 2)
    with pytest.raises(ShapeError, match="multiples of block_size 4"):
        fc.ops.space_to_depth(x, 4)
    with pytest.raises(ShapeError, match=r"a multiple of block_size\^2 9"):
        fc.ops.depth_to_space(x, 3)
    with pytest.raises(ConfigError, match="block_size"):
        fc.ops.depth_to_space(x, 0)
    with pytest.raises(DTypeError, match="real numbers"):
        fc.ops.resize(x.astype(complex), 2)
