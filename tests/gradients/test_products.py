"""Gradients of convolutions, dense layers and matrix products against finite differences."""

from typing import Any

import numpy as np
import pytest

from tests.gradients.harness import assert_gradients_match
from tests.reference import convolution, depthwise

Shapes = tuple[tuple[int, ...], ...]


def arrays(shapes: Shapes, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


def with_epilogue(sums: Any, attrs: dict[str, Any]) -> Any:
    """The op in float64: sums, then the bias and the residual that are there."""
    plain = {k: v for k, v in attrs.items() if not k.startswith("has_")}

    def reference(x: np.ndarray, w: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        return sum(extra, start=sums(x, w, **plain))

    return reference


CONV = [
    (((2, 5, 6, 3), (3, 3, 3, 4)), {"padding": "same"}),
    (((2, 5, 6, 3), (3, 3, 3, 4)), {"padding": "valid"}),
    (((1, 4, 5, 2), (1, 1, 2, 3)), {}),
    (((2, 7, 8, 3), (3, 3, 3, 4)), {"strides": 2, "padding": "same"}),
    (((2, 7, 8, 3), (1, 1, 3, 4)), {"strides": 2}),
    (((1, 9, 11, 3), (5, 4, 3, 4)), {"strides": (2, 3), "pads": (1, 2, 0, 3)}),
    (((1, 6, 7, 4), (2, 3, 4, 4)), {"dilation": (3, 2), "padding": "same"}),
    (((1, 9, 8, 4), (3, 3, 4, 4)), {"dilation": 2, "strides": 3, "pads": (2, 1, 1, 2)}),
    (((2, 5, 5, 6), (3, 3, 2, 9)), {"groups": 3, "padding": "same"}),
    (((1, 6, 6, 6), (3, 3, 3, 4)), {"groups": 2, "strides": 2, "padding": "same"}),
    # More padding than the window reaches; columns that no window reads.
    (((1, 3, 4, 2), (2, 2, 2, 3)), {"pads": (3, 1, 2, 4)}),
    (((1, 8, 9, 2), (2, 2, 2, 3)), {"strides": 3}),
    # Winograd, and sums that AMX takes.
    (((1, 13, 12, 32), (3, 3, 32, 40)), {"padding": "same"}),
    (((2, 8, 8, 64), (3, 3, 64, 72)), {"padding": "same", "strides": 2}),
    (((3, 4, 5, 130), (1, 1, 130, 140)), {}),
]


@pytest.mark.parametrize(("shapes", "attrs"), CONV)
def test_conv2d(shapes: Shapes, attrs: dict[str, Any]) -> None:
    assert_gradients_match(
        "conv2d", arrays(shapes), attrs, lambda x, w: convolution.conv2d(x, w, **attrs)
    )


TRANSPOSE = [
    (((2, 3, 4, 3), (2, 2, 4, 3)), {"strides": 2}),
    (((1, 4, 3, 4), (3, 3, 5, 4)), {"padding": "same"}),
    (((1, 4, 3, 4), (5, 4, 5, 4)), {"strides": 2, "padding": "same"}),
    (((1, 3, 4, 2), (2, 1, 3, 2)), {"strides": 3}),
    (((1, 4, 5, 3), (3, 3, 2, 3)), {"strides": 2, "pads": (1, 1, 1, 1), "output_padding": 1}),
    (((1, 4, 4, 4), (3, 3, 2, 4)), {"strides": 2, "groups": 2, "dilation": 2}),
]


@pytest.mark.parametrize(("shapes", "attrs"), TRANSPOSE)
def test_conv2d_transpose(shapes: Shapes, attrs: dict[str, Any]) -> None:
    assert_gradients_match(
        "conv2d_transpose",
        arrays(shapes),
        attrs,
        lambda x, w: convolution.conv2d_transpose(x, w, **attrs),
    )


@pytest.mark.parametrize(
    ("op", "sums", "shapes", "attrs"),
    [
        ("conv2d", convolution.conv2d, ((2, 4, 5, 3), (3, 3, 3, 4)), {"padding": "same"}),
        (
            "conv2d_transpose",
            convolution.conv2d_transpose,
            ((2, 3, 4, 3), (2, 2, 4, 3)),
            {"strides": 2},
        ),
        (
            "depthwise_conv2d",
            depthwise.depthwise_sum,
            ((2, 4, 5, 3), (3, 3, 3, 2)),
            {"padding": "same"},
        ),
        ("dense", lambda x, w: x @ w, ((6, 5), (5, 7)), {}),
    ],
)
@pytest.mark.parametrize(("bias", "residual"), [(True, False), (False, True), (True, True)])
def test_bias_and_residual(
    op: str, sums: Any, shapes: Shapes, attrs: dict[str, Any], bias: bool, residual: bool
) -> None:
    y = sums(*arrays(shapes), **attrs)
    extra = ((y.shape[-1],),) * bias + (y.shape,) * residual
    attrs = {**attrs, "has_bias": bias, "has_residual": residual}
    assert_gradients_match(op, arrays((*shapes, *extra)), attrs, with_epilogue(sums, attrs))


@pytest.mark.parametrize(
    "shapes", [((6, 5), (5, 7)), ((2, 3, 4), (4, 9)), ((5,), (5, 3)), ((40, 130), (130, 150))]
)
def test_dense(shapes: Shapes) -> None:
    assert_gradients_match("dense", arrays(shapes), {}, lambda x, w: x @ w)


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("batches", [((), ()), ((3,), ()), ((), (3,)), ((3,), (3,))])
@pytest.mark.parametrize("sizes", [(4, 5, 6), (4, 4, 4), (1, 5, 1), (5, 1, 5)])
def test_matmul(
    transpose_a: bool,
    transpose_b: bool,
    batches: tuple[tuple[int, ...], ...],
    sizes: tuple[int, int, int],
) -> None:
    rows, depth, columns = sizes
    a = (depth, rows) if transpose_a else (rows, depth)
    b = (columns, depth) if transpose_b else (depth, columns)

    def reference(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return (x.swapaxes(-1, -2) if transpose_a else x) @ (
            w.swapaxes(-1, -2) if transpose_b else w
        )

    assert_gradients_match(
        "matmul",
        arrays(((*batches[0], *a), (*batches[1], *b))),
        {"transpose_a": transpose_a, "transpose_b": transpose_b},
        reference,
    )


DEPTHWISE = [
    (((2, 5, 6, 3), (3, 3, 3, 1)), {"padding": "same"}),
    (((2, 7, 6, 5), (3, 3, 5, 1)), {"padding": "same", "strides": 2}),
    (((1, 5, 6, 3), (3, 2, 3, 2)), {"padding": "same"}),
    (((1, 9, 8, 3), (3, 3, 3, 2)), {"strides": (2, 3), "pads": (1, 0, 2, 1)}),
    (((1, 8, 7, 3), (3, 2, 3, 1)), {"dilation": (2, 3), "padding": "same"}),
    (((1, 4, 5, 3), (2, 2, 3, 1)), {"pads": (2, 1, 3, 2)}),
]


@pytest.mark.parametrize(("shapes", "attrs"), DEPTHWISE)
def test_depthwise_conv2d(shapes: Shapes, attrs: dict[str, Any]) -> None:
    assert_gradients_match(
        "depthwise_conv2d",
        arrays(shapes),
        attrs,
        lambda x, w: depthwise.depthwise_sum(x, w, **attrs),
    )
