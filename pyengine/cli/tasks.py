"""What can be trained on: where the data come from, what the classes are called, which augmentation suits them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyengine.data import TensorDataset, datasets
from pyengine.data.transforms import Compose, RandomAffine, RandomCrop, RandomHorizontalFlip, Transform


@dataclass(frozen=True)
class Task:
    """A data set, and how it is usually trained on."""

    load: Callable[[Path, bool, bool], TensorDataset]
    """load(folder, train, download)"""
    classes: tuple[str, ...]
    augmentation: Transform | Compose
    epochs: int
    digit_box: float | None = None
    """Of handwritten digits: which share of the image's side the digit fills."""
    carried: bool = False
    """scikit-learn has it: there is no folder to read."""


TASKS = {
    "digits": Task(
        lambda folder, train, download: datasets.digits(train),
        datasets.DIGITS,
        RandomAffine(degrees=8, translate=0.06, scale=(0.95, 1.05)),
        epochs=30,
        digit_box=1.0,
        carried=True,
    ),
    "mnist": Task(
        lambda folder, train, download: datasets.mnist(folder, train, download=download),
        datasets.DIGITS,
        RandomAffine(degrees=10, translate=0.07, scale=(0.9, 1.1), shear=5),
        epochs=10,
        digit_box=20 / 28,
    ),
    "fashion-mnist": Task(
        lambda folder, train, download: datasets.fashion_mnist(folder, train, download=download),
        datasets.FASHION,
        Compose(RandomHorizontalFlip(), RandomCrop(28, padding=2)),
        epochs=10,
    ),
    "cifar10": Task(
        lambda folder, train, download: datasets.cifar10(folder, train, download=download),
        datasets.CIFAR10,
        Compose(RandomHorizontalFlip(), RandomCrop(32, padding=4)),
        epochs=20,
    ),
}


def data_folder(name: str, chosen: str | None) -> Path:
    """The folder given, or the data set's own below $PYENGINE_DATA, or below ``data``."""
    return Path(chosen) if chosen else Path(os.environ.get("PYENGINE_DATA", "data")) / name
