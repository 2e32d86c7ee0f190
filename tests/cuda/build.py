"""Builds the CUDA sources for the CPU.

``python -m tests.cuda.build FOLDER [address,undefined | thread]``, with those sanitizers. Tests run
on it with ``FASTCNN_CUDA_BACKEND=FOLDER``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pybind11

HERE = Path(__file__).resolve().parent


def build(folder: Path, sanitize: str = "", jobs: int = 2) -> Path:
    """Compile the module into `folder`, and give its file."""
    configure = [
        *("cmake", "-S", str(HERE), "-B", str(folder), "-G", "Ninja"),
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-DFASTCNN_SANITIZE={sanitize}",
    ]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(folder), "--parallel", str(jobs)], check=True)
    return next(folder.glob("_cuda_emulated*.so"))


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), *sys.argv[2:3]))
