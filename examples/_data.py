"""What all examples need: their data, their options, and packages that not everybody has."""

from __future__ import annotations

import argparse
import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
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


def make_folder(path: str | Path) -> Path:
    """Make a folder for results, unless there is one, before anything is computed for it."""
    made = Path(path)
    made.mkdir(parents=True, exist_ok=True)
    return made


@contextmanager
def needs(package: str) -> Iterator[None]:
    """Around an import: say what to install where a package is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error.name} is not installed: pip install {package}") from None


def options_of(description: str | None) -> argparse.ArgumentParser:
    """A parser of options whose help begins with the first paragraph of a script's description."""
    paragraph = (description or "").split("\n\n")[0]
    return argparse.ArgumentParser(description=" ".join(paragraph.split()))


def parse(
    description: str | None, epochs: int, data: bool = True, plot: bool = True, **flags: str
) -> argparse.Namespace:
    """The options of examples that train, and switches of one's own with their help."""
    parser = options_of(description)
    if data:
        parser.add_argument("--data", help="where the data are")
    parser.add_argument("--epochs", type=int, default=epochs)
    if plot:
        parser.add_argument("--plot", help="draw the curves of training to this PNG")
    for name, text in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    options = parser.parse_args()
    if plot and options.plot:
        make_folder(Path(options.plot).parent)
    return options


def read_idx(path: Path) -> np.ndarray:
    """Read an array in the format of MNIST: a header of big-endian sizes, then bytes."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        data = file.read()
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)
