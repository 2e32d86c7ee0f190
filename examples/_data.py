"""Where the examples find their data."""

from __future__ import annotations

import argparse
import gzip
import os
from pathlib import Path

import numpy as np


def folder(name: str, given: str | None = None) -> Path:
    """The data of a name: the folder given, or that of the tests."""
    if given is not None:
        return Path(given)
    shared = os.environ.get("FASTCNN_TEST_DATA", Path(__file__).parents[2] / "shared")
    path = Path(shared) / "data" / name
    if not path.exists():
        raise SystemExit(f"{path} does not exist: say where the data are with --data")
    return path


def parse(description: str | None, epochs: int, **flags: str) -> argparse.Namespace:
    """The options that all examples have, and switches of one's own with their help."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--data", help="where the data are")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--plot", help="draw the curves of training to this PNG")
    for name, text in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser.parse_args()


def read_idx(path: Path) -> np.ndarray:
    """Read an array in the format of MNIST: a header of big-endian sizes, then bytes."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        data = file.read()
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
