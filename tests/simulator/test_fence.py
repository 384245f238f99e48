"""Named barriers, barriers of clusters, shared memory of other blocks, and registers handed over, in the simulator."""

import numpy as np
import pytest

from tests.simulator.build import run, unwritten
from tests.simulator.reports import assert_reports

FAULTS = ("counts_differ", "number_16", "missing_thread", "arrives_twice", "waits_first", "takes_fewer", "rank_too_large")
"""In the order of ``Fault`` in kernels/fence.cu."""


def test_a_named_barrier_orders_those_that_wait() -> None:
    out = unwritten(64, np.int32)
    assert run("fence", "named_barrier", out, 1) is None
    assert (out == sum(range(96))).all()


def test_without_the_named_barrier_there_is_a_fault() -> None:
    assert_reports(run("fence", "named_barrier", unwritten(64, np.int32), 0), "uninitialised memory", "named", "fence.cu:")


def test_blocks_read_each_other_after_the_barrier_of_the_cluster() -> None:
    out = unwritten(6, np.int32)
    assert run("fence", "read_neighbours", out, 0) is None
    assert out.tolist() == [10, 20, 0, 40, 50, 30]


def test_a_relaxed_arrival_orders_nothing() -> None:
    assert_reports(run("fence", "read_neighbours", unwritten(6, np.int32), 1), "race", "neighbours", "reads shared memory")


def test_a_block_that_has_ended_has_no_shared_memory() -> None:
    assert_reports(run("fence", "fault_leaves_early", unwritten(1, np.int32)), "out of bounds", "leaves_early", "a block that has ended")


def test_registers_are_handed_over() -> None:
    out = unwritten(384, np.int32)
    assert run("fence", "registers_fit", out) is None
    assert (out == 1).all()


def test_more_registers_than_there_are_never_come() -> None:
    message = run("fence", "fault_registers", unwritten(384, np.int32))
    assert_reports(message, "deadlock", "registers", "72 more registers a thread", "fence.cu:")


@pytest.mark.parametrize(
    ("name", "fault", "parts"),
    [
        ("counts_differ", "wrong barrier", ("the counts must be equal",)),
        ("number_16", "wrong barrier", ("numbers are 1 to 15",)),
        ("missing_thread", "deadlock", ("barrier 2 (64 of 96 threads arrived)",)),
        ("arrives_twice", "wrong barrier", ("twice",)),
        ("waits_first", "wrong barrier", ("without arriving first",)),
        ("takes_fewer", "wrong register count", ("to have 24 of 248",)),
        ("rank_too_large", "out of bounds", ("block 2 of a cluster of 1",)),
    ],
)
def test_faults(name: str, fault: str, parts: tuple[str, ...]) -> None:
    message = run("fence", "fault", unwritten(64, np.int32), FAULTS.index(name))
    assert_reports(message, fault, "faulty", "fence.cu:", *parts)
