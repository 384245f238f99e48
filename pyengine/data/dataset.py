"""Sets of examples, and batches of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt

from pyengine.autograd import no_grad
from pyengine.creation import asarray
from pyengine.ops import stack
from pyengine.tensor import Tensor

Item = TypeVar("Item", covariant=True)
Indices = npt.NDArray[np.int64]


class Dataset(Generic[Item]):
    """Examples by number: a subclass defines ``__len__`` and ``__getitem__``, and ``batch`` where it can fetch many at once."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> Item:
        raise NotImplementedError

    def batch(self, indices: Indices) -> Any:
        """The examples at ``indices``, collated: by default one at a time."""
        return collate([self[int(i)] for i in indices])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Item i is ``(a[i], b[i], ...)`` of tensors (or NumPy arrays) whose first axes are equally long."""

    def __init__(self, *arrays: Any) -> None:
        self.tensors: tuple[Tensor, ...] = tuple(asarray(array) for array in arrays)
        shapes = [t.shape for t in self.tensors]
        if not shapes or any(not shape or shape[0] != shapes[0][0] for shape in shapes):
            raise ValueError(
                f"TensorDataset: lengths differ: shapes {shapes}; at least one tensor, and the same first axis in all, expected"
            )

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def batch(self, indices: Indices) -> tuple[Tensor, ...]:
        with no_grad():
            return tuple(t[indices] for t in self.tensors)


class Subset(Dataset[Item]):
    """The examples of ``dataset`` at ``indices``."""

    def __init__(self, dataset: Dataset[Item] | Sequence[Item], indices: Sequence[int] | Indices) -> None:
        self.dataset = dataset
        self.indices = np.asarray(indices, dtype=np.int64)
        if self.indices.ndim != 1 or (self.indices.size and not 0 <= self.indices.min() <= self.indices.max() < len(dataset)):
            raise ValueError(f"Subset: indices must be one axis of numbers in [0, {len(dataset)}): shape {self.indices.shape}")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Item:
        return self.dataset[int(self.indices[index])]

    def batch(self, indices: Indices) -> Any:
        return fetch_batch(self.dataset, self.indices[indices])


def random_split(dataset: Dataset[Item] | Sequence[Item], lengths: Sequence[int | float], seed: int = 0) -> list[Subset[Item]]:
    """Disjoint random subsets of the given lengths, which are counts, or shares that sum to 1. The same seed gives the same split.

    Shares are rounded down; what is left over goes to the subsets one by one from the first, as in PyTorch.
    """
    n = len(dataset)
    counts = [int(length) for length in lengths]
    if any(isinstance(length, float) for length in lengths) and abs(sum(lengths) - 1) < 1e-9:
        counts = [int(n * length) for length in lengths]
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
    if sum(counts) != n or min(counts, default=0) < 0:
        raise ValueError(f"random_split: lengths {list(lengths)} do not cover {n} examples; counts must sum to {n}, or shares to 1")
    order = np.random.default_rng(seed).permutation(n)
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(counts)[:-1])]


def fetch_batch(dataset: Dataset[Any] | Sequence[Any], indices: Indices) -> Any:
    """The examples at ``indices`` as a batch, from a Dataset or anything that has items."""
    return dataset.batch(indices) if isinstance(dataset, Dataset) else collate([dataset[int(i)] for i in indices])


def collate(samples: Sequence[Any]) -> Any:
    """A batch of samples: arrays and tensors stacked, numbers made into an array; tuples, lists and dicts by element; the rest a list.

    Python floats become float32, ints int64, as in ``asarray``.
    """
    first = samples[0]
    if isinstance(first, dict):
        return {key: collate([sample[key] for sample in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        if any(len(sample) != len(first) for sample in samples):
            raise ValueError(
                f"collate: samples of different lengths: {sorted({len(sample) for sample in samples})}; all must have as many parts"
            )
        return tuple(collate(part) for part in zip(*samples, strict=True))
    if isinstance(first, (np.ndarray, np.generic)):
        return np.stack(cast(Any, samples))
    if isinstance(first, float):
        return np.asarray(samples, np.float32)
    if isinstance(first, (bool, int)):
        return np.asarray(samples, np.bool_ if isinstance(first, bool) else np.int64)
    if isinstance(first, (str, bytes, os.PathLike)):
        return list(samples)
    if isinstance(first, Tensor):
        with no_grad():
            return stack(samples)
    return list(samples)
