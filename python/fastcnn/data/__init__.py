"""Data to train on: folders of pictures, arrays, HDF5 files, generators.

Every data set is a `Dataset`: an iterable of batches that can be gone through again and again.
"""

from fastcnn.data.arrays import ArrayDataset, HDF5Dataset
from fastcnn.data.dataset import AUTOTUNE, Dataset, from_generator
from fastcnn.data.images import ImageDataset, find_damaged, image_dataset_from_directory

__all__ = [
    "AUTOTUNE",
    "ArrayDataset",
    "Dataset",
    "HDF5Dataset",
    "ImageDataset",
    "find_damaged",
    "from_generator",
    "image_dataset_from_directory",
]
