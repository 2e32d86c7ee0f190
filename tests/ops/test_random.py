"""Random numbers: every row on every case, the generator against published answers, its quality."""

import numpy as np
import pytest

from fastcnn import _C
from fastcnn.errors import ConfigError, DTypeError, ShapeError
from tests.cases import random as cases
from tests.gradients.harness import gradients
from tests.harness import (
    UNIT_ROUNDOFF,
    Case,
    assert_within,
    each_kernel,
    kernel_rows,
    run_kernel,
    same_bits_at_any_thread_count,
)
from tests.reference import random as reference


def source(case: Case) -> tuple[int, int, int]:
    """Seed, step and stream of a case."""
    seed, step = cases.KEY
    return case.attrs.get("seed", seed), step, case.attrs.get("stream", 0)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_the_reference_gives_the_known_answers_of_random123(
    counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    assert tuple(reference.philox(np.array([counter]), key)[0].tolist()) == words


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.DROPOUT))
def test_dropout(kernel: str, case: Case) -> None:
    x, key = case.inputs()
    x.reshape(-1)[1::7] = np.nan
    (y,) = run_kernel(kernel, case, [x, key])
    rate = case.attrs["rate"]
    kept = (reference.uniform(x.size, *source(case)) >= rate).reshape(x.shape)
    scale = np.float32(1 / (1 - rate) if rate < 1 else 0)
    np.testing.assert_array_equal(y, np.where(kept, x * scale, np.float32(0)))
    assert not np.signbit(y[~kept]).any()


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.UNIFORM))
def test_uniform(kernel: str, case: Case) -> None:
    low, high = (np.float32(case.attrs.get(k, d)) for k, d in (("low", 0), ("high", 1)))
    (y,) = run_kernel(kernel, case, case.inputs())
    unit = reference.uniform(y.size, *source(case)).reshape(y.shape)
    expected = float(low) + (float(high) - float(low)) * unit
    assert_within(y, expected, 3 * UNIT_ROUNDOFF * (abs(low) + abs(high)))
    assert (y >= low).all()
    assert (y < high).all() or low == high


@pytest.mark.parametrize(("kernel", "case"), each_kernel(cases.NORMAL))
def test_normal(kernel: str, case: Case) -> None:
    mean, stddev = case.attrs.get("mean", 0.0), case.attrs.get("stddev", 1.0)
    (y,) = run_kernel(kernel, case, case.inputs())
    n = reference.normal(y.size, *source(case)).reshape(y.shape)
    bound = UNIT_ROUNDOFF * (2 * abs(mean) + 8 * stddev * np.abs(n))
    assert_within(y, mean + stddev * n, bound + 1e-12 * stddev)


def test_numbers_look_random() -> None:
    key = np.array([1, 2], np.int64)
    runs = {}
    for op in ("random_uniform", "random_normal"):
        graph = _C.Graph()
        given = graph.input((2,), "int64")
        graph.set_outputs(
            graph.add(op, [given], {"shape": (1000, 1000), "stream": s})[0] for s in (0, 1)
        )
        runs[op] = _C.compile(graph).run([key])
    a, b = (x.astype(np.float64) for x in runs["random_uniform"])
    assert abs(a.mean() - 0.5) < 2e-3
    assert abs(a.var() - 1 / 12) < 1e-3
    counts = np.histogram(a, 1000)[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 1250  # chi square of 999 degrees of freedom
    n, m = (x.astype(np.float64) for x in runs["random_normal"])
    assert abs(n.mean()) < 5e-3
    assert abs(n.var() - 1) < 1e-2
    assert abs((n**4).mean() - 3) < 0.1
    assert 4 < np.abs(n).max() < 6
    for first, second in [(a, b), (n, m), (n[:, ::2], n[:, 1::2]), (a[:-1], a[1:])]:
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5e-3


@pytest.mark.parametrize("kernel", kernel_rows("random_uniform"))
def test_key_seed_and_stream_each_change_the_numbers(kernel: str) -> None:
    def draw(key: tuple[int, int], **attrs: int) -> bytes:
        case = cases.KeyCase("random_uniform", ((2,),), {"shape": (16,), **attrs}, key)
        return run_kernel(kernel, case, case.inputs())[0].tobytes()

    first = draw((1, 1))
    assert len({first, draw((2, 1)), draw((1, 2)), draw((1, 1), stream=1), draw((1, 2**40))}) == 5
    assert draw((1, 1), seed=2) == draw((2, 1)) == draw((5, 1), seed=2)


def test_the_gradient_of_dropout_drops_the_same_elements() -> None:
    x = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)
    key = np.array([3, 4], np.int64)
    attrs = {"rate": 0.25, "stream": 3}
    (y,) = run_kernel(kernel_rows("dropout")[0], Case("dropout", (x.shape, (2,)), attrs), [x, key])
    dy = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    (dx,) = gradients("dropout", [x, key], attrs, [dy])
    np.testing.assert_array_equal(dx, np.where(y == 0, 0, dy * np.float32(1 / 0.75)))
    assert 0.15 < (y == 0).mean() < 0.35


@pytest.mark.parametrize("case", cases.BENCHMARK)
def test_same_bits_at_any_thread_count(case: Case) -> None:
    same_bits_at_any_thread_count(case)


@pytest.mark.parametrize(
    ("attrs", "key", "error", "match"),
    [
        ({"rate": 1.5}, ((2,), "int64"), ConfigError, "rate: expected a number from 0 to 1"),
        ({"stream": -1}, ((2,), "int64"), ConfigError, "stream: expected an integer from 0"),
        ({}, ((2,), "float32"), DTypeError, "the key must be int64, got float32"),
        ({}, ((3,), "int64"), ShapeError, r"the key must have shape \(2,\)"),
    ],
)
def test_bad_dropout_is_refused(attrs, key, error, match) -> None:
    graph = _C.Graph()
    with pytest.raises(error, match=match):
        graph.add("dropout", [graph.input((3,)), graph.input(*key)], attrs)


@pytest.mark.parametrize(
    ("op", "attrs", "error", "match"),
    [
        ("random_uniform", {"low": 1.0, "high": 0.0}, ConfigError, "expected low <= high"),
        ("random_uniform", {"low": -3e38, "high": 3e38}, ConfigError, "a finite range"),
        ("random_uniform", {"shape": (-1,)}, ShapeError, "expected sizes >= 0"),
        ("random_uniform", {"shape": (2**40, 2**40)}, ShapeError, "at most 2\\^34 elements"),
        ("random_normal", {"stddev": -1.0}, ConfigError, "stddev: expected a number >= 0"),
        ("random_normal", {"mean": float("nan")}, ConfigError, "mean: expected a finite number"),
    ],
)
def test_bad_distributions_are_refused(op, attrs, error, match) -> None:
    graph = _C.Graph()
    with pytest.raises(error, match=match):
        graph.add(op, [graph.input((2,), "int64")], attrs)
