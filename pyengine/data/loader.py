"""Batches in an order that depends on the seed and the epoch alone, made ahead of time by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from pyengine.creation import asarray
from pyengine.data.dataset import Dataset, Indices, fetch_batch
from pyengine.tensor import Tensor


class DataLoader:
    """The batches of a data set, one epoch for each ``iter``.

    ``shuffle`` puts the examples in an order drawn from (seed, epoch). ``transform(*batch, rng=...)`` augments a batch with a generator
    drawn from (seed, epoch, number of the batch): see ``pyengine.data.transforms``. So a run gives the same batches however many
    threads make them, and ``batches(epoch, start)`` goes on in the middle of an epoch as if it had never stopped.

    With ``num_workers`` threads, up to ``num_workers * prefetch_factor`` batches are made ahead; none is made in the caller's thread. An
    exception in a worker is raised where its batch would have come; leaving the loop early stops the workers. Threads suffice: NumPy
    and the engine work outside Python's lock.

    ``dataset`` is a Dataset, or anything with ``__len__`` and ``__getitem__``. ``collate_fn`` makes a batch of a list of samples.
    Arrays come out as Tensors on ``device``.
    """

    def __init__(
        self,
        dataset: Dataset[Any] | Sequence[Any],
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        seed: int = 0,
        drop_last: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        transform: Callable[..., Any] | None = None,
        num_workers: int = 0,
        prefetch_factor: int = 2,
        device: str = "cpu",
    ) -> None:
        for name, value, least in (("batch_size", batch_size, 1), ("num_workers", num_workers, 0), ("prefetch_factor", prefetch_factor, 1)):
            if value < least:
                raise ValueError(f"DataLoader: {name} too small: {value}; at least {least}")
        self.dataset = dataset
        self.batch_size, self.shuffle, self.seed, self.drop_last = batch_size, shuffle, seed, drop_last
        self.collate_fn, self.transform = collate_fn, transform
        self.num_workers, self.prefetch_factor, self.device = num_workers, prefetch_factor, device
        self.epoch = 0

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        return self.batches(epoch)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of one epoch, from number ``start`` on."""
        order = self.order(epoch)
        numbers = range(start, len(self))
        if self.num_workers == 0:
            return (self._make(order, epoch, number) for number in numbers)
        return self._made_ahead(order, epoch, numbers)

    def order(self, epoch: int) -> Indices:
        """The examples in the order of one epoch."""
        n = len(self.dataset)
        return self._generator(epoch).permutation(n) if self.shuffle else np.arange(n)

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def _make(self, order: Indices, epoch: int, number: int) -> Any:
        batch = self._fetch(order[number * self.batch_size : (number + 1) * self.batch_size])
        if self.transform is not None:
            parts = batch if isinstance(batch, tuple) else (batch,)
            batch = self.transform(*parts, rng=self._generator(epoch, number))
        return _to_tensors(batch, self.device)

    def _fetch(self, indices: Indices) -> Any:
        if self.collate_fn is None:
            return fetch_batch(self.dataset, indices)
        return self.collate_fn([self.dataset[int(i)] for i in indices])

    def _made_ahead(self, order: Indices, epoch: int, numbers: range) -> Iterator[Any]:
        """Batches in order from a pool of threads; the queue of pending ones is as long as what may be made ahead."""
        pool = ThreadPoolExecutor(self.num_workers, thread_name_prefix="DataLoader")
        pending: deque[Future[Any]] = deque()
        try:
            for number in numbers:
                pending.append(pool.submit(self._make, order, epoch, number))
                if len(pending) > self.num_workers * self.prefetch_factor:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _to_tensors(batch: Any, device: str) -> Any:
    if isinstance(batch, np.ndarray):
        return asarray(batch, device=device)
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, tuple):
        return tuple(_to_tensors(part, device) for part in batch)
    if isinstance(batch, dict):
        return {key: _to_tensors(part, device) for key, part in batch.items()}
    return batch
