"""FASTCNN_MAX_ISA caps the choice of kernels; what the CPU lacks is an error, never SIGILL."""

import numpy as np
import pytest

import fastcnn as fc
from fastcnn import _C
from fastcnn.errors import ConfigError
from tests.harness import ISA_ORDER

X = np.ones((1, 4, 4, 3), np.float32)
LEVELS = ISA_ORDER[: ISA_ORDER.index(_C.cpu_isa()) + 1]


@pytest.mark.parametrize("level", LEVELS)
def test_the_cap_chooses_the_kernel(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_MAX_ISA", level)
    assert _C.max_isa() == level
    graph = _C.Graph()
    x = graph.input(X.shape)
    graph.set_outputs(graph.add("max_pool2d", [x], {}))
    (step,) = _C.compile(graph).steps()
    used = step["kernel"].rsplit("_", 1)[1]
    assert ISA_ORDER.index(used) <= ISA_ORDER.index(level)
    better = [name for name, _ in step["declined"]]
    assert all("instruction set" in reason for _, reason in step["declined"])
    rows = [row["name"] for row in _C.kernels("max_pool2d")]
    assert rows[: len(better)] == better


def test_an_unknown_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_MAX_ISA", "sse9")
    with pytest.raises(
        ConfigError,
        match="expected one of ref, avx2, avx512, avx512vnni, avx512bf16, amx; got 'sse9'",
    ):
        fc.ops.max_pool2d(X)


@pytest.mark.skipif(_C.cpu_isa() == "amx", reason="this CPU has every level there is")
def test_a_level_the_cpu_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTCNN_MAX_ISA", "amx")
    with pytest.raises(ConfigError, match="more than this CPU has"):
        fc.ops.max_pool2d(X)
