"""What goes wrong with wgmma, and how the simulator says so."""

import numpy as np
import pytest

from tests.simulator.build import run, unwritten
from tests.simulator.reports import assert_reports

FAULTS = (
    "none",
    "no_fence",
    "touched_after_fence",
    "read_before_wait",
    "factor_overwritten",
    "no_proxy_fence",
    "no_barrier",
    "no_wait",
    "no_commit",
    "shared_overwritten",
    "half_of_the_group",
    "other_operands",
    "past_the_end",
    "inside_the_pattern",
    "base_offset",
    "stride_inside_the_pattern",
    "no_fence_after_wait",
)
"""In the order of ``Fault`` in kernels/wgmma_faults.cu."""


def test_without_a_fault_nothing_is_reported() -> None:
    out = unwritten(128)
    assert run("wgmma_faults", "fault", out, 0, 128) is None
    assert (out == 0).all()


@pytest.mark.parametrize(
    ("name", "fault", "parts"),
    [
        ("no_fence", "missing fence", ("uses registers that the thread may have touched", "wgmma_fence")),
        ("touched_after_fence", "missing fence", ("uses registers that the thread may have touched", "wgmma_fence")),
        ("no_fence_after_wait", "missing fence", ("wgmma_fence",)),
        ("read_before_wait", "missing wait", ("touches registers", "that a wgmma issued at")),
        ("factor_overwritten", "missing wait", ("touches registers", "that a wgmma issued at")),
        ("no_proxy_fence", "missing proxy fence", ("its wgmma reads shared memory", "wrote at", "fence.proxy.async")),
        ("no_barrier", "race", ("its wgmma reads shared memory", "no barrier or fence orders the two")),
        ("no_wait", "missing wait", ("ends before its wgmma", "wait for it")),
        ("no_commit", "missing wait", ("touches registers", "that a wgmma issued at", "commit it")),
        ("shared_overwritten", "race", ("its wgmma reads shared memory (byte 0)", "thread (5, 0, 0) wrote")),
        ("half_of_the_group", "deadlock", ("64 threads wait for a wgmma that 64 of 128 threads have issued",)),
        ("other_operands", "divergent warp group", ("other operands",)),
        ("past_the_end", "wrong descriptor", ("descriptor of B", "of 8192 bytes of shared memory")),
        ("inside_the_pattern", "wrong descriptor", ("begins 256 bytes into", "multiples of 1024")),
        ("base_offset", "wrong descriptor", ("base offset",)),
        (
            "stride_inside_the_pattern",
            "wrong descriptor",
            ("goes on after 1040 bytes; must be a multiple of the swizzle's pattern of 1024",),
        ),
    ],
)
def test_faults(name: str, fault: str, parts: tuple[str, ...]) -> None:
    message = run("wgmma_faults", "fault", unwritten(128), FAULTS.index(name), 128)
    assert_reports(message, fault, "faulty", "wgmma_faults.cu:", *parts)


def test_a_warp_group_has_128_threads() -> None:
    message = run("wgmma_faults", "fault", unwritten(128), 0, 96)
    assert_reports(message, "divergent warp group", "faulty", "needs whole warp groups of 128 threads; the block has 96")


@pytest.mark.parametrize(("swizzle", "overwritten", "fault"), [(3, 0, False), (0, 0, True), (0, 1, False)])
def test_the_descriptor_says_how_tma_laid_it_out(swizzle: int, overwritten: int, fault: bool) -> None:
    """Zeros, so that only the layouts can differ; threads that write over them may lay out what they like."""
    out = unwritten(128)
    message = run("wgmma_faults", "fault_of_swizzle", np.zeros((64, 64), np.uint16), out, swizzle, overwritten)
    if fault:
        assert_reports(message, "wrong descriptor", "other_swizzle", "a swizzle of 128 bytes", "laid out with a swizzle of 0")
    else:
        assert message is None
