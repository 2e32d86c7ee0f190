"""Damages files in the ways that disks, networks and attackers do, and watches their readers.

``FASTCNN_FUZZ_EXAMPLES=10000 pytest tests/io -k fuzz`` tries more than the plain run does.
"""

from __future__ import annotations

import os
import signal
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings, strategies as st

from fastcnn.errors import FastcnnError

# Generous beside files of a few kilobytes; far below what a trusted length field could ask for.
MEMORY_LIMIT = 64 * 2**20
SECONDS = 20


def fuzzed(examples: int = 150) -> settings:
    """Settings of a test that tries so many damaged files, or as many as the environment says."""
    return settings(
        max_examples=int(os.environ.get("FASTCNN_FUZZ_EXAMPLES", examples)),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def check(read: Callable[[], object]) -> None:
    """Read a file that may be damaged: it works or raises an error of ours, in bounds."""
    tracemalloc.start()
    try:
        with warnings.catch_warnings(), _bounded_time():
            warnings.simplefilter("ignore")  # Pillow warns of damage that it can live with
            read()
    except FastcnnError as error:
        assert str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MEMORY_LIMIT


@contextmanager
def _bounded_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise AssertionError(f"reading takes more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """One of `originals`, cut off, with bytes changed, or with a piece removed or repeated."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        # The head and the tail hold the structure: aim there half of the time.
        at = draw(
            st.one_of(
                st.integers(0, len(data) - 1),
                st.integers(0, min(256, len(data) - 1)),
                st.integers(max(0, len(data) - 256), len(data) - 1),
            )
        )
        kind = draw(st.sampled_from(["change", "change", "extreme", "cut", "remove", "repeat"]))
        length = draw(st.integers(1, 16))
        if kind == "change":
            data[at] = draw(st.integers(0, 255))
        elif kind == "extreme":
            data[at : at + length] = draw(st.sampled_from([b"\0", b"\xff", b"\x7f"])) * length
        elif kind == "cut":
            del data[at:]
        elif kind == "remove":
            del data[at : at + length]
        else:
            data[at:at] = data[at : at + length]
    return bytes(data)
