"""Data sets and loaders: what a batch holds, the order it comes in, and threads that neither change it nor stay behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pyengine as pe
from pyengine.data import DataLoader, Dataset, Subset, TensorDataset, collate, random_split
from pyengine.data.transforms import MixUp, RandomAffine


def dataset(count: int = 23) -> TensorDataset:
    return TensorDataset(np.random.default_rng(0).random((count, 1, 6, 6), np.float32), np.arange(count))


def contents(loader: DataLoader, epoch: int = 0, start: int = 0) -> list[list[Any]]:
    return [[part.numpy().tolist() for part in batch] for batch in loader.batches(epoch, start)]


class Squares(Dataset[tuple[float, int]]):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[float, int]:
        if index == 7:
            raise KeyError("seven is missing")
        return float(index**2), index


@pytest.fixture(autouse=True)
def no_thread_stays_behind() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


# Data sets --------------------------------------------------------------------------------------------------------------------------------


def test_tensor_dataset() -> None:
    images = pe.asarray(np.arange(12, dtype=np.float32).reshape(4, 3))
    data = TensorDataset(images, [5, 6, 7, 8])
    assert len(data) == 4
    x, y = data[2]
    assert (x.numpy().tolist(), y.item()) == ([6, 7, 8], 7)
    x, y = data.batch(np.array([3, 0, 3]))
    assert (x.numpy()[:, 0].tolist(), y.numpy().tolist()) == ([9, 0, 9], [8, 5, 8])
    for wrong in [(), (images, [1, 2]), (np.float32(1),)]:
        with pytest.raises(ValueError, match="TensorDataset: lengths differ"):
            TensorDataset(*wrong)


def test_random_split_is_a_partition_that_the_seed_decides() -> None:
    for lengths in ([20, 3], [0.5, 0.3, 0.2], [23], [0.0, 1.0]):
        parts = random_split(dataset(), lengths, seed=1)
        indices = np.concatenate([part.indices for part in parts])
        assert sorted(indices) == list(range(23))
        again = random_split(dataset(), lengths, seed=1)
        assert all(np.array_equal(a.indices, b.indices) for a, b in zip(parts, again, strict=True))
    assert [len(part) for part in random_split(dataset(), [0.5, 0.3, 0.2])] == [12, 7, 4]
    assert not np.array_equal(random_split(dataset(), [20, 3], seed=2)[0].indices, random_split(dataset(), [20, 3], seed=1)[0].indices)
    for lengths in ([20], [20, 4], [-1, 24], [0.5, 0.4]):
        with pytest.raises(ValueError, match="random_split: lengths"):
            random_split(dataset(), lengths)


def test_subsets_of_subsets_and_of_lists() -> None:
    inner = Subset(dataset(), [20, 10, 0])
    outer = Subset(inner, [2, 0])
    assert [label.item() for _, label in (outer[0], outer[1])] == [0, 20]
    assert outer.batch(np.array([1]))[1].numpy().tolist() == [20]
    assert Subset(["a", "b"], [1]).batch(np.array([0])) == ["b"]
    with pytest.raises(ValueError, match=r"numbers in \[0, 23\)"):
        Subset(dataset(), [23])


def test_collate() -> None:
    x, y, name, extra = collate([(1.5, 2, "a", {"m": np.ones(2)}), (2.5, 3, "b", {"m": np.zeros(2)})])
    assert (x.dtype, x.tolist(), y.dtype, y.tolist(), name) == (np.float32, [1.5, 2.5], np.int64, [2, 3], ["a", "b"])
    assert extra["m"].tolist() == [[1, 1], [0, 0]]
    assert collate([True, False]).dtype == np.bool_
    stacked = collate([pe.ones((2,)), pe.zeros((2,))])
    assert isinstance(stacked, pe.Tensor)
    assert stacked.shape == (2, 2)
    assert collate([None, None]) == [None, None]
    with pytest.raises(ValueError, match="collate: samples of different lengths"):
        collate([(1, 2), (1,)])


# Order ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_example_comes_once_in_batches_of_the_size_asked_for(drop_last: bool, workers: int) -> None:
    loader = DataLoader(dataset(), 5, shuffle=True, drop_last=drop_last, num_workers=workers)
    sizes = [len(labels) for _, labels in loader]
    assert sizes == [5] * 4 + [3] * (not drop_last)
    assert len(loader) == len(sizes)
    labels = np.concatenate([labels.numpy() for _, labels in loader])
    assert len(set(labels)) == len(labels) == (20 if drop_last else 23)


def test_without_shuffling_the_order_is_that_of_the_data() -> None:
    assert np.concatenate([y.numpy() for _, y in DataLoader(dataset(), 4)]).tolist() == list(range(23))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    loader = DataLoader(dataset(), 5, shuffle=True, seed=3)
    first, second = ([labels.numpy().tolist() for _, labels in loader] for _ in range(2))
    assert first != second
    again = DataLoader(dataset(), 2, shuffle=True, seed=3, num_workers=2)
    assert np.concatenate(first).tolist() == np.concatenate([y.numpy() for _, y in again]).tolist()
    assert [y.numpy().tolist() for _, y in DataLoader(dataset(), 5, shuffle=True, seed=3).batches(1)] == second
    assert first != [y.numpy().tolist() for _, y in DataLoader(dataset(), 5, shuffle=True, seed=4)]


@pytest.mark.parametrize("start", [0, 2, 5])
def test_threads_and_starting_in_the_middle_change_no_bit_of_an_augmented_batch(start: int) -> None:
    def batches(workers: int, start: int) -> list[list[Any]]:
        return contents(DataLoader(dataset(), 5, shuffle=True, transform=RandomAffine(degrees=20), num_workers=workers), 4, start)

    whole = batches(0, 0)
    assert len(whole) == 5
    for workers in (0, 1, 4):
        assert batches(workers, start) == whole[start:]


def test_every_batch_of_every_epoch_and_seed_draws_its_own_random_numbers() -> None:
    same = TensorDataset(np.tile(np.random.default_rng(0).random((1, 1, 6, 6), np.float32), (6, 1, 1, 1)))
    loaders = [DataLoader(same, 2, seed=seed, transform=RandomAffine(degrees=20)) for seed in (0, 1)]
    batches = [batch.numpy().tobytes() for loader in loaders for epoch in range(2) for batch in loader.batches(epoch)]
    assert len(set(batches)) == 2 * 2 * 3


def test_a_transform_may_change_labels() -> None:
    (_, soft), *_ = DataLoader(TensorDataset(np.ones((4, 1, 2, 2), np.float32), [0, 1, 2, 0]), 4, transform=MixUp(1.0, 3))
    assert soft.shape == (4, 3)


def test_a_loader_takes_lists_and_a_collate_function() -> None:
    assert [batch.numpy().tolist() for batch in DataLoader([1, 2, 3], 2)] == [[1, 2], [3]]
    assert list(DataLoader(["a", "b", "c"], 2, collate_fn="".join, num_workers=1)) == ["ab", "c"]
    for wrong in ({"batch_size": 0}, {"num_workers": -1}, {"prefetch_factor": 0}):
        with pytest.raises(ValueError, match=f"DataLoader: {next(iter(wrong))} too small"):
            DataLoader([1], **wrong)  # type: ignore[arg-type]


# Threads --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_exception_comes_where_its_batch_would_have(workers: int) -> None:
    batches = iter(DataLoader(Squares(), 2, num_workers=workers))
    assert [next(batches)[0].numpy().tolist() for _ in range(3)] == [[0, 1], [4, 9], [16, 25]]
    with pytest.raises(KeyError, match="seven is missing"):
        next(batches)


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_is_made_ahead_than_asked_for_and_leaving_early_stops_the_threads(workers: int) -> None:
    made = []

    class Watched(Squares):
        def __getitem__(self, index: int) -> tuple[float, int]:
            made.append(index)
            return float(index), index

        def __len__(self) -> int:
            return 1000

    batches = iter(DataLoader(Watched(), 1, num_workers=workers, prefetch_factor=2))
    next(batches)
    deadline = time.monotonic() + 10
    while len(made) < 1 + 2 * workers and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert len(made) == 1 + 2 * workers
    batches.close()  # type: ignore[attr-defined]
    count = len(made)
    time.sleep(0.05)
    assert len(made) == count


def test_batches_are_made_while_the_caller_works() -> None:
    class Slow(Squares):
        def __getitem__(self, index: int) -> tuple[float, int]:
            time.sleep(0.02)
            return 0.0, index

    began = time.perf_counter()
    for _ in DataLoader(Slow(), 1, num_workers=1):
        time.sleep(0.02)
    assert time.perf_counter() - began < 0.9 * 10 * 0.04
