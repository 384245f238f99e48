"""cp.async in the simulator."""

import numpy as np
import pytest

from tests.simulator.build import run, unwritten
from tests.simulator.reports import assert_reports

IN = np.arange(1, 65, dtype=np.int32)


@pytest.mark.parametrize(("bytes_", "given"), [(4, 4), (4, 1), (4, 0), (8, 8), (8, 5), (16, 16), (16, 12), (16, 0)])
def test_bytes_are_copied_and_the_others_zero(bytes_: int, given: int) -> None:
    data = np.random.default_rng(1).integers(1, 256, (32, bytes_)).astype(np.uint8)
    out = unwritten((32, bytes_), np.uint8)
    assert run("cp_async", f"copy_{bytes_}", data, out, given) is None
    expected = data.copy()
    expected[:, given:] = 0
    np.testing.assert_array_equal(out, expected)


def test_a_group_is_waited_for_while_the_next_is_under_way() -> None:
    out = unwritten(64, np.int32)
    assert run("cp_async", "two_stages", IN, out, 1) is None
    np.testing.assert_array_equal(out, IN)


def test_nothing_is_read_before_its_wait() -> None:
    message = run("cp_async", "two_stages", IN, unwritten(64, np.int32), 0)
    assert_reports(message, "missing wait", "pipeline", "reads shared memory", "cp_async.cu:", "a cp.async of block", "nothing has waited")


@pytest.mark.parametrize(
    ("function", "fault", "parts"),
    [
        ("no_commit", "missing wait", ("a cp.async of",)),
        ("no_wait", "missing wait", ("ends before its cp.async",)),
        ("no_barrier", "race", ("reads shared memory", "no barrier")),
        ("source_overwritten", "missing wait", ("writes global memory", "a cp.async of", "reads at")),
        ("misaligned", "misaligned access", ("multiple of 8",)),
    ],
)
def test_faults(function: str, fault: str, parts: tuple[str, ...]) -> None:
    assert_reports(run("cp_async", f"fault_{function}", IN, unwritten(32, np.int32)), fault, function, "cp_async.cu:", *parts)
