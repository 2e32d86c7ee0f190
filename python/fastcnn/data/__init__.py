"""Data to train on: folders of pictures, arrays, HDF5 files, generators.

Every data set is a `Dataset`: an iterable of batches that can be gone through again and again.
The functions are imported on first use, so that ``import fastcnn`` stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastcnn.data.arrays import ArrayDataset
    from fastcnn.data.dataset import AUTOTUNE, Dataset, from_generator
    from fastcnn.data.hdf5 import HDF5Dataset
    from fastcnn.data.images import ImageDataset, find_damaged, image_dataset_from_directory
    from fastcnn.data.samplers import PKSampler

__all__ = [
    "AUTOTUNE",
    "ArrayDataset",
    "Dataset",
    "HDF5Dataset",
    "ImageDataset",
    "PKSampler",
    "find_damaged",
    "from_generator",
    "image_dataset_from_directory",
]

_MODULES = {
    "AUTOTUNE": "dataset",
    "ArrayDataset": "arrays",
    "Dataset": "dataset",
    "HDF5Dataset": "hdf5",
    "ImageDataset": "images",
    "PKSampler": "samplers",
    "find_damaged": "images",
    "from_generator": "dataset",
    "image_dataset_from_directory": "images",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
