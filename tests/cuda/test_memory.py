"""Memory of a GPU: counted, cached, given back; running out of it; pinned copies."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import pyengine as pe
from tests.cuda.gpu import counted, needs_gpu, on_cpu

pytestmark = needs_gpu
MEGABYTES = 1 << 20


def test_what_is_in_use_is_counted_and_freed_memory_is_kept() -> None:
    gc.collect()
    pe.cuda.empty_cache()
    pe.cuda.reset_peak_memory_stats()
    before = pe.cuda.memory_stats()
    x = pe.zeros((16 * MEGABYTES,), device="cuda", dtype="uint8")
    during = pe.cuda.memory_stats()
    assert 16 * MEGABYTES <= during["in_use"] - before["in_use"] <= 32 * MEGABYTES
    del x
    after = pe.cuda.memory_stats()
    assert after["in_use"] == before["in_use"]
    assert after["peak"] >= during["in_use"]
    assert after["cached"] >= 16 * MEGABYTES
    pe.cuda.empty_cache()
    assert pe.cuda.memory_stats()["cached"] < 16 * MEGABYTES


def test_out_of_memory_says_how_much_and_the_process_goes_on() -> None:
    total = pe.cuda.memory_stats()["total"]
    with pytest.raises(pe.OutOfMemoryError, match=r"out of memory on cuda:0: asked for \d+ bytes"):
        pe.zeros((2 * total,), device="cuda", dtype="uint8")
    x, expected = counted(100)
    np.testing.assert_array_equal(on_cpu(x + 1), expected + 1)


def test_memory_that_lies_in_the_cache_is_used_before_it_runs_out() -> None:
    gc.collect()
    pe.cuda.empty_cache()
    free = pe.cuda.memory_stats()["free"]
    small, large = free * 6 // 10, free * 8 // 10  # a size class is up to an eighth more
    x = pe.empty((small,), device="cuda", dtype="uint8")
    del x
    assert pe.cuda.memory_stats()["free"] < large
    y = pe.empty((large,), device="cuda", dtype="uint8")
    assert pe.cuda.memory_stats()["cached"] < small
    del y
    pe.cuda.empty_cache()


def test_pinned_copies_arrive() -> None:
    expected = np.arange(1 << 20, dtype=np.float32)
    pinned = pe.cuda.pin_memory(pe.asarray(expected, device="cpu"))
    assert pinned.device == "cpu"
    np.testing.assert_array_equal(np.asarray(pinned), expected)
    x = pinned.to("cuda", non_blocking=True) * 2
    pe.cuda.synchronize()
    np.testing.assert_array_equal(on_cpu(x), expected * 2)


def test_properties_name_the_device() -> None:
    properties = pe.cuda.get_device_properties()
    assert properties["name"]
    assert properties["multiprocessors"] > 0
    assert properties["memory"] == pytest.approx(pe.cuda.memory_stats()["total"], rel=0.05)
    with pytest.raises(ValueError, match="no such GPU"):
        pe.cuda.get_device_properties(pe.cuda.device_count())
