"""Data: sets of examples, batches of them in a reproducible order, augmentation, readers of files, well-known data sets."""

from pyengine.data import datasets, transforms
from pyengine.data.dataset import Dataset, Subset, TensorDataset, collate, random_split
from pyengine.data.loader import DataLoader
from pyengine.data.readers import ImageFolder, read_cifar, read_csv, read_idx, read_image, read_text

__all__ = [
    "DataLoader",
    "Dataset",
    "ImageFolder",
    "Subset",
    "TensorDataset",
    "collate",
    "datasets",
    "random_split",
    "read_cifar",
    "read_csv",
    "read_idx",
    "read_image",
    "read_text",
    "transforms",
]
