"""What every CUDA kernel relies on in the simulator: barriers, warps, atomics, fences, shared memory; and each fault, reported."""

import numpy as np
import pytest

from tests.simulator.build import run, unwritten
from tests.simulator.reports import assert_reports

FAULTS = (
    "none",
    "divergent_barrier",
    "missing_arrival",
    "shared_race",
    "global_race",
    "race_between_blocks",
    "past_an_array",
    "before_an_array",
    "past_shared",
    "misaligned",
    "uninitialised_global",
    "uninitialised_shared",
    "wrong_mask",
    "shuffle_from_outside",
    "divergent_warp",
    "recursion",
    "trap",
)
"""In the order of ``Fault`` in kernels/base.cu."""


def test_without_a_fault_nothing_is_reported() -> None:
    assert run("base", "fault", np.zeros(64, np.int32), unwritten(64, np.int32), 0) is None


@pytest.mark.parametrize(
    ("name", "fault", "parts"),
    [
        ("divergent_barrier", "divergent barrier", ("is in __syncthreads at", "waits in another")),
        ("missing_arrival", "deadlock", ("1 threads wait for __syncwarp with mask 3", "no thread is left")),
        ("shared_race", "race", ("writes shared memory (byte", "wrote at", "no barrier or fence orders the two")),
        ("global_race", "race", ("writes global memory (byte", "wrote at")),
        ("race_between_blocks", "race", ("writes global memory (byte 0)",)),
        ("past_an_array", "out of bounds", ("bytes past the end of an array of 256 bytes",)),
        ("before_an_array", "out of bounds", ("4 bytes before an array of 256 bytes",)),
        ("past_shared", "out of bounds", ("0 bytes past the end of the block's 256 bytes of shared memory",)),
        ("misaligned", "misaligned access", ("touches 8 bytes", "must be a multiple of 8")),
        ("uninitialised_global", "uninitialised memory", ("reads global memory", "which nothing has written")),
        ("uninitialised_shared", "uninitialised memory", ("reads shared memory", "which nothing has written")),
        ("wrong_mask", "wrong mask", ("is not in its own mask",)),
        ("shuffle_from_outside", "wrong mask", ("takes no part in the shuffle",)),
        ("divergent_warp", "divergent warp", ("__any_sync", "__all_sync")),
        ("recursion", "local memory", ("no room left for local variables",)),
        ("trap", "trap", ("thread (7, 0, 0)", "__trap at")),
    ],
)
def test_faults(name: str, fault: str, parts: tuple[str, ...]) -> None:
    message = run("base", "fault", np.zeros(64, np.int32), unwritten(64, np.int32), FAULTS.index(name))
    assert_reports(message, fault, "faulty" if name != "recursion" else "kernel", "base.cu:", *parts)


def test_warp_functions() -> None:
    out = unwritten((32, 16), np.int32)
    assert run("base", "warp_functions", out) is None
    lane = np.arange(32)
    low = lane < 16
    thirds = [sum(1 << i for i in range(first, first + 16) if i % 3 == 0) for first in (0, 16)]
    expected = [
        np.full(32, 30),
        10 * (lane // 8 * 8 + (lane + 1) % 8),
        10 * np.where(lane < 2, lane, lane - 2),
        10 * np.where(lane > 29, lane, lane + 2),
        10 * (lane ^ 5),
        np.where(low, *thirds),
        low,
        low,
        np.where(low, 120, 376),
        np.where(low, 0, 16),
        np.where(low, 15, 31),
        0x11111111 << lane % 4,
        np.full(32, 11),
        np.ones(32),
        np.zeros(32),
        np.full(32, 7),
    ]
    for column, values in enumerate(expected):
        np.testing.assert_array_equal(out[:, column].view(np.uint32), np.asarray(values).astype(np.uint32), err_msg=str(column))


def test_atomics() -> None:
    sums, total = np.zeros(9, np.int32), np.zeros(1, np.float32)
    sums[5] = -1
    assert run("base", "count_atomically", sums, total) is None
    assert sums.tolist() == [200, -sum(range(200)), -199, 199, 2**31 - 1, -(2**31), 1, 1, 5]
    assert total[0] == 100


def test_a_message_between_blocks_needs_both_fences() -> None:
    def send(writer: int, reader: int) -> tuple[str | None, int]:
        out = np.zeros(1, np.int32)
        return run("base", "send", np.zeros(1, np.int32), np.zeros(1, np.int32), out, writer, reader), int(out[0])

    assert send(1, 1) == (None, 42)
    for fences in ((0, 1), (1, 0)):
        assert_reports(send(*fences)[0], "race", "message", "reads global memory (byte 0)", "base.cu:")


def test_static_shared_memory_is_the_blocks_own() -> None:
    out = unwritten(8, np.int32)
    assert run("base", "static_of_each_block", np.zeros(1, np.int32), out) is None
    assert out.tolist() == [1, 0, 11, 10, 21, 20, 31, 30]


def test_the_launch_reports_an_index_that_its_preparation_had_past_an_array() -> None:
    message = run("base", "index_before_a_launch", 4)
    assert message is not None
    assert message.startswith("simulator: out of bounds: before a launch: index 3 at base.cu:")
    assert run("base", "index_before_a_launch", 3) is None


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 32, 0, 1), "a size is 0"),
        ((1, 1025, 0, 1), "more than 1024 threads"),
        ((1, 32, 232449, 1), "more than 232448 bytes of shared memory"),
        ((34, 32, 0, 17), "more than 16 blocks"),
        ((3, 32, 0, 2), "clusters do not divide the grid"),
    ],
)
def test_launch_limits(shape: tuple[int, int, int, int], message: str) -> None:
    said = run("base", "launch_shape", *shape)
    assert said is not None
    assert said.startswith("simulator: launch of kernel pyengine::kernels::nothing: ")
    assert message in said


def test_the_largest_block() -> None:
    assert run("base", "launch_shape", 2, 1024, 232448, 2) is None
