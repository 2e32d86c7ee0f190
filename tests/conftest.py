"""What holds for all tests."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn import _C, cuda

# Weights that are not on this machine stay away.
os.environ.setdefault("FASTCNN_OFFLINE", "1")


def _load_emulated(folder: Path) -> None:
    """Load the CUDA kernels that tests/cuda/build.py compiled for the CPU."""
    os.environ.setdefault("FASTCNN_EMULATOR_DEVICES", "2")  # so that one is not taken for another
    (file,) = folder.glob("_cuda_emulated*.so")
    spec = importlib.util.spec_from_file_location("_cuda_emulated", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _C.install_devices(module.devices())


# Where FASTCNN_CUDA_BACKEND names a folder of tests.cuda.build, its kernels are tested as those of
# a GPU are on a machine that has one.
if "FASTCNN_CUDA_BACKEND" in os.environ:
    _load_emulated(Path(os.environ["FASTCNN_CUDA_BACKEND"]))
elif cuda.is_available():
    pass  # loaded: its rows are in the kernel tables

_first_states: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _the_same_numbers(request: pytest.FixtureRequest) -> None:
    """Let each test find the generator of its module as it was made, whichever ran before."""
    module = request.node.getparent(pytest.Module)
    for name in ("rng", "RNG"):
        generator = getattr(getattr(module, "obj", None), name, None)
        if isinstance(generator, np.random.Generator):
            bits = generator.bit_generator
            bits.state = _first_states.setdefault(module.nodeid, bits.state)
