"""Large pictures fit in memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
import fastcnn as fc

rng = np.random.default_rng(0)
content, style = rng.integers(0, 256, (2, 512, 512, 3)).astype(np.uint8)
paint = fc.style.StyleTransfer(size=2048, scales=1, iterations=1, weights=None)
assert paint(content, style, verbose=0).shape == (2048, 2048, 3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_2048_pixels_need_less_than_8_gigabytes() -> None:
    pytest.importorskip("resource", reason="tells how much memory a process has held")
    pytest.importorskip("PIL.Image", reason="resizes pictures")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 8e9
