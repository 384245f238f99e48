"""mbarriers in the simulator."""

import numpy as np
import pytest

from tests.simulator.build import run, unwritten
from tests.simulator.reports import assert_reports

FAULTS = (
    "never_initialised",
    "no_barrier",
    "twice",
    "over_arrival",
    "no_arrival",
    "missing_bytes",
    "wrong_parity",
    "overwritten",
    "static_remote",
    "no_wait",
)
"""In the order of ``Fault`` in kernels/mbarrier.cu."""


@pytest.mark.parametrize("how", ["waits", "spins"])
def test_a_slot_is_handed_over_and_back(how: str) -> None:
    out = unwritten(7, np.int32)
    assert run("mbarrier", f"ring_{how}", out, 7) is None
    np.testing.assert_array_equal(out, 10 * np.arange(7))


def test_a_phase_is_over_when_all_have_arrived() -> None:
    out = unwritten(11, np.int32)
    assert run("mbarrier", "which_parities", out) is None
    assert out.tolist() == [0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1]


def test_blocks_of_a_cluster_send_to_each_other() -> None:
    out = unwritten(8, np.int32)
    assert run("mbarrier", "send_around", out, 1) is None
    assert out.tolist() == [3, 0, 1, 2, 3, 0, 1, 2]


def test_other_blocks_need_the_fence_after_init() -> None:
    message = run("mbarrier", "send_around", unwritten(8, np.int32), 0)
    assert_reports(message, "wrong mbarrier", "send", "mbarrier.cu:", "without fence.mbarrier_init", "other blocks of the cluster")


@pytest.mark.parametrize(
    ("name", "fault", "parts"),
    [
        ("never_initialised", "wrong mbarrier", ("has not been initialised",)),
        ("no_barrier", "wrong mbarrier", ("was initialised by block (0, 0, 0), thread (0, 0, 0)", "no barrier orders the two")),
        ("twice", "wrong mbarrier", ("is initialised already",)),
        ("over_arrival", "wrong mbarrier", ("has all 1 arrivals of its phase 0 already", "bytes")),
        ("no_arrival", "deadlock", ("64 threads wait for parity 0", "phase 0, with 0 of 1 arrivals")),
        ("missing_bytes", "deadlock", ("phase 0, with 1 of 1 arrivals and 128 bytes outstanding", "64 threads")),
        ("wrong_parity", "wrong mbarrier", ("parity 2", "a parity is 0 or 1")),
        ("overwritten", "wrong mbarrier", ("has been overwritten",)),
        ("static_remote", "out of bounds", ("dynamic shared memory",)),
        ("no_wait", "race", ("writes shared memory",)),
    ],
)
def test_faults(name: str, fault: str, parts: tuple[str, ...]) -> None:
    message = run("mbarrier", "fault", unwritten(64, np.int32), FAULTS.index(name))
    assert_reports(message, fault, "faulty", "mbarrier.cu:", *parts)
