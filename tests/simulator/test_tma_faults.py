"""What goes wrong with TMA's copies, and how the simulator says so."""

import numpy as np
import pytest

from tests.simulator.build import run, unwritten
from tests.simulator.reports import assert_reports

LOADS = (
    "none",
    "no_wait",
    "no_mbarrier_fence",
    "too_few_bytes",
    "too_many_bytes",
    "overwritten_in_flight",
    "ends_in_flight",
    "misaligned_box",
    "wrong_rank",
    "past_the_end",
    "two_loads_at_once",
    "unfenced_before_load",
)
STORES = ("no_fault", "no_fence", "fence_after_barrier", "no_barrier", "no_wait_at_end", "overwritten", "only_read_waited", "no_commit")
"""In the order of the enums in kernels/tma_faults.cu."""


def test_without_a_fault_nothing_is_reported() -> None:
    data, out = np.arange(32, dtype=np.float32), unwritten(32)
    assert run("tma_faults", "fault_of_load", data, out, 0) is None
    np.testing.assert_array_equal(out, data)
    assert run("tma_faults", "fault_of_store", data, 0) is None
    assert data.tolist() == [1, 2] + [1] * 30


@pytest.mark.parametrize(
    ("name", "fault", "parts"),
    [
        ("no_wait", "missing wait", ("reads shared memory", "a TMA load of block (0, 0, 0), thread (0, 0, 0) writes at")),
        ("no_mbarrier_fence", "wrong mbarrier", ("without fence.mbarrier_init", "asynchronous copies")),
        ("too_few_bytes", "deadlock", ("1 of 1 arrivals and -64 bytes outstanding",)),
        ("too_many_bytes", "deadlock", ("1 of 1 arrivals and 128 bytes outstanding",)),
        ("overwritten_in_flight", "missing wait", ("writes shared memory (byte 0)", "a TMA load of")),
        ("ends_in_flight", "missing wait", ("its TMA load at", "still under way when the block ends")),
        ("misaligned_box", "misaligned access", ("multiple of 128",)),
        ("wrong_rank", "wrong copy", ("takes 2 coordinates", "the map has 1")),
        ("past_the_end", "out of bounds", ("its TMA load writes 128 bytes", "264 bytes of shared memory")),
        ("two_loads_at_once", "missing wait", ("its TMA load writes shared memory", "a TMA load of")),
        ("unfenced_before_load", "missing proxy fence", ("its TMA load writes shared memory", "fence.proxy.async")),
    ],
)
def test_faults_of_loads(name: str, fault: str, parts: tuple[str, ...]) -> None:
    message = run("tma_faults", "fault_of_load", np.ones(32, np.float32), unwritten(32), LOADS.index(name))
    assert_reports(message, fault, "load", "tma_faults.cu:", *parts)


@pytest.mark.parametrize(
    ("name", "fault", "parts"),
    [
        ("no_fence", "missing proxy fence", ("its bulk store reads shared memory (byte 0)", "wrote at", "fence.proxy.async")),
        ("fence_after_barrier", "missing proxy fence", ("its bulk store reads shared memory (byte 4)", "thread (1, 0, 0) wrote at")),
        ("no_barrier", "uninitialised memory", ("its bulk store reads shared memory",)),
        ("no_wait_at_end", "missing wait", ("ends before its bulk store", "has read shared memory")),
        ("overwritten", "missing wait", ("writes shared memory (byte 0)", "a bulk store of", "reads at")),
        ("only_read_waited", "missing wait", ("reads global memory (byte 0)", "a bulk store of", "writes at")),
        ("no_commit", "missing wait", ("ends before its bulk store",)),
    ],
)
def test_faults_of_stores(name: str, fault: str, parts: tuple[str, ...]) -> None:
    message = run("tma_faults", "fault_of_store", np.ones(32, np.float32), STORES.index(name))
    assert_reports(message, fault, "store", "tma_faults.cu:", *parts)


def test_plain_copies_are_of_16_bytes() -> None:
    message = run("tma_faults", "fault_of_plain", np.ones(32, np.float32))
    assert_reports(message, "wrong copy", "bulk_misaligned", "has 20 bytes; must be a multiple of 16")
